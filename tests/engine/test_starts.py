"""Where chains begin: all over the support, on the density whatever it forbids, and where the user says."""

import itertools

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.engine import dispersed
from nbinfer.engine.starts import _Search, starting_points
from nbinfer.errors import SamplingError
from nbinfer.model.layout import Layout
from nbinfer.random import Purpose, generator, key_of
from tests.mcmc.models import half_line, run

KEYS = [key_of(np.random.SeedSequence(seed)) for seed in range(40)]


def drawn(support, key, number=0, attempt=0):
    return dispersed.discrete_values(Layout({"z": support}), key, number, attempt)[: int(np.prod(support.shape))]


# ---- the first try


@pytest.mark.either
@pytest.mark.parametrize("support", [nb.binary(3), nb.categorical(5, shape=3), nb.integer(-4, 2, shape=3)], ids=repr)
def test_discrete_values_are_uniform_on_their_support(support):
    lowest, highest = support.constants.reshape(2, -1)[:, 0].astype(int)
    keys = [key_of(np.random.SeedSequence(seed)) for seed in range(400)]
    values = np.concatenate([drawn(support, key, number) for key in keys for number in (0, 3)])
    counts = np.bincount(values - lowest, minlength=highest - lowest + 1)
    expected = len(values) / len(counts)
    assert len(counts) == highest - lowest + 1
    assert np.sum((counts - expected) ** 2 / expected) < len(counts) - 1 + 4 * np.sqrt(2 * (len(counts) - 1))


def test_chains_divide_the_support_among_them():
    for key in KEYS:
        assert drawn(nb.binary(), key, 0) != drawn(nb.binary(), key, 1)
        np.testing.assert_array_equal(drawn(nb.binary(12), key, 2), 1 - drawn(nb.binary(12), key, 3))
        gaps = np.diff(np.sort([drawn(nb.integer(0, 599), key, number)[0] for number in range(4)]))
        assert ((gaps >= 149) & (gaps <= 151)).all()


def test_a_range_that_stands_for_infinity_is_spread_over_orders_of_magnitude():
    for low, high in ((0, 10**9), (-(10**9), 10**9), (-(10**9), -3)):
        values = np.abs([drawn(nb.integer(low, high), key, number)[0] for key in KEYS for number in range(4)])
        nearest = np.clip(0, low, high)
        assert 0.2 < np.mean(values - abs(nearest) < 10**4) < 0.7
        assert (values > 10**7).any()
    signs = np.sign([drawn(nb.integer(-(10**9), 10**9), key)[0] for key in KEYS])
    assert {-1, 1} <= set(signs)


def test_where_there_is_no_end_first_tries_stay_near():
    for low in (-5, 0, 7):
        first = np.array([drawn(nb.integer(low), key, number)[0] for key in KEYS for number in range(4)])
        assert first.min() >= low
        assert 60 < first.max() <= max(low, 0) + 100
    last = np.array([drawn(nb.integer(0), key, 0, dispersed.TRIES - dispersed.ENDS - 1)[0] for key in KEYS])
    assert 10**4 < last.max() <= 10**6


def test_the_first_tries_of_coordinates_are_what_they_were():
    for attempt in range(dispersed.ALIKE):
        position = dispersed.coordinates(KEYS[0], 2, attempt, [slice(0, 5)], 5)
        np.testing.assert_array_equal(position, generator(KEYS[0], attempt, 2, Purpose.START).uniform(-1, 1, 5))


def test_first_tries_of_many_chains_are_those_of_each():
    together = dispersed.first_coordinates(KEYS, range(3, 43), 5)
    for position, key, number in zip(together, KEYS, range(3, 43), strict=True):
        np.testing.assert_array_equal(position, dispersed.coordinates(key, number, 0, [slice(0, 5)], 5))


# ---- constraints: how many of 40 seeds x 2 chains start within all tries


def distinct(z):
    return len(set(z)) == len(z)


