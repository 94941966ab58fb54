"""Proposals of random-walk Metropolis: symmetric deviates, one for each element that moves.

The scale `S` of a proposal is a standard deviation or its like for each element; of the multivariate normal it is a
covariance matrix. Each class below names a proposal; an instance, called, returns a deviate as NumPy draws it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbinfer.arguments import numbers
from nbinfer.compile import Entry, floats_at, kernel
from nbinfer.compile.fingerprint import fingerprint
from nbinfer.compile.forks import cached_property
from nbinfer.compile.modules import generated_module
from nbinfer.compile.python_functions import python_function
from nbinfer.compile.users import compilable
from nbinfer.engine.python_entry import PythonEntry, takes
from nbinfer.engine.written import kept
from nbinfer.mcmc.metric.definite import symmetric_and_positive
from nbinfer.model.evaluate import check_arguments
from nbinfer.random import fill_normal, generator_aside, poisson, uniform
from nbinfer.spelling import meant, public

NORMAL, UNIFORM, CAUCHY, LAPLACE, POISSON, MULTIVARIATE, USERS = range(7)


@kernel
def _exponential(stream: int) -> float:
    return -math.log1p(-uniform(stream))


@kernel
def fill(kind: int, stream: int, scale: int, factor: float, out_address: int, count: int) -> None:
    """Write one deviate for each of `count` elements, `factor` times as far as the scale says.

    Parameters
    ----------
    kind : int
        One of the proposals but a user's.
    stream : int
        Address of the random stream.
    scale : int
        Address of `count` scales, or of the lower Cholesky factor, `count` squared, of a covariance.
    factor : float
        Positive.
    out_address : int
        Overwritten.
    count : int
    """
    out = floats_at(out_address, count)
    if kind == MULTIVARIATE:
        fill_normal(stream, out_address, count)
        root = floats_at(scale, count * count)
        for i in range(count - 1, -1, -1):  # from below, since what is above is still needed
            total = 0.0
            for j in range(i + 1):
                total += root[i * count + j] * out[j]
            out[i] = factor * total
        return
    s = floats_at(scale, count)
    if kind == NORMAL:
        fill_normal(stream, out_address, count)
        for i in range(count):
            out[i] *= factor * s[i]
        return
    for i in range(count):
        reach = factor * s[i]
        if kind == UNIFORM:
            out[i] = reach * (2.0 * uniform(stream) - 1.0)
        elif kind == CAUCHY:
            out[i] = reach * math.tan(math.pi * (uniform(stream) - 0.5))
        elif kind == LAPLACE:
            out[i] = reach * (_exponential(stream) - _exponential(stream))
        else:
            # A Poisson number less its mean is skewed: a random sign makes it symmetric. The factor is one of the mean:
            # multiples of integers would leave integers out.
            sign = 1.0 if uniform(stream) < 0.5 else -1.0
            out[i] = sign * (poisson(stream, reach) - reach)


@public
@kept
class Proposal:
    """Base of the proposals that kernels know.

    Parameters
    ----------
    s : array_like
        Scale, for each element; of `MultivariateNormalProposal` a covariance matrix.
    random_seed : int, optional
        Of the deviates that calling the object returns.
    """

    kind: ClassVar[int]

    def __init__(self, s: ArrayLike, random_seed: int | None = None) -> None:
        self.s = self.check(np.array(s, np.float64))
        self._rng = np.random.default_rng(random_seed)

    def __call__(self) -> NDArray[np.float64]:
        """Return one deviate."""
        return np.asarray(self._deviate(self._rng))

    def _deviate(self, rng: np.random.Generator) -> Any:
        raise NotImplementedError

    @staticmethod
    def check(s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scale as kernels want it; ValueError if it is none."""
        if s.ndim > 1:
            raise ValueError(f"S of this proposal must be a number or a vector, got shape {s.shape}.")
        if not np.all((s > 0.0) & np.isfinite(s)):
            raise ValueError(f"S must be positive and finite, got {s[~((s > 0.0) & np.isfinite(s))].flat[0]}.")
        return s


