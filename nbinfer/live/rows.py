"""A scene as rows of text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nbinfer.diagnostics.rhat import rhat
from nbinfer.live.scene import Floats, Scene, Series
from nbinfer.live.sparks import BLOCKS, PLAIN, cells, fitted, path, profile, spark

#: Cells of the numbers, and of R-hat behind them; a screen that is wider than this has densities, too.
_NUMBERS, _RHAT, _WIDE = 18, 11, 100


def rows(scene: Scene, width: int, letters: str = BLOCKS) -> list[str]:
    """Return a row for each quantity, and one that says what is left out.

    Parameters
    ----------
    scene : Scene
    width : int
        Cells that a row may have.
    letters : str
        From low to high.
    """
    if letters != BLOCKS:
        width -= 1  # plain letters for ± take one more
        scene = Scene([replace(s, label=_plain(s.label)) for s in scene.series], scene.chains, _plain(scene.note))
    longest = max(cells(series.label) for series in scene.series)
    label = min(longest, 24 if width >= _WIDE else 14, max(width // 4, 1))
    found = [_row(series, width, label, letters) for series in scene.series]
    if scene.note:
        found.append(fitted(scene.note, width).rstrip())
    return found if letters == BLOCKS else [_plain(row) for row in found]


def _row(series: Series, width: int, label: int, letters: str) -> str:
    name, numbers, verdict = fitted(series.label, label), said(series), mixed(series)
    room = width - label - _NUMBERS - 4
    with_rhat = room >= 2 * _RHAT
    room -= _RHAT if with_rhat else 0
    if room < 4:
        return fitted(f"{name}  {numbers}", width).rstrip()
    side = room // 3 if width >= _WIDE and series.kind == "draws" else 0
    curves = _curves(series, room - (side + 2 if side else 0), side, letters)
    return f"{name}  {curves}  {fitted(numbers, _NUMBERS)}{verdict if with_rhat else ''}".rstrip()


def _curves(series: Series, room: int, side: int, letters: str) -> str:
    """Draw values as they came, with their distribution beside it if there is room; of particles that alone."""
    pooled = np.concatenate(series.counted)
    if series.kind == "particles":
        return spark(profile(pooled, room), letters)
    return spark(path(series, room), letters) + (f"  {spark(profile(pooled, side), letters)}" if side else "")


def said(series: Series) -> str:
    """Say in a few words where a quantity is."""
    if series.not_finite:
        return f"{series.not_finite} not finite"
    values: Floats = np.concatenate(series.counted)
    if not values.size:
        return "warm-up" if any(map(len, series.values)) else "…"
    if series.kind == "losses":
        return f"{values[-1]:,.5g}"
    with np.errstate(all="ignore"):
        mean, sd = values.mean(), values.std(ddof=1) if values.size > 1 else np.nan
    return f"{mean:.3g} ± {sd:.2g}" if sd > 0 else f"{mean:.3g}" + (", constant" if values.size > 1 else "")


def mixed(series: Series) -> str:
    """Say whether chains agree, if that can be told."""
    if series.kind != "draws" or series.not_finite:
        return ""
    found = float(rhat(series.common)) if series.common.shape[1] > 3 else np.nan
    return f" R-hat {found:.2f}" if np.isfinite(found) else ""


def _plain(text: str) -> str:
    """Write a row with letters that every screen has."""
    return text.replace("±", "+-").replace("…", "~").encode("ascii", "replace").decode()


def letters_of(file: object) -> str:
    """Return the letters that a file can be written to with."""
    try:
        (BLOCKS + "±…").encode(getattr(file, "encoding", None) or "ascii")
    except (UnicodeError, LookupError, TypeError):
        return PLAIN
    return BLOCKS
