"""SQLite: a file with a table for each variable and each statistic.

The table of a variable has its name and the columns ``recid``, ``draw``, ``chain`` and its values, ``v`` of a scalar
and ``v__0_2`` of the element at (0, 2); tables of other groups are called ``sample_stats/lp`` and so on, and
``nbinfer/page`` has types, shapes, data and attributes. Values are stored bit for bit, but that NaN is SQLite's NULL.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import path_of, words
from nbinfer.errors import BackendError
from nbinfer.trace.names import listed
from nbinfer.trace.records.pages import Kind, Kinds, Page, Rows, assembled, flat_names
from nbinfer.trace.records.recorded import Records, hand_over
from nbinfer.trace.rows import whole_number
from nbinfer.trace.trace import Trace

if TYPE_CHECKING:
    import sqlite3

_PATIENCE = 60.0  # seconds to wait for somebody else who has locked the file
_MOST = 1997  # values in a row: SQLite's tables have 2000 columns at most


class SQLite(Records):
    """Draws in a database: one file, a table for each variable.

    Parameters
    ----------
    name : str or path
        Of the file; ``.sqlite`` is added to a name without a suffix. Draws are added to what is there, if it has the
        same variables, types and shapes.
    vars : sequence of str, optional
        Names of the parameters and derived quantities to keep. Default: all.
    thin : int
        Of how many draws after warm-up one is kept, the last of each group.

    Raises
    ------
    BackendError
        If the file is something else, or has a trace of other variables, or a variable has more than 1997 elements.

    Examples
    --------
    >>> import tempfile, nbinfer as nb
    >>> model = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trace = nb.sample(model, trace=nb.SQLite(folder + "/run"), random_seed=1)
    ...     nb.load(folder + "/run.sqlite")["x"].shape
    (4, 1000)
    """

    def __init__(
        self, name: str | os.PathLike[str] = "mcmc", vars: Sequence[str] | None = None, *, thin: int = 1
    ) -> None:
        super().__init__(vars, thin=thin)
        path = path_of("name", name)
        self.path = path if path.suffix else path.with_suffix(".sqlite")

    def check(self) -> None:
        """Raise BackendError if something else is in the way."""
        if self.path.exists():
            with _opened(self.path) as base:
                _page(base, self.path)
        elif not self.path.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {self.path.parent} for {self.path.name}.")

    def begin(self, kinds: Kinds, numbers: Sequence[int], draws: int) -> None:
        """Make the tables, or compare with those that are there."""
        for group, of_group in kinds.items():
            for name, kind in of_group.items():
                if math.prod(kind.shape) > _MOST:
                    raise BackendError(
                        f"{name!r} of {group} has {math.prod(kind.shape)} elements, and a table of SQLite has room for "
                        f"{_MOST}; keep others by vars=[...], or take trace='NAME.nc'."
                    )
        with _opened(self.path) as base:
            known = _page(base, self.path) if _is_ours(base) else Page()
            self._page = known.joined(kinds, numbers, self.path)
            for group, of_group in kinds.items():
                for name, kind in of_group.items():
                    columns = ", ".join(["draw INTEGER", "chain INTEGER", *_columns(kind.shape)])
                    base.execute(
                        f"CREATE TABLE IF NOT EXISTS {_quoted(_table(group, name))} "
                        f"(recid INTEGER PRIMARY KEY AUTOINCREMENT, {columns})"
                    )
            _write_page(base, self._page)
            self._next = {
                (group, number): _rows_of(base, _table(group, next(iter(of_group))), number)
                for group, of_group in kinds.items()
                for number in numbers
            }

    def write(self, number: int, rows: Mapping[str, Rows]) -> None:
        """Insert rows of a chain, all of them at once."""
        with _opened(self.path) as base:
            for group, arrays in rows.items():
                first = self._next[group, number]
                for name, array in arrays.items():
                    flat = array.reshape(len(array), -1)
                    marks = ", ".join("?" * (2 + flat.shape[1]))
                    columns = ", ".join(["draw", "chain", *_columns(array.shape[1:])])
                    base.executemany(
                        f"INSERT INTO {_quoted(_table(group, name))} ({columns}) VALUES ({marks})",
                        ((first + k, number, *row) for k, row in enumerate(flat.tolist())),
                    )
                    self._next[group, number] = first + len(array)

    def finish(self, notes: Mapping[str, Any]) -> None:
        """Write what is to be known of the run."""
        with _opened(self.path) as base:
            _write_page(base, self._page._replace(notes=notes))


def load(name: str | os.PathLike[str], vars: Sequence[str] | None = None, *, burn: int = 0, thin: int = 1) -> Trace:
    """Read a trace that `SQLite` has written, also while it is written.

    Parameters
    ----------
    name : str or path
        Of the file.
    vars : sequence of str, optional
        Names of the variables to read. Default: all.
    burn : int
        Draws after warm-up to leave out at the start of each chain; they are not read.
    thin : int
        Read every so many draws after warm-up.

    Returns
    -------
    trace : Trace
        In memory.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    BackendError
        If it is something else.
    """
    path = SQLite(name).path
    burn, thin = whole_number("burn", burn, 0), whole_number("thin", thin, 1)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}.")
    with _opened(path) as base:
        page = _page(base, path)
        kinds = {g: dict(of_group) for g, of_group in page.kinds.items()}
        if vars is not None:
            kinds["posterior"] = _chosen(kinds["posterior"], words("vars", vars))
        pieces = {
            group: [
                {n: _values(base, group, n, kind, number, burn, thin) for n, kind in of_group.items()}
                for number in page.chains
            ]
            for group, of_group in kinds.items()
        }
    return assembled(pieces, page.chains, page.notes)


def dump(name: str | os.PathLike[str], trace: Trace, chains: Sequence[int] | None = None) -> None:
    """Write a trace to a database.

    Parameters
    ----------
    name : str or path
        Of the file; draws are added to what is there.
    trace : Trace
    chains : sequence of int, optional
        Numbers of the chains to write. Default: all.
    """
    backend = SQLite(name)
    backend.check()
    hand_over(trace, backend, chains)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for one transaction: all of it happens, or nothing.

    The journal that SQLite rolls back with is its default, and works on network disks, too.
    """
    import sqlite3

    base = sqlite3.connect(path, timeout=_PATIENCE, isolation_level="IMMEDIATE")
    try:
        with base:
            yield base
    finally:
        base.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _columns(shape: tuple[int, ...]) -> list[str]:
    """Return the columns of values; they have no type, with which SQLite would turn -0.0 into 0."""
    return [_quoted(name) for name in flat_names("v", shape)]


