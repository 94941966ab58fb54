"""Local groups outside of iterations: what encoders give for some data, and a model with as many rows as these have.

With that at hand a local group is like any other that approximates row by row, and whose parameters are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import words
from nbinfer.errors import LocalGroupError
from nbinfer.model import Model
from nbinfer.model.evaluate import call, check_arguments
from nbinfer.model.rows import of_rows

Floats = NDArray[np.float64]


class Encoded(NamedTuple):
    """What the encoders of a group give for some data.

    Attributes
    ----------
    rows : int
        Of the data.
    values : dict of str to ndarray
        By parameter of the family; the first axis is that of rows.
    """

    rows: int
    values: dict[str, Floats]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Their shapes."""
        return [value.shape for value in self.values.values()]


def encoded(group: Any, model: Model) -> Encoded:
    """Run the encoders of a local group in plain Python, and check what they return.

    Parameters
    ----------
    group : Group
    model : Model
        Whose data they are given.

    Raises
    ------
    LocalGroupError
        If one returns another shape than the family needs.
    """
    values: dict[str, Floats] = {}
    rows = 0
    for name, function in group.encoders.items():
        label = _called(group, name, function)
        try:
            result = call(function, model.data_tuple)
        except Exception as error:
            error.add_note(f"raised by {label}, which is given the data {', '.join(model.definition.data)}")
            raise
        if not isinstance(result, np.ndarray) or result.dtype.kind not in "fiu":
            kind = f"dtype {result.dtype}" if isinstance(result, np.ndarray) else type(result).__name__
            raise LocalGroupError(
                f"{label} must return an array of numbers, one row for each of {group.names[0]}, got {kind}."
            )
        if not result.size:
            raise LocalGroupError(
                f"{label} must return at least one row, got shape {result.shape}; pass data with rows."
            )
        rows = rows or (result.shape[0] if result.ndim else 1)
        wanted = group.shape_of(name, rows)
        if [k for k in result.shape if k != 1] != [k for k in wanted if k != 1] or result.shape[:1] != wanted[:1]:
            raise LocalGroupError(f"{label} must return shape {wanted} for these data, got {result.shape}.")
        values[name] = np.ascontiguousarray(result, np.float64)
    return Encoded(rows, values)


def _called(group: Any, name: str, function: Any) -> str:
    """Return how messages call one of the encoders."""
    return f"{group.label} {name!r} ({getattr(function, '__name__', 'encoder')})"


def not_finite(groups: Sequence[Any], model: Model) -> str:
    """Tell which encoder gives what is not finite for the data of a model, and for which row; '' if none does."""
    for group in groups:
        for name, value in group.encoded(model).values.items() if group.is_local else ():
            rows = np.flatnonzero(~np.isfinite(value.reshape(len(value), -1)).all(axis=1))
            if rows.size:
                label, first = _called(group, name, group.encoders[name]), np.ravel(value[rows[0]])
                return f"{label} gives {first[~np.isfinite(first)][0]} for row {rows[0]} of the data"
    return ""


def check_local(group: Any, kind: Any, rowwise: bool) -> None:
    """Raise LocalGroupError if a group cannot be local.

    Parameters
    ----------
    group : object
        What names its parameters.
    kind : type
        Its family.
    rowwise : bool
        Whether it is to be rowwise, too.
    """
    if rowwise:
        raise LocalGroupError("a local group has its rows from encoders already; leave out rowwise.")
    if not kind.supports_batched:
        raise LocalGroupError(
            f"{kind.names[0]} cannot be local: it approximates no rows each for itself; take mu and rho, mu and "
            "L_tril, or those of flows."
        )
    if group is None or len(words("group", group)) != 1:
        raise LocalGroupError(f"a local group names its one parameter, got {group!r}.")


def check_encoders(given: Mapping[str, Any], local: bool) -> None:
    """Raise LocalGroupError if parameters of a local group are no functions, or those of another are.

    Parameters
    ----------
    given : mapping of str to object
        Parameters of the family.
    local : bool
    """
    for name, value in given.items():
        if callable(value) and not local:
            raise LocalGroupError(
                f"params[{name!r}] is a function: those of the data are encoders of a local group, local=True."
            )
        if local and not callable(value):
            raise LocalGroupError(
                f"params[{name!r}] of a local group must be a function f(d) of the data, got {type(value).__name__}."
            )
        if local:
            check_arguments(value, f"params[{name!r}]", ("d",), "f")


