"""Conversion to ArviZ; the same call serves arviz-base 0.8 and 1.x."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.trace.metric import attributes
from nbinfer.trace.rows import Counts, fill_value, last_in_common

if TYPE_CHECKING:
    from nbinfer.trace.trace import Trace

_DRAWN, _WARM_UP = ("posterior", "sample_stats"), ("warmup_posterior", "warmup_sample_stats")


def to_arviz(trace: Trace) -> Any:
    """Return the trace as an ``xarray.DataTree``; see `Trace.to_arviz`."""
    try:
        from arviz_base import from_dict
    except ImportError as error:
        raise ImportError(
            "to_arviz needs arviz-base, which is not installed; get it with `pip install nbinfer[arviz]`"
        ) from error
    groups = {group: _rows(getattr(trace, group), trace.draws_done) for group in _DRAWN}
    groups |= {group: _last_rows(getattr(trace, group), trace.tune_done) for group in _WARM_UP}
    groups["observed_data"] = trace.observed_data
    groups = {group: values for group, values in groups.items() if values}
    tree = from_dict(
        groups,
        sample_dims=["chain", "draw"],
        save_warmup=True,
        check_conventions=False,  # it takes a run of fewer draws than chains for one whose axes are swapped
        coords={"chain": trace.chains} | trace.coords,
        dims=trace.dims,
        attrs=group_attributes(trace.attrs, trace.metric, groups),
    )
    for group in set(groups) & set(_DRAWN):
        _declare_fill(tree[group], trace.draws_done)
    return tree


def group_attributes(attrs: Mapping[str, Any], metric: Any, groups: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the attributes of some groups and of the whole, "/", in types that a netCDF file can hold."""
    found = {group: _storable(attrs) for group in ("/", *groups)}
    if "sample_stats" in found:
        found["sample_stats"] |= attributes(metric)
    if "observed_data" in found:
        found["observed_data"].pop("sample_dims", None)
    return found


def _rows(values: Mapping[str, NDArray[Any]], done: Counts) -> dict[str, NDArray[Any]]:
    """Leave out the rows that no chain has finished."""
    return {name: array[:, : int(done.max())] for name, array in values.items()}


def _last_rows(values: Mapping[str, NDArray[Any]], done: Counts) -> dict[str, NDArray[Any]]:
    """Leave out the first rows of whoever has more than others: what is left of warm-up leads up to the draws."""
    chosen = last_in_common(done)
    return {name: chosen.of(array) for name, array in values.items()}


def _declare_fill(group: Any, done: Counts) -> None:
    """Tell a later reader of the file which integers stand for unfinished rows."""
    if done.min() == done.max():
        return
    for variable in group.data_vars.values():
        if variable.dtype.kind in "iu":
            variable.encoding["_FillValue"] = fill_value(variable.dtype)


def _storable(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes in types that a netCDF file can hold."""
    return {name: _plain(value) for name, value in attrs.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, str | float | np.number):
        return value
    if isinstance(value, int):  # a seed may have 128 bits
        return int(value) if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, np.ndarray):
        return value if value.dtype.kind in "iuf" else str(value.tolist())
    if isinstance(value, list | tuple):
        plain = [_plain(item) for item in value]
        return plain if len({isinstance(item, str) for item in plain}) <= 1 else [str(item) for item in plain]
    return str(value)
