"""Groups in files, beside the draws that they were computed of."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nbinfer.errors import NbinferWarning, calls_above, unseen
from nbinfer.trace.arviz import WITH_DATA, attributes_of, parts_of_group
from nbinfer.trace.axes import is_count, not_by_custom
from nbinfer.trace.disk.contents import Beside, Contents
from nbinfer.trace.disk.layout import Draft, Pending, check_names
from nbinfer.trace.disk.space import Space
from nbinfer.trace.groups import KINDS, OF_DRAWS, TraceGroup
from nbinfer.trace.names import listed

_NOTHING = Beside({}, {}, {})


def declared(draft: Draft, group: TraceGroup, suffix: str = "") -> list[Pending]:
    """Declare a group, and that of its data; return what is to be written, and where.

    Parameters
    ----------
    draft : Draft
    group : TraceGroup
    suffix : str
        What follows the names of the groups.
    """
    found = []
    for name, (values, labels, named, attrs) in parts_of_group(group).items():
        check_names(list(values), {n: axes for n, axes in named.dims.items() if n in values})
        found += draft.group(name + suffix, values, labels, named, attrs)
    return found


def groups_of(found: Contents, space: Space) -> dict[str, TraceGroup]:
    """Return the groups that a file has beside those of its run; their arrays are read when they are used."""
    groups = {}
    for kind in KINDS:
        if kind in found.beside:
            try:
                groups[kind] = _group(kind, found, space)
            except (ValueError, TypeError) as error:
                with unseen():
                    text = f"{space.file.name} has a group {kind!r} that is none of a trace, and is left out: {error}"
                    warnings.warn(text, NbinferWarning, calls_above())
    return groups


def _group(kind: str, found: Contents, space: Space) -> TraceGroup:
    (values, beside), (data, of_data) = (_arrays(name, found, space) for name in (kind, kind + WITH_DATA))
    for name in values:
        if beside.dims[name][:2] != ["chain", "draw"]:
            raise ValueError(f"{name!r} has axes {', '.join(beside.dims[name])} and not chain and draw first.")
    coords = beside.coords | of_data.coords
    labels = {axis: coords.pop(axis, None) for axis in ("chain", "draw")}
    numbers = {axis: None if along is None else [int(n) for n in along] for axis, along in labels.items()}
    dims = {name: axes[2:] for name, axes in beside.dims.items()} | of_data.dims
    return TraceGroup(
        kind, values, chain_ids=numbers["chain"], draw_ids=numbers["draw"], dims=not_by_custom(dims),
        coords={axis: along for axis, along in coords.items() if not is_count(along)},
        attrs=attributes_of(beside.attrs), data=data,
    )  # fmt: skip


def _arrays(name: str, found: Contents, space: Space) -> tuple[dict[str, NDArray[Any]], Beside]:
    arrays = {n: space.array(extent) for n, extent in found.extents.get(name, {}).items()}
    return arrays | found.loose.get(name, {}), found.beside.get(name, _NOTHING)


def kept(groups: Mapping[str, TraceGroup], path: Path) -> dict[str, TraceGroup]:
    """Return the groups that are good for more draws, too; say which are not."""
    lost = [kind for kind in groups if kind in OF_DRAWS]
    if lost:
        with unseen():
            text = f"{path} loses the groups {listed(lost)}, which are of fewer draws; compute them anew."
            warnings.warn(text, NbinferWarning, calls_above())
    return {kind: group for kind, group in groups.items() if kind not in lost}
