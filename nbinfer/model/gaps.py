"""What others ask of data with gaps (`nbinfer.model.missing`): which elements are observed, what to call the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.errors import ModelError
from nbinfer.model.axes import Axes
from nbinfer.model.data import Datum
from nbinfer.model.layout import Layout
from nbinfer.model.missing import index_of, parameter_of

if TYPE_CHECKING:
    from nbinfer.model.definition import Definition


def observed_cells(definition: Definition, name: str) -> NDArray[np.bool_] | None:
    """Return which elements of an entry are observed, in its shape; None, if no element is missing.

    Parameters
    ----------
    definition : Definition
    name : str
        Of the entry; of what is no entry nothing is missing.
    """
    places = definition.missing.get(name)
    if places is None:
        return None
    cells = np.ones(definition.data[name].array.shape, bool)
    cells.reshape(-1)[places] = False
    return cells


def blamed(definition: Definition, bad: NDArray[np.bool_]) -> str:
    """Say whose NaN, whose missing values, or which empty array a term meets that is not finite; '' if there are none.

    Parameters
    ----------
    definition : Definition
    bad : ndarray of bool
        Where the term is not finite; of shape () for a number.
    """
    for name in definition.allow_nan:
        nan = np.isnan(definition.data[name].array)
        if nan.any() and (nan.shape != bad.shape or nan[bad].any()):
            first = tuple(int(i) for i in np.argwhere(nan)[0])
            return f"; data {name!r} holds {nan.sum()} NaN, the first at index {first}, which a density must leave out"
    for name, support in definition.imputed.items():
        cells = observed_cells(definition, name)
        if cells is None or support.discrete or (cells.shape == bad.shape and cells[bad].all()):
            continue
        there = definition.data[name].array[cells]
        if (there == np.round(there)).all():
            return (
                f"; missing[{name!r}] is {support!r}, whose values are not whole as those of {name!r} are: "
                "counts need nb.integer(lo, hi)"
            )
    empty = [repr(name) for name, datum in definition.data.items() if not datum.array.size]
    return f"; data {', '.join(empty)} have no elements" if empty else ""


def observed_part(definition: Definition, term: str, values: NDArray[Any]) -> NDArray[Any]:
    """Return values of a likelihood term, one for each element of its data, without those of missing elements.

    Parameters
    ----------
    definition : Definition
    term : str
        Of the likelihood. One that is named after no entry is about the only one with gaps, if that has its shape.
    values : ndarray, shape (chain, draw, ...)

    Returns
    -------
    values : ndarray, shape (chain, draw, number observed) or (chain, draw, ...)
        Themselves, if nothing is missing.

    Raises
    ------
    ModelError
        If the term has another shape than its data, so that nobody knows which values are of missing ones.
    """
    name = _about(definition, term)
    cells = observed_cells(definition, name)
    if cells is None or (name != term and values.shape[2:] != cells.shape):
        return values
    if values.shape[2:] != cells.shape:
        raise ModelError(
            f"likelihood {term!r} has shape {values.shape[2:]}, and its data, of which values are missing, "
            f"{cells.shape}: which values are of these cannot be told. Return one value for each element of the data"
        )
    part: NDArray[Any] = values[:, :, cells]
    return part


def observed_axis(name: str) -> str:
    """Return what the axis of the observed elements of an entry with gaps is called."""
    return f"{name}_observed_at"


def axes_of_terms(definition: Definition, shapes: Mapping[str, tuple[int, ...]]) -> Axes:
    """Return names of axes and labels along them of log densities, term by term.

    They are those of the data or the parameter that a term is named after, as far as its shape is theirs: a density of
    whole rows has the axis of the rows. Of data with gaps, ``y``, the observed elements lie along ``y_observed_at``.

    Parameters
    ----------
    definition : Definition
    shapes : mapping of str to tuple of int
        Of one draw of each term.
    """
    known = {name: p.shape for name, p in definition.parameters.items()}
    known |= {name: datum.array.shape for name, datum in definition.data.items()}
    dims: dict[str, tuple[str, ...]] = {}
    coords = dict(definition.axes.coords)
    for term, shape in shapes.items():
        name = term if term in definition.parameters else _about(definition, term)
        cells = observed_cells(definition, name)
        if cells is not None and shape == (cells.sum(),):
            axis = observed_axis(name)
            dims[term], coords[axis] = (axis,), _labels(definition.axes, name, np.flatnonzero(cells), cells.shape)
        elif term in definition.axes.dims and shape == known.get(term, ())[: len(shape)]:
            dims[term] = definition.axes.dims[term][: len(shape)]
    return Axes(dims, coords).of(shapes)


def _about(definition: Definition, term: str) -> str:
    """Return the entry that a likelihood term is about."""
    return next(iter(definition.missing), term) if term not in definition.data else term


def shown(definition: Definition, name: str) -> NDArray[Any]:
    """Return an entry for people: NaN where a value is missing, of integers, too.

    Parameters
    ----------
    definition : Definition
    name : str
        Of the entry.
    """
    array = definition.data[name].array
    cells = observed_cells(definition, name)
    return array if cells is None else np.where(cells, array, np.nan)


def axes(definition: Definition) -> Axes:
    """Return names of axes and labels along them, with those of missing values: where each belongs.

    The axis of ``y_missing`` is ``y_missing_at``. Its labels are those of ``y`` there, or numbers where there are none;
    texts, ``"(Lund, 3)"``, if ``y`` has several axes.

    Parameters
    ----------
    definition : Definition
    """
    given = definition.axes
    dims, coords = dict(given.dims), dict(given.coords)
    for name, places in definition.missing.items():
        axis, shape = f"{name}_missing_at", definition.data[name].array.shape
        if parameter_of(name) in dims:
            continue
        dims[parameter_of(name)] = dims[index_of(name)] = (axis,)
        coords[axis] = _labels(given, name, places, shape)
    return Axes(dims, coords)


def _labels(given: Axes, name: str, places: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return what some places of an entry, counted through all axes, are called."""
    names, index = given.dims.get(name, ("",) * len(shape)), np.unravel_index(places, shape)
    labels = [given.coords[n][at] if n in given.coords else at for n, at in zip(names, index, strict=True)]
    texts = [f"({', '.join(map(str, place))})" for place in zip(*labels, strict=True)]
    return labels[0] if len(shape) == 1 else np.array(texts)


