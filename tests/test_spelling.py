"""Calls that do not fit: no bare error of Python's reaches a user, and signatures stay as they are."""

import inspect
import pickle
import pydoc
import signal
import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import NbinferWarning
from nbinfer.spelling import nearest, public, shown

CALLABLES = sorted(name for name in nb.__all__ if callable(getattr(nb, name)))

#: Of what others write, what each callable calls so.
ELSEWHERE = {
    "iter_sample": {"seed": "random_seed", "initvals": "start", "warmup": "tune", "num_samples": "draws"},
    "resume": {"n_jobs": "cores", "filename": "path"},
    "NUTS": {"adapt_delta": "target_accept", "max_tree_depth": "max_treedepth", "dense_mass": "metric"},
    "Slice": {"width": "w", "variables": "vars"},
    "Model": {"log_prob": "logp", "params": "parameters", "observed": "data", "deterministic": "derived"},
    "interval": {"lower": "a", "high": "b"},
    "SVGD": {"num_particles": "n_particles", "seed": "random_seed"},
    "adam": {"lr": "learning_rate", "eps": "epsilon"},
    "summary": {"varnames": "var_names", "cred_mass": "prob"},
    "sample_posterior_predictive": {"seed": "random_seed", "progress_bar": "progressbar"},
    "sample_prior_predictive": {"num_samples": "samples", "seed": "random_seed"},
    "check_model": {"num_draws": "draws", "seed": "random_seed"},
    "load": {"filename": "path"},
    "HDF5": {"filename": "path", "overwritten": "overwrite"},
    "real": {"shap": "shape"},
    "Minibatch": {"batchsize": "batch_size", "seed": "random_seed"},
    "loo": {"varname": "var_name"},
}


REMEDY = "Write the name of what 1 is before it, or leave first= out."


@public
def joined(first, second=2, *, third=3):
    """Join."""
    return [first, second, third]


@public
class Counter:
    """Count."""

    def __init__(self, start=0):
        self.start = start

    def by(self, step=1, *, times=1):
        return self.start + step * times

    @classmethod
    def at(cls, start=0):
        return cls(start)

    @staticmethod
    def plain(start=0):
        return start


@pytest.mark.parametrize("name", CALLABLES)
def test_no_option_of_that_name(name):
    function = getattr(nb, name)
    if getattr(function, "__init__", None) is object.__init__:
        pytest.skip("takes nothing")
    if any(p.kind == p.VAR_KEYWORD for p in inspect.signature(function).parameters.values()):
        pytest.skip("takes options for others, which is tried below")
    with pytest.raises(TypeError, match=rf"^{name if name != 'MultiTrace' else 'Trace'}\(\) has no option 'no_such'; "):
        function(no_such=1)


@pytest.mark.parametrize(("name", "word", "ours"), [(n, w, o) for n, of in ELSEWHERE.items() for w, o in of.items()])
def test_names_of_others(name, word, ours):
    with pytest.raises(TypeError, match=rf"^{name}\(\) has no option '{word}'; did you mean '{ours}'\?$"):
        getattr(nb, name)(**{word: 1})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: joined(1, secnod=2), "joined() has no option 'secnod'; did you mean 'second'?"),
        (lambda: joined(1, THIRD=2), "joined() has no option 'THIRD'; did you mean 'third'?"),
        (lambda: joined(1, zzz=2), "joined() has no option 'zzz'; it has first, second, third."),
        (lambda: joined(), "joined() needs first; pass first=."),
        (
            lambda: joined(1, 2, 3),
            "joined() takes without names no more than first, second, got 3 besides; write its name before it: third=.",
        ),
        (
            lambda: joined(1, first=2),
            f"joined() gets first twice: 1 without a name, and first=. {REMEDY}",
        ),
        (
            lambda: joined(1, control=2),
            "joined() has no option 'control'; its entries are options of their own, target_accept=0.9.",
        ),
        (lambda: Counter(strat=1), "Counter() has no option 'strat'; did you mean 'start'?"),
        (lambda: Counter().by(stpe=1), "Counter.by() has no option 'stpe'; did you mean 'step'?"),
        (lambda: Counter.at(strat=1), "Counter.at() has no option 'strat'; did you mean 'start'?"),
        (lambda: Counter.plain(strat=1), "Counter.plain() has no option 'strat'; did you mean 'start'?"),
        (lambda: Counter(1, 2), "Counter() takes without names no more than start, got 2 besides; leave it out."),
    ],
)
def test_what_a_call_is_told(call, message):
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value) == message
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("word", ["progress", "verbose", "progressbar"])
def test_words_that_others_have_for_what_is_not_here_are_no_misspellings(word):
    with pytest.raises(TypeError, match=rf"check_model\(\) has no option '{word}'; it has model, draws, tune"):
        nb.check_model(**{word: 1})
    with pytest.raises(TypeError, match="did you mean 'chains'"):
        nb.check_model(chain=4)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("densityplot", r"What does it is nb\.plots\.density\(trace\)\."),
        ("Deterministic", r"What does it is derived={'name': f} of nb\.Model\."),
        ("Normal", r"Families are modules: from nbinfer\.distributions import normal\."),
        ("find_MAP", r"Did you mean 'find_map'\?"),
    ],
)
def test_names_that_are_elsewhere(name, message):
    with pytest.raises(AttributeError, match=rf"module 'nbinfer' has no attribute '{name}'\. {message}$"):
        getattr(nb, name)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("multi_normal", "mvnormal"),
        ("double_exponential", "laplace"),
        ("std_normal", "normal"),
        ("HalfCauchy", "half_cauchy"),
    ],
)
def test_families_by_the_names_of_others(name, ours):
    with pytest.raises(AttributeError, match=rf"Did you mean '{ours}'\?$"):
        getattr(nb.distributions, name)


