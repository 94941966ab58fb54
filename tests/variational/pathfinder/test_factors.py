"""The distribution of an iterate is that of a dense BFGS matrix: covariance, determinant, mean, draws; and mutants."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from nbinfer.compile import JIT, address_of, entry, record_at
from nbinfer.engine.state import BLOCK, WORK, Memory, Plan
from nbinfer.variational.pathfinder import factors
from nbinfer.variational.pathfinder.factors import FACTORS
from tests.laws.law import mutant

by_reading = pytest.mark.skipif(JIT, reason="plain Python says the same of a mutant, without ten seconds of compiling")


@functools.cache
def kernels(module=factors):
    """C functions of the module or of a mutant."""

    def rescale(n, alpha, step, change):
        module.rescale(n, alpha, step, change)
        return 0

    def find(own, n, maxcor, pairs, newest, steps, changes):
        return int(module.factorise(record_at(own, module.Factors), n, maxcor, pairs, newest, steps, changes))

    def place(own, n, position, grad):
        return module.place(record_at(own, module.Factors), n, position, grad)

    def draw(own, n, noise, position):
        return module.draw(record_at(own, module.Factors), n, noise, position)

    return SimpleNamespace(
        rescale=entry("int64(int64, intp, intp, intp)")(rescale),
        find=entry("int64(intp, int64, int64, int64, int64, intp, intp)")(find),
        place=entry("float64(intp, int64, intp, intp)")(place),
        draw=entry("float64(intp, int64, intp, intp)")(draw),
    )


class Room:
    """Memory for the distribution of an iterate, found from pairs, the oldest first."""

    def __init__(self, alpha, steps, changes, maxcor=None, newest=None, module=factors):
        self.steps, self.changes = np.array(steps, float), np.array(changes, float)
        self.pairs, self.n = self.steps.shape
        maxcor = max(1, self.pairs if maxcor is None else maxcor)
        newest = self.pairs - 1 if newest is None else newest
        plan = Plan()
        place = plan.place(FACTORS, SimpleNamespace(rank=2 * maxcor), SimpleNamespace(n=self.n))
        self.memory = np.zeros((1, plan.sizes[BLOCK]), np.int64), np.zeros((1, plan.sizes[WORK]), np.int64)
        plan.relocate(self.memory[0], np.array([[*map(address_of, self.memory), 0]]))
        self.own = Memory(place, self.memory[0][0], self.memory[1][0])
        self.own.alpha[:] = self.alpha = np.array(alpha, float)
        ring = np.zeros((2, maxcor, self.n))
        for age in range(self.pairs):
            k = (newest - age) % maxcor
            ring[0, k], ring[1, k] = self.steps[-1 - age], self.changes[-1 - age]
        self.functions = kernels(module)
        self.found = self.functions.find(
            self.own.address, self.n, maxcor, self.pairs, newest, address_of(ring[0]), address_of(ring[1])
        )

    def mean(self, position, grad):
        position, grad = np.array(position, float), np.array(grad, float)
        gain = self.functions.place(self.own.address, self.n, address_of(position), address_of(grad))
        return self.own.centre.copy(), gain

    def draw(self, noise):
        noise, z = np.array(noise, float), np.zeros(self.n)
        return self.functions.draw(self.own.address, self.n, address_of(noise), address_of(z)), z

    def covariance(self):
        """Return the covariance of draws, from those of single noise numbers."""
        columns = np.array([self.draw(noise)[1] - self.own.centre for noise in np.eye(self.n)]).T
        return columns @ columns.T


def inverse_curvature(alpha, steps, changes):
    """Return the inverse of BFGS, updated pair by pair."""
    H = np.diag(alpha)
    for s, z in zip(steps, changes, strict=True):
        project = np.eye(len(s)) - np.outer(s, z) / (s @ z)
        H = project @ H @ project.T + np.outer(s, s) / (s @ z)
    return H


def pairs_of(n, count, seed, curved=0.3):
    """Return a diagonal, steps of some length, and falls of the gradient over them with positive products."""
    rng = np.random.default_rng(seed)
    A = np.eye(n) + curved * rng.normal(size=(n, n))
    steps = rng.normal(size=(count, n)) * 10.0 ** rng.uniform(-4, 0, (count, 1))
    return rng.uniform(0.2, 3.0, n), steps, steps @ (A @ A.T)


CASES = {
    "no pair": pairs_of(5, 0, 0),
    "one": pairs_of(5, 1, 1),
    "several": pairs_of(12, 3, 2),
    "more directions than coordinates": pairs_of(4, 3, 3),
    "more pairs than coordinates": pairs_of(3, 6, 4),
    "one coordinate": pairs_of(1, 2, 5),
    "twice the same step": tuple(
        np.concatenate([part, part]) if part.ndim == 2 else part for part in pairs_of(6, 2, 6)
    ),
    "curvature that is known": (np.full(6, 2.0), pairs_of(6, 3, 7)[1], pairs_of(6, 3, 7)[1] / 2.0),
}


def keeps_the_law(case, module=factors):
    alpha, steps, changes = CASES[case]
    room, H = Room(alpha, steps, changes, module=module), inverse_curvature(*CASES[case])
    rng = np.random.default_rng(9)
    position, grad, noise = rng.normal(size=(3, len(alpha)))
    mean, gain = room.mean(position, grad)
    logq, z = room.draw(noise)
    wanted = stats.multivariate_normal.logpdf(z, mean, H)
    size = np.abs(H).max()
    return (
        room.found == 1
        and np.allclose(mean, position + H @ grad, rtol=0, atol=1e-9 * size)
        and gain == pytest.approx(0.5 * grad @ H @ grad, rel=1e-9)
        and np.allclose(room.covariance(), H, rtol=0, atol=1e-9 * size)
        and 2.0 * float(room.own.half_log_det) == pytest.approx(np.linalg.slogdet(H)[1], abs=1e-9)
        and logq == pytest.approx(wanted, abs=1e-8)
    )


@pytest.mark.parametrize("case", CASES)
def test_it_is_that_of_a_dense_matrix(case):
    assert keeps_the_law(case)


def test_the_log_determinant_to_the_last_digits():
    alpha, steps, changes = pairs_of(10, 4, 8, curved=0.1)
    found = 2.0 * float(Room(alpha, steps, changes).own.half_log_det)
    assert found == pytest.approx(np.linalg.slogdet(inverse_curvature(alpha, steps, changes))[1], abs=1e-12)


def test_pairs_lie_in_a_ring():
    alpha, steps, changes = pairs_of(5, 3, 1)
    plain = Room(alpha, steps, changes)
    for newest in range(4):
        room = Room(alpha, steps, changes, maxcor=4, newest=newest)
        np.testing.assert_array_equal(room.covariance(), plain.covariance())


def test_what_is_no_number_is_told():
    alpha, steps, changes = pairs_of(3, 2, 1)
    steps[0, 1] = np.nan
    with np.errstate(invalid="ignore"):
        assert not Room(alpha, steps, changes).found
        assert not Room([np.inf, 1.0, 1.0], *pairs_of(3, 1, 1)[1:]).found


def rescaled(alpha, s, z, module=factors):
    alpha, s, z = (np.array(part, float) for part in (alpha, s, z))
    kernels(module).rescale(len(alpha), address_of(alpha), address_of(s), address_of(z))
    return alpha


def keeps_the_diagonal(module=factors):
    """It is the diagonal of BFGS's update of curvature 1 / alpha, which is scaled to the pair before."""
    for seed in range(5):
        alpha, (s,), (z,) = pairs_of(6, 1, seed)
        a, b = np.sum(alpha * z * z), z @ s
        B = np.diag(a / (b * alpha))
        B = B - np.outer(B @ s, B @ s) / (s @ B @ s) + np.outer(z, z) / b
        if not np.allclose(rescaled(alpha, s, z, module), 1.0 / np.diag(B), rtol=1e-10):
            return False
    return True


