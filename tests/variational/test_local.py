"""Local groups: encoders give the parameters of each batch, and three terms count as often as total_size says."""

import pickle

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.errors import LocalGroupError
from tests.variational.local_models import (
    ENCODERS,
    EVIDENCE,
    FAST,
    LOG_TWO_PI,
    N,
    X,
    fitted,
    local,
    one_factor,
    slope_and_factor,
    z_prior,
)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("batch", [None, 6])
def test_the_exact_encoder_is_found(batch):
    approx = fitted(local(one_factor(batch), random_seed=1), 1500)
    slope, rho = approx.data["a"]
    assert slope == pytest.approx(0.8, abs=1e-6)
    assert np.log1p(np.exp(rho)) == pytest.approx(0.4472135955, abs=1e-6)
    assert approx.elbo(3, 1) == pytest.approx(EVIDENCE, abs=1e-6)
    # Outside of fits there is a row for each row of all data, or of those that are given.
    assert (approx.ndim, approx.mean.shape, approx.mean_data["z"].shape) == (N, (N,), (N,))
    np.testing.assert_allclose(approx.mean, 0.8 * X, rtol=1e-5)
    assert approx.sample(4)["z"].shape == (1, 4, N)
    assert approx.sample_node("z", size=3, more_replacements={"x": np.ones(5)}).shape == (3, 5)
    np.testing.assert_allclose(approx.sample_node("z", deterministic=True), 0.8 * X, rtol=1e-5)
    assert (approx.has_local, approx.has_global, approx.has_batched) == (True, False, True)
    assert approx.collect("short_name", "local") == ["mean_field"]
    assert approx.collect("short_name", "global") == []
    assert "mean_field of z" in repr(approx)
    kept = pickle.loads(pickle.dumps(approx))
    np.testing.assert_array_equal(kept.sample_node("z", deterministic=True), approx.mean)


@pytest.mark.nojit  # long as plain Python
def test_fits_are_the_same_bit_for_bit_and_refined():
    inference = nb.KLqp(local(one_factor(6), random_seed=1))
    options = {"obj_optimizer": FAST, "more_obj_params": ["a"], "progressbar": False, "obj_n_mc": 2}
    seen = []
    inference.fit(15, callbacks=[lambda approx, losses, i: seen.append(approx.sample_node("z"))], **options)
    inference.refine(15, progressbar=False)
    once = nb.KLqp(local(one_factor(6), random_seed=1)).fit(30, **options)
    np.testing.assert_array_equal(inference.approx.data["a"], once.data["a"])
    np.testing.assert_array_equal(inference.hist, once.hist)
    assert len(seen) == 30
    assert seen[0].shape == (N,)


# ---- beside parameters that all rows share


class Late:
    """Means of parameters over the second half of a fit."""

    every = 50

    def __init__(self, after):
        self.after, self.kept = after, []

    def __call__(self, approx, losses, i):
        if i > self.after:
            self.kept.append(np.concatenate([np.ravel(shared.get_value()) for shared in approx.params]))

    @property
    def mean(self):
        return np.mean(self.kept, axis=0)


@pytest.mark.skipif(not JIT, reason="takes minutes in plain Python")
def test_a_local_group_beside_a_delayed_one():
    m, late = slope_and_factor(6), Late(10_000)
    with m:
        approx = nb.Approximation(
            [nb.Group(["z"], params=ENCODERS, local=True), nb.Group(None, "mean_field", start={"w": 0.7})],
            random_seed=1,
        )
    fitted(approx, 20_000, callbacks=[late], obj_optimizer=nb.adam(learning_rate=0.003))
    mu, rho, slope, spread = late.mean
    found = [mu, np.log1p(np.exp(rho)), slope, np.log1p(np.exp(spread))]
    np.testing.assert_allclose(found, [0.77149534, 0.06463089, 0.90830174, 0.54252334], rtol=0.03)
    assert approx.elbo(4000, 1) == pytest.approx(-83.20237683, abs=0.15)
    assert approx.collect("ddim", "global") == [1]
    # The last losses are those of all data, whatever the batch.
    assert approx.hist[-2000:].mean() == pytest.approx(83.20, rel=0.03)


