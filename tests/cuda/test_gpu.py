"""Particles on a GPU, where there is one: ``pytest -m gpu``."""

import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import ConvergenceWarning

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("dim", [3, 30])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-8), ("float32", 1e-4)])
def test_particles_go_where_those_of_the_processor_go(dim, dtype, tolerance):
    model = nb.Model({"x": nb.real(dim)}, logp=lambda p, d: -0.5 * (p.x**2).sum())

    def fitted(backend):
        inference = nb.SVGD(1500, model=model, random_seed=1, backend=backend, dtype=dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return inference.fit(5, obj_optimizer=nb.sgd(learning_rate=0.1), progressbar=False).histogram

    np.testing.assert_allclose(fitted("cuda"), fitted("cpu"), rtol=0, atol=tolerance)
