"""What every layer of a flow has: kernels that push points forward and pull gradients back, and parameters with shapes.

A layer is an invertible map of the coordinates of a row. ``int64 push(intp stack, intp own)`` writes the image ``y`` of
``x`` and the log of the size of the map's determinant. ``int64 pull(intp stack, intp own)`` finds in `adjoint` the
gradient of an objective with respect to ``y`` and in `weight` its derivative with respect to the log-determinant; it
replaces the first by the gradient with respect to ``x``, and adds to `gradient` that with respect to the parameters.
Both find everything in a record that begins with `LAYER`. The first address is that of the stack, which a layer has no
need of: kernels of all kinds have one form.

Parameters lie in memory one after the other, each with its rows as the first axis.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import count
from nbinfer.compile import Entry
from nbinfer.engine.state import State
from nbinfer.errors import ParametrizationError
from nbinfer.variational.families.family import Extent

Floats = NDArray[np.float64]
Shapes = dict[str, tuple[int, ...]]

#: Squares of norms below this have lost digits, and count as 0.
TINY = 1e-290

#: The beginning of every layer's record.
LAYER = State(
    fields={
        "n": "i8",  # coordinates
        "rows": "i8",  # rows of them
        "turn": "i8",  # how many layers of this kind come before
        "logdet": "f8",  # of the last push, summed over rows
        "weight": "f8",  # derivative of the objective with respect to that
        "parameters": "i8",  # addresses: of this layer's parameters
        "gradient": "i8",  # of theirs, which `pull` adds to
        "x": "i8",
        "y": "i8",
        "adjoint": "i8",
    }
)
Layer_ = LAYER.record


class Layer:
    """Base of the kinds of layers, which are classes: nothing is ever made of one for a fit."""

    #: Its word in a formula: lower case, without ``-``, ``*``, ``=`` and spaces.
    short_name: ClassVar[str]
    #: Fewest coordinates of a row that it makes sense for.
    least: ClassVar[int] = 1
    #: Whether it is a linear map and a shift.
    is_affine: ClassVar[bool] = False
    #: What the record holds; begins with `LAYER`.
    state: ClassVar[State] = LAYER
    push: ClassVar[Entry]
    pull: ClassVar[Entry]

    @classmethod
    def shapes(cls, width: int, turn: int = 0) -> Shapes:
        """Return names and shapes of the parameters of one row, in the order in which they lie in memory.

        Parameters
        ----------
        width : int
            Coordinates of a row.
        turn : int
            How many layers of this kind come before: layers that treat some coordinates apart take turns.
        """
        raise NotImplementedError

    @classmethod
    def parameter_names(cls) -> frozenset[str]:
        """Return the names of its parameters, by which it is found."""
        return frozenset(cls.shapes(2))

    @classmethod
    def spread(cls, width: int, turn: int = 0) -> dict[str, float]:
        """Return the standard deviations of first values by name; what is not named begins at 0."""
        return dict.fromkeys(cls.shapes(width, turn), 1.0)

    @classmethod
    def inverse(cls, y: Floats, parameters: dict[str, Floats], turn: int = 0) -> Floats:
        """Return the points whose images are given, both of shape (points, width).

        Parameters
        ----------
        y : ndarray, shape (points, width)
        parameters : dict of str to ndarray
            Those of one row.
        turn : int
            As of `shapes`.

        Raises
        ------
        NotImplementedError
            If the layer knows no way back.
        """
        raise NotImplementedError(
            f"{cls.short_name} has no inverse, so that the density is known of its own draws alone; give "
            f"{cls.__name__} the method inverse."
        )


def extent_of(dim: int, batch_size: int | None) -> Extent:
    """Return what rows of so many coordinates span; one row, if there is no number of them."""
    count("dim", dim, 1, 2**40)
    if batch_size is not None:
        count("batch_size", batch_size, 1, 2**40)
    rows = batch_size or 1
    return Extent(dim * rows, rows)


def rows_of(shape: tuple[int, ...], rows: int) -> tuple[int, ...]:
    """Return the shape of a parameter of so many rows."""
    return shape if rows == 1 else (rows, *shape)


def refuse_too_few(kind: type[Layer], width: int) -> None:
    """Raise an error if rows have too few coordinates for a kind of layer."""
    if width < kind.least:
        raise ParametrizationError(
            f"{kind.short_name} needs at least {kind.least} coordinates, got {width}; take planar, radial, "
            "scale or loc."
        )
