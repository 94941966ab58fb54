"""One transition of an ensemble's step leaves exact targets invariant, and what is not quite one does not."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.mcmc.ensemble import chees, common, learning, mams
from tests.laws.kit import gaussian_target
from tests.laws.law import assert_caught, assert_invariant, move_once, mutant, one_now
from tests.laws.targets import AR1_SCALES, EXACT

COUNT = 100_000 if JIT else 200
FIXED = {"adapt_step_size": False, "path_length": 2.0}
#: Steps that err enough for the accept step to matter.
STEPS = {
    "ChEES ar1": (nb.ChEES(step_scale=0.5, **FIXED), "ar1", AR1_SCALES),
    "ChEES student": (nb.ChEES(step_scale=1.3, **FIXED), "student", [2.0, 1.0, 0.5]),
    "ChEES twostage": (nb.ChEES(step_scale=2.6, integrator="twostage", **FIXED), "student", 1.0),
    "ChEES uniform": (nb.ChEES(step_scale=1.5, **FIXED), "uniform", 1.0),
    "MAMS ar1": (nb.MAMS(step_scale=0.67, integrator="leapfrog", **FIXED), "ar1", AR1_SCALES),
    "MAMS student": (nb.MAMS(step_scale=1.15, integrator="leapfrog", **FIXED), "student", [2.0, 1.0, 0.5]),
    "MAMS threestage": (nb.MAMS(step_scale=2.3, integrator="threestage", **FIXED), "student", 1.0),
    "MAMS of one length": (nb.MAMS(step_scale=1.73, random_length=False, **FIXED), "student", 1.0),
    "MAMS dirichlet": (nb.MAMS(step_scale=1.77, integrator="leapfrog", **FIXED), "dirichlet", 1.0),
}


def scaled(step, scale):
    """The same step with a metric that is known."""

    class Scaled(type(step)):
        def initialise(self, own, *place):
            super().initialise(own, *place)
            own.scale[:] = scale

    return Scaled(**vars(step))


@pytest.mark.parametrize("name", STEPS)
def test_one_transition_leaves_the_target_invariant(name):
    step, target, scale = STEPS[name]
    assert_invariant(scaled(step, scale), EXACT[target](), moves=0.2, count=COUNT)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("step", [nb.ChEES(step_scale=2.0, **FIXED), nb.MAMS(step_scale=1.63, **FIXED)])
def test_a_standard_normal_stays_one(step):
    """Of six coordinates, at a step size that the leapfrog only just bears."""
    target = gaussian_target(np.eye(6))
    x = np.random.default_rng(1).normal(size=(80_000 if JIT else 400, 6))
    moved = move_once(step, target, x)
    assert 0.3 < moved.share < 1.0
    for power in (1, 2, 4):
        change = (moved.new_positions**power - x**power).reshape(-1, 8 * 6).mean(1)
        assert abs(change.mean()) < 4.0 * change.std() / np.sqrt(len(change))


MUTANTS = {
    "ChEES, the wrong sign of the change": ("min(0.0, -error)", "min(0.0, error)"),
    "ChEES, every end accepted": ("uniform(chain.words) < own.accept", "uniform(chain.words) < 1.1"),
    "ChEES, a wrong last half kick": ("_kick(n, point, scale, last)", "_kick(n, point, scale, 0.7 * last)"),
    "ChEES, momenta of the inverse of the mass": ("momentum[i] /= scale[i]", "momentum[i] *= scale[i]"),
    "ChEES, a length that depends on the state": (
        "length *= 1.0 + own.jitter * (2.0 * share - 1.0)",
        "length *= math.exp(-abs(chain.logp))",
    ),
    "MAMS, the volume is forgotten": ("return (n - 1) * (angle", "return 0.0 * (angle"),
    "MAMS, the volume of one dimension more": ("return (n - 1) * (angle", "return n * (angle"),
    "MAMS, the wrong sign of the change": ("min(0.0, -error)", "min(0.0, error)"),
    "MAMS, a velocity that is no unit": ("velocity[i] /= length", "velocity[i] /= 1.1 * length"),
}


@pytest.mark.nojit
@pytest.mark.parametrize("name", one_now(MUTANTS))
def test_the_law_catches(name, tmp_path):
    old, new = MUTANTS[name]
    kind = name.partition(",")[0]
    broken = mutant(tmp_path, old, new, learning, common, {"ChEES": chees, "MAMS": mams}[kind])
    step, target, scale = STEPS[f"{kind} student"]
    assert_caught(scaled(getattr(broken, kind)(**vars(step)), scale), EXACT[target](), count=4 * COUNT)
