"""A trace whose draws are from the prior, with what is predicted from each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike, NDArray

from nbinfer.trace import Trace
from nbinfer.trace.arviz import group_attributes
from nbinfer.trace.groups import TraceGroup
from nbinfer.trace.rows import Selection


class Prior(Trace):
    """Draws from the prior.

    Parameters
    ----------
    draws : mapping of str to ndarray, shape (chain, draw, ...)
        Of parameters and derived quantities.
    predictive : TraceGroup, optional
        What is predicted from each draw.
    **more
        As of `Trace`.

    Attributes
    ----------
    predictive : TraceGroup or None
        Predictions, of kind "prior_predictive". They are found by their names as well: ``prior["y"]``.

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
    Predicted: y (3,)
    """

    def __init__(self, draws: Mapping[str, ArrayLike], *, predictive: TraceGroup | None = None, **more: Any) -> None:
        super().__init__(draws, **more)
        self.predictive = predictive

    @property
    def group(self) -> TraceGroup:
        """The draws as a group of kind "prior", which a trace of the posterior may have beside its draws."""
        group = TraceGroup("prior", self.posterior, chain_ids=self.chain_ids, dims=self.dims, coords=self.coords)
        group.attrs |= self.attrs
        return group

    def to_arviz(self) -> Any:
        """Convert to what ArviZ works with; needs ``pip install nbinfer[arviz]``.

        Returns
        -------
        tree : xarray.DataTree
            With the groups ``prior``, ``prior_predictive`` and ``observed_data``, as far as there are any.
        """
        try:
            from arviz_base import from_dict
        except ImportError as error:
            raise ImportError(
                "to_arviz needs arviz-base, which is not installed; get it with `pip install nbinfer[arviz]`"
            ) from error
        groups: dict[str, Any] = {"prior": dict(self.posterior), "prior_predictive": dict(self.predictive or {})}
        groups["observed_data"] = self.observed_data
        groups = {name: values for name, values in groups.items() if values}
        return from_dict(
            groups,
            sample_dims=["chain", "draw"],
            check_conventions=False,
            coords={"chain": self.chains} | self.coords,
            dims=self.dims,
            attrs=group_attributes(self.attrs, None, groups),
        )

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(name for name in self.predictive or {} if name.isidentifier())]

    def __repr__(self) -> str:
        lines = [super().__repr__().replace("Trace:", "Prior:", 1)]
        if self.predictive:
            predicted = (f"{name} {array.shape[2:] or 'scalar'}" for name, array in self.predictive.items())
            lines.append(f"Predicted: {', '.join(predicted)}")
        return "\n".join(lines)

    def _stored(self, name: str) -> NDArray[Any] | None:
        array = super()._stored(name)
        return self.predictive.get(name) if array is None and self.predictive is not None else array

    def _sliced(self, rows: slice) -> Trace:
        shorter = super()._sliced(rows)
        if isinstance(shorter, Prior) and self.predictive is not None:
            chosen, old = Selection(self.draws_done, rows), self.predictive
            shorter.predictive = TraceGroup(
                old.kind,
                {name: chosen.of(array) for name, array in old.items()},
                chain_ids=old.chain_ids,
                dims=old.dims,
                coords=old.coords,
                attrs=old.attrs,
                data=old.data,
            )
        return shorter
