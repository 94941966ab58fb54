"""Forces of kernels for few and for many coordinates are those of the formula, whatever tiles there are."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.cuda.forces import cut_for
from nbinfer.variational.stein.kernels import median_bandwidth
from tests.cuda.swarms import CUTS, fresh, swarm_of


def formula(kernel, x, temperature=1.0):
    if kernel.bandwidth is None:
        options = {"exponent": kernel.exponent} if isinstance(kernel, nb.IMQ) else {}
        kernel = type(kernel)(median_bandwidth(x), **options)
    values, slopes = kernel(x)
    return (values @ (-x * np.arange(1, x.shape[1] + 1)) / temperature + slopes) / len(x)


@pytest.mark.parametrize(
    ("n", "dim", "kernel", "dtype", "tolerance"),
    [
        (21, 2, nb.RBF(), np.float64, 1e-12),
        (21, 2, nb.RBF(), np.float32, 1e-5),
        (21, 2, nb.IMQ(exponent=-0.1), np.float64, 1e-12),
        (17, 3, nb.RBF(0.7), np.float64, 1e-12),
        (6, 21, nb.RBF(), np.float64, 1e-12),
        (6, 21, nb.RBF(), np.float32, 1e-5),
        (6, 21, nb.IMQ(40.0), np.float64, 1e-12),
    ],
    ids=str,
)
def test_they_are_those_of_the_formula(n, dim, kernel, dtype, tolerance):
    x = np.random.default_rng(n).normal(size=(n, dim)).astype(dtype).astype(float) + 3.0
    found = fresh(swarm_of(n, dim, kernel, dtype, temperature=2.0), x).look()[2]
    wanted = formula(kernel, x, 2.0)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


def test_single_precision_keeps_its_digits_far_from_0():
    x = np.random.default_rng(1).normal(size=(20, 2))
    far = (x + 1000.0).astype(np.float32).astype(float)
    swarm = fresh(swarm_of(20, 2, nb.RBF(1.0), np.float32), far)
    swarm._scores = lambda x, g, logps: (g.copy_to_device(np.zeros((20, 2))), logps.copy_to_device(np.zeros(20)))
    slopes = nb.RBF(1.0)(far)[1]
    np.testing.assert_allclose(swarm.look()[2], slopes / 20, rtol=0, atol=3e-6 * np.abs(slopes).max())


@pytest.mark.parametrize("n", [1, 7, 8, 9, 100, 1000, 100_000])
@pytest.mark.parametrize(
    "cut", [*CUTS.values(), *(cut_for(d, t) for d in (2, 20, 21, 200) for t in ("f4", "f8"))], ids=str
)
def test_parts_have_all_particles_once(n, cut):
    parts, each = cut.splits(n)
    assert (parts - 1) * each < n <= parts * each
    assert each % cut.tile == 0
    assert cut.padded(n) >= max(parts * each, -(-n // cut.own) * cut.own)
    assert cut.panels * cut.panel >= cut.columns