CONSTRAINTS = {
    "counts above the data": (nb.integer(0, 100, shape=20), lambda z: (z >= 40).all()),
    "counts above the data, close": (nb.integer(0, 50), lambda z: z[0] >= 48),
    "counts above the data, no limit": (nb.integer(0, 10**6, shape=20), lambda z: (z >= 40).all()),
    "counts above the data, no end": (nb.integer(0, shape=20), lambda z: (z >= 400).all()),
    "few ones": (nb.binary(200), lambda z: z.sum() < 5),
    "few zeros": (nb.binary(50), lambda z: z.sum() > 45),
    "as many ones as zeros": (nb.binary(20), lambda z: z.sum() == 10),
    "a single one": (nb.binary(20), lambda z: z.sum() == 1),
    "permutations": (nb.categorical(12, shape=12), distinct),
    "distinct": (nb.integer(1, 40, shape=10), distinct),
    "increasing": (nb.integer(0, 99, shape=8), lambda z: (np.diff(z) > 0).all()),
    "decreasing": (nb.integer(0, 99, shape=8), lambda z: (np.diff(z) < 0).all()),
    "increasing in each row": (nb.integer(0, 99, shape=(2, 4)), lambda z: (np.diff(z.reshape(2, 4)) > 0).all()),
    "the initial point": (nb.integer(3, 9, shape=10), lambda z: (z == 3).all()),
    "all the highest": (nb.integer(3, 9, shape=10), lambda z: (z == 9).all()),
}


@pytest.mark.either
@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraints_are_met_within_all_tries(name):
    support, allowed = CONSTRAINTS[name]
    started = [
        any(allowed(drawn(support, key, number, attempt)) for attempt in range(dispersed.TRIES))
        for key, number in itertools.product(KEYS, range(2))
    ]
    assert np.mean(started) >= 0.95


@pytest.mark.parametrize(
    ("dim", "allowed"),
    [
        (1, lambda x: x[0] > 5.0),
        (20, lambda x: (x > 0.0).all()),
        (20, lambda x: (x < -3.0).all()),
        (30, lambda x: np.sum(x**2) < 0.01),
    ],
    ids=["far", "all positive", "all low", "near"],
)
def test_coordinates_go_further_out_and_closer_in(dim, allowed):
    group = [slice(0, dim)]
    for key, number in itertools.product(KEYS[:10], range(2)):
        tries = (dispersed.coordinates(key, number, attempt, group, dim) for attempt in range(dispersed.TRIES))
        assert any(map(allowed, tries))


# ---- a whole model


def logp(p, d):
    enough = p.N - d.least >= 0
    return -0.5 * p.x**2 - 0.01 * p.N if enough and np.sum(p.z) <= d.most else -np.inf


PARAMETERS = {"N": nb.integer(0, 1000), "z": nb.binary(12), "x": nb.real()}
MODEL = nb.Model(PARAMETERS, logp=logp, data={"least": 400.0, "most": 3.0})


def begin(numbers=(0, 1, 2, 3), start=None, seed=5, jitter=True, **options):
    key = key_of(np.random.SeedSequence(seed))
    bound = MODEL.bind(len(numbers))
    return starting_points(bound, MODEL, start, jitter, [key] * len(numbers), numbers, False, **options)


def test_chains_start_where_the_density_is_finite_each_by_itself():
    points = begin()
    for point in points:
        assert np.isfinite(point.logp)
        assert point.discrete[0] >= 400
    assert len({tuple(point.discrete) for point in points}) == 4
    assert len({point.position[0] for point in points}) == 4
    (alone,) = begin(numbers=[2])
    np.testing.assert_array_equal(alone.discrete, points[2].discrete)
    np.testing.assert_array_equal(alone.position, points[2].position)


def cut(p, d):
    return -0.5 * np.sum(p.x**2) if p.x[0] > 0.5 and p.s < 2.0 else -np.inf


def cut_callable(q):
    return -0.5 * np.sum(q**2) if q[0] > 0.5 else np.nan


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("gradient", [True, False])
@pytest.mark.parametrize("kind", ["named", "callable"])
def test_continuous_chains_start_together_where_each_starts_alone(kind, gradient):
    if kind == "named":
        model = nb.Model({"x": nb.real(3), "s": nb.positive()}, logp=cut)
    else:
        model = nb.Model.flat(cut_callable, dim=3, compile=False)
    numbers = range(5, 45)
    together = starting_points(model.bind(40), model, None, True, KEYS, numbers, gradient)
    later = 0
    for point, key, number in zip(together, KEYS, numbers, strict=True):
        (alone,) = starting_points(model.bind(1), model, None, True, [key], [number], gradient)
        search = _Search(model.bind(1), model, True, True, gradient)
        for other in (alone, search.start(None, key, number)):
            assert np.isfinite(point.logp)
            assert point.logp == other.logp
            np.testing.assert_array_equal(point.position, other.position)
            assert (point.grad is None) == (other.grad is None) == (not gradient)
            np.testing.assert_array_equal(point.grad if gradient else 0, other.grad if gradient else 0)
        later += not np.array_equal(point.position, dispersed.coordinates(key, number, 0, [], len(point.position)))
    assert 10 < later < 40


