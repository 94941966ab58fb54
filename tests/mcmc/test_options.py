"""Options where people look for them: of steps in a call of `sample`, and arguments without a name in any order."""

import os

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import NbinferWarning, ResumeError
from nbinfer.mcmc.arguments import warm_up

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


def density(p, d):
    return -0.5 * p.x**2 - 0.5 * (p.y - p.x) ** 2


def of_both(p, d):
    return -0.5 * p.x**2 - 0.1 * (p.k - 2) ** 2


def continuous():
    return nb.Model({"x": nb.real(), "y": nb.real()}, logp=density)


def mixed():
    return nb.Model({"x": nb.real(), "k": nb.integer(0, 5000)}, logp=of_both)


def run(model, *args, **options):
    return nb.sample(model, *args, **({"tune": 20, "chains": 2, "random_seed": 1, "progressbar": False} | options))


def same(one, other):
    return all(np.array_equal(one.posterior[name], other.posterior[name]) for name in one.posterior)


@pytest.fixture(scope="module")
def by_step():
    return run(continuous(), 20, nuts_kwargs={"target_accept": 0.95, "max_treedepth": 3})


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize(
    "options",
    [
        {"target_accept": 0.95, "max_treedepth": 3},
        {"nuts": {"target_accept": 0.95, "max_treedepth": 3}},
        {"nuts": {"target_accept": 0.95}, "max_treedepth": 3},
        {"nuts_kwargs": {"target_accept": 0.95}, "max_treedepth": 3},
        {"step_kwargs": {"nuts": {"target_accept": 0.95}}, "max_treedepth": 3},
        {"step": nb.NUTS(target_accept=0.95, max_treedepth=3)},
    ],
    ids=str,
)
def test_options_of_steps_mean_the_same_everywhere(options, by_step):
    assert same(run(continuous(), 20, **options), by_step)


@pytest.mark.either
def test_each_option_goes_to_the_step_that_has_it():
    plain = run(mixed(), 20, step_kwargs={"nuts": {"max_treedepth": 2}, "metropolis": {"tune_interval": 7}})
    assert same(run(mixed(), 20, max_treedepth=2, tune_interval=7), plain)
    assert same(run(mixed(), 20, max_treedepth=2, metropolis={"tune_interval": 7}), plain)
    left = run(continuous(), 20, step=nb.Slice("x"), max_treedepth=2)
    assert same(left, run(continuous(), 20, step=[nb.Slice("x"), nb.NUTS("y", max_treedepth=2)]))


