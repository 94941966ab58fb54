"""Forces as the workers find them, against their definition; the median; and texts with a fault, which do not pass."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.errors import FitError
from nbinfer.variational.stein import crew as crews
from nbinfer.variational.stein import forces as forces_
from nbinfer.variational.stein import gauss as gauss_
from nbinfer.variational.stein import median as median_
from nbinfer.variational.stein import panels, rbf, state
from nbinfer.variational.stein.kernels import median_bandwidth, weigh_rbf
from tests.variational.families.laws import faulty
from tests.variational.stein.targets import Linear, at, fitted, forces, normal

SIZES = [1, 2, 3, 5, 64, 65, 131] if JIT else [1, 2, 3, 5, 9]


def crew_at(points, kernel=rbf, model=None, **options):
    inference = at(points, model or normal(points.shape[1], 0.3, 1.7), kernel, cores=1, **options)
    inference.begin()
    return inference._updates.fitting.crew


def check_forces(points, kernel, temperature=1.0):
    found, scores, phi = crew_at(points, kernel, temperature=temperature).look()
    np.testing.assert_array_equal(found, points)
    np.testing.assert_allclose(scores, -(points - 0.3) / 1.7, rtol=1e-12)
    np.testing.assert_allclose(phi, forces(points, scores, kernel, temperature), rtol=1e-9, atol=1e-12)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dim", [1, 6])
@pytest.mark.parametrize("kernel", [nb.RBF(), nb.RBF(0.8), nb.IMQ(0.5), Linear()], ids=lambda k: type(k).__name__)
def test_forces_are_what_they_are_defined_to_be(n, dim, kernel):
    if n < 2 and kernel.needs_spread:
        pytest.skip("no median of one")
    check_forces(np.random.default_rng(n + dim).normal(size=(n, dim)), kernel, 1.5)


@pytest.mark.parametrize("dim", [2, 3, 10] if JIT else [2, 3])
def test_forces_do_not_depend_on_how_particles_are_shared_out(dim, monkeypatch):
    """Sections of several tiles, the last of which has fewer, are those of very many particles."""
    n = 300 if JIT else 35
    points = np.random.default_rng(1).normal(size=(n, dim))
    monkeypatch.setattr(state, "BLOCKS", 2)
    monkeypatch.setattr(state, "TILE", 32 if JIT else 16)
    for kernel in (nb.RBF(), nb.IMQ()):
        check_forces(points, kernel)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("n", SIZES[1:])
@pytest.mark.parametrize("dim", [1, 6])
@pytest.mark.parametrize("kernel", [nb.RBF(), nb.RBF(0.8), nb.IMQ(0.5)], ids=lambda k: type(k).__name__)
def test_forces_in_float32(n, dim, kernel):
    points = 1e3 + np.random.default_rng(n + dim).normal(size=(n, dim))
    model = normal(dim, 1e3, 1.7)
    _, _, single = crew_at(points, kernel, model, dtype="float32").look()
    _, _, double = crew_at(points, kernel, model).look()
    np.testing.assert_allclose(single, double, rtol=0.0, atol=1e-5 * np.abs(double).max())
    assert not np.array_equal(single, double)


def test_one_that_is_far_away_takes_nothing_from_the_others():
    points = np.random.default_rng(1).normal(size=(40 if JIT else 9, 2))
    points[3] = 1e9
    _, scores, single = crew_at(points, nb.RBF(1.0), dtype="float32").look()
    expected = forces(points, scores, nb.RBF(1.0))
    others = np.arange(len(points)) != 3
    np.testing.assert_allclose(single[others], expected[others], rtol=0.0, atol=1e-5 * np.abs(expected[others]).max())
    np.testing.assert_allclose(single[3], expected[3], rtol=1e-5)


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::nbinfer.errors.ConvergenceWarning")
def test_what_float32_cannot_hold_is_told():
    points = np.array([[0.0], [1.0], [2.0]])
    inference = at(points, normal(1, 0.0, 1e-40), nb.RBF(1.0), dtype="float32")
    with pytest.raises(FitError, match=r"more than float32 can hold in iteration 0; .* Take dtype='float64'"):
        fitted(inference, 1, nb.sgd(learning_rate=1e-45))
    fitted(at(points, normal(1, 0.0, 1e-40), nb.RBF(1.0)), 1, nb.sgd(learning_rate=1e-45))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_far_from_the_origin_nothing_is_lost(dtype):
    points = 1e6 + np.random.default_rng(1).normal(size=(10, 3))
    _, scores, phi = crew_at(points, nb.RBF(1.0), dtype=dtype).look()
    near = points - 1e6
    expected = forces(near, scores, nb.RBF(1.0))
    near = 1e-12 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(phi, expected, rtol=0.0, atol=near * np.abs(expected).max())


def clouds(n):
    """Return points whose distances are of all kinds: scattered, tied, in two places, many of them equal."""
    rng = np.random.default_rng(n)
    yield rng.normal(size=(n, 3))
    yield np.arange(n, dtype=float)[:, None]
    yield np.concatenate([rng.normal(size=(n // 2, 2)), 1e3 + 1e-3 * rng.normal(size=(n - n // 2, 2))])
    yield np.repeat(rng.normal(size=((n + 2) // 3, 2)), 3, axis=0)[:n] + np.eye(n, 2)
    yield rng.standard_cauchy(size=(n, 2)) ** 3


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("n", [2, 3, 4, 63, 64, 65, 200, 301] if JIT else [2, 3, 4, 7])
def test_the_median_is_that_of_all_squared_distances(n):
    for points in clouds(n):
        crew = crew_at(points)
        if median_bandwidth(points) == 0.0:
            assert crew.look() is None
            continue
        crew.look()
        assert crew.stein.bandwidth == pytest.approx(median_bandwidth(points), rel=1e-12)
        for step in (1e-4, 0.02, 3.0, 100.0):  # the window of the last one holds it, or does not
            moved = points * (1.0 + step)
            crew._fitting.moved[0].params[0].set_value(moved)
            crew.look()
            assert crew.stein.bandwidth == pytest.approx(median_bandwidth(moved), rel=1e-12)


def median_of(points, pairs, dtype="float64"):
    """Return the median that an iteration finds, and who found it."""
    crew = crew_at(points, nb.RBF(pairs=pairs), dtype=dtype)
    crew.look()
    return float(crew.stein.median), crew


@pytest.mark.parametrize("n", [4, 30, 301] if JIT else [4, 9])
def test_the_median_of_pairs_that_are_drawn(n):
    """It is that of the pairs which the numbers of the stream mean."""
    points = np.random.default_rng(n).normal(size=(n, 3))
    for pairs in (1, 2, n - 1, n, n * (n - 1) // 2 - 1):
        for dtype in ("float64", "float32"):
            found, crew = median_of(points, pairs, dtype)
            drawn, shifts = int(crew.stein.n_drawn), int(crew.stein.n_shifts)
            assert (drawn, shifts) == (min(n, pairs), -(-pairs // min(n, pairs)))
            order = crew.stein.order[:drawn]
            assert len(set(order.tolist())) == drawn
            squared = np.concatenate(
                [np.sum((points[order] - points[np.roll(order, -s)]) ** 2, axis=1) for s in range(1, shifts + 1)]
            )
            rank = ((n * n - 1) // 2 - n) // 2
            expected = np.sort(squared)[int((rank + 0.5) * len(squared) / (0.5 * n * (n - 1)))]
            assert found == pytest.approx(expected, rel=1e-5)


def test_all_pairs_are_taken_where_no_fewer_are_asked_for():
    points = np.random.default_rng(1).normal(size=(9, 2))
    for pairs in (36, 100, "all", None):
        found, crew = median_of(points, pairs)
        assert crew.stein.pairs == 0
        assert found == pytest.approx(np.median(np.sum((points[:, None] - points) ** 2, axis=-1)), rel=1e-12)
    kernel = nb.RBF()
    assert [kernel.pairs_of(n) for n in (2, 1000, 1001, 10**6)] == [0, 0, 2**17, 2**17]
    assert nb.IMQ(pairs="all").pairs_of(10**6) == 0


@pytest.mark.nojit
def test_pairs_that_are_drawn_find_the_median():
    """They are the same in each iteration, and others by another seed."""
    points = np.arange(2000.0)[:, None]  # in order: neighbours are no pairs like any other
    exact, found = np.median((points - points.T) ** 2), []
    for seed in range(8):
        crew = crew_at(points, random_seed=seed)
        assert crew.stein.pairs == 2**17
        for piece in range(2):
            crew._fitting.fit.done = piece
            crew.look()
            found.append(float(crew.stein.median))
    assert found[::2] == found[1::2]
    assert len(set(found)) > 1  # of whole numbers many are equal
    np.testing.assert_allclose(found, exact, rtol=0.01)


@pytest.mark.nojit
def test_more_equal_distances_than_there_is_room_for():
    points = np.zeros((300, 1))
    points[::2] = 1.0
    crew = crew_at(points)
    crew.look()
    assert crew.stein.median == np.median((points - points.T) ** 2)
    points[100:] = np.linspace(1.5, 2.0, 200)[:, None]
    crew._fitting.moved[0].params[0].set_value(points)
    crew.look()
    assert crew.stein.median == pytest.approx(np.median((points - points.T) ** 2), rel=1e-12)


def test_points_that_a_kernel_of_its_own_sees_are_the_particles():
    seen = []

    def kernel(z):
        seen.append(z)
        return np.eye(len(z)), np.zeros_like(z)

    points = np.random.default_rng(1).normal(size=(4, 2))
    _, scores, phi = crew_at(points, kernel).look()
    np.testing.assert_array_equal(seen[0], points)
    np.testing.assert_allclose(phi, scores / 4)


MUTANTS = {
    "repulsion has the wrong sign": (panels, "aim", ("-steep * (points", "steep * (points")),
    "the sum of the slopes is left out": (panels, "aim", ("push = steep", "push = 0.0")),
    "the density part is not divided": (panels, "aim", ("scores[i * dim + c] /", "count * scores[i * dim + c] /")),
    "temperature divides the repulsion": (panels, "aim", ("pull + push if", "pull + push / stein.temperature if")),
    "pads count as particles": (panels, "aim", ("elif i < count and c == dim", "elif c == dim")),
    "each pair adds to one alone": (
        forces_,
        "push",
        ("(weights, count, ours", "(weights, 0, ours"),
    ),
    "some count twice for themselves": (
        forces_,
        "push",
        ("(first, count) if one == other", "(first, 0) if one == other"),
    ),
    "sections meet twice": (forces_, "push", ("if other < one:", "if False:")),
    "the last sections never meet": (forces_, "push", ("if other < one:", "if other < one or one > 0:")),
    "the bandwidth is twice as large": (gauss_, "weigh", ("-0.5 * _LOG2_E", "-0.25 * _LOG2_E")),
    "the median is that of pairs": (
        median_,
        "choose_bandwidth",
        ("-1 if rank < count else (rank - count) // 2", "rank * (count - 1) // (2 * count)"),
    ),
    "the median is the lower one": (
        median_,
        "choose_bandwidth",
        ("pair_rank(whole // 2, count)", "pair_rank((whole - 1) // 2, count)"),
    ),
}


def replace_phase(monkeypatch, module, name, edit):
    """Have crews take a phase from a text with a fault."""
    made = faulty(module, edit)
    if name == "weigh":
        monkeypatch.setattr(
            crews, "GAUSSIAN", {weigh_rbf: {"float64": made.weigh_doubles, "float32": made.weigh_singles}}
        )
    else:
        monkeypatch.setattr(crews, name, getattr(made, name))


@pytest.mark.parametrize("fault", MUTANTS)
@pytest.mark.skipif(JIT, reason="plain Python says the same of a mutant, without compiling it")
def test_a_fault_is_seen(fault, monkeypatch):
    replace_phase(monkeypatch, *MUTANTS[fault])
    monkeypatch.setattr(state, "TILE", 16)
    rng = np.random.default_rng(1)

    def check():
        for n in (4, 35):
            check_forces(rng.normal(size=(n, 2)), nb.RBF(), 1.5)

    with pytest.raises(AssertionError):
        check()


@pytest.mark.parametrize(
    "edit",
    [
        ("floats_at(tile.values, n), floats_at(tile.slopes", "floats_at(tile.slopes, n), floats_at(tile.values"),
        ("if stein.gauss == 0:", "if False:"),
    ],
)
@pytest.mark.skipif(JIT, reason="plain Python says the same of a mutant, without compiling it")
def test_a_fault_is_seen_with_other_kernels(edit, monkeypatch):
    replace_phase(monkeypatch, forces_, "push", edit)
    with pytest.raises(AssertionError):
        check_forces(np.random.default_rng(1).normal(size=(17, 2)), nb.IMQ(0.5), 1.5)


@pytest.mark.skipif(JIT, reason="plain Python says the same of a mutant, without compiling it")
def test_particles_whose_repulsion_has_the_wrong_sign_fall_onto_each_other(monkeypatch):
    made = faulty(panels, MUTANTS["repulsion has the wrong sign"][2], ("push = steep", "push = -steep"))
    monkeypatch.setattr(crews, "aim", made.aim)
    inference = at(np.linspace(-1.0, 1.0, 6), normal(), nb.RBF(0.5), cores=1)
    with pytest.warns(nb.errors.ConvergenceWarning, match="collapsed|too close"):
        approx = fitted(inference, 60, nb.sgd(learning_rate=0.5))
    assert approx.cov[0, 0] < 2e-5
