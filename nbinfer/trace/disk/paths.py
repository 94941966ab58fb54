"""Names of files, before anything is made there."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path


def check_path(path: Path, overwrite: bool, remedy: str = "overwrite=True replaces it") -> None:
    """Raise what keeps a file from being made; the remedy is for one that exists."""
    if importlib.util.find_spec("fcntl") is None:
        raise NotImplementedError("files need a system with POSIX locks, Linux or macOS; keep the draws in memory.")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder} for {path.name}; make it first.")
    if path.is_dir():
        raise IsADirectoryError(f"path: {path} is a folder; pass the name of a file.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; choose another name: {remedy}.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"the folder {folder} cannot be written to; choose another one for {path.name}.")