REFUSED = {
    "misspelt": (continuous, {"target_acept": 0.9}, TypeError, "option 'target_acept'; did you mean 'target_accept'"),
    "of Stan": (continuous, {"adapt_delta": 0.9}, TypeError, "no option 'adapt_delta'; did you mean 'target_accept'"),
    "of NumPyro": (continuous, {"max_tree_depth": 9}, TypeError, "'max_tree_depth'; did you mean 'max_treedepth'"),
    "seed": (continuous, {"seed": 1}, TypeError, r"sample\(\) has no option 'seed'; did you mean 'random_seed'"),
    "initvals": (continuous, {"initvals": {}}, TypeError, "no option 'initvals'; did you mean 'start'"),
    "inits": (continuous, {"inits": {}}, TypeError, "no option 'inits'; did you mean 'start'"),
    "warmup": (continuous, {"warmup": 10}, TypeError, "no option 'warmup'; did you mean 'tune'"),
    "num_samples": (continuous, {"num_samples": 10}, TypeError, "no option 'num_samples'; did you mean 'draws'"),
    "n_chains": (continuous, {"n_chains": 2}, TypeError, "no option 'n_chains'; did you mean 'chains'"),
    "n_jobs": (continuous, {"n_jobs": 2}, TypeError, "no option 'n_jobs'; did you mean 'cores'"),
    "nothing near": (continuous, {"zzzz": 2}, TypeError, "'zzzz'; it has model, draws, tune, .*target_accept"),
    "no mapping": (continuous, {"nuts": 0.9}, TypeError, "nuts must be a mapping, got float"),
    "misspelt within": (continuous, {"nuts": {"k0": 1}}, TypeError, "NUTS has no option 'k0'; did you mean"),
    "step has it": (
        continuous,
        {"step": nb.NUTS(target_accept=0.8), "target_accept": 0.9},
        ValueError,
        r"of NUTS, and step has NUTS\(target_accept=0.8\); set it there, step=nb.NUTS\(target_accept=0.9\)",
    ),
    "twice": (
        continuous,
        {"nuts_kwargs": {"target_accept": 0.8}, "target_accept": 0.9},
        ValueError,
        "target_accept of nuts is given twice: 0.8, and target_accept=0.9; leave one of them out",
    ),
    "of another step": (
        continuous,
        {"tune_interval": 7},
        ValueError,
        "tune_interval=7 is an option of Metropolis, which samples nothing in this run: there is NUTS",
    ),
    "of two steps": (
        mixed,
        {"scaling": 2.0},
        ValueError,
        "scaling=2.0 is an option of NUTS and Metropolis; say whose: nuts={'scaling': 2.0} or metropolis=",
    ),
    "vars": (continuous, {"nuts": {"vars": "x"}}, ValueError, "would leave variables without a step"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_options_that_fit_nothing(name):
    model, options, kind, message = REFUSED[name]
    with pytest.raises(kind, match=message):
        nb.sample(model(), 20, **options)


@pytest.mark.nojit  # long as plain Python
def test_arguments_without_a_name_go_where_their_type_says():
    model, step = continuous(), nb.Slice()
    rest = {"chains": 2, "random_seed": 1, "progressbar": False}
    plain = nb.sample(model, 15, 20, step=step, **rest)
    assert same(nb.sample(15, model=model, tune=20, step=step, **rest), plain)
    assert same(nb.sample(15, step, model=model, tune=20, **rest), plain)
    assert same(nb.sample(15, step, 20, model, **rest), plain)
    assert same(nb.sample(model, step, 15, 20, **rest), plain)
    assert same(nb.sample(model, 15, 20, [step], **rest), plain)
    with model:
        assert same(nb.sample(15, step, tune=20, **rest), plain)
        assert same(nb.sample(15, 20, step, **rest), plain)
    one = next(nb.iter_sample(3, step, model=model, tune=5, random_seed=1))
    assert same(next(nb.iter_sample(model, 3, step, tune=5, random_seed=1)), one)
    assert same(next(nb.iter_sample(step, model, 3, None, None, 0, 5, random_seed=1)), one)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: nb.sample(200, model=m, draws=100), "gets draws twice: 200 without a name, and draws="),
        (lambda m: nb.sample(m, model=m), "gets model twice"),
        (lambda m: nb.sample(m, 10, nb.Slice(), step=nb.Slice()), "gets step twice"),
        (lambda m: nb.sample(m, 10, 10, 10), "without names no more than model, draws, tune, got 10 besides"),
        (lambda m: nb.sample(10, 10, 10), "without names no more than model, draws, tune, step, got 10 besides"),
        (lambda m: nb.sample(m, "slice", 10, 10), "without names no more than model, draws, tune"),
        (lambda m: nb.sample(10.0, model=m), "draws must be an int or 'auto', got 10.0"),
        (lambda m: nb.sample(m, True), "draws must be an int or 'auto', got True"),
        (lambda m: nb.sample(m, step=nb.NUTS), r"got NUTS; call it: NUTS\(...\)"),
        (lambda m: nb.sample(m, nb.NUTS), r"got NUTS; call it: NUTS\(...\)"),
        (lambda m: nb.sample(200), "no model given: pass model="),
    ],
)
def test_arguments_without_a_name_that_do_not_fit(call, message):
    with pytest.raises(TypeError, match=message):
        call(continuous())


def test_none_is_the_default():
    assert warm_up(None) == warm_up(1000)
    trace = nb.sample(continuous(), 5, tune=5, chains=None, cores=None, random_seed=1, progressbar=False)
    assert trace.posterior["x"].shape == (4, 5)


