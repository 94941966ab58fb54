"""Posterior predictive draws: of every draw once, for the model's data and for others."""

import dataclasses

import numpy as np
import pandas
import pytest

import nbinfer as nb
from nbinfer.errors import ModelError
from tests.predictive.small import GROUP, X, Y, draws, mean, predict, regression


def predicted(**more):
    return nb.sample_posterior_predictive(draws(), regression(), random_seed=3, progressbar=False, **more)


def means(trace, x, group):
    return trace["alpha"][:, :, group] + trace["beta"] @ x.T


def test_there_is_one_prediction_for_each_draw():
    group = predicted()
    assert group.kind == "posterior_predictive"
    assert group.data == {}
    assert "interrupted" not in group.attrs
    assert {name: (array.shape, array.dtype.name) for name, array in group.items()} == {
        "y": ((2, 40, 6), "float64"),
        "count": ((2, 40), "int64"),
    }
    z = (group["y"] - means(draws(), X, GROUP)) / draws()["sigma"][..., None]
    assert abs(z.mean()) < 4.0 / np.sqrt(z.size)
    assert abs(z.std() - 1.0) < 4.0 / np.sqrt(2.0 * z.size)


@pytest.mark.either
def test_a_part_has_the_numbers_of_the_whole_and_derived_quantities_count():
    part = predicted(vars=["mean", "y"])
    assert list(part) == ["mean", "y"]
    np.testing.assert_array_equal(part["y"], predicted()["y"])
    np.testing.assert_allclose(part["mean"], means(draws(), X, GROUP), rtol=1e-13)
    np.testing.assert_array_equal(predicted(var_names="count")["count"], predicted()["count"])


def test_the_model_is_that_of_the_block():
    with regression():
        group = nb.sample_posterior_predictive(draws(), random_seed=3)
    np.testing.assert_array_equal(group["y"], predicted()["y"])


def test_a_chain_that_was_cut_short_is_predicted_as_far_as_it_went():
    whole = draws()
    short = nb.Trace(dict(whole.posterior), draws_done=[40, 7], chain_ids=[0, 1], interrupted=True)
    group = nb.sample_posterior_predictive(short, regression(), random_seed=3)
    np.testing.assert_array_equal(group["y"][0], predicted()["y"][0])
    np.testing.assert_array_equal(group["y"][1, :7], predicted()["y"][1, :7])
    assert np.isnan(group["y"][1, 7:]).all()


@pytest.mark.either
def test_a_trace_of_an_approximation_will_do():
    approx = nb.MeanField(model=regression(), random_seed=1)
    group = nb.sample_posterior_predictive(approx.sample(25), regression(), random_seed=1)
    assert group["y"].shape == (1, 25, 6)
    assert np.isfinite(group["y"]).all()


# ---- new data


@pytest.mark.either
def test_only_predictors_need_be_given():
    x, group = np.array([[0.5, 1.0], [1.0, 0.0], [2.0, 2.0]]), [2, 0, 0]
    found = predicted(data={"x": x, "group": group}, vars=["y", "mean"])
    assert found.kind == "predictions"
    assert list(found.data) == ["x", "group"]
    np.testing.assert_array_equal(found.data["group"], group)
    assert found["y"].shape == (2, 40, 3)
    np.testing.assert_allclose(found["mean"], means(draws(), x, group), rtol=1e-13)
    assert regression().data["x"].shape == (6, 2)


def test_new_data_may_be_a_table():
    pandas = pytest.importorskip("pandas")
    model = nb.Model(
        {"b": nb.real()}, logp=lambda p, d: -(p.b**2), data={"x": [1.0]}, predict={"y": lambda p, d, rng: p.b * d.x}
    )
    trace = nb.Trace({"b": np.ones((2, 3))})
    found = nb.sample_posterior_predictive(trace, model, data=pandas.DataFrame({"x": [0.5, 2.0]}), progressbar=False)
    np.testing.assert_array_equal(found["y"][1, 2], [0.5, 2.0])
    np.testing.assert_array_equal(found.data["x"], [0.5, 2.0])


def test_one_row_is_one_row_and_whole_numbers_are_floats_where_these_are_wanted():
    found = predicted(data={"x": [[1, 2]], "group": [1]}, vars="mean")
    np.testing.assert_allclose(found["mean"], means(draws(), np.array([[1.0, 2.0]]), [1]), rtol=1e-13)


