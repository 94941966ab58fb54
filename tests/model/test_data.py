"""Laws of data: any layout arrives as the same numbers; what cannot is refused with a remedy."""

import collections

import numpy as np
import pytest

import nbinfer.model as nb
from nbinfer.errors import ModelError
from nbinfer.model.data import convert


def total(p, d):
    return p.a * np.sum(d.y)


def build(y, **more):
    return nb.Model({"a": nb.real()}, logp=total, data={"y": y}, **more)


BASE = np.arange(24.0).reshape(4, 6)
LAYOUTS = {
    "C": BASE,
    "Fortran": np.asfortranarray(BASE),
    "strided": np.repeat(BASE, 2, axis=1)[:, ::2],
    "reversed": BASE[::-1].copy()[::-1],
    "float32": BASE.astype("f4"),
    "big endian": BASE.astype(">f8"),
    "longdouble": BASE.astype(np.longdouble),
    "read-only": np.frombuffer(BASE.tobytes()).reshape(4, 6),
    "list": BASE.tolist(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_the_same_data(layout):
    model = build(LAYOUTS[layout])
    array = model.data["y"]
    np.testing.assert_array_equal(array, BASE)
    assert array.dtype == np.float64
    assert array.flags.c_contiguous
    assert model.bind().value([1.0]) == BASE.sum()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (np.arange(3, dtype="u1"), "int64"),
        (np.arange(3, dtype="i2"), "int64"),
        (np.array([True, False]), "bool"),
        (np.float32(0.5), "float64"),
        (3, "int64"),
        (True, "bool"),
        (np.array(2), "int64"),
        (np.zeros((0, 3)), "float64"),
    ],
)
def test_dtypes_become_three(value, kind):
    datum = convert("y", value)
    assert datum.kind == kind
    assert datum.scalar == (np.ndim(value) == 0)


def test_columns_of_pandas():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"x": [1, 2, 3], "y": [0.5, 1.5, 2.5], "who": ["a", "b", "a"]})
    assert convert("x", table["x"]).kind == "int64"
    np.testing.assert_array_equal(convert("y", table["y"][::-1]).array, [2.5, 1.5, 0.5])
    np.testing.assert_array_equal(convert("xy", table[["x", "y"]]).array, [[1, 0.5], [2, 1.5], [3, 2.5]])
    assert convert("n", table["x"].astype("Int64")).kind == "int64"
    assert convert("codes", table["who"].astype("category").cat.codes).kind == "int64"
    with pytest.raises(ModelError, match="data 'who' must be real numbers"):
        convert("who", table["who"])
    missing = table["x"].astype("Int64").where(table["x"] > 1)
    with pytest.raises(ModelError, match="must not hold NaN, got 1, the first at index"):
        convert("x", missing)
    np.testing.assert_array_equal(convert("x", missing, allow_nan=True).array, [np.nan, 2, 3])
    with pytest.raises(ModelError, match="write data="):
        nb.Model({"a": nb.real()}, logp=total, data=table)


BAD = {
    "text": (["a", "b"], "np.unique"),
    "objects": ([object()], "convert it to numbers first"),
    "complex": ([1j], "real and imaginary parts"),
    "dates": (np.array(["2020-01-01"], "M8[D]"), "days since"),
    "records": (np.zeros(2, [("a", "f8")]), "each field"),
    "masked": (np.ma.masked_array([1.0, 2.0], [True, False]), r"y\.compressed\(\)"),
    "ragged": ([[1.0], [1.0, 2.0]], "must be an array of numbers"),
    "a mapping": ({"a": 1.0}, "make each field an entry"),
    "a named tuple": (collections.namedtuple("T", "a")(1.0), "make each field an entry"),
    "a huge integer": (np.array([2**63], "u8"), "must fit int64"),
    "NaN": ([[1.0, 2.0], [3.0, np.nan]], r"must not hold NaN, got 1, the first at index \(1, 1\).*allow_nan=\['y'\]"),
    "None": (None, "convert it to numbers first"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_is_refused_with_a_remedy(case):
    value, message = BAD[case]
    with pytest.raises(ModelError, match=message):
        build(value)


def test_nan_may_be_allowed_by_name():
    assert np.isnan(build([1.0, np.nan], allow_nan=["y"]).data["y"][1])
    assert np.isinf(build([1.0, np.inf]).data["y"][1])


def test_a_named_tuple_of_data_is_taken_apart():
    data = collections.namedtuple("T", "y sigma")([1.0], 2)
    model = nb.Model({"a": nb.real()}, logp=total, data=data)
    assert list(model.data) == ["y", "sigma"]


def test_data_names_are_checked():
    with pytest.raises(ModelError, match="the data name 'a b' must be a name"):
        nb.Model({"a": nb.real()}, logp=total, data={"a b": 1})
    with pytest.raises(ModelError, match="must be a mapping of names to arrays, got ndarray"):
        nb.Model({"a": nb.real()}, logp=total, data=np.zeros(3))


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (np.array([1, 2]), "must stay a 1-dimensional float64 array, got a 1-dimensional int64 array; convert it"),
        (np.zeros((2, 2)), "must stay a 1-dimensional float64 array, got a 2-dimensional float64 array"),
        (1.0, "got a float64 number"),
        ([np.nan], "must not hold NaN"),
    ],
)
def test_data_must_keep_its_type(new, message):
    model = build([1.0, 2.0])
    with pytest.raises(ModelError, match=message):
        model.set_data(y=new)
    assert model.data["y"].tolist() == [1.0, 2.0]
    with pytest.raises(ModelError, match=r"unknown names \['z'\]; data are \['y'\]"):
        model.set_data(z=1.0)