def _table(group: str, name: str) -> str:
    return name if group == "posterior" else f"{group}/{name}"


def _is_ours(base: sqlite3.Connection) -> bool:
    return base.execute("SELECT name FROM sqlite_master WHERE name = 'nbinfer/page'").fetchone() is not None


def _page(base: sqlite3.Connection, path: Path) -> Page:
    """Return what is known of a trace; raise BackendError if there is none."""
    import sqlite3

    try:
        ours = _is_ours(base)
    except sqlite3.DatabaseError as error:
        raise BackendError(f"{path} is no database of SQLite ({error}); choose another name.") from None
    if not ours:
        raise BackendError(f"{path} is a database of something else; choose another name.")
    (text,) = base.execute('SELECT text FROM "nbinfer/page"').fetchone()
    return Page.of_text(text, path)


def _write_page(base: sqlite3.Connection, page: Page) -> None:
    base.execute('CREATE TABLE IF NOT EXISTS "nbinfer/page" (number INTEGER PRIMARY KEY, text TEXT)')
    base.execute('INSERT OR REPLACE INTO "nbinfer/page" VALUES (0, ?)', (page.as_text(),))


def _chosen(kinds: Mapping[str, Kind], names: Sequence[str]) -> dict[str, Kind]:
    unknown = [name for name in names if name not in kinds]
    if unknown:
        raise ValueError(f"vars names {unknown[0]!r}, which is not in the file; it has {listed(kinds)}.")
    return {name: kinds[name] for name in names}


def _rows_of(base: sqlite3.Connection, table: str, number: int) -> int:
    (last,) = base.execute(f"SELECT MAX(draw) FROM {_quoted(table)} WHERE chain = ?", (number,)).fetchone()
    return 0 if last is None else int(last) + 1


def _values(
    base: sqlite3.Connection, group: str, name: str, kind: Kind, number: int, burn: int, thin: int
) -> NDArray[Any]:
    """Return what a table has of a chain, shape (row, ...)."""
    columns = ", ".join(["draw", *_columns(kind.shape)])
    which = "" if group.startswith("warmup_") else f" AND draw >= {burn} AND (draw - {burn}) % {thin} = 0"
    rows = base.execute(
        f"SELECT {columns} FROM {_quoted(_table(group, name))} WHERE chain = ?{which} ORDER BY draw", (number,)
    ).fetchall()
    return np.array([row[1:] for row in rows], kind.dtype).reshape(len(rows), *kind.shape)
