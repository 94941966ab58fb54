"""SQLite: a file with a table for each variable and each statistic.

The table of a variable has its name and the columns ``recid``, ``draw``, ``chain`` and its values, ``v`` of a scalar
and ``v__0_2`` of the element at (0, 2); tables of other groups are called ``sample_stats/lp`` and so on, and
``nbinfer/page`` has types, shapes, data and attributes. Values are stored bit for bit, but that NaN is SQLite's NULL.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import path_of, words
from nbinfer.errors import BackendError
from nbinfer.spelling import meant, public
from nbinfer.trace.names import listed
from nbinfer.trace.records.pages import Kind, Kinds, Page, RowsOf, assembled, check_kinds, flat_names
from nbinfer.trace.records.recorded import Part, Records, check_place, hand_over
from nbinfer.trace.rows import whole_number
from nbinfer.trace.trace import Trace

if TYPE_CHECKING:
    import sqlite3

_PATIENCE = 60.0  # seconds to wait for somebody else who has locked the file
_BLOCK = 4096  # rows that are read at once
_PAGE = "nbinfer/page"

#: What a value may be: SQLite's whole numbers have a sign.
_TYPES = tuple(np.dtype(code).name for code in "?bhiqBHIefd")

_MOST = 1997  # values in a row: SQLite's tables have 2000 columns at most


@public
class SQLite(Records):
    """Draws in a database: one file, a table for each variable.

    Parameters
    ----------
    name : str or path
        Of the file; ``.sqlite`` is added to a name without a suffix. Draws are added to what is there, if they
        are of the same model, data, variables, types and shapes.
    vars : sequence of str, optional
        Names of the parameters and derived quantities to keep. Default: all.
    thin : int
        Of how many draws after warm-up one is kept, the last of each group.

    Raises
    ------
    BackendError
        If the file is something else, has draws of other variables, another model or other data, or of the same
        random_seed; if another run is writing to it; or if a variable has more than 1997 elements.

    Examples
    --------
    >>> import tempfile, nbinfer as nb
    >>> model = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trace = nb.sample(model, trace=nb.SQLite(folder + "/run"), random_seed=1)
    ...     nb.load(folder + "/run.sqlite")["x"].shape
    (4, 1000)
    """

    place: Path

    def __init__(
        self, name: str | os.PathLike[str] = "mcmc", vars: Sequence[str] | None = None, *, thin: int = 1
    ) -> None:
        super().__init__(vars, thin=thin)
        path = path_of("name", name)
        self.place = path if path.suffix else path.with_suffix(".sqlite")

    def check(self) -> None:
        """Raise if something else is in the way, or nothing can be written there."""
        check_place(self.place)
        if self.place.is_dir():
            raise BackendError(f"{self.place} is a folder, where a database is to be; choose another name.")
        if self.place.exists():
            with _opened(self.place) as base:
                _page(base, self.place, may_be_new=True)

    def admit(self, names: Sequence[str]) -> None:
        """Raise ValueError if there are names that tables cannot have beside each other."""
        _check_tables(_table("posterior", name) for name in names)

    def begin(self, kinds: Kinds, notes: Mapping[str, Any], draws: int) -> None:
        """Make the tables, or compare with those that are there."""
        check_kinds(kinds, "SQLite", _TYPES)
        _check_tables(_table(group, name) for group, of_group in kinds.items() for name in of_group)
        for group, of_group in kinds.items():
            for name, kind in of_group.items():
                if math.prod(kind.shape) > _MOST:
                    raise BackendError(
                        f"{name!r} of {group} has {math.prod(kind.shape)} elements, and a table of SQLite has room for "
                        f"{_MOST}; keep others by vars=[...], or take trace='NAME.nc'."
                    )
        with _opened(self.place, "IMMEDIATE", "rwc") as base:
            known = _page(base, self.place, may_be_new=True)
            left = known.stillborn(_counter(base, known.kinds))
            there = known if left is None else known.without_last()
            self._page = there.joined(kinds, notes, self.place)
            for group, of_chains in (left or {}).items():
                _cut(base, group, known.kinds[group], of_chains if there.runs else None)
            for group, of_group in kinds.items():
                for name, kind in of_group.items():
                    columns = ", ".join(["draw INTEGER", "chain INTEGER", *_columns(kind.shape)])
                    base.execute(
                        f"CREATE TABLE IF NOT EXISTS {_quoted(_table(group, name))} "
                        f"(recid INTEGER PRIMARY KEY AUTOINCREMENT, {columns})"
                    )
            self._page = self._page.begun(_counter(base, kinds))
            _write_page(base, self._page)
            self._next = {g: _rows_of(base, _table(g, next(iter(of_group)))) for g, of_group in kinds.items()}

    def write(self, parts: Iterable[Part]) -> None:
        """Insert rows of some chains, all of them at once."""
        with _opened(self.place, "IMMEDIATE") as base:
            for number, rows in parts:
                for group, arrays in rows.items():
                    first = self._next[group].get(number, 0)
                    for name, array in arrays.items():
                        columns = array.reshape(len(array), -1).T.tolist()
                        names = ", ".join(["draw", "chain", *_columns(array.shape[1:])])
                        marks = ", ".join("?" * (2 + len(columns)))
                        base.executemany(
                            f"INSERT INTO {_quoted(_table(group, name))} ({names}) VALUES ({marks})",
                            zip(range(first, first + len(array)), itertools.repeat(number), *columns),
                        )
                        self._next[group][number] = first + len(array)

    def finish(self, notes: Mapping[str, Any]) -> None:
        """Write what is to be known of the run."""
        with _opened(self.place, "IMMEDIATE") as base:
            _write_page(base, self._page.told(notes))


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
    burn, thin = whole_number("burn", burn, 0), whole_number("thin", thin, 1)
    path = path_of("name", name)
    if not path.exists():
        path = SQLite(name).place
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}.")
    with _opened(path) as base:
        page = _page(base, path)
        kinds = {g: dict(of_group) for g, of_group in page.kinds.items()}
        if vars is not None:
            kinds["posterior"] = _chosen(kinds["posterior"], words("vars", vars))
        found = {g: {n: _values(base, g, n, kind, burn, thin) for n, kind in ns.items()} for g, ns in kinds.items()}
    nothing = {g: {n: np.zeros((0, *kind.shape), kind.dtype) for n, kind in ns.items()} for g, ns in kinds.items()}
    pieces = {
        group: [{n: of_chains.get(c, nothing[group][n]) for n, of_chains in ns.items()} for c in page.chains]
        for group, ns in found.items()
    }
    return assembled(pieces, page, path)


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
    hand_over(trace, SQLite(name), chains)


@contextlib.contextmanager
def _opened(path: Path, kind: str = "DEFERRED", mode: str = "rw") -> Iterator[sqlite3.Connection]:
    """Open a database for one transaction: all of it happens, or nothing.

    The journal that SQLite rolls back with is its default, and works on network disks, too.

    Parameters
    ----------
    path : Path
    kind : str
        "DEFERRED" to read, "IMMEDIATE" to write.
    mode : str
        "rw" for a file that is there, "rwc" for one that may be made.
    """
    import sqlite3

    try:
        where = f"{path.absolute().as_uri()}?mode={mode}"
        with contextlib.closing(sqlite3.connect(where, timeout=_PATIENCE, isolation_level=None, uri=True)) as base:
            base.execute(f"BEGIN {kind}")
            yield base  # what fails here leaves the connection, and with it the transaction
            base.execute("COMMIT")
    except sqlite3.Error as error:
        raise BackendError(f"{path} {_trouble(path, str(error))} ({error}).") from error


def _trouble(path: Path, error: str) -> str:
    """Say what is the matter with a database that SQLite complains of."""
    if "not a database" in error:
        return "is no database of SQLite; choose another name"
    if "locked" in error:
        return f"has been locked by another program for {_PATIENCE:g} seconds; close it there"
    if "full" in error:
        return "has no room for the draws; free some space, or choose another folder"
    if not path.exists():
        return "was moved or removed while draws went there"
    return "cannot be read or written to"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _columns(shape: tuple[int, ...]) -> list[str]:
    """Return the columns of values; they have no type, with which SQLite would turn -0.0 into 0."""
    return [_quoted(name) for name in flat_names("v", shape)]


def _table(group: str, name: str) -> str:
    return name if group == "posterior" else f"{group}/{name}"


def _check_tables(tables: Iterable[str]) -> None:
    """Raise ValueError if tables of these names cannot stand beside each other: their case does not count."""
    seen = {_PAGE.encode().lower(): _PAGE}
    for table in tables:
        key = table.encode().lower()  # of ASCII only, as SQLite has it
        why = "is empty" if not table else "begins as names of SQLite's own do" if key.startswith(b"sqlite_") else None
        if key in seen:
            why = f"differs from {seen[key]!r} in case only" if seen[key] != table else "is taken"
        if why or "\0" in table:
            raise ValueError(
                f"a database cannot hold the variable {table!r}: its name {why or 'has a zero in it'}. Rename it, "
                "leave it out, or take trace='NAME.nc'."
            )
        seen[key] = table


def _page(base: sqlite3.Connection, path: Path, may_be_new: bool = False) -> Page:
    """Return what is known of a trace; raise BackendError if there is none."""
    names = [name for (name,) in base.execute("SELECT name FROM sqlite_master")]
    if not names and may_be_new:
        return Page()
    found = base.execute(f"SELECT text FROM {_quoted(_PAGE)}").fetchone() if _PAGE in names else None
    if found is None:
        raise BackendError(f"{path} is a database of something else; choose another name.")
    return Page.of_text(found[0], path)


def _write_page(base: sqlite3.Connection, page: Page) -> None:
    base.execute(f"CREATE TABLE IF NOT EXISTS {_quoted(_PAGE)} (number INTEGER PRIMARY KEY, text TEXT)")
    base.execute(f"INSERT OR REPLACE INTO {_quoted(_PAGE)} VALUES (0, ?)", (page.as_text(),))


def _chosen(kinds: Mapping[str, Kind], names: Sequence[str]) -> dict[str, Kind]:
    unknown = [name for name in names if name not in kinds]
    if unknown:
        raise ValueError(
            f"vars names {unknown[0]!r}, which is not in the file; it has {listed(kinds)}.{meant(unknown[0], kinds)}"
        )
    return {name: kinds[name] for name in names}


def _rows_of(base: sqlite3.Connection, table: str) -> dict[int, int]:
    """Return how many rows each chain has in a table."""
    return {c: last + 1 for c, last in base.execute(f"SELECT chain, MAX(draw) FROM {_quoted(table)} GROUP BY chain")}


def _counter(base: sqlite3.Connection, kinds: Kinds) -> RowsOf:
    """Return what tells how many rows a chain has in a group."""
    rows = {group: _rows_of(base, _table(group, next(iter(of_group)))) for group, of_group in kinds.items()}
    return lambda group, chain: rows[group].get(chain, 0)


def _cut(base: sqlite3.Connection, group: str, names: Iterable[str], of_chains: Mapping[int, int] | None) -> None:
    """Leave so many rows of each chain in the tables of a group; None: no tables."""
    for table in (_quoted(_table(group, name)) for name in names):
        if of_chains is None:
            base.execute(f"DROP TABLE IF EXISTS {table}")
        else:
            base.executemany(f"DELETE FROM {table} WHERE chain = ? AND draw >= ?", of_chains.items())


def _values(
    base: sqlite3.Connection, group: str, name: str, kind: Kind, burn: int, thin: int
) -> dict[int, NDArray[Any]]:
    """Return what a table has of each chain, shape (row, ...); its rows are in the order of draws."""
    which = "" if group.startswith("warmup_") else f"WHERE draw >= {burn} AND (draw - {burn}) % {thin} = 0"
    columns = ", ".join(["chain", *_columns(kind.shape)])
    rows = base.execute(f"SELECT {columns} FROM {_quoted(_table(group, name))} {which} ORDER BY recid")
    numbers, values = [np.zeros(0, np.int64)], [np.zeros((0, math.prod(kind.shape)), kind.dtype)]
    while some := rows.fetchmany(_BLOCK):
        chains, *cells = zip(*some, strict=True)
        numbers.append(np.array(chains, np.int64))
        values.append(np.empty((len(some), len(cells)), kind.dtype))
        for place, cell in enumerate(cells):
            values[-1][:, place] = cell
    chain, table = np.concatenate(numbers), np.concatenate(values)
    order = np.argsort(chain, kind="stable")
    found, firsts = np.unique(chain[order], return_index=True)
    parts = np.split(table[order], firsts[1:])
    return {int(n): part.reshape(len(part), *kind.shape) for n, part in zip(found, parts, strict=False)}
