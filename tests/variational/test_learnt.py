"""Entries of the data that a fit learns: their gradient, their values, and what they are told by."""

import dataclasses
import pickle

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import floats_at
from nbinfer.errors import ExplicitInferenceError, FitError, ModelError, ParametrizationError

RNG = np.random.default_rng(3)
X = RNG.normal(size=(40, 3))
Y = X @ np.array([1.0, -2.0, 0.5]) + 0.3 + 0.1 * RNG.normal(size=40)
#: Penalty of W, so that the optimum is one of ridge regression in all columns, where the intercept has one, too.
EXACT = np.linalg.solve(
    np.column_stack([X, np.ones(40)]).T @ np.column_stack([X, np.ones(40)]) / 0.01 + np.eye(4),
    np.column_stack([X, np.ones(40)]).T @ Y / 0.01,
)


def prior(p, d):
    return -0.5 * p.b**2 - 0.5 * np.sum(d.W**2)


def likelihood(p, d):
    return -0.5 * ((d.y - d.X @ d.W - p.b) / 0.1) ** 2


def model(**more):
    return nb.Model(
        {"b": nb.real()}, prior=prior, likelihood={"y": likelihood},
        data={"X": X, "y": Y, "W": np.zeros(3), "s": 1.0, "k": np.arange(2), **more}, total_size={"y": 40},
    )  # fmt: skip


FAST = nb.adam(learning_rate=0.02)


def fitted(n=1500, of=None, **options):
    options = {"obj_optimizer": FAST, "more_obj_params": ["W"], "progressbar": False} | options
    return nb.fit(n, model=of or model(), random_seed=4, **options)


@pytest.mark.nojit  # long as plain Python
def test_learnt_values_are_where_the_bound_is_largest():
    m = model()
    approx = fitted(of=m)
    np.testing.assert_allclose(approx.data["W"], EXACT[:3], atol=0.01)
    assert approx.mean[0] == pytest.approx(EXACT[3], abs=0.01)
    np.testing.assert_array_equal(m.data["W"], np.zeros(3))
    np.testing.assert_array_equal(approx.data["X"], X)
    # Draws, densities and predictions are those of the learnt values.
    other = model(W=approx.data["W"])
    q = approx.draw(3, 1).positions
    np.testing.assert_allclose(
        approx.logp(3, 1, per_draw=True), [other.logp_unconstrained(row) for row in q], rtol=1e-9
    )
    np.testing.assert_array_equal(approx.sample_node(lambda p, d: d.W), approx.data["W"])
    given = approx.sample_node(lambda p, d: d.X @ d.W, more_replacements={"X": np.eye(3)})
    np.testing.assert_allclose(given, approx.data["W"])
    assert approx.khat < 0.7
    # What is stored is stored, and another fit that names nothing leaves the values alone.
    learnt = approx.data["W"]
    kept = pickle.loads(pickle.dumps(approx))
    np.testing.assert_array_equal(kept.data["W"], learnt)
    nb.KLqp(approx).fit(5, progressbar=False)
    np.testing.assert_array_equal(approx.data["W"], learnt)


def low(p, d):
    return d.W[0] * d.W[1]


@pytest.mark.either
@pytest.mark.parametrize("total", [12, 6])
def test_the_gradient_is_that_of_the_density_bounds_and_jacobians_included(total):
    def density(p, d):
        return -((p.s - d.W[1]) ** 2)

    def term(p, d):
        return d.V[0, 1] * np.sin(d.V @ d.W) * p.x

    m = nb.Model(
        {"x": nb.real(), "s": nb.lower(low, 6)}, prior={"s": density}, likelihood={"y": term},
        data={"W": np.array([0.3, 0.7]), "V": RNG.normal(size=(4, 2))}, total_size={"s": total, "y": 8},
    )  # fmt: skip
    q = RNG.normal(size=7)
    bound = nb.Model.of(dataclasses.replace(m.definition, learnt=("V", "W"))).bind()
    value, _ = bound.value_and_grad(q)
    assert value == pytest.approx(m.logp_unconstrained(q), rel=1e-13)
    slopes = floats_at(bound.slopes(bound.chains), 10)
    for name, found in (("V", slopes[:8].reshape(4, 2)), ("W", slopes[8:])):
        start = m.data[name].copy()
        for k in np.ndindex(start.shape):
            sides = []
            for sign in (1e-6, -1e-6):
                moved = start.copy()
                moved[k] += sign
                m.set_data(**{name: moved})
                sides.append(m.logp_unconstrained(q))
            assert found[k] == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-6, abs=1e-6)
        m.set_data(**{name: start})


def batches(**more):
    return model(X=nb.Minibatch(X, 10, random_seed=1), y=nb.Minibatch(Y, 10, random_seed=1), **more)


@pytest.mark.nojit  # long as plain Python
def test_batches_refining_and_callbacks_change_no_bit():
    seen = []
    inference = nb.ADVI(model=batches(), random_seed=4)
    options = {"obj_optimizer": FAST, "more_obj_params": ["W"], "total_grad_norm_constraint": 50.0}
    inference.fit(20, progressbar=False, callbacks=[lambda a, losses, i: seen.append(a.data["W"])], **options)
    inference.refine(20, progressbar=False)
    once = nb.ADVI(model=batches(), random_seed=4).fit(40, progressbar=False, **options)
    np.testing.assert_array_equal(inference.approx.data["W"], once.data["W"])
    np.testing.assert_array_equal(inference.hist, once.hist)
    assert len(seen) == 40
    assert (np.diff(seen, axis=0) != 0.0).any(axis=1).all()
    np.testing.assert_array_equal(seen[-1], once.data["W"])
    longer = nb.ADVI(model=batches(), random_seed=4).fit(3000, progressbar=False, **options)
    np.testing.assert_allclose(longer.data["W"], EXACT[:3], atol=0.05)


