"""Places that are hard to sample, told apart: funnels, and regions that hold a chain.

Both show as divergences and have different cures. In a funnel the spread of one parameter depends on another: all draws
show it, not only those that diverge. A region that holds a chain is entered once, and not left for a while.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from nbinfer.diagnostics.of_samplers import BFMI_LIMIT, HIGHEST_TARGET, Statistics, lowest_bfmi

# Of 130 runs of four funnels, correlations were 0.81 at least and ratios 3.9; of 340 others, ratios were 2.1 at most.
#: Rank correlation of a scale with the spread that it sets, and how many times as wide that is in the tenth of the
#: draws where the scale is largest as in the tenth where it is smallest.
_FUNNEL, _WIDENS = 0.7, 3.0
#: Mean rank of the scale, in (0, 1), where draws diverged: 0.5 if it has nothing to do with it.
_NARROW_END = 0.4
#: Divergences in so many draws, and how many times as often as elsewhere, that tell of a chain that was held.
_WINDOW, _DENSE, _TIMES = 50, 10, 10.0
#: A chain that repeats one draw so often was held there. At an acceptance of 0.8, others do so 16 times at most.
_STILL = 50
#: The share of its chain that a stay may take: a chain that was hardly elsewhere tells of no region.
_PART = 0.9

_FEW = 8  # elements of a variable that may set the spread of others, or name a place
_MOST_SCALES, _MOST_SPREADS, _MOST_DRAWS = 64, 128, 20_000  # that are looked at
_FAR, _NAMED = 1.5, 2  # standard deviations from the rest, for a place to be named by a parameter; by how many

Draws = Mapping[str, np.ndarray]


# ---- funnels


class _Scale(NamedTuple):
    """An element that may set the spread of others."""

    label: str
    variable: str
    element: int
    values: np.ndarray


class _Spread(NamedTuple):
    """How widely something spreads in each draw; the logarithm."""

    label: str
    variable: str
    values: np.ndarray


def funnel(draws: Draws, stats: Statistics, diverging: np.ndarray) -> str:
    """Tell of a parameter whose spread another one sets, if chains diverge where that is narrow, or lack energy."""
    lacks_energy = bool((lowest_bfmi(stats) < BFMI_LIMIT).any())
    if not diverging.any() and not lacks_energy:
        return ""
    pooled = _pooled(draws, stats)
    scales, spreads = list(_scales(pooled, stats))[:_MOST_SCALES], list(_spreads(pooled))[:_MOST_SPREADS]
    if not scales or not spreads:
        return ""
    ranks, of_spreads = _ranks([scale.values for scale in scales]), _ranks([spread.values for spread in spreads])
    correlations = ranks @ of_spreads.T / ranks.shape[1]
    for place in np.argsort(-np.abs(correlations), axis=None, kind="stable"):
        i, k = divmod(int(place), len(spreads))
        if abs(correlations[i, k]) < _FUNNEL:
            break
        sign, scale, spread = np.sign(correlations[i, k]), scales[i], spreads[k]
        where = draws[scale.variable][diverging].reshape(-1, draws[scale.variable][0, 0].size)[:, scale.element]
        if scale.variable == spread.variable or not _narrows(sign * scale.values, spread.values):
            continue
        ranks_there = np.searchsorted(np.sort(sign * scale.values), sign * where) / scale.values.size
        diverges_there = bool(where.size) and bool(ranks_there.mean() < _NARROW_END)
        if diverges_there or lacks_energy:
            at = float(np.median(where)) if diverges_there and where.size > 1 else None
            return _funnel_in_words(scale.label, spread.label, bool(sign > 0), at)
    return ""


def _narrows(scale: np.ndarray, spread: np.ndarray) -> bool:
    """Tell whether a log spread falls far as a scale falls."""
    low, high = np.quantile(scale, (0.1, 0.9))
    return bool(spread[scale >= high].mean() - spread[scale <= low].mean() > np.log(_WIDENS))


def _funnel_in_words(scale: str, what: str, is_small: bool, at: float | None) -> str:
    """Write what closes in, where, and what cures it; `at` is the median of the scale where chains diverge."""
    end, beyond = ("small", "below") if is_small else ("large", "above")
    there = "" if at is None else f", and there chains diverge (half of the times {beyond} {at:.3g})"
    otherwise = (
        f"give {scale} a prior that keeps it from there"
        if is_small
        else f"write it centred, or give {scale} a tighter prior"
    )
    return (
        f"{what} closes in where {scale} is {end}{there}: a funnel, where smaller steps help only in part. "
        f"Write {what} non-centred: parameters whose scale is fixed, and {what} computed from them and {scale}; "
        f"if it is so already, {otherwise}."
    )


def _pooled(draws: Draws, stats: Statistics) -> dict[str, np.ndarray]:
    """Return variables that are finite, all chains together, shape (draw, *shape); of very many draws, some."""
    places = np.argwhere(stats.kept.mask)
    chain, draw = places[:: 1 + len(places) // _MOST_DRAWS].T
    pooled = {name: values[chain, draw] for name, values in draws.items()}
    return {name: values for name, values in pooled.items() if len(values) > 1 and np.isfinite(values).all()}


def _scales(pooled: Draws, stats: Statistics) -> Iterator[_Scale]:
    for name, values in pooled.items():
        flat = values.reshape(len(values), -1)
        if flat.shape[1] <= _FEW:
            for i, label in enumerate(stats.labels(name)):
                yield _Scale(label, name, i, flat[:, i])


def _spreads(pooled: Draws) -> Iterator[_Spread]:
    """Go through what may spread: of a vector its elements, as in a hierarchy, and its steps, as in a random walk.

    Of a matrix also the columns, or rows, if they are few; of a scalar the distance from its median.
    """
    for name, values in pooled.items():
        flat = values.reshape(len(values), -1)
        if flat.shape[1] == 1:
            found = [(name, np.abs(flat[:, 0] - np.median(flat[:, 0])))]
        else:
            parts = [(label, part) for label, part in [(name, flat), *_lines(name, values)] if part.shape[1] > 2]
            found = [(label, part.std(axis=1)) for label, part in parts]
            found += [(label, np.diff(part, axis=1).std(axis=1)) for label, part in parts]
        for label, spread in found:
            if np.median(spread) > 0.0:
                yield _Spread(label, name, np.log(np.maximum(spread, np.finfo(float).tiny)))


def _lines(name: str, values: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Return columns and rows of a matrix that has few of them."""
    if values.ndim != 3:
        return []
    rows, columns = values.shape[1:]
    down = [(f"{name}[:,{k}]", values[:, :, k]) for k in range(columns if columns <= _FEW else 0)]
    return down + [(f"{name}[{k},:]", values[:, k]) for k in range(rows if rows <= _FEW else 0)]


