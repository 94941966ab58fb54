"""Columns: every part of a row goes to its place, wherever the rows of the trace lie, and nowhere else."""

import numpy as np
import pytest

from nbinfer.compile import address_of, entry
from nbinfer.trace.columns import FIELDS, Column, row_of, scatter, tables

ROW = np.array([0.5, -1.5, 2.0, 7.0, 0.0, 3.0])


@entry("int64(intp, intp, int64, int64, int64)")
def _scatter(row, columns, n_columns, warm, index):
    scatter(row, columns, n_columns, warm != 0, index)
    return 0


@entry("int64(int64, int64, int64)")
def _row_of(draw, tune, thin):
    return row_of(draw, tune, thin)


def scattered(columns, chains, *, warm=False, index=0, row=ROW):
    """Scatter a row in every chain, each with its number added."""
    table = tables(columns, chains)
    for chain in range(chains):
        row_of_chain = row + chain
        _scatter(address_of(row_of_chain), address_of(table[chain]), len(columns), warm, index)


def in_pages(chains, rows, shape=(), dtype=float, gap=24):
    """Rows for each chain as a file may have them: apart, at addresses that are multiples of 8 and of no more."""
    size = rows * int(np.prod(shape, dtype=int)) * np.dtype(dtype).itemsize
    step = -(-size // 8) * 8 + gap
    memory = np.zeros(chains * step + 64, np.uint8)
    first = -memory.ctypes.data % 16 + 8
    parts = [memory[first + c * step :][:size].view(dtype).reshape(rows, *shape) for c in range(chains)]
    assert parts[0].ctypes.data % 16 == 8
    return memory, parts


def test_parts_of_every_type_land_in_their_place():
    x, n, flag = np.zeros((2, 3, 2)), np.zeros((2, 3), np.int64), np.zeros((2, 3), bool)
    scattered([Column(0, 2, None, x), Column(3, 1, None, n), Column(4, 1, None, flag)], 2, index=1)
    assert x.tolist() == [[[0, 0], [0.5, -1.5], [0, 0]], [[0, 0], [1.5, -0.5], [0, 0]]]
    assert n.tolist() == [[0, 7, 0], [0, 8, 0]]
    assert flag.tolist() == [[False, False, False], [False, True, False]]


def test_warm_up_and_what_comes_after_it_go_apart():
    warm, main = np.zeros((1, 2)), np.zeros((1, 4))
    columns = [Column(2, 1, warm, main)]
    scattered(columns, 1, warm=True, index=1)
    scattered(columns, 1, index=3)
    assert warm.tolist() == [[0, 2]]
    assert main.tolist() == [[0, 0, 0, 2]]


@pytest.mark.parametrize("nowhere", [None, np.zeros((1, 0)), np.zeros((1, 3, 0))])
def test_what_has_no_place_goes_nowhere(nowhere):
    table = tables([Column(2, 1, nowhere, np.zeros((1, 2)))], 1)
    assert table[0, 4] == 0
    scattered([Column(2, 1, nowhere, nowhere)], 1, warm=True)  # must not crash
    scattered([], 1)


def test_parts_lie_side_by_side():
    together = np.zeros((2, 2, 3))
    scattered([Column(offset, 1, None, together, (place, 3)) for place, offset in enumerate((5, 0, 3))], 2, index=1)
    assert together.tolist() == [[[0, 0, 0], [3, 0.5, 7]], [[0, 0, 0], [4, 1.5, 8]]]


@pytest.mark.parametrize(("dtype", "offset"), [(float, 0), (np.int64, 3), (bool, 3)])
def test_chains_may_lie_apart_from_each_other(dtype, offset):
    memory, parts = in_pages(3, 5, (2,), dtype)
    before = memory.copy()
    scattered([Column(offset, 2, None, parts)], 3, index=4)
    for chain, part in enumerate(parts):
        assert part[4].tolist() == (ROW[offset : offset + 2] + chain).astype(dtype).tolist()
        part[4] = 0
    assert (memory == before).all()  # and nothing else was written


def test_chains_of_one_array_may_have_gaps_between_them():
    wide = np.zeros((3, 9))
    scattered([Column(2, 1, None, wide[:, 2:6])], 3, index=1)
    assert np.flatnonzero(wide).tolist() == [3, 12, 21]
    assert wide[:, 3].tolist() == [2, 3, 4]


def test_rows_of_a_chain_must_follow_one_another():
    with pytest.raises(ValueError, match="C-contiguous"):
        tables([Column(0, 1, None, np.zeros((2, 8))[:, ::2])], 2)


def test_only_types_that_the_kernel_writes_have_columns():
    with pytest.raises(KeyError, match="float32"):
        tables([Column(0, 1, None, np.zeros((1, 2), np.float32))], 1)


def test_a_table_has_one_row_for_each_chain():
    main = np.zeros((4, 10, 2))
    table = tables([Column(1, 2, None, main), Column(3, 1, None, np.zeros((4, 10)))], 4)
    assert table.shape == (4, 2 * FIELDS)
    assert np.diff(table[:, 5]).tolist() == [main.strides[0]] * 3
    assert tables([], 4).shape == (4, 1)


@pytest.mark.parametrize("thin", [1, 2, 3, 7])
@pytest.mark.parametrize("tune", [0, 4])
def test_the_last_draw_of_each_group_is_kept(tune, thin):
    """Row k is draw (k + 1) * thin - 1 of those after warm-up, and every draw of warm-up has its row."""
    rows = [_row_of(draw, tune, thin) for draw in range(tune + 20)]
    assert rows[:tune] == list(range(tune))
    expected = np.full(20, -1)
    for k in range(20 // thin):
        expected[(k + 1) * thin - 1] = k
    assert rows[tune:] == expected.tolist()