def check_rows(group: Any, model: Model) -> None:
    """Raise LocalGroupError if encoders give another number of rows than the parameter has, or would see gaps.

    Parameters
    ----------
    group : Group
        A local one.
    model : Model
    """
    if model.definition.missing:
        raise LocalGroupError(
            f"{group.names[0]} is local, and its encoders are functions of the data, of which values are missing: "
            f"{', '.join(model.definition.missing)}. Pass data without gaps, or take a group that is not local."
        )
    found, feeds = group.encoded(model), model.definition.feeds.values()
    ragged = any(feed.shape_of_all is None for feed in feeds)  # a shorter batch may come first
    if found.rows != group.extent.rows and not (ragged and found.rows < group.extent.rows):
        name, function = next(iter(group.encoders.items()))
        raise LocalGroupError(
            f"{_called(group, name, function)} must return shape {group.shape_of(name, group.extent.rows)}, a row for "
            f"each of {group.names[0]}, got {found.values[name].shape}."
        )


def placed(groups: Sequence[Any], model: Model, within: bool = False) -> tuple[Model, list[Any]]:
    """Return a model whose local parameters have as many rows as its data, and the groups as they are there.

    Parameters
    ----------
    groups : sequence of Group
    model : Model
    within : bool
        Whether there must not be more rows than those for which a fit has memory.

    Returns
    -------
    model : Model
        Itself, if no group is local or has another number of rows.
    groups : list of Group
        Of local ones, such whose parameters are what encoders give.

    Raises
    ------
    LocalGroupError
        If there are more.
    """
    if not any(group.is_local for group in groups):
        return model, list(groups)
    found = {group.names[0]: group.encoded(model) for group in groups if group.is_local}
    for group in groups if within else ():
        if group.is_local and found[group.names[0]].rows > group.extent.rows:
            raise LocalGroupError(
                f"{group.names[0]} has {group.extent.rows} rows in the model, and the data of the moment have "
                f"{found[group.names[0]].rows}: declare as many as the longest batch has, or take shorter ones."
            )
    definition = of_rows(model.definition, {name: each.rows for name, each in found.items()})
    if definition is not model.definition:
        model = Model.of(definition)
    return model, [group.over(model, found.get(group.names[0])) for group in groups]


def doubts(groups: Sequence[Any], model: Model, learns: bool) -> list[str]:
    """Return what to warn about: local parameters of batches that count for no more than these, encoders at rest.

    Parameters
    ----------
    groups : sequence of Group
    model : Model
    learns : bool
        Whether `more_obj_params` was given, or entries of the data were learnt before.
    """
    definition = model.definition
    local = [group.names[0] for group in groups if group.is_local and definition.feeds]
    rest = [group.names[0] for group in groups if group.is_local and not learns]
    return [
        f"encoders of {name} stay as they are, for the fit learns no entries of the data: pass the names of their "
        "weights, more_obj_params=[...], or more_obj_params=[] if they are to."
        for name in rest
    ] + [
        f"{name} is local, and no total_size says how many of it there are beyond a batch: its prior and its q count "
        f"for one batch alone. Pass prior={{{name!r}: f, ...}} and total_size={{{name!r}: number of all}}."
        for name in local
        if name not in definition.scales
    ]


def refuse_subsampled(groups: Sequence[Any], model: Model) -> None:
    """Raise LocalGroupError if a parameter that stands for more of its kind is in a group that is not local."""
    scales = model.definition.scales
    for group in groups:
        for name in group.names or ():
            if not group.is_local and scales.get(name, 1.0) != 1.0:
                total = model.definition.total_size[name]
                raise LocalGroupError(
                    f"{name} is in the group {group!r}, which is not local, and stands for {total} of its kind by "
                    "total_size: numbers of their own for one batch mean nothing in the next. Have encoders give them: "
                    f"nb.Group([{name!r}], params={{'mu': f, 'rho': g}}, local=True)."
                )
