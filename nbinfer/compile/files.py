"""The cache on disk: files that are whole and this user's own, or that are not there.

What `nbinfer.compile.store` keeps is read and written here. Each file begins with a line that holds the checksum of the
rest; when it was changed last tells, within a day, when it was used last. Nothing about a cache ever ends a run: what
cannot be read is made anew, and what cannot be written is remembered by this process. Loading compiled code runs it; so
nothing is read from a folder, or from a file, that somebody else owns or may write to.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import logging
import os
import stat
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows: each process compiles for itself
    fcntl = None

_OURS = b"# nbinfer "
_HEAD = _OURS + b"2 "
#: What could not be written.
_REMEMBERED: dict[Path, bytes] = {}
#: Why, if that was said.
_TOLD: list[str] = []
#: What this process has read or written.
_USED: set[Path] = set()
#: Seconds within which the time of last use is right.
_DAY = 86400.0
#: No file can be there: where there is no folder to use.
_NOWHERE = Path(os.devnull) / "nbinfer"
#: A pipe in a file's place must not make us wait for whoever writes to it.
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)

_log = logging.getLogger(__name__)


def _user_cache() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "nbinfer"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "nbinfer" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nbinfer"


@functools.cache
def cache_root() -> Path:
    """Return the folder of all compiled code: ``NBINFER_CACHE_DIR``, or the user's cache folder.

    It need not exist, and it need not be writable. A folder that others may write to is not used.
    """
    try:
        root = Path(os.path.abspath(os.environ.get("NBINFER_CACHE_DIR") or _user_cache()))
        with contextlib.suppress(FileNotFoundError):
            if not _is_own(root.stat()):
                raise PermissionError(f"{root} must belong to you and be writable by nobody else (chmod 700)")
    except (OSError, RuntimeError, ValueError) as reason:  # RuntimeError: there is no home
        _tell(reason)
        return _NOWHERE
    return root


def _tell(reason: object) -> None:
    """Say once why compiled code is not kept."""
    if not _TOLD:
        _TOLD.append(str(reason))
        _log.warning("compiled code is not kept: %s. Set NBINFER_CACHE_DIR to a private folder.", reason)


def _is_own(status: os.stat_result) -> bool:
    """Tell whether nobody but this user, and root, who may do anything, can have put something there."""
    return not hasattr(os, "geteuid") or (status.st_uid in (os.geteuid(), 0) and not status.st_mode & 0o022)


def _is_trusted(folder: str) -> bool:
    """Tell whether a folder, and those above it up to the cache's root, are this user's own."""
    root = str(cache_root())
    while True:
        if not _is_own(os.stat(folder)) and (folder == root or not _emptied(folder)):
            return False
        if not folder.startswith(root + os.sep):
            return True
        folder = os.path.dirname(folder)


def _emptied(folder: str) -> bool:
    """Make a loosened folder private again, without the files of ours in it: others may have changed them."""
    try:
        os.chmod(folder, 0o700)
        for entry in os.scandir(folder):
            if is_ours(entry):
                os.unlink(entry.path)
    except OSError as reason:
        _tell(reason)
        return False
    _log.warning("%s was writable by others: what it held is not trusted and is compiled again", folder)
    return _is_own(os.stat(folder))


def is_ours(entry: os.DirEntry[str]) -> bool:
    """Tell whether what lies in a folder is a file that was written here, of whatever version."""
    if not entry.is_file(follow_symlinks=False):
        return False
    with open(entry.path, "rb") as file:
        return file.read(len(_OURS)) == _OURS


def is_used(path: Path) -> bool:
    """Tell whether this process has read or written a file."""
    return path in _USED


def _head(path: Path, body: bytes) -> bytes:
    """Return the first line: a checksum of the name and of what follows."""
    digest = hashlib.sha256(f"{path.parent.name}/{path.name}\n".encode())
    digest.update(body)
    return _HEAD + digest.hexdigest().encode() + b"\n"


def read(path: Path) -> bytes | None:
    """Return what was written to a file; None if it is not there, not whole or not this user's own."""
    try:
        if not _is_trusted(str(path.parent)):
            return _REMEMBERED.get(path)
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | _AT_ONCE)) as file:
            status = os.fstat(file.fileno())
            content = file.read() if stat.S_ISREG(status.st_mode) and _is_own(status) else b""
        _note_use(path, status)
    except (OSError, ValueError):
        return _REMEMBERED.get(path)
    head, newline, body = content.partition(b"\n")
    return body if newline and head + newline == _head(path, body) else _REMEMBERED.get(path)


def _note_use(path: Path, status: os.stat_result) -> None:
    _USED.add(path)
    if time.time() - status.st_mtime > _DAY:
        with contextlib.suppress(OSError):  # a cache that is read only
            os.utime(path)


def write(path: Path, body: bytes) -> None:
    """Write a file, which appears whole or not at all; what cannot be written is remembered instead."""
    _USED.add(path)
    try:
        _write(path, _head(path, body) + body)
    except (OSError, ValueError) as reason:
        _REMEMBERED[path] = body
        _tell(reason)
    else:
        _REMEMBERED.pop(path, None)


def _write(path: Path, content: bytes) -> None:
    _make(path.parent)
    if not _is_trusted(str(path.parent)):
        raise PermissionError(f"{path.parent} must belong to you and be writable by nobody else")
    part = path.parent / f"{path.name[:100]}.{os.getpid()}-{os.urandom(4).hex()}"
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def _make(folder: Path) -> None:
    """Make a folder, and those above it, that nobody else may write to."""
    if not folder.exists():
        _make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def read_json(path: Path) -> Any:
    """Return what was written as JSON, None if there is nothing."""
    body = read(path)
    return None if body is None else json.loads(body)


def write_json(path: Path, content: Any) -> None:
    """Write plain data."""
    write(path, json.dumps(content).encode())


@contextlib.contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Tell whether this process is to make a file: False if another one is making it at this moment.

    The system takes the lock from a process that ends, however it ends. Where no lock can be had (the folder cannot be
    written to, the file system has none) each process works for itself.
    """
    handle = _lock(path)
    try:
        yield handle is not None
    finally:
        if handle:
            with contextlib.suppress(OSError):
                os.unlink(_mark(path))
            fcntl.flock(handle, fcntl.LOCK_UN)  # a fork of this process may have the handle too
            os.close(handle)


def _mark(path: Path) -> Path:
    return path.parent / f"{path.name[:100]}.lock"


def _lock(path: Path) -> int | None:
    """Return a handle, 0 where there are no locks, None if another process has it."""
    if fcntl is None:
        return 0
    try:
        _make(path.parent)
        handle = os.open(_mark(path), os.O_RDWR | os.O_CREAT | _AT_ONCE, 0o600)
    except (OSError, ValueError):
        return 0
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as reason:
        os.close(handle)
        return None if isinstance(reason, BlockingIOError) else 0
    return handle


def file_digest(*parts: str | bytes | int) -> str:
    """Hash a few strings into a file name."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else struct.pack("<q", part) if isinstance(part, int) else part
        digest.update(struct.pack("<q", len(content)) + content)
    return digest.hexdigest()[:32]