@pytest.mark.nojit  # long as plain Python
def test_beside_parameters_that_were_given():
    mu, rho = nb.shared(0.0), nb.shared(-2.0)
    with model():
        approx = nb.Approximation(nb.Group(["b"], params={"mu": mu, "rho": rho}))
    nb.KLqp(approx).fit(5, progressbar=False, more_obj_params=["W"])
    assert mu.get_value() == 0.0
    assert approx.data["W"].any()
    nb.KLqp(approx).fit(5, progressbar=False, more_obj_params=["W", mu, rho])
    assert mu.get_value() != 0.0
    before = approx.data["W"]
    nb.KLqp(approx).fit(5, progressbar=False, more_obj_params=[mu])
    np.testing.assert_array_equal(approx.data["W"], before)


@pytest.mark.nojit  # long as plain Python
def test_convergence_looks_at_what_is_learnt():
    approx = fitted(n=1)
    assert [shared.name for shared in approx.params] == ["mu", "rho", "W"]
    check = nb.CheckParametersConvergence(every=1, tolerance=1e-300)
    check(approx, None, 1)
    assert len(check.before) == 5


@pytest.mark.nojit  # long as plain Python
def test_data_that_a_callback_sets_leave_learnt_values_alone():
    m = model()

    def change(approx, losses, i):
        m.set_data(X=2.0 * X, W=np.full(3, 9.0))

    approx = fitted(300, m, callbacks=[change], obj_optimizer=nb.adam(learning_rate=0.05))
    np.testing.assert_allclose(approx.data["W"], EXACT[:3] / 2.0, atol=0.1)


def test_what_is_not_finite_is_told_by_its_name():
    text = r"W\[0\] of the data is not finite after iteration 0; it is as it was before"
    with np.errstate(all="ignore"), pytest.raises(FitError, match=text):
        fitted(obj_optimizer=nb.sgd(learning_rate=1e306))

    def spoil(approx, losses, i):
        next(s for s in approx.params if s.name == "W").set_value([0.0, np.nan, 0.0])

    with pytest.raises(FitError, match=r"W\[1\] of the data is not finite: a callback has written that"):
        fitted(callbacks=[spoil])


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"more_obj_params": ["Q"]}, ValueError, "more_obj_params names 'Q', which the model lacks; there are X, y"),
        ({"more_obj_params": ["k"]}, TypeError, "more_obj_params names 'k', which holds integers"),
        ({"more_obj_params": ["s"]}, ParametrizationError, r"'s', which is a number.*make it an array of one element"),
        ({"more_obj_params": "W"}, TypeError, "more_obj_params must be a list of names and of nb.shared values"),
        ({"more_replacements": {"W": np.ones(3)}}, ParametrizationError, "'W' is to be learnt, and more_replacements"),
        ({"convergence": "raabbvi", "obj_optimizer": None}, ExplicitInferenceError, "not how far entries of the data"),
        ({"method": "dadvi", "obj_optimizer": None}, TypeError, "takes no obj_optimizer"),
        ({"method": "svgd"}, ParametrizationError, "'W', and KSD learns no entries of the data; nb.ADVI and"),
        ({"of": model(W=np.array([1.0, np.inf, 0.0]))}, ParametrizationError, "'W' is to be learnt, and begins with"),
        ({"of": batches(), "more_obj_params": ["X"]}, ModelError, "more_obj_params names 'X', which is a Minibatch"),
    ],
)
def test_entries_that_cannot_be_learnt(options, error, text):
    with pytest.raises(error, match=text):
        fitted(3, **options)


@pytest.mark.parametrize("method", [nb.DADVI, nb.BaM])
def test_methods_without_gradient_of_the_data_say_so(method):
    with pytest.raises(ParametrizationError, match="learns no entries of the data"):
        method(model=model()).fit(3, progressbar=False, more_obj_params=["W"])


def middle(p, d):
    return -0.5 * np.sum((np.median(d.W) - p.b) ** 2)


def test_a_density_without_a_derivative_says_so_before_anything_is_compiled():
    m = nb.Model({"b": nb.real()}, prior=prior, likelihood={"y": middle}, data={"X": X, "y": Y, "W": np.zeros(3)})
    approx = nb.MeanField(model=m)
    with pytest.raises(ParametrizationError, match="more_obj_params names W, and the model has no derivative by it"):
        nb.KLqp(approx).fit(3, more_obj_params=["W"], progressbar=False)
    assert [shared.name for shared in approx.params] == ["mu", "rho"]


@pytest.mark.nojit  # long as plain Python
@pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
def test_an_entry_that_the_density_does_not_read_is_told():
    def logp(p, d):
        return -0.5 * np.sum((p.x - d.a) ** 2)

    m = nb.Model({"x": nb.real(2)}, logp=logp, data={"a": np.ones(2), "idle": np.ones(3)})
    options = {"model": m, "more_obj_params": ["a", "idle"], "progressbar": False, "random_seed": 1}
    with pytest.warns(nb.errors.NbinferWarning, match="names 'idle', and no iteration has moved it") as told:
        approx = nb.fit(5, **options)
    assert not any("'a'" in str(warning.message) for warning in told)
    assert (approx.data["idle"] == 1.0).all()
    assert (approx.data["a"] != 1.0).any()
