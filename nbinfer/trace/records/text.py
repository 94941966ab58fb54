"""Text: a folder with a table of comma-separated values for each chain, and a page in JSON that says what they are.

``chain-0.csv`` has the draws of chain 0, ``chain-0-sample_stats.csv`` their statistics, and likewise for warm-up; the
names of columns are those of the variables, with the indices of an element behind them: ``theta``, ``w__0_2``. Floats
are the shortest decimals that read back bit for bit. ``trace.json`` has types, shapes, data and attributes.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import path_of
from nbinfer.errors import BackendError
from nbinfer.trace.records.pages import Kind, Kinds, Page, Rows, assembled, flat_names
from nbinfer.trace.records.recorded import Records, hand_over
from nbinfer.trace.trace import Trace

_PAGE = "trace.json"


class Text(Records):
    """Draws as text: a folder with CSV files, one for each chain.

    Parameters
    ----------
    name : str or path
        Of the folder. Draws are added to what is there, if it has the same chains' variables, types and shapes.
    vars : sequence of str, optional
        Names of the parameters and derived quantities to keep. Default: all.
    thin : int
        Of how many draws after warm-up one is kept, the last of each group.

    Raises
    ------
    BackendError
        If there is something else of that name, or a trace of other variables.

    Examples
    --------
    >>> import tempfile, nbinfer as nb
    >>> model = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trace = nb.sample(model, trace=nb.Text(folder + "/run"), random_seed=1)
    ...     nb.load(folder + "/run")["x"].shape
    (4, 1000)
    """

    def __init__(
        self, name: str | os.PathLike[str] = "mcmc", vars: Sequence[str] | None = None, *, thin: int = 1
    ) -> None:
        super().__init__(vars, thin=thin)
        self.folder = path_of("name", name)

    def check(self) -> None:
        """Raise BackendError if something else is in the way."""
        if self.folder.exists() and not self.folder.is_dir():
            raise BackendError(f"{self.folder} is a file, where a folder of text files is to be; choose another name.")
        if self.folder.is_dir() and any(self.folder.iterdir()) and not (self.folder / _PAGE).exists():
            raise BackendError(f"{self.folder} holds something else: there is no {_PAGE} in it; choose another name.")

    def begin(self, kinds: Kinds, numbers: Sequence[int], draws: int) -> None:
        """Make the folder and the files, or compare with those that are there."""
        self.check()
        self.folder.mkdir(parents=True, exist_ok=True)
        page = self.folder / _PAGE
        self._page = (_read(page) if page.exists() else Page()).joined(kinds, numbers, self.folder)
        _write(page, self._page)
        for number in numbers:
            _mend([(path, kinds[group]) for group in kinds if (path := _path(self.folder, number, group)).exists()])
            for group in kinds:
                path = _path(self.folder, number, group)
                if not path.exists():
                    path.write_text(_line(_columns(kinds[group])), encoding="utf-8")

    def write(self, number: int, rows: Mapping[str, Rows]) -> None:
        """Append rows to the files of a chain."""
        for group, arrays in rows.items():
            flat = [arrays[name].reshape(len(arrays[name]), -1).tolist() for name in self._page.kinds[group]]
            lines = [_line(itertools.chain.from_iterable(parts)) for parts in zip(*flat, strict=True)]
            with _path(self.folder, number, group).open("a", encoding="utf-8") as file:
                file.writelines(lines)

    def finish(self, notes: Mapping[str, Any]) -> None:
        """Write what is to be known of the run."""
        _write(self.folder / _PAGE, self._page._replace(notes=notes))


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
    return assembled(pieces, page.chains, page.notes)


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


def _line(cells: Iterable[Any]) -> str:
    return ",".join(map(str, cells)) + "\n"  # names and numbers have no commas; repr of a float is its str


def _read(path: Path) -> Page:
    return Page.of_text(path.read_text(encoding="utf-8"), path)


def _write(path: Path, page: Page) -> None:
    """Write a page as a new file, and put it in the place of the old one at once."""
    new = path.with_suffix(".part")
    new.write_text(page.as_text(), encoding="utf-8")
    new.replace(path)


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


def _ends_of_lines(path: Path) -> NDArray[np.int64]:
    return np.flatnonzero(np.fromfile(path, np.uint8) == ord("\n")) + 1


def _values(path: Path, kinds: Mapping[str, Kind]) -> dict[str, NDArray[Any]]:
    """Return the rows of a file that are there as a whole, by name."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    rows = [line.split(",") for line in text.split("\n")[1:-1]]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_columns(kinds))
    found, first = {}, 0
    for name, kind in kinds.items():
        after = first + math.prod(kind.shape)
        numbers = [_numbers(column, kind.dtype) for column in columns[first:after]]
        table = np.stack(numbers, axis=1) if numbers else np.zeros((len(rows), 0), kind.dtype)
        found[name], first = table.reshape(len(rows), *kind.shape), after
    return found


def _numbers(cells: Sequence[str], dtype: str) -> NDArray[Any]:
    if dtype == "bool":
        return np.array([cell == "True" for cell in cells], bool)
    return np.array([int(cell) for cell in cells] if dtype == "int64" else [float(cell) for cell in cells], dtype)
