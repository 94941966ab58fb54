"""Where draws diverged, quantity by quantity: tests of their ranks among all draws (Wilcoxon 1945)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nbinfer.arguments import count
from nbinfer.diagnostics.of_samplers import Statistics
from nbinfer.diagnostics.problem import plural
from nbinfer.diagnostics.quantities import Run, chosen_names, read
from nbinfer.diagnostics.summary import Summary, _digits, _write
from nbinfer.spelling import public

#: Stretches of divergences of which nothing can be said with fewer.
_FEW = 5
#: The p-value times the number of quantities, below which divergences lie where other draws do not.
_LEVEL = 0.01
_MOST = 10_000  # rows


class Divergences(Summary):
    """Where draws diverged, one row a quantity, the most suspicious first; ``print`` shows it.

    A table as `Summary` is: ``d["quantile"]`` is a column, ``d["quantile", "tau"]`` a number, ``d.row("tau")`` a row.

    Attributes
    ----------
    columns, rows, notes : tuple of str
        See `Summary`.
    count, stretches : int
        Draws that diverged; and how often a chain began to diverge, where draws that follow each other count once.
    """

    def __init__(self, data: dict[str, np.ndarray], rows: Sequence[str], sd: np.ndarray, notes: Sequence[str]) -> None:
        super().__init__(data, dict.fromkeys(rows, ()), sd, notes)
        self.count = self.stretches = 0

    def _cells(self, most: int | None = None) -> list[list[str]]:
        """Write the numbers, column by column: values to a hundredth of what is usual, p-values with two digits."""
        digits = [_digits(0.1 * sd) for sd in self._mcse[:most]]
        cells = []
        for column in self.columns:
            values = self[column][:most].tolist()
            if column in ("divergent", "usual"):
                cells.append([_write(value, n) for value, n in zip(values, digits, strict=True)])
            elif column.startswith("p_"):
                cells.append([f"{value:.2g}" for value in values])
            else:
                cells.append([f"{value:.2f}" for value in values])
        return cells

    def __str__(self) -> str:
        return super().__str__() if self.rows else "\n".join(self.notes)

    __repr__ = __str__


@public
def divergences(trace: Any, var_names: str | Sequence[str] | None = None, *, most: int = 20) -> Divergences:
    """Compare the draws that diverged with all draws, quantity by quantity.

    A draw that diverged is a point of a trajectory that was cut, and lies near the place where it was. What is told
    apart: divergences at one end of a quantity, as at the small values of a scale in a funnel; and divergences in the
    middle, or at both ends.

    Parameters
    ----------
    trace : Trace
        Of NUTS or another step that says which draws diverged.
    var_names : str or sequence of str, optional
        Variables to compare; or, ``"~mu"``, those to leave out. Default: all.
    most : int
        How many quantities are shown at most; a line says how many there are.

    Returns
    -------
    table : Divergences
        With the columns

        - ``divergent``, ``usual``: the median of the draws that diverged, and of all;
        - ``quantile``: the mean rank, in (0, 1), of the draws that diverged among all; 0.5 if the quantity has nothing
          to do with it;
        - ``p_end``: how often as many draws that are chosen at random lie as far to one side;
        - ``spread``: mean distance of these ranks from the middle, over that of all draws: below 1 divergences lie in
          the middle, above at both ends;
        - ``p_spread``: how often chance does as much.

        First come quantities at one end of which draws diverge (`p_end` times the number of quantities below 0.01),
        the least likely first, since in a funnel the scale is one of them; then the others, by the smaller of both.

    Raises
    ------
    ValueError
        If nothing in the trace says which draws diverged, or a name is unknown.

    See Also
    --------
    nbinfer.diagnostics.check : What may be wrong with a run, and what helps.
    nbinfer.plots.pair : The same places as a picture.

    Notes
    -----
    Divergences of a chain that follow each other are one, the first of them: they tell of one place. The tests are
    those of Wilcoxon, with the normal distribution and the variance of draws without replacement [1]_; with fewer than
    five such stretches there are no p-values, and a line says so.

    References
    ----------
    .. [1] F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1 (1945).

    Examples
    --------
    >>> import numpy as np, nbinfer as nb
    >>> draws = np.random.default_rng(1).normal(size=(2, 2, 500))
    >>> trace = nb.Trace({"mu": draws[0], "log_tau": draws[1]}, {"diverging": draws[1] < -1.8})
    >>> nb.divergences(trace).rows
    ('log_tau', 'mu')
    """
    count("most, how many quantities are shown,", most, 1, _MOST)
    run = read(trace)
    names = chosen_names(run, var_names)
    stats = Statistics(trace, run) if run.done is not None else None
    flags = None if stats is None else stats["diverging"]
    if stats is None or flags is None:
        raise ValueError("trace must have the statistic 'diverging', which nb.NUTS and nb.HamiltonianMC write.")
    first = flags.copy()
    first[:, 1:] &= ~flags[:, :-1]
    places = _Places(stats.kept.mask, flags, first, int(first.sum()))
    found = _ordered(_compare(run, names, places))
    table = _table(found[:most], _notes(flags, places, found, most))
    table.count, table.stretches = int(flags.sum()), places.stretches
    return table


class _Places(NamedTuple):
    """Draws that count, those that diverged, and the first of those that follow each other, (chain, draw)."""

    kept: np.ndarray
    diverging: np.ndarray
    first: np.ndarray
    stretches: int


class _Row(NamedTuple):
    """One quantity; `end` and `middle` are standard normal if divergences come by chance."""

    label: str
    divergent: float
    usual: float
    quantile: float
    end: float
    spread: float
    middle: float
    sd: float


def _compare(run: Run, names: Sequence[str], places: _Places) -> list[_Row]:
    rows = []
    for name in names if places.stretches else ():
        draws = run.posterior[name]
        draws = draws[:, : places.kept.shape[1]].reshape(*places.kept.shape, -1)
        rows += [_row(label, draws[:, :, i], places) for i, label in enumerate(run.labels(name))]
    return rows


def _row(label: str, draws: np.ndarray, places: _Places) -> _Row:
    values, those, first = (np.asarray(draws[mask], float) for mask in places[:3])
    if not np.isfinite(values).all() or values.min() == values.max():
        return _Row(label, *[math.nan] * 7)
    ordered = np.sort(values)

    def ranks(x: np.ndarray) -> np.ndarray:
        both = np.searchsorted(ordered, x, "left") + np.searchsorted(ordered, x, "right")
        return np.asarray(both / (2.0 * ordered.size))

    every, at = ranks(ordered), ranks(first)
    far, far_at = np.abs(every - 0.5), np.abs(at - 0.5)
    return _Row(
        label,
        float(np.median(those)),
        float(np.median(values)),
        float(at.mean()),
        _score(at, every),
        float(far_at.mean() / far.mean()),
        _score(far_at, far),
        float(values.std()),
    )


def _score(some: np.ndarray, every: np.ndarray) -> float:
    """Return by how many standard errors the mean of some numbers, drawn without replacement, is off that of all."""
    variance = every.var() / some.size * (every.size - some.size) / max(every.size - 1, 1)
    return float((some.mean() - every.mean()) / math.sqrt(variance)) if variance > 0.0 else math.nan


def _ordered(rows: list[_Row]) -> list[_Row]:
    """Put first what diverges at one end, since a scale does that and what it scales lies in the middle then."""

    def key(row: _Row) -> tuple[int, float]:
        if math.isnan(row.end):
            return 2, 0.0
        at_end = _p(row.end) * len(rows) < _LEVEL
        return (0, -abs(row.end)) if at_end else (1, -max(abs(row.end), abs(row.middle)))

    return sorted(rows, key=key)


def _p(score: float) -> float:
    return math.erfc(abs(score) / math.sqrt(2.0))


def _table(rows: Sequence[_Row], notes: tuple[Sequence[str], bool]) -> Divergences:
    columns: Mapping[str, list[float]] = {
        "divergent": [row.divergent for row in rows],
        "usual": [row.usual for row in rows],
        "quantile": [row.quantile for row in rows],
        "p_end": [_p(row.end) if notes[1] else math.nan for row in rows],
        "spread": [row.spread for row in rows],
        "p_spread": [_p(row.middle) if notes[1] else math.nan for row in rows],
    }
    data = {name: np.array(values, float) for name, values in columns.items()}
    return Divergences(data, [row.label for row in rows], np.array([row.sd for row in rows]), notes[0])


def _notes(flags: np.ndarray, places: _Places, rows: Sequence[_Row], most: int) -> tuple[list[str], bool]:
    """Say how many draws diverged, and what that tells; and whether it is enough for tests."""
    total, n = int(places.kept.sum()), int(flags.sum())
    if not n:
        return [f"None of {plural(total, 'draw')} diverged."], False
    notes = [f"{n} of {plural(total, 'draw')} diverged, in {plural(places.stretches, 'stretch', 'stretches')}."]
    enough, told = places.stretches >= _FEW, [row for row in rows if not math.isnan(row.sd)]
    if not enough:
        notes.append(
            f"So few tell nothing of a place: below {_FEW} stretches there is no test, and the order is a guess."
        )
    elif told and not any(min(_p(row.end), _p(row.middle)) * 2 * len(rows) < _LEVEL for row in told):
        notes.append("They lie where other draws do, as far as these quantities show it.")
    if len(told) < len(rows):
        notes.append(
            f"{len(rows) - len(told)} of {len(rows)} quantities are constant, infinite or NaN: nothing to compare."
        )
    if len(rows) > most:
        notes.append(f"{most} of {len(rows)} quantities, the most suspicious; var_names= and most= choose others.")
    return notes, enough
