"""What Ctrl-C cannot cut in half, imports above all: done in another thread, where Python raises nothing."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable
from typing import Any


def whole(name: str) -> Any:
    """Return a module that Ctrl-C leaves imported whole or not at all, such as NumPy's random numbers or h5py.

    A press while a module in C starts may be lost there: the run went on, and nobody knew that it was to end.
    """
    if name not in sys.modules:
        uninterrupted(lambda: importlib.import_module(name))
    return importlib.import_module(name)


def uninterrupted(work: Callable[[], object]) -> None:
    """Do something short in another thread, where Python raises no KeyboardInterrupt, and raise it afterwards."""
    errors: list[BaseException] = []
    begun = threading.Lock()
    done = threading.Event()  # an interrupted join takes a thread that goes on for one that has ended

    def run() -> None:
        if not begun.acquire(blocking=False):
            return
        try:
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    press = None
    while not done.is_set():
        try:
            if not begun.locked():
                threading.Thread(target=run, name="nbinfer-import").start()
            done.wait()
        except KeyboardInterrupt as error:
            press = error
    if press is not None:
        raise press
    if errors:
        raise errors[0]
