"""Space in a file, reserved before it is used and seen as memory."""

from __future__ import annotations

import contextlib
import errno
import math
import mmap
import os
import sys
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import memory_of_the_machine
from nbinfer.errors import BackendError

#: Bytes that a new map covers beyond what was asked for, at least, and as a share of the file: each map holds a file
#: descriptor, of which a process has a thousand, so that a thousand arrays must not have one each.
_AHEAD, _SHARE = 1 << 20, 8

#: Linux's MADV_POPULATE_READ and MADV_POPULATE_WRITE.
_READ, _WRITE = 22, 23

#: Shares of the memory of the machine: pages that are set up in advance, and those of them that are set up as if
#: written to; with more of these the system would begin to write out what is not there yet.
_SET_UP, _WRITTEN = 2, 12

_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)

_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


class Extent(NamedTuple):
    """Where an array lies in a file.

    Attributes
    ----------
    offset : int
        Of its first byte.
    shape : tuple of int
    dtype : dtype
        As it is seen, bool for what is stored as int8.
    """

    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Number of bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


class Space:
    """A file as memory: maps of all of it, or of the parts that were asked for so far.

    Parameters
    ----------
    file : file
        Open for reading, and for writing if need be. It need not keep its name.
    access : int
        ``mmap.ACCESS_WRITE``: what is written arrives in the file. ``ACCESS_READ``: nothing can be written.
        ``ACCESS_COPY``: what is written stays in this process.

    Attributes
    ----------
    file : file
        As given.
    """

    def __init__(self, file: IO[bytes], access: int = mmap.ACCESS_WRITE) -> None:
        self.file, self._access = file, access
        self._maps: list[tuple[int, mmap.mmap, NDArray[np.uint8]]] = []
        if self.length:
            self._map(0, self.length)

    @property
    def length(self) -> int:
        """Number of bytes."""
        return os.fstat(self.file.fileno()).st_size

    def lies_at(self, path: Path) -> bool:
        """Tell whether the file has that name."""
        try:
            return os.path.samestat(os.fstat(self.file.fileno()), os.stat(path))
        except FileNotFoundError:
            return False

    def seen(self, access: int) -> Space:
        """Return the same file, mapped anew."""
        return Space(self.file, access)

    def array(self, extent: Extent) -> NDArray[Any]:
        """Return the array that lies at some place; the file grows if it ends before."""
        if not extent.size:
            return np.zeros(extent.shape, extent.dtype)
        begin, end = extent.offset, extent.offset + extent.size
        memory = self._at(begin, end)
        if memory is None and self._access != mmap.ACCESS_WRITE:
            raise BackendError(f"{self.file.name} is cut short: it ends at {self.length:,} bytes, not {end:,}.")
        if memory is None:
            self._grow(begin, end)
            memory = self._at(begin, end)
        assert memory is not None
        return memory.view(extent.dtype).reshape(extent.shape)

    def reserve(self, begin: int, end: int) -> None:
        """See to it that bytes of the file are there to be written, or raise OSError with `errno` and remedy."""
        try:
            allocate(self.file.fileno(), begin, end)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise OSError(
                error.errno,
                f"{os.strerror(error.errno)}: the draws need at least {end:,} bytes there before the first one is "
                "made. Free some, choose another folder, keep fewer variables (vars=) or thin",
                str(self.file.name),
            ) from None

    def warm(self) -> None:
        """Have the system set up pages at once, as far as it can and has memory.

        Else it does so one by one, when each is written to for the first time, for several microseconds in which a
        chain may make a draw.
        """
        memory = memory_of_the_machine()
        if self.length > memory // _SET_UP:
            return
        page = mmap.ALLOCATIONGRANULARITY
        for first, pages, _ in self._maps:
            written = min(max(memory // _WRITTEN - first, 0) // page * page, len(pages))
            with contextlib.suppress(OSError, AttributeError):
                if written:
                    pages.madvise(_WRITE, 0, written)
                if written < len(pages):
                    pages.madvise(_READ, written, len(pages) - written)

    def sync(self) -> None:
        """Have the disk keep what was written."""
        os.fsync(self.file.fileno())

    def close(self) -> None:
        """Close the file; arrays stay as they are until nobody has them any more."""
        self.file.close()
        self._maps.clear()

    def _at(self, begin: int, end: int) -> NDArray[np.uint8] | None:
        for first, _, memory in self._maps:
            if first <= begin and end <= first + len(memory):
                return memory[begin - first : end - first]
        return None

    def _grow(self, begin: int, end: int) -> None:
        """Map what ends beyond the present maps, and some of what will be asked for next if the disk has it."""
        first = begin - begin % mmap.ALLOCATIONGRANULARITY
        ahead = end + max(_AHEAD, end // _SHARE)
        try:
            self.reserve(first, ahead)
        except OSError:
            ahead = end
            self.reserve(first, end)
        self._map(first, ahead)

    def _map(self, first: int, end: int) -> None:
        how: dict[str, int] = {"access": self._access}
        if self._access == mmap.ACCESS_COPY and hasattr(mmap, "MAP_PRIVATE"):  # may be larger than memory
            how = {"flags": mmap.MAP_PRIVATE | _NORESERVE, "prot": mmap.PROT_READ | mmap.PROT_WRITE}
        memory = mmap.mmap(self.file.fileno(), end - first, offset=first, **how)
        self._maps.append((first, memory, np.frombuffer(memory, np.uint8)))


def allocate(file: int, begin: int, end: int) -> None:
    """Allocate blocks of a file, which becomes longer if need be; what is in them stays."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, begin, end - begin)
        return
    at = max(begin, os.fstat(file).st_size)  # elsewhere by writing what is not there yet
    while at < end:
        at += os.pwrite(file, bytes(min(end - at, 1 << 20)), at)
