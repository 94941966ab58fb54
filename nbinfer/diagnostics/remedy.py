"""What would cure a run as a whole, said by the first problem that it explains; the others refer to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nbinfer.diagnostics.of_samplers import Statistics
from nbinfer.diagnostics.places import funnel, held
from nbinfer.diagnostics.quantities import Measured
from nbinfer.diagnostics.rhat import largest_rhat
from nbinfer.diagnostics.wanderers import lost, switched

# Of 175 runs of a regression with up to 50 draws of warm-up, those where draws looked like a funnel had an R-hat of 2.1
# at least; of 90 runs of funnels one had 1.5, the others less.
#: A warm-up of fewer draws is short: with an R-hat above the first number it was too short.
_SHORT, _UNSETTLED = 100, 1.2
#: Draws tell nothing of places if R-hat is above this, more than this share diverged, or chains are shorter.
_APART, _MOST, _FEW = 1.8, 0.5, 50
#: Chains that disagree and have gone further than this are lost; and, squared, those that agree.
_LOST = 1e15


class Remedy:
    """What would cure a run, where the draws tell it: found when first asked for, and said once.

    Parameters
    ----------
    stats : Statistics
    measured : dict of str to Measured
        What was measured of all quantities.
    names : sequence of str
        The parameters.
    target_accept : ndarray
        Of each sampler.
    tune : int, str or None
        What was asked for as warm-up; None: nobody knows.
    usual : int
        What is mostly enough.
    with_model : callable, optional
        From draws that diverged to what the model shows: what is to be said, and a name for the cause.

    Attributes
    ----------
    explains : str
        A sentence for further problems, once a cause has been said that explains them too; else empty.
    """

    def __init__(
        self,
        stats: Statistics,
        measured: Mapping[str, Measured],
        names: Sequence[str],
        target_accept: np.ndarray,
        tune: object = None,
        usual: int = 1000,
        with_model: Callable[[NDArray[np.bool_]], tuple[str, str]] | None = None,
    ) -> None:
        self._stats, self._targets, self._tune, self._usual = stats, target_accept, tune, usual
        self._with_model = with_model or (lambda _: ("", ""))
        self._said, self.explains = False, ""
        chosen = {name: measured[name] for name in names if measured[name].draws.dtype.kind == "f"}
        rhats = [largest_rhat(m.records.reshape(-1)) for m in chosen.values()]
        found = np.concatenate([*rhats, [1.0]])
        self._rhat = float(found[~np.isnan(found)].max())
        width = stats.kept.mask.shape[1]
        self._draws = {name: m.draws[:, :width] for name, m in chosen.items() if m.draws.size}

    def take(self) -> str:
        """Return a few sentences; if they have been said, `explains`."""
        diverging = self._stats["diverging"]
        if self._said or diverging is None:
            return self.explains
        text, cause = self._look(diverging)
        self._said, self.explains = bool(text), f"{cause} explains this." if cause else ""
        return text

    @property
    def longer(self) -> str:
        """How to warm up longer."""
        if self._tune != "auto":
            return "tune longer"
        return f"set tune={2000 if self._stats.tuned >= 1000 else 1000}"

    def _look(self, diverging: np.ndarray) -> tuple[str, str]:
        """Return what is to be said, and a name for the cause if it explains more than one problem."""
        text = lost(self._draws, _LOST if self._rhat > _UNSETTLED else _LOST**2)
        if text:
            return text, "The density without an end"
        text, cause = self._with_model(diverging)
        if text:
            return text, cause
        text = switched(self._draws) if self._rhat > _UNSETTLED else ""
        if text:
            return text, "The exchange of labels"
        tuned = self._stats.tuned
        if self._tune is not None and tuned < _SHORT and self._rhat > _UNSETTLED:
            longer = f"warm up longer, as with tune={self._usual}"
            return f"Warm-up was too short (tune={tuned}): {longer}.", "The short warm-up"
        counts = self._stats.kept.counts
        if self._rhat > _APART or diverging.sum() > _MOST * counts.sum() or counts.max(initial=0) < _FEW:
            return "", ""
        text = funnel(self._draws, self._stats, diverging)
        if text:
            return text, "The funnel"
        return held(self._draws, self._stats, diverging, self._targets), ""
