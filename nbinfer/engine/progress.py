"""The display of a run: one line per job, or one for all if they are many, and what that says of itself."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from nbinfer.arguments import Progressbar
from nbinfer.engine.notebook import kernel, page
from nbinfer.engine.reported import Called, Counts, Reports, ReportsOfAll, Written, called_together

#: Bars that a screen has room for.
MOST_BARS = 16

_REDRAW = 0.1  # seconds


class Display(Protocol):
    """What the driver shows progress to."""

    def update(self, progress: np.ndarray) -> None:
        """Show the state of all jobs, by their progress lines."""

    def expect(self, total: int, words: str) -> None:
        """Take note that each job is to make another number of pieces than was thought, and of what else to say."""

    def close(self) -> None:
        """Leave the screen in order."""


class Silent:
    """Show nothing."""

    def update(self, progress: np.ndarray) -> None:
        """Do nothing."""

    def expect(self, total: int, words: str) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class _OnScreen:
    """Bars of tqdm that go quiet for good when the screen fails, whatever is wrong with it.

    They are drawn here: when tqdm draws one by itself and fails, its lock stays locked, for all bars of the process.
    """

    def __init__(self, options: list[dict[str, Any]], file: Any) -> None:
        self._bars: list[Any] = []
        self._shown, self._words, self._text = time.monotonic(), "", ""
        with self._or_quiet():
            from tqdm import tqdm

            for more in options:
                bar = tqdm(file=file, miniters=1, delay=1e-9, **more)  # writes nothing yet
                bar.delay = 0.0
                self._bars.append(bar)
            self._draw()

    @property
    def height(self) -> int:
        """How many lines there are."""
        return len(self._bars)

    def expect(self, total: int, words: str) -> None:
        """Have all bars end elsewhere, and the first say something more."""
        self._words = words
        with self._or_quiet():
            for bar in self._bars:
                bar.total = total
            self._caption()

    def close(self) -> None:
        """Show the last state and release the lines."""
        with self._or_quiet():
            self._draw()
            for bar in self._bars:
                bar.close()

    def _move(self, states: Iterable[tuple[int, str]]) -> None:
        """Move each bar to its count, with a text beside it."""
        with self._or_quiet():
            for k, (bar, (count, text)) in enumerate(zip(self._bars, states, strict=False)):
                bar.n = count
                bar.set_postfix_str(text, refresh=False)
                self._text = self._text if k else text
            self._caption()
            if time.monotonic() >= self._shown + _REDRAW:
                self._draw()

    def _caption(self) -> None:
        """Have the first bar say what is said of all, before what it says of itself."""
        for bar in self._bars[:1]:
            bar.set_postfix_str(", ".join(filter(None, [self._words, self._text])), refresh=False)

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
    """One bar per job.

    Parameters
    ----------
    labels : sequence of str
        What each job is called.
    total : int
        Pieces that each is to make.
    unit : str
        What a piece is called.
    describe : callable
        From a progress line to a few words.
    file : file, optional
        Where to. Default: standard error.
    """

    def __init__(
        self, labels: Sequence[str], total: int, unit: str, describe: Callable[[Any], str], file: Any = None
    ) -> None:
        self._describe = describe
        bars = [{"total": total, "desc": label, "position": i, "unit": unit} for i, label in enumerate(labels)]
        super().__init__(bars, file)

    def update(self, progress: np.ndarray) -> None:
        """Move every bar to its job's piece."""
        self._move((int(line["done"]), self._describe(line)) for line in progress)


class OneBar(_OnScreen):
    """One bar for many jobs, which is as far as the slowest of them.

    Parameters
    ----------
    label : str
        What they are called together.
    total : int
        Pieces that each is to make.
    unit : str
        What a piece is called.
    describe : callable
        From all progress lines to a few words.
    file : file, optional
        Where to. Default: standard error.
    """

    def __init__(
        self, label: str, total: int, unit: str, describe: Callable[[np.ndarray], str], file: Any = None
    ) -> None:
        self._describe_all = describe
        super().__init__([{"total": total, "desc": label, "unit": unit}], file)

    def update(self, progress: np.ndarray) -> None:
        """Move the bar to the piece of the slowest job."""
        self._move([(int(progress["done"].min()), self._describe_all(progress))])


class Lines(_OnScreen):
    """Lines of text below the bars of a run.

    Parameters
    ----------
    count : int
    above : int
        How many bars there are.
    file : file, optional
        Where to. Default: standard error.
    """

    def __init__(self, count: int, above: int, file: Any = None) -> None:
        super().__init__([{"bar_format": "{desc}", "position": above + i} for i in range(count)], file)

    def update(self, texts: Sequence[str]) -> None:
        """Write other texts, each no wider than the screen."""
        with self._or_quiet():
            for bar, text in zip(self._bars, texts, strict=False):
                bar.set_description_str(text, refresh=False)
            self._draw()

    def leave(self, texts: Sequence[str]) -> None:
        """Leave the last texts below bars that are closed already: the cursor is where these have left it."""
        with self._or_quiet():
            for i, bar in enumerate(self._bars):
                bar.pos = -i
        self.update(texts)
        self.close()


def display_for(
    progressbar: Progressbar,
    labels: Sequence[str],
    total: int,
    unit: str,
    describe: Callable[[Any], str],
    together: Callable[[np.ndarray], str] | None = None,
) -> Display:
    """Return the display that a run should have: bars on a terminal or in a notebook, lines elsewhere, or a function.

    Of more jobs than `MOST_BARS` it shows one, if there is something to say of them together; a function is told of
    all.
    """
    if not progressbar:
        return Silent()
    of_all = together if len(labels) > MOST_BARS and not callable(progressbar) else None
    to = _without_screen(progressbar, total, unit)
    if of_all is not None:
        name = called_together(labels)
        return OneBar(name, total, unit, of_all) if to is None else ReportsOfAll(to, name, of_all)
    return Bars(labels, total, unit, describe) if to is None else Reports(to, labels, describe)


class Counter(_OnScreen):
    """One line that counts, or none."""

    def __init__(self, unit: str, file: Any = None, shown: bool = True, total: int | None = None) -> None:
        super().__init__([{"unit": unit, "total": total}] if shown else [], file)

    def update(self, count: int, text: str) -> None:
        """Show a count, and a text beside it."""
        self._move([(count, text)])


def counter_for(progressbar: Progressbar, unit: str, total: int | None = None) -> Counter | Counts:
    """Return a counter: a bar on a terminal or in a notebook, lines elsewhere, or a function."""
    to = _without_screen(progressbar, total, unit)
    return Counter(unit, shown=bool(progressbar), total=total) if to is None else Counts(to)


def _without_screen(progressbar: Progressbar, total: int | None, unit: str) -> Called | Written | None:
    """Return what is told of a run that is to be shown, and not on a terminal; None for any other."""
    told = progressbar if callable(progressbar) else page() if progressbar else None
    if told is not None:
        return Called(told, total, unit)
    return Written(total, unit) if progressbar and not _is_interactive() else None


def _is_interactive() -> bool:
    try:
        return kernel() is not None or sys.stderr.isatty()
    except Exception:  # there is no screen, or one that does not know what it is
        return False
