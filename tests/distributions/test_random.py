"""Draws follow the distribution whose density stands beside them, plain and compiled."""

import numpy as np
import pytest
from scipy import stats

from nbinfer.compile import JIT
from nbinfer.distributions import exponential, half_cauchy, half_normal, normal, uniform

FAMILIES = {
    "normal": (normal, stats.norm(1.0, 2.0), (1.0, 2.0)),
    "half_normal": (half_normal, stats.halfnorm(scale=2.0), (2.0,)),
    "half_cauchy": (half_cauchy, stats.halfcauchy(scale=2.0), (2.0,)),
    "uniform": (uniform, stats.uniform(-1.0, 3.0), (-1.0, 2.0)),
    "exponential": (exponential, stats.expon(scale=0.5), (2.0,)),
}
by_family = pytest.mark.parametrize("family", FAMILIES)


@by_family
def test_follows_its_distribution(family):
    module, reference, parameters = FAMILIES[family]
    draws = module.random(np.random.default_rng(7), *parameters, size=20_000)
    assert stats.kstest(draws, reference.cdf).pvalue > 1e-3
    assert np.isfinite(module.logpdf(draws, *parameters)).all()


@by_family
def test_shapes_broadcast(family):
    module, _, parameters = FAMILIES[family]
    rng = np.random.default_rng(8)
    assert np.ndim(module.random(rng, *parameters)) == 0
    assert module.random(rng, *parameters, (2, 3)).shape == (2, 3)
    wide = [np.full((2, 1), parameters[0]), *(np.full(3, parameter) for parameter in parameters[1:])]
    common = np.broadcast_shapes(*(w.shape for w in wide))
    draws = module.random(rng, *wide)
    assert draws.shape == common
    assert np.unique(draws).size == draws.size
    assert module.random(rng, *wide, size=(5, *common)).shape == (5, *common)


@pytest.mark.nojit
@pytest.mark.skipif(not JIT, reason="nothing is compiled")
@by_family
def test_compiled_draws_are_the_plain_ones(family):
    import numba

    module, _, parameters = FAMILIES[family]

    if len(parameters) == 2:

        def draw(rng, n, parameters):
            return np.array([module.random(rng, parameters[0], parameters[1]) for _ in range(n)])
    else:

        def draw(rng, n, parameters):
            return np.array([module.random(rng, parameters[0]) for _ in range(n)])

    compiled = numba.njit(draw)(np.random.default_rng(9), 50, parameters)
    np.testing.assert_allclose(compiled, draw(np.random.default_rng(9), 50, parameters), rtol=1e-14)
