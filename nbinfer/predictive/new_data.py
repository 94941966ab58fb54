"""Data of other lengths in the place of a model's own: checked, together with what the functions read, before a run."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from nbinfer.errors import ModelError
from nbinfer.model.arrays import check_nan
from nbinfer.model.code.of_draws import takes_generator
from nbinfer.model.data import Datum, convert
from nbinfer.model.definition import Definition
from nbinfer.model.evaluate import call
from nbinfer.model.generative.predictions import Prediction, derived, placeholder_shape, reads_values
from nbinfer.model.missing import index_of, read
from nbinfer.spelling import meant
from nbinfer.trace.names import listed

_OUT_OF_BOUNDS = re.compile(r"index (-?\d+) is out of bounds for axis \d+ with size (\d+)")


def with_new_data(
    definition: Definition, given: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]
) -> Definition:
    """Return a definition with other data, of the same types and numbers of dimensions, and without gaps.

    Parameters
    ----------
    definition : Definition
        With the model's data.
    given : mapping of str to array_like
        The new entries.
    functions : mapping of str to callable
        That will run with them: observed entries that they predict get the lengths that predictions will have.

    Raises
    ------
    ModelError
        If an entry is unknown, or another kind of thing.
    """
    places = [index_of(name) for name in definition.missing]
    unknown = [name for name in given if name not in definition.data or name in places]
    if unknown:
        raise ModelError(
            f"data names {listed(map(repr, unknown))}, which {definition.title} has no data of; it has "
            f"{listed(name for name in definition.data if name not in places)}.{meant(unknown[0], definition.data)}"
        )
    new = {name: _converted(definition, definition.data[name], value) for name, value in given.items()}
    return _with_placeholders(definition, {**definition.data, **new}, given, functions)


def _without_old_gaps(definition: Definition, data: Mapping[str, Datum]) -> Definition:
    """Return a definition with other data, where entries that are new have no gaps: no draw has values for them."""
    gone = [index_of(name) for name in definition.missing if data[name] is not definition.data[name]]
    kept = {name: datum for name, datum in data.items() if name not in gone}
    return dataclasses.replace(definition, data=kept)


def _converted(definition: Definition, old: Datum, value: Any) -> Datum:
    if old.name in definition.imputed:
        value, places = read(old.name, value, definition.imputed[old.name])
        if places.size:
            raise ModelError(
                f"data {old.name!r} must have no gaps, got {places.size}: draws have values for those of the model's "
                f"own data only. Leave {old.name} out where it is predicted, or fill them"
            )
    new = convert(old.name, value, True)
    if new.kind == "int64" and old.kind == "float64":
        new = new._replace(array=new.array.astype(np.float64))
    if new.feed is not None or new.key != old.key:
        same = new.array.ndim == old.array.ndim
        remedy = "convert it" if same else f"it must have {old.array.ndim} axes, also for one row"
        raise ModelError(f"data {old.name!r} must be like {old!r}, with any lengths, got {new!r}; {remedy}")
    if old.name not in definition.allow_nan:
        check_nan(old.name, new.array)
    return new


def _with_placeholders(
    old: Definition, data: dict[str, Datum], given: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]
) -> Definition:
    """Return a definition where entries that are predicted, and were not given, have the lengths of predictions.

    Where a function that the user wrote reads the values of the entry of its name, the entry stays.
    """
    new = _without_old_gaps(old, data)
    for name, f in functions.items():
        if name not in data or name in given or (name in old.predict and reads_values(f, name)):
            continue
        try:
            shape = placeholder_shape(old, new, name)
        except (ModelError, IndexError):
            if name in old.predict:  # it knows its own lengths
                continue
            _look_for_the_cause(old, new, name)
            raise
        if shape != data[name].array.shape or data[name].feed is not None:
            array = np.zeros(shape, data[name].array.dtype)
            data = {**data, name: data[name]._replace(array=array, feed=None, shape_of_all=None)}
    return _without_old_gaps(old, data)


def _look_for_the_cause(old: Definition, new: Definition, name: str) -> None:
    """Raise what is wrong with new data, where it is for this that an entry has no shape with them."""
    prediction = derived(old).get(name)
    if isinstance(prediction, Prediction):
        values = old.constrain(np.zeros(old.dim))
        lengths = {name: f"has the lengths of {name!r} in it: give it with the new data; only its shape counts"}

        def computed(p: Any, d: Any) -> int:
            return len(prediction.parameters(p, d))

        check_reading(old, new, {name: computed}, lambda name: f"predict {name!r}", values, lengths)


def check_reading(
    old: Definition,
    new: Definition,
    functions: Mapping[str, Callable[..., Any]],
    label: Callable[[str], str],
    values: Mapping[str, Any],
    refused: Mapping[str, str] = {},
) -> dict[str, tuple[int, ...]]:
    """Run functions once with new data, and see that they read no entry that should have been given, too.

    An entry that is as long as another was that is now of another length belongs with that one.

    Parameters
    ----------
    old, new : Definition
        With the model's data, and with others.
    functions : mapping of str to callable
    label : callable
        From a name to how messages call the function.
    values : mapping
        Of all parameters.
    refused : mapping of str to str
        More entries that must not be read, and what to say then.

    Returns
    -------
    shapes : dict of str to tuple of int
        Of the new entries and of what the functions return.

    Raises
    ------
    ModelError
        If one of them reads such an entry.
    IndexError
        If an entry holds an index that is out of range.
    """
    given = [name for name in new.data if new.data[name] is not old.data[name]]
    left = {**_left_behind(old, new, given), **refused}
    shapes = {name: new.data[name].array.shape for name in given}
    for name, f in functions.items():
        p, data = new.arguments(values)
        rng = [np.random.Generator(np.random.Philox(key=5))] if takes_generator(f) else []
        try:
            shapes[name] = np.shape(call(f, p, _guarded(data, left, label(name)), *rng))
        except Exception as error:
            shown = listed(f"{entry} {new.data[entry].array.shape}" for entry in given)
            error.add_note(f"in {label(name)} with the new data {shown}")
            raise _explained(error, label(name), {entry: new.data[entry] for entry in given}) from None
    return shapes


def _left_behind(old: Definition, new: Definition, given: Collection[str]) -> dict[str, str]:
    """Return the entries that belong with others that have another length now, and what to say of each."""
    batches = [name for name, datum in new.data.items() if datum.feed is not None]
    found = {name: f"reads data {name!r}, which comes in batches: give it, too" for name in batches}
    for name, datum in old.data.items():
        for other in given if name not in given and datum.array.ndim else ():
            before, now = old.data[other].array.shape[:1], new.data[other].array.shape[:1]
            if before == datum.array.shape[:1] != now:
                found[name] = (
                    f"reads data {name!r}, which has {before[0]} rows as {other!r} had; {other!r} now has {now[0]}: "
                    f"give {name!r}, too, data={{{other!r}: ..., {name!r}: ...}}"
                )
    return found


def _guarded(data: Any, left: Mapping[str, str], label: str) -> Any:
    """Return data that refuse to give what was left behind."""

    def refuse(message: str) -> property:
        def get(self: Any) -> Any:
            raise ModelError(f"{label} {message}")

        return property(get)

    kind = type(data)
    guards = {name: refuse(message) for name, message in left.items()}
    return type(kind.__name__, (kind,), {"__slots__": (), **guards})(*data)


def _explained(error: Exception, label: str, data: Mapping[str, Datum]) -> Exception:
    """Return an error that says which entry of the data holds an index out of range, and in which row, if one does."""
    found = _OUT_OF_BOUNDS.search(str(error)) if isinstance(error, IndexError) else None
    index, size = (int(found[1]), int(found[2])) if found else (0, 0)
    for name, datum in data.items() if found else ():
        if datum.kind == "int64" and (datum.array == index).any():
            place = "" if datum.scalar else f" in row {', '.join(map(str, np.argwhere(datum.array == index)[0]))}"
            return IndexError(
                f"{label}: data {name!r} holds {index}{place}, an index into {size} elements: it must be from 0 to "
                f"{size - 1}"
            )
    return error
