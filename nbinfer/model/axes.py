"""Names of axes and labels along them, so that results can be read by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import mapping, several, words
from nbinfer.errors import ModelError
from nbinfer.spelling import meant

#: Lengths by name; None for one that is not known, and for a shape that is not.
Shapes = Mapping[str, tuple[int | None, ...] | None]

#: Axes that every variable of a trace has before its own.
_TAKEN = ("chain", "draw")


class Axes(NamedTuple):
    """What axes are called, and what stands along them.

    Attributes
    ----------
    dims : mapping of str to tuple of str
        For a variable the name of each axis.
    coords : mapping of str to ndarray, shape (length,)
        For a name of an axis the labels along it: numbers, texts or dates, all different. Axes without any are numbered
        from 0.
    """

    dims: Mapping[str, tuple[str, ...]] = {}
    coords: Mapping[str, NDArray[Any]] = {}

    @staticmethod
    def given(dims: Any, coords: Any, names: Iterable[str]) -> Axes:
        """Return what a user names, checked as far as that goes without lengths.

        Parameters
        ----------
        dims, coords : mapping or None
            As of `Model`.
        names : iterable of str
            Of all variables, data and functions that there are.

        Raises
        ------
        ModelError
            If a name is not known, is that of something else, or occurs twice; or labels are not of one kind.
        """
        known = list(names)
        axes = {name: tuple(words(f"dims[{name!r}]", of)) for name, of in mapping("dims", dims).items()}
        for name, of in axes.items():
            if name not in known:
                raise ModelError(f"dims names {name!r}, which the model has not; it has {_listed(name, known)}")
            for axis in of:
                _check_axis(name, axis, of, known)
        every = list(dict.fromkeys(axis for of in axes.values() for axis in of))
        for axis in mapping("coords", coords):
            if axis not in every:
                raise ModelError(f"coords labels {axis!r}, which is no axis in dims; these are {_listed(axis, every)}")
        labels = {axis: labels_of(axis, given) for axis, given in mapping("coords", coords).items()}
        for axis, along in labels.items():
            _check_different(axis, along)
        return Axes(axes, labels)

    def check(self, shapes: Shapes) -> None:
        """Raise ModelError if arrays of some shapes cannot have these axes.

        Parameters
        ----------
        shapes : mapping of str to tuple of int
            By name; an axis of the same name must have the same length everywhere.
        """
        known = {axis: (len(labels), f"coords labels {len(labels)}") for axis, labels in self.coords.items()}
        for name, shape in shapes.items():
            axes = self.dims.get(name)
            if axes is None or shape is None:
                continue
            if len(axes) != len(shape):
                raise ModelError(
                    f"dims names {len(axes)} of {name!r}, {_quoted(axes) or 'none'}, and it has shape {shape}; name "
                    f"{len(shape)}"
                )
            for axis, length in zip(axes, shape, strict=True):
                if length is not None:
                    expected, who = known.setdefault(axis, (length, f"{name!r} has {length}"))
                    if length != expected:
                        hint = ""
                        if axis in self.coords:
                            hint = f"; pass as many labels, or leave coords[{axis!r}] out if the length is to change"
                        raise ModelError(
                            f"axis {axis!r} must have one length: {who} along it, {name!r} has {length}{hint}"
                        )

    def of(self, names: Iterable[str]) -> Axes:
        """Return what concerns some variables."""
        dims = {name: self.dims[name] for name in names if name in self.dims}
        return Axes(dims, {axis: self.coords[axis] for axis in self.coords if any(axis in of for of in dims.values())})

    def replaced(self, shapes: Shapes, coords: Any = None) -> Axes:
        """Return the axes of new data.

        Parameters
        ----------
        shapes : mapping of str to tuple of int
            Of the data that are new.
        coords : mapping of str to array_like, optional
            Labels along their axes. Without any, axes that keep their length keep the labels; others are numbered.

        Raises
        ------
        ModelError
            If lengths or names do not fit.
        """
        new = Axes.given(self.dims, mapping("coords", coords), self.dims).coords
        lengths = {
            axis: n for name, of in self.dims.items() for axis, n in zip(of, shapes.get(name) or (), strict=False)
        }
        kept = {axis: old for axis, old in self.coords.items() if lengths.get(axis) in (None, len(old))}
        axes = Axes(self.dims, {**kept, **new})
        axes.check(shapes)
        return axes


def labels_of(axis: str, values: Any) -> NDArray[Any]:
    """Return labels along an axis as an array of numbers, texts or dates.

    Raises
    ------
    ModelError
        If they are of another kind, or of several.
    TypeError
        If they are no sequence.
    """
    if isinstance(values, set | frozenset):
        raise TypeError(f"coords[{axis!r}] must be a sequence of labels, got a set, which has no order")
    items = several(f"coords[{axis!r}]", values, "a sequence of labels")
    try:
        labels = np.asarray(values if hasattr(values, "__array__") else items)
    except ValueError:  # of lists of several lengths
        labels = np.empty((0, 0))
    if labels.dtype.kind in "OT" and all(isinstance(label, str) for label in items):
        labels = np.array(items, np.str_)
    elif labels.dtype.kind == "O" and all(isinstance(label, date) for label in items):
        labels = _dates(items, labels)
    mixed = labels.dtype.kind == "U" and not all(isinstance(label, str) for label in items)
    if labels.ndim != 1 or mixed or labels.dtype.kind not in "biufUM":
        raise ModelError(
            f"coords[{axis!r}] must be numbers, texts or dates without a time zone, in one dimension, got "
            f"{_some(items)}; texts will do for anything, [str(label) for label in ...]"
        )
    return labels


def _dates(items: list[Any], labels: NDArray[Any]) -> NDArray[Any]:
    """Return dates and times of Python as those of NumPy; those with a time zone, which NumPy has not, as they are."""
    if any(getattr(item, "tzinfo", None) is not None for item in items):
        return labels
    return np.array(items, "M8[us]" if any(isinstance(item, datetime) for item in items) else "M8[D]")


def _check_different(axis: str, labels: NDArray[Any]) -> None:
    first: dict[Any, int] = {}
    for place, label in enumerate(labels.tolist()):
        if label is None or label != label:
            raise ModelError(f"coords[{axis!r}] has no label at {place}, {labels[place]}; labels tell places apart")
        if first.setdefault(label, place) != place:
            raise ModelError(
                f"coords[{axis!r}] has {label!r} twice, at {first[label]} and {place}; labels tell places apart"
            )


def _check_axis(name: str, axis: str, axes: tuple[str, ...], known: list[str]) -> None:
    if axis in _TAKEN:
        raise ModelError(f"dims[{name!r}] has {axis!r}, an axis that every trace has; call it otherwise")
    if axis in known:
        raise ModelError(f"dims[{name!r}] has {axis!r}, the name of something in the model; call one of them otherwise")
    if axes.count(axis) > 1:
        raise ModelError(f"dims[{name!r}] has {axis!r} twice; two axes need two names, {axis!r} and {axis + '_bis'!r}")
    if not axis.isprintable() or not axis or "/" in axis or axis != axis.strip():
        raise ModelError(f"dims[{name!r}] has {axis!r}, which is no name: it is to be printable, without a slash")


def _listed(name: str, known: list[str]) -> str:
    near = meant(name, known)
    return (_quoted(known) or "none") + (f".{near}" if near else "")


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _some(items: list[Any]) -> str:
    return f"[{', '.join(map(repr, items[:4]))}{', ...' if len(items) > 4 else ''}]"
