"""Exact targets: for each a C function of its log density on the unconstrained scale, and independent exact draws.

`EXACT` has them by name. ``EXACT[name]()`` is made once; it stands where a bound model stands (`Blocks`, `Site`), and
its ``draw(rng, count)`` returns positions, shape (count, dim), and discrete values, shape (count, n_discrete).
"""

import functools
import math

import numpy as np

from nbinfer.compile import address_of, entry, floats_at, ints_at, kernel
from tests.laws.kit import Target, gaussian, student

DENSITY = "float64(int64, intp, intp, intp)"
AR1_SCALES = np.logspace(-2, 2, 5)
AR1_CORRELATION = 0.9
DIRICHLET = np.array([0.8, 2.0, 5.0])
POISSON_RATE, POISSON_LIMIT = 3.0, 6
CATEGORIES = np.array([0.1, 0.2, 0.3, 0.4])
ISING_FIELD = np.array([0.3, -0.5, 0.1])
ISING_COUPLING = {(0, 1): 0.7, (1, 2): -0.4, (0, 2): 0.9}
MIXTURE = {"w": np.array([0.2, 0.5, 0.3]), "m": np.array([-2.0, 0.0, 3.0]), "s": np.array([0.5, 1.0, 1.5]), "y": 1.0}


class ExactTarget(Target):
    """A density by address, in place of a model's memory, whose draws are known.

    Parameters
    ----------
    density : Entry
        Its context is, without discrete values, the address of the constants; with them, the address of two words: the
        addresses of the chain's discrete values and of the constants.
    sampler : callable
        ``sampler(rng, count)`` returns positions, or positions and discrete values.
    dim : int
    lowest, highest : sequence of int
        The ranges of the discrete values.
    constants : array_like of float, optional
    """

    def __init__(self, density, sampler, dim, constants=None, lowest=(), highest=()):
        super().__init__(density, dim, constants)
        self.lowest, self.highest = np.array(lowest, np.int64), np.array(highest, np.int64)
        self.n_discrete = len(self.lowest)
        self._sampler = sampler
        self._own = self.lowest.copy()  # of calls from Python, whose context is that of chain -1
        self._words = {}

    def draw(self, rng, count):
        """Independent draws: positions and discrete values."""
        drawn = self._sampler(rng, count)
        positions, discrete = drawn if isinstance(drawn, tuple) else (drawn, np.zeros((count, 0)))
        return np.ascontiguousarray(positions, float), np.ascontiguousarray(discrete, np.int64)

    def discrete(self, chain):
        return self._own

    def place_discrete(self, chain, values):
        self.context(chain)
        self._words[chain][0] = address_of(values)

    def context(self, chain):
        constants = super().context(chain)
        if not self.n_discrete:
            return constants
        words = self._words.setdefault(chain, np.array([address_of(self._own), constants], np.int64))
        return address_of(words)


@kernel
def log_expit(x):
    """log(1 / (1 + exp(-x))) without overflow."""
    return min(x, 0.0) - math.log1p(math.exp(-abs(x)))


@entry(DENSITY)
def beta_density(n, position, grad, context):
    """Independent Beta(a, b) variables as their logits; the context holds a, b."""
    q, constants = floats_at(position, n), floats_at(context, 2)
    a, b, logp = constants[0], constants[1], 0.0
    for i in range(n):
        logp += a * log_expit(q[i]) + b * log_expit(-q[i])
        if grad != 0:
            x = math.exp(log_expit(q[i]))
            floats_at(grad, n)[i] = a * (1.0 - x) - b * x
    return logp


@entry(DENSITY)
def modes_density(n, position, grad, context):
    """Independent mixtures of N(-2, 1) and N(2, 0.5), by 2 to 1: slices come in two pieces."""
    q, logp = floats_at(position, n), 0.0
    for i in range(n):
        left = math.log(2.0 / 3.0) - 0.5 * (q[i] + 2.0) ** 2
        right = math.log(1.0 / 3.0 / 0.5) - 0.5 * ((q[i] - 2.0) / 0.5) ** 2
        whole = max(left, right) + math.log1p(math.exp(-abs(left - right)))
        logp += whole
        if grad != 0:
            share = math.exp(left - whole)
            floats_at(grad, n)[i] = -share * (q[i] + 2.0) - (1.0 - share) * (q[i] - 2.0) / 0.25
    return logp


