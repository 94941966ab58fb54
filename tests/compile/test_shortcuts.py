"""Shortcuts change what compiling costs, and nothing of what is compiled."""

import contextlib
import ctypes
import operator
import re
from functools import reduce

import numpy as np
import pytest

from nbinfer.compile import numba_internals, objects
from nbinfer.compile.numba_internals import CFunction
from nbinfer.compile.shortcuts import _SHORTCUTS, shortcuts

numba = pytest.importorskip("numba")
pytestmark = pytest.mark.nojit

OPTIONS = {"error_model": "numpy", "fastmath": False}


def places():
    return [getattr(getattr(numba_internals, owner), name) for owner, name, _ in _SHORTCUTS]


def test_numba_is_left_as_it_was():
    before = places()
    with contextlib.suppress(ZeroDivisionError), shortcuts():
        assert all(a is not b for a, b in zip(before, places(), strict=True))
        raise ZeroDivisionError
    assert all(a is b for a, b in zip(before, places(), strict=True))


def renamed(n):
    """Variables that are written in branches and loops, and read behind them."""
    a, b, total = 1.0, 2.0, 0.0
    for i in range(n):
        if i % 3 == 0:
            a, b = b, a + 1.0
        elif i > 7:
            total += a
            continue
        else:
            a = -a
        while b > 5.0:
            b -= 2.0
        total += b
    return total + a - b


def swapped(n):
    """Arrays that live through branches and loops, in variables that are written again, and in tuples."""
    a, b = np.zeros(3), np.ones(4)
    both = (a, 1)
    for i in range(n):
        if i % 3 == 0:
            a, b = b, a + 1.0
        elif i > 5:
            a = np.append(a, b[i % b.size])
            both = (b, i)
        else:
            c = a[::2]
            a = c * 2.0
    return a.sum() - b.sum() + both[0][-1] * both[1] + a[0] + a[-1]


def inlined(n):
    def twice(x):
        return 2.0 * x

    squares = [twice(float(i)) ** 2 for i in range(n)]
    counts = np.array([i * i for i in range(n)])
    return reduce(lambda a, b: a - 0.5 * b, squares) + counts.sum()


def made(n):
    flat, rows = np.zeros(n), np.empty((n, 2))
    whole, flags, again = np.zeros((n, n), np.int64), np.zeros(n, np.bool_), np.empty(shape=n)
    for i in range(n):
        flat[i] += i
        whole[i, 0] -= i
        flags[i] = not flags[i]
        rows[i, 0] = rows[i, 1] = again[i] = flat[i] + 0.5
    narrow = np.zeros(2, np.float32)
    narrow[0] = 0.1
    return flat.sum() + rows.sum() + whole.sum() + flags[n - 1] + again.sum() + narrow[0]


def caught(n):
    try:
        x = np.empty((2, 3 - n))
    except Exception:
        return -1.0
    return float(x.size)


def compiled(function, within):
    with within:
        return CFunction(function, "float64(int64)", OPTIONS)


def called(code, n):
    address = objects.load(code.symbol, code.code, code.externals)
    return ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64)(address)(n)


@pytest.mark.parametrize("function", [renamed, inlined])
def test_the_code_is_the_same_with_and_without(function):
    texts = []
    for within in (contextlib.nullcontext(), shortcuts()):
        code = compiled(function, within)
        assert called(code, 9) == function(9)
        texts.append(re.sub(r" *;.*|(_ZN|\.const|v)[\w.]*|0x\w+|\d+", "", code.text))
    assert texts[0] == texts[1]


def test_arrays_made_in_place_are_those_that_numba_makes():
    code = compiled(made, shortcuts())
    assert called(code, 4) == made(4)


def test_arrays_are_let_go_of_as_often_as_they_are_made():
    from numba.core.runtime import _nrt_python, rtsys

    code = compiled(swapped, shortcuts())
    called(code, 1)
    was_enabled = _nrt_python.memsys_stats_enabled()
    _nrt_python.memsys_enable_stats()
    try:
        before = rtsys.get_allocation_stats()
        assert [called(code, n) for n in range(12)] == [swapped(n) for n in range(12)]
        after = rtsys.get_allocation_stats()
    finally:
        if not was_enabled:
            _nrt_python.memsys_disable_stats()
    made = after.alloc - before.alloc
    assert made == after.free - before.free > 0


@pytest.mark.parametrize("within", [contextlib.nullcontext(), shortcuts()])
def test_a_negative_size_is_refused_either_way(within):
    code = compiled(caught, within)
    assert [called(code, n) for n in (1, 3, 4)] == [4.0, 0.0, -1.0]


def product(x, y):
    return x * y + y * x * x - y * y + x * y


def test_an_operator_is_resolved_once_for_types(monkeypatch):
    base, asked = numba_internals.BaseFunction, []
    before = base.get_call_type

    def noted(function, context, args, kws):
        asked.append((function.typing_key, args))
        return before(function, context, args, kws)

    monkeypatch.setattr(base, "get_call_type", noted)
    with shortcuts():
        CFunction(product, "float64(float64, float64)", {})
    products = [args for key, args in asked if key is operator.mul]
    assert len(products) == len(set(products)) > 0
    assert base.get_call_type is noted


def wrong(x):
    y = x + 1.0
    return y.nothing


def test_errors_say_where_as_they_do_without():
    messages = []
    for within in (contextlib.nullcontext(), shortcuts()):
        with within, pytest.raises(numba.core.errors.TypingError) as caught:
            CFunction(wrong, "float64(float64)", {})
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert "During: typing of get attribute" in messages[1]
