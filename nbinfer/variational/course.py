"""How a fit goes through the learning rates of `RAABBVI`: looks at its iterates, averages, lower rates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.errors import ParametrizationError
from nbinfer.variational.fitting import Fitting
from nbinfer.variational.optimizers.descent import Extent
from nbinfer.variational.optimizers.watched import Watched, stretches
from nbinfer.variational.raabbvi import RAABBVI, Settled
from nbinfer.variational.report import Verdict
from nbinfer.variational.windows import Window, best_window, has_fallen

Floats = NDArray[np.float64]

#: Iterations of a rate before the first look, by those of its shortest window; and iterations from one look, at which
#: iterates have not settled, to the next one, by those before.
_FIRST, _LATER = 1.5, 0.1
#: Iterations, in shortest windows, after which a rate is too high if none has settled, losses do not fall, and means of
#: batches are so far from that of the window, which is as far as a mean is that is off by a standard deviation.
_PATIENCE, _FAR = 10, 1.0


class Course:
    """A fit's way through its learning rates.

    Parameters
    ----------
    settings : RAABBVI
    fitting : Fitting
        Of a fit by the optimiser of these settings.

    Attributes
    ----------
    due : int
        The iteration after which to look.
    settled : list of Settled
        The rates so far.
    converged : bool
        Whether the last of them was enough.

    Raises
    ------
    ExplicitInferenceError
        If a family has no divergence of two of its distributions.
    ParametrizationError
        If averages of its parameters mean nothing.
    """

    def __init__(self, settings: RAABBVI, fitting: Fitting) -> None:
        assert isinstance(fitting.settings.rule, Watched)
        self._settings, self._fitting, self._watched = settings, fitting, fitting.settings.rule
        self.converged = False
        self.settled: list[Settled] = []
        self.due = self._first_look
        self._window: Window | None = None  # of the last look
        self._iterate: Floats | None = None  # where the optimiser is while parameters are an average
        self._average = self._parameters.copy()
        self._check()

    def _check(self) -> None:
        for group in self._fitting.moved:
            group.family.divergence(group.values, group.values)
            if not group.family.is_identified(group.extent):
                raise ParametrizationError(
                    f"convergence='raabbvi' averages parameters, and those of {group.short_name} may change while the "
                    "distribution stays, as several directions may be turned; take rank=1, or another family."
                )

    def look(self) -> bool:
        """Look whether the iterates have settled, if it is time to, and go on at a lower rate if so.

        Returns
        -------
        ends : bool
            Whether the fit may end.
        """
        i = int(self._fitting.fit.done)
        if i < self.due:
            return False
        self._window = window = self._best_window()
        self.due = i + max(self._settings.min_window, int(_LATER * self._done))
        if window is None or not self._settings.has_settled(window):
            if window is not None and self._is_too_high(window):
                self._begin(window.mean, self._rate * self._settings.factor)
            return False
        last = self._described(window, i)
        if not self._settings.is_exact_enough(last):
            return False
        self.settled.append(self._settings.predicted(self.settled, last))
        self._begin(window.mean, last.rate * self._settings.factor)
        self.converged = self._settings.is_enough(self.settled[-1])
        return self.converged

    def resume(self) -> None:
        """Put the optimiser back to where it was, unless the parameters were set since."""
        if self._iterate is not None and np.array_equal(self._parameters, self._average):
            self._parameters[:] = self._iterate
        self._iterate = None

    def pause(self) -> None:
        """Have the parameters be an average: of the window that has settled most, or of the rate before."""
        if not self._done:  # they are
            return
        window = self._best_window()
        if window is not None:
            self._average = window.mean
        elif not self.settled:
            return
        self._iterate = self._parameters.copy()
        self._parameters[:] = self._average

    def state(self) -> dict[str, Any]:
        """Return where the fit is on its way, as `nbinfer.engine.written` keeps it; the optimiser is in the block."""
        return {
            "converged": self.converged,
            "settled": [list(each) for each in self.settled],
            "due": self.due,
            "window": None if self._window is None else list(self._window),
            "average": self._average.copy(),
        }

    def restore(self, state: Any) -> None:
        """Take over what `state` has returned."""
        self.converged, self.due, self._average = state["converged"], state["due"], state["average"]
        self.settled = [Settled(*each) for each in state["settled"]]
        self._window = None if state["window"] is None else Window(*state["window"])

    @property
    def verdict(self) -> Verdict:
        """What is to be said at the end of a fit."""
        return Verdict(self.converged, rates=tuple(self.settled), state=self._state)

    @property
    def _state(self) -> str:
        """How far the fit is, in a sentence."""
        settings, window = self._settings, self._window
        said = f"Of its learning rates, {len(self.settled)} have settled"
        if self.settled and not math.isnan(self.settled[-1].distance):
            said += f", the last one at a distance of {self.settled[-1].distance:.2g} (wanted: {settings.accuracy:g})"
        said += f". At {self._rate:.3g}, after {self._done} iterations, "
        if window is None:
            return f"{said}there is no window of {self._least} yet."
        return (
            f"{said}the best window has R-hat {window.rhat:.2f} (wanted: {settings.rhat:g}) and an effective sample "
            f"size of {window.ess:.0f} (wanted: {settings.min_ess:g})."
        )

    @property
    def _parameters(self) -> Floats:
        found: Floats = self._fitting.fit.parameters[: self._fitting.n_moved]
        return found

    @property
    def _rate(self) -> float:
        return float(self._fitting.rule.rate)

    @property
    def _done(self) -> int:
        own = self._fitting.rule
        return int(own.filled * own.length + own.inside)

    @property
    def _least(self) -> int:
        """Iterations of the shortest window: at half the rate, everything takes twice as long.

        With windows of one length, whatever moves slowly would seem to come to rest as the rate falls.
        """
        return math.ceil(self._settings.min_window * float(self._watched.learning_rate) / self._rate)  # type: ignore[arg-type]

    def _is_too_high(self, window: Window) -> bool:
        """Tell whether iterates are thrown about at the first rate, farther than the distributions are wide."""
        done, until = self._done, int(self._fitting.fit.done)
        if self.settled or done < _PATIENCE * self._least or self._scatter(window) < _FAR:
            return False
        return not has_fallen(self._fitting.losses[until - done : until])

    def _scatter(self, window: Window) -> float:
        """Return how far means of batches are from that of the window, in the root of the mean square."""
        return math.sqrt(np.mean([self._distance(batch, window.mean) ** 2 for batch in window.batches]))

    @property
    def _first_look(self) -> int:
        return int(self._fitting.fit.done) + math.ceil(_FIRST * self._least)

    def _best_window(self) -> Window | None:
        means, spreads, length = stretches(self._fitting.rule, self._fitting.n_moved)
        if not np.isfinite(means).all():  # a step that was taken back
            self._begin(self._parameters.copy(), self._rate)
            return None
        return best_window(means, spreads, length, self._least)

    def _begin(self, parameters: Floats, rate: float) -> None:
        """Begin a learning rate, with an optimiser that knows of none before."""
        self._average = parameters
        self._parameters[:] = parameters
        self._watched.restart(self._fitting.rule, Extent(self._fitting.n_moved), rate)
        self._watched.connect(self._fitting.rule)
        self.due, self._window = self._first_look, None

    def _described(self, window: Window, i: int) -> Settled:
        moved = self._distance(self._average, window.mean) if self.settled else math.nan
        return Settled(
            rate=self._rate,
            at=i,
            iterations=self._done,
            window=window.size,
            rhat=window.rhat,
            ess=window.ess,
            error=self._scatter(window) / math.sqrt(len(window.batches) - 1),
            moved=moved,
            distance=math.nan,
            inefficiency=math.nan,
        )

    def _distance(self, parameters: Floats, others: Floats) -> float:
        """Return the root of the divergence, of all groups together."""
        total, at = 0.0, 0
        for group in self._fitting.moved:
            size = sum(shared.size for shared in group.params)
            named = (_named(group.params_dict, values[at : at + size]) for values in (parameters, others))
            total += group.family.divergence(*named)
            at += size
        return math.sqrt(total)


def _named(shapes: Any, values: Floats) -> dict[str, Floats]:
    """Return parameters by name, of numbers one after the other."""
    found, at = {}, 0
    for name, shared in shapes.items():
        found[name] = values[at : at + shared.size].reshape(shared.shape)
        at += shared.size
    return found
