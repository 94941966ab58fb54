"""Flows that are written in plain Python."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

from nbinfer.compile import floats_at, record_at
from nbinfer.engine.python_entry import PythonEntry
from nbinfer.variational.flows.flow import AbstractFlow
from nbinfer.variational.flows.layer import Floats, Layer_


class PythonFlow(AbstractFlow):  # numpydoc ignore=PR01
    """Base of flows in plain Python: slower than compiled ones by some microseconds for each draw and row.

    A subclass has `short_name`, `shapes` and these two methods, and `inverse` if it has one.
    """

    @classmethod
    def transform(cls, x: Floats, parameters: Mapping[str, Floats]) -> tuple[Floats, float]:
        """Map the coordinates of a row.

        Parameters
        ----------
        x : ndarray, shape (width,)
        parameters : mapping of str to ndarray
            Those of the row.

        Returns
        -------
        y : ndarray, shape (width,)
        logdet : float
            Log of the size of the map's determinant.
        """
        raise NotImplementedError

    @classmethod
    def pull_back(
        cls, x: Floats, to_y: Floats, weight: float, parameters: Mapping[str, Floats]
    ) -> tuple[Floats, Mapping[str, Floats]]:
        """Pull the gradient of an objective back.

        Parameters
        ----------
        x : ndarray, shape (width,)
        to_y : ndarray, shape (width,)
            With respect to the image.
        weight : float
            With respect to the log-determinant.
        parameters : mapping of str to ndarray
            Those of the row.

        Returns
        -------
        to_x : ndarray, shape (width,)
            With respect to `x`.
        to_parameters : mapping of str to ndarray
        """
        raise NotImplementedError

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.push = PythonEntry(functools.partial(_push, cls))  # type: ignore[assignment]
        cls.pull = PythonEntry(functools.partial(_pull, cls))  # type: ignore[assignment]


def _views(kind: type[PythonFlow], layer: Any, address: int) -> list[dict[str, Floats]]:
    """Return parameters or their gradients, of each row, by name."""
    rows = int(layer.rows)
    found: list[dict[str, Floats]] = [{} for _ in range(rows)]
    for name, shape in kind.shapes(int(layer.n) // rows, int(layer.turn)).items():
        size = rows * math.prod(shape)
        values = floats_at.py_func(address, size).reshape(rows, *shape)
        for row in range(rows):
            found[row][name] = values[row : row + 1].reshape(shape)
        address += 8 * size
    return found


def _push(kind: type[PythonFlow], stack_address: int, own_address: int) -> None:
    layer = record_at.py_func(own_address, Layer_)
    n = int(layer.n)
    x, y = (floats_at.py_func(int(address), n).reshape(int(layer.rows), -1) for address in (layer.x, layer.y))
    layer.logdet = 0.0
    for row, parameters in enumerate(_views(kind, layer, int(layer.parameters))):
        y[row], logdet = kind.transform(x[row].copy(), parameters)
        layer.logdet += logdet


def _pull(kind: type[PythonFlow], stack_address: int, own_address: int) -> None:
    layer = record_at.py_func(own_address, Layer_)
    n = int(layer.n)
    x, to_y = (floats_at.py_func(int(address), n).reshape(int(layer.rows), -1) for address in (layer.x, layer.adjoint))
    gradients = _views(kind, layer, int(layer.gradient))
    for row, parameters in enumerate(_views(kind, layer, int(layer.parameters))):
        to_y[row], found = kind.pull_back(x[row].copy(), to_y[row].copy(), float(layer.weight), parameters)
        for name, value in found.items():
            gradients[row][name] += value
