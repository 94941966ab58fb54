"""Names of a trace's axes and labels along them, given or by custom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import mapping, words
from nbinfer.model.axes import labels_of

Dims = Mapping[str, Sequence[str]]


def checked(
    dims: Any, coords: Any, *groups: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Return names and labels of axes, as dictionaries; raise ValueError if arrays of some shapes cannot have them.

    Parameters
    ----------
    dims, coords : mapping or None
        As of a trace.
    *groups : mapping of str to tuple of int
        Shapes of arrays, without chain and draw, by name.
    """
    named = {name: words("dims", axes) for name, axes in mapping("dims", dims).items()}
    labels = {axis: labels_of(axis, given) for axis, given in mapping("coords", coords).items()}
    for group in groups:
        check_axes(group, named)
    for name, shape in {name: shape for group in groups for name, shape in group.items()}.items():
        axes = named.get(name, [])
        if len(axes) > len(shape):
            raise ValueError(f"dims names {', '.join(axes)} of {name!r}, which has {len(shape)} axes of its own")
        for axis, length in zip(axes, shape, strict=False):
            if axis in labels and len(labels[axis]) != length:
                raise ValueError(
                    f"coords[{axis!r}] must have as many labels as {name!r} is long, {length}, got {len(labels[axis])}"
                )
    return named, labels


def check_axes(group: Iterable[str], dims: Dims) -> None:
    """Raise ValueError if one array of a group is called like an axis of another: no file and no dataset has both."""
    names = list(group)
    for name in names:
        for axis in dims.get(name, ()):
            if axis in names:
                raise ValueError(f"dims[{name!r}] has {axis!r}, the name of a variable beside it; call it otherwise")


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