def without_missing(definition: Definition) -> Definition:
    """Return a definition in which nothing is missing: what gaps hold is as good as any other value.

    It is for what knows of data but their shapes, such as draws of the prior and predictions; its density is another.

    Parameters
    ----------
    definition : Definition
    """
    missing = definition.missing
    if not missing:
        return definition
    data, parameters = dict(definition.data), dict(definition.layout.parameters)
    for name, places in missing.items():
        array = data[name].array.copy()
        support = parameters.pop(parameter_of(name)).support
        array.reshape(-1)[places] = 0 if support.bounds else support.initial
        data[name] = Datum(name, array, False)
        del data[index_of(name)]
    layout = Layout({name: p.support for name, p in parameters.items()})
    return dataclasses.replace(definition, data=data, layout=layout, imputed={})


def check_scales(definition: Definition) -> None:
    """Raise ModelError if a likelihood term stands for more than its data, and has values that are missing.

    Parameters
    ----------
    definition : Definition
    """
    for name in definition.total_size if definition.missing else ():
        if name in definition.likelihood and (name in definition.missing or name not in definition.data):
            lacking = name if name in definition.missing else next(iter(definition.missing))
            raise ModelError(
                f"total_size[{name!r}] scales a term in which values of {lacking!r} are missing: each would be as "
                f"certain as several. Leave total_size out, or pass the observed values of {lacking!r} alone"
            )
