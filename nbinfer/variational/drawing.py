"""Draws of approximations with local groups: for all rows of the data, outside of fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nbinfer.engine.jobs import Jobs
from nbinfer.model import Model
from nbinfer.variational.fitting import Fitting, Settings
from nbinfer.variational.group import Group


class Drawing(Fitting):
    """Memory for draws from groups that hold all they need; it leaves their parameters where they are.

    Parameters
    ----------
    model : Model
        Of which the layout counts.
    groups : sequence of Group
        None of them local.
    sequence : SeedSequence
    settings : Settings
    """

    densities: Any = None

    def __init__(
        self, model: Model, groups: Sequence[Group], sequence: np.random.SeedSequence, settings: Settings
    ) -> None:
        super().__init__(model, groups, [], sequence, settings)

    def _read_data(self) -> None:
        """Bind nothing: no density is asked for."""

    def hold_parameters(self) -> None:
        for shared, memory in self._views:
            memory[...] = shared.get_value(borrow=True)

    def connect(self) -> None:
        Jobs.connect(self)
        self.connect_groups()
        for k, group in enumerate(self.groups):
            self.own(k).weight = group.weight
