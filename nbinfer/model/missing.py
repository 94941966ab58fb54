"""Missing data: entries with gaps, whose values are parameters.

An entry ``y`` with gaps gives a model two things more: the parameter ``y_missing``, one value for each gap, and the
entry ``y_missing_index``, where these belong in ``y``, counted through all axes. Functions see ``d.y`` whole: plain
Python fills a copy, and in compiled code each context has one of its own. The entry itself holds `GAP` in its gaps,
whatever lay there before.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import mapping
from nbinfer.compile import aligned, readonly
from nbinfer.errors import ModelError
from nbinfer.model.arrays import is_gap, is_masked, is_pandas
from nbinfer.model.data import Datum, Table, convert, convert_all, entries_of, replace
from nbinfer.model.layout import Layout
from nbinfer.model.support import supports
from nbinfer.model.support.support import Support
from nbinfer.streaming import Feed, GeneratorAdapter

if TYPE_CHECKING:
    from nbinfer.model.definition import Definition

Places = NDArray[np.int64]

#: What an entry holds where a value is missing, by dtype. Both spread or leave every array: none passes for a value.
GAP: dict[str, Any] = {"float64": np.nan, "int64": np.iinfo(np.int64).min}

#: Supports whose elements each live alone.
_FREE, _BOUNDED = ("real", "positive"), {"lower": "a", "upper": "b", "interval": "ab"}


def parameter_of(name: str) -> str:
    """Return what the missing values of an entry are called among the parameters."""
    return f"{name}_missing"


def index_of(name: str) -> str:
    """Return what the places of the missing values of an entry are called among the data."""
    return f"{name}_missing_index"


def laid_out(
    layout: Layout, data: Any, allow_nan: Collection[str], missing: Any
) -> tuple[Layout, dict[str, Datum], dict[str, Support]]:
    """Read data and what may be missing of them, as `Model` takes both.

    Parameters
    ----------
    layout : Layout
        Of the user's parameters.
    data : object
        Mapping or named tuple, or None.
    allow_nan : collection of str
        Entries that may hold NaN.
    missing : object
        Mapping of entries to supports, or None.

    Returns
    -------
    layout : Layout
        With what is missing after all others.
    entries : dict of str to Datum
        With the places of gaps, where there are any, after all others.
    imputed : dict of str to Support
        Of one missing value, by entry.
    """
    if not mapping("missing", missing):
        return layout, convert_all(data, allow_nan), {}
    imputed = checked(missing, entries_of(data), layout.parameters, allow_nan)
    gaps = {name: read(name, entries_of(data)[name], support) for name, support in imputed.items()}
    plain = {name: array for name, (array, _) in gaps.items()}
    entries = convert_all(data, allow_nan, plain) | _with_gaps(gaps)
    return with_missing(layout, entries, imputed), entries, imputed


def checked(
    missing: Any, entries: Mapping[str, Any], parameters: Mapping[str, Any], allow_nan: Collection[str]
) -> dict[str, Support]:
    """Return supports of missing values by entry, as `Model` takes them.

    Parameters
    ----------
    missing : object
        What the user gave.
    entries : mapping
        All data.
    parameters : mapping
        Of the user.
    allow_nan : collection of str
        Entries that may hold NaN.

    Raises
    ------
    ModelError
        If it names no data, something is no support of single numbers, or a name is taken.
    """
    found = dict(mapping("missing", missing))
    for name, support in found.items():
        label = f"missing[{name!r}]"
        if name not in entries:
            raise ModelError(f"missing names {name!r}, which is no data; there are {', '.join(entries) or 'none'}")
        if not isinstance(support, Support):
            hint = f"; call it: {getattr(support, '__name__', 'real')}()" if callable(support) else ""
            raise ModelError(f"{label} must be a support such as nb.real() or nb.positive(), got {support!r}{hint}")
        if not (support.discrete or support.transform in (*_FREE, *_BOUNDED)):
            raise ModelError(
                f"{label} must be the support of single numbers, such as nb.real(), nb.positive() or "
                f"nb.integer(lo, hi), got {support!r}, whose elements depend on each other"
            )
        if name in allow_nan:
            raise ModelError(f"missing and allow_nan both name {name!r}: its NaN are either imputed or data; drop one")
        of_it = parameter_of(name), index_of(name)
        for taken, there, kind in [(of_it[0], parameters, "parameter"), *((n, entries, "data") for n in of_it)]:
            if taken in there:
                raise ModelError(f"the {kind} name {taken!r} is that of what {name!r} lacks; call it otherwise")
    return found


def _with_gaps(gaps: Mapping[str, tuple[NDArray[Any], Places]]) -> dict[str, Datum]:
    """Return entries whose gaps are marked, then the places of these."""
    found = {name: Datum(name, marked(array, places), False) for name, (array, places) in gaps.items()}
    return found | {index_of(n): convert(index_of(n), places) for n, (_, places) in gaps.items() if places.size}


def marked(array: NDArray[Any], places: Places) -> NDArray[Any]:
    """Write what stands for nothing into the gaps of an array, which is returned."""
    array.reshape(-1)[places] = GAP[array.dtype.name]
    return array


def read(name: str, value: Any, support: Support) -> tuple[NDArray[Any], Places]:
    """Read an entry that may have gaps.

    Parameters
    ----------
    name : str
        Of the entry, for messages.
    value : array_like
        Gaps are NaN, None or pandas.NA, and what a mask hides.
    support : Support
        Of a missing value.

    Returns
    -------
    array : ndarray of float64, or of int64 if the support is discrete
        A copy; in its gaps stands some value that is there.
    places : ndarray of int64, shape (number of gaps,)
        Where gaps are, counted through all axes.

    Raises
    ------
    ModelError
        If it comes in batches, is a number, or holds what is not whole where the support is discrete.
    """
    if isinstance(value, Feed | GeneratorAdapter) or hasattr(value, "__next__"):
        raise ModelError(
            f"missing names {name!r}, which comes in batches, and its gaps would be others in each; pass all data"
        )
    mask, array = _taken_apart(value)
    datum = convert(name, array)
    if datum.scalar:
        raise ModelError(f"missing names {name!r}, which is a number, and gaps are in arrays; make it an array")
    if support.discrete and datum.kind == "float64":
        broken = datum.array != np.round(datum.array)
        if broken.any():
            where = tuple(int(i) for i in np.argwhere(broken)[0])
            raise ModelError(
                f"data {name!r} must be whole numbers, for missing[{name!r}] is {support!r}, got "
                f"{datum.array[where]} at index {where}"
            )
    return np.array(datum.array, np.int64 if support.discrete else np.float64), np.flatnonzero(mask)


def _taken_apart(value: Any) -> tuple[NDArray[np.bool_], Any]:
    """Return where gaps are, and an array of the same shape in which they hold one of the other values."""
    hidden: Any = False
    if is_masked(value):
        hidden, value = np.ma.getmaskarray(value), value.data
    array = np.asarray(value.to_numpy(object) if is_pandas(value) else value)
    if array.dtype.kind == "f":
        mask = np.isnan(array) | hidden
    elif array.dtype.kind == "O":
        mask = np.array([is_gap(element) for element in array.ravel()], bool).reshape(array.shape) | hidden
    else:
        mask = np.zeros(array.shape, bool) | hidden
    there = array[~mask]
    plain = np.array(array)
    plain[mask] = there[0] if there.size else 0
    if array.dtype.kind == "O":
        plain = np.array(plain.ravel().tolist()).reshape(array.shape)
    return mask, plain


def support_of(name: str, support: Support, places: Places, shape: tuple[int, ...]) -> Support:
    """Return the support of the missing values of an entry.

    Parameters
    ----------
    name : str
        Of the entry, for messages.
    support : Support
        Of one value, or of one for each element of the entry.
    places : ndarray of int64
        Where they are.
    shape : tuple of int
        Of the entry.
    """
    if support.shape not in ((), shape):
        raise ModelError(
            f"missing[{name!r}] must be the support of one value, or have the shape of its data, {shape}, got "
            f"{support!r} of shape {support.shape}"
        )
    if support.shape and any(callable(bound) for _, bound in support.bounds):
        raise ModelError(
            f"missing[{name!r}] has a bound that is a function, and the shape of its data, {shape}; make it the "
            f"support of one value: the function may return shape ({places.size},), one bound for each missing value"
        )

    def chosen(bound: Any) -> Any:
        if callable(bound) or np.ndim(bound) == 0:
            return bound
        return np.broadcast_to(bound, shape).reshape(-1)[places]

    return getattr(supports, support.name)(*map(chosen, _arguments(support)), places.size)  # type: ignore[no-any-return]


def _arguments(support: Support) -> list[Any]:
    """Return the arguments before its shape by which a support was made."""
    if support.discrete:  # all its elements have the same bounds
        low, high = int(support.constants[0]), int(support.constants[-1])
        return {"binary": [], "categorical": [high + 1], "integer": [low, high]}[support.name]
    if support.name == "unit" or support.transform in _FREE:
        return []
    if support.bounds:
        return [bound for _, bound in support.bounds]
    count = math.prod(support.shape)
    return [
        support.constants[k * count : (k + 1) * count].reshape(support.shape)
        for k in range(len(_BOUNDED[support.transform]))
    ]


def with_missing(layout: Layout, data: Mapping[str, Datum], imputed: Mapping[str, Support]) -> Layout:
    """Return a layout with the missing values of entries after all other parameters; itself, if none are missing.

    Parameters
    ----------
    layout : Layout
        It may have those of other data.
    data : mapping of str to Datum
    imputed : mapping of str to Support
        Of missing values, by entry.
    """
    if not imputed:
        return layout
    names = {parameter_of(name) for name in imputed}
    rest = {name: p.support for name, p in layout.parameters.items() if name not in names}
    for name, support in imputed.items():
        if index_of(name) in data:
            places, shape = data[index_of(name)].array, data[name].array.shape
            rest[parameter_of(name)] = support_of(name, support, places, shape)
    same = {name: p.support for name, p in layout.parameters.items()} == rest
    return layout if same else Layout(rest)


def with_data(definition: Definition, new: Mapping[str, Any]) -> Definition:
    """Return a definition with other data of the same types; where these lack other values, with other parameters.

    Parameters
    ----------
    definition : Definition
    new : mapping of str to array_like
        By entry.
    """
    imputed = definition.imputed
    indices = {index_of(name) for name in imputed}
    old = {name: datum for name, datum in definition.data.items() if name not in indices}
    gaps = {name: read(name, new[name], support) for name, support in imputed.items() if name in new}
    data = replace(old, {**new, **{name: array for name, (array, _) in gaps.items()}}, definition.allow_nan)
    found = _with_gaps(gaps)
    for name in imputed:
        data[name] = found.get(name, data[name])
        index = found.get(index_of(name)) if name in gaps else definition.data.get(index_of(name))
        data |= {} if index is None else {index.name: index}
    layout = with_missing(definition.layout, data, imputed)
    return dataclasses.replace(definition, data=data, layout=layout)


def filled(data: Any, missing: Mapping[str, Places], values: Mapping[str, Any]) -> Any:
    """Return data, a named tuple, with the values of parameters in their gaps."""
    if not missing:
        return data
    whole = {}
    for name, places in missing.items():
        whole[name] = getattr(data, name).copy()
        whole[name].reshape(-1)[places] = values[parameter_of(name)]
    return data._replace(**{name: readonly(array) for name, array in whole.items()})


def tables_of(definition: Definition, contexts: int) -> list[Table]:
    """Lay out the data once for all contexts; for each, where there are gaps, which it fills in memory of its own.

    Parameters
    ----------
    definition : Definition
    contexts : int
    """
    gaps = {name: definition.data[name].array for name in definition.missing}
    if not gaps:
        return [Table(definition.data.values())]
    copies = {name: aligned(contexts, array.size, array.dtype)[:, : array.size] for name, array in gaps.items()}
    tables = []
    for k in range(contexts):
        own = {name: copies[name][k].reshape(array.shape) for name, array in gaps.items()}
        for name, array in own.items():
            array[...] = gaps[name]
        tables.append(Table(d._replace(array=own.get(n, d.array)) for n, d in definition.data.items()))
    return tables
