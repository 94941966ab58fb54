"""Chains in the simulator and the compiled ones of the processor, which contract and reorder: equal but for rounding.

With the JIT off both are plain Python. `test_chains.py` runs this with the JIT on.
"""

import warnings

import numpy as np
import pytest

import nbinfer as nb


def logp_grad(p, d, grad):
    total = 0.0
    for i in range(p.x.shape[0]):
        total -= 0.5 * (i + 1) * p.x[i] ** 2
        grad.x[i] -= (i + 1) * p.x[i]
    return total


SLOW = pytest.mark.slow  # what the others show as well


@pytest.mark.parametrize(
    ("step", "tune", "chains"),
    [
        (nb.NUTS(metric="diag"), 0, 2),
        pytest.param(nb.HamiltonianMC(metric="diag"), 0, 2, marks=SLOW),
        pytest.param(nb.Slice(), 0, 2, marks=SLOW),
        (nb.Metropolis(), 0, 2),
        pytest.param(nb.ChEES(), 2, 16, marks=SLOW),
    ],
)
def test_first_draws_are_those_of_compiled_chains(step, tune, chains):
    model = nb.Model({"x": nb.real(3)}, logp_grad=logp_grad)
    options = dict(draws=5 - tune, tune=tune, chains=chains, step=step, random_seed=2, progressbar=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mine, others = (nb.sample(model, backend=backend, **options)["x"] for backend in ("cuda", "cpu"))
    np.testing.assert_allclose(mine, others, rtol=1e-10, atol=1e-10)
