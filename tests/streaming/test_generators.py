"""Generators as data: items one by one, in their order, and what comes at the end."""

import collections
import itertools

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import StreamingError


def test_an_adapter_knows_the_first_item_and_yields_it_first():
    pulled = []
    adapter = nb.GeneratorAdapter(pulled.append(i) or np.full(3, i, np.int32) for i in range(4))
    assert (adapter.shape, adapter.dtype, pulled) == ((3,), np.int64, [0])
    np.testing.assert_array_equal(adapter.example, np.zeros(3))
    assert [item[0] for item in adapter] == [0, 1, 2, 3]
    with pytest.raises(StopIteration):
        next(adapter)


@pytest.mark.parametrize(
    ("first", "dtype"), [(1, np.int64), (np.float32(2), np.float64), ([True], np.bool_), ([1.5], np.float64)]
)
def test_items_are_copies_of_one_dtype(first, dtype):
    item = np.array(first)
    adapter = nb.GeneratorAdapter(iter([item, item]))
    found = next(adapter)
    assert found.dtype == dtype
    assert not np.shares_memory(found, item)


def test_adapters_are_themselves():
    one, other = (nb.GeneratorAdapter(iter([1.0])) for _ in range(2))
    assert one != other
    assert len({one, other, one}) == 2


@pytest.mark.parametrize("given", [[1, 2], np.zeros(3), 3, None, "ab", range(3)])
def test_no_iterator_is_no_generator(given):
    with pytest.raises(TypeError, match="generator must be an iterator of arrays"):
        nb.GeneratorAdapter(given)
    with pytest.raises(TypeError, match="gen must be an iterator of arrays"):
        nb.generator(given)


def test_items_must_be_numbers_of_one_kind():
    with pytest.raises(TypeError, match="an item of the generator must be"):
        nb.GeneratorAdapter(iter(["a"]))
    with pytest.raises(StreamingError, match="yields nothing"):
        nb.GeneratorAdapter(iter([]))
    adapter = nb.GeneratorAdapter(iter([[1], [1.5], [[1]]]))
    next(adapter)
    for _ in range(2):
        with pytest.raises(ValueError, match="a batch must have 1 axes and dtype int64, as the first one"):
            next(adapter)


def test_tuples_and_dicts_are_several_entries():
    Row = collections.namedtuple("Row", "X y")
    X, y = np.ones((4, 2), np.int32), np.zeros(4)
    for items, keys in (
        ([(X, y), [X, y]], [0, 1]),
        ([{"X": X, "y": y}, {"y": y, "X": X}], ["X", "y"]),
        ([Row(X, y), Row(X, y)], ["X", "y"]),
        ([(1, y), (2, y)], [0, 1]),
    ):
        rows = nb.generator(iter([items[0], tuple(items[1]) if isinstance(items[1], list) else items[1]]))
        assert rows.parts == keys
        first, second = rows[keys[0]], rows[keys[1]]
        assert first.source is second.source is rows
        assert first.example.dtype == np.int64
        batch = rows.batch(7)
        np.testing.assert_array_equal(first.part_of(batch), first.example)
        np.testing.assert_array_equal(second.part_of(rows.batch(8)), y)
        with pytest.raises(KeyError, match="'z' is no part of what the generator yields, which has"):
            rows["z"]
    assert nb.GeneratorAdapter(iter([(1, 2.5)])).shape == (2,)  # numbers alone are an array
    assert nb.GeneratorAdapter(iter([(X, y)])).shape == {0: (4, 2), 1: (4,)}
    with pytest.raises(KeyError, match="is of arrays, which have no parts"):
        nb.generator(iter([y]))["X"]


def test_several_entries_must_stay_what_they_were():
    y = np.zeros(4)
    with pytest.raises(TypeError, match="an item of the generator must be an array; of several arrays yield a tuple"):
        nb.generator(iter([[np.zeros((4, 2)), y]]))
    with pytest.raises(TypeError, match="1 of an item of the generator must be real numbers"):
        nb.generator(iter([(y, "a")]))
    rows = nb.generator(iter([(y, y), y, (y,), (y, y[None])]))
    next(rows)
    for message in (
        r"a batch must be arrays for 0, 1, as the first one, got an array of shape \(4,\), float64",
        "a batch must be arrays for 0, 1, as the first one, got arrays for 0",
        "1 of a batch must have 1 axes and dtype float64, as the first one, got 2",
    ):
        with pytest.raises(ValueError, match=message):
            next(rows)
    with pytest.raises(ValueError, match="the default value must be arrays for 0, 1"):
        rows.set_default(y)
    rows.set_default((y + 1.0, y))
    assert next(rows)[0][0] == 1.0
    with pytest.raises(
        nb.errors.ModelError, match=r"data 'y' must be an array, got a generator of several, 0, 1; pass"
    ):
        nb.Model({"x": nb.real()}, logp=lambda p, d: p.x, data={"y": rows})


def test_at_the_end_there_is_the_default():
    data = nb.generator(iter([1.0, 2.0]), default=7)
    assert [float(next(data)) for _ in range(4)] == [1.0, 2.0, 7.0, 7.0]
    data.set_default(None)
    with pytest.raises(StopIteration):
        next(data)
    with pytest.raises(StreamingError, match="is exhausted"):
        data.batch(3)
    data.set_gen(itertools.cycle([5.0]))
    assert float(data.batch(4)) == 5.0
    with pytest.raises(ValueError, match="an item of gen must have 0 axes"):
        data.set_gen(iter([[1.0]]))
    with pytest.raises(ValueError, match="the default value must have 0 axes"):
        data.set_default([1.0])
    with pytest.raises(TypeError, match="must be an iterator"):
        data.set_gen([1.0])
    assert float(data.batch(4)) == 5.0


def test_a_bare_iterator_is_no_entry():
    def prior(p, d):
        return -0.5 * p.x**2

    with pytest.raises(ValueError, match=r"got an iterator; pass nb.generator\(y\)"):
        nb.Model({"x": nb.real()}, logp=prior, data={"y": iter([1.0])})
