"""Definitions with another number of rows of some parameters: those of a batch of another length, or of all data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from nbinfer.errors import ModelError
from nbinfer.model.definition import Definition
from nbinfer.model.layout import Layout
from nbinfer.model.support.bounds import write_call
from nbinfer.model.support.support import Support

_MATRICES = ("cholesky_corr", "covariance")
_FREE, _BOUNDED = ("real", "positive"), ("lower", "upper", "interval")


def support_of_rows(name: str, support: Support, rows: int) -> Support:
    """Return a support whose values have another length along their first axis.

    Parameters
    ----------
    name : str
        Of the parameter, for messages.
    support : Support
    rows : int

    Raises
    ------
    ModelError
        If the elements along the first axis are not alike, or depend on each other.
    """
    shape = (rows, *support.shape[1:])
    if support.shape == shape:
        return support
    size, before = rows * (support.size // support.shape[0]), support.shape[0]
    if support.name in _FREE:
        return dataclasses.replace(support, shape=shape, size=size, typed=write_call(support.name, shape))
    if support.transform in _BOUNDED and not support.bounds:
        arguments = {"lower": "a", "upper": "b"}.get(support.transform, "ab")
        count = len(support.constants) // len(arguments)
        parts = [support.constants[k * count : (k + 1) * count].reshape(support.shape) for k in range(len(arguments))]
        if all((part == part[:1]).all() for part in parts):
            bounds = dict(zip(arguments, (np.broadcast_to(part[:1], shape) for part in parts), strict=True))
            open_ended = dataclasses.replace(support, shape=shape, size=size, bounds=tuple(bounds.items()))
            found = open_ended.at(bounds)
            return dataclasses.replace(found, typed=write_call("unit", shape)) if support.name == "unit" else found
    inner = 2 if support.name in _MATRICES else 1
    if not support.bounds and support.transform not in _BOUNDED and len(shape) > inner:
        k, count = support.constants
        return dataclasses.replace(support, shape=shape, size=size, constants=np.array([k, count // before * rows]))
    raise ModelError(
        f"{name} cannot have {rows} rows in the place of {before}: the rows of {support!r} are not alike, or depend on "
        "each other."
    )


def of_rows(definition: Definition, rows: Mapping[str, int]) -> Definition:
    """Return a definition in which some parameters have another number of rows; itself, if they have these.

    Parameters
    ----------
    definition : Definition
    rows : mapping of str to int
        By parameter.
    """
    parameters = definition.parameters
    if all(parameters[name].shape[0] == count for name, count in rows.items()):
        return definition
    supports = {
        name: support_of_rows(name, p.support, rows[name]) if name in rows else p.support
        for name, p in parameters.items()
    }
    return dataclasses.replace(definition, layout=Layout(supports))