@entry(DENSITY)
def dirichlet_density(n, position, grad, context):
    """A Dirichlet vector as its log ratios to the last entry; the context holds the n + 1 concentrations."""
    q, alpha = floats_at(position, n), floats_at(context, n + 1)
    largest, total, weight, logp = 0.0, alpha[n], 0.0, 0.0
    for i in range(n):
        largest = max(largest, q[i])
        total += alpha[i]
        logp += alpha[i] * q[i]
    weight = math.exp(-largest)
    for i in range(n):
        weight += math.exp(q[i] - largest)
    for i in range(n):
        if grad != 0:
            floats_at(grad, n)[i] = alpha[i] - total * math.exp(q[i] - largest) / weight
    return logp - total * (largest + math.log(weight))


@entry(DENSITY)
def poisson_density(n, position, grad, context):
    """Truncated Poisson counts; the constants hold how many, the rate and the limit."""
    words = ints_at(context, 2)
    constants = floats_at(words[1], 3)
    values, logp = ints_at(words[0], int(constants[0])), 0.0
    for i in range(int(constants[0])):
        if values[i] < 0 or values[i] > constants[2]:
            return -np.inf
        logp += values[i] * math.log(constants[1]) - math.lgamma(values[i] + 1.0)
    return logp


@entry(DENSITY)
def category_density(n, position, grad, context):
    """One categorical variable; the constants hold how many categories, and their probabilities."""
    words = ints_at(context, 2)
    count, value = int(floats_at(words[1], 1)[0]), ints_at(words[0], 1)[0]
    if value < 0 or value >= count:
        return -np.inf
    return math.log(floats_at(words[1], count + 1)[1 + value])


@entry(DENSITY)
def ising_density(n, position, grad, context):
    """Three spins ±1 from bits; the constants hold the field (3) and the couplings 01, 12, 02."""
    words = ints_at(context, 2)
    bits, constants = ints_at(words[0], 3), floats_at(words[1], 6)
    for i in range(3):
        if bits[i] != 0 and bits[i] != 1:
            return -np.inf
    s0, s1, s2 = 2.0 * bits[0] - 1.0, 2.0 * bits[1] - 1.0, 2.0 * bits[2] - 1.0
    field = constants[0] * s0 + constants[1] * s1 + constants[2] * s2
    return field + constants[3] * s0 * s1 + constants[4] * s1 * s2 + constants[5] * s0 * s2


@entry(DENSITY)
def mixture_density(n, position, grad, context):
    """x and the component z it comes from, given y = x + noise of sd 1; constants: y, then w, m, s of 3 components."""
    words = ints_at(context, 2)
    constants, z, x = floats_at(words[1], 10), ints_at(words[0], 1)[0], floats_at(position, 1)[0]
    if z < 0 or z > 2:
        return -np.inf
    y, w, m, s = constants[0], constants[1 + z], constants[4 + z], constants[7 + z]
    if grad != 0:
        floats_at(grad, 1)[0] = (m - x) / (s * s) + y - x
    return math.log(w / s) - 0.5 * ((x - m) / s) ** 2 - 0.5 * (y - x) ** 2


def ar1_covariance():
    """Covariance of the first target."""
    index = np.arange(len(AR1_SCALES))
    return AR1_CORRELATION ** np.abs(index[:, None] - index) * np.outer(AR1_SCALES, AR1_SCALES)


def _ar1():
    covariance, scales = ar1_covariance(), np.outer(AR1_SCALES, AR1_SCALES)
    precision = np.linalg.inv(covariance / scales) / scales  # of the correlations: no digits lost to the scales
    factor = np.linalg.cholesky(covariance)
    return ExactTarget(gaussian, lambda rng, k: rng.normal(size=(k, 5)) @ factor.T, 5, precision)


def _student():
    return ExactTarget(student, lambda rng, k: rng.standard_t(5, (k, 3)), 3)


