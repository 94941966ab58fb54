"""Particles that live on a GPU: their memory there, and an iteration as a row of kernels.

Nothing waits for the host between iterations. A word of status on the device says whether one has failed, after which
kernels do nothing, so that what is there is what the failure left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.cuda import rules
from nbinfer.cuda.backend import check_memory, compiled, cuda, require, simulated
from nbinfer.cuda.bandwidth import make_distances, make_median
from nbinfer.cuda.forces import (
    GAUSSIAN,
    SLOPES,
    VALUES,
    Cut,
    cut_for,
    make_centre,
    make_few,
    make_gather,
    make_pack_few,
    weights,
)
from nbinfer.cuda.forces_many import make_many, make_pack_many
from nbinfer.cuda.pairs import Pairs
from nbinfer.cuda.rules import FORMS, layers
from nbinfer.variational.optimizers.momentum import Momentum

#: What has ended a run: a particle without density or without a finite gradient; one that a step has made infinite.
#: Between them stands that of too little spread.
NO_SCORE, NOT_FINITE = 1, 3

#: From positions, shape (n, dim), to gradients of the log density and the densities: all on the device.
Scores = Callable[[Any, Any, Any], None]


class Call(NamedTuple):
    """A kernel with its grid and what it is given.

    Attributes
    ----------
    kernel : object
    grid, block : int or tuple of int
    args : tuple
    shared : int
        Bytes of shared memory that the kernel does not declare.
    """

    kernel: Any
    grid: Any
    block: int
    args: tuple[Any, ...]
    shared: int = 0

    def __call__(self, *more: Any) -> None:
        """Have it run after what was asked for before."""
        self.kernel[self.grid, self.block, 0, self.shared](*self.args, *more)


class Pull(NamedTuple):
    """How particles count for each other, as a GPU has it.

    Attributes
    ----------
    bandwidth : float or None
        None: by the median distance.
    exponent : float or None
        Of the inverse multiquadric; None: the Gaussian kernel.
    temperature : float
        What gradients are divided by.
    """

    bandwidth: float | None = None
    exponent: float | None = None
    temperature: float = 1.0

    @property
    def sums(self) -> list[tuple[int, float, float]]:
        """Kinds of the sums over pairs, each with a power and a factor of its weights."""
        if self.exponent is None:
            return [(GAUSSIAN, 0.0, 1.0)]
        return [(VALUES, self.exponent, 1.0), (SLOPES, self.exponent - 1.0, -self.exponent)]


def check_scores(logps: Any, g: Any, status: Any) -> None:
    """Note that a particle has no density, or no finite gradient; by a thread each."""
    i = cuda.grid(1)
    if i < logps.shape[0] and status[0] == 0:
        good = math.isfinite(logps[i])
        for k in range(g.shape[1]):
            good = good and math.isfinite(g[i, k])
        if not good:
            status[0] = NO_SCORE


def check_moved(x: Any, status: Any) -> None:
    """Note that a coordinate is not finite after a step; by a thread each."""
    i = cuda.grid(1)
    if i < x.shape[0] and status[0] == 0 and not math.isfinite(x[i]):
        status[0] = NOT_FINITE


def add_squares(gradient: Any, each: int, status: Any, sums: Any) -> None:
    """Add up the squares of a part of the gradient; by a thread each."""
    t = cuda.grid(1)
    if t < sums.shape[0] and status[0] == 0:
        total = gradient[t * each] * gradient[t * each]
        for i in range(t * each + 1, min((t + 1) * each, gradient.shape[0])):
            total += gradient[i] * gradient[i]
        sums[t] = total


def shrink(gradient: Any, sums: Any, largest: Any, tiny: Any, status: Any) -> None:
    """Scale the gradient so that its norm is `largest` at most, see `nbinfer.variational.optimizers.norms`."""
    i = cuda.grid(1)
    if i < gradient.shape[0] and status[0] == 0:
        norm = sums[0]
        for s in range(1, sums.shape[0]):
            norm += sums[s]
        norm = math.sqrt(norm)
        gradient[i] *= min(norm, largest) / (tiny + norm)


class Swarm:
    """Particles on a device.

    Parameters
    ----------
    n, dim : int
    dtype : dtype
        Of sums over pairs: float32 or float64. Particles, scores and what the rule remembers are float64.
    pull : Pull
    pairs : Pairs or None
        None if the bandwidth is given.
    rule : Rule
    scores : callable
        See `Scores`.
    constant : float
        What the optimiser's gradient is divided by.
    largest_norm : float
        Of that gradient; 0: any.
    cut : Cut, optional
        How the work of pairs is cut. Default: as suits a GPU.

    Raises
    ------
    CudaError
        If there is no GPU, or not that much memory left; nothing was put there then.
    NotImplementedError
        If the rule has no form for a GPU.
    """

    def __init__(
        self,
        n: int,
        dim: int,
        dtype: Any,
        pull: Pull,
        pairs: Pairs | None,
        rule: Any,
        scores: Scores,
        constant: float = 1.0,
        largest_norm: float = 0.0,
        cut: Cut | None = None,
    ) -> None:
        require()
        self.n, self.dim, self.dtype = n, dim, np.dtype(dtype).type
        self._pull, self._pairs, self._scores, self._cut = pull, pairs, scores, cut or cut_for(dim, dtype)
        self._layers = layers(rule)
        self._threads = 8 if simulated() else 128  # a thread of the simulator is one of Python
        self._fill(self._room())
        self._before = self._looks()
        self._spread = [] if pairs is None else self._bandwidth(pairs)
        self._to_forces = self._sums(float(constant))
        self._to_moves = self._constraint(float(largest_norm)) if largest_norm else []
        self._rule = self._steps()
        self._settle = self._each(check_moved, n * dim, self._flat, self.status)

    def _room(self) -> dict[str, tuple[tuple[int, ...], Any]]:
        """Return shape and dtype of all arrays on the device, by name."""
        n, dim, cut, dtype, pairs = self.n, self.dim, self._cut, self.dtype, self._pairs
        parts, _ = cut.splits(n)
        padded = cut.padded(n)
        room: dict[str, tuple[tuple[int, ...], Any]] = dict.fromkeys(("x", "g", "force"), ((n, dim), np.float64))
        room |= dict.fromkeys(("gradient", "before"), ((n * dim,), np.float64))
        room |= {"logps": ((n,), np.float64), "centre": ((dim,), np.float64), "nothing": ((1,), np.float64)}
        room |= {"parts": ((parts, cut.columns, n), dtype), "bandwidth": ((2,), dtype)}
        if cut.is_small:
            room["packed"] = (padded, cut.width), dtype
        else:
            room |= {"xt": ((dim, padded), dtype), "squares": ((padded,), dtype)}
            room["summed"] = (padded, cut.padded_columns), dtype
        if pairs is not None:
            room |= {"squared": ((pairs.count,), pairs.dtype or dtype), "order": (pairs.order.shape, np.int32)}
        for name, count in self.remembered.items():
            room[f"rule/{name}"] = (count * n * dim,), np.float64
        return room

    @property
    def remembered(self) -> dict[str, int]:
        """Names of what the rule remembers, innermost layer's last, each with its numbers for each coordinate."""
        found = {f"velocity/{depth}": 1 for depth in range(len(self._layers) - 1)}
        inner = self._layers[-1]
        for part in FORMS[type(inner)].parts:
            found[part] = getattr(inner, "n_win", 1) if part == "window" else 1
        return found

    def _fill(self, room: Mapping[str, tuple[tuple[int, ...], Any]]) -> None:
        """Take memory on the device, if there is enough."""
        bytes_ = sum(math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in room.values())
        check_memory(bytes_, f"{self.n} particles of {self.dim} numbers, with what a fit needs for them,")
        self.at = {name: cuda.device_array(shape, dtype) for name, (shape, dtype) in room.items()}
        self.status = cuda.to_device(np.zeros(2, np.int64))
        self._flat = self.at["x"].reshape(self.n * self.dim)
        if self._pairs is not None:
            self.at["order"].copy_to_device(self._pairs.order)
        if self._pull.bandwidth is not None:
            self.at["bandwidth"].copy_to_device(np.array([self._pull.bandwidth, 0.0], self.dtype))

    def _each(self, function: Callable[..., None], count: int, *args: Any, fastmath: bool = False) -> Call:
        """Return a call of a kernel that has a thread for each of many."""
        return Call(compiled(function, fastmath=fastmath), -(-count // self._threads), self._threads, args)

    def _looks(self) -> list[Call]:
        """Return what looks at scores, and finds the centre."""
        at, block = self.at, 4 if simulated() else 256
        centre = at["x"], min(self.n, 1024), self.status, at["centre"]
        return [
            self._each(check_scores, self.n, at["logps"], at["g"], self.status),
            Call(compiled(make_centre()), self.dim, block, centre),
        ]

    def _bandwidth(self, pairs: Pairs) -> list[Call]:
        """Return what measures the distances of pairs, and what chooses the bandwidth by them."""
        at, dtype, squared = self.at, pairs.dtype or self.dtype, self.at["squared"]
        distances = at["x"], at["order"], self.status, squared
        bits = squared.view(np.int32 if dtype is np.float32 else np.int64)
        median = squared, bits, pairs.low, pairs.high, dtype(math.log(self.n + 1.0)), self.status, at["bandwidth"]
        return [
            self._each(make_distances(self.dim, dtype), pairs.count, *distances),
            Call(compiled(make_median(dtype)), 1, 8 if simulated() else 1024, median),
        ]

    def _sums(self, constant: float) -> list[tuple[Call, Call, Call]]:
        """Return what adds up over all pairs: packs particles, goes through pairs, gathers what parts have summed."""
        at, cut, dtype, n = self.at, self._cut, self.dtype, self.n
        (parts, each), padded = cut.splits(n), cut.padded(n)
        bandwidth, calls = at["bandwidth"], []
        layout = [at["packed"]] if cut.is_small else [at["xt"], at["squares"], at["summed"]]
        make_pack, make = (make_pack_few, make_few) if cut.is_small else (make_pack_many, make_many)
        grid = (-(-n // cut.own), parts) if cut.is_small else (-(-n // cut.own), parts, cut.panels)
        for kind, power, factor in self._pull.sums:
            given = at["x"], at["g"], at["centre"], bandwidth, self.status, *layout
            pack = self._each(make_pack(cut, kind, dtype), padded, *given, fastmath=True)
            weigh = compiled(weights(kind, dtype)[1], device=True, fastmath=True)
            add_up = compiled(make(cut, kind, dtype, weigh), fastmath=True)
            summed = *layout, bandwidth, each, dtype(power), dtype(factor), self.status, at["parts"]
            pairs = Call(add_up, grid, cut.threads, summed, cut.shared(dtype))
            gathered = at["parts"], at["x"], at["centre"], bandwidth, kind, constant, self.status
            written = at["force"], at["gradient"], at["before"]
            gather = self._each(make_gather(self.dim, dtype), n, *gathered, *written, fastmath=True)
            calls.append((pack, pairs, gather))
        return calls

    def _constraint(self, largest: float) -> list[Call]:
        """Return what bounds the norm of the gradient."""
        size = self.n * self.dim
        each = -(-size // 256)
        count = -(-size // each)
        self.at["sums"] = cuda.device_array((count,), np.float64)
        gradient, sums = self.at["gradient"], self.at["sums"]
        return [
            self._each(add_squares, count, gradient, each, self.status, sums),
            self._each(shrink, size, gradient, sums, largest, 1e-7, self.status),
        ]

    def _steps(self) -> list[Call]:
        """Return what moves particles: the rule inside, which is given its numbers, and momentum around it."""
        at, size, inner = self.at, self.n * self.dim, self._layers[-1]
        form = FORMS[type(inner)]
        kept = [at[f"rule/{part}"] for part in form.parts] + [at["nothing"]] * (2 - len(form.parts))
        calls = [self._each(form.move, size, self._flat, at["gradient"], *kept)]
        for depth in range(len(self._layers) - 2, -1, -1):
            layer = self._layers[depth]
            around = rules.momentum if type(layer) is Momentum else rules.nesterov
            given = self._flat, at["before"], at[f"rule/velocity/{depth}"], float(layer.momentum), self.status
            calls.append(self._each(around, size, *given))
        return calls

    def put(self, x: NDArray[np.float64], remembered: Mapping[str, NDArray[np.float64]]) -> None:
        """Have particles, and what the rule remembers of them, be what the host has.

        Parameters
        ----------
        x : ndarray, shape (n, dim)
        remembered : mapping of str to ndarray, shape (count, n, dim)
            By the names of `remembered`.
        """
        self.at["x"].copy_to_device(np.ascontiguousarray(x, np.float64))
        for name, values in remembered.items():
            self.at[f"rule/{name}"].copy_to_device(np.ascontiguousarray(values, np.float64).ravel())
        self.status.copy_to_device(np.zeros(2, np.int64))

    def get(self) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        """Return particles, and what the rule remembers, as `put` has them."""
        shape = (-1, self.n, self.dim)
        kept = {name: self.array(f"rule/{name}").reshape(shape) for name in self.remembered}
        return self.array("x"), kept

    def array(self, name: str) -> NDArray[np.float64]:
        """Return one of the arrays on the device, by name, as float64."""
        found: NDArray[np.float64] = self.at[name].copy_to_host().astype(np.float64)
        return found

    def iterate(self, rates: Sequence[float], step: int, factors: Sequence[float]) -> None:
        """Have the device make iterations, after those that it was asked for before; this does not wait for them.

        Parameters
        ----------
        rates : sequence of float
            The learning rate of each.
        step : int
            Number of the optimiser's first step, from 1.
        factors : sequence of float
            What scores are multiplied by in each.
        """
        for t, (rate, factor) in enumerate(zip(rates, factors, strict=True), step):
            self._find_forces(float(factor))
            self._move(float(rate), t)

    def _find_forces(self, factor: float = 1.0) -> None:
        self._scores(self.at["x"], self.at["g"], self.at["logps"])
        for call in [*self._before, *self._spread]:
            call()
        self.add_up(factor)

    def add_up(self, factor: float = 1.0) -> None:
        """Have forces be found by scores and bandwidth that are there, of scores so much."""
        for pack, pairs, gather in self._to_forces:
            pack(factor / self._pull.temperature)
            pairs()
            gather()

    def _move(self, rate: float, t: int) -> None:
        """Have the rule make its step number t."""
        for call in self._to_moves:
            call()
        inner = self._layers[-1]
        numbers = FORMS[type(inner)].numbers(inner, rate, t)
        self._rule[0](tuple(float(number) for number in numbers), self.status)
        for call in self._rule[1:]:
            call()
        self._settle()

    def wait(self) -> tuple[int, int]:
        """Wait for the device; return what has ended the run, 0 if nothing, and iterations since the last `put`."""
        status, begun = (int(word) for word in self.status.copy_to_host())
        return status, begun - (status not in (0, NO_SCORE))

    def look(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
        """Return particles, scores and forces as they are; nothing if a particle has none."""
        self._find_forces()
        if self.wait()[0]:
            return None
        return self.array("x"), self.array("g"), self.array("force")