def test_a_partial_start_is_kept_and_the_rest_drawn():
    for point in begin(start={"N": 700}):
        assert point.discrete[0] == 700
        assert point.discrete[1:].sum() <= 3
    whole = {"N": 700, "z": np.zeros(12, int), "x": 1.5}
    for point in begin(start=whole):
        assert point.position == 1.5
        assert point.discrete.tolist() == [700, *[0] * 12]
    # Coordinates that are left out are at the initial point, as long as the density is finite there.
    assert all(point.position == 0.0 for point in begin(start={"N": 700, "z": np.zeros(12, int)}))


def test_without_jitter_coordinates_stay_and_discrete_values_are_drawn():
    points = begin(jitter=False)
    assert all(point.position == 0.0 and point.discrete[0] >= 400 for point in points)
    with pytest.raises(SamplingError, match=r"logp is not finite .* Pass another start"):
        begin(jitter=False, disperse=False)  # the lowest values


def test_the_error_says_what_was_tried():
    MODEL.set_data(least=2000.0)
    try:
        with pytest.raises(SamplingError, match="starting point of chain 0") as caught:
            begin()
    finally:
        MODEL.set_data(least=400.0)
    message = str(caught.value)
    assert "100 tries, with unconstrained coordinates up to 0.001 … 100 from the initial point" in message
    assert "N all over integer(0, 1000)" in message
    assert "z all over binary(12)" in message
    assert "100 × logp = -inf" in message
    assert "Pass start={'N': …, 'z': …, 'x': …}" in message


def upper(p, d):
    return p.k + 1.0


def test_values_between_bounds_of_discrete_values_are_kept():
    model = nb.Model({"k": nb.integer(0, 9), "x": nb.interval(0.0, upper)}, logp=lambda p, d: -0.1 * p.k)
    key = key_of(np.random.SeedSequence(1))
    points = starting_points(model.bind(4), model, {"x": 0.9}, True, [key] * 4, range(4), False)
    assert len({int(point.discrete[0]) for point in points}) == 4
    for point in points:
        assert model.constrain(point.position, point.discrete)["x"] == pytest.approx(0.9, rel=1e-12)


# ---- what a whole run says of them


def test_a_start_that_is_not_finite_is_named():
    with pytest.raises(SamplingError, match=r"starting point of chain 0.*logp"):
        run(half_line(), chains=1, start={"x": -1.0})


def test_values_that_are_given_and_have_no_density_are_named():
    model = nb.Model({"a": nb.real(), "s": nb.real()}, logp=lambda p, d: -p.s - p.a**2 if p.s > 0 else -np.inf)
    message = r"at a = .*, s = -1\.\).*start=\{'a': …\}.* or other values of 's', which are as start has them, or look"
    with pytest.raises(SamplingError, match=message):
        run(model, chains=1, start={"s": -1.0})


@nb.custom_vjp(lambda x: (1.0 / x,))
def steep(x):
    return abs(x)


def cusp(p, d):
    lp = -(p.a**2)
    for i in range(4):
        lp -= steep(p.b[i] - d.peak[i])
    return lp


def nan_in_a_matrix(p, d, grad):
    grad.b[1, 0] += 0.0 * np.inf
    return -(p.a**2)


@pytest.mark.nojit
def test_a_start_whose_derived_gradient_is_not_finite_names_the_parameter():
    model = nb.Model({"a": nb.real(), "b": nb.real(4)}, logp=cusp, data={"peak": np.array([1.0, 1.0, 0.0, 0.0])})
    message = (
        r"^the gradient of logp is not finite at the starting point of chain 0 \(logp = -2; .* is -?inf for b\[2\]"
    )
    with pytest.raises(SamplingError, match=message):
        run(model, init="adapt_diag")


def test_a_start_whose_written_gradient_is_not_finite_names_the_parameter():
    model = nb.Model({"a": nb.real(), "b": nb.real((2, 2))}, logp_grad=nan_in_a_matrix)
    with pytest.raises(
        SamplingError, match=r"the gradient of logp is not finite .*; the gradient is nan for b\[1, 0\]"
    ):
        run(model, init="adapt_diag")


@pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
def test_jittered_starts_are_tried_again():
    trace = run(half_line(), chains=4)  # half of all jittered starts are bad
    assert (trace["x"] > 0).all()
