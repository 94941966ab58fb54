"""Conversion to xarray, and so to ArviZ, whose results are trees of datasets in 0.8 and 1.x alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import choice
from nbinfer.trace import about
from nbinfer.trace.axes import axes_of, labels_along
from nbinfer.trace.checks import rows_of
from nbinfer.trace.groups import TraceGroup
from nbinfer.trace.metric import attributes
from nbinfer.trace.rows import Counts, fill_value, last_in_common

if TYPE_CHECKING:
    from nbinfer.trace.trace import Trace

#: Groups of draws, of warm-up, and of data.
DRAWN, WARM_UP = ("posterior", "sample_stats"), ("warmup_posterior", "warmup_sample_stats")
DATA = ("observed_data", "constant_data")

#: The attribute of a tree for what no file can hold as an attribute: JSON, which `from_arviz` reads.
KEPT = "nbinfer_attrs"

#: What follows the name of a group in that of the data it was computed with.
WITH_DATA = "_constant_data"

Labels = Mapping[str, NDArray[Any]]


def to_arviz(trace: Trace) -> Any:
    """Return the trace as an ``xarray.DataTree``; see `Trace.to_arviz`."""
    xarray = required("to_arviz")
    tree = {group: _dataset(xarray, *parts) for group, parts in _parts(trace).items()}
    for group in tree.keys() & {*DRAWN, *trace.groups}:
        _declare_fill(tree[group], trace.draws_done)
    if trace.attrs.get("kind") == "prior":
        tree = {"prior" if group == "posterior" else group: dataset for group, dataset in tree.items()}
    attrs = group_attributes(trace.attrs, None, ())["/"]
    kept = {name: value for name, value in trace.attrs.items() if not _is_plain(value)}
    return xarray.DataTree.from_dict({"/": xarray.Dataset(attrs=attrs | _told(kept)), **tree})


def to_xarray(trace: Trace, group: str) -> Any:
    """Return one group as an ``xarray.Dataset``; see `Trace.to_xarray`."""
    xarray = required("to_xarray")
    parts = _parts(trace)
    choice("group", group, parts)
    return _dataset(xarray, *parts[group])


def required(what: str, package: str = "xarray") -> Any:
    """Return a package, or raise ImportError that says how to get it."""
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"{what} needs {package}, which is not installed; get it with `pip install nbinfer[arviz]`"
        ) from error


def _parts(trace: Trace) -> dict[str, tuple[Any, ...]]:
    """Return values, labels along chain and draw, names and labels of other axes, and attributes, by group."""
    most, late = int(trace.draws_done.max()), last_in_common(trace.tune_done)
    arrays = {group: _cut(getattr(trace, group), most) for group in DRAWN}
    arrays |= {group: {n: late.of(array) for n, array in getattr(trace, group).items()} for group in WARM_UP}
    arrays |= {group: getattr(trace, group) for group in DATA}
    arrays = {group: values for group, values in arrays.items() if values}
    attrs = group_attributes(trace.attrs, trace.metric, arrays)
    for group in arrays.keys() & {*DRAWN}:
        attrs[group] |= _lengths(trace)
    chain = {"chain": np.array(trace.chains)}
    parts = {g: (values, {} if g in DATA else chain, trace, attrs[g]) for g, values in arrays.items()}
    for of_draws in trace.groups.values():
        parts |= parts_of_group(of_draws, most if of_draws.is_of(trace.chain_ids, rows_of(trace)) else None)
    return parts


def parts_of_group(group: TraceGroup, most: int | None = None) -> dict[str, tuple[Any, ...]]:
    """Return the same of a group, and of the data that it was computed with."""
    draws = np.array(group.draw_ids, np.int64)[:most]
    attrs = group_attributes(group.attrs, None, [group.kind, group.kind + WITH_DATA])
    kept = {name: value for name, value in group.attrs.items() if not _is_plain(value)}
    attrs[group.kind] |= _told(kept)
    labels = {"chain": np.array(group.chain_ids, np.int64), "draw": draws}
    parts = {group.kind: (_cut(group, most), labels, group, attrs[group.kind])}
    name = group.kind + WITH_DATA
    return parts | ({name: (group.data, {}, group, attrs[name])} if group.data else {})


def _dataset(xarray: Any, values: Mapping[str, NDArray[Any]], labels: Labels, named: Any, attrs: Any) -> Any:
    """Return a group; its arrays have the axes of `labels` first, chain and draw or none, and then those of `named`."""
    leading = ("chain", "draw") if labels else ()
    coords, variables = dict(labels), {}
    for name, array in values.items():
        axes = [*leading, *axes_of(name, array.ndim - len(leading), named.dims)]
        for axis, length in zip(axes, array.shape, strict=True):
            coords.setdefault(axis, labels_along(axis, length, {} if axis in leading else named.coords))
        variables[name] = (axes, array)
    return xarray.Dataset(variables, {axis: (axis, along) for axis, along in coords.items()}, attrs)


def _lengths(trace: Trace) -> dict[str, Any]:
    """Return what tells finished rows from others, if there are any."""
    done = trace.draws_done
    found: dict[str, Any] = {} if done.min() == done.max() else {"draws_done": done.tolist()}
    return found | ({"interrupted": 1} if trace.interrupted else {})


def _told(kept: Mapping[str, Any]) -> dict[str, str]:
    return {KEPT: about.to_text(dict(kept))} if kept else {}


def group_attributes(attrs: Mapping[str, Any], metric: Any, groups: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the attributes of some groups and of the whole, "/", in types that a netCDF file can hold."""
    found = {group: _storable(attrs) for group in ("/", *groups)}
    if "sample_stats" in found:
        found["sample_stats"] |= attributes(metric)
    for group in found:
        if group.endswith("_data"):
            found[group].pop("sample_dims", None)
    return found


def _cut(values: Mapping[str, NDArray[Any]], most: int | None) -> dict[str, NDArray[Any]]:
    """Leave out the rows that no chain has finished."""
    return {name: array[:, :most] for name, array in values.items()}


def _declare_fill(group: Any, done: Counts) -> None:
    """Tell a later reader of the file which integers stand for unfinished rows."""
    if done.min() == done.max():
        return
    for variable in group.data_vars.values():
        if variable.dtype.kind in "iu":
            variable.encoding["_FillValue"] = fill_value(variable.dtype)


def attributes_of(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a group as they were before a file had them."""
    found = {name: _unpacked(value) for name, value in attrs.items() if name != KEPT}
    found |= about.from_text(str(attrs.get(KEPT, "{}")))
    return found


def _unpacked(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _storable(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes in types that a netCDF file can hold."""
    return {name: _plain(value) for name, value in attrs.items() if value is not None}


def _is_plain(value: Any) -> bool:
    """Tell whether a value comes through a file as an attribute."""
    return type(value) in (str, float) or (type(value) in (int, list) and _plain(value) == value)


def _plain(value: Any) -> Any:
    if isinstance(value, str | float | np.number):
        return value
    if isinstance(value, int):  # a seed may have 128 bits
        return int(value) if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, np.ndarray):
        return value if value.dtype.kind in "iuf" and value.ndim < 2 else str(value.tolist())
    if isinstance(value, list | tuple):
        plain = [str(item) if isinstance(item, list | tuple) else _plain(item) for item in value]
        return plain if len({isinstance(item, str) for item in plain}) <= 1 else [str(item) for item in plain]
    return str(value)
