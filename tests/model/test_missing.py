"""Laws of missing data: how gaps are read and refused, what fills them, and what goes back to their values."""

import copy
import pickle

import numpy as np
import pytest

import nbinfer.model as nb
from nbinfer.compile import JIT
from nbinfer.distributions import (
    normal,
    poisson,
)
from nbinfer.errors import ModelError
from nbinfer.model.code import generate, plan
from nbinfer.model.gaps import axes, observed_cells, observed_part, without_missing
from tests.model.address import record, through_address
from tests.model.gaps import NAN, PLACE, Y, exact, follows_calculus, likelihood, log_prior, small
from tests.model.test_missing_families import imputing, prior


def test_density_and_gradient_follow_calculus():
    assert follows_calculus(small())
    assert small().check_grad().ok


def misplaced(write):
    """Have statements about gaps be about the first elements."""
    return lambda *p: [line.replace("y[data.y_missing_index[i]]", "y[i]") for line in write(*p)]


MUTANTS = {
    "no slopes": (generate, "from_gaps", lambda p: []),
    "slopes of the first elements": (generate, "from_gaps", misplaced(plan.from_gaps)),
    "filled from the front": (plan, "fill", misplaced(plan.fill)),
    "not filled": (plan, "fill", lambda *p: []),
}


@pytest.mark.skipif(JIT, reason="plain Python runs the same text")
@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_fail_calculus(name, monkeypatch):
    monkeypatch.setattr(*MUTANTS[name])
    assert not follows_calculus(copy.copy(small()))


def test_rows_hold_the_missing_values_and_what_is_made_of_whole_data():
    values = record(small().bind(1), PLACE)[1]
    np.testing.assert_array_equal(values["y_missing"], PLACE[2:])
    np.testing.assert_array_equal(values["whole"], [[1.0, 1.7, 0.5], [2.5, -0.7, -2.1]])


def test_each_chain_fills_memory_of_its_own():
    bound = small().bind(2)
    other = PLACE + 1.0
    first = through_address(bound, PLACE, 0)
    through_address(bound, other, 1)
    assert through_address(bound, PLACE, 0)[0] == first[0]
    addresses = {int(row[0]) for row in bound.tables}
    assert len(addresses) == 3
    assert np.isnan(small().data["y"]).sum() == 2  # the model's own stay as they are


FILLS = {
    "NaN": Y,
    "masked, huge": np.ma.masked_array(np.where(np.isnan(Y), 1e20, Y), np.isnan(Y)),
    "masked, NaN": np.ma.masked_invalid(Y),
    "masked, and NaN beside": np.ma.masked_array(Y, [[False, True, False], [False] * 3]),
    "None": [[1.0, None, 0.5], [2.5, -0.7, None]],
}


@pytest.mark.parametrize("name", FILLS)
def test_what_lies_in_a_gap_never_matters(name):
    model = nb.Model(
        {"mu": nb.real(), "s": nb.positive()}, prior=log_prior, likelihood={"y": likelihood}, data={"y": FILLS[name]},
        missing={"y": nb.real()},
    )  # fmt: skip
    np.testing.assert_array_equal(model.definition.data["y"].array, small().definition.data["y"].array)
    np.testing.assert_array_equal(model.missing["y"], [1, 5])
    assert model.logp_unconstrained(PLACE) == small().logp_unconstrained(PLACE)


def test_pandas_gaps():
    pandas = pytest.importorskip("pandas")
    for series in (pandas.Series([3, None, 5], dtype="Int64"), pandas.Series([3.0, NAN, 5.0])):
        model = nb.Model(
            {"a": nb.real()}, prior=prior, likelihood={"y": lambda p, d: poisson.logpmf(d.y, np.exp(p.a))},
            data={"y": series}, missing={"y": nb.integer(0, 9)},
        )  # fmt: skip
        assert model.data["y"].dtype == np.int64
        assert list(model.missing["y"]) == [1]


@pytest.mark.parametrize(
    "y", [np.nan_to_num(Y), np.ma.masked_array(np.nan_to_num(Y)), np.ma.masked_invalid(np.zeros(3))]
)
def test_without_gaps_it_is_the_plain_model(y):
    arguments = {"prior": log_prior, "likelihood": {"y": likelihood}, "data": {"y": y}}
    supports = {"mu": nb.real(), "s": nb.positive()}
    model, plain = nb.Model(supports, missing={"y": nb.real()}, **arguments), nb.Model(supports, **arguments)
    assert (list(model.parameters), list(model.data), model.missing) == (["mu", "s"], ["y"], {})
    assert model.definition.content(False) == plain.definition.content(False)
    assert model.logp_unconstrained(PLACE[:2]) == plain.logp_unconstrained(PLACE[:2])


