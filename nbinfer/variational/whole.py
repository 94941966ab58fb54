"""Densities by all data where a model has them in batches: exact where these are in memory, else estimated."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.errors import StreamingError
from nbinfer.model import Model
from nbinfer.variational.densities import PLAIN, Densities
from nbinfer.variational.feeding import Feeds
from nbinfer.variational.group import Group
from nbinfer.variational.local import placed
from nbinfer.variational.nodes import with_data

Floats = NDArray[np.float64]

#: Number of the first batch that estimates are made of: no fit comes so far.
_FIRST = 2**40


def with_all_data(model: Model) -> Model:
    """Return a model with all data in the place of batches, where these are in memory; itself, if there are none.

    Parameters
    ----------
    model : Model
    """
    known = {name: feed.whole for name, feed in model.definition.feeds.items()}
    found = {name: data for name, data in known.items() if data is not None}
    if not found:
        return model
    other = Model.of(model.definition)
    other.set_data(**found)
    return other


def of_all_rows(model: Model) -> Model:
    """Return a model with all data in the place of batches; itself, if not all of them are in memory.

    Rows of a batch of one entry and all rows of another do not fit together.

    Parameters
    ----------
    model : Model
    """
    return model if any(feed.whole is None for feed in model.definition.feeds.values()) else with_all_data(model)


def of_all_data(model: Model, groups: Sequence[Group] = ()) -> Densities:
    """Return the density by all data, or an estimate by batches where not all of them are in memory.

    Parameters
    ----------
    model : Model
    groups : sequence of Group, optional
        Those of an approximation: parameters that are local have as many rows as the data then.

    Raises
    ------
    StreamingError
        If a group is local, and not all data are in memory.
    """
    model = of_all_rows(model)
    needs_rows(model, groups)
    model, _ = placed(groups, model)
    return BatchDensities(model) if model.definition.feeds else Densities(model)


def needs_rows(model: Model, groups: Sequence[Group]) -> None:
    """Raise StreamingError if a group is local, and data still come in batches: there is no value for each row then.

    Parameters
    ----------
    model : Model
    groups : sequence of Group
    """
    if model.definition.feeds and any(group.is_local for group in groups):
        raise StreamingError(
            "local parameters have a value for each row of the data, and these are not all in memory: pass the rows "
            "to predict for, sample_node(..., more_replacements={...}), or put them there by model.set_data."
        )


def to_predict(model: Model, data: Mapping[str, Any], groups: Sequence[Group]) -> tuple[Model, list[Group]]:
    """Return a model with the rows that are predicted for, which stand for themselves, and the groups there.

    Parameters
    ----------
    model : Model
    data : mapping of str to array_like
        That take the place of the model's.
    groups : sequence of Group

    Raises
    ------
    StreamingError
        If a group is local, and not all rows are in memory or given.
    """
    whole = with_all_data(model)
    if not set(data) & set(whole.definition.feeds):
        needs_rows(whole, groups)
    alone = Model.of(dataclasses.replace(whole.definition, total_size={}))
    return placed(groups, with_data(alone, data))


class BatchDensities(Densities):
    """Estimates of a density: each by a batch of its own, or by the last one of a generator.

    Their mean over draws is that of the density; each for itself is as noisy as a batch is small.

    Parameters
    ----------
    model : Model
    """

    is_exact = False

    def __init__(self, model: Model) -> None:
        self._feeds = Feeds(model)
        super().__init__(self._feeds.model)

    def at(self, positions: Floats, which: int = PLAIN, up_to_constants: bool = False) -> Floats:
        values = np.zeros(len(positions))
        for k in range(len(positions)):
            self._feeds.sample(_FIRST + k, self.bound.definition)
            values[k : k + 1] = super().at(positions[k : k + 1], which, up_to_constants)
        return values
