"""Losses and gradients of local groups against sums that are made by hand, of the very noise that a step has taken."""

import pickle

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from tests.variational.local_models import LOG_TWO_PI, N, X, fitted, local, one_factor, slope_and_factor

RNG = np.random.default_rng(5)
U, Y, A = RNG.normal(size=4), RNG.normal(size=3), np.array([0.3, -0.4, 0.2, 0.6, -0.5])


def s_prior(p, d):
    return 1.5 * np.log(p.s) - p.s


def v_prior(p, d):
    return -0.5 * np.sum(p.v**2)


def w_prior(p, d):
    return -0.5 * p.w**2


def x_term(p, d):
    return -((d.x - p.w * np.log(p.s)) ** 2)


def y_term(p, d):
    return -0.5 * (d.y - p.w - d.a[3] * np.sum(p.v)) ** 2


def s_mu(d):
    return d.a[0] + d.a[1] * d.x


def s_rho(d):
    return d.a[4] + 0.1 * d.x


def v_mu(d):
    return np.tanh(np.outer(d.u, d.a[:2]))


def v_triangle(d):
    rows = np.zeros((d.u.size, 3))
    rows[:, 0] = 1.0 + d.a[2]
    rows[:, 1] = d.u * d.a[3]
    rows[:, 2] = 0.5 + d.u**2
    return rows


#: Two local parameters, one of them positive, and a third that all rows share: none counts as often as another.
SIZES = {"s": 24, "v": 40, "x": 30, "y": 9}
WEIGHTS = {"s": 4.0, "v": 10.0, "x": 5.0, "y": 3.0}


def two_kinds_of_rows():
    model = nb.Model(
        {"w": nb.real(), "s": nb.positive(6), "v": nb.real((4, 2))}, prior={"s": s_prior, "v": v_prior, "w": w_prior},
        likelihood={"x": x_term, "y": y_term}, data={"x": X[:6], "u": U, "y": Y, "a": A}, total_size=SIZES,
    )  # fmt: skip
    groups = [
        nb.Group("s", params={"mu": s_mu, "rho": s_rho}, local=True, model=model),
        nb.Group(None, "mean_field", model=model),
        nb.Group("v", params={"mu": v_mu, "L_tril": v_triangle}, local=True, model=model),
    ]
    return nb.Approximation(groups, model, random_seed=1)


class Data:
    x, u, y = X[:6], U, Y


def log_normal(noise, scale):
    return -0.5 * noise**2 - 0.5 * LOG_TWO_PI - np.log(np.abs(scale))


def sum_by_hand(theta, e, beta=1.0):
    """Return minus the objective at noise by group, where `theta` is a, mu and rho of w."""
    d, p = Data(), Data()
    d.a, (mu, rho) = theta[:5], theta[5:]
    sigma = np.log1p(np.exp(rho))
    p.w = mu + sigma * e["w"][0]
    logq = log_normal(e["w"], sigma).sum()
    spread = np.log1p(np.exp(s_rho(d)))
    t = s_mu(d) + spread * e["s"]
    p.s = np.exp(t)
    logq += WEIGHTS["s"] * log_normal(e["s"], spread).sum()
    noise, triangle = e["v"].reshape(4, 2), v_triangle(d)
    L = np.zeros((4, 2, 2))
    L[:, 0, 0], L[:, 1, 0], L[:, 1, 1] = triangle.T
    p.v = v_mu(d) + np.einsum("bij,bj->bi", L, noise)
    logq += WEIGHTS["v"] * (log_normal(noise, 1.0).sum() - np.log(np.abs(triangle[:, [0, 2]])).sum())
    prior = w_prior(p, d) + WEIGHTS["s"] * np.sum(s_prior(p, d) + t) + WEIGHTS["v"] * v_prior(p, d)
    likelihood = WEIGHTS["x"] * x_term(p, d).sum() + WEIGHTS["y"] * y_term(p, d).sum()
    return -(likelihood + beta * (prior - logq))


@pytest.mark.either
@pytest.mark.parametrize(("beta", "scaled"), [(1.0, True), (2.0, False)])
def test_a_step_is_that_of_the_sum(beta, scaled):
    approx, rate = two_kinds_of_rows(), 1e-5
    approx.scale_cost_to_minibatch = scaled
    assert approx.symbolic_normalizing_constant == (10.0 if scaled else 1.0)
    before = np.concatenate([A, *(np.ravel(s.get_value()) for s in approx.params)])
    inference = nb.KLqp(approx, beta, "plain")
    options = {"more_obj_params": ["a"], "progressbar": False}
    inference.fit(1, obj_optimizer=nb.sgd(learning_rate=rate), **options)
    fitting = approx.fitting()
    noise = {
        g.names[0]: fitting.own(k).noise.copy() for k, g in enumerate(fitting.groups) if g.family.n_noise(g.extent)
    }
    assert approx.hist[0] == pytest.approx(sum_by_hand(before, noise, beta), rel=1e-12)
    slope = [
        (sum_by_hand(before + h, noise, beta) - sum_by_hand(before - h, noise, beta)) / 2e-6 for h in 1e-6 * np.eye(7)
    ]
    after = np.concatenate([approx.data["a"], *(np.ravel(s.get_value()) for s in approx.params[:2])])
    constant = 10.0 if scaled else 1.0
    np.testing.assert_allclose((before - after) / rate * constant, slope, rtol=2e-5, atol=1e-4)


def test_scaling_the_cost_is_scaling_the_learning_rate():
    """And losses are those of all data either way."""

    def run(scaled, rate):
        approx = local(one_factor(6), random_seed=1)
        approx.scale_cost_to_minibatch = scaled
        return fitted(approx, 5, obj_optimizer=nb.sgd(learning_rate=rate))

    one, other = run(True, 1e-3), run(False, 1e-4)
    np.testing.assert_allclose(one.data["a"], other.data["a"], rtol=1e-12)
    np.testing.assert_allclose(one.hist, other.hist, rtol=1e-12)
    assert not np.allclose(run(False, 1e-3).data["a"], one.data["a"])