def test_errors_from_within_are_left_alone():
    @public
    def outer(x=1):
        return inner(y=x)

    def inner(x):
        return x

    with pytest.raises(TypeError, match="unexpected keyword argument 'y'"):
        outer(x=2)
    with pytest.raises(TypeError, match="must be an iterable, not int"):
        public(lambda x: [*x])(3)


def test_a_public_function_is_the_same_from_outside():
    assert str(inspect.signature(nb.sample)) == str(inspect.signature(nb.sample.__wrapped__))
    assert "random_seed" in inspect.signature(nb.sample).parameters
    assert list(inspect.signature(nb.NUTS).parameters)[:2] == ["vars", "Emax"]
    assert pydoc.render_doc(nb.sample).count("Draw from the posterior of a model.") == 1
    assert pickle.loads(pickle.dumps(nb.sample)) is nb.sample
    assert pickle.loads(pickle.dumps(nb.NUTS(target_accept=0.9))) == nb.NUTS(target_accept=0.9)
    assert (nb.sample.__name__, nb.sample.__module__) == ("sample", "nbinfer.mcmc.sample")
    assert inspect.getsource(nb.NUTS.competence).startswith("    @staticmethod")


def test_nearest():
    known = ["sigma", "mu", "beta_1"]
    assert [nearest(n, known) for n in ("sgima", "MU", "beta1", "Sigma", "zzzz")] == [
        "sigma",
        "mu",
        "beta_1",
        "sigma",
        None,
    ]
    assert nearest(3, known) is None


@pytest.mark.parametrize(("word", "ours"), [("MCMC", "sample"), ("SVI", "fit"), ("EnsembleSampler", "sample")])
def test_what_does_the_job_elsewhere_is_known(word, ours):
    with pytest.raises(AttributeError, match=f"Did you mean '{ours}'"):
        getattr(nb, word)


def test_warnings_point_at_the_users_line():
    model = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nb.ASVGD(model=model)
    (warning,) = [w for w in caught if w.category is NbinferWarning]
    assert warning.filename == __file__


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: nb.sample(nb.Model({"x": nb.real()}, logp=lambda p, d: -(p.x**2)), thin=2), "nb.HDF5"),
        (lambda: nb.NUTS(mode="FAST_RUN"), "Numba compiles everything"),
        (lambda: nb.integer(lower=0), "did you mean 'lo'"),
        (lambda: nb.interval(0, upper=1), "did you mean 'b'"),
    ],
)
def test_words_of_others_are_not_taken_for_misspellings(call, hint):
    with pytest.raises(TypeError, match=hint):
        call()


def test_ctrl_c_in_a_public_function_comes_out_as_it_is():
    @public
    def pressed(times=1):
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has it ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            pressed()
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_came_is_shown_in_one_line():
    assert shown("a  b") == "'a  b'"
    assert shown(np.ones((2, 2))) == "array([[1., 1.], [1., 1.]])"
    assert shown(nb.Model({"x": nb.real()}, logp=lambda p, d: -(p.x**2))) == "Model"


@pytest.mark.either
@pytest.mark.parametrize(
    ("name", "ours"), [("posterior", "density"), ("plot_trace", "trace"), ("plot_forest", "forest")]
)
def test_pictures_by_names_of_elsewhere(name, ours):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    message = rf"module 'nbinfer\.plots' has no attribute '{name}'\. What does it is nb\.plots\.{ours}\(trace\)\.$"
    with pytest.raises(AttributeError, match=message):
        getattr(nb.plots, name)


@pytest.mark.either
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0.9", "'0.9', a text, not a number"),
        ("100", "'100', a text, not a number"),
        ("0.9.1", "'0.9.1'"),
        (0.9, "0.9"),
    ],
)
def test_texts_that_look_like_numbers_are_told_apart(value, text):
    assert shown(value) == text