KINDS = {
    "masked integers": np.ma.masked_array([2, 7, 0], [False, True, False]),
    "objects": np.array([2, None, 0], object),
    "floats": [2.0, NAN, 0.0],
}


@pytest.mark.parametrize("name", KINDS)
def test_discrete_data_stay_integers_and_index(name):
    def logp(p, d):
        return np.sum(np.log(d.weights[d.y])) - 0.5 * p.a**2

    weights = np.array([0.2, 0.3, 0.5])
    model = nb.Model(
        {"a": nb.real()}, logp=logp, data={"y": KINDS[name], "weights": weights}, missing={"y": nb.categorical(3)}
    )
    assert model.data["y"].dtype == np.int64
    assert model.parameters["y_missing"].support.discrete
    for k in range(3):
        value = model.logp({"a": 0.0, "y_missing": [k]})
        np.testing.assert_allclose(value, np.log(weights[[2, k, 0]]).sum(), rtol=1e-12)
    if name == "floats":
        bound = model.bind(1)
        np.testing.assert_allclose(bound.value_and_grad([0.0], np.array([1]))[0], np.log(weights[[2, 1, 0]]).sum())
    np.testing.assert_array_equal(nb.Model.of(model.definition).missing["y"], [1])


def of_index(p, d):
    return d.a[d.g[0]] - 0.5 * p.x**2


@pytest.mark.parametrize("which", ["value_density", "density"])
def test_an_imputed_index_that_leaves_its_array_is_an_error_and_no_memory_of_others(which):
    model = nb.Model(
        {"x": nb.real()},
        logp=of_index,
        data={"g": [NAN, 0.0], "a": np.arange(3.0)},
        missing={"g": nb.integer(0, 10**9)},
    )
    bound = model.bind(1)
    bound.discrete(0)[:] = 2
    assert through_address(bound, np.zeros(1), 0, density=getattr(bound, which))[0] == 2.0
    bound.discrete(0)[:] = 10**9
    assert through_address(bound, np.zeros(1), 0, density=getattr(bound, which))[0] == -np.inf
    assert bound.failed_chains == [0]
    with pytest.raises(IndexError):
        bound.replay(np.zeros(1), np.array([10**9]))


def test_one_support_for_each_element():
    above = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    model = nb.Model({"mu": nb.real()}, logp=lambda p, d: -np.sum((d.y - p.mu) ** 2), data={"y": Y},
                     missing={"y": nb.lower(above)})  # fmt: skip
    assert model.parameters["y_missing"].support == nb.lower([1.0, 5.0])


def limit(p, d):
    return p.top + 0.0 * np.nanmax(d.y)


def truncated(p, d):
    return -np.sum((d.y - 1.0) ** 2) - 0.5 * (p.top - 4.0) ** 2


@pytest.mark.either
def test_bounds_may_be_functions_and_see_gaps():
    model = nb.Model({"top": nb.lower(3.0)}, logp=truncated, data={"y": Y}, missing={"y": nb.upper(limit)})
    q = np.array([0.1, 0.5, -0.3])
    values = model.constrain(q)
    assert np.all(values["y_missing"] < values["top"])
    bound = model.bind(1)
    for _ in range(2):  # what was filled in before is not seen
        np.testing.assert_allclose(bound.value(q), model.logp_unconstrained(q), rtol=1e-12)
        np.testing.assert_allclose(bound.value_and_grad(q)[0], model.logp_unconstrained(q), rtol=1e-12)


def written(p, d, grad):
    total = 0.0
    flat = d.y.ravel()
    for i in range(flat.size):
        z = (flat[i] - p.mu) / p.s
        total -= 0.5 * z * z + np.log(p.s) + 0.5 * np.log(2.0 * np.pi)
        grad.mu[()] += z / p.s
        grad.s[()] += (z * z - 1.0) / p.s
    for k in range(d.y_missing_index.size):
        grad.y_missing[k] -= (flat[d.y_missing_index[k]] - p.mu) / p.s**2
    grad.mu[()] -= p.mu / 25.0
    grad.s[()] -= 1.0
    return total - 0.5 * (p.mu / 5.0) ** 2 - np.log(5.0) - 0.5 * np.log(2.0 * np.pi) - p.s


def forgetful(p, d, grad):
    k = grad.y_missing.copy()
    value = written(p, d, grad)
    grad.y_missing[:] = k
    return value


