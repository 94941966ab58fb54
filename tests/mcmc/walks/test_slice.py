"""Slice sampling: invariance, widths, limits."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.mcmc.walks import slice as slices
from nbinfer.mcmc.walks.slice import Slice
from tests.laws.law import assert_caught, assert_invariant, mutant, one_now
from tests.laws.targets import CONTINUOUS, EXACT


@pytest.mark.parametrize("name", [*CONTINUOUS, "mixture"])
def test_one_transition_leaves_the_target_invariant(name):
    assert_invariant(Slice(w=np.logspace(-2, 2, 5) if name == "ar1" else 1.5, tune=False), EXACT[name](), moves=0.99)


MUTANTS = {
    "the interval begins at the point": ("right = left + width", "right = old + width"),
    "a level that is too high": (
        "level = now + math.log1p(-uniform(chain.words))",
        "level = now + 0.8 * math.log1p(-uniform(chain.words))",
    ),
    "the first point that is tried is taken": ("if logp >= level:", "if logp >= level - 0.2:"),
    "a point that is not uniform in the interval": (
        "q[i] = left + (right - left) * uniform(chain.words)",
        "q[i] = left + (right - left) * uniform(chain.words) ** 1.1",
    ),
}


@pytest.mark.skipif(not JIT, reason="the law needs more draws than plain Python makes")
@pytest.mark.parametrize("name", one_now(MUTANTS))
def test_the_law_catches(name, tmp_path):
    broken = mutant(tmp_path, *MUTANTS[name], slices)
    # Of two modes, so that a slice can be in two pieces.
    assert_caught(broken.Slice(w=3.0, tune=False), EXACT["modes"]())


def two_scales():
    return nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * p.x[0] ** 2 - 0.5 * (p.x[1] / 100.0) ** 2)


@pytest.mark.nojit  # long as plain Python
def test_widths_are_learnt_in_warm_up():
    """The mean interval of a normal target is some three standard deviations."""
    stepper = Slice().on(two_scales(), random_seed=1)
    for _ in range(500):
        stepper.step()
    stepper.stop_tuning()
    evaluations = [stepper.step() and stepper.stats[0]["n_evals"] for _ in range(200)]
    assert np.mean(evaluations) < 14.0
    untuned = Slice(tune=False).on(two_scales(), random_seed=1)
    assert np.mean([untuned.step() and untuned.stats[0]["n_evals"] for _ in range(200)]) > 50.0


def test_a_flat_density_reaches_the_limit_and_keeps_what_is_finished():
    model = nb.Model({"x": nb.real()}, logp=lambda p, d: 0.0 * p.x)
    with pytest.raises(nb.errors.SamplingError, match="raise iter_limit") as caught:
        nb.sample(model, 10, 10, step=Slice(iter_limit=100), random_seed=1, progressbar=False)
    assert caught.value.trace.interrupted


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"w": 0.0}, ValueError, "w must be a positive number"),
        ({"w": np.ones((2, 2))}, ValueError, "a vector of them"),
        ({"w": "wide"}, TypeError, "w must be numbers, got 'wide'"),
        ({"tune": 100}, TypeError, "an argument of sample"),
        ({"iter_limit": 0}, ValueError, "iter_limit must be at least 1, or None, got 0"),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        Slice(**options)


def test_what_does_not_fit_the_model():
    with pytest.raises(ValueError, match=r"w has shape \(3,\), but the coordinates of x are 2"):
        nb.sample(two_scales(), 10, 10, step=Slice(w=np.ones(3)), progressbar=False)
    model = nb.Model({"k": nb.categorical(3)}, logp=lambda p, d: 0.0 * p.k)
    with pytest.raises(ValueError, match=r"Slice cannot sample 'k', which is categorical\(3\)"):
        nb.sample(model, 10, 10, step=Slice("k"), progressbar=False)
