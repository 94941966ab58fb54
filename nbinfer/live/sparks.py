"""Curves of letters: a line of text that shows how numbers go up and down."""

from __future__ import annotations

import unicodedata

import numpy as np

from nbinfer.live.scene import Floats, Series

#: From low to high; for screens that have no others, plain ones.
BLOCKS, PLAIN = "▁▂▃▄▅▆▇█", "_.-~=+*#"


def spark(heights: Floats, letters: str = BLOCKS) -> str:
    """Draw heights, one letter each; where there is none, NaN, a blank."""
    finite = heights[np.isfinite(heights)]
    if not finite.size:
        return " " * len(heights)
    low, high = np.quantile(finite, [0.05, 1.0] if finite.size > 20 else [0.0, 1.0])
    with np.errstate(all="ignore"):
        size = (np.clip(heights, low, high) / 2 - low / 2) / (high / 2 - low / 2)  # halves: a difference may overflow
    steps = np.where(np.isfinite(size), size, 0.4) * (len(letters) - 1)
    return "".join(letters[round(step)] if np.isfinite(y) else " " for step, y in zip(steps, heights, strict=True))


def path(series: Series, width: int) -> Floats:
    """Return the means of values over `width` stretches of iterations, of all chains together; NaN where none is."""
    values = np.concatenate([np.asarray(of, np.float64) for of in series.values])
    at = np.concatenate(series.at)
    kept = np.isfinite(values)
    values, at = values[kept], at[kept]
    if not values.size:
        return np.full(width, np.nan)
    cells = min(width, len(np.unique(at)))
    low = int(at.min())
    where = (at - low) * cells // (int(at.max()) - low + 1)
    counts = np.bincount(where, minlength=cells)
    scale = max(float(np.abs(values).max()), 1e-300)
    with np.errstate(all="ignore"):
        found = np.bincount(where, values / scale, cells) / counts * scale
    return np.append(found, np.full(width - cells, np.nan))


def profile(values: Floats, width: int) -> Floats:
    """Return how dense values are at `width` places, between their 1 % and 99 % quantiles; of few values smoothed."""
    if values.size < 2:
        return np.full(width, np.nan)
    low, high = np.quantile(values, [0.01, 0.99])
    if not 0.0 < high / 2 - low / 2 < np.inf:
        return np.full(width, np.nan)
    scaled = (np.clip(values, low, high) / 2 - low / 2) / (high / 2 - low / 2)
    columns = min(width, max(int(1.5 * values.size**0.5), 2))
    counts = np.histogram(scaled, columns, (0.0, 1.0))[0].astype(np.float64)
    return np.asarray(np.interp(np.arange(width) + 0.5, (np.arange(columns) + 0.5) * width / columns, counts))


def cells(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    return sum(_width(letter) for letter in text)


def fitted(text: str, width: int) -> str:
    """Cut a text, or fill it up, to so many cells."""
    if cells(text) > width:
        found = ""
        for letter in text:
            if cells(found + letter) > width - 1:
                break
            found += letter
        text = found + "…"
    return text + " " * (width - cells(text))


def _width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