@pytest.mark.either
def test_a_written_gradient_writes_that_of_missing_values():
    supports = {"mu": nb.real(), "s": nb.positive()}
    model = nb.Model(supports, logp_grad=written, data={"y": Y}, missing={"y": nb.real()})
    assert model.bind(1).has_gradient == "written"
    assert follows_calculus(model)


@pytest.mark.skipif(JIT, reason="plain Python runs the same text")
def test_a_written_gradient_that_forgets_them_is_told_so():
    supports = {"mu": nb.real(), "s": nb.positive()}
    wrong = nb.Model(supports, logp_grad=forgetful, data={"y": Y}, missing={"y": nb.real()})
    with pytest.raises(ModelError, match=r"logp_grad of the model is wrong for y_missing\[\d\]"):
        wrong.bind(1).check_gradient(PLACE)


def underivable(p, d):
    return -0.5 * ((d.y - np.median(np.array([p.mu]))) / p.s) ** 2 - np.log(p.s)


@pytest.mark.skipif(JIT, reason="plain Python runs the same text")
def test_differences_will_do():
    model = nb.Model({"mu": nb.real(), "s": nb.positive()}, prior=log_prior, likelihood={"y": underivable},
                     data={"y": Y}, missing={"y": nb.real()})  # fmt: skip
    bound = model.bind(1)
    assert bound.has_gradient == "finite differences"
    np.testing.assert_allclose(bound.value_and_grad(PLACE)[1], exact(PLACE)[1], rtol=1e-6)


def test_conditionals_see_whole_data():
    def of_gap(p, d, i):
        return normal.logpdf(d.y.ravel()[d.y_missing_index[i]], p.mu, p.s)

    model = nb.Model({"mu": nb.real(), "s": nb.positive()}, prior=log_prior, likelihood={"y": likelihood},
                     data={"y": Y}, missing={"y": nb.real()}, conditional={"y_missing": of_gap})  # fmt: skip
    from nbinfer.model.code.extras import check_conditionals

    check_conditionals(model.definition, PLACE, np.zeros(0, np.int64))


def test_new_data_have_gaps_of_their_own():
    model = copy.copy(small())
    before = model.definition
    model.set_data(y=[[1.0, 2.0, NAN], [NAN, NAN, 0.5]])
    np.testing.assert_array_equal(model.missing["y"], [2, 3, 4])
    assert model.parameters["y_missing"].shape == (3,)
    np.testing.assert_array_equal(before.missing["y"], [1, 5])
    model.set_data(y=np.zeros((4, 3)))
    assert (list(model.parameters), list(model.data)) == (["mu", "s"], ["y"])
    model.set_data(y=Y)
    assert follows_calculus(model)
    with pytest.raises(ModelError, match="unknown names"):
        model.set_data(y_missing_index=[3, 4])
    with pytest.raises(ModelError, match="must stay a 2-dimensional float64 array"):
        model.set_data(y=[1.0, NAN])


def test_copies_and_pickles():
    for model in (copy.deepcopy(small()), pickle.loads(pickle.dumps(nb.Model.of(small().definition)))):
        assert model.logp_unconstrained(PLACE) == small().logp_unconstrained(PLACE)
        np.testing.assert_array_equal(model.missing["y"], [1, 5])


def test_what_others_ask_of_gaps():
    definition = small().definition
    np.testing.assert_array_equal(observed_cells(definition, "y"), ~np.isnan(Y))
    assert observed_cells(definition, "mu") is None
    dims, coords = axes(definition)
    assert dims == {"y_missing": ("y_missing_at",), "y_missing_index": ("y_missing_at",)}
    assert list(coords["y_missing_at"]) == ["(0, 1)", "(1, 2)"]
    values = np.arange(12.0).reshape(1, 2, 2, 3)
    np.testing.assert_array_equal(observed_part(definition, "y", values), [[[0, 2, 3, 4], [6, 8, 9, 10]]])
    np.testing.assert_array_equal(observed_part(definition, "likelihood", values), [[[0, 2, 3, 4], [6, 8, 9, 10]]])
    assert observed_part(definition, "other", values[..., :1]).shape == (1, 2, 2, 1)
    with pytest.raises(ModelError, match=r"likelihood 'y' has shape \(2, 1\), and its data.*\(2, 3\)"):
        observed_part(definition, "y", values[..., :1])
    plain = without_missing(definition)
    assert (list(plain.parameters), list(plain.data), plain.missing) == (["mu", "s"], ["y"], {})
    np.testing.assert_array_equal(np.isfinite(plain.data["y"].array), np.ones(Y.shape))
    assert without_missing(plain) is plain
    counts = imputing("poisson")
    np.testing.assert_array_equal(counts.observed["y"], [3, NAN, 0, NAN, 7])
    np.testing.assert_array_equal(axes(counts.definition)[1]["y_missing_at"], [1, 3])