def test_outside_of_fits_the_weights_are_the_same():
    """Where a model has a part of all rows in memory, and no more."""
    approx = two_kinds_of_rows()
    q, logq = approx.draw(3, 1)
    s = q[:, 1:7]
    model = approx.model
    np.testing.assert_allclose(approx.log_weights(3, 1), [model.logp_unconstrained(row) for row in q] - logq)
    d = Data()
    d.a = A
    own = [np.ravel(g.get_value()) for g in approx.params]
    sigma = np.log1p(np.exp(own[1]))
    spread = np.log1p(np.exp(s_rho(d)))
    wanted = log_normal((q[:, :1] - own[0]) / sigma, sigma).sum(1)
    wanted += 4.0 * log_normal((s - s_mu(d)) / spread, spread).sum(1)
    triangle, away = v_triangle(d), q[:, 7:].reshape(3, 4, 2) - v_mu(d)
    first = away[..., 0] / triangle[:, 0]
    second = (away[..., 1] - triangle[:, 1] * first) / triangle[:, 2]
    wanted += 10.0 * (log_normal(first, triangle[:, 0]) + log_normal(second, triangle[:, 2])).sum(1)
    np.testing.assert_allclose(logq, wanted, rtol=1e-12)


@pytest.mark.nojit  # long as plain Python
def test_predictions_are_for_rows_of_any_number_also_more_than_there_were():
    approx = fitted(local(one_factor(6), random_seed=1), 3)
    for count in (1, N, 3 * N):
        new = np.linspace(-1.0, 1.0, count)
        draws = approx.sample_node("z", 200, more_replacements={"x": new}, random_seed=1)
        assert draws.shape == (200, count)
        np.testing.assert_allclose(draws.mean(0), approx.data["a"][0] * new, atol=0.1)
        first = approx.sample_node(lambda p, d: p.z + d.x, deterministic=True, more_replacements={"x": new})
        np.testing.assert_allclose(first, (1.0 + approx.data["a"][0]) * new)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("estimator", ["stl", "plain"])
def test_the_mean_gradient_is_that_of_the_exact_bound(estimator):
    """Of x = w z + noise the bound has a closed form."""
    draws = 40_000 if JIT else 300
    model = slope_and_factor(6)
    x, mu, rho = X[:6], 0.4, -0.3
    model.set_data(x=x)
    groups = [
        nb.Group("z", params=ENCODERS_OF_A, local=True, model=model),
        nb.Group("w", params={"mu": mu, "rho": rho}, model=model),
    ]
    approx, rate = nb.Approximation(groups, model, random_seed=3), 1e-7
    approx.scale_cost_to_minibatch = False
    inference = nb.KLqp(approx, estimator=estimator)
    given = [groups[1].params_dict["mu"], groups[1].params_dict["rho"]]
    options = {"more_obj_params": ["a", *given], "progressbar": False, "obj_n_mc": draws}
    inference.fit(1, obj_optimizer=nb.sgd(learning_rate=rate), **options)
    moved = np.concatenate([approx.data["a"] - [0.5, -0.5], [given[0].get_value() - mu, given[1].get_value() - rho]])

    def bound(theta):
        m, s, b, c = theta[0] * x, np.log1p(np.exp(theta[1])), theta[2], np.log1p(np.exp(theta[3]))
        square = x**2 - 2.0 * x * b * m + (b**2 + c**2) * (m**2 + s**2)
        rows = -0.5 * square / 0.25 - np.log(0.5) - 0.5 * (m**2 + s**2) + np.log(s) + 0.5 - 0.5 * LOG_TWO_PI
        return 10.0 * rows.sum() - 0.5 * (b**2 + c**2) + np.log(c) + 0.5

    theta = np.array([0.5, -0.5, mu, rho])
    slope = np.array([(bound(theta + h) - bound(theta - h)) / 2e-5 for h in 1e-5 * np.eye(4)])
    assert -approx.hist[0] == pytest.approx(bound(theta), abs=60.0 / np.sqrt(draws))
    np.testing.assert_allclose(moved / rate, slope, rtol=4.0 / np.sqrt(draws), atol=400.0 / np.sqrt(draws))


def a_mu(d):
    return d.a[0] * d.x


def a_rho(d):
    return d.a[1] + 0.0 * d.x


ENCODERS_OF_A = {"mu": a_mu, "rho": a_rho}


@pytest.mark.nojit  # long as plain Python
def test_rows_have_noise_of_their_own_which_a_seed_tells():
    approx = local(one_factor(a=(0.0, 0.0)), random_seed=1)
    draws = approx.draw(1000, 7).positions / np.log(2.0)
    np.testing.assert_array_equal(draws[:9], approx.draw(9, 7).positions / np.log(2.0))
    assert np.abs(np.corrcoef(draws.T) - np.eye(N)).max() < 0.16
    np.testing.assert_allclose(draws.var(0), 1.0, atol=0.2)


def test_what_is_pickled_goes_on():
    approx = fitted(local(one_factor(6), random_seed=1), 5)
    kept = pickle.loads(pickle.dumps(approx))
    for each in (lambda a: a.sample(2, random_seed=1)["z"], lambda a: a.sample_node("z", 2, random_seed=1)):
        np.testing.assert_array_equal(each(kept), each(approx))
    fitted(kept, 5)
    fitted(approx, 5)
    np.testing.assert_array_equal(kept.hist, approx.hist)
    np.testing.assert_array_equal(kept.data["a"], approx.data["a"])