def test_the_model_s_own_data_given_anew_change_nothing():
    np.testing.assert_array_equal(predicted(data={"x": X, "group": GROUP, "y": Y})["y"], predicted()["y"])


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ({"z": 1.0}, ModelError, "data names 'z', which model 'regression' has no data of; it has x, group, y"),
        (
            {"x": X[0]},
            ModelError,
            r"data 'x' must be like float64 \(6, 2\), with any lengths, got float64 \(2,\); .* 2 axes",
        ),
        ({"group": [0.5]}, ModelError, "data 'group' must be like int64"),
        ({"x": X * np.nan}, ModelError, "data 'x' must not hold NaN"),
        ({"x": X[:2]}, ModelError, "predict 'y' reads data 'group', which has 6 rows as 'x' had; 'x' now has 2: give"),
        (
            {"x": X[:2], "group": [0, 3]},
            IndexError,
            "predict 'y': data 'group' holds 3 in row 1, an index into 3 elements: it must be from 0 to 2",
        ),
        (
            {"x": X[:2], "group": [-4, 0]},
            IndexError,
            "predict 'y': data 'group' holds -4 in row 0, an index into 3 elements: it must be from 0 to 2",
        ),
        ([1.0], ModelError, "data must be a mapping"),
        (pandas.DataFrame({"group": [0]}), ModelError, "'group' now has 1: give 'x', too"),  # columns are entries
    ],
)
def test_new_data_that_will_not_do_are_told(data, error, message):
    with pytest.raises(error, match=message):
        predicted(data=data)


def test_data_that_come_in_batches_can_be_replaced():
    batches = nb.Minibatch(np.arange(12.0), 4, random_seed=1)
    model = nb.Model(
        {"mu": nb.real()}, logp=lambda p, d: -np.sum((d.y - p.mu) ** 2), data={"y": batches}, predict={"y": replicate}
    )
    trace = nb.Trace({"mu": np.zeros((1, 3))})
    with pytest.raises(ModelError, match="data that come in batches"):
        nb.sample_posterior_predictive(trace, model)
    with pytest.raises(ModelError, match="predict 'y' reads data 'y', which comes in batches: give it, too"):
        nb.sample_posterior_predictive(trace, model, data={})
    assert nb.sample_posterior_predictive(trace, model, data={"y": np.zeros(7)})["y"].shape == (1, 3, 7)


def replicate(p, d, rng):
    return p.mu + rng.normal(0.0, 1.0, d.y.size)


# ---- what else is told


def test_a_model_that_predicts_nothing_is_told_what_to_write():
    model = nb.Model({"mu": nb.real()}, likelihood={"y": lambda p, d: -((d.y - p.mu) ** 2)}, data={"y": Y})
    with pytest.raises(ModelError, match=r'(?s)def replicate_y\(p, d, rng\).*d\.y\.shape.*predict={"y": replicate_y}'):
        nb.sample_posterior_predictive(draws(), model)


def test_a_prediction_has_the_shape_of_its_data():
    definition = dataclasses.replace(
        regression().definition, predict={"y": lambda p, d, rng: rng.normal(0.0, 1.0, (6, 6))}
    )
    with pytest.raises(ModelError, match=r"predict 'y' must return the shape of data 'y', \(6,\), got \(6, 6\)"):
        nb.sample_posterior_predictive(draws(), nb.Model.of(definition))


def test_unknown_variables_and_options_are_told():
    with pytest.raises(ModelError, match="vars names 'z', which model 'regression' neither predicts nor derives"):
        predicted(vars=["y", "z"])
    with pytest.raises(ModelError, match="var_names names 'z', which model"):
        predicted(var_names=np.array(["y", "z"]))
    with pytest.raises(TypeError, match="vars and var_names are the same"):
        predicted(vars="y", var_names="y")
    with pytest.raises(TypeError, match="no model given"):
        nb.sample_posterior_predictive(draws())
    with pytest.raises(ModelError, match="has no named parameters"):
        nb.sample_posterior_predictive(draws(), nb.Model.flat(lambda x: -(x[0] ** 2), 1))


def test_functions_stay_plain():
    assert predict(*regression().definition.arguments(draws().point(0)), np.random.default_rng(0)).shape == (6,)
    assert mean(*regression().definition.arguments(draws().point(0))).shape == (6,)
