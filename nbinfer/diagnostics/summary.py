"""The table a person judges a posterior by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from nbinfer import html
from nbinfer.arguments import between, choice
from nbinfer.diagnostics.measure import Measure
from nbinfer.diagnostics.quantities import along, chosen_names, cut_note, known_of, labels, measure_run, read
from nbinfer.diagnostics.rhat import largest_rhat
from nbinfer.spelling import public

_KINDS = ("all", "stats", "diagnostics")
#: Draws that spread by less than this share of their mean are one number and its rounding, as the diagonal of L Lᵀ is.
_ROUNDING = 1e-14
#: Columns whose worst is told of rows that are not shown: the largest (-1), or the smallest (1).
_WORST = (("rhat", -1), ("Rhat", -1), ("ess_bulk", 1), ("n_eff", 1))


@public
class Summary:
    """Statistics and diagnostics of quantities, one row each.

    ``print`` shows every row, rounded to what the Monte Carlo error allows; the numbers themselves are in full
    precision: ``s["mean"]`` is a column, ``s["mean", "theta[1]"]`` a number, ``s["mean", "theta"]`` an array of the
    shape of ``theta``, ``s.row("theta[1]")`` a row.

    Parameters
    ----------
    data : dict of str to ndarray, shape (row,)
        The columns.
    shapes : dict of str to tuple of int
        Shapes of the variables, in the order of the rows.
    mcse : ndarray, shape (row,)
        Monte Carlo standard errors of the means, which decide how many digits are shown.
    notes : sequence of str
        What a reader must know besides; shown under the table.
    along : mapping of str to sequence, optional
        For variables with labels along their axes these, axis by axis. Rows have them in their names; numbers in their
        place are understood, too, unless a label is such a number.

    Attributes
    ----------
    columns, rows : tuple of str
        Names.
    notes : tuple of str
        See above.
    """

    def __init__(
        self,
        data: dict[str, np.ndarray],
        shapes: dict[str, tuple[int, ...]],
        mcse: np.ndarray,
        notes: Sequence[str] = (),
        along: Mapping[str, Any] | None = None,
    ) -> None:
        self.columns = tuple(data)
        named = {name: labels(name, shape, (along or {}).get(name)) for name, shape in shapes.items()}
        self.rows = tuple(label for of_one in named.values() for label in of_one)
        self.notes = tuple(notes)
        self._data = data
        self._mcse = mcse
        numbered = [label for name, shape in shapes.items() for label in labels(name, shape)]
        self._places: dict[str, tuple[int, tuple[int, ...]]] = {label: (i, ()) for i, label in enumerate(numbered)}
        self._places |= {label: (i, ()) for i, label in enumerate(self.rows)}
        start = 0
        for name, shape in shapes.items():
            self._places[name] = (start, shape)
            start += math.prod(shape)

    def __getitem__(self, key: str | tuple[str, str]) -> Any:
        column, row = (key, None) if isinstance(key, str) else key
        if column not in self._data:
            raise KeyError(f"no column {column!r}; there are {', '.join(self.columns)}")
        values = self._data[column]
        if row is None:
            return values
        if row not in self._places:
            raise KeyError(f"no row {row!r}; there are {_some(self.rows)}")
        start, shape = self._places[row]
        return values[start : start + math.prod(shape)].reshape(shape) if shape else float(values[start])

    def row(self, name: str) -> dict[str, float]:
        """Return one row.

        Parameters
        ----------
        name : str
            As in `rows`.

        Returns
        -------
        row : dict of str to float
            Its value in each column.
        """
        if name not in self.rows:
            raise KeyError(f"no row {name!r}; there are {_some(self.rows)}")
        return {column: self[column, name] for column in self.columns}

    def to_dict(self) -> dict[str, dict[str, float]]:
        """Return plain numbers: column, then row."""
        return {c: dict(zip(self.rows, self._data[c].tolist(), strict=True)) for c in self.columns}

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame, rows as its index."""
        import pandas as pd

        return pd.DataFrame(self._data, index=list(self.rows))

    def _cells(self, most: int | None = None) -> list[list[str]]:
        """Write the numbers, column by column, of all rows or of the first."""
        digits = [_digits(error) for error in self._mcse[:most]]
        table = []
        for column in self.columns:
            values = self._data[column][:most]
            if column in ("ess_bulk", "ess_tail", "n_eff"):
                table.append([f"{value:.0f}" for value in values])
            elif column in ("rhat", "Rhat"):
                table.append([f"{value:.3f}" for value in values])
            elif column in ("mcse_mean", "mc_error"):
                table.append([_write(value, _digits(value, 2)) for value in values])
            else:
                table.append([_write(value, n) for value, n in zip(values, digits, strict=True)])
        return table

    def __str__(self) -> str:
        width = max((len(row) for row in self.rows), default=0)
        lines = [" " * width, *(row.ljust(width) for row in self.rows)]
        for column, cells in zip(self.columns, self._cells(), strict=True):
            aligned = _align(cells, len(column))
            for i, text in enumerate([column.rjust(len(aligned[0]) if aligned else 0), *aligned]):
                lines[i] += "  " + text
        return "\n".join([*(line.rstrip() for line in lines), *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        shown = self.rows[: html.MOST_ROWS]
        columns = [_align(cells, 0) for cells in self._cells(html.MOST_ROWS)]
        rows: list[html.Row] = [list(row) for row in zip(shown, *columns, strict=True)]
        rest = self._rest(len(shown))
        table = html.table(("", *self.columns), [*rows, rest] if rest else rows, numbers=True)
        return html.block(table if rows else "", html.lines(self.notes))

    def _rest(self, start: int) -> str:
        """Say how many rows follow, and what is worst among them."""
        left = len(self.rows) - start
        if not left:
            return ""
        worst = []
        for column, sign in _WORST:
            values = sign * self._data.get(column, np.empty(0))[start:]
            if np.isfinite(values).any():
                at = int(np.nanargmin(values))
                word, number = ("from", f"{values[at]:.0f}") if sign > 0 else ("up to", f"{-values[at]:.3f}")
                worst.append(f"{column} {word} {number} ({self.rows[start + at]})")
        among = f", {', '.join(worst)}" if worst else ""
        return f"… and {left} more row{'s' if left > 1 else ''}{among}. print shows all."


@public
def summary(
    trace: Any,
    var_names: str | Sequence[str] | None = None,
    *,
    kind: Literal["all", "stats", "diagnostics"] = "all",
    prob: float | None = None,
    columns: Literal["default", "documents"] = "default",
) -> Summary:
    """Summarise the posterior, one row a quantity.

    Parameters
    ----------
    trace : Trace, or mapping of str to array_like, shape (chain, draw, *shape)
        The draws.
    var_names : str or sequence of str, optional
        Variables to show; or, ``"~mu"``, those to leave out. Default: all.
    kind : {'all', 'stats', 'diagnostics'}
        Columns to show: ``mean, sd, q5, q95``, or ``mcse_mean, ess_bulk, ess_tail, rhat``, or both.
    prob : float, optional
        Probability of the interval, in (0, 1). Default: 0.9, between the 5 % and the 95 % quantile.
    columns : {'default', 'documents'}
        'documents' names the columns ``mean, sd, mc_error, hpd_2.5, hpd_97.5, n_eff, Rhat``: the interval is the
        shortest one, of probability 0.95 unless `prob` says otherwise, ``mc_error`` the Monte Carlo standard error of
        the mean, ``n_eff`` the bulk ESS. The last two are left out for a single chain.

    Returns
    -------
    summary : Summary
        The table. After an interrupted run, R-hat, ESS and MCSE come from the part that all chains have finished.

    Raises
    ------
    ValueError
        If a name in `var_names` is unknown, or an option is.

    See Also
    --------
    nbinfer.diagnostics.check : What may be wrong with a run.

    Examples
    --------
    >>> import numpy as np
    >>> draws = np.random.default_rng(1).normal([0, 10], 1, size=(4, 1000, 2))
    >>> print(summary({"theta": draws}, kind="stats"))
              mean    sd     q5    q95
    theta[0]  0.00  1.00  -1.63   1.65
    theta[1]  9.98  1.00   8.36  11.61
    """
    choice("kind", kind, _KINDS)
    choice("columns", columns, ("default", "documents"))
    if prob is None:
        prob = 0.9 if columns == "default" else 0.95
    between("prob, how much of the trace the interval holds,", prob, 0, 1)
    run = read(trace)
    measured = measure_run(run, chosen_names(run, var_names), prob, known_of(trace))
    parts = [m.records.reshape(-1) for m in measured.values()]
    records = np.concatenate([np.empty(0, Measure), *parts])
    with np.errstate(all="ignore"):
        mcse = records["sd"] / np.sqrt(records["ess_mean"])
    low, high = (f"{100 * p:.10g}" for p in (0.5 - 0.5 * prob, 0.5 + 0.5 * prob))
    stats = {"mean": records["mean"], "sd": records["sd"]}
    if columns == "default":
        stats |= {f"q{low}": records["low"], f"q{high}": records["high"]}
        diagnostics = {"mcse_mean": mcse, "ess_bulk": records["ess_bulk"], "ess_tail": records["ess_tail"]}
        diagnostics["rhat"] = largest_rhat(records)
        order = [*stats, *diagnostics]
    else:
        stats |= {f"hpd_{low}": records["hdi_low"], f"hpd_{high}": records["hdi_high"]}
        diagnostics = {"mc_error": mcse}
        if max((m.chains for m in measured.values()), default=0) > 1:
            diagnostics |= {"n_eff": records["ess_bulk"], "Rhat": largest_rhat(records)}
        order = ["mean", "sd", "mc_error", *list(stats)[2:], *list(diagnostics)[1:]]
    chosen = {"all": stats | diagnostics, "stats": stats, "diagnostics": diagnostics}[kind]
    data = {column: np.array(chosen[column]) for column in order if column in chosen}
    shapes = {name: m.records.shape for name, m in measured.items()}
    axes = {name: along(trace, name, shape) for name, shape in shapes.items()}
    rows = [label for name, shape in shapes.items() for label in labels(name, shape, axes[name])]
    notes = [cut_note(run), _alone_note(measured, data), _finite_note(rows, records["finite"])]
    constant = records["sd"] <= _ROUNDING * np.abs(records["mean"])
    return Summary(data, shapes, np.where(constant, 0.0, mcse), [note for note in notes if note], axes)


def _alone_note(measured: Mapping[str, Any], data: Mapping[str, Any]) -> str | None:
    chains = max((m.chains for m in measured.values()), default=0)
    return "rhat compares chains, and there is one." if chains == 1 and "rhat" in data else None


def _finite_note(rows: Sequence[str], finite: np.ndarray) -> str | None:
    bad = [f"{row} ({100 * (1 - share):.2g} %)" for row, share in zip(rows, finite, strict=True) if share < 1]
    return f"Not a number because draws are infinite or NaN: {_some(bad)}." if bad else None


def _some(names: Sequence[str], most: int = 10) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _digits(error: float, significant: int = 1) -> int | None:
    """Return how many decimals show the leading digits of an error."""
    if not 0.0 < error < math.inf:
        return None
    return significant - 1 - math.floor(math.log10(error))


def _write(value: float, decimals: int | None) -> str:
    """Write a number with so many decimals; with six digits if nobody knows how many."""
    if decimals is None or not math.isfinite(value):
        return f"{value:.6g}"
    if not -6 < decimals < 7 or abs(value) >= 1e8:
        size = math.floor(math.log10(abs(value))) if value else 0
        return f"{value:.{min(max(size + decimals, 0), 15)}e}"
    text = f"{value:.{max(decimals, 0)}f}"
    return text.lstrip("-") if float(text) == 0.0 else text


def _align(cells: Sequence[str], least: int) -> list[str]:
    """Pad numbers so that their decimal points stand below each other; what is no number stands at the right."""
    parts = [cell.partition(".") for cell in cells if cell[-1].isdigit()]
    after = max((len(point + tail) for _, point, tail in parts), default=0)
    before = max((len(head) for head, _, _ in parts), default=0)
    width = max(before + after, least, *map(len, cells), 0)
    numbers = iter(head.rjust(width - after) + (point + tail).ljust(after) for head, point, tail in parts)
    return [next(numbers) if cell[-1].isdigit() else cell.rjust(width) for cell in cells]
