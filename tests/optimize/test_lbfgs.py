"""L-BFGS: maxima are SciPy's, directions those of the formula, edges of a density only shorten steps; and mutants."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import optimize

from nbinfer.compile import JIT, address_of, entry, floats_at, record_at
from nbinfer.engine.state import BLOCK, WORK, Memory, Plan
from nbinfer.optimize import lbfgs
from nbinfer.optimize.lbfgs import LBFGS, Outcome, Search
from tests.laws.kit import _evaluate, gaussian, student
from tests.laws.law import mutant

by_reading = pytest.mark.skipif(JIT, reason="plain Python says the same of a mutant, without ten seconds of compiling")


@entry("float64(int64, intp, intp, intp)")
def rosenbrock(n, position, grad, context):
    q, slope, logp = floats_at(position, n), floats_at(grad, n), 0.0
    for i in range(n):
        slope[i] = 0.0
    for i in range(n - 1):
        bend, rest = q[i + 1] - q[i] * q[i], 1.0 - q[i]
        logp -= 100.0 * bend * bend + rest * rest
        slope[i] += 400.0 * bend * q[i] + 2.0 * rest
        slope[i + 1] -= 200.0 * bend
    return logp


@entry("float64(int64, intp, intp, intp)")
def logistic(n, position, grad, context):
    """A regression of 40 outcomes, N(0, 10²) priors; the context holds the outcomes, then the covariates by rows."""
    q, slope, logp = floats_at(position, n), floats_at(grad, n), 0.0
    y, x = floats_at(context, 40), floats_at(context + 320, 40 * n)
    for i in range(n):
        slope[i] = -q[i] / 100.0
        logp -= q[i] * q[i] / 200.0
    for k in range(40):
        eta = 0.0
        for i in range(n):
            eta += x[n * k + i] * q[i]
        logp += y[k] * eta - np.logaddexp(0.0, eta)
        rest = y[k] - 1.0 / (1.0 + np.exp(-eta))
        for i in range(n):
            slope[i] += rest * x[n * k + i]
    return logp


@entry("float64(int64, intp, intp, intp)")
def edge(n, position, grad, context):
    """It rises, ever steeper, up to q[0] = 0.7; what is beyond, in density and in gradient, the context says."""
    q, beyond = floats_at(position, n), floats_at(context, 2)
    slope, outside = floats_at(grad, n), q[0] >= 0.7
    slope[0] = beyond[1] if outside else np.exp(q[0])
    for i in range(1, n):
        slope[i] = -q[i]
    return beyond[0] if outside else np.exp(q[0]) - 0.5 * np.sum(q[1:] ** 2)


@entry("float64(int64, intp, intp, intp)")
def plane(n, position, grad, context):
    """A density that rises by the context's number along each coordinate, for ever."""
    q, slope, rise = floats_at(position, n), floats_at(grad, n), floats_at(context, 1)[0]
    for i in range(n):
        slope[i] = rise
    return rise * np.sum(q)


@entry("float64(int64, intp, intp, intp)")
def bump(n, position, grad, context):
    """A narrow bump with wide flanks, where the density is convex."""
    q, slope, square = floats_at(position, n), floats_at(grad, n), 0.0
    for i in range(n):
        square += q[i] * q[i]
    for i in range(n):
        slope[i] = -2.0 * q[i] / (1.0 + square) ** 2
    return 1.0 / (1.0 + square)


@functools.cache
def kernels(module=lbfgs):
    """C functions of the module or of a mutant."""

    def begin(own, n, position, grad, logp):
        module.begin(record_at(own, module.Lbfgs), n, position, grad, logp)
        return 0

    def iterate(own, density, n, context):
        return module.iterate(record_at(own, module.Lbfgs), density, n, context)

    return entry("int64(intp, int64, intp, intp, float64)")(begin), entry("int64(intp, intp, int64, intp)")(iterate)


class Run:
    """A search from a point; iterates as rows in `x`, their log densities and gradients in `logp` and `grad`."""

    def __init__(self, density, start, context=(0.0,), tolerance=0.0, module=lbfgs, **settings):
        self.density, self.context = density, np.array(context, float).ravel()
        search, self.n = Search(**settings), len(start)
        plan = Plan()
        place = plan.place(LBFGS, search, SimpleNamespace(n=self.n))
        self.memory = np.zeros((1, plan.sizes[BLOCK]), np.int64), np.zeros((1, plan.sizes[WORK]), np.int64)
        plan.relocate(self.memory[0], np.array([[*map(address_of, self.memory), 0]]))
        self.own = Memory(place, self.memory[0][0], self.memory[1][0])
        search.initialise(self.own, tolerance)
        self._begin, self._iterate = kernels(module)
        q = np.array(start, float)
        logp, grad = self.at(q)
        self._begin(self.own.address, self.n, address_of(q), address_of(grad), logp)
        self.x, self.logp, self.grad, self.gains = [q], [logp], [grad], []

    def at(self, q):
        q, grad = np.array(q, float), np.zeros(self.n)
        return _evaluate(self.density.address, self.n, address_of(q), address_of(grad), address_of(self.context)), grad

    def step(self):
        outcome = self._iterate(self.own.address, self.density.address, self.n, address_of(self.context))
        self.x.append(self.own.position.copy())
        self.grad.append(self.own.grad.copy())
        self.logp.append(float(self.own.logp))
        self.gains.append(float(self.own.gain))
        return Outcome(outcome)

    def to_end(self):
        self.outcome = Outcome.GOES_ON
        while self.outcome == Outcome.GOES_ON:
            self.outcome = self.step()
        return self

    def pairs(self):
        """Steps, changes of the gradient and their products, the oldest first."""
        m = self.own.maxcor
        kept = [(self.own.newest - age) % m for age in reversed(range(self.own.pairs))]
        steps, changes = (rows.reshape(m, self.n)[kept] for rows in (self.own.steps, self.own.changes))
        return steps, changes, self.own.products[kept]


