"""Groups: what was computed of a trace's draws, array by array beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

from nbinfer.arguments import mapping, words
from nbinfer.trace.checks import Arrays, adopted, common_shape
from nbinfer.trace.names import UnknownNameError, has, unknown

#: Groups that there may be beside those of the run, named as in the ArviZ schema.
KINDS = ("posterior_predictive", "predictions", "prior", "prior_predictive", "log_likelihood", "log_prior")


class TraceGroup(Mapping[str, NDArray[Any]]):
    """Arrays (chain, draw, ...) by name that belong to the draws of a trace.

    Parameters
    ----------
    kind : str
        What it is: "posterior_predictive", "predictions", "prior", "prior_predictive", "log_likelihood" or "log_prior".
    values : mapping of str to ndarray, shape (chain, draw, ...)
        Adopted, not copied.
    chain_ids : sequence of int, optional
        Number of each chain. Default: 0, 1, ...
    dims : mapping of str to sequence of str, optional
        Names of the axes after chain and draw.
    coords : mapping of str to sequence, optional
        Labels along named axes.
    attrs : mapping, optional
        What else there is to know.
    data : mapping of str to ndarray, optional
        Data that it was computed with, if they are others than those of the run.

    Attributes
    ----------
    kind, chain_ids, dims, coords, attrs, data
        As above.

    Examples
    --------
    >>> import numpy as np
    >>> group = TraceGroup("posterior_predictive", {"y": np.zeros((4, 100, 8))})
    >>> group["y"].shape
    (4, 100, 8)
    """

    def __init__(
        self,
        kind: str,
        values: Mapping[str, ArrayLike],
        *,
        chain_ids: Sequence[int] | None = None,
        dims: Mapping[str, Sequence[str]] | None = None,
        coords: Mapping[str, Any] | None = None,
        attrs: Mapping[str, Any] | None = None,
        data: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}.")
        self.kind = kind
        self._values: Arrays = adopted(kind, values)
        chains, _ = common_shape(kind, self._values)
        self.chain_ids = list(range(chains or 0)) if chain_ids is None else list(chain_ids)
        self.dims: dict[str, list[str]] = {name: words("dims", axes) for name, axes in mapping("dims", dims).items()}
        self.coords: dict[str, Any] = dict(mapping("coords", coords))
        self.attrs: dict[str, Any] = dict(mapping("attrs", attrs))
        self.data: dict[str, NDArray[Any]] = dict(mapping("data", data))

    def __getitem__(self, name: str) -> NDArray[Any]:
        if not has(self._values, name):
            raise UnknownNameError(unknown("variable", name, self._values))
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        lines = [f"  {name}  {values.shape}  {values.dtype}" for name, values in self.items()]
        return "\n".join([f"TraceGroup {self.kind!r}", *lines])