def test_the_diagonal_is_that_of_an_update():
    assert keeps_the_diagonal()
    np.testing.assert_allclose(rescaled([7.0], [2.0], [0.5]), [4.0])
    assert (rescaled([1.0, 1.0, 3.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]) > 0.0).all()


MUTANTS = {
    "sign of gamma": ("total -= columns[i * count + a] * solved", "total += columns[i * count + a] * solved"),
    "E forgotten": ("weight = triangle[a * pairs + a] * solved", "weight = 0.0 * solved"),
    "R for its transpose": ("total -= triangle[a * pairs + b] * solved", "total -= triangle[b * pairs + a] * solved"),
    "newest first": ("k = (newest - pairs + 1 + a) % maxcor", "k = (newest - a) % maxcor"),
    "log det without L": ("own.half_log_det += math.log(m[i * count + i])", "own.half_log_det += 0.0"),
    "log det without alpha": ("0.5 * sum_of_logs(own.alpha, n)", "0.0"),
    "L without its transpose": ("    if twice:\n", "    if False:\n"),
    "L less nothing": ("add(n, t[k] - before[k], own.basis", "add(n, t[k], own.basis"),
    "once orthogonal": ("columns[a * count + c] += part", "columns[a * count + c] = part"),
    "mean without scale": ("step = scale[i] * mean[i]", "step = mean[i]"),
}


@by_reading
@pytest.mark.parametrize("name", MUTANTS)
def test_the_law_catches(tmp_path, name):
    broken = mutant(tmp_path, *MUTANTS[name], factors)
    assert not all(keeps_the_law(case, broken) for case in CASES)


@by_reading
def test_the_diagonal_needs_its_projection(tmp_path):
    broken = mutant(tmp_path, " * (1.0 - s[i] * s[i] / (c * alpha[i]))", "", factors)
    assert not keeps_the_diagonal(broken)
