"""Models side by side: which predicts better, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer import html
from nbinfer.arguments import choice, instance, mapping
from nbinfer.diagnostics.elpd import ELPD, standard_error
from nbinfer.diagnostics.pointwise import label
from nbinfer.diagnostics.quantities import listed
from nbinfer.diagnostics.weights import pseudo_bma, pseudo_bma_plus, stacking
from nbinfer.random import generator, key_of, seed_sequences

METHODS = ("stacking", "bb-pseudo-bma", "pseudo-bma")
COLUMNS = ("rank", "elpd", "p", "elpd_diff", "weight", "se", "dse", "warning")


class Comparison:
    """Models from best to worst, one row each.

    ``c["weight"]`` is a column, ``c["weight", "a"]`` a number, ``c.row("a")`` a row.

    Parameters
    ----------
    elpds : mapping of str to ELPD
        Estimates by the name of the model, best first.
    data : mapping of str to ndarray, shape (model,)
        The columns: ``rank`` from 0, ``elpd``, ``p`` the effective number of parameters, ``elpd_diff`` how much less
        than the best, ``weight``, ``se`` of ``elpd``, ``dse`` the standard error of ``elpd_diff``, and ``warning``
        whether there is something wrong with the estimate.
    method : str
        How the weights were found.

    Attributes
    ----------
    elpds, method
        As above.
    columns, rows : tuple of str
        Names of columns and of models.
    """

    def __init__(self, elpds: Mapping[str, ELPD], data: Mapping[str, NDArray[Any]], method: str) -> None:
        self.elpds = dict(elpds)
        self.method = method
        self.columns = tuple(data)
        self.rows = tuple(self.elpds)
        self._data = dict(data)

    def __getitem__(self, key: str | tuple[str, str]) -> Any:
        column, row = (key, None) if isinstance(key, str) else key
        if column not in self._data:
            raise KeyError(f"no column {column!r}; there are {', '.join(self.columns)}")
        values = self._data[column]
        return values if row is None else values[self._place(row)].item()

    def _place(self, row: str) -> int:
        if row not in self.rows:
            raise KeyError(f"no model {row!r}; there are {', '.join(self.rows)}")
        return self.rows.index(row)

    @property
    def weights(self) -> dict[str, float]:
        """Weights by the name of the model, as `nbinfer.sample_ppc_w` takes them."""
        return self.to_dict()["weight"]

    def row(self, name: str) -> dict[str, Any]:
        """Return one row.

        Parameters
        ----------
        name : str
            Of the model.

        Returns
        -------
        row : dict of str to float, int or bool
            Its value in each column.
        """
        place = self._place(name)
        return {column: values[place].item() for column, values in self._data.items()}

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain numbers: column, then model."""
        return {c: dict(zip(self.rows, values.tolist(), strict=True)) for c, values in self._data.items()}

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame, models as its index."""
        import pandas as pd

        return pd.DataFrame(self._data, index=list(self.rows))

    def _cells(self) -> list[list[str]]:
        """Write the numbers, column by column."""
        forms = {"rank": "d", "warning": ""}
        return [[format(v, forms.get(c, ".2f")) for v in self[c].tolist()] for c in self.columns]

    def __repr__(self) -> str:
        lines = ["", *self.rows]
        lines = [line.ljust(max(map(len, lines))) for line in lines]
        for column, cells in zip(self.columns, self._cells(), strict=True):
            width = max(len(column), *map(len, cells))
            lines = [f"{line}  {text:>{width}}" for line, text in zip(lines, [column, *cells], strict=True)]
        return "\n".join([*lines, self._method, *self._notes()])

    @property
    def _method(self) -> str:
        return f"{next(iter(self.elpds.values())).kind.upper()}, weights by {self.method}."

    def _notes(self) -> list[str]:
        return [f"{name}: {elpd.problem}" for name, elpd in self.elpds.items() if elpd.problem]

    def _repr_html_(self) -> str:
        rows = [(name, *cells) for name, cells in zip(self.rows, zip(*self._cells(), strict=True), strict=True)]
        table = html.table(("", *self.columns), rows, numbers=True)
        return html.block(table, html.lines([self._method, *self._notes()]))


def compare(elpds: Mapping[str, ELPD], method: str = "stacking", random_seed: Any = None) -> Comparison:
    """Compare models by estimates of how well they predict the same data.

    Parameters
    ----------
    elpds : mapping of str to ELPD
        Two or more, all of one kind.
    method : {'stacking', 'bb-pseudo-bma', 'pseudo-bma'}
        How weights are found.
    random_seed : int, optional
        Of the bootstrap of 'bb-pseudo-bma'.

    Returns
    -------
    comparison : Comparison

    Raises
    ------
    ValueError
        If there are less than two, or they are not of the same observations.
    """
    choice("method", str(method).lower(), METHODS)
    method = method.lower()
    _require_comparable(elpds)
    ranked = dict(sorted(elpds.items(), key=lambda item: -item[1].elpd))
    found = list(ranked.values())
    pointwise = np.stack([each.pointwise.ravel() for each in found], axis=1)
    se = np.array([each.se for each in found])
    if method == "stacking":
        weights = stacking(pointwise)
    elif method == "pseudo-bma":
        weights = pseudo_bma(pointwise)
    else:
        weights, se = pseudo_bma_plus(pointwise, generator(key_of(seed_sequences(random_seed, 1)[0])))
    less = pointwise[:, :1] - pointwise
    dse = [0.0, *(standard_error(column) for column in less.T[1:])]
    data = {
        "rank": np.arange(len(found)),
        "elpd": np.array([each.elpd for each in found]),
        "p": np.array([each.p for each in found]),
        "elpd_diff": less.sum(axis=0),
        "weight": weights,
        "se": se,
        "dse": np.array(dse),
        "warning": np.array([bool(each.n_bad) for each in found]),
    }
    return Comparison(ranked, data, method)


def _require_comparable(elpds: Mapping[str, ELPD]) -> None:
    """Require estimates of one kind for the same observations: counts first, then values."""
    for name, elpd in mapping("models", elpds).items():
        instance(f"models[{name!r}]", elpd, ELPD, "an ELPD")
    if len(elpds) < 2:
        raise ValueError(f"models must be two or more to compare, got {len(elpds)}.")
    kinds = {name: each.kind for name, each in elpds.items()}
    if len(set(kinds.values())) > 1:
        raise ValueError(f"models must all have the same estimate, got {_each(kinds)}. Use nbinfer.loo for all.")
    counts = {name: each.n for name, each in elpds.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(
            f"models must have the same observations, got different numbers of them: {_each(counts)}. Fit all to the "
            "same data; rows that one of them leaves out must be left out of all."
        )
    (first, one), *others = elpds.items()
    for second, other in others:
        _require_same_values(first, one, second, other)


def _require_same_values(first: str, one: ELPD, second: str, other: ELPD) -> None:
    """Require the same observed values; where they are not known, the same name."""
    if one.observed is None or other.observed is None:
        if one.name != other.name:
            raise ValueError(
                f"models must have the same observed variable, got {one.name} of {first!r} and {other.name} of "
                f"{second!r}. Choose one with var_name."
            )
        return
    a, b = np.ravel(one.observed), np.ravel(other.observed)
    differ = np.flatnonzero(~((a == b) | ((a != a) & (b != b))))
    if differ.size:
        at = int(differ[0])
        raise ValueError(
            f"models must have the same observed values, got others at {differ.size} of {a.size} observations, first "
            f"at {label(one.name, one.observed.shape, at)}: {a[at]:g} of {first!r}, {b[at]:g} of {second!r}. Of a "
            "transformed response, let the likelihood be a density of the response itself: add the logarithm of the "
            "transformation's derivative."
        )


def _each(values: Mapping[str, Any]) -> str:
    return listed([f"{value} of {name!r}" for name, value in values.items()])
