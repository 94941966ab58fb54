"""Densities of every kind can be fitted: of one piece, flat, from C, in Python; and those that stand for more data."""

import ctypes

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import FitError, ModelError, PerformanceWarning
from tests.variational.targets import FIVE, conjugate

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")

CENTRE = np.array([1.0, -2.0])


def with_gradient(x, grad, data):
    grad[:] = data - x
    return -0.5 * np.sum((data - x) ** 2)


def value_alone(x, data):
    return -0.5 * np.sum((data - x) ** 2)


def named(p, d):
    return -0.5 * np.sum((d.centre - p.x) ** 2)


def models():
    return {
        "named": nb.Model({"x": nb.real(2)}, logp=named, data={"centre": CENTRE}),
        "flat": nb.Model.flat(with_gradient, dim=2, data=CENTRE),
        "flat, derived": nb.Model.flat(value_alone, dim=2, data=CENTRE),
        "python": nb.Model.flat(with_gradient, dim=2, data=CENTRE, compile=False),
        "python, differences": nb.Model.flat(value_alone, dim=2, data=CENTRE, compile=False),
    }


@pytest.mark.nojit  # long as plain Python
@pytest.mark.filterwarnings("ignore::nbinfer.errors.PerformanceWarning")
@pytest.mark.parametrize("kind", ["flat", "flat, derived", "python", "python, differences"])
@pytest.mark.parametrize("method", ["advi", "fullrank_advi"])
def test_a_density_of_any_kind_is_fitted_alike(kind, method):
    fits = [nb.fit(25, method=method, model=models()[k], random_seed=1, progressbar=False) for k in ("named", kind)]
    np.testing.assert_allclose(fits[1].hist, fits[0].hist, rtol=1e-6)
    np.testing.assert_allclose(fits[1].mean, fits[0].mean, rtol=1e-5, atol=1e-8)
    assert fits[1].sample(4)["x"].shape == (1, 4, 2)
    assert fits[1].khat == pytest.approx(fits[0].khat, abs=1e-3)
    with pytest.raises(ModelError, match=r"beta = 2 weighs prior and likelihood apart, .* is one piece"):
        nb.fit(1, model=models()[kind], inf_kwargs={"beta": 2.0})


def in_c(n, q, grad, context):
    """Stands for a routine that fills the gradient if it gets memory for one."""
    x = np.ctypeslib.as_array(ctypes.cast(q, ctypes.POINTER(ctypes.c_double)), (n,))
    if grad:
        np.ctypeslib.as_array(ctypes.cast(grad, ctypes.POINTER(ctypes.c_double)), (n,))[:] = 1.0 - x
    return -0.5 * float(np.sum((x - 1.0) ** 2))


@pytest.mark.nojit
def test_a_c_function_is_fitted():
    types = [ctypes.c_int64, *[ctypes.c_void_p] * 3]
    pointer = ctypes.CFUNCTYPE(ctypes.c_double, *types)(in_c)
    approx = nb.fit(
        3000,
        model=nb.Model.flat(pointer, dim=3),
        random_seed=1,
        progressbar=False,
        obj_optimizer=nb.adam(learning_rate=0.01),
    )
    np.testing.assert_allclose(approx.mean, 1.0, atol=0.05)
    np.testing.assert_allclose(approx.std, 1.0, atol=0.05)


@pytest.mark.nojit  # long as plain Python
def test_differences_are_announced():
    with pytest.warns(PerformanceWarning, match="differentiated by central differences"):
        nb.fit(2, model=models()["python, differences"], progressbar=False)


@pytest.mark.nojit  # long as plain Python
def test_a_sample_of_the_data_stands_for_all():
    """Losses are on the scale of all: five observations that count as fifty are ten times each."""
    one = conjugate(FIVE)
    scaled = nb.Model({"mu": nb.real()}, prior=one.prior, likelihood=dict(one.likelihood), data=one.data,
                      total_size={"y": 50})  # fmt: skip

    def fit(model, n, **options):
        inference = nb.ADVI(model=model, random_seed=1, **options)
        inference.approx.scale_cost_to_minibatch = False  # gradients, too, as large as those of all
        return inference.fit(n, progressbar=False)

    fits = [fit(m, 30) for m in (scaled, conjugate(np.tile(FIVE, 10)))]
    np.testing.assert_allclose(fits[0].hist, fits[1].hist, rtol=1e-10)
    twice = [fit(m, 5, beta=2.0) for m in (scaled, conjugate(np.tile(FIVE, 10)))]
    np.testing.assert_allclose(twice[0].hist, twice[1].hist, rtol=1e-10)
    assert fits[0].datalogp(5, 1) == pytest.approx(fits[1].datalogp(5, 1))


@pytest.mark.nojit  # long as plain Python
def test_bounds_that_are_functions():
    model = nb.Model({"a": nb.positive(), "b": nb.lower(lambda p, d: p.a)}, logp=lambda p, d: -p.a - 2.0 * p.b)
    trace = nb.fit(50, model=model, random_seed=1, progressbar=False).sample(20)
    assert (trace["b"] > trace["a"]).all()


@pytest.mark.nojit  # long as plain Python
def test_transforms_that_change_the_size():
    def logp(p, d):
        return np.sum(np.log(p.w)) + np.sum(np.log(np.diag(p.c))) + np.sum(np.log(p.m))

    model = nb.Model({"w": nb.simplex(3), "c": nb.cholesky_corr(3), "m": nb.simplex(2, shape=(3,))}, logp=logp)
    approx = nb.fit(30, model=model, random_seed=1, progressbar=False)
    trace = approx.sample(6)
    np.testing.assert_allclose(trace["w"].sum(axis=-1), 1.0)
    np.testing.assert_allclose(trace["m"].sum(axis=-1), 1.0)
    assert trace["w_unconstrained__"].shape == (1, 6, 2)
    assert np.asarray(approx.mean_data["w"]).shape == (2,)
    assert approx.ndim == 2 + 3 + 3


def nowhere(p, d):
    return -np.inf if p.x < 1.0 else -p.x


def wrong(p, d, grad):
    grad.x[()] += p.x
    return -0.5 * p.x**2


@pytest.mark.nojit  # long as plain Python
def test_a_bad_start_is_told_before_anything_runs():
    model = nb.Model({"x": nb.real()}, logp=nowhere)
    with pytest.raises(FitError, match=r"the density is not finite where the means begin, at x = 0. \(logp is -inf\)"):
        nb.fit(10, model=model)
    nb.fit(10, model=model, start={"x": 3.0}, progressbar=False)
    with pytest.raises(ModelError, match="logp_grad of the model is wrong for x"):
        nb.fit(10, model=nb.Model({"x": nb.real()}, logp_grad=wrong), start={"x": 1.0})
