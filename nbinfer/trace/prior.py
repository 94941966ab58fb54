"""A trace whose draws are from the prior, with what is predicted from each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike, NDArray

from nbinfer.trace.groups import TraceGroup
from nbinfer.trace.trace import Trace


class Prior(Trace):
    """Draws from the prior.

    Parameters
    ----------
    posterior : mapping of str to ndarray, shape (chain, draw, ...)
        Of parameters and derived quantities.
    *more
        As of `Trace`.
    predictive : TraceGroup, optional
        What is predicted from each draw. It is found by its names as well, ``prior["y"]``.
    **named
        As of `Trace`.

    Examples
    --------
    >>> import numpy as np
    >>> predictive = TraceGroup("prior_predictive", {"y": np.zeros((1, 4, 3))})
    >>> prior = Prior({"mu": np.zeros((1, 4))}, predictive=predictive)
    >>> prior["y"].shape
    (1, 4, 3)
    >>> prior
    Prior: 1 chain × 4 draws
      mu  scalar  float64
    Groups: prior_predictive (y)
    """

    def __init__(
        self, posterior: Mapping[str, ArrayLike], *more: Any, predictive: TraceGroup | None = None, **named: Any
    ) -> None:
        super().__init__(posterior, *more, **named)
        self.attrs["kind"] = "prior"
        if predictive is not None:
            self.add_group(predictive)

    @property
    def predictive(self) -> TraceGroup | None:
        """Predictions, of kind "prior_predictive"; None if there are none."""
        return self.groups.get("prior_predictive")

    @property
    def group(self) -> TraceGroup:
        """The draws as a group of kind "prior", which a trace of the posterior may have beside its draws."""
        group = TraceGroup("prior", self.posterior, chain_ids=self.chain_ids, dims=self.dims, coords=self.coords)
        group.attrs |= self.attrs
        return group

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(name for name in self.predictive or {} if name.isidentifier())]

    def _stored(self, name: str) -> NDArray[Any] | None:
        array = super()._stored(name)
        return self.predictive.get(name) if array is None and self.predictive is not None else array


def class_of(attrs: Mapping[str, Any]) -> type[Trace]:
    """Return what class a trace with some attributes is of."""
    return Prior if attrs.get("kind") == "prior" else Trace