@pytest.mark.either
def test_the_largest_factor_divides_the_gradient():
    approx = local(one_factor(6, total_size={"z": 120, "x": 60}))
    assert approx.symbolic_normalizing_constant == 20.0
    approx.scale_cost_to_minibatch = False
    assert approx.symbolic_normalizing_constant == 1.0


def test_local_rv_of_fits():
    m = slope_and_factor(6)
    options = {"obj_optimizer": FAST, "more_obj_params": ["a"], "progressbar": False}
    approx = nb.fit(20, local_rv={"z": ENCODERS}, model=m, random_seed=1, **options)
    assert [group.is_local for group in approx.groups] == [False, True]
    assert approx.mean.shape == (N + 1,)
    assert approx.ddim == 2
    first = nb.ADVI(local_rv={"z": ENCODERS}, model=m, random_seed=1).fit(20, **options)
    np.testing.assert_array_equal(approx.data["a"], first.data["a"])
    alone = nb.ADVI(local_rv={"z": ENCODERS}, model=one_factor(6), random_seed=1)
    assert [group.is_local for group in alone.approx.groups] == [True]
    turn = nb.fit(20, {"z": ENCODERS}, "advi->fullrank_advi", m, random_seed=1, **options)
    assert [group.short_name for group in turn.groups] == ["full_rank", "mean_field"]
    assert turn.data["a"][0] != 0.5


@pytest.mark.slow if JIT else lambda test: test
def test_data_that_a_callback_sets_may_have_other_rows():
    m = one_factor(total_size=None)
    approx, seen = local(m, random_seed=1), []

    def change(approx, losses, i):
        m.set_data(x=np.append(X, 0.0)[: {1: 20, 2: 60, 3: 61}.get(i, 60)])
        seen.append(len(approx.data["x"]))

    inference = nb.KLqp(approx)
    with pytest.raises(LocalGroupError, match="z has 60 rows in the model, and the data of the moment have 61"):
        inference.fit(5, callbacks=[change], obj_optimizer=FAST, more_obj_params=["a"], progressbar=False)
    assert seen == [20, 60]
    with pytest.raises(LocalGroupError, match="the data of the moment have"):
        inference.refine(3, progressbar=False)
    m.set_data(x=X)
    inference.fit(3, obj_optimizer=FAST, more_obj_params=["a"], progressbar=False)
    assert len(approx.hist) == 6


def v_prior(p, d):
    return -0.5 * p.v**2


def to_v(d):
    return d.a[2] * d.u


@pytest.mark.slow if JIT else lambda test: test
def test_two_local_groups_with_rows_of_their_own():
    data = {"x": X[:6], "u": np.arange(3.0), "a": np.array([0.1, -1.0, 0.3])}
    m = nb.Model(
        {"v": nb.real(3), "z": nb.real(6)}, prior={"z": z_prior, "v": v_prior},
        likelihood={"x": lambda p, d: -0.5 * (d.x - p.z - p.v.sum()) ** 2}, data=data, total_size={"v": 9},
    )  # fmt: skip
    groups = [nb.Group("z", params=ENCODERS, local=True, model=m)]
    groups.append(nb.Group("v", params={"mu": to_v, "rho": to_v}, local=True, model=m))
    approx = fitted(nb.Approximation(groups, m, random_seed=1), 5)
    assert approx.data["a"][2] != 0.3
    assert approx.mean.shape == (9,)
    np.testing.assert_allclose(approx.mean[:3], approx.data["a"][2] * data["u"])


# ---- probabilistic principal components


ROWS, WIDTH, FACTORS, SUBSET = 800, 6, 2, 40
_RNG = np.random.default_rng(7)
LOADINGS = _RNG.normal(size=(WIDTH, FACTORS)) * np.array([1.5, 0.8])
SEEN = _RNG.normal(size=(ROWS, FACTORS)) @ LOADINGS.T + 0.4 * _RNG.normal(size=(ROWS, WIDTH))


def factors_prior(p, d):
    return -0.5 * np.sum(p.z**2) - 0.5 * p.z.size * LOG_TWO_PI


def decoded(p, d):
    e = d.x - p.z @ d.W.T
    return -0.5 * np.sum(e**2) * np.exp(-2.0 * d.t[0]) - e.size * (d.t[0] + 0.5 * LOG_TWO_PI)