def _uniform():
    return ExactTarget(beta_density, lambda rng, k: rng.logistic(size=(k, 2)), 2, [1.0, 1.0])


def _beta():
    def draw(rng, count):
        # Beta(a, b) is g / (g + h) of two gamma variables; its logit is log g - log h, also where it rounds to 0 or 1
        return np.log(rng.gamma(2.0, size=(count, 2))) - np.log(rng.gamma(5.0, size=(count, 2)))

    return ExactTarget(beta_density, draw, 2, [2.0, 5.0])


def _modes():
    def draw(rng, count):
        left = rng.random((count, 2)) < 2.0 / 3.0
        return np.where(left, rng.normal(-2.0, 1.0, (count, 2)), rng.normal(2.0, 0.5, (count, 2)))

    return ExactTarget(modes_density, draw, 2)


def _dirichlet():
    def draw(rng, count):
        logs = np.log(rng.gamma(DIRICHLET, size=(count, len(DIRICHLET))))
        return logs[:, :-1] - logs[:, -1:]

    return ExactTarget(dirichlet_density, draw, len(DIRICHLET) - 1, DIRICHLET)


def _poisson():
    def draw(rng, count):
        return np.zeros((count, 0)), rng.choice(POISSON_LIMIT + 1, (count, 2), p=poisson_probabilities())

    constants = [2, POISSON_RATE, POISSON_LIMIT]
    return ExactTarget(poisson_density, draw, 0, constants, [0, 0], [POISSON_LIMIT, POISSON_LIMIT])


def poisson_probabilities():
    """Probabilities of 0 … POISSON_LIMIT."""
    weights = np.array([POISSON_RATE**k / math.factorial(k) for k in range(POISSON_LIMIT + 1)])
    return weights / weights.sum()


def _category():
    def draw(rng, count):
        return np.zeros((count, 0)), rng.choice(len(CATEGORIES), (count, 1), p=CATEGORIES)

    return ExactTarget(category_density, draw, 0, [len(CATEGORIES), *CATEGORIES], [0], [len(CATEGORIES) - 1])


def ising_probabilities():
    """Probabilities of the eight states, bit 0 lowest."""
    bits = (np.arange(8)[:, None] >> np.arange(3)) & 1
    s = 2.0 * bits - 1.0
    weights = np.exp(s @ ISING_FIELD + sum(j * s[:, a] * s[:, b] for (a, b), j in ISING_COUPLING.items()))
    return weights / weights.sum()


def _ising():
    def draw(rng, count):
        states = rng.choice(8, count, p=ising_probabilities())
        return np.zeros((count, 0)), (states[:, None] >> np.arange(3)) & 1

    return ExactTarget(ising_density, draw, 0, [*ISING_FIELD, *ISING_COUPLING.values()], [0, 0, 0], [1, 1, 1])


def mixture_posterior():
    """P(z | y), and mean and sd of x given z and y."""
    w, m, s, y = (MIXTURE[k] for k in "wmsy")
    evidence = w * np.exp(-0.5 * (y - m) ** 2 / (1 + s**2)) / np.sqrt(1 + s**2)
    sd = 1.0 / np.sqrt(1.0 + s**-2)
    return evidence / evidence.sum(), sd**2 * (y + m / s**2), sd


def _mixture():
    def draw(rng, count):
        p, mean, sd = mixture_posterior()
        z = rng.choice(3, (count, 1), p=p)
        return mean[z] + sd[z] * rng.normal(size=(count, 1)), z

    constants = [MIXTURE["y"], *MIXTURE["w"], *MIXTURE["m"], *MIXTURE["s"]]
    return ExactTarget(mixture_density, draw, 1, constants, [0], [2])


#: Every exact target by name: continuous ones, discrete ones, and one with both.
EXACT = {
    name: functools.cache(make)
    for name, make in {
        "ar1": _ar1,
        "student": _student,
        "uniform": _uniform,
        "beta": _beta,
        "dirichlet": _dirichlet,
        "modes": _modes,
        "poisson": _poisson,
        "category": _category,
        "ising": _ising,
        "mixture": _mixture,
    }.items()
}
CONTINUOUS = ["ar1", "student", "uniform", "beta", "dirichlet", "modes"]
