"""Particles of several iterations."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import VariationalInferenceError
from tests.variational.stein.targets import fitted, normal

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


def test_particles_are_kept_as_they_were():
    model = normal(2)
    history, seen = nb.ParticleHistory(2, after=3), []
    inference = nb.SVGD(3, model=model, random_seed=1, noisy=True)
    fitted(
        inference, 8, nb.sgd(learning_rate=0.1), callbacks=[history, lambda approx, _, i: seen.append(approx.histogram)]
    )
    assert history.iterations == [4, 6, 8]
    np.testing.assert_array_equal(history.rows, [seen[3], seen[5], seen[7]])
    np.testing.assert_array_equal(history.approx().histogram, history.rows.reshape(9, 2))
    assert history.approx(random_seed=1).sample(5)["x"].shape == (1, 5, 2)


def test_nothing_was_kept():
    history = nb.ParticleHistory(2, after=30)
    fitted(nb.SVGD(3, model=normal(), random_seed=1), 3, callbacks=[history])
    with pytest.raises(
        VariationalInferenceError, match="no particles were kept: the first are those of iteration 32; make more"
    ):
        history.approx()
    for wrong in ({"every": 0}, {"after": -1}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be an int from"):
            nb.ParticleHistory(**wrong)


def test_it_remembers_in_another_process():
    history, again = nb.ParticleHistory(1), nb.ParticleHistory(1)
    fitted(nb.SVGD(3, model=normal(), random_seed=1), 3, callbacks=[history])
    again.restore(history.state())
    np.testing.assert_array_equal(again.rows, history.rows)
    np.testing.assert_array_equal(again.approx(normal()).histogram, history.approx().histogram)
