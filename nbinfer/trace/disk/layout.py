"""How a trace lies in a file: HDF5 that is netCDF-4, in the groups of the ArviZ schema.

Every array is contiguous and has its place as soon as it is declared, so that it can be written and read as memory,
with no library between. Readers are netCDF-C and h5netcdf besides h5py; what they can and cannot read decides here:

- Groups and datasets keep the order of creation, or netCDF-C can add nothing to them.
- The version of the file's superblock is 0. Newer ones are marked as open for writing, for ever if a process dies.
- Booleans are int8 with an attribute that says so. Complex numbers and float16 have no netCDF type.
- No integer has a fill value, which would make it a float to xarray. What is unfinished is told by the counters.
- Attributes are text, numbers, or flat lists of one of them.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nbinfer.trace.axes import axes_of, labels_along
from nbinfer.trace.disk.space import Extent
from nbinfer.whole import whole

#: Of this layout; a file of another version is refused.
VERSION = 1

#: The group of what is no part of a trace: words of the chains, and texts.
STATE = "sampling_state"

#: Arrays of our own there: the texts, and whether the run came to its end.
NOTES, FINISHED = "notes", "finished"

#: Attributes of that group.
SIZES = ("chains", "tune", "draws", "thin")

#: Where things begin in a file: at multiples of a cache line.
_LINE = 64

#: Attributes of a group that lie side by side; more than that would be moved elsewhere when one is added.
_MOST_ATTRIBUTES = 1000

#: Arrays by name.
Arrays = Mapping[str, NDArray[Any]]

#: A place, and what is to be written there.
Pending = tuple[Extent, NDArray[Any]]

#: What the library calls a dimension without labels.
NO_COORDINATE = b"This is a netCDF dimension but not a netCDF variable.%10d"


def refusal(name: str) -> str | None:
    """Return what keeps a name out of a netCDF file, or None."""
    if not name or name in (".", ".."):
        return "is no name"
    if "/" in name or not name.isprintable():
        return "has a slash or a character that cannot be printed"
    if name != name.rstrip():
        return "ends in a blank"
    if name.startswith("_nc4_non_coord_"):
        return "begins as names of netCDF's own do"
    if name in ("chain", "draw"):
        return "is that of an axis"
    return None


def check_names(names: Sequence[str], dims: Mapping[str, Sequence[str]] | None = None) -> None:
    """Raise ValueError if variables of these names cannot stand beside each other in a file."""
    taken = {axis: name for name in names for axis in _axes(name, (dims or {}).get(name), names)}
    for name in names:
        why = refusal(name) or (f"is that of an axis of {taken[name]!r}" if name in taken else None)
        if why:
            raise ValueError(
                f"a netCDF file cannot hold the variable {name!r}: its name {why}. Rename it, or leave it out."
            )


def _axes(name: str, dims: Sequence[str] | None, names: Sequence[str]) -> list[str]:
    """Return the names of a variable's axes; without dims those that others have of the form it would get."""
    return list(dims) if dims else [n for n in names if n.startswith(f"{name}_dim_") and n[len(name) + 5 :].isdigit()]


class Named(Protocol):
    """What has names of axes, and labels along them."""

    dims: Any
    coords: Any