@pytest.mark.nojit  # long as plain Python
def test_resume_takes_model_and_path_in_either_order(tmp_path):
    model, path = continuous(), os.fspath(tmp_path / "run.nc")
    run(model, 10, trace=path)
    one, other = nb.resume(path, model, 15, progressbar=False), nb.resume(model, path, draws=20, progressbar=False)
    assert (one.posterior["x"].shape, other.posterior["x"].shape) == ((2, 15), (2, 20))


@pytest.mark.nojit  # long as plain Python
def test_fits_and_predictions_take_their_model_anywhere():
    model = continuous()
    fits = [
        nb.fit(5, model=model, random_seed=1, progressbar=False),
        nb.fit(model, 5, random_seed=1, progressbar=False),
        nb.fit(5, "advi", model, random_seed=1, progressbar=False),
    ]
    assert np.array_equal(fits[0].hist, fits[1].hist)
    assert np.array_equal(fits[0].hist, fits[2].hist)
    assert nb.SVGD(model).approx.model is model
    assert nb.ADVI(model).approx.model is model
    start, nuts = nb.init_nuts(model, "adapt_diag", 2)
    assert (len(start), nuts.metric is not None) == (2, True)
    with pytest.raises(TypeError, match=r"init_nuts\(\) has no option 'seed'; did you mean 'random_seed'"):
        nb.init_nuts(model=model, seed=1)
    with pytest.raises(TypeError, match=r"find_map\(\) has no option 'initvals'; did you mean 'start'"):
        nb.find_map(model, initvals={"x": 1.0})
    assert nb.find_map(model, gtol=1e-8)["x"] == pytest.approx(0.0)


def test_a_step_by_its_lower_case_name_that_is_misspelt():
    with pytest.raises(TypeError, match=r"sample\(\) has no option 'nut'; did you mean 'nuts'"):
        nb.sample(continuous(), nut={"target_accept": 0.9})


def test_a_length_of_an_initialiser_that_makes_no_run_is_refused():
    for call in (nb.sample, nb.init_nuts):
        with pytest.raises(ValueError, match=r"n_init=50 is how long .*init='adapt_diag' does neither; leave it out"):
            call(model=continuous(), init="adapt_diag", n_init=50)


def test_several_steps_know_the_model_of_one_of_them():
    both = nb.CompoundStep([nb.Slice(model=continuous())])
    assert both.on(random_seed=1).model is both.methods[0].model


def test_what_is_ignored_is_said_once():
    x = nb.real()
    model = nb.Model({"x": x}, logp=lambda p, d: -0.5 * p.x**2)
    with pytest.warns(NbinferWarning, match="mode is ignored") as said:
        run(model, 5, step=nb.Metropolis(x, mode="FAST_RUN"))
    assert len([w for w in said if "mode is ignored" in str(w.message)]) == 1


@pytest.mark.nojit  # long as plain Python
def test_times_are_found_by_who_looks_for_them():
    trace = run(continuous(), 5)
    with pytest.raises(KeyError, match=r"no statistic 'perf_counter_diff'; .* nb.sample\(model, timed=True\)"):
        trace.get_sampler_stats("perf_counter_diff")
    assert run(continuous(), 5, timed=True).get_sampler_stats("perf_counter_diff").size == 10


class Drifts:
    """A potential that counts the calls of all its copies."""

    count = 0

    def velocity(self, p):
        return p

    def energy(self, p, velocity):
        return 0.5 * p @ velocity

    def random(self, rng):
        Drifts.count += 1
        return rng.normal(size=2) * (1.0 + 0.1 * np.sin(Drifts.count))


def test_a_run_is_not_gone_on_with_whose_potential_remembers(tmp_path):
    path = os.fspath(tmp_path / "run.nc")
    run(continuous(), 10, step=nb.HamiltonianMC(potential=Drifts()), trace=path)
    with pytest.raises(ResumeError, match="HamiltonianMC calls functions in plain Python, which may have a memory"):
        nb.resume(path, continuous(), 20, step=nb.HamiltonianMC(potential=Drifts()), progressbar=False)
