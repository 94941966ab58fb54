"""Minibatches: shapes, indices, sources, and what can be exchanged."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import stats

import nbinfer as nb
from nbinfer.compile import address_of
from nbinfer.errors import NbinferWarning, StreamingError
from nbinfer.streaming.gather import fill

SQUARE = np.arange(10_000.0).reshape(100, 100)
FIVE_AXES = np.zeros((10, 20, 30, 40, 50), np.float32)

SHAPES = {
    "rows": (SQUARE, 10, (10, 100)),
    "both axes": (SQUARE, [10, 10], (10, 10)),
    "with seeds": (SQUARE, [(10, 42), (10, 42)], (10, 10)),
    "all": (SQUARE, None, (100, 100)),
    "trailing": (FIVE_AXES, [2, ..., 10], (2, 20, 30, 40, 10)),
    "whole axis": (FIVE_AXES, [2, None, 20], (2, 20, 20, 40, 50)),
    "all of these": (FIVE_AXES, [2, None, 20, ..., 10], (2, 20, 20, 40, 10)),
    "Ellipsis in front": (FIVE_AXES, [..., 3], (10, 20, 30, 40, 3)),
    "Ellipsis for nothing": (SQUARE, [4, ..., 5], (4, 5)),
    "one axis": (SQUARE[0], 7, (7,)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    data, size, shape = SHAPES[name]
    batch = nb.Minibatch(data, size)
    assert batch.shape == batch.eval().shape == batch.minibatch.shape == shape


@pytest.mark.parametrize(
    ("dtype", "wanted"), [(None, np.float64), ("int32", np.int32), (np.float32, np.float32), (bool, np.bool_)]
)
def test_dtype(dtype, wanted):
    batch = nb.Minibatch(SQUARE, [(10, 42), (10, 42)], dtype=dtype)
    assert batch.dtype == batch.eval().dtype == wanted
    assert nb.Minibatch(np.arange(5, dtype=np.int8), 2).eval().dtype == np.int8
    assert nb.Minibatch([True, False], 2).eval().dtype == np.bool_
    assert nb.Minibatch(FIVE_AXES, 2).dtype == np.float64


WRONG = {
    "two Ellipses": (SQUARE, [..., 2, ...], ValueError, "one Ellipsis, got 2"),
    "too many": (SQUARE, [1, 2, 3], ValueError, "3 entries, and there are 2 axes"),
    "too many around an Ellipsis": (SQUARE, [1, 2, ..., 3], ValueError, "3 entries, and there are 2 axes"),
    "zero": (SQUARE, 0, ValueError, "at least 1 along each axis, got 0"),
    "float": (SQUARE, 2.5, TypeError, "batch_size must be an int, None, or a list"),
    "float inside": (SQUARE, [2.5], TypeError, "got the entry 2.5"),
    "bool": (SQUARE, True, TypeError, "batch_size must be an int"),
    "triple": (SQUARE, [(1, 2, 3)], TypeError, r"got the entry \(1, 2, 3\)"),
    "str": (SQUARE, "10", TypeError, "batch_size must be an int"),
    "objects": (np.array([None, 1]), 2, TypeError, "must be real numbers, .* got dtype object; convert them first"),
    "a name of a file": ("rows.npy", 2, TypeError, "got str; open the file, by np.memmap or h5py"),
    "a generator": (iter([1.0]), 2, TypeError, "got list_iterator; pass it to nb.generator"),
    "several entries": ({"X": SQUARE}, 2, TypeError, "got dict; make a Minibatch of each entry"),
    "a Minibatch": (nb.Minibatch(SQUARE, 3), 2, TypeError, "got Minibatch; it gives batches already"),
    "None": (None, 2, TypeError, "got NoneType; pass what batches are taken from"),
    "complex": (np.array([1j]), 1, TypeError, "got dtype complex128"),
    "ragged": ([[1], [2, 3]], 1, TypeError, "data of Minibatch must be an array"),
    "masked": (np.ma.masked_array([1.0], [True]), 1, TypeError, "masked array"),
    "a number": (1.0, 1, ValueError, "must have rows, got a number"),
    "nothing": (np.zeros((0, 3)), 2, ValueError, r"must not be empty, got shape \(0, 3\)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_said(name):
    data, size, error, message = WRONG[name]
    with pytest.raises(error, match=message):
        nb.Minibatch(data, size)


def test_other_arguments_are_checked():
    for given, message in (
        ({"dtype": "what"}, "dtype must be one of NumPy's"),
        ({"dtype": complex}, "dtype must be of real numbers"),
        ({"name": 3}, "name must be a str"),
        ({"update_shared_f": 3}, "update_shared_f must be a function"),
        ({"in_memory_size": 2.5}, "in_memory_size must be an int"),
        ({"random_seed": "a"}, "random_seed must be"),
    ):
        with pytest.raises(TypeError, match=message):
            nb.Minibatch(SQUARE, 2, **given)
    with pytest.raises(ValueError, match="not finite cannot become int64"):
        nb.Minibatch([1.0, np.nan], 2, dtype=int)
    with pytest.warns(NbinferWarning, match="draws 5 indices, with replacement, of 2"):
        assert nb.Minibatch([1.0, 2.0], 5).eval().shape == (5,)


# ---- indices


def test_a_batch_holds_the_rows_of_its_indices():
    batch = nb.Minibatch(SQUARE, [7, 3])
    rows, columns = batch.indices(5)
    np.testing.assert_array_equal(batch.batch(5), SQUARE[np.ix_(rows, columns)])
    assert [len(rows), len(columns)] == [7, 3]


def test_batches_follow_one_another():
    batch, other = nb.Minibatch(SQUARE, 10), nb.Minibatch(SQUARE, 10)
    first, second = batch.eval(), batch.eval()
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, other.eval())
    np.testing.assert_array_equal(batch.minibatch, second)
    nb.align_minibatches([batch])
    np.testing.assert_array_equal(batch.eval(), first)
    batch.eval()
    nb.align_minibatches()
    np.testing.assert_array_equal(batch.eval(), other.eval())
    with pytest.raises(TypeError, match="batches must be Minibatches"):
        nb.align_minibatches([SQUARE])


def test_axes_of_one_length_and_seed_are_aligned_and_no_others():
    X, y = nb.Minibatch(SQUARE, 50), nb.Minibatch(np.arange(100.0), 50)
    np.testing.assert_array_equal(X.batch(3)[:, 0], 100.0 * y.batch(3))
    rows, columns = nb.Minibatch(SQUARE, [(50, 1), (50, 1)]).indices(0)
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.5
    assert not np.array_equal(rows, columns)
    longer = nb.Minibatch(np.arange(200.0), 50).indices(3)[0]
    assert abs(np.corrcoef(longer, y.indices(3)[0])[0, 1]) < 0.5
    assert not np.array_equal(nb.Minibatch(y.shared, 50, random_seed=7).indices(3)[0], y.indices(3)[0])


def test_two_axes_cover_all_pairs_alike():
    """Where both axes had the same indices, pairs off the diagonal would come too rarely, those on it too often."""
    batch = nb.Minibatch(np.zeros((4, 4)), [2, 2])
    seen = np.zeros((4, 4))
    for number in range(2000):
        np.add.at(seen, np.ix_(*batch.indices(number)), 1.0)
    # Pairs of one batch are no independent trials, so that the statistic is wider: twice as much at most.
    assert ((seen - 500.0) ** 2 / 500.0).sum() < 2.0 * stats.chi2(15).isf(1e-4)


def test_indices_are_uniform():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        counts = sum(np.bincount(nb.Minibatch(np.zeros(13), 130).indices(k)[0], minlength=13) for k in range(200))
    assert stats.chisquare(counts).pvalue > 1e-4
    assert counts.sum() == 26_000


# ---- compiled batches


def gathered(batch, number, kind=None):
    """Return a batch as compiled code gathers it."""
    names = {"b": np.bool_, "i": np.int64, "u": np.int64, "f": np.float64}
    target = np.zeros(batch.shape, kind or names[batch.dtype.kind])
    job = batch.gather(target)
    assert job is not None
    table = np.array([job.address], np.int64)
    fill(address_of(table), 1, number)
    return target


rng = np.random.default_rng(1)
COMPILED = {
    "rows": (SQUARE, 10, None),
    "both axes": (SQUARE, [(10, 42), (10, 42)], None),
    "all": (SQUARE, None, None),
    "trailing": (rng.normal(size=(4, 5, 6, 7, 8)), [2, ..., 4], None),
    "whole axis": (rng.normal(size=(4, 5, 6, 7, 8)), [2, None, 3, ..., 4], None),
    "last axis alone": (SQUARE, [..., 3], None),
    "Fortran order": (np.asfortranarray(rng.normal(size=(9, 8))), 4, None),
    "every other column": (rng.normal(size=(9, 8))[:, ::2], [4, 3], None),
    "backwards": (rng.normal(size=(9, 8))[::-1], 4, None),
    "float32": (rng.normal(size=(9, 8)).astype(np.float32), 4, "float32"),
    "int64": (rng.integers(-9, 9, (9, 8)), 4, None),
    "int32": (rng.integers(-9, 9, (9, 8)).astype(np.int32), [4, 4], None),
    "uint8": (rng.integers(0, 9, (9, 8)).astype(np.uint8), 4, None),
    "bool": (rng.random((9, 8)) < 0.5, [4, 2], None),
}


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_batches_are_those_of_plain_python(name):
    data, size, dtype = COMPILED[name]
    batch = nb.Minibatch(data, size, dtype)
    for number in (0, 1, 2**40 + 3):
        np.testing.assert_array_equal(gathered(batch, number), batch.batch(number))


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_integers_may_become_floats(dtype):
    batch = nb.Minibatch(rng.integers(0, 9, 20).astype(dtype), 6)
    np.testing.assert_array_equal(gathered(batch, 4, np.float64), batch.batch(4))


def test_what_compiled_code_cannot_read_is_left_to_python():
    target = np.zeros(3)
    assert nb.Minibatch(np.zeros(9), 3, dtype=np.float16).gather(target) is None
    assert nb.Minibatch(np.zeros(9, np.int16), 3).gather(target) is None


# ---- sources


def test_a_memory_map_stays_where_it_is(tmp_path):
    values = rng.normal(size=(50, 3)).astype(np.float32)
    values.tofile(tmp_path / "rows")
    rows = np.memmap(tmp_path / "rows", np.float32, "r", shape=(50, 3))
    batch = nb.Minibatch(rows, 8)
    assert batch.shared is rows
    assert batch.whole is None
    np.testing.assert_array_equal(gathered(batch, 2), values[batch.indices(2)[0]])
    np.testing.assert_array_equal(batch.eval(), values[batch.indices(0)[0]])
    with open(tmp_path / "rows", "r+b") as file:
        file.truncate(100)
    with pytest.raises(StreamingError, match="lacks 500 of the bytes that are mapped"):
        batch.eval()


def test_a_dataset_of_a_file_is_read_by_python(tmp_path):
    h5py = pytest.importorskip("h5py")
    values = rng.normal(size=(50, 6, 3))
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        rows = file.create_dataset("rows", data=values, maxshape=(None, 6, 3))
        for size in (8, [8, 3], [None, 2], None):
            batch = nb.Minibatch(rows, size)
            assert batch.gather(np.zeros(batch.shape)) is None
            np.testing.assert_array_equal(batch.eval(), values[np.ix_(*batch.indices(0))])
        part = nb.Minibatch(rows, 4, in_memory_size=[20, slice(1, 4), ...])
        np.testing.assert_array_equal(part.whole, values[:20, 1:4])
        rows.resize((30, 6, 3))
        with pytest.raises(StreamingError, match=r"have shrunk from shape \(50, 6, 3\) to \(30, 6, 3\)"):
            batch.eval()


def test_a_file_must_be_open(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        with pytest.raises(TypeError, match="got File; pass one of its datasets"):
            nb.Minibatch(file)
        rows = file.create_dataset("rows", data=np.zeros(9))
        batch = nb.Minibatch(rows, 4)
    with pytest.raises(StreamingError, match="the file of Minibatch was closed; keep it open as long as a fit lasts"):
        batch.eval()
    with pytest.raises(ValueError, match="data of Minibatch are of a file that was closed; keep it open"):
        nb.Minibatch(rows, 4)


def test_a_part_in_memory():
    assert nb.Minibatch(SQUARE, 10, in_memory_size=50).shared.shape == (50, 100)
    batch = nb.Minibatch(SQUARE, [10, 10], in_memory_size=[None, slice(20, 60, 2)])
    np.testing.assert_array_equal(batch.shared, SQUARE[:, 20:60:2])
    assert nb.Minibatch(FIVE_AXES, 2, in_memory_size=[4, ..., 5]).shared.shape == (4, 20, 30, 40, 5)
    assert nb.Minibatch.make_static_slices([3, None, slice(2), ...]) == [slice(None, 3), slice(None), slice(2), ...]
    with pytest.raises(ValueError, match="in_memory_size may have one Ellipsis"):
        nb.Minibatch(SQUARE, 2, in_memory_size=[..., ...])


# ---- what can be exchanged


def test_set_value_takes_other_rows():
    batch = nb.Minibatch(np.arange(10), 4, dtype="int32")
    batch.set_value(np.arange(100.0, 130.0))
    assert batch.shared.dtype == np.int32
    assert (batch.eval() >= 100).all()
    assert batch.version == 1
    columns = nb.Minibatch(SQUARE, 4)
    for value in (np.zeros((7, 99)), np.zeros(7)):
        with pytest.raises(ValueError, match="value must have the shape"):
            columns.set_value(value)
    np.testing.assert_array_equal(columns.shared, SQUARE)


def test_update_shared():
    batch = nb.Minibatch(np.zeros(5), 2, update_shared_f=lambda: np.ones(7))
    batch.update_shared()
    np.testing.assert_array_equal(batch.shared, np.ones(7))
    with pytest.raises(NotImplementedError, match="no update_shared_f"):
        nb.Minibatch(np.zeros(5), 2).update_shared()


def test_clone_is_another_of_the_same():
    batch = nb.Minibatch(SQUARE, [10, (4, 7)], name="X", random_seed=3)
    batch.eval()
    other = batch.clone()
    assert (other.name, other.shape, other.shared is batch.shared) == ("X", batch.shape, True)
    np.testing.assert_array_equal(other.eval(), batch.batch(0))
    again = pickle.loads(pickle.dumps(batch))
    np.testing.assert_array_equal(again.eval(), batch.eval())


def test_slices_by_hand():
    batch = nb.Minibatch(SQUARE, [10, (4, 7)])
    rows, columns = nb.Minibatch.make_random_slices((100, 100), [10, (4, 7)], number=3)
    np.testing.assert_array_equal(rows, batch.indices(3)[0])
    np.testing.assert_array_equal(columns, batch.indices(3)[1])
    np.testing.assert_array_equal(nb.Minibatch.rslice(100, 10, 42, number=3), rows)
    assert nb.Minibatch.rslice(100, None) == slice(None)
    assert nb.Minibatch.make_random_slices((5, 6), [None, 2])[0] == slice(None)
    with pytest.raises(TypeError, match="size must be an int"):
        nb.Minibatch.rslice(100, 2.5)


def test_its_name_is_shown():
    assert repr(nb.Minibatch(SQUARE, 10, name="X")) == "<X: batches of shape (10, 100) of (100, 100), float64>"
