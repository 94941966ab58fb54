"""The display of a run: one line per chain with draws, divergences, step size and gradients per draw."""

from __future__ import annotations

import sys
from typing import Any, Protocol

import numpy as np


class Display(Protocol):
    """What the driver shows progress to."""

    def update(self, progress: np.ndarray) -> None:
        """Show the state of all chains, an array of `Progress`."""

    def close(self) -> None:
        """Leave the screen in order."""


class Silent:
    """Show nothing."""

    def update(self, progress: np.ndarray) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Bars:
    """One tqdm bar per chain."""

    def __init__(self, numbers: list[int], tune: int, total: int, file: Any = None) -> None:
        from tqdm.auto import tqdm

        self._tune = tune
        self._bars = [
            tqdm(total=total, desc=f"chain {n}", position=i, leave=True, file=file, unit="draw", mininterval=0.1)
            for i, n in enumerate(numbers)
        ]

    def update(self, progress: np.ndarray) -> None:
        """Move every bar to its chain's draw."""
        for bar, line in zip(self._bars, progress, strict=True):
            draw = int(line["draw"])
            if draw == bar.n:
                continue
            bar.set_postfix_str(describe(line, self._tune), refresh=False)
            bar.update(draw - bar.n)

    def close(self) -> None:
        """Show the last state and release the lines."""
        for bar in self._bars:
            bar.refresh()
            bar.close()


def describe(line: Any, tune: int) -> str:
    """Say in a few words what a chain is doing."""
    draw = int(line["draw"])
    phase = "warm-up" if draw < tune else f"{int(line['divergences'])} divergences"
    per_draw = int(line["gradients"]) / max(draw, 1)
    return f"{phase}, step {float(line['step_size']):.2g}, {per_draw:.1f} gradients/draw"


def display_for(progressbar: bool, numbers: list[int], tune: int, total: int) -> Display:
    """Return the display that a run should have; a bar is shown on a terminal or in a notebook only."""
    if not progressbar or not _is_interactive():
        return Silent()
    return Bars(numbers, tune, total)


class Counter:
    """One line that counts, or none."""

    def __init__(self, unit: str, file: Any = None, shown: bool = True) -> None:
        self._bar = None
        if shown:
            from tqdm.auto import tqdm

            self._bar = tqdm(unit=unit, file=file, mininterval=0.1)

    def update(self, count: int, text: str) -> None:
        """Show a count, and a text beside it."""
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(count - self._bar.n)

    def close(self) -> None:
        """Show the last state and release the line."""
        if self._bar is not None:
            self._bar.refresh()
            self._bar.close()


def counter_for(progressbar: bool, unit: str) -> Counter:
    """Return a counter that is shown on a terminal or in a notebook only."""
    return Counter(unit, shown=progressbar and _is_interactive())


def _is_interactive() -> bool:
    if "ipykernel" in sys.modules:
        return True
    return sys.stderr is not None and sys.stderr.isatty()
