"""Laws of data: any layout arrives as the same numbers; what cannot is refused with a remedy."""

import collections
import datetime
import fractions

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
    with pytest.raises(ModelError, match=r"data 'who' must be real numbers.* got str 'a'; make integer codes"):
        convert("who", table["who"])
    with pytest.raises(ModelError, match=r"pass the codes of its categories, who\.cat\.codes"):
        convert("who", table["who"].astype("category"))
    missing = table["x"].astype("Int64").where(table["x"] > 1)
    with pytest.raises(ModelError, match="must not hold NaN, got 1, the first at index"):
        convert("x", missing)
    np.testing.assert_array_equal(convert("x", missing, allow_nan=True).array, [np.nan, 2, 3])
    with pytest.raises(ModelError, match="got a Series without columns; write data="):
        nb.Model({"a": nb.real()}, logp=total, data=table["x"])


def test_the_columns_of_a_table_are_entries():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"n": [1, 2, 3], "y": [0.5, 1.5, 2.5], "ok": [True, False, True], "who": ["a", "b", "a"]})
    model = nb.Model({"a": nb.real()}, logp=total, data=table.drop(columns="who"))
    assert {name: array.dtype for name, array in model.data.items()} == {"n": np.int64, "y": float, "ok": bool}
    assert model.bind().value([1.0]) == 4.5
    with pytest.raises(ModelError, match="data 'who' must be real numbers") as caught:
        nb.Model({"a": nb.real()}, logp=total, data=table)
    assert "['who'] cannot be: leave out what no function reads, data=table.drop(columns=['who'])" in str(
        caught.value.__notes__
    )
    gaps = table.assign(y=[0.5, np.nan, 2.5]).drop(columns="who")
    assert nb.Model({"a": nb.real()}, logp=total, data=gaps, missing={"y": nb.real()}).dim == 2
    with pytest.raises(ModelError, match="data 'y' must not hold NaN") as caught:
        nb.Model({"a": nb.real()}, logp=total, data=gaps)
    assert "['y'] cannot be" in str(caught.value.__notes__)
    with pytest.raises(ModelError, match="a DataFrame with other columns; pass data=df, then each column is an entry"):
        nb.Model({"a": nb.real()}, logp=total, data={"df": table})
    with pytest.raises(ModelError, match="the data name 'a b' must be a name"):
        nb.Model({"a": nb.real()}, logp=total, data=table.rename(columns={"y": "a b"}))
    with pytest.raises(ModelError, match="must have names of their own, got 'y' more than once"):
        nb.Model({"a": nb.real()}, logp=total, data=table[["n", "y", "y"]])


class Columns:
    """A table of another library."""

    columns = ("y", "n")

    def __getitem__(self, name):
        return np.arange(3.0)

    def to_numpy(self):
        raise NotImplementedError


def test_tables_of_other_libraries_are_taken_apart():
    assert list(nb.Model({"a": nb.real()}, logp=total, data=Columns()).data) == ["y", "n"]


def test_objects_that_are_numbers_are_numbers():
    np.testing.assert_array_equal(build(np.array([1, 2.5, True], object)).data["y"], [1.0, 2.5, 1.0])
    assert build(np.array([1, 2], object)).data["y"].dtype == np.int64
    with pytest.raises(ModelError, match=r"must not hold NaN, got 1, the first at index \(1,\)"):
        build([1.0, None])
    np.testing.assert_array_equal(build([1, None], allow_nan=["y"]).data["y"], [1.0, np.nan])


class Sparse:
    def toarray(self):
        return np.eye(2)


BAD = {
    "text": (["a", "b"], "np.unique"),
    "text of numbers": (["1", "2"], r"got str '1'; convert it, np\.array\(y, float\)"),
    "objects": ([object()], "convert it to numbers first"),
    "days": ([datetime.date(2020, 1, 1)], "toordinal"),
    "fractions": ([fractions.Fraction(1, 2)], r"np\.array\(y, float\)"),
    "a set": ({1, 2}, r"got set; pass list\(y\)"),
    "a function": (total, "got the function .*; call it"),
    "a sparse matrix": (Sparse(), r"got the sparse Sparse; pass y\.toarray\(\)"),
    "a huge number": ([2**70], "must fit int64, got 1180591620717411303424; convert it to float64"),
    "NaN of counts": ([1, np.nan, 3], r"nb\.integer\(lo, hi\)\}\) if they are counts, nb\.real\(\) if they are not"),
    "masked counts": (np.ma.masked_array([1, 2], [True, False]), r"nb\.integer\(lo, hi\)\}\) if they are counts"),
    "complex": ([1j], "real and imaginary parts"),
    "dates": (np.array(["2020-01-01"], "M8[D]"), "days since"),
    "records": (np.zeros(2, [("a", "f8")]), "each field"),
    "masked": (np.ma.masked_array([1.0, 2.0], [True, False]), r"y\.compressed\(\)"),
    "ragged": ([[1.0], [1.0, 2.0]], r"rows of different lengths, 1 and 2; .*np\.concatenate\(y\)"),
    "a mapping": ({"a": 1.0}, "make each field an entry"),
    "a named tuple": (collections.namedtuple("T", "a")(1.0), "make each field an entry"),
    "a huge integer": (np.array([2**63], "u8"), "must fit int64"),
    "NaN": ([[1.0, 2.0], [3.0, np.nan]], r"must not hold NaN, got 1, the first at index \(1, 1\).*allow_nan=\['y'\]"),
    "None": (None, "got None; pass its values, or leave it out"),
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
    with pytest.raises(ModelError, match=r"must be a mapping of names to arrays, .* got ndarray"):
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
