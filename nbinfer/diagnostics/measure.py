"""Everything the diagnostics compute about one quantity, in one compiled pass."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.arguments import array
from nbinfer.compile import address_of, entry, floats_at, ints_at, kernel, record_at, words_at
from nbinfer.diagnostics.autocovariance import Fourier, centre, effective_size, fill_circle
from nbinfer.diagnostics.rank import fill_scores, fold, normalise, quantile, shortest_interval, sort

#: What is known about a quantity after `measure`; NaN where it cannot be computed.
Measure = np.dtype(
    [
        ("mean", "f8"),
        ("sd", "f8"),
        ("low", "f8"),  # quantiles that leave (1 - prob)/2 on either side
        ("high", "f8"),
        ("hdi_low", "f8"),  # shortest interval of probability prob
        ("hdi_high", "f8"),
        ("ess_mean", "f8"),
        ("ess_bulk", "f8"),
        ("ess_tail", "f8"),
        ("rhat_bulk", "f8"),
        ("rhat_folded", "f8"),
        ("finite", "f8"),  # fraction of the draws that are finite numbers
    ]
)

#: One call of `measure_batch`: what to read, what to compute, and memory to work in. Addresses unless said otherwise.
Job = np.dtype(
    [
        ("count", "i8"),  # number of quantities
        ("chains", "i8"),  # number of chains
        ("draws", "i8"),  # draws of each; "all" below means chains * draws
        ("superchains", "i8"),  # groups of chains that follow each other; 1: R-hat is that of single chains
        ("x", "i8"),  # the first draw, float64
        ("by_quantity", "i8"),  # strides of x in elements, not negative
        ("by_chain", "i8"),
        ("by_draw", "i8"),
        ("out", "i8"),  # records of Measure, full of NaN
        ("prob", "f8"),  # probability of the two intervals
        ("brief", "i8"),  # flag: stop after mean, sd and ess_mean
        ("ready", "i8"),  # flag: the tables are filled
        ("draws_at", "i8"),  # (all,) chain after chain; then in ascending order
        ("ranked", "i8"),  # (all,)
        ("folded", "i8"),  # (all,) distances from the median, ascending
        ("split", "i8"),  # (all,) what is asked of the chains' halves, half after half
        ("order", "i8"),  # (all,) which draw each of the ascending values is
        ("spare_order", "i8"),  # (all,)
        ("counts", "i8"),  # (2048,)
        ("scores", "i8"),  # (2 * all + 1,) table of `fill_scores`, for as many draws as have ranks
        ("fourier", Fourier),
    ]
)

TAIL = 0.05  # the probability at which tail ESS looks, on either side
MIN_DRAWS = 4
_RECORD_SIZE = Measure.itemsize
#: Quantities handed to compiled code at a time: an interrupt is seen between two batches.
_BATCH = 256


@kernel
def split_place(index: int, draws: int) -> int:
    """Return where a draw goes when every chain is cut in halves; -1 for the middle one of an odd number."""
    half = draws // 2
    chain = index // draws
    draw = index - chain * draws
    if draw < half:
        return 2 * chain * half + draw
    draw -= draws - half
    return (2 * chain + 1) * half + draw if draw >= 0 else -1


@kernel
def split_rhat(split: np.ndarray, chains: int, draws: int, between: float) -> float:
    """Return R-hat of chains that are already split and centred (equation 4)."""
    within = 0.0
    for i in range(chains * draws):
        within += split[i] * split[i]
    within /= chains * (draws - 1.0)
    if within > 0.0:
        return math.sqrt((between * draws / within + draws - 1.0) / draws)
    return math.inf if between > 0.0 else math.nan


@kernel
def nested_rhat(values: np.ndarray, chains: int, draws: int, superchains: int) -> float:
    """Return the nested R-hat of chains whose superchains have equally many, one after the other [1]_.

    .. [1] C. C. Margossian et al., "Nested R-hat: assessing the convergence of Markov chain Monte Carlo when running
       many short chains", Bayesian Analysis (2024), definition 2.1.
    """
    members = chains // superchains
    centre_of_all, between, within = 0.0, 0.0, 0.0
    for k in range(superchains):
        middle, among, inside = 0.0, 0.0, 0.0
        for m in range(members):
            first = (k * members + m) * draws
            mean = 0.0
            for i in range(first, first + draws):
                mean += values[i]
            mean /= draws
            for i in range(first, first + draws):
                inside += (values[i] - mean) ** 2
            delta = mean - middle
            middle += delta / (m + 1)
            among += delta * (mean - middle)
        within += among / (members - 1.0) if members > 1 else 0.0
        within += inside / (members * (draws - 1.0)) if draws > 1 else 0.0
        delta = middle - centre_of_all
        centre_of_all += delta / (k + 1)
        between += delta * (middle - centre_of_all)
    between /= superchains - 1.0
    within /= superchains
    if within > 0.0:
        return math.sqrt(1.0 + between / within)
    return math.inf if between > 0.0 else math.nan


@kernel
def describe(values: np.ndarray, row: Any) -> tuple[float, float, float]:
    """Write mean and standard deviation; return the smallest value, the range and the mean in units of the range.

    Draws are centred and scaled first: neither the squares of huge ones nor those of tiny ones get lost. The range is
    NaN if a draw is not finite.
    """
    size = values.size
    finite = 0
    smallest = math.inf
    largest = -math.inf
    for i in range(size):
        finite += 1 if math.isfinite(values[i]) else 0
        smallest = min(smallest, values[i])
        largest = max(largest, values[i])
    row.finite = finite / size
    if finite < size:
        return smallest, math.nan, 0.0
    scale = largest - smallest
    mean = 0.0
    variance = 0.0
    if scale > 0.0:
        for i in range(size):
            mean += (values[i] - smallest) / scale
        mean /= size
        rest = 0.0  # what rounding left of the mean
        for i in range(size):
            delta = (values[i] - smallest) / scale - mean
            rest += delta
            variance += delta * delta
        mean += rest / size
        variance -= rest * rest / size
    row.mean = smallest + scale * mean
    if size > 1:
        row.sd = scale * math.sqrt(variance / (size - 1))
    return smallest, scale, mean


@kernel
def measure_tail(values: np.ndarray, order: np.ndarray, split: np.ndarray, job: Any, row: Any) -> None:
    """Write the tail ESS of sorted values: the smaller of those of two quantiles."""
    chains, draws = 2 * job.chains, job.draws // 2
    smaller = math.inf
    for side in range(2):
        limit = quantile(values, TAIL if side == 0 else 1.0 - TAIL)
        if not values[values.size - 1] > limit:
            continue  # discrete draws: the indicator does not vary
        for i in range(values.size):
            place = split_place(order[i], job.draws)
            if place >= 0:
                split[place] = 1.0 if values[i] <= limit else 0.0
        between = centre(split, chains, draws)
        smaller = min(smaller, effective_size(split, chains, draws, between, job.fourier))
    if smaller < math.inf:
        row.ess_tail = smaller


@kernel
def measure_ranks(values: np.ndarray, order: np.ndarray, split: np.ndarray, job: Any, row: Any) -> None:
    """Write bulk ESS and, for several chains, both R-hats of sorted values; `order` is overwritten.

    Chains that are too short to be cut in halves, which have a nested R-hat alone, stay whole.
    """
    halves = job.draws >= MIN_DRAWS
    chains, draws = (2 * job.chains, job.draws // 2) if halves else (job.chains, job.draws)
    ranked = floats_at(job.ranked, values.size)
    n = chains * draws
    scores = floats_at(job.scores, 2 * n + 1)
    kept = 0
    for i in range(values.size):
        place = split_place(order[i], job.draws) if halves else order[i]
        if place >= 0:
            ranked[kept] = values[i]
            order[kept] = place
            kept += 1
    normalise(ranked, order, n, scores, split)
    between = 0.0
    if job.superchains > 1:
        row.rhat_bulk = nested_rhat(split, chains, draws, job.superchains)
    if halves:
        between = centre(split, chains, draws)
        row.ess_bulk = effective_size(split, chains, draws, between, job.fourier)
    if job.superchains == 1 and job.chains > 1:
        row.rhat_bulk = split_rhat(split, chains, draws, between)
    if job.chains > 1:
        folded, folded_order = floats_at(job.folded, values.size), ints_at(job.spare_order, values.size)
        fold(ranked, order, n, folded, folded_order)
        normalise(folded, folded_order, n, scores, split)
        if job.superchains > 1:
            row.rhat_folded = nested_rhat(split, chains, draws, job.superchains)
        else:
            between = centre(split, chains, draws)
            row.rhat_folded = split_rhat(split, chains, draws, between)


@kernel
def measure_one(values: np.ndarray, job: Any, row: Any) -> None:
    """Fill in the record of one quantity; its draws, chain after chain, are overwritten."""
    size = values.size
    split = floats_at(job.split, size)
    smallest, scale, mean = describe(values, row)
    diagnose = job.draws >= MIN_DRAWS and 0.0 < scale < math.inf
    if diagnose:
        for i in range(size):
            place = split_place(i, job.draws)
            if place >= 0:
                split[place] = (values[i] - smallest) / scale - mean
        between = centre(split, 2 * job.chains, job.draws // 2)
        row.ess_mean = effective_size(split, 2 * job.chains, job.draws // 2, between, job.fourier)
    if job.brief or math.isnan(scale):
        return
    order, ranked = ints_at(job.order, size), floats_at(job.ranked, size)
    for i in range(size):
        ranked[i] = values[i]
    bits, spare_bits = words_at(job.draws_at, size), words_at(job.folded, size)
    sort(bits, order, spare_bits, ints_at(job.spare_order, size), ints_at(job.counts, 2048))
    for i in range(size):
        values[i] = ranked[order[i]]
    row.low = quantile(values, 0.5 - 0.5 * job.prob)
    row.high = quantile(values, 0.5 + 0.5 * job.prob)
    row.hdi_low, row.hdi_high = shortest_interval(values, job.prob)
    if diagnose:
        measure_tail(values, order, split, job, row)
    if diagnose or (job.superchains > 1 and 0.0 < scale < math.inf):
        measure_ranks(values, order, split, job, row)


@entry("int64(intp)")
def measure_batch(address: int) -> int:
    """Write the `Measure` records that the `Job` at `address` asks for."""
    job = record_at(address, Job)
    chains, draws = job.chains, job.draws
    if job.ready == 0:
        fill_circle(job.fourier)
        ranks = chains * draws if draws < MIN_DRAWS else 2 * chains * (draws // 2)
        fill_scores(floats_at(job.scores, 2 * ranks + 1))
        job.ready = 1
    last = (job.count - 1) * job.by_quantity + (chains - 1) * job.by_chain + (draws - 1) * job.by_draw
    x = floats_at(job.x, last + 1)
    values = floats_at(job.draws_at, chains * draws)
    for index in range(job.count):
        i = 0
        for chain in range(chains):
            at = index * job.by_quantity + chain * job.by_chain
            for draw in range(draws):
                values[i] = x[at + draw * job.by_draw]
                i += 1
        measure_one(values, job, record_at(job.out + index * _RECORD_SIZE, Measure))
    return 0


class Workspace:
    """Scratch memory and tables for chains of one shape, reused from quantity to quantity.

    Parameters
    ----------
    chains, draws : int
        Shape of the draws of one quantity.
    superchains : int
        Groups of chains that follow each other, of equally many, for the nested R-hat; 1: none.
    """

    def __init__(self, chains: int, draws: int, superchains: int = 1) -> None:
        size, half = chains * draws, draws // 2
        length = 1 << (2 * max(half, 1) - 1).bit_length()
        self._job = np.zeros(1, Job)
        self._job["chains"], self._job["draws"], self._job["fourier"]["length"] = chains, draws, length
        self._job["superchains"] = superchains
        memory = dict.fromkeys(["draws_at", "ranked", "folded", "split", "order", "spare_order"], size)
        memory |= {"counts": 2048, "scores": 2 * size + 1}
        fourier = {"lags": half, "rho": half, "re": length, "im": length, "power": length}
        fourier |= {"cosines": length // 2, "sines": length // 2}
        self._memory = np.empty(sum(memory.values()) + sum(fourier.values()))
        place = address_of(self._memory)
        for record, sizes in (self._job, memory), (self._job["fourier"], fourier):
            for name, count in sizes.items():
                record[name] = place
                place += 8 * count

    def measure(self, x: np.ndarray, prob: float = 0.9, brief: bool = False) -> np.ndarray:
        """Return a record array of shape (*shape) with all that is known about draws of shape (chain, draw, *shape)."""
        out = np.full(x.shape[2:], math.nan, Measure)
        if x.size == 0:
            return out
        flat = x.reshape(*x.shape[:2], -1)
        rows = out.reshape(-1)
        job = self._job[0]
        job["prob"], job["brief"] = prob, brief
        for start in range(0, rows.size, _BATCH):
            part = flat[:, :, start : start + _BATCH]
            readable = part.dtype == np.float64 and part.flags.aligned
            if not readable or any(stride < 0 or stride % 8 for stride in part.strides):
                part = np.ascontiguousarray(part, np.float64)
            job["count"] = part.shape[2]
            job["by_chain"], job["by_draw"], job["by_quantity"] = (stride // 8 for stride in part.strides)
            job["x"] = part.__array_interface__["data"][0]
            job["out"] = address_of(rows) + start * _RECORD_SIZE
            with np.errstate(all="ignore"):  # as compiled code does
                measure_batch(address_of(self._job))
        return out


def as_chains(x: Any, name: str = "x") -> np.ndarray:
    """Return draws as an array of shape (chain, draw, *shape); one axis alone means one chain."""
    draws = np.asarray(array(name, x))
    if draws.ndim == 0:
        raise ValueError(f"{name} must have shape (draw,), (chain, draw) or (chain, draw, ...), got a single number.")
    if draws.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got an array of dtype {draws.dtype}.")
    return draws[None] if draws.ndim == 1 else draws


def measure(x: Any, prob: float = 0.9, brief: bool = False, superchains: int = 1) -> np.ndarray:
    """Return the `Measure` records of one array of draws, shape (draw,) or (chain, draw, *shape)."""
    draws = as_chains(x)
    return Workspace(draws.shape[0], draws.shape[1], superchains).measure(draws, prob, brief)


def plain(values: np.ndarray) -> Any:
    """Return an array as it is, one number as a float."""
    return values if values.ndim else float(values)
