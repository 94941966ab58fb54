"""What every kind of step holds to."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


def peak(p, d):
    return np.inf if 0.5 < p.x < 1.0 or p.k == 2 else -0.5 * p.x**2 - 0.1 * p.b


def peak_grad(p, d, grad):
    grad.x[()] -= p.x
    return peak(p, d)


def peaked():
    return nb.Model({"x": nb.real(), "b": nb.binary(), "k": nb.categorical(3)}, logp=peak, logp_grad=peak_grad)


@pytest.mark.parametrize(
    "step",
    [
        nb.NUTS(),
        nb.HamiltonianMC(),
        nb.Metropolis(blocked=True),
        [nb.Slice("x"), nb.Metropolis("k")],
        nb.EllipticalSlice(prior_cov=[[1.0]]),
        nb.DEMetropolisZ(scaling=0.1),
        nb.DEMetropolis(),
        nb.StretchMove(),
        [nb.CategoricalGibbsMetropolis(["k", "b"])],
        [nb.CategoricalGibbsMetropolis(["k"], proposal="proportional"), nb.BinaryMetropolis("b")],
    ],
    ids=lambda step: type(step[0] if isinstance(step, list) else step).__name__,
)
def test_an_infinite_density_is_no_place_to_stay(step):
    draws, warm = (300, 100) if JIT else (20, 10)
    start = [{"x": x} for x in (0.3, 0.1, -1.0, 1.2)]
    trace = nb.sample(peaked(), draws, warm, step=step, start=start, random_seed=3, progressbar=False)
    assert np.isfinite(trace.sample_stats["lp"]).all()
    assert not ((trace["x"] > 0.5) & (trace["x"] < 1.0)).any()
    assert not (trace["k"] == 2).any()
    assert not JIT or trace["x"].std(axis=1).min() > 0.1  # they move on
