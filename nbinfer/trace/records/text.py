"""Text: a folder with a table of comma-separated values for each chain, and a page in JSON that says what they are.

``chain-0.csv`` has the draws of chain 0, ``chain-0-sample_stats.csv`` their statistics, and likewise for warm-up; the
names of columns are those of the variables, with the indices of an element behind them: ``theta``, ``w__0_2``. Floats
are the shortest decimals that read back bit for bit. ``trace.json`` has types, shapes, data and attributes.
"""

from __future__ import annotations

import itertools
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import path_of
from nbinfer.errors import BackendError
from nbinfer.spelling import public
from nbinfer.trace.records.pages import Kind, Kinds, Page, assembled, check_kinds, flat_names
from nbinfer.trace.records.recorded import Part, Records, check_place, hand_over, naming
from nbinfer.trace.trace import Trace

_PAGE, _PART = "trace.json", "trace.json.part"

_BLOCK = 4096  # lines that are read at once

#: What a column of text may be.
_TYPES = tuple(np.dtype(code).name for code in "?bhiqBHIQefd")

#: What no name of a column may have.
_SIGNS = ',"\r\n'

_FLAGS = {"True", "False"}


@public
class Text(Records):
    """Draws as text: a folder with CSV files, one for each chain.

    Parameters
    ----------
    name : str or path
        Of the folder. Draws are added to what is there, if they are of the same model, data, variables, types and
        shapes.
    vars : sequence of str, optional
        Names of the parameters and derived quantities to keep. Default: all.
    thin : int
        Of how many draws after warm-up one is kept, the last of each group.

    Raises
    ------
    BackendError
        If there is something else of that name, draws of other variables, another model or other data, or of the same
        random_seed; or another run is writing to it.

    Examples
    --------
    >>> import tempfile, nbinfer as nb
    >>> model = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trace = nb.sample(model, trace=nb.Text(folder + "/run"), random_seed=1)
    ...     nb.load(folder + "/run")["x"].shape
    (4, 1000)
    """

    place: Path

    def __init__(
        self, name: str | os.PathLike[str] = "mcmc", vars: Sequence[str] | None = None, *, thin: int = 1
    ) -> None:
        super().__init__(vars, thin=thin)
        self.place = path_of("name", name)

    def check(self) -> None:
        """Raise if something else is in the way, or nothing can be written there."""
        if self.place.exists() and not self.place.is_dir():
            raise BackendError(f"{self.place} is a file, where a folder of text files is to be; choose another name.")
        check_place(self.place)
        others = {path.name for path in self.place.iterdir()} - {_PART} if self.place.exists() else ()
        if others and _PAGE not in others:
            raise BackendError(f"{self.place} holds something else: there is no {_PAGE} in it; choose another name.")

    def admit(self, names: Sequence[str]) -> None:
        """Raise ValueError if there is a name that no column can have."""
        for name in names:
            if not name or any(sign in name for sign in _SIGNS):
                raise ValueError(
                    f"a file of comma-separated values cannot have a column {name!r}; rename it, or leave it out."
                )

    def begin(self, kinds: Kinds, notes: Mapping[str, Any], draws: int) -> None:
        """Make the folder and the files, or compare with those that are there."""
        check_kinds(kinds, "text", _TYPES)
        for of_group in kinds.values():
            self.admit(list(of_group))
            twice = [name for name, times in Counter(_columns(of_group)).items() if times > 1]
            if twice:
                raise ValueError(f"two columns would be called {twice[0]!r}; rename one of the variables.")
        with naming(self.place):
            self._begin(kinds, notes)

    def _begin(self, kinds: Kinds, notes: Mapping[str, Any]) -> None:
        self.check()
        self.place.mkdir(exist_ok=True)
        page = self.place / _PAGE
        known = _read(page) if page.exists() else Page()
        left = known.stillborn(self._rows)
        there = known if left is None else known.without_last()
        self._page = there.joined(kinds, notes, self.place)
        for group, of_chains in (left or {}).items():
            for number, rows in of_chains.items():
                _cut(_path(self.place, number, group), rows if there.runs else None)
        paths = {number: {g: _path(self.place, number, g) for g in kinds} for number in notes["chains"]}
        for of_chain in paths.values():
            _mend([(path, kinds[group]) for group, path in of_chain.items() if _is_begun(path)])
        self._page = self._page.begun(self._rows)
        _write(page, self._page)
        for of_chain in paths.values():
            for group, path in of_chain.items():
                if not _is_begun(path):
                    path.write_text(_line(_columns(kinds[group])), encoding="utf-8", newline="\n")

    def _rows(self, group: str, number: int) -> int:
        path = _path(self.place, number, group)
        return len(_ends_of_lines(path)) - 1 if _is_begun(path) else 0

    def write(self, parts: Iterable[Part]) -> None:
        """Append rows to the files of some chains."""
        for number, rows in parts:
            for group, arrays in rows.items():
                path = _path(self.place, number, group)
                with naming(path), path.open("r+", encoding="utf-8", newline="\n") as file:
                    file.seek(0, os.SEEK_END)
                    file.writelines(_lines([arrays[name] for name in self._page.kinds[group]]))

    def finish(self, notes: Mapping[str, Any]) -> None:
        """Write what is to be known of the run."""
        with naming(self.place):
            _write(self.place / _PAGE, self._page.told(notes))


