"""Names of a trace's axes and labels along them, given or by custom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import mapping, words

Dims = Mapping[str, Sequence[str]]


def checked(
    dims: Any, coords: Any, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Return names and labels of axes, as dictionaries; raise ValueError if arrays of some shapes cannot have them."""
    named = {name: words("dims", axes) for name, axes in mapping("dims", dims).items()}
    labels = dict(mapping("coords", coords))
    for name, shape in shapes.items():
        axes = named.get(name, [])
        if len(axes) > len(shape):
            raise ValueError(f"dims names {', '.join(axes)} of {name!r}, which has {len(shape)} axes of its own")
        for axis, length in zip(axes, shape, strict=False):
            if axis in labels and len(labels[axis]) != length:
                raise ValueError(
                    f"coords[{axis!r}] must have as many labels as {name!r} is long, {length}, got {len(labels[axis])}"
                )
    return named, labels


def axes_of(name: str, count: int, dims: Dims) -> list[str]:
    """Return the names of a variable's own axes; those without are called as ArviZ does."""
    given = list(dims.get(name, ()))
    return given + [f"{name}_dim_{k}" for k in range(len(given), count)]


def labels_along(axis: str, count: int, coords: Mapping[str, Any]) -> NDArray[Any]:
    """Return the labels along an axis: those given, else numbers from 0 on."""
    labels = coords.get(axis)
    return np.arange(count) if labels is None else np.asarray(labels)


def not_by_custom(dims: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return names of axes without those that they would have anyway."""
    found = {}
    for name, given in dims.items():
        axes, custom = list(given), axes_of(name, len(given), {})
        while axes and axes[-1] == custom[len(axes) - 1]:
            axes.pop()
        if axes:
            found[name] = axes
    return found


def is_count(labels: NDArray[Any]) -> bool:
    """Tell whether labels are no more than an axis has without any."""
    return labels.dtype.kind in "iu" and np.array_equal(labels, np.arange(len(labels)))
