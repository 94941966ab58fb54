"""Kernels on disk: later processes link them in; a file that is damaged, or cannot stand for a kernel, is not used."""

import numpy as np
import pytest

from nbinfer.compile import Kernel, files, kernel
from nbinfer.compile.kept import can_be_kept
from nbinfer.engine.vectors import copy
from nbinfer.vectormath import exp, log1pexp

pytestmark = pytest.mark.nojit


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the empty folder of kept kernels."""
    monkeypatch.setattr(files, "cache_root", lambda: tmp_path)
    return tmp_path / "kernels"


def is_compiled(function, *types):
    """Ask for a kernel as another process would; tell whether it is compiled, not found, and return its dispatcher."""
    dispatcher = Kernel(function.py_func, {"forceinline": True})._inner
    dispatcher.compile(types)
    return not sum(dispatcher._cache_hits.values()), dispatcher


def files_of_exp(folder):
    """Return the files of `exp`, without those of its fragments."""
    return list(folder.glob("nbinfer.vectormath.exponential.exp-*"))


def test_a_kernel_is_compiled_once_for_each_signature(folder):
    from numba import float64, int64, njit

    assert is_compiled(exp, float64)[0]
    found = is_compiled(exp, float64)[1]
    assert sum(found._cache_hits.values()) == 1
    assert is_compiled(exp, int64)[0]
    assert len(files_of_exp(folder)) == 2

    @njit
    def call(x):
        return found(x)

    assert call(0.5) == pytest.approx(np.exp(0.5), rel=1e-15)


def test_kernels_that_call_kernels(folder):
    from numba import float64, njit

    is_compiled(log1pexp, float64)
    found = is_compiled(log1pexp, float64)[1]
    call = njit(lambda x: found(x))
    assert call(0.5) == pytest.approx(np.logaddexp(0.0, 0.5), rel=1e-15)


def test_options_count(folder):
    from numba import float64

    is_compiled(exp, float64)
    assert Kernel(exp.py_func, {"fastmath": {"contract"}})._inner._cache.load_overload((float64,), None) is None


def test_a_damaged_file_is_replaced(folder):
    from numba import float64

    is_compiled(exp, float64)
    (file,) = files_of_exp(folder)
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"x")
    assert is_compiled(exp, float64)[0]
    assert not is_compiled(exp, float64)[0]


def test_what_names_and_types_do_not_identify_is_not_kept(folder):
    from numba import types

    @kernel
    def inner(x):
        return x

    assert can_be_kept(copy.py_func)
    assert not can_be_kept(inner.py_func)  # many functions may be made here
    assert not can_be_kept(lambda x: x)
    record = types.Record([("a", {"type": types.float64, "offset": 0})], 8, True)
    assert is_compiled(exp, types.float64)[1]._cache._place((record,)) is None
