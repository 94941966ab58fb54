"""One prediction from one point."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import ModelError
from tests.predictive.small import count, draws, predict, regression

POINT = draws().point(3)


def test_it_is_what_the_functions_draw_one_after_the_other():
    rng = np.random.default_rng(4)
    p, d = regression().definition.arguments(POINT)
    found = nb.simulate(regression(), POINT, 4)
    np.testing.assert_array_equal(found["y"], predict(p, d, rng))
    assert found["count"] == count(p, d, rng)
    np.testing.assert_array_equal(nb.simulate(regression(), POINT, np.random.default_rng(4))["y"], found["y"])


def test_what_else_a_point_holds_does_not_count():
    with regression():
        assert nb.simulate(None, {**POINT, "mean": 0.0}, 4)["y"].shape == (6,)


def test_bad_arguments_are_told():
    with pytest.raises(ModelError, match="missing: sigma"):
        nb.simulate(regression(), {name: POINT[name] for name in ("alpha", "beta")}, 1)
    with pytest.raises(ValueError, match="rng must be an int from 0 on, or a numpy Generator, got -1"):
        nb.simulate(regression(), POINT, -1)
    with pytest.raises(TypeError, match="rng must be a numpy Generator or an int, got str"):
        nb.simulate(regression(), POINT, "seed")
    with pytest.raises(TypeError, match="point must be a mapping"):
        nb.simulate(regression(), [1.0], 1)


def test_random_numbers_that_follow_no_seed_are_refused():
    predict = {"y": lambda p, d, rng: np.random.normal()}  # noqa: NPY002
    careless = nb.Model({"mu": nb.real()}, logp=lambda p, d: 0.0, predict=predict)
    with pytest.raises(ModelError, match="predict 'y' must draw from rng, the third argument"):
        nb.simulate(careless, {"mu": 1.0}, 1)
