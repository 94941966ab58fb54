"""What a view shows of a fit: its losses, or its particles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.live.asked import Asked, chosen
from nbinfer.live.scene import POINTS, Scene, Series, label_of, left_out, some

LOSS = "loss"

#: So many particles are looked at.
_PARTICLES = 200


class Losses:
    """The losses of a fit.

    Parameters
    ----------
    fitting : Fitting
    asked : Asked
    """

    def __init__(self, fitting: Any, asked: Asked) -> None:
        self._fitting, self._skip = fitting, asked.skip_first
        chosen(asked, [LOSS], [LOSS], "a fit without particles")

    def __call__(self, progress: NDArray[Any]) -> Scene:
        """Return medians over stretches of iterations: single losses are noise."""
        done = int(progress["done"][0])
        losses = np.array(self._fitting.losses[self._skip : done])
        width = max(-(-len(losses) // POINTS), 1)
        whole = losses[: len(losses) // width * width].reshape(-1, width)
        at = self._skip + width * np.arange(len(whole)) + width - 1
        return Scene([Series(LOSS, [np.median(whole, axis=1)], [at], kind="losses")], [""], "")


class Particles:
    """The particles of a fit, on the scale of the parameters.

    Parameters
    ----------
    approx : Empirical
    asked : Asked
    """

    def __init__(self, approx: Any, asked: Asked) -> None:
        self._approx, self._skip, model = approx, asked.skip_first, approx.model
        names = list(model.parameters)
        wanted = chosen(asked, names, names, "a fit of particles")
        shapes = {name: model.parameters[name].shape for name in wanted}
        places = some([int(np.prod(shapes[name])) for name in wanted], asked.most)
        self._shown = [(wanted[k], i, label_of(model, wanted[k], shapes[wanted[k]], i)) for k, i in places]
        self._note = left_out(len(places), sum(int(np.prod(shape)) for shape in shapes.values()))

    def __call__(self, progress: NDArray[Any]) -> Scene:
        """Return where they are."""
        model, rows = self._approx.model, self._approx.groups[0].params_dict["histogram"].get_value()
        rows = rows[:: -(-len(rows) // _PARTICLES)] if int(progress["done"][0]) >= self._skip else rows[:0]
        points = [model.layout.image(row, model.data_tuple)[0] for row in rows]
        found = [
            Series(label, [np.array([np.ravel(point[name])[i] for point in points], np.float64)], kind="particles")
            for name, i, label in self._shown
        ]
        return Scene(found, [""], self._note)
