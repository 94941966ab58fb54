"""Same seed, same draws, bit for bit, from one version of the engine to the next."""

import numpy as np
import pytest

from nbinfer import mcmc
from nbinfer.engine.step import StepMethod
from tests import bits

pytestmark = [pytest.mark.nojit, pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")]


@pytest.mark.parametrize("name", bits.RUNS)
def test_draws_are_those_that_were_noted(name):
    """A change that moves draws on purpose notes them anew with ``python -m tests.bits`` and says why."""
    noted = bits.noted()
    if noted is None:
        pytest.skip(f"no draws are noted for {bits.key()}")
    if name not in noted:  # changed on another processor, and not noted here since
        pytest.skip(f"no draws of {name} are noted for {bits.key()}")
    assert bits.digest(bits.RUNS[name]()) == noted[name]


def test_a_digest_sees_the_last_bit():
    approx = bits.RUNS["fit advi"]()
    before = bits.digest(approx)
    assert bits.digest(approx) == before
    mu = approx.params[0]
    mu.set_value(np.nextafter(mu.get_value(), np.inf))
    assert bits.digest(approx) != before


def test_every_step_is_among_the_runs():
    steps = [name for name in mcmc.__all__ if isinstance(getattr(mcmc, name), type)]
    steps = [name for name in steps if issubclass(getattr(mcmc, name), StepMethod)]
    assert len(steps) > 10
    assert [name for name in steps if not any(run.split()[0] == name for run in bits.RUNS)] == []
