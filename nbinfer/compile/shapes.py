"""Give a flat view another shape, without a call into Numba's helpers (7 ns each, and a C symbol to resolve)."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from nbinfer.compile.kernels import Kernel


class _Twin(Kernel):
    @functools.cached_property
    def dispatcher(self) -> Any:
        from nbinfer.compile.shapes_lowered import shaped as lowered

        return lowered


def _shaped(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """View a contiguous array in another `shape` of the same number of elements."""
    return array.reshape(shape)


shaped = _Twin(_shaped, {}, twin=True)