def test_labels_of_data_are_those_of_what_is_missing():
    arguments = {"prior": log_prior, "likelihood": {"y": likelihood}, "missing": {"y": nb.real()}}
    supports, rows = {"mu": nb.real(), "s": nb.positive()}, {"row": ["a", "b"]}
    model = nb.Model(supports, data={"y": Y}, dims={"y": ["row", "k"]}, coords=rows, **arguments)
    assert model.dims["y_missing"] == ("y_missing_at",)
    assert list(model.coords["y_missing_at"]) == ["(a, 1)", "(b, 2)"]
    year = {"year": [1890, 1935, 1936]}
    model = nb.Model(supports, data={"y": [1.0, NAN, NAN]}, dims={"y": ["year"]}, coords=year, **arguments)
    assert list(model.coords["y_missing_at"]) == [1935, 1936]
    model.set_data(y=[NAN, 1.0, 2.0])
    assert list(model.coords["y_missing_at"]) == [1890]


def refused(match, y=Y, *, data=None, supports=None, **arguments):
    with pytest.raises(ModelError, match=match):
        nb.Model(supports or {"mu": nb.real(), "s": nb.positive()}, prior=log_prior, likelihood={"y": likelihood},
                 data=data or {"y": y}, **arguments)  # fmt: skip


def test_gaps_are_refused_by_any_route():
    remedy = r"missing=\{'y': nb.real\(\)\}"
    refused(rf"data 'y' must not hold NaN, got 2, the first at index \(0, 1\).*{remedy}")
    refused(rf"data 'y' must not be masked, got 2 masked elements, the first at index \(0, 1\).*{remedy}",
            np.ma.masked_invalid(Y))  # fmt: skip
    model = nb.Model({"mu": nb.real(), "s": nb.positive()}, prior=log_prior, likelihood={"y": likelihood},
                     data={"y": np.zeros((2, 3))})  # fmt: skip
    with pytest.raises(ModelError, match=remedy):
        model.set_data(y=Y)
    with pytest.raises(ModelError, match=remedy):
        model.set_data(y=np.ma.masked_invalid(Y))


def test_what_cannot_be_imputed_is_refused():
    real = {"y": nb.real()}
    refused(r"missing names 'x', which is no data; there are y", missing={"x": nb.real()})
    refused(r"missing\['y'\] must be a support.*call it: real\(\)", missing={"y": nb.real})
    refused(r"missing\['y'\] must be the support of single numbers.*got simplex\(3\)", missing={"y": nb.simplex(3)})
    refused(r"missing\['y'\] must be the support of one value, or have the shape of its data, \(2, 3\)",
            missing={"y": nb.real(2)})  # fmt: skip
    refused(r"has a bound that is a function", missing={"y": nb.upper(limit, shape=(2, 3))})
    refused(r"must be whole numbers, for missing\['y'\] is integer\(0, 9\), got 0.5 at index \(0, 2\)",
            missing={"y": nb.integer(0, 9)})  # fmt: skip
    refused(r"missing and allow_nan both name 'y'", missing=real, allow_nan=["y"])
    refused(r"missing names 'y', which is a number", NAN, missing=real)
    refused(r"the parameter name 'y_missing' is that of what 'y' lacks", missing=real,
            supports={"mu": nb.real(), "s": nb.positive(), "y_missing": nb.real(2)})  # fmt: skip
    refused(r"the data name 'y_missing' is that of what 'y' lacks", missing=real, data={"y": Y, "y_missing": [1.0]})
    refused(
        "axis 'y_missing_at' must have one length: coords labels", missing=real, dims={"y": ["row", "y_missing_at"]}
    )
    refused(r"the data name 'y_missing_index' is that of what 'y' lacks", missing=real,
            data={"y": Y, "y_missing_index": [1]})  # fmt: skip
    refused(r"total_size\['y'\] scales a term in which values of 'y' are missing", missing=real, total_size=100)
    refused(r"must be real numbers, integers or booleans", np.array([["a", None, "b"]], object), missing=real)


def test_batches_are_refused():
    from nbinfer.streaming import Minibatch

    refused("missing names 'y', which comes in batches", Minibatch(np.zeros((9, 2)), 3), missing={"y": nb.real()})
