"""Posteriors with trustworthy answers, from posteriordb: data, reference values, reference draws, and models of ours.

`data/NOTICE.txt` says where the numbers come from and under which licence.
"""

from __future__ import annotations

import functools
import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import nbinfer as nb

DATA = Path(__file__).parent / "data"

#: Posterior -> (folder of its data, module and attribute of its model, which points file).
_WHERE = {
    "eight_schools_noncentered": ("eight_schools", "eight_schools", "noncentered"),
    "eight_schools_centered": ("eight_schools", "eight_schools", "centered"),
    "arK": ("arK", "ar", "model"),
    "kidscore_interaction": ("kidscore", "regression", "kidscore"),
    "nes2000": ("nes2000", "regression", "nes2000"),
    "sblri": ("sblri", "regression", "sblri"),
    "radon_centered": ("radon", "radon", "centered"),
    "radon_noncentered": ("radon", "radon", "noncentered"),
    "logearn_interaction": ("earnings", "regression", "earnings"),
    "logmesquite_logvash": ("mesquite", "regression", "mesquite"),
    "garch11": ("garch", "garch", "model"),
    "gp_pois_regr": ("gp_pois_regr", "gp_poisson", "model"),
    "hmm_example": ("hmm_example", "hmm", "model"),
    "low_dim_gauss_mix": ("low_dim_gauss_mix", "mixture", "model"),
}

#: All of them.
NAMES = tuple(_WHERE)

#: Those with a gradient written by hand, ``<variant>_grad`` beside the model, that the derived one is compared with.
WRITTEN = ("arK", "sblri", "radon_noncentered")

#: Names of posteriordb's that our model spells differently.
_RENAMED = {"theta_trans": "eta"}


def read(folder: str, file: str) -> Any:
    """Return the content of one of the JSON files."""
    return json.loads((DATA / folder / file).read_text())


def gather(flat: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Collect ``{"beta[1]": …, "beta[2]": …}`` into ``{"beta": array}``, the index last."""
    groups: dict[str, list[Any]] = {}
    scalars: set[str] = set()
    for label, value in flat.items():
        name, index = re.fullmatch(r"(\w+)(?:\[(\d+)\])?", label).groups()
        groups.setdefault(name, []).append(value)
        if index is None:
            scalars.add(name)
        else:
            assert int(index) == len(groups[name]), "indices come in order"
    return {
        _RENAMED.get(name, name): np.asarray(values[0] if name in scalars else np.stack(values, axis=-1), dtype=float)
        for name, values in groups.items()
    }


@dataclass(frozen=True)
class Point:
    """A point on the constrained scale with the log density (up to a constant) and its gradient there."""

    values: dict[str, np.ndarray]
    logp: float
    grad: dict[str, np.ndarray]


@dataclass(frozen=True)
class Posterior:
    """One posterior: how we write it and what is known about it."""

    name: str
    folder: str
    module: str
    variant: str

    @functools.cached_property
    def model(self) -> Any:
        """The model; its gradient is derived."""
        return getattr(self._module, self.variant)

    @functools.cached_property
    def written(self) -> Any:
        """The model with the gradient written by hand; for the names in `WRITTEN`."""
        return nb.Model(
            parameters={name: p.support for name, p in self.model.parameters.items()},
            prior=self.model.prior,
            likelihood=self.model.likelihood,
            logp_grad=getattr(self._module, f"{self.variant}_grad"),
            data=self.model.data,
        )

    @property
    def _module(self) -> Any:
        return importlib.import_module(f"{__name__}.{self.module}")

    @functools.cached_property
    def summary(self) -> dict[str, Any]:
        """Reference moments and quantiles, arrays in the order of ``summary["parameters"]``."""
        return read(self.folder, "reference_summary.json")

    @functools.cached_property
    def draws(self) -> dict[str, np.ndarray]:
        """Reference draws of what is reported, (draw, …)."""
        with np.load(DATA / self.folder / "draws.npz") as file:
            return gather({label: file[label].astype(float) for label in self.summary["parameters"]})

    @functools.cached_property
    def points(self) -> list[Point]:
        """A handful of points at which density and gradient are known."""
        file = f"logp_points_{self.variant}.json" if "centered" in self.variant else "logp_points.json"
        stored = read(self.folder, file)
        labels = stored["coordinates"]
        return [
            Point(
                gather(dict(zip(labels, p["x"], strict=True))),
                p["logp"],
                gather(dict(zip(labels, p["grad"], strict=True))),
            )
            for p in stored["points"]
        ]

    def log_density(self, draws: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the log density, with respect to what is reported, of each of n draws (n, …)."""
        # What is reported are the centred coordinates, also where the sampler moves in others.
        model = load(self.name.replace("noncentered", "centered")).model
        from_reported = getattr(self._module, "from_reported", lambda values: (values, 0.0))
        bound = model.bind(1)
        n = len(next(iter(draws.values())))
        result = np.empty(n)
        for i in range(n):
            values, log_jacobian = from_reported({name: drawn[i] for name, drawn in draws.items()})
            position = model.unconstrain(values)
            result[i] = bound.value(position) - model.log_jacobian(position) + log_jacobian
        return result


@functools.cache
def load(name: str) -> Posterior:
    """Return the posterior of that name."""
    return Posterior(name, *_WHERE[name])