def encoded_mu(d):
    return d.x @ d.V


def encoded_rho(d):
    return d.r + np.zeros((d.x.shape[0], 2))


def encoded_triangle(d):
    return d.T + np.zeros((d.x.shape[0], 3))


def factor_model():
    rng = np.random.default_rng(1)
    data = {"x": nb.Minibatch(SEEN, SUBSET, random_seed=2), "W": 0.3 * rng.normal(size=(WIDTH, FACTORS))}
    data |= {"V": 0.3 * rng.normal(size=(WIDTH, FACTORS)), "r": np.zeros(2), "t": np.zeros(1)}
    return nb.Model(
        {"z": nb.real((SUBSET, FACTORS))}, prior={"z": factors_prior}, likelihood={"x": decoded},
        data=data | {"T": np.array([1.0, 0.0, 1.0])}, total_size={"z": ROWS, "x": ROWS},
    )  # fmt: skip


def exact_evidence():
    """Return the evidence at the loadings and the noise of largest likelihood (Tipping and Bishop 1999)."""
    scatter = SEEN.T @ SEEN / ROWS
    values, vectors = np.linalg.eigh(scatter)
    noise = values[:-FACTORS].mean()
    loadings = vectors[:, -FACTORS:] * np.sqrt(values[-FACTORS:] - noise)
    cov = loadings @ loadings.T + noise * np.eye(WIDTH)
    return -0.5 * ROWS * (WIDTH * LOG_TWO_PI + np.linalg.slogdet(cov)[1] + np.trace(np.linalg.solve(cov, scatter)))


def angle(a, b):
    """Return the largest angle between the spaces that columns span, in degrees."""
    (first, _), (second, _) = np.linalg.qr(a), np.linalg.qr(b)
    return np.degrees(np.arccos(np.linalg.svd(first.T @ second)[1].min()))


#: Compiled, one form will do; the others are asked for with -m slow.
OTHERS = [pytest.mark.slow] if JIT else []
FORMS = {
    "mean field": ({"mu": encoded_mu, "rho": encoded_rho}, "r"),
    "full rank": ({"mu": encoded_mu, "L_tril": encoded_triangle}, "T"),
    "flows": ({0: {"rho": encoded_rho}, 1: {"loc": encoded_mu}}, "r"),
}


@pytest.mark.slow
@pytest.mark.skipif(not JIT, reason="takes minutes in plain Python")
@pytest.mark.parametrize("form", ["mean field", *(pytest.param(form, marks=OTHERS) for form in ("full rank", "flows"))])
def test_an_encoder_and_a_decoder_find_loadings_and_evidence(form):
    encoders, spread = FORMS[form]
    approx = local(factor_model(), encoders, random_seed=1)
    inference = nb.KLqp(approx)
    options = {"more_obj_params": ["W", "V", spread, "t"], "progressbar": False}
    inference.fit(3000, obj_optimizer=nb.adam(learning_rate=0.02), **options)
    inference.fit(3000, obj_optimizer=nb.adam(learning_rate=0.005), **options)
    assert angle(approx.data["W"], LOADINGS) < 5.0
    assert np.exp(approx.data["t"][0]) == pytest.approx(0.4, rel=0.05)
    found, wanted = approx.elbo(200, 1), exact_evidence()
    assert wanted - 0.01 * abs(wanted) < found < wanted + 1.0
    # Predictions are for whatever rows there are.
    new = SEEN[:7]
    seen = approx.sample_node(lambda p, d: p.z @ d.W.T, 200, more_replacements={"x": new}, random_seed=1)
    assert seen.shape == (200, 7, WIDTH)
    assert np.abs(seen.mean(axis=0) - new).mean() < 0.5


@pytest.mark.parametrize("form", [pytest.param(form, marks=OTHERS) for form in FORMS])
def test_families_that_have_rows_may_be_local(form):
    encoders, spread = FORMS[form]
    approx = local(factor_model(), encoders, random_seed=1)
    fitted(approx, 3, more_obj_params=["W", "V", spread])
    assert approx.data["V"].any()
    draws = approx.sample_node("z", 5, random_seed=1)
    assert draws.shape == (5, ROWS, FACTORS)
