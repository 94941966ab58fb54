"""The store of what is compiled: each thing has its place, named by its kind and a key.

=========  ========================================================================================
engine     machine code of C functions: the engine's own, and those of users' functions
kernels    LLVM's form of kernels, linked into new models
models     text of generated modules, a folder each, and the machine code of their C functions
facts      what one run of a model's functions showed
kinds      types of derived quantities
derived    text of derived functions and gradients
=========  ========================================================================================

A key holds a hash of everything that the thing depends on, so that what is found may be used. `nbinfer.compile.files`
guards the disk. What nobody has used for 90 days goes, and beyond 2 GB what has been unused for longest.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from nbinfer.compile import files

Kind = Literal["engine", "kernels", "models", "facts", "kinds", "derived"]

#: Bytes that the store may take, and seconds for which it keeps what nobody uses.
_MOST, _LONGEST = 2 * 10**9, 90 * 86400.0
#: Seconds between two looks at what may go.
_OFTEN = 86400.0


class Place(NamedTuple):
    """Where one compiled thing is kept.

    Attributes
    ----------
    kind : str
        One of those above: the folder.
    key : str
        The file in it: a hash of what the thing depends on, with words for readers.
    """

    kind: Kind
    key: str

    @property
    def path(self) -> Path:
        """The file, whether or not it is there."""
        return files.cache_root() / self.kind / self.key

    def read(self) -> bytes | None:
        """Return what was written; None if there is nothing, or nothing that may be used."""
        return files.read(self.path)

    def write(self, body: bytes) -> None:
        """Keep something, on disk or, where that cannot be, in this process."""
        files.write(self.path, body)
        prune()

    def read_json(self) -> Any:
        """Return what was written as JSON, None if there is nothing."""
        return files.read_json(self.path)

    def write_json(self, content: Any) -> None:
        """Keep plain data."""
        files.write_json(self.path, content)
        prune()

    def alone(self) -> AbstractContextManager[bool]:
        """Tell whether this process is to make the thing: False if another one is making it at this moment."""
        return files.alone(self.path)


def prune() -> None:
    """Remove what was unused for too long, and of the rest the longest unused while it takes too much space.

    At most once a day, by one process at a time. Nothing goes that this process uses, that another process is making
    at this moment, or that is not a file of ours in the folder of a kind.
    """
    stamp = files.cache_root() / "pruned"
    if not _is_due(stamp):
        return
    with files.alone(stamp) as alone:
        if alone:
            files.write(stamp, b"")
            if not _is_due(stamp):  # where nothing can be written, nothing is removed either
                _prune(time.time())


def _is_due(stamp: Path) -> bool:
    try:
        return not 0.0 <= time.time() - stamp.stat().st_mtime < _OFTEN
    except OSError:
        return True


def _prune(now: float) -> None:
    found = sorted(_ours())
    total = sum(size for _, size, _ in found)
    for used, size, path in found:
        if now - used <= _LONGEST and total <= _MOST:
            return
        if _removed(path):
            total -= size


def _ours() -> Iterator[tuple[float, int, Path]]:
    """List what is kept: when it was used last, its size and its file. Links lead elsewhere and are not followed."""
    waiting = [files.cache_root() / kind for kind in get_args(Kind)]
    while waiting:
        folder = waiting.pop()
        for entry in _entries(folder):
            with contextlib.suppress(OSError):  # gone meanwhile, or not for us to read
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif files.is_ours(entry):
                    status = entry.stat(follow_symlinks=False)
                    yield status.st_mtime, status.st_size, Path(entry.path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with contextlib.suppress(OSError):
        return [] if folder.is_symlink() else list(os.scandir(folder))
    return []


def _removed(path: Path) -> bool:
    """Remove a file unless it is in use, and the folder of its module with the last one; tell whether that was done."""
    if files.is_used(path):
        return False
    with files.alone(path) as alone:
        if not alone:
            return False
        try:
            path.unlink()
        except OSError:
            return False
    if path.parent.name not in get_args(Kind):
        with contextlib.suppress(OSError):  # there are others in it
            path.parent.rmdir()
    return True
