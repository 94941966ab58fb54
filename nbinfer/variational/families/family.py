"""What every family of approximations has: kernels that draw and pull back, parameters with shapes and first values.

A family is declared once, like a step of a chain. ``int64 draw(intp fit, intp own)`` turns standard normal noise, which
the fit has written, into coordinates and the log of their density under the family; where it takes none it draws from
the fit's stream itself. ``int64 pull(intp fit, intp own)`` takes the gradient of
the model's log density at those coordinates, adds what the entropy contributes, and adds the product with the
derivative of the draw to the gradient of the parameters. Both find everything in a record that begins with `GROUP`.

The entropy contributes in one of two ways. 'plain' is the derivative of minus log q, all of it. 'stl' is the path
derivative alone ("sticking the landing", [1]_): log q counts as a function of the coordinates whose parameters stand
still. What is left out has mean zero, and where q is the posterior the rest vanishes for every draw.

References
----------
.. [1] G. Roeder, Y. Wu and D. Duvenaud, "Sticking the landing: simple, lower-variance gradient estimators for
   variational inference", NeurIPS (2017).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import mapping
from nbinfer.compile import Entry, floats_at, kernel
from nbinfer.engine.state import Memory, State, floats, integers
from nbinfer.errors import BatchedGroupError, ExplicitInferenceError, ParametrizationError
from nbinfer.vectormath import expit, log, log1pexp

Floats = NDArray[np.float64]
Parameters = Mapping[str, Floats]

#: How the entropy contributes to a gradient: not at all, by its whole derivative, by its path derivative.
ENTROPY = {"none": 0, "plain": 1, "stl": 2}
PLAIN, STL = ENTROPY["plain"], ENTROPY["stl"]

HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


class Extent(NamedTuple):
    """What a group spans.

    Attributes
    ----------
    n : int
        Number of coordinates.
    rows : int
        How many rows of them are approximated each for itself.
    """

    n: int
    rows: int = 1

    @property
    def width(self) -> int:
        """Coordinates of a row."""
        return self.n // self.rows


def per_coordinate(family: Any, extent: Any) -> int:
    """Size of what each coordinate has one of."""
    return int(extent.n)


#: The beginning of every group's record.
GROUP = State(
    fields={
        "n": "i8",  # coordinates
        "rows": "i8",  # rows of them
        "n_noise": "i8",  # random numbers of a draw
        "entropy": "i8",  # how it contributes to gradients
        "logq": "f8",  # log density of the last draw
        "weight": "f8",  # of that: how many groups like this one the group stands for
        "parameters": "i8",  # address of this group's
        "gradient": "i8",  # address of theirs, which `pull` adds to
    },
    parts={
        "where": integers(per_coordinate),  # which coordinates of the model they are
        "z": floats(per_coordinate),  # the last draw
        "grad": floats(per_coordinate),  # of the model's log density there
        "noise": floats(lambda family, extent: family.n_noise(extent)),  # that the draw was made of
    },
)
Group_ = GROUP.record


softplus, sigmoid, log_scale = log1pexp.numbers, expit.numbers, log.numbers


@kernel(reassociate=True)
def sum_of_logs(address: int, n: int) -> float:
    """Return the sum of the logs of numbers; -inf if one is zero."""
    x = floats_at(address, n)
    total = 0.0
    for i in range(n):
        total += log_scale(x[i])
    return total


@kernel(reassociate=True)
def sum_of_squares(address: int, n: int) -> float:
    """Return the sum of the squares of numbers."""
    x = floats_at(address, n)
    total = 0.0
    for i in range(n):
        total += x[i] * x[i]
    return total


def softplus_of(x: Any) -> Floats:
    """Return log(1 + exp(x)), of arrays."""
    found: Floats = np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))
    return found


def inverse_softplus(y: Any) -> Floats:
    """Return the x whose softplus is y > 0."""
    y = np.asarray(y, np.float64)
    found: Floats = y + np.log(-np.expm1(-y))
    return found


@dataclass(frozen=True)
class Family:
    """Base of the families of approximations."""

    #: Names under which users ask for it; the first one is shown.
    names: ClassVar[tuple[str, ...]]
    state: ClassVar[State]
    draw: ClassVar[Entry]
    pull: ClassVar[Entry]
    #: Whether it knows the density of its draws.
    has_logq: ClassVar[bool] = True
    #: Whether it approximates rows each for itself.
    supports_batched: ClassVar[bool] = True
    #: Whether gradients can move its parameters.
    moves: ClassVar[bool] = True
    #: How the entropy can contribute to gradients, the best first.
    estimators: ClassVar[tuple[str, ...]] = ("stl", "plain")

    @property
    def short_name(self) -> str:
        """The name that is shown."""
        return self.names[0]

    @classmethod
    def of(cls, options: Any) -> Family:
        """Make the family that options ask for."""
        given = dict(mapping("options", options))
        known = [field.name for field in fields(cls) if field.name != "extent"]  # which the group knows
        for name in given:
            if name not in known:
                listed = f"it has {', '.join(known)}" if known else "it has none"
                raise ParametrizationError(f"options names {name!r}, which {cls.names[0]} lacks; {listed}.")
        return cls(**given)

    @classmethod
    def of_parameters(cls, parameters: Mapping[str, Any]) -> Family:
        """Make the family that has parameters of these shapes."""
        return cls()

    @property
    def entries(self) -> list[Any]:
        """The C functions that it is made of, which may keep what Python raised in them."""
        return [self.draw, self.pull]

    def estimator(self, wanted: str) -> str:
        """Return how the entropy contributes here, where an estimator is wanted: as near to that as can be."""
        return wanted if wanted in ("none", *self.estimators) else self.estimators[0]

    def spanning(self, extent: Extent) -> Family:
        """Return the family as it spans this, if it has to know."""
        return self

    def n_noise(self, extent: Extent) -> int:
        """Return how many standard normal numbers a draw is made of."""
        return extent.n

    def n_blended(self, extent: Extent) -> int:
        """Return how many of these numbers a coordinate is made of, at most."""
        return self.n_noise(extent)

    def check(self, extent: Extent) -> None:
        """Raise an error if the family cannot span this."""
        if extent.rows != 1 and not self.supports_batched:
            raise BatchedGroupError(f"{self.short_name} cannot approximate row by row; leave out rowwise.")

    def check_start(self, start: bool, start_sigma: bool) -> None:
        """Raise an error if first values cannot heed what the user gives."""

    @classmethod
    def flattened(cls, given: Mapping[Any, Any]) -> dict[str, Any]:
        """Return parameters that a user gives by their names in `shapes`."""
        return dict(given)

    def specification(self, extent: Extent) -> dict[Any, Any]:
        """Return shapes of the parameters in the form in which a user gives them."""
        return dict(self.shapes(extent))

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        """Return the names of its parameters."""
        raise NotImplementedError

    def shapes(self, extent: Extent) -> dict[str, tuple[int, ...]]:
        """Return the shapes of its parameters, in the order in which they lie in memory."""
        raise NotImplementedError

    def first_values(self, extent: Extent, mean: Floats, sigma: Floats) -> dict[str, Floats]:
        """Return first values of the parameters.

        Parameters
        ----------
        extent : Extent
        mean, sigma : ndarray, shape (n,)
            Means and standard deviations to begin with.
        """
        raise NotImplementedError

    def drawn_values(self, extent: Extent, rng: np.random.Generator) -> dict[str, Floats]:
        """Draw first values of those parameters that would not know where to go from 0."""
        return {}

    def initialise(self, own: Memory, extent: Extent) -> None:
        """Write the settings; all is 0 before."""
        own.n, own.rows, own.n_noise = extent.n, extent.rows, self.n_noise(extent)

    def connect(self, own: Memory) -> None:
        """Write addresses of what does not lie in the block."""

    def flaw(self, parameters: Parameters) -> str:
        """Return why there is no density with these parameters; nothing, if there is one."""
        std = self.std(parameters)
        return "" if (std > 0.0).all() else f"mean standard deviations that are not positive: {std}"

    def centre(self, parameters: Parameters) -> Floats:
        """Return the draw whose noise is 0, shape (n,): where it is normal, the mean."""
        return self.mean(parameters)

    def mean(self, parameters: Parameters) -> Floats:
        """Return the mean, shape (n,)."""
        return np.ravel(parameters["mu"]).copy()

    def cov(self, parameters: Parameters) -> Floats:
        """Return the covariance, shape (n, n)."""
        raise NotImplementedError

    def units(self, parameters: Parameters) -> dict[str, Floats]:
        """Return for each parameter a change that is neither small nor large."""
        units = {name: np.ones(value.shape) for name, value in parameters.items()}
        if "mu" in units:
            units["mu"] = np.reshape(self.std(parameters), parameters["mu"].shape)
        return units

    def std(self, parameters: Parameters) -> Floats:
        """Return the standard deviations, shape (n,)."""
        found: Floats = np.sqrt(np.diag(self.cov(parameters)))
        return found

    def is_identified(self, extent: Extent) -> bool:
        """Tell whether other parameters mean another distribution, so that an average of them means something."""
        return True

    def divergence(self, parameters: Parameters, others: Parameters) -> float:
        """Return the symmetrised Kullback-Leibler divergence of two of its distributions, in nats.

        Parameters
        ----------
        parameters, others : mapping of str to ndarray
            Of the two.

        Raises
        ------
        ExplicitInferenceError
            If it has no closed form.
        """
        raise ExplicitInferenceError(
            f"the divergence of two distributions of {self.short_name} has no closed form, which a rule of convergence "
            "needs; take mean_field, full_rank or low_rank, or nb.CheckParametersConvergence."
        )

    def needs_logq(self, who: str) -> None:
        """Raise an error if the density of draws is not known."""
        if not self.has_logq:
            raise ExplicitInferenceError(
                f"{who} needs the density of the approximation, and {self.short_name} has none; take mean_field, "
                "full_rank, low_rank or a flow."
            )
