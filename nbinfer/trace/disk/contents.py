"""What a file holds, as its library reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.errors import BackendError
from nbinfer.trace.arviz import WITH_DATA
from nbinfer.trace.disk.layout import NO_COORDINATE, SIZES, STATE, VERSION
from nbinfer.trace.disk.space import Extent
from nbinfer.trace.groups import KINDS
from nbinfer.whole import whole

#: Groups that were computed of draws, and their data.
BESIDE = (*KINDS, *(kind + WITH_DATA for kind in KINDS))

_UNITS = dict(days="D", hours="h", minutes="m", seconds="s", milliseconds="ms", microseconds="us", nanoseconds="ns")


class Beside(NamedTuple):
    """What is to be known of a group beside its arrays.

    Attributes
    ----------
    dims : dict of str to list of str
        For each array the names of all axes.
    coords : dict of str to ndarray
        Labels along axes that have any.
    attrs : dict
    """

    dims: dict[str, list[str]]
    coords: dict[str, NDArray[Any]]
    attrs: dict[str, Any]


class Contents(NamedTuple):
    """What a file holds.

    Attributes
    ----------
    sizes : dict of str to int
        Chains, tune, draws and thin of the run.
    run_id : str
    extents : dict of dict of Extent
        The arrays by group and name.
    loose : dict of dict of ndarray
        Arrays that others have added, in a form that cannot be seen as memory.
    beside : dict of Beside
        What else there is to know of groups that were computed of draws.
    """

    sizes: dict[str, int]
    run_id: str
    extents: dict[str, dict[str, Extent]]
    loose: dict[str, dict[str, Any]]
    beside: dict[str, Beside]


def contents(path: Path) -> Contents:
    """Return what a file holds, or raise `BackendError` if it is none of ours, or damaged."""
    h5py = whole("h5py")

    try:
        # through a file of our own: of one that is open in this process already the library would share the state,
        # which is stale once a group was added, or refuse it, if that was opened with a lock
        with open(path, "rb") as raw, h5py.File(raw, "r") as file:
            _check_version(path, file.attrs)
            found = Contents(
                {name: int(file[STATE].attrs[name]) for name in SIZES}, str(file.attrs["run_id"]), {}, {}, {}
            )
            for name, group in file.items():
                if isinstance(group, h5py.Group):
                    _read_group(found, name, group)
            return found
    except (BackendError, FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:  # the library raises of everything when it reads nonsense
        raise BackendError(f"{path} cannot be read: {_damage(path)} ({error}).") from error


def _check_version(path: Path, attrs: Mapping[str, Any]) -> None:
    if "nbinfer_file_version" not in attrs:
        raise BackendError(f"{path} was not written by nbinfer; xarray.open_datatree may open it.")
    version = int(attrs["nbinfer_file_version"])
    if version != VERSION:
        raise BackendError(
            f"{path} has version {version} of the layout, and this nbinfer reads version {VERSION}; "
            f"use a {'newer' if version > VERSION else 'older'} one, or open the file with xarray.open_datatree."
        )


def _read_group(found: Contents, name: str, group: Any) -> None:
    h5py = whole("h5py")

    extents = found.extents.setdefault(name, {})
    for variable, dataset in group.items():
        if isinstance(dataset, h5py.Dataset) and not dataset.is_scale:
            place = dataset.id.get_offset()
            kind = np.dtype(bool) if _text(dataset.attrs.get("dtype")) == "bool" else dataset.dtype
            if place is None and dataset.size:
                found.loose.setdefault(name, {})[variable] = dataset[()].astype(kind)
            else:
                extents[variable] = Extent(place or 0, dataset.shape, kind)
    if name in BESIDE:
        found.beside[name] = _beside(group, [*extents, *found.loose.get(name, ())])


def _beside(group: Any, names: Sequence[str]) -> Beside:
    """Read names of axes from the scales that are attached, labels from those that are variables, and attributes."""
    dims = {name: [_name_of(axis) for axis in group[name].dims] for name in names}
    scales = {_name_of(axis): axis[0] for name in names for axis in group[name].dims if len(axis)}
    coords = {name: _labels(scale) for name, scale in scales.items() if _is_variable(scale)}
    return Beside(dims, coords, {name: _text(value) for name, value in group.attrs.items()})


def _text(value: Any) -> Any:
    """Return an attribute, which is bytes where another library has written a text."""
    return value.decode() if isinstance(value, bytes) else value


def _name_of(axis: Any) -> str:
    return str(axis[0].name).rpartition("/")[2] if len(axis) else ""


def _is_variable(scale: Any) -> bool:
    return not bytes(scale.attrs.get("NAME", b"")).startswith(NO_COORDINATE[:30])


def _labels(scale: Any) -> NDArray[Any]:
    values: NDArray[Any] = scale[()]
    if values.dtype.kind == "O":
        return np.array([v.decode() if isinstance(v, bytes) else v for v in values.tolist()], np.str_)
    unit, since, day = str(_text(scale.attrs.get("units", ""))).partition(" since ")
    if since and unit in _UNITS:
        return np.asarray(np.datetime64(day.replace(" ", "T"), "ns") + values.astype(f"m8[{_UNITS[unit]}]"))
    return values.astype(bool) if _text(scale.attrs.get("dtype")) == "bool" else values


def _damage(path: Path) -> str:
    """Say what is wrong with a file that the library does not read."""
    with open(path, "rb") as file:
        head = file.read(8)
    if not head:
        return "it is empty"
    if head != b"\x89HDF\r\n\x1a\n":
        return "it is no HDF5 file"
    return "it is cut short or damaged"