def _ranks(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Return the ranks in each row, of mean 0 and variance 1."""
    ranks = np.argsort(np.argsort(rows, axis=1, kind="stable"), axis=1).astype(float)
    ranks -= 0.5 * (ranks.shape[1] - 1)
    return np.asarray(ranks / np.sqrt(np.mean(ranks[0] ** 2)))


# ---- regions that hold a chain


class _Stay(NamedTuple):
    """A chain's row, its first draw in a region and its last, and how many of them diverged, or repeat the first."""

    chain: int
    first: int
    last: int
    times: int


def held(draws: Draws, stats: Statistics, diverging: np.ndarray, targets: np.ndarray) -> str:
    """Tell of a chain that diverged again and again within few draws, or repeated one draw."""
    diverged = _dense(diverging, stats)
    stay = diverged or _still(stats)
    if stay is None:
        return ""
    chain, total = stats.chain_ids[stay.chain], int(diverging.sum())
    place, name = _place(draws, stats, stay)
    if diverged is None:
        what = f"Chain {chain} repeats draw {stay.first} another {stay.times} times{place}"
    else:
        how_many = "All" if stay.times == total else f"{stay.times} of them"
        what = f"{how_many} lie between draws {stay.first} and {stay.last} of chain {chain}{place}"
    target = min((t for t in targets if not np.isnan(t)), default=np.nan)
    more = "0.9" if not target >= 0.9 else "0.95" if target < 0.95 else "0.99"
    now = "" if np.isnan(target) else f" (now {target:g})"
    keep = f"if {name} should not be there, give it a stronger prior" if name else "look at what is special there"
    smaller = f"Raise target_accept to {more}{now}" if not target >= HIGHEST_TARGET else "Reparameterise"
    return f"{what}: a region far more curved than the rest, which holds a chain. {smaller}; {keep}."


def _dense(diverging: np.ndarray, stats: Statistics) -> _Stay | None:
    """Return the longest stay in a region where draws diverge far more often than elsewhere."""
    stays, inside, diverged = [], 0, 0
    for chain in np.flatnonzero(diverging.sum(axis=1) >= _DENSE):
        draws = np.flatnonzero(stats.kept.mask[chain])
        sums = np.concatenate([[0], np.cumsum(diverging[chain, draws])])
        starts = np.flatnonzero(sums[_WINDOW:] - sums[:-_WINDOW] >= _DENSE)
        if not starts.size:
            continue
        for part in np.split(starts, 1 + np.flatnonzero(np.diff(starts) > _WINDOW)):
            within = draws[part[0] : part[-1] + _WINDOW]
            hits = within[diverging[chain, within]]
            inside, diverged = inside + int(hits[-1] - hits[0]) + 1, diverged + hits.size
            if hits[-1] - hits[0] < _PART * draws.size:
                stays.append(_Stay(int(chain), int(hits[0]), int(hits[-1]), hits.size))
    outside = int(stats.kept.counts.sum()) - inside
    rate = (int(diverging.sum()) - diverged) / max(outside, 1)
    if not stays or outside < inside or diverged < _TIMES * rate * inside:
        return None
    return max(stays, key=lambda stay: stay.times)


def _still(stats: Statistics) -> _Stay | None:
    """Return the longest run of one and the same draw, if it is long."""
    columns = stats.of_samplers("lp")
    if len(columns) != 1:
        return None  # other samplers have moved in between
    mask = stats.kept.mask[:, 1:] & stats.kept.mask[:, :-1]
    logp = columns[0][:, : stats.kept.mask.shape[1]]
    same = np.zeros((len(mask), mask.shape[1] + 2), bool)  # ends with what differs, so that runs end with the chain
    same[:, 1:-1] = mask & (logp[:, 1:] == logp[:, :-1])
    breaks = np.flatnonzero(~same)
    runs = np.diff(breaks) - 1
    if not runs.size or runs.max() < _STILL:
        return None
    longest = int(runs.argmax())
    chain, first = divmod(int(breaks[longest]), same.shape[1])
    if runs[longest] > _PART * stats.kept.counts[chain]:
        return None
    return _Stay(chain, first, first + int(runs[longest]), int(runs[longest]))


def _place(draws: Draws, stats: Statistics, stay: _Stay) -> tuple[str, str]:
    """Say where a stay is by the values of what is farthest from the usual, and name that; empty if nothing is."""
    usual = {scale.label: scale.values for scale in _scales(_pooled(draws, stats), stats)}
    there = {name: values[stay.chain, stay.first : stay.last + 1] for name, values in draws.items()}
    found: list[tuple[float, str, np.ndarray]] = []
    for inside in _scales(there, stats):
        values = usual.get(inside.label)
        if values is not None and values.std() > 0.0:
            found.append((abs(inside.values.mean() - values.mean()) / values.std(), inside.label, inside.values))
    far = sorted((item for item in found if item[0] > _FAR), key=lambda item: -item[0])
    texts = [f"{label} {_between(values.min(), values.max())}" for _, label, values in far[:_NAMED]]
    return (f" ({', '.join(texts)})", far[0][1]) if far else ("", "")


def _between(low: float, high: float) -> str:
    one, other = f"{low:.3g}", f"{high:.3g}"
    return one if one == other else f"{one} to {other}"
