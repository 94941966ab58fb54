"""Which step samples which variable, several steps in one chain, and their statistics side by side."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.diagnostics import Kind
from nbinfer.engine.step import Competence
from nbinfer.mcmc.assign import assign, listed, separated
from tests.laws.mixed import mixture

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
quiet = {"progressbar": False, "random_seed": 1}


def logp(p, d):
    return -0.5 * np.sum(p.x**2) - p.tau - 0.1 * p.z - 0.2 * np.sum(p.b) - 0.1 * p.k


def every():
    return nb.Model(
        {"x": nb.real(2), "tau": nb.positive(), "z": nb.categorical(3), "b": nb.binary(2), "k": nb.integer(0, 50)},
        logp=logp,
    )


def names_of(assigned):
    return [(method.name, names) for method, names in assigned]


def test_each_variable_goes_to_the_step_that_samples_it_best():
    assert names_of(assign(every(), None)) == [
        ("nuts", ["x", "tau"]),
        ("metropolis", ["k"]),
        ("binary_gibbs_metropolis", ["b"]),
        ("categorical_gibbs_metropolis", ["z"]),
    ]
    # without a gradient a number goes to the slice, and what is no number to the first that can
    assert names_of(assign(every(), None, has_gradient=False))[:1] == [("metropolis", ["x", "k"])]
    assert ("slice", ["tau"]) in names_of(assign(every(), None, has_gradient=False))


COMPETENCES = {
    "x": [3, 1, 1, 1, 0, 0, 0],
    "tau": [3, 1, 1, 2, 0, 0, 0],
    "z": [0, 0, 1, 0, 0, 0, 3],
    "two": [0, 0, 1, 0, 1, 3, 1],
    "b": [0, 0, 1, 0, 1, 3, 1],
    "k": [0, 0, 1, 0, 0, 0, 0],
    "few": [0, 0, 1, 0, 0, 0, 3],
    "eleven": [0, 0, 1, 0, 0, 0, 0],
    "counts": [0, 0, 1, 0, 0, 0, 0],
}


@pytest.mark.parametrize("name", COMPETENCES)
def test_competences_are_those_of_the_documents(name):
    methods = (
        nb.NUTS, nb.HamiltonianMC, nb.Metropolis, nb.Slice,
        nb.BinaryMetropolis, nb.BinaryGibbsMetropolis, nb.CategoricalGibbsMetropolis,
    )  # fmt: skip
    supports = {"two": nb.categorical(2), "few": nb.integer(3, 6), "eleven": nb.integer(0, 10), "counts": nb.integer(0)}
    more = nb.Model(supports, logp=lambda p, d: 0.1 * p.two)
    parameter = (more if name in supports else every()).parameters[name]
    assert [method.competence(parameter) for method in methods] == [Competence(c) for c in COMPETENCES[name]]


def test_what_is_left_over_is_assigned():
    assigned = assign(every(), [nb.Slice("tau"), nb.Metropolis()])
    assert names_of(assigned) == [("slice", ["tau"]), ("metropolis", ["x", "z", "b", "k"])]
    assert names_of(separated(assigned)) == [("slice", ["tau"]), *[("metropolis", [n]) for n in ("x", "z", "b", "k")]]
    together = separated(assign(every(), nb.Metropolis(blocked=True)))
    assert names_of(together) == [("metropolis", ["x", "tau", "z", "b", "k"])]


def test_steps_in_any_nesting_and_from_any_iterable():
    a, b, c = nb.Slice("tau"), nb.Metropolis("x"), nb.BinaryMetropolis("b")
    for steps in ([a, b, c], (a, [b, c]), nb.CompoundStep([a, nb.CompoundStep([b, c])]), iter([a, b, c])):
        assert listed(steps) == [a, b, c]
    assert nb.CompoundStep(a).methods == (a,)


@pytest.mark.either
def test_an_iterator_of_steps_is_not_forgotten():
    steps = [nb.Slice("tau"), nb.Metropolis("x")]
    for given in (iter(steps), nb.CompoundStep(iter(steps))):
        trace = nb.sample(every(), 10, 10, step=given, chains=2, **quiet)
        assert trace.attrs["steps"][:2] == ["slice", "metropolis"]


@pytest.mark.parametrize(
    ("step", "error", "message"),
    [
        (nb.Slice("z"), ValueError, r"Slice cannot sample 'z', which is categorical\(3\)"),
        (nb.Slice("tua"), ValueError, "Slice: 'tua' is no variable of the model; it has x, tau, z, b, k"),
        ([nb.Slice("x"), nb.Metropolis("x")], ValueError, "'x' has two steps, Slice and Metropolis; give it to one"),
        ([nb.Slice(), nb.Metropolis()], ValueError, r"'x' has two steps, .* name the variables of each"),
        (nb.Slice(["tau", "tau"]), ValueError, "Slice names 'tau' twice"),
        (nb.Slice([]), ValueError, "Slice: vars is empty"),
        (nb.Slice(3), TypeError, "vars of Slice must be the name of a variable or several names, got 3"),
        (nb.Slice([["tau"]]), TypeError, r"vars of Slice must be the name .* got \['tau'\] among them"),
        ([nb.Metropolis(), nb.BinaryMetropolis(["x"])], ValueError, "BinaryMetropolis cannot sample 'x'"),
        ([nb.Metropolis(["b", "z", "k"]), nb.BinaryMetropolis()], ValueError, "BinaryMetropolis finds nothing"),
        (nb.Slice, TypeError, r"got Slice; call it: Slice\(\.\.\.\)"),
        ([nb.Slice("x"), nb.NUTS], TypeError, r"got NUTS; call it: NUTS\(\.\.\.\)"),
        ("slice", TypeError, "step must be a configured step method or several of them, got str"),
    ],
)
def test_steps_that_do_not_fit(step, error, message):
    with pytest.raises(error, match=message):
        assign(every(), step)


def test_a_compound_takes_steps_only():
    with pytest.raises(TypeError, match=r"got Slice; call it: Slice\(\.\.\.\)"):
        nb.CompoundStep([nb.Slice])
    with pytest.raises(TypeError, match="got int"):
        nb.CompoundStep(3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"nutz": {}}, ValueError, "options for 'nutz' fit no step that is assigned automatically"),
        ({"slice": {"w": 2.0}}, ValueError, "options for 'slice' fit no step"),
        (
            {"nuts": {"target_acept": 0.9}},
            TypeError,
            "NUTS has no option 'target_acept'; did you mean 'target_accept'?",
        ),
        ({"nuts": {"vars": ["x"]}}, ValueError, r"pass step=NUTS\(vars=\.\.\.\)"),
    ],
)
def test_options_that_do_not_fit(options, error, message):
    with pytest.raises(error) as caught:
        assign(every(), None, options)
    assert message.replace("\\", "") in str(caught.value)


def test_options_reach_their_steps():
    assigned = assign(every(), nb.Slice("tau"), {"nuts": {"target_accept": 0.9}, "metropolis": {"S": 2.0}})
    assert assigned[1][0].target_accept == 0.9
    assert assigned[2][0].S == 2.0


@pytest.mark.nojit  # long as plain Python
def test_statistics_lie_side_by_side():
    steps = [nb.Metropolis(["z"]), nb.Slice("x")]
    trace = nb.sample(mixture(), 40, 20, step=steps, chains=2, **quiet)
    stats = trace.sample_stats
    assert stats["accepted"].shape == stats["n_evals"].shape == (2, 40)
    assert stats["tune"].shape == (2, 40, 2)
    both = nb.sample(every(), 30, 20, step=nb.Metropolis(tune_interval=5), chains=2, **quiet)
    assert both.sample_stats["scaling"].shape == (2, 30, 5)
    assert len(np.unique(both.sample_stats["scaling"][0, 0])) > 1  # each tunes its own
    assert (both.sample_stats["scaling"] == both.sample_stats["scaling"][:, :1]).all()


def test_the_last_step_tells_the_log_density():
    trace = nb.sample(mixture(), 40, 20, step=[nb.Slice("x"), nb.Metropolis("z")], chains=2, **quiet)
    assert trace.sample_stats["lp"].shape == (2, 40)
    assert trace.warmup_sample_stats["lp"].shape == (2, 20)
    exact = [
        [mixture().logp({"x": x, "z": z}) for x, z in zip(*c, strict=True)]
        for c in zip(trace["x"], trace["z"], strict=True)
    ]
    np.testing.assert_allclose(trace.sample_stats["lp"], exact, rtol=1e-9)


@pytest.mark.nojit  # long as plain Python
def test_every_step_has_its_target():
    x_and_tau = nb.Model({"x": nb.real(), "tau": nb.positive()}, logp=lambda p, d: -0.5 * p.x**2 - p.tau)
    for targets, kept in (((0.9, 0.7), [0.9, 0.7]), ((0.9, 0.9), 0.9)):
        steps = [nb.NUTS(name, target_accept=t) for name, t in zip(("x", "tau"), targets, strict=True)]
        trace = nb.sample(x_and_tau, 20, 20, step=steps, chains=2, **quiet)
        assert trace.attrs["target_accept"] == kept


@pytest.mark.nojit  # long as plain Python
def test_a_step_size_that_is_not_adapted_has_no_target():
    """No report says that it misses one."""
    model = nb.Model({"x": nb.real(), "y": nb.real()}, logp=lambda p, d: -0.5 * p.x**2 - 0.5 * p.y**2)
    fixed, draws = {"adapt_step_size": False, "step_scale": 0.3}, 300 if JIT else 60
    for step, target in (
        (nb.NUTS(**fixed), None),
        (nb.HamiltonianMC(**fixed), None),
        ([nb.NUTS("x", **fixed), nb.NUTS("y", target_accept=0.7)], [np.nan, 0.7]),
    ):
        trace = nb.sample(model, draws, 200 if JIT else 40, step=step, **quiet)
        assert not [p for p in trace.report.problems if p.kind == Kind.BAD_ACCEPTANCE and "0.7." not in p.message]
        kept = trace.attrs.get("target_accept")
        assert kept is target or np.array_equal(kept, target, equal_nan=True)
        assert trace.sample_stats["acceptance_rate"].reshape(4, draws, -1)[..., 0].mean() > 0.95