def load(name: str | os.PathLike[str]) -> Trace:
    """Read a trace that `Text` has written, also while it is written.

    Parameters
    ----------
    name : str or path
        Of the folder.

    Returns
    -------
    trace : Trace
        In memory.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    BackendError
        If it holds something else.
    """
    folder = path_of("name", name)
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}.")
    if not (folder / _PAGE).exists():
        raise BackendError(f"{folder} is no trace: there is no {_PAGE} in it.")
    page = _read(folder / _PAGE)
    pieces = {
        group: [_values(_path(folder, number, group), of_group) for number in page.chains]
        for group, of_group in page.kinds.items()
    }
    return assembled(pieces, page, folder)


def dump(name: str | os.PathLike[str], trace: Trace, chains: Sequence[int] | None = None) -> None:
    """Write a trace as text.

    Parameters
    ----------
    name : str or path
        Of the folder; draws are added to what is there.
    trace : Trace
    chains : sequence of int, optional
        Numbers of the chains to write. Default: all.
    """
    hand_over(trace, Text(name), chains)


def _path(folder: Path, number: int, group: str) -> Path:
    return folder / f"chain-{number}{'' if group == 'posterior' else '-' + group}.csv"


def _columns(kinds: Mapping[str, Kind]) -> list[str]:
    return [column for name, kind in kinds.items() for column in flat_names(name, kind.shape)]


def _line(cells: Iterable[str]) -> str:
    return ",".join(cells) + "\n"  # names and numbers have no commas


def _lines(arrays: Sequence[NDArray[Any]]) -> Iterable[str]:
    """Return a line for each row."""
    cells = [map(repr, column) for array in arrays for column in array.reshape(len(array), -1).T.tolist()]
    return map(_line, zip(*cells, strict=True)) if cells else itertools.repeat("\n", len(arrays[0]))


def _read(path: Path) -> Page:
    return Page.of_text(path.read_text(encoding="utf-8"), path)


def _write(path: Path, page: Page) -> None:
    """Write a page as a new file, and put it in the place of the old one at once."""
    new = path.with_name(_PART)
    try:
        new.write_text(page.as_text(), encoding="utf-8")
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _mend(files: Sequence[tuple[Path, Mapping[str, Kind]]]) -> None:
    """Compare the headers of a chain's files, and cut them to the rows that all files of a phase have whole.

    A process that was killed may have left a line in part, or draws without their statistics.
    """
    for path, kinds in files:
        with path.open(encoding="utf-8") as file:
            header = file.readline()
        if header != _line(_columns(kinds)):
            raise BackendError(f"{path} has other columns, {header.strip()!r}. Choose another name.")
    for warm in (True, False):
        ends = {path: _ends_of_lines(path) for path, _ in files if ("-warmup" in path.name) == warm}
        rows = min(map(len, ends.values()), default=0)
        for path, of_file in ends.items():
            os.truncate(path, of_file[rows - 1])


def _cut(path: Path, rows: int | None) -> None:
    """Leave so many rows of a file, if there are more; None: no file."""
    if rows is None:
        path.unlink(missing_ok=True)
    elif _is_begun(path) and len(ends := _ends_of_lines(path)) > rows + 1:
        os.truncate(path, ends[rows])


def _is_begun(path: Path) -> bool:
    """Tell whether there is a file with a whole first line."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        return file.readline().endswith(b"\n")


def _ends_of_lines(path: Path) -> NDArray[np.int64]:
    return np.flatnonzero(np.fromfile(path, np.uint8) == ord("\n")) + 1


def _values(path: Path, kinds: Mapping[str, Kind]) -> dict[str, NDArray[Any]]:
    """Return the rows of a file that are there as a whole, by name; some are read at a time."""
    blocks = [_parsed([], kinds)]
    if path.exists():
        with path.open(encoding="utf-8", newline="\n") as file:
            if file.readline() != _line(_columns(kinds)):
                raise BackendError(f"{path} is damaged: its first line has other columns than {_PAGE} says.")
            rows = (line.rstrip("\r\n") for line in file if line.endswith("\n"))
            while some := list(itertools.islice(rows, _BLOCK)):
                try:
                    blocks.append(_parsed(some, kinds))
                except (ValueError, OverflowError) as error:
                    raise BackendError(f"{path} is damaged: {error}.") from None
    return {name: np.concatenate([block[name] for block in blocks]) for name in kinds}


def _parsed(lines: Sequence[str], kinds: Mapping[str, Kind]) -> dict[str, NDArray[Any]]:
    count = len(_columns(kinds))
    columns = list(zip(*(line.split(",") for line in lines), strict=True)) if lines and count else [()] * count
    if len(columns) != count:
        raise ValueError(f"there are lines of {len(columns)} columns instead of {count}")
    found, first = {}, 0
    for name, kind in kinds.items():
        after = first + math.prod(kind.shape)
        table = np.zeros((len(lines), after - first), kind.dtype)
        for place, column in enumerate(columns[first:after]):
            table[:, place] = _numbers(column, kind.dtype)
        found[name], first = table.reshape(len(lines), *kind.shape), after
    return found


def _numbers(cells: Sequence[str], dtype: str) -> NDArray[Any]:
    kind = np.dtype(dtype).kind
    if kind == "b":
        strange = set(cells) - _FLAGS
        if strange:
            raise ValueError(f"{strange.pop()!r} is neither True nor False")
        return np.array([cell == "True" for cell in cells], bool)
    return np.array([int(cell) if kind in "iu" else float(cell) for cell in cells], dtype)
