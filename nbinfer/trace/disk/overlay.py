"""Changing a file through a library that could lose it, so that it is changed as a whole or not at all.

The library works on an overlay: what it writes stays in memory. Then what lies behind the old end of the file is
written, which nobody looks at; and last the few bytes before it, which make it count. These are in a journal beside the
file until they are all there, so that whoever opens it next can write them once more.
"""

from __future__ import annotations

import io
import json
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nbinfer.errors import BackendError
from nbinfer.trace.disk.lock import Lock
from nbinfer.trace.disk.space import allocate

_PAGE = 4096

#: Where a file of version 0 says which version it is, and where what the library knows of ends.
_VERSION, _END = 8, 40

#: Bytes of a change: where, what was there, what is to be there.
Change = tuple[int, bytes, bytes]


class Overlay(io.RawIOBase):
    """A file that seems to be changed.

    Parameters
    ----------
    file : int
        Descriptor, open for reading and writing.

    Attributes
    ----------
    old_end : int
        Where what the library knows of ended before.
    end : int
        Where it ends now.
    """

    def __init__(self, file: int) -> None:
        self._file, self._place = file, 0
        self._pages: dict[int, bytearray] = {}
        head = os.pread(file, _END + 8, 0)
        self.old_end = self.end = int.from_bytes(head[_END:], "little")
        if len(head) < _END + 8 or head[_VERSION] != 0 or self.old_end > os.fstat(file).st_size:
            raise BackendError("its form is not the one that nbinfer writes; trace.save(path) writes another file.")

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = offset + (0, self._place, self.end)[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        for first, begin, end in self._pieces(len(view)):
            at = self._place + first
            view[first : first + end - begin] = self._page(at // _PAGE)[begin:end]
        self._place += len(view)
        return len(view)

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        for first, begin, end in self._pieces(len(view)):
            number = (self._place + first) // _PAGE
            self._pages[number] = page = self._page(number)
            page[begin:end] = view[first : first + end - begin]
        self._place += len(view)
        self.end = max(self.end, self._place)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        self.end = self._place if size is None else size
        return self.end

    def changes(self) -> list[Change]:
        """Return what is different before the old end."""
        found = []
        for number, page in sorted(self._pages.items()):
            size = min(self.old_end - number * _PAGE, _PAGE)
            old = os.pread(self._file, max(size, 0), number * _PAGE)
            if old != page[: len(old)]:
                found.append((number * _PAGE, old, bytes(page[: len(old)])))
        return found

    def write_behind(self) -> None:
        """Write what is behind the old end."""
        for number, page in self._pages.items():
            begin = max(self.old_end - number * _PAGE, 0)
            if begin < _PAGE:
                os.pwrite(self._file, page[begin : max(self.end - number * _PAGE, begin)], number * _PAGE + begin)

    def _page(self, number: int) -> bytearray:
        if number in self._pages:
            return self._pages[number]
        there = os.pread(self._file, _PAGE, number * _PAGE)
        return bytearray(there + bytes(_PAGE - len(there)))

    def _pieces(self, count: int) -> list[tuple[int, int, int]]:
        """Return the parts of the next bytes that are in one page each: where, and begin and end in the page."""
        found, first = [], 0
        while first < count:
            begin = (self._place + first) % _PAGE
            end = min(_PAGE, begin + count - first)
            found.append((first, begin, end))
            first += end - begin
        return found


def commit(path: Path, file: int, overlay: Overlay, write: Callable[[], None]) -> None:
    """Make true what an overlay has of a file, whose lock is held.

    If there is no room, OSError is raised and nothing has changed.

    Parameters
    ----------
    path : Path
    file : int
        Descriptor, open for writing.
    overlay : Overlay
    write : callable
        Writes what goes behind the old end beside what the library has written.
    """
    try:
        allocate(file, overlay.old_end, max(overlay.end, overlay.old_end + 1))
        overlay.write_behind()
        write()  # after it, whose pages may have some of the places
        os.fsync(file)
        _keep(path, overlay.changes())
    except BaseException:
        _journal(path).unlink(missing_ok=True)  # first: it speaks of what is behind the old end
        os.ftruncate(file, overlay.old_end)
        raise
    _apply(path, file)
    os.ftruncate(file, max(overlay.end, overlay.old_end))


def mend(path: Path) -> None:
    """Finish what somebody has not finished changing, unless that is still at it."""
    if not _journal(path).exists():
        return
    try:
        lock = Lock(path)
    except BackendError:
        return
    try:
        file = os.open(path, os.O_RDWR)
        try:
            _apply(path, file)
        finally:
            os.close(file)
    finally:
        lock.release()


def _journal(path: Path) -> Path:
    return Path(f"{path}.journal")


def _keep(path: Path, changes: Sequence[Change]) -> None:
    """Write a journal."""
    body = json.dumps([(at, old.hex(), new.hex()) for at, old, new in changes]).encode()
    with open(_journal(path), "wb") as file:
        file.write(zlib.crc32(body).to_bytes(4, "little") + body)
        file.flush()
        os.fsync(file.fileno())


def _apply(path: Path, file: int) -> None:
    """Write what a journal tells, if it is whole and of this file."""
    try:
        data = _journal(path).read_bytes()
    except FileNotFoundError:
        return
    changes: list[Change] = []
    if len(data) > 4 and zlib.crc32(data[4:]) == int.from_bytes(data[:4], "little"):
        changes = [(at, bytes.fromhex(old), bytes.fromhex(new)) for at, old, new in json.loads(data[4:])]
    there = [os.pread(file, len(new), at) for at, _, new in changes]
    ours = [
        len(now) == len(new) and all(b in pair for b, *pair in zip(now, old, new, strict=True))
        for now, (_, old, new) in zip(there, changes, strict=True)
    ]
    if all(ours):
        for at, _, new in changes:
            os.pwrite(file, new, at)
        os.fsync(file)
    _journal(path).unlink()
