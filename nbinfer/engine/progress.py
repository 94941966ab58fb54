"""The display of a run: one line per chain with draws, divergences, step size and gradients per draw."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np

_REDRAW = 0.1  # seconds


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


class _OnScreen:
    """Bars of tqdm that go quiet for good when the screen fails, whatever is wrong with it.

    They are drawn here: when tqdm draws one by itself and fails, its lock stays locked, for all bars of the process.
    """

    def __init__(self, options: list[dict[str, Any]], file: Any) -> None:
        self._bars: list[Any] = []
        self._shown = time.monotonic()
        with self._or_quiet():
            from tqdm.auto import tqdm

            for more in options:
                bar = tqdm(file=file, miniters=1, delay=1e-9, **more)  # writes nothing yet
                bar.delay = 0.0
                self._bars.append(bar)
            self._draw()

    def close(self) -> None:
        """Show the last state and release the lines."""
        with self._or_quiet():
            self._draw()
            for bar in self._bars:
                bar.close()

    def _move(self, states: Iterable[tuple[int, str]]) -> None:
        """Move each bar to its count, with a text beside it."""
        with self._or_quiet():
            for bar, (count, text) in zip(self._bars, states, strict=False):
                bar.n = count
                bar.set_postfix_str(text, refresh=False)
            if time.monotonic() >= self._shown + _REDRAW:
                self._draw()

    def _draw(self) -> None:
        for bar in self._bars:
            with bar.get_lock():
                bar.refresh(nolock=True)
        self._shown = time.monotonic()

    @contextlib.contextmanager
    def _or_quiet(self) -> Iterator[None]:
        try:
            yield
        except Exception:
            for bar in self._bars:
                bar.disable = True  # it says nothing when it is collected, either
            self._bars = []


class Bars(_OnScreen):
    """One bar per chain."""

    def __init__(self, numbers: list[int], tune: int, total: int, file: Any = None) -> None:
        self._tune = tune
        super().__init__(
            [{"total": total, "desc": f"chain {n}", "position": i, "unit": "draw"} for i, n in enumerate(numbers)],
            file,
        )

    def update(self, progress: np.ndarray) -> None:
        """Move every bar to its chain's draw."""
        self._move((int(line["draw"]), describe(line, self._tune)) for line in progress)


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


class Counter(_OnScreen):
    """One line that counts, or none."""

    def __init__(self, unit: str, file: Any = None, shown: bool = True) -> None:
        super().__init__([{"unit": unit}] if shown else [], file)

    def update(self, count: int, text: str) -> None:
        """Show a count, and a text beside it."""
        self._move([(count, text)])


def counter_for(progressbar: bool, unit: str) -> Counter:
    """Return a counter that is shown on a terminal or in a notebook only."""
    return Counter(unit, shown=progressbar and _is_interactive())


def _is_interactive() -> bool:
    try:
        return "ipykernel" in sys.modules or sys.stderr.isatty()
    except Exception:  # there is no screen, or one that does not know what it is
        return False
