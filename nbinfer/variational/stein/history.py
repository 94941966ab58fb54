"""Particles of several iterations, kept as they come: draws of a fit whose particles go on moving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import MOST, count
from nbinfer.engine.written import kept
from nbinfer.errors import VariationalInferenceError
from nbinfer.model import Model
from nbinfer.spelling import public
from nbinfer.variational.single_group import Empirical
from nbinfer.variational.stein.stein import joint_histogram

Floats = NDArray[np.float64]


@public
@kept
class ParticleHistory:
    """Keep the particles of several iterations: a callback, above all of noisy particles, see `SVGD`.

    Parameters
    ----------
    every : int
        Iterations from one time to the next. Particles move little in one: take some ten.
    after : int
        Iterations before the first time, until particles are where they belong.

    Attributes
    ----------
    iterations : list of int
        Those whose particles are kept, counted from 1.

    Examples
    --------
    >>> import numpy as np
    >>> import nbinfer as nb
    >>> model = nb.Model({"x": nb.real(1)}, logp=lambda p, d: -0.5 * np.sum(p.x**2))
    >>> inference, history = nb.SVGD(20, model=model, random_seed=1, noisy=True), nb.ParticleHistory(10, after=100)
    >>> options = {"obj_optimizer": nb.sgd(learning_rate=0.5), "callbacks": [history], "progressbar": False}
    >>> _ = inference.fit(400, **options)
    >>> len(history.iterations), history.approx().histogram.shape
    (30, (600, 1))
    """

    def __init__(self, every: int = 10, after: int = 0) -> None:
        count("every", every, 1, MOST)
        count("after", after, 0, MOST)
        self.every, self.after = every, after
        self.iterations: list[int] = []
        self._rows: list[Floats] = []
        self._model: Any = None

    @property
    def made_of(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What it was made of."""
        return (self.every, self.after), {}

    def __call__(self, approx: Any, losses: Any, i: int) -> None:
        """Keep the particles as they are."""
        self._model = approx.model
        if i > self.after:
            self._rows.append(joint_histogram(approx))
            self.iterations.append(i)

    @property
    def rows(self) -> Floats:
        """All that was kept, unconstrained, shape (iterations, particles, dim)."""
        return np.array(self._rows)

    def approx(self, model: Model | None = None, random_seed: Any = None) -> Empirical:
        """Return the approximation of which every particle that was kept is a draw.

        Parameters
        ----------
        model : Model, optional
            Default: that of the fit, or of the enclosing ``with`` block.
        random_seed : None, int, SeedSequence or Generator
            Of draws from it.

        Raises
        ------
        VariationalInferenceError
            If nothing was kept.
        """
        if not self._rows:
            first = (self.after // self.every + 1) * self.every
            raise VariationalInferenceError(
                f"no particles were kept: the first are those of iteration {first}; make more, or lower after."
            )
        rows = np.concatenate(self._rows)
        found = Empirical(size=len(rows), model=model or self._model, random_seed=random_seed)
        found.params[0].set_value(rows)
        return found

    def state(self) -> dict[str, Any]:
        """Return what was kept."""
        return {"iterations": list(self.iterations), "rows": self.rows}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Have that."""
        self.iterations, self._rows = [int(i) for i in state["iterations"]], list(state["rows"])
