"""Formulas: flows on top of each other, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nbinfer.arguments import mapping
from nbinfer.errors import ParametrizationError
from nbinfer.random import generator, key_of, seed_sequences
from nbinfer.variational.flows.flow import AbstractFlow
from nbinfer.variational.flows.layer import extent_of, refuse_too_few, rows_of
from nbinfer.variational.flows.registry import flow_for_params, flow_for_short_name, known_flows

#: Largest number behind a word.
MOST = 1000


class Formula:
    """Flows one after the other: words with ``-`` between them, ``*`` and a number behind one that is repeated.

    Parameters
    ----------
    formula : str
        Such as ``'scale-hh*4-loc'``; spaces and capitals mean nothing. The first flow sees the noise.

    Attributes
    ----------
    formula : str
        As it was understood.
    flows : tuple of type
        The kind of each flow.

    Raises
    ------
    ParametrizationError
        If it is empty, has another form, or names a flow that there is not.

    Examples
    --------
    >>> from nbinfer.variational.flows import Formula
    >>> flow = Formula("planar*2 - scale-loc")(dim=3, random_seed=1)
    >>> flow.formula, flow.forward.shape
    ('planar-planar-scale-loc', (3,))
    """

    def __init__(self, formula: str) -> None:
        if not isinstance(formula, str):
            raise TypeError(
                f"the formula of a flow must be a str such as 'scale-hh*4-loc', got {type(formula).__name__}."
            )
        self.formula = "".join(formula.lower().split())
        if not self.formula:
            raise ParametrizationError(
                f"the formula of a flow must name one of {known_flows()} at least, got an empty one."
            )
        found: list[type[AbstractFlow]] = []
        for part in self.formula.split("-"):
            name, times, number = part.partition("*")
            if not name or (times and not (number.isascii() and number.isdigit() and 0 < int(number) <= MOST)):
                raise ParametrizationError(
                    f"Wrong format of {part!r} in the formula {formula!r}: write words with - between them, and "
                    f"* and a number up to {MOST} behind one that is repeated, such as 'scale-hh*4-loc'."
                )
            found += [flow_for_short_name(name)] * (int(number) if times else 1)
        self.flows = tuple(found)

    @classmethod
    def of_params(cls, params: Mapping[Any, Any]) -> Formula:
        """Return the formula of parameters that a user gives, layer by layer.

        Parameters
        ----------
        params : mapping of int to mapping
            The parameters of layers 0, 1, ..., by name.

        Raises
        ------
        ParametrizationError
            If a number is missing, or the names of a layer are those of no flow.
        """
        given = mapping("params", params)
        if not seems_like_flow_params(given) or set(given) != set(range(len(given))):
            last = max([0, len(given) - 1, *filter(_is_layer, given)])
            raise ParametrizationError(
                f"params of a flow need the keys 0, 1, ..., {last}, one for each layer; got "
                f"{', '.join(map(str, given)) or 'none'}."
            )
        return cls("-".join(flow_for_params(given[k]).short_name for k in range(len(given))))

    def get_param_spec_for(self, dim: int, batch_size: int | None = None) -> dict[int, dict[str, tuple[int, ...]]]:
        """Return names and shapes of parameters, by layer.

        Parameters
        ----------
        dim : int
            Coordinates of a row.
        batch_size : int, optional
            Number of rows that have parameters of their own.

        Returns
        -------
        shapes : dict of int to dict

        Raises
        ------
        ParametrizationError
            If a flow needs more coordinates.
        """
        extent = extent_of(dim, batch_size)
        found = {}
        for k, kind in enumerate(self.flows):
            refuse_too_few(kind, dim)
            shapes = kind.shapes(dim, self.flows[:k].count(kind))
            found[k] = {name: rows_of(shape, extent.rows) for name, shape in shapes.items()}
        return found

    def __call__(
        self,
        z0: ArrayLike | None = None,
        dim: int | None = None,
        jitter: float = 1.0,
        params: Mapping[int, Mapping[str, Any]] | None = None,
        batch_size: int | None = None,
        local: bool = False,
        random_seed: Any = None,
    ) -> AbstractFlow:
        """Put the flows on top of each other.

        Parameters
        ----------
        z0 : array_like, optional
            Points, shape (..., dim) or (..., batch_size, dim). Default: the point 0.
        dim : int, optional
            Coordinates of a row. Default: those of `z0`.
        jitter : float
            Standard deviation of first values.
        params : mapping of int to mapping, optional
            The parameters of each layer.
        batch_size : int, optional
            Number of rows that have parameters of their own.
        local : bool
            Whether the rows are those of a batch, see `AbstractFlow`.
        random_seed : None, int, SeedSequence or Generator
            Of first values.

        Returns
        -------
        flow : AbstractFlow
            The last one.

        Raises
        ------
        ParametrizationError
            If `params` are others than those of the formula.
        """
        if params is not None and self.of_params(params).flows != self.flows:
            raise ParametrizationError(
                f"params are those of {self.of_params(params).formula!r}, and the formula is {self.formula!r}."
            )
        rng = None if params is not None else generator(key_of(seed_sequences(random_seed, 1)[0]))
        below: Any = z0
        for k, kind in enumerate(self.flows):
            given = None if params is None else params[k]
            below = kind(below, dim, jitter, given, batch_size, local, rng)
        return below  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"Formula({self.formula!r})"


def seems_like_formula(formula: Any) -> bool:
    """Tell whether something is a formula whose words are all known.

    Parameters
    ----------
    formula : object

    Returns
    -------
    whether : bool
    """
    try:
        Formula(formula)
    except (TypeError, ParametrizationError):
        return False
    return True


def seems_like_flow_params(params: Any) -> bool:
    """Tell whether parameters are meant to be those of flows: a mapping whose keys are all integers.

    Parameters
    ----------
    params : object

    Returns
    -------
    whether : bool
    """
    return isinstance(params, Mapping) and bool(params) and all(map(_is_layer, params))


def _is_layer(key: Any) -> bool:
    return type(key) is int or isinstance(key, np.integer)
