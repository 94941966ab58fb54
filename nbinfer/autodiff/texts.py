"""Finds texts that hold a function's source: files, what was typed, arguments of the interpreter, archives.

Nothing here tells whether a text is the right one: whoever takes it compiles it and compares.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import linecache
import os
import stat
import sys
import textwrap
import types
from collections.abc import Iterator

#: Most lines of a statement that is looked for among those that were typed.
_LONGEST = 300


def texts(function: types.FunctionType) -> Iterator[tuple[int, list[str]]]:
    """Go through texts that may hold the source of a function, the likeliest first.

    Parameters
    ----------
    function : FunctionType

    Yields
    ------
    first : int
        Number of the first line in what the code calls its file.
    lines : list of str
        Without line ends.
    """
    seen: set[str] = set()
    for first, text in _raw(function):
        if text.strip() and text not in seen:
            seen.add(text)
            yield first, text.split("\n")


def _raw(function: types.FunctionType) -> Iterator[tuple[int, str]]:
    code, names = function.__code__, function.__globals__
    # What the line cache has may be older than the file, and then is what the code was made of. A loader's text, and
    # that of cells of notebooks, comes this way too.
    yield 1, "".join(linecache.getlines(code.co_filename, names))
    with contextlib.suppress(OSError, TypeError, IndexError, SyntaxError):
        yield 1, "".join(inspect.findsource(code)[0])
    yield 1, _of_loader(names)
    if names.get("__name__") == "__main__" and code.co_filename.startswith("<"):
        for text in (*_arguments(), _standard_input(), *_bodies_of_magic()):
            yield 1, text
        for text in _typed(code.co_name):
            yield code.co_firstlineno, text


def _of_loader(names: dict[str, object]) -> str:
    """Return what the loader of a module says, of an archive or of whatever else there is."""
    spec = names.get("__spec__")
    loader = names.get("__loader__") or getattr(spec, "loader", None)
    name = getattr(spec, "name", None) or names.get("__name__")
    try:
        return loader.get_source(name) or ""  # type: ignore[union-attr]
    except Exception:  # a loader is anybody's code
        return ""


def _arguments() -> list[str]:
    """Return what may be the program of ``python -c``: the options before it may be anything."""
    given = sys.orig_argv[1:] if sys.argv[:1] == ["-c"] else []
    return [textwrap.dedent(text) for text in (_after_c(word) for word in given)]


def _after_c(word: str) -> str:
    return word.partition("c")[2] if word.startswith("-") and not word.endswith("c") else word


def _standard_input() -> str:
    """Return the program that the interpreter has read from a file; what came through a pipe is gone."""
    try:
        status = os.fstat(0)
        if not stat.S_ISREG(status.st_mode):
            return ""
        return os.pread(0, status.st_size, 0).decode(errors="replace")
    except (OSError, AttributeError):
        return ""


def _bodies_of_magic() -> list[str]:
    """Return what stood below ``%%time`` and its like in cells of IPython, the last first."""
    ipython = sys.modules.get("IPython")
    shell = getattr(ipython, "get_ipython", lambda: None)()
    cells = getattr(getattr(shell, "history_manager", None), "input_hist_raw", [])
    return [cell.partition("\n")[2] for cell in reversed(cells) if cell.startswith("%%")]


def _typed(name: str) -> Iterator[str]:
    """Go through statements typed at the prompt that may define a function, the last first."""
    readline = sys.modules.get("readline")
    if readline is None:
        return
    count = readline.get_current_history_length()
    lines = [readline.get_history_item(k + 1) or "" for k in range(count)]
    wanted = "lambda" if name == "<lambda>" else f"def {name}"
    for start in (k for k in reversed(range(count)) if wanted in lines[k]):
        for stop in range(start + 1, min(start + _LONGEST, count) + 1):
            text = "\n".join(lines[start:stop])
            if stop < count and lines[stop][:1].isspace():
                continue
            try:
                ast.parse(text)
            except SyntaxError:
                continue
            yield text
            break