class Draft:
    """A file in the making, open in the HDF5 library until it is done.

    Parameters
    ----------
    file : h5py.File
    """

    def __init__(self, file: Any) -> None:
        h5py = whole("h5py")

        self._h5, self._file = h5py, file
        self._groups: dict[str, Any] = {}
        self._users: dict[str, list[tuple[Any, int]]] = {}  # by dimension: datasets that have it, and their axes

    @classmethod
    def new(cls, path: Path, attrs: Mapping[str, Any]) -> Draft:
        """Return a new file with some attributes."""
        h5py = whole("h5py")

        create, access = h5py.h5p.create(h5py.h5p.FILE_CREATE), h5py.h5p.create(h5py.h5p.FILE_ACCESS)
        _in_order(create)
        access.set_libver_bounds(h5py.h5f.LIBVER_EARLIEST, h5py.h5f.LIBVER_V110)
        access.set_alignment(1, _LINE)
        access.set_file_locking(False, True)
        access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
        draft = cls(h5py.File(h5py.h5f.create(os.fsencode(path), h5py.h5f.ACC_EXCL, create, access)))
        draft.describe("/", attrs)
        return draft

    @classmethod
    def more(cls, raw: IO[bytes] | io.RawIOBase) -> Draft:
        """Return a file that there is, to which groups are added."""
        h5py = whole("h5py")

        how: dict[str, Any] = {"alignment_threshold": 1, "alignment_interval": _LINE}
        return cls(h5py.File(raw, "r+", libver=("earliest", "v110"), **how))

    def group(self, name: str, values: Arrays, labels: Arrays, named: Named, attrs: Mapping[str, Any]) -> list[Pending]:
        """Declare a group whose arrays are known; return what is to be written, and where.

        Parameters
        ----------
        name : str
        values : mapping of str to ndarray
        labels : mapping of str to ndarray
            Along axes that all arrays have first.
        named : Named
            Names of the others, and labels along them.
        attrs : mapping
        """
        found: list[Pending | None] = []
        for variable, array in values.items():
            axes = [*labels, *axes_of(variable, array.ndim - len(labels), named.dims)]
            for axis, count in zip(axes, array.shape, strict=True):
                found.append(self.labels(name, axis, labels_along(axis, count, {**named.coords, **labels})))
            found.append((self.dataset(name, variable, axes, array.shape, array.dtype), array))
        self._group(name)  # there may be no array
        self.describe(name, attrs)
        return [pending for pending in found if pending is not None]

    def remove(self, group: str) -> None:
        """Take a group away, if there is one; its room is not used again."""
        if group in self._file:
            del self._file[group]

    def dataset(self, group: str, name: str, dims: Sequence[str], shape: Sequence[int], dtype: DTypeLike) -> Extent:
        """Declare an array and return its place; dimensions that are new are made, without labels."""
        kind, shape = np.dtype(dtype), tuple(int(n) for n in shape)
        stored = np.dtype(np.int8) if kind.kind == "b" else kind
        if kind.kind not in "biuf" or kind.itemsize not in (1, 2, 4, 8) or kind == np.float16:
            raise TypeError(
                f"a netCDF file cannot hold {name!r}, an array of {kind}; it holds booleans, whole numbers, "
                "float32 and float64. Of complex numbers keep the parts as two variables."
            )
        creation = self._h5.h5p.create(self._h5.h5p.DATASET_CREATE)
        creation.set_layout(self._h5.h5d.CONTIGUOUS)
        creation.set_alloc_time(self._h5.h5d.ALLOC_TIME_EARLY)
        creation.set_fill_time(self._h5.h5d.FILL_TIME_NEVER)
        creation.set_attr_creation_order(self._h5.h5p.CRT_ORDER_TRACKED | self._h5.h5p.CRT_ORDER_INDEXED)
        where = self._group(group)
        extents = [self._dimension(group, *dim) for dim in zip(dims, shape, strict=True) if dim[0] != name]
        space = self._h5.h5s.create_simple(shape) if shape else self._h5.h5s.create(self._h5.h5s.SCALAR)
        made = self._h5.Dataset(
            self._h5.h5d.create(where.id, name.encode(), self._h5.h5t.py_create(stored), space, creation)
        )
        self._attach(made, extents)
        if kind.kind == "b":
            made.attrs["dtype"] = "bool"
        return Extent(made.id.get_offset() or 0, shape, kind)

    def labels(self, group: str, name: str, values: NDArray[Any]) -> Pending | None:
        """Declare a dimension with labels; return their place and the numbers still to be written there."""
        if name in self._group(group):
            return None
        dates = values.dtype.kind == "M"
        numbers = values.astype("M8[ns]").astype(np.int64) if dates else values
        if numbers.dtype.kind in "biuf":
            extent = self.dataset(group, name, [name], numbers.shape, numbers.dtype)
        else:
            texts = [str(value) for value in values.tolist()]
            self._group(group).create_dataset(name, data=texts, dtype=self._h5.string_dtype(), track_order=True)
        made = self._group(group)[name]
        if dates:
            made.attrs["units"], made.attrs["calendar"] = "nanoseconds since 1970-01-01", "proleptic_gregorian"
        made.make_scale(name)
        return (extent, numbers) if numbers.dtype.kind in "biuf" else None

    def describe(self, group: str, attrs: Mapping[str, Any]) -> None:
        """Write attributes of a group."""
        where = self._file if group == "/" else self._group(group)
        for name, value in attrs.items():
            where.attrs[name] = value

    def done(self, renamed: Mapping[str, str] | None = None) -> None:
        """Write what the library still holds, give groups other names, and let go of the file."""
        kind = np.dtype([("dataset", self._h5.ref_dtype), ("dimension", np.int32)])
        for scale, users in self._users.items():
            self._file[scale].attrs.create("REFERENCE_LIST", np.array(users, kind))
        for name, final in (renamed or {}).items():
            self.remove(final)
            self._file.move(name, final)
        self._file.flush()
        self._file.close()

    def abandon(self) -> None:
        """Let go of a file that nobody wants; on a full disk the library complains, and nothing is lost."""
        with contextlib.suppress(Exception):
            self._file.close()

    def _group(self, name: str) -> Any:
        if name not in self._groups:
            creation = self._h5.h5p.create(self._h5.h5p.GROUP_CREATE)
            _in_order(creation)
            self._groups[name] = self._h5.Group(self._h5.h5g.create(self._file.id, name.encode(), gcpl=creation))
        return self._groups[name]

    def _attach(self, dataset: Any, scales: Sequence[Any]) -> None:
        """Tell a dataset its dimensions; the way back, from them to it, is written at the end.

        The library's own function rewrites the way back each time, whose bytes grow with the square of how many there
        are.
        """
        if scales:
            references = np.empty(len(scales), object)
            for axis, scale in enumerate(scales):
                references[axis] = np.array([scale.ref], self._h5.ref_dtype)
                self._users.setdefault(scale.name, []).append((dataset.ref, axis))
            dataset.attrs.create("DIMENSION_LIST", references, dtype=self._h5.vlen_dtype(self._h5.ref_dtype))

    def _dimension(self, group: str, name: str, size: int) -> Any:
        where = self._group(group)
        if name not in where:
            made = where.create_dataset(name, (size,), np.int8, track_order=True)  # nothing is ever written
            made.make_scale(NO_COORDINATE % size)
        return where[name]


def _in_order(creation: Any) -> None:
    h5py = whole("h5py")

    order = h5py.h5p.CRT_ORDER_TRACKED | h5py.h5p.CRT_ORDER_INDEXED
    creation.set_link_creation_order(order)
    creation.set_attr_creation_order(order)
    creation.set_attr_phase_change(_MOST_ATTRIBUTES, 0)


def update_attributes(raw: IO[bytes], attrs: Mapping[str, Mapping[str, Any]]) -> None:
    """Overwrite attributes of groups in place, those that are numbers and keep their size; others stay as they are.

    Nothing moves and nothing grows: the library writes single pages, each of which is whole before and after. It does
    so through a file of ours, open without a buffer: its own would be locked where HDF5_USE_FILE_LOCKING says so,
    against readers too.
    """
    h5py = whole("h5py")

    with h5py.File(raw, "r+", libver=("earliest", "v110")) as file:
        for group, values in attrs.items():
            for name, value in values.items():
                array = np.asarray(value)
                if group in file and name in file[group].attrs and array.dtype.kind in "if":
                    there = h5py.h5a.open(file[group].id, name.encode())
                    if there.shape == array.shape and there.dtype == array.dtype:
                        there.write(np.array(array))
