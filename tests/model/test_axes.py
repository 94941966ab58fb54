"""Names of axes and labels along them: what does not fit is told when the model is made."""

import copy
import datetime
import pickle

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import ModelError
from nbinfer.model.axes import Axes, labels_of

SCHOOLS = ["Choate", "Deerfield", "Exeter"]


def prior(p, d):
    return -0.5 * p.mu**2 - 0.5 * np.sum(p.eta**2)


def likelihood(p, d):
    return -0.5 * (d.y - p.eta) ** 2


def theta(p, d):
    return p.mu + p.eta


def made(dims=None, coords=None, **kwargs):
    return nb.Model(
        {"mu": nb.real(), "eta": nb.real(3)}, prior=prior, likelihood={"y": likelihood},
        data=kwargs.pop("data", {"y": [1.0, 2.0, 3.0], "n": 3}), derived={"theta": theta}, dims=dims, coords=coords,
        **kwargs,
    )  # fmt: skip


def test_a_model_knows_its_axes():
    model = made({"eta": ["school"], "theta": "school", "y": ("school",)}, {"school": SCHOOLS})
    assert model.dims == {"eta": ("school",), "theta": ("school",), "y": ("school",)}
    assert model.coords["school"].tolist() == SCHOOLS
    for twin in (copy.copy(model), pickle.loads(pickle.dumps(model))):
        assert twin.dims == model.dims
        assert twin.coords["school"].tolist() == SCHOOLS
    assert made().dims == made().coords == {}


@pytest.mark.parametrize(
    ("dims", "coords", "message"),
    [
        ({"etta": ["school"]}, None, "dims names 'etta', which the model has not; .*Did you mean 'eta'"),
        ({"eta": ["school"]}, {"shool": SCHOOLS}, "coords labels 'shool', which is no axis.* Did you mean 'school'"),
        ({"eta": ["a", "b"]}, None, r"dims names 2 of 'eta', 'a', 'b', and it has shape \(3,\)"),
        ({"mu": ["a"]}, None, r"dims names 1 of 'mu', 'a', and it has shape \(\)"),
        ({"eta": ["school"]}, {"school": SCHOOLS[:2]}, "coords labels 2 along it, 'eta' has 3"),
        ({"n": ["a"]}, None, r"dims names 1 of 'n'"),
        ({"eta": ["chain"]}, None, "'chain', an axis that every trace has"),
        ({"eta": ["y"]}, None, "'y', the name of something in the model"),
        ({"eta": ["a/b"]}, None, "no name"),
        ({"eta": ["s"]}, {"s": ["a", "b", "a"]}, "'a' twice, at 0 and 2"),
        ({"eta": ["s"]}, {"s": ["a", 2, None]}, "must be numbers, texts or dates"),
        ({"eta": ["s"]}, {"s": [["a"], ["b"], ["c"]]}, "in one dimension"),
        ({"eta": ["s"]}, {"s": [["a"], ["b", "c"], []]}, "in one dimension"),
        ({"eta": ["s"]}, {"s": [1.0, np.nan, np.nan]}, r"coords\['s'\] has no label at 1, nan"),
        ({"eta": ["s"]}, {"s": np.array(["2020", "2021", "NaT"], "M8[Y]")}, "no label at 2, NaT"),
        ({"eta": ["s"]}, {"s": [datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)] * 3}, "without a time zone"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_at_once(dims, coords, message):
    with pytest.raises(ModelError, match=message):
        made(dims, coords)


@pytest.mark.parametrize(
    ("dims", "coords", "message"),
    [
        ({"eta": [1]}, None, r"dims\['eta'\] must be a str or several"), (["eta"], None, "dims must be a mapping"),
        ({"eta": ["s"]}, {"s": 3}, "must be a sequence of labels"),
        ({"eta": ["s"]}, {"s": {1, 2, 3}}, "has no order"),
        (None, ["s"], "coords must be a mapping"),
    ],
)  # fmt: skip
def test_what_is_no_name_at_all_is_refused(dims, coords, message):
    with pytest.raises(TypeError, match=message):
        made(dims, coords)


def test_an_axis_has_one_length():
    with pytest.raises(ModelError, match="axis 'a' must have one length: 'eta' has 3 along it, 'y' has 2"):
        made({"eta": ["a"], "y": ["a"]}, data={"y": [1.0, 2.0]})
    with pytest.raises(ModelError, match="'b' twice; two axes need two names, 'b' and 'b_bis'"):
        made({"z": ["b", "b"]}, data={"y": [1.0, 2.0, 3.0], "z": np.eye(2)})


def test_new_data_must_fit_the_labels():
    model = made({"y": ["obs"]}, {"obs": SCHOOLS})
    with pytest.raises(ModelError, match="axis 'obs' must have one length: coords labels 3 along it, 'y' has 2"):
        model.set_data(y=[1.0, 2.0])
    assert model.data["y"].tolist() == [1, 2, 3]


def test_of_derived_quantities_the_first_look_tells():
    with pytest.raises(ModelError, match=r"dims names 2 of 'theta'"):
        nb.sample(made({"theta": ["a", "b"]}), 5, tune=5, progressbar=False)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (range(3), "i"), ([0.5, 1.5], "f"), ([True, False], "b"), (np.array(["a", "b"], object), "U"),
        (np.array(["2020-01-01", "2020-01-02"], "M8[D]"), "M"), ([np.str_("a"), "b"], "U"),
        ([datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)], "M"), ([datetime.datetime(2020, 1, 1, 12)], "M"),
    ],
)  # fmt: skip
def test_labels_are_numbers_texts_or_dates(given, kind):
    labels = labels_of("a", given)
    assert labels.dtype.kind == kind
    assert labels.tolist() == np.asarray(given).tolist()


def test_labels_from_pandas():
    pandas = pytest.importorskip("pandas")
    assert labels_of("a", pandas.Index(["u", "v"])).dtype.kind == "U"
    assert labels_of("a", pandas.Categorical(["u", "v"])).tolist() == ["u", "v"]
    days = labels_of("a", pandas.date_range("2020-01-01", periods=2))
    assert days.astype("M8[D]").tolist() == [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)]


def test_axes_of_new_data():
    axes = Axes({"X": ("obs", "what"), "y": ("obs",)}, {"obs": np.arange(3), "what": np.array(["a", "b"])})
    kept = axes.replaced({"X": (3, 2)})
    assert kept.coords["obs"].tolist() == [0, 1, 2]
    longer = axes.replaced({"X": (5, 2)})
    assert list(longer.coords) == ["what"]
    named = axes.replaced({"X": (2, 2)}, {"obs": ["u", "v"]})
    assert named.coords["obs"].tolist() == ["u", "v"]
    with pytest.raises(ModelError, match="coords labels 2 along it, 'X' has 5"):
        axes.replaced({"X": (5, 2)}, {"obs": ["u", "v"]})
    with pytest.raises(ModelError, match="coords labels 'ob', which is no axis"):
        axes.replaced({"X": (5, 2)}, {"ob": range(5)})


def test_only_what_concerns_a_trace_is_passed_on():
    axes = Axes({"x": ("a",), "z": ("b",)}, {"a": np.arange(2), "b": np.arange(3)})
    assert axes.of(["x", "y"]).dims == {"x": ("a",)}
    assert list(axes.of(["x", "y"]).coords) == ["a"]
