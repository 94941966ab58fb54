"""One writer per file.

The lock is on a file beside it. A lock on the file itself would shut out readers, or vanish when the library closes the
file for reasons of its own. The system takes this one away when the process ends, however it ends; the file beside may
then be left, and means nothing.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import IO

from nbinfer.errors import BackendError

#: Of which process, and which file. A lock keeps out other processes, this its own threads; a child by fork has none.
_held: set[tuple[int, str]] = set()
_turn = threading.Lock()


class Lock:
    """The right to write to a file, for as long as it is held.

    Parameters
    ----------
    path : Path
        The file, which need not exist.

    Raises
    ------
    BackendError
        If another run writes to it.
    """

    def __init__(self, path: Path) -> None:
        self._process = os.getpid()
        self._name = os.path.realpath(path)
        self._beside = Path(f"{self._name}.lock")
        self._holder = (self._process, self._name)
        with _turn:
            if self._holder in _held:
                raise BackendError(f"{path} is written to by another run of this process; wait for its end.")
            self._file = _locked(path, self._beside)
            _held.add(self._holder)

    def release(self) -> None:
        """Give the right back; again, or in a child by fork, which does not have it, nothing happens."""
        with _turn:
            if not self._file.closed and self._process == os.getpid():
                self._beside.unlink(missing_ok=True)  # before anybody else can have it
                self._file.close()
                _held.discard(self._holder)


def _locked(path: Path, beside: Path) -> IO[str]:
    """Return the file beside, locked."""
    import fcntl

    while True:
        file = open(beside, "a+")  # noqa: SIM115 - the lock lasts until it is closed
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            file.close()
            raise BackendError(
                f"{path} is written to by {holder}; wait for its end, or choose another name."
            ) from error
        if _is(file, beside):
            file.truncate(0)
            file.write(f"process {os.getpid()}")
            file.flush()
            return file
        file.close()  # its last holder has removed it in between


def _is(file: IO[str], path: Path) -> bool:
    """Tell whether a path still leads to an open file."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
