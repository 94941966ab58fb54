"""Families that are written in plain Python."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nbinfer.compile import floats_at, record_at
from nbinfer.compile.forks import cached_property
from nbinfer.engine.python_entry import PythonEntry
from nbinfer.engine.state import Memory
from nbinfer.variational.families.family import ENTROPY, GROUP, Extent, Family, Floats, Group_

_ENTROPY = {number: name for name, number in ENTROPY.items()}


@dataclass(frozen=True)
class PythonFamily(Family):
    """Base of families in plain Python: slower than compiled ones by some microseconds for each draw.

    A subclass has `names`, `parameter_names`, `shapes`, `first_values`, `mean`, `cov`, and these two methods. It is
    found by name after `Group.register`.
    """

    state = GROUP
    supports_batched: ClassVar[bool] = False

    def forward(self, noise: Floats, parameters: Mapping[str, Floats]) -> tuple[Floats, float]:
        """Turn noise into a draw.

        Parameters
        ----------
        noise : ndarray, shape (n_noise,)
            Standard normal numbers.
        parameters : mapping of str to ndarray

        Returns
        -------
        z : ndarray, shape (n,)
        logq : float
            Log density of the family there.
        """
        raise NotImplementedError

    def backward(
        self, noise: Floats, grad: Floats, parameters: Mapping[str, Floats], entropy: str
    ) -> Mapping[str, Floats]:
        """Pull a gradient back to the parameters.

        Parameters
        ----------
        noise : ndarray, shape (n_noise,)
            What the draw was made of.
        grad : ndarray, shape (n,)
            Of the model's log density there.
        parameters : mapping of str to ndarray
        entropy : {'stl', 'plain', 'none'}
            What is to be added to it: minus the derivative of log q along the draw alone; minus all of that of log q;
            nothing.

        Returns
        -------
        gradient : mapping of str to ndarray
            Of the parameters.
        """
        raise NotImplementedError

    @cached_property
    def _extents(self) -> dict[int, Extent]:
        return {}

    def initialise(self, own: Memory, extent: Extent) -> None:
        super().initialise(own, extent)
        self._extents[extent.n] = extent

    def _views(self, group: Any) -> tuple[dict[str, Floats], dict[str, Floats], Floats]:
        """Return parameters, their gradients and noise."""
        extent = self._extents[int(group.n)]
        found: tuple[dict[str, Floats], dict[str, Floats]] = ({}, {})
        start = 0
        for name, shape in self.shapes(extent).items():
            size = math.prod(shape)
            for views, address in zip(found, (group.parameters, group.gradient), strict=True):
                views[name] = floats_at.py_func(int(address) + 8 * start, size).reshape(shape)
            start += size
        return *found, floats_at.py_func(int(group.noise), self.n_noise(extent))

    def _draw(self, fit_address: int, own_address: int) -> None:
        group = record_at.py_func(own_address, Group_)
        parameters, _, noise = self._views(group)
        z, logq = self.forward(noise, parameters)
        floats_at.py_func(int(group.z), int(group.n))[:] = z
        group.logq = logq

    def _pull(self, fit_address: int, own_address: int) -> None:
        group = record_at.py_func(own_address, Group_)
        parameters, gradient, noise = self._views(group)
        grad = floats_at.py_func(int(group.grad), int(group.n)).copy()
        for name, value in self.backward(noise.copy(), grad, parameters, _ENTROPY[int(group.entropy)]).items():
            gradient[name] += np.reshape(value, gradient[name].shape)

    @cached_property
    def draw(self) -> PythonEntry:  # type: ignore[override]
        return PythonEntry(self._draw)

    @cached_property
    def pull(self) -> PythonEntry:  # type: ignore[override]
        return PythonEntry(self._pull)
