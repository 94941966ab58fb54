"""Kernels in compiled callers."""

import pytest

from nbinfer.compile import entry, files, kernel

pytestmark = pytest.mark.nojit


def least_power(x):
    """A loop and two returns, which a body pasted into another has to get right."""
    power = 1.0
    for _ in range(100):
        if power >= x:
            return power
        power *= 2.0
    return -1.0


@pytest.mark.parametrize("inline", [True, False])
def test_an_inlined_kernel_is_pasted_into_its_caller(inline, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "cache_root", lambda: tmp_path)  # nothing is found, so that all is compiled
    inner = kernel(least_power, inline=inline)

    def twice(x):
        return inner(x) + inner(3.0 * x)

    assert entry("float64(float64)")(twice)(5.0) == 8.0 + 16.0
    assert len(inner._inner.overloads) == (0 if inline else 1)  # never compiled by itself, or once