@public
class NormalProposal(Proposal):
    """Normal deviates with standard deviation `s`."""

    kind = NORMAL

    def _deviate(self, rng: np.random.Generator) -> Any:
        return rng.normal(0.0, self.s)


@public
class UniformProposal(Proposal):
    """Deviates that are uniform between -`s` and `s`."""

    kind = UNIFORM

    def _deviate(self, rng: np.random.Generator) -> Any:
        return rng.uniform(-self.s, self.s)


@public
class CauchyProposal(Proposal):
    """Cauchy deviates with scale `s`."""

    kind = CAUCHY

    def _deviate(self, rng: np.random.Generator) -> Any:
        return self.s * rng.standard_cauchy(np.shape(self.s))


@public
class LaplaceProposal(Proposal):
    """Laplace deviates with scale `s`."""

    kind = LAPLACE

    def _deviate(self, rng: np.random.Generator) -> Any:
        return rng.laplace(0.0, self.s)


@public
class PoissonProposal(Proposal):
    """Poisson numbers with mean `s`, less their mean, with a random sign: for discrete variables.

    Without the sign the deviates are skewed, and a Metropolis step without a Hastings term is biased. On a continuous
    variable the walk would stay on a lattice.
    """

    kind = POISSON

    def _deviate(self, rng: np.random.Generator) -> Any:
        return rng.choice([-1.0, 1.0], np.shape(self.s)) * (rng.poisson(self.s) - self.s)


