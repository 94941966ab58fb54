"""Predictions that nobody wrote: derived from the likelihood, also for data of other lengths."""

import functools

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.distributions import normal, poisson
from nbinfer.errors import ModelError, NbinferWarning
from tests.predictive.small import GROUP, X, Y, draws, mean, predict


def nothing(p, d):
    return 0.0


def of_y(p, d):
    return normal.logpdf(d.y, mean(p, d), p.sigma)


def of_count(p, d):
    return poisson.logpmf(d.count, p.sigma)


SUPPORTS = {"alpha": nb.real(3), "beta": nb.real(2), "sigma": nb.positive()}
DATA = {"x": X, "group": GROUP, "y": Y, "count": 3}


def model(**more):
    return nb.Model(SUPPORTS, **{"prior": nothing, "likelihood": {"y": of_y, "count": of_count}, "data": DATA, **more})


@functools.cache
def derived():
    return model()


def predicted(of, **more):
    return nb.sample_posterior_predictive(draws(), of, random_seed=3, progressbar=False, **more)


def test_derived_predictions_are_those_that_one_writes():
    def count(p, d, rng):
        return poisson.random(rng, p.sigma)

    own, given = predicted(derived()), predicted(model(likelihood=nothing, predict={"y": predict, "count": count}))
    assert list(own) == ["y", "count"]
    for name in own:
        np.testing.assert_array_equal(own[name], given[name])
        assert own[name].dtype == given[name].dtype


@pytest.mark.either
def test_new_data_need_no_response():
    for rows in (1, 4):
        found = predicted(derived(), data={"x": np.ones((rows, 2)), "group": np.zeros(rows, int)}, vars="y")
        assert found["y"].shape == (2, 40, rows)
        assert sorted(found.data) == ["group", "x"]
        z = (found["y"] - draws()["alpha"][..., :1] - draws()["beta"].sum(-1)[..., None]) / draws()["sigma"][..., None]
        assert abs(z.mean()) < 4.0 / np.sqrt(z.size)


def test_an_index_out_of_range_is_told_with_entry_and_row():
    wanted = "predict 'y': data 'group' holds 3 in row 1, an index into 3 elements"
    with pytest.raises(IndexError, match=wanted):
        predicted(derived(), data={"x": X[:2], "group": [0, 3]}, vars="y")


def test_new_data_that_do_not_fit_together_are_told_with_the_function():
    with pytest.raises(ValueError, match="do not broadcast") as caught:
        predicted(derived(), data={"x": X[:2], "group": [0, 1], "y": np.zeros(3)}, vars="y")
    note = caught.value.__notes__[-1]
    assert note.startswith("in predict 'y' with the new data x (2, 2), group (2,)")


def test_a_function_that_asks_the_response_for_its_length_alone_needs_none_either():
    def by_length(p, d, rng):
        return normal.random(rng, mean(p, d), p.sigma, d.y.shape)

    def by_values(p, d, rng):
        return d.y + normal.random(rng, mean(p, d), p.sigma)

    data = {"x": np.ones((2, 2)), "group": [0, 1]}
    assert predicted(model(predict={"y": by_length}), data=data, vars="y")["y"].shape == (2, 40, 2)
    with pytest.raises(ModelError, match="reads data 'y', which has 6 rows as 'group' had"):
        predicted(model(predict={"y": by_values}), data=data, vars="y")


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ({"x": X[:2]}, ModelError, "predict 'y' reads data 'group', which has 6 rows as 'x' had; 'x' now has 2: give"),
        ({"x": X[:2], "group": [0, 3]}, IndexError, "predict 'y': data 'group' holds 3 in row 1, an index into 3"),
        ({"x": np.ones((2, 3)), "group": [0, 1]}, ValueError, "^matmul"),
    ],
)
def test_where_a_response_has_no_length_new_data_are_to_blame(data, error, message):
    with pytest.raises(error, match=message) as caught:
        predicted(derived(), data=data)
    assert message != "^matmul" or caught.value.__notes__[-1] == "in predict 'y' with the new data x (2, 3), group (2,)"


@pytest.mark.either
def test_a_response_whose_own_length_is_in_its_mean_must_be_given():
    def by_length(p, d):
        return normal.logpdf(d.y, mean(p, d) + np.zeros(d.y.size), p.sigma)

    own = model(likelihood={"y": by_length})
    data = {"x": X[:2], "group": [0, 1]}
    with pytest.raises(ModelError, match="predict 'y' has the lengths of 'y' in it: give it"):
        predicted(own, data=data)
    assert predicted(own, data={**data, "y": np.zeros(2)})["y"].shape == (2, 40, 2)


def test_what_is_not_predicted_is_told():
    weighted = model(likelihood={"y": lambda p, d: 2.0 * of_y(p, d), "count": of_count})
    with pytest.raises(ModelError, match=r"has no prediction of 'y'.*\n.*in <lambda>\n(.*\n)+.*def replicate_y"):
        predicted(weighted, vars="y")
    with pytest.warns(NbinferWarning, match="def replicate_y"):
        assert list(predicted(weighted)) == ["count"]
    point = {"alpha": np.zeros(3), "beta": np.zeros(2), "sigma": 1.0}
    assert list(nb.simulate(derived(), point, rng=1)) == ["y", "count"]
