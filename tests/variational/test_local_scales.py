"""What a local parameter counts for: the mean over batches is the objective of all data, and no factor may miss."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT, address_of
from nbinfer.errors import StreamingError
from nbinfer.variational.densities import FITTING
from nbinfer.variational.fitting import Fitting, Settings
from nbinfer.variational.sample_average import SampleAverage, bound_at
from nbinfer.variational.values import Shared


def s_prior(p, d):
    return 2.0 * np.log(p.s) - 3.0 * p.s


def x_given_s(p, d):
    return d.x * np.log(p.s) - p.s


def to_rows(d):
    return d.a[0] + d.a[1] * np.log(d.x + 1.0)


def to_spread(d):
    return d.a[2] + 0.2 * d.x


COUNTS = np.arange(12.0) % 5


def gamma_poisson(x, rows):
    return nb.Model(
        {"s": nb.positive(rows)}, prior={"s": s_prior}, likelihood={"x": x_given_s},
        data={"x": x, "a": np.array([-0.3, 0.8, -1.2])}, total_size={"s": 12, "x": 12},
    )  # fmt: skip


def objective(model, noise, spoil=None, names=("a",), estimator="stl"):
    """Return bound and gradient by what is learnt, at noise that is given; `spoil` gets the fit before."""
    group = nb.Group(["s"], params={"mu": to_rows, "rho": to_spread}, local=True, model=model)
    learnt = {name: Shared(model.data[name], name) for name in names}
    rule = SampleAverage(noise=noise.reshape(1, -1), antithetic=False)
    fitting = Fitting(
        model, [group], [], np.random.SeedSequence(1), Settings(rule, estimator=estimator), None, learnt, names
    )
    if spoil is not None:
        spoil(fitting)
    parameters, gradient = fitting.fit.parameters.copy(), np.zeros(fitting.n_parameters)
    where = [address_of(array) for array in (parameters, gradient, fitting.state)]
    return bound_at(len(parameters), *where), gradient


#: Compiled code is made for each length.
RAGGED = [np.arange(0, 5), np.arange(5, 10), np.arange(10, 12)]
BATCHES = [np.arange(0, 6), np.arange(6, 12)] if JIT else RAGGED
NOISE = np.random.default_rng(2).normal(size=12)


def check_average(spoil=None, of=gamma_poisson):
    """The mean over rows of what batches say, which may differ in length, is the objective of all data."""
    whole, gradient = objective(gamma_poisson(COUNTS, 12), NOISE)
    value, slope = 0.0, np.zeros(3)
    for rows in BATCHES:
        found = objective(of(COUNTS[rows], len(rows)), NOISE[rows], spoil)
        value += len(rows) / 12 * found[0]
        slope += len(rows) / 12 * found[1]
    np.testing.assert_allclose(value, whole, rtol=1e-9)
    np.testing.assert_allclose(slope, gradient, rtol=1e-9)


@pytest.mark.either
def test_the_mean_over_disjoint_batches_is_the_objective_of_all_data():
    check_average()


def without_jacobian(x, rows):
    """The prior term counts as often as it should, and the log Jacobian once."""
    model = gamma_poisson(x, rows)
    return nb.Model(
        {"s": model.parameters["s"].support}, prior={"t": s_prior}, likelihood=dict(model.likelihood),
        data=model.data, total_size={"t": 12, "x": 12},
    )  # fmt: skip


def weight_of_group(k, weight=1.0):
    def spoil(fitting):
        fitting.own(k).weight = weight or 12 / fitting.fit.n

    return spoil


def weight_of_term(k):
    def spoil(fitting):
        fitting.densities.bound.weights[FITTING, k] = 1.0

    return spoil


@pytest.mark.parametrize(
    "mutant",
    [
        {"spoil": weight_of_group(2)},  # log q counts once
        {"spoil": weight_of_group(1)},  # so does what the encoder pulls back
        {"spoil": weight_of_term(0)},  # log p(s) and the log Jacobian
        {"spoil": weight_of_term(1)},  # the likelihood
        {"spoil": lambda f: [weight_of_group(k, 0.0)(f) for k in (1, 2)], "of": without_jacobian},  # the log Jacobian
    ],
)
def test_a_factor_that_is_missing_is_seen(mutant):
    with pytest.raises(AssertionError):
        check_average(**mutant)


def test_the_gradient_by_what_is_learnt_is_that_of_the_bound():
    a = np.array([-0.3, 0.8, -1.2])
    model = gamma_poisson(COUNTS[:6], 6)
    found, sides = objective(model, NOISE[:6], estimator="plain")[1], []
    for k in range(3):
        for sign in (1e-6, -1e-6):
            model.set_data(a=a + sign * np.eye(3)[k])
            sides.append(objective(model, NOISE[:6])[0])
    np.testing.assert_allclose(found, (np.array(sides[::2]) - sides[1::2]) / 2e-6, rtol=1e-6)


def approximation(model):
    group = nb.Group(["s"], params={"mu": to_rows, "rho": to_spread}, local=True, model=model)
    return nb.Approximation(group, model, random_seed=2)


def ragged():
    while True:
        yield from (COUNTS[rows] for rows in RAGGED)


@pytest.mark.slow if JIT else lambda test: test
def test_batches_of_a_generator_differ_in_length():
    model = gamma_poisson(nb.generator(ragged()), 5)
    approx = approximation(model)
    still = {"obj_optimizer": nb.sgd(learning_rate=1e-12), "more_obj_params": ["a"], "progressbar": False}
    losses = nb.KLqp(approx).fit(300, **still).hist.reshape(-1, 3)
    assert approx.data["x"].shape == (2,)
    wanted = approximation(gamma_poisson(COUNTS, 12)).elbo(2000, 1)
    found = losses @ [5 / 12, 5 / 12, 2 / 12]
    assert abs(-found.mean() - wanted) < 4.0 * found.std() / np.sqrt(len(found))
    assert losses.mean() != pytest.approx(-wanted, abs=0.1)
    with pytest.raises(StreamingError, match="local parameters have a value for each row of the data, and these are"):
        approx.elbo()
    assert approx.sample_node("s", more_replacements={"x": COUNTS}).shape == (12,)