def regression():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 3)) * [1.0, 10.0, 0.1]
    return np.concatenate([rng.random(40) < 1.0 / (1.0 + np.exp(-x[:, 0])), x.ravel()])


#: A density, where searches begin, and its context.
CASES = {
    "one coordinate": (gaussian, [3.0], [4.0]),
    "ill-conditioned": (gaussian, np.ones(8), np.diag(np.logspace(0, 4, 8))),
    "rotated": (gaussian, [1.0, 2.0, -1.0], np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.0], [0.1, 0.0, 30.0]])),
    "far away": (gaussian, [1e6, -3.0], np.eye(2)),
    "Rosenbrock's valley": (rosenbrock, [-1.2, 1.0, -0.5, 2.0], [0.0]),
    "logistic regression": (logistic, np.zeros(3), regression()),
    "heavy tails": (student, [100.0, -3.0, 0.1], [0.0]),
    "convex flanks": (bump, [4.0, -3.0], [0.0]),
}


@pytest.mark.parametrize("case", CASES)
def test_maxima_are_those_of_scipy(case):
    density, start, context = CASES[case]
    run = Run(density, start, context, tolerance=1e-13, max_iterations=1000).to_end()
    assert run.outcome in (Outcome.SETTLED, Outcome.STUCK)

    def minus(q):
        logp, grad = run.at(q)
        return -logp, -grad

    options = {"ftol": 0.0, "gtol": 1e-10, "maxfun": 10_000}
    known = optimize.minimize(minus, np.array(start, float), jac=True, method="L-BFGS-B", options=options)
    assert run.logp[-1] >= -known.fun - 1e-10 * max(1.0, abs(known.fun))
    np.testing.assert_allclose(run.x[-1], known.x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_iterates_rise_and_know_their_density(case):
    run = Run(*CASES[case], max_iterations=25).to_end()
    assert (np.diff(run.logp) >= 0.0).all()
    np.testing.assert_array_equal(run.gains, np.diff(run.logp))
    for x, logp, grad in zip(run.x, run.logp, run.grad, strict=True):
        assert run.at(x)[0] == logp
        np.testing.assert_array_equal(run.at(x)[1], grad)


def test_what_was_remembered_is_counted():
    run = Run(*CASES["ill-conditioned"], maxcor=2, max_iterations=5)
    for k in range(5):
        run.step()
        assert (run.own.remembered, run.own.pairs) == (k + 1, min(k + 1, 2))


@pytest.mark.parametrize("tolerance", [1e-3, 1.0, 50.0])
def test_the_iteration_that_gains_too_little_is_the_last(tolerance):
    run = Run(*CASES["ill-conditioned"], tolerance=tolerance).to_end()
    assert run.outcome == Outcome.SETTLED
    assert run.gains[-1] <= tolerance < min(run.gains[:-1])


@pytest.mark.parametrize("limit", [1, 2, 7])
@pytest.mark.parametrize("name", ["max_iterations", "max_evaluations"])
def test_limits_hold(name, limit):
    for case in CASES.values():
        run = Run(*case, **{name: limit}).to_end()
        counted = run.own.iterations if name == "max_iterations" else run.own.evaluations
        assert counted <= limit
        assert run.outcome != Outcome.LIMIT or counted == limit
        assert run.logp[-1] >= run.logp[0]
        assert np.isfinite(run.x[-1]).all()


def test_a_search_is_cheap():
    """SciPy takes 47, 11 and 10 evaluations here, within the same digits."""
    for case, most in [("Rosenbrock's valley", 70), ("logistic regression", 25), ("far away", 15)]:
        assert Run(*CASES[case], tolerance=1e-8).to_end().own.evaluations <= most


def inverse_curvature(n, steps, changes):
    """The matrix that the memory stands for: equation 7.16 of Nocedal & Wright (2006), pair by pair."""
    scale = steps[-1] @ changes[-1] / (changes[-1] @ changes[-1])
    inverse = scale * np.eye(n)
    for s, y in zip(steps, changes, strict=True):
        rho = 1.0 / (s @ y)
        left = np.eye(n) - rho * np.outer(s, y)
        inverse = left @ inverse @ left.T + rho * np.outer(s, s)
    return inverse


def keeps_the_law(module=lbfgs):
    """Whether directions are the formula's, and what is remembered are the last steps that curvature allows.

    The memory holds three; the densities are convex in places, and have edges.
    """
    edged = edge, [0.0, 1.0], (-np.inf, 0.0)
    for density, start, context in [CASES["rotated"], CASES["Rosenbrock's valley"], edged]:
        run, accepted = Run(density, start, context, module=module, maxcor=3, max_iterations=12), []
        for _ in range(12):
            if run.own.pairs > 0:
                expected = inverse_curvature(run.n, *run.pairs()[:2]) @ run.grad[-1]
            else:
                expected = run.grad[-1] / np.linalg.norm(run.grad[-1])
            outcome = run.step()
            if not np.allclose(run.own.direction, expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max()):
                return False
            s, y = run.x[-1] - run.x[-2], run.grad[-2] - run.grad[-1]
            accepted += [(s, y)] if s @ y > 0.0 and s.any() else []
            steps, changes, products = run.pairs()
            kept = accepted[-len(steps) :]
            if len(steps) != min(len(accepted), 3) or (products <= 0.0).any():
                return False
            if not all((a == s).all() and (b == y).all() for a, b, (s, y) in zip(steps, changes, kept, strict=True)):
                return False
            if outcome != Outcome.GOES_ON or np.abs(run.grad[-1]).max() < 1e-7:
                break
    return True


def stays_inside(module=lbfgs):
    """Whether a search ends just before an edge, whatever is beyond it."""
    for beyond in [(-np.inf, 0.0), (np.nan, 0.0), (np.inf, 0.0), (5.0, np.nan), (5.0, np.inf)]:
        with np.errstate(all="ignore"):
            run = Run(edge, [0.0, 1.0], beyond, module=module, max_iterations=40).to_end()
        if not np.isfinite(np.concatenate([run.logp, *run.grad])).all() or not (np.diff(run.logp) >= 0.0).all():
            return False
        if not 0.69 < run.x[-1][0] < 0.7:
            return False
    return True


def test_directions_are_those_of_the_formula():
    assert keeps_the_law()


MUTANTS = {
    "sign of the first loop": ("add(n, -shares[k], own.changes", "add(n, shares[k], own.changes"),
    "sign of the second loop": ("add(n, shares[k] - rest, ", "add(n, shares[k] + rest, "),
    "unscaled": ("values[i] *= scale", "values[i] *= 1.0"),
    "newest first both times": ("for age in range(own.pairs - 1, -1, -1):", "for age in range(own.pairs):"),
    "any pair": ("if _EPS * square < product < np.inf and", "if -np.inf < product < np.inf and"),
    "no ring": ("k = (own.newest + 1) % own.maxcor if own.pairs > 0 else 0", "k = min(own.pairs, own.maxcor - 1)"),
}


@by_reading
@pytest.mark.parametrize("name", MUTANTS)
def test_the_law_catches(tmp_path, name):
    assert not keeps_the_law(mutant(tmp_path, *MUTANTS[name], lbfgs))


def test_a_search_stays_where_there_is_a_density():
    assert stays_inside()


EDGES = {
    "a density of any kind": (
        "floats_at(own.trial_grad, n), -np.inf < logp < np.inf",
        "floats_at(own.trial_grad, n), True",
    ),
    "gradients of any kind": ("finite = finite and -np.inf < grad[i] < np.inf", "finite = finite and True"),
}


@by_reading
@pytest.mark.parametrize("name", EDGES)
def test_the_law_of_edges_catches(tmp_path, name):
    assert not stays_inside(mutant(tmp_path, *EDGES[name], lbfgs))


def test_flat_and_level_starts_cost_nothing():
    for density, start, context in [(plane, [1.0, 2.0], [0.0]), (gaussian, [0.0, 0.0], np.eye(2))]:
        run = Run(density, start, context).to_end()
        assert run.outcome == Outcome.SETTLED
        assert run.own.evaluations == 0
        assert run.x[-1].tolist() == start


@pytest.mark.parametrize("rise", [1e-300, 1e-8, 1.0, 1e8, 1e300])
def test_a_density_without_a_maximum_ends(rise):
    """The first step is as long as a unit, whatever the slope; later ones grow as long as that is finite."""
    with np.errstate(over="ignore"):
        run = Run(plane, [0.0, 0.0, 0.0], [rise], max_iterations=60, max_evaluations=100).to_end()
    assert run.own.evaluations <= 100
    assert np.isfinite(run.x[-1]).all()
    assert run.logp[-1] > run.logp[0]
    assert np.isfinite(run.logp[-1])


@pytest.mark.parametrize("option", [{"maxcor": 0}, {"max_iterations": 0}, {"max_evaluations": 1.5}])
def test_settings_are_checked(option):
    with pytest.raises((ValueError, TypeError), match=next(iter(option))):
        Search(**option)