@public
class MultivariateNormalProposal(Proposal):
    """Normal deviates with covariance matrix `s`."""

    kind = MULTIVARIATE

    def _deviate(self, rng: np.random.Generator) -> Any:
        return self.s @ rng.normal(size=len(self.s))

    @staticmethod
    def check(s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the lower Cholesky factor of a covariance matrix."""
        return symmetric_and_positive("S of a multivariate normal proposal", s)[1]


#: The same by name.
PROPOSALS: dict[str, type[Proposal]] = {
    "normal": NormalProposal,
    "uniform": UniformProposal,
    "cauchy": CauchyProposal,
    "laplace": LaplaceProposal,
    "poisson": PoissonProposal,
    "multivariate_normal": MultivariateNormalProposal,
}

_USERS = '''"""Proposal of a Metropolis step, written by nbinfer; named by a hash of its content, never edited."""

from nbinfer.compile import floats_at, generator_at, ints_at, part


def propose(n, stream, out, given):
    """C function: fill `out` with the user's deviate; 1 if that raised."""
    t = ints_at(given, 3)
    failed = False
    try:
        draw(generator_at(stream, t[2]), {scale}, floats_at(out, n))
    except Exception:
        failed = True
    return 1 if failed else 0
'''


class UsersProposal(Proposal):
    """Deviates of a user's function ``f(rng, S, out)``.

    Parameters
    ----------
    s : ndarray
        Handed to the function: a vector of one scale for each element, or a matrix.
    draw : callable
        The function.
    """

    kind = USERS

    def __init__(self, s: ArrayLike, draw: Callable[..., Any]) -> None:
        self.draw = draw
        self.s = np.array(s, np.float64)

    def __call__(self) -> NDArray[np.float64]:
        """Return one deviate."""
        out = np.zeros(max(self.s.size, 1) if self.s.ndim < 2 else len(self.s))
        python_function(self.draw)(np.random.default_rng(), self.s, out)
        return out

    @cached_property
    def function(self) -> Entry:
        """The C function ``int64 propose(int64 n, intp stream, intp out, intp given)``."""
        scale = "part(floats_at(t[0], n * n), 0, (n, n))" if self.s.ndim == 2 else "floats_at(t[0], n)"
        names = {"draw": compilable(self.draw)}
        signatures = {"propose": "int64(int64, intp, intp, intp)"}
        return generated_module(_USERS.format(scale=scale), fingerprint(names), names, signatures).entry("propose")


class PythonProposal(Proposal):
    """Deviates of an object that a user's class or function makes of the scale, in plain Python.

    Parameters
    ----------
    s : ndarray
        Handed to `make`: a vector of one scale for each element, or a matrix.
    make : callable
        ``make(S)`` returns what gives a deviate, called as ``deviate()`` or ``deviate(rng)``.
    """

    kind = USERS

    def __init__(self, s: ArrayLike, make: Callable[..., Any]) -> None:
        self.make = make
        self.s = np.array(s, np.float64)

    def for_elements(self, count: int) -> Callable[[np.random.Generator], NDArray[np.float64]]:
        """Return what makes a deviate of so many elements.

        Raises
        ------
        TypeError, ValueError
            If `make` returns nothing that can be called; or when called, if a deviate has another shape.
        """
        deviate = self.make(self.s.copy() if self.s.ndim == 2 else np.broadcast_to(self.s, count).copy())
        if not callable(deviate):
            raise TypeError(f"proposal_dist(S) must return what gives a deviate when called, got {deviate!r}.")
        takes_generator = not takes(deviate, 0)

        def draw(rng: np.random.Generator) -> NDArray[np.float64]:
            value = np.asarray(deviate(*([rng] if takes_generator else [])), np.float64)
            if value.shape != (count,) and value.size != 1 != count:
                raise ValueError(f"a deviate of proposal_dist(S) must have shape ({count},), got {value.shape}.")
            return value.reshape(count)

        return draw

    def entry(self, count: int) -> PythonEntry:
        """Return the C function ``int64 propose(int64 n, intp stream, intp out, intp given)``."""
        draw = self.for_elements(count)

        def propose(n: int, stream: int, out: int, given: int) -> None:
            floats_at.py_func(out, n)[:] = draw(generator_aside(stream))

        return PythonEntry(propose, 4)


def proposal_for(proposal_dist: Any, s: ArrayLike | None) -> Proposal:
    """Return the proposal that `proposal_dist` and `S` of a step mean.

    Raises
    ------
    ValueError, TypeError
        If the one or the other means nothing, or they do not fit each other.
    """
    scale = numbers("S", 1.0 if s is None else s)
    if scale.ndim > 2:
        raise ValueError(f"S must be a number, a vector or a matrix, got shape {scale.shape}.")
    if proposal_dist is None:
        return (MultivariateNormalProposal if scale.ndim == 2 else NormalProposal)(scale)
    if isinstance(proposal_dist, str):
        if proposal_dist.lower() not in PROPOSALS:
            raise ValueError(
                f"unknown proposal {proposal_dist!r}; choose {', '.join(map(repr, PROPOSALS))} as proposal_dist."
                f"{meant(proposal_dist, PROPOSALS)}"
            )
        return PROPOSALS[proposal_dist.lower()](scale)
    if isinstance(proposal_dist, type) and proposal_dist in PROPOSALS.values():
        return proposal_dist(scale)  # type: ignore[no-any-return]
    if isinstance(proposal_dist, Proposal) or not callable(proposal_dist):
        hint = "; pass its class, and its scale as S" if isinstance(proposal_dist, Proposal) else ""
        raise TypeError(
            "proposal_dist must be a name, a class of nbinfer.mcmc, a class of your own, or a function f(rng, S, out), "
            f"got {type(proposal_dist).__name__}{hint}."
        )
    if (isinstance(proposal_dist, type) or not takes(proposal_dist, 3)) and takes(proposal_dist, 1):
        return PythonProposal(scale, proposal_dist)
    check_arguments(proposal_dist, "proposal_dist", ("rng", "S", "out"))
    return UsersProposal(scale, proposal_dist)
