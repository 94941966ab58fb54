"""Operators and objectives: KL by single steps, and an operator of a user's own with a test function to be learnt."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import ExplicitInferenceError, NbinferWarning, ParametrizationError
from nbinfer.variational import pulling
from nbinfer.variational.functions import TestFunction
from tests.variational.targets import FIVE, conjugate, regression, several

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


def advi(model=None, **options):
    return nb.ADVI(model=model or several(), random_seed=1, **options)


# ---- KL by steps


@pytest.mark.nojit  # long as plain Python
def test_a_step_function_is_a_fit_by_single_steps():
    whole = advi().fit(8, obj_n_mc=3, obj_optimizer=nb.adam, progressbar=False)
    approx = nb.MeanField(model=several(), random_seed=1)
    step = nb.KL(approx)().step_function(score=True, obj_n_mc=3, obj_optimizer=nb.adam)
    losses = [step() for _ in range(8)]
    np.testing.assert_array_equal(losses, whole.hist)
    np.testing.assert_array_equal(approx.mean, whole.mean)
    silent = nb.KL(nb.MeanField(model=several(), random_seed=1))().step_function()
    assert silent() is None


def test_updates_are_a_mapping_that_makes_steps():
    approx = nb.MeanField(model=several(), random_seed=1)
    objective = nb.KL(approx)()
    updates = objective.updates(obj_optimizer=nb.adam(learning_rate=0.1))
    assert list(updates) == objective.obj_params == approx.params
    assert all(rule.learning_rate == 0.1 for rule in updates.values())
    updates()
    assert updates.loss == approx.hist[0]
    assert objective.test_params == []
    assert objective.approx is approx


@pytest.mark.nojit  # long as plain Python
def test_a_score_is_a_loss_at_new_draws():
    approx = nb.MeanField(model=conjugate(FIVE), random_seed=1)
    score = nb.KL(approx)().score_function(sc_n_mc=2000)
    first, second = score(), score()
    assert first != second
    assert first == pytest.approx(-approx.elbo(20_000), abs=0.2)
    beta = nb.KL(approx, beta=3.0)().score_function(sc_n_mc=500)()
    options = {"draws": 5000, "random_seed": 2}
    expected = approx.datalogp(**options) + 3.0 * (approx.varlogp(**options) - approx.logq(**options))
    assert beta == pytest.approx(-expected, abs=0.3)


@pytest.mark.nojit  # long as plain Python
def test_other_data_may_take_the_place_of_the_models():
    model, other = conjugate(FIVE), np.array(FIVE) + 10.0
    replaced = advi(model).fit(5, more_replacements={"y": other}, progressbar=False)
    model.set_data(y=other)
    np.testing.assert_array_equal(replaced.hist, advi(model).fit(5, progressbar=False).hist)
    approx = nb.MeanField(model=conjugate(FIVE), random_seed=1)
    far = nb.KL(approx)().score_function(100, more_replacements={"y": other})()
    assert far > nb.KL(approx)().score_function(100)() + 100.0
    with pytest.raises(ValueError, match="more_replacements names 'Z', which is no data of the model; there are y"):
        advi(conjugate(FIVE)).fit(1, more_replacements={"Z": other})


@pytest.mark.nojit  # long as plain Python
def test_more_updates_follow_each_step():
    counter, copy = nb.shared(0.0), nb.shared(np.zeros(1))
    inference = advi(conjugate(FIVE))
    mu = inference.approx.params[0]
    fixed = nb.shared(np.zeros(2))
    more = {counter: lambda: counter.get_value() + 1.0, copy: mu.get_value, fixed: [1.0, 2.0]}
    inference.fit(4, more_updates=more, progressbar=False)
    assert counter.get_value() == 4.0
    np.testing.assert_array_equal(fixed.get_value(), [1.0, 2.0])
    np.testing.assert_array_equal(copy.get_value(), mu.get_value())
    np.testing.assert_array_equal(inference.hist, advi(conjugate(FIVE)).fit(4, progressbar=False).hist)
    with pytest.raises(TypeError, match=r"a key of more_updates must be made by nb.shared"):
        inference.fit(1, more_updates={"a": 1})


@pytest.mark.nojit  # long as plain Python
def test_gradients_may_be_bounded():
    """With plain gradient descent, a step is then no longer than the learning rate times the bound."""
    inference = advi(conjugate([1000.0] * 5))
    before = np.concatenate([shared.get_value() for shared in inference.approx.params])
    inference.fit(1, obj_optimizer=nb.sgd(learning_rate=0.01), total_grad_norm_constraint=2.0, progressbar=False)
    after = np.concatenate([shared.get_value() for shared in inference.approx.params])
    assert np.linalg.norm(after - before) == pytest.approx(0.02, rel=1e-6)
    with pytest.raises(ValueError, match="total_grad_norm_constraint must be positive"):
        inference.fit(1, total_grad_norm_constraint=0.0)


@pytest.mark.nojit  # long as plain Python
def test_options_of_a_fit_are_checked():
    for bad, message in (
        (dict(obj_n_mc=0), "obj_n_mc must be an int from 1"),
        (dict(fn_kwargs={"mode": 1}), "fn_kwargs names 'mode'"),
        (dict(n=-1), "n must be an int from 0"),
    ):
        with pytest.raises(ValueError, match=message):
            advi().fit(**({"n": 1} | bad))
    with pytest.raises(TypeError, match="obj_optimizer must be an optimiser such as"):
        advi().fit(1, obj_optimizer=0.1)
    a = nb.shared(1.0)
    with pytest.raises(TypeError, match="obj_optimizer must be an optimiser such as"):
        advi().fit(1, obj_optimizer=nb.adam(lambda a: a * a, [a]))
    assert a.get_value() == 1.0
    with pytest.raises(TypeError, match=r"fit\(\) has no option 'learning_rate'; it is the optimiser's"):
        advi().fit(1, learning_rate=0.1)
    for option in ("n_particles", "noisy", "annealing"):
        with pytest.raises(
            TypeError, match=rf"no option '{option}'; it is one of particles, .* inf_kwargs={{'{option}'"
        ):
            advi().fit(1, **{option: 1})
    with pytest.raises(ValueError, match="unknown estimator 'score'; choose 'stl', 'plain'"):
        advi(estimator="score")
    with pytest.warns(NbinferWarning, match="of no use without a test function"):
        advi().fit(1, tf_n_mc=3, progressbar=False)


@pytest.mark.nojit  # long as plain Python
def test_profiles():
    profile = advi().run_profiling(50, fn_kwargs={"profile": True})
    assert profile["iterations"] == 50
    assert profile["total"] >= profile["iteration"] > 0.0
    assert profile["gradient"] > 0.0
    ends = nb.DADVI(model=conjugate(FIVE), random_seed=1).run_profiling(5000)  # by itself, after a few iterations
    assert 1 <= ends["iterations"] < 100
    assert ends["iteration"] == ends["total"] / ends["iterations"]


@pytest.mark.nojit  # long as plain Python
def test_an_approximation_has_one_fit_at_a_time():
    first = advi()
    first.fit(2, progressbar=False)
    nb.KLqp(first.approx).fit(2, progressbar=False)
    with pytest.raises(nb.errors.VariationalInferenceError, match="another fit has taken over"):
        first.refine(2)
    step = nb.KL(first.approx)().step_function()
    step()
    nb.KLqp(first.approx).fit(2, progressbar=False)
    with pytest.raises(nb.errors.VariationalInferenceError, match="another fit has taken over"):
        step()


# ---- an operator of one's own


class Stein(nb.Operator):
    """The Langevin-Stein operator of a Gaussian, less half the square of the test function.

    Its largest value over all functions is half the Fisher divergence of q from p.
    """

    has_test_function = True
    require_logq = False

    def __init__(self, approx, mean, precision):
        super().__init__(approx)
        self.mean, self.precision = np.asarray(mean), np.asarray(precision)

    def apply(self, f, z):
        n, score, value = len(z), -(z - self.mean) @ self.precision, f(z)
        A = f.matrix.get_value()
        expectation = np.sum(score * value) / n + np.trace(A) - 0.5 * np.sum(value**2) / n
        to_draws = (-value @ self.precision + (score - value) @ A) / n
        to_matrix = (score - value).T @ z / n + np.eye(z.shape[1])
        return expectation, to_draws, [to_matrix, (score - value).mean(axis=0)]


class Linear(TestFunction):
    """A linear function whose coefficients are to be learnt."""

    def __init__(self):
        self.matrix, self.offset, self.seen = None, None, None

    def setup(self, approx):
        self.matrix, self.offset = nb.shared(np.zeros((approx.ndim, approx.ndim))), nb.shared(np.zeros(approx.ndim))
        self.params = [self.matrix, self.offset]

    def __call__(self, z):
        return z @ self.matrix.get_value().T + self.offset.get_value()


def flat(p, d):
    return -0.5 * np.sum(p.x**2)


def stein(n, n_mc, **options):
    approx = nb.MeanField(model=nb.Model({"x": nb.real(2)}, logp=flat), random_seed=1, start_sigma=1.0)
    inference = nb.Inference(Stein, approx, Linear(), mean=[1.0, -2.0], precision=np.diag([4.0, 1.0]))
    optimizers = dict(
        obj_optimizer=nb.adam(learning_rate=lambda i: 0.01 / (1.0 + i / 2000)),
        test_optimizer=nb.adam(learning_rate=0.05),
    )
    inference.fit(n, obj_n_mc=n_mc, tf_n_mc=n_mc, progressbar=False, **optimizers, **options)
    return inference


@pytest.mark.nojit
def test_a_user_operator_finds_the_target():
    approx = stein(8000, 50).approx
    np.testing.assert_allclose(approx.mean, [1.0, -2.0], atol=0.1)
    np.testing.assert_allclose(approx.std, [0.5, 1.0], rtol=0.1)


@pytest.mark.nojit  # long as plain Python
def test_a_user_operator_steps_as_it_says():
    inference = stein(1, 4)
    objective = inference.objective
    assert [p.shape for p in objective.test_params] == [(2, 2), (2,)]
    assert len(inference.hist) == 1
    assert np.isfinite(inference.hist).all()
    assert np.abs(objective.test_params[0].get_value()).max() == pytest.approx(
        0.05, rel=1e-3
    )  # upwards, by Adam's rate
    inference.refine(3, progressbar=False)
    np.testing.assert_array_equal(inference.hist, stein(4, 4).hist)
    assert np.isfinite(objective.score_function(10)())
    assert inference.approx.report.estimator == "none"


def test_gradients_of_the_test_function_are_bounded_too():
    steps = dict(test_optimizer=nb.sgd(learning_rate=1.0), total_grad_norm_constraint=0.25)
    approx = nb.MeanField(model=nb.Model({"x": nb.real(2)}, logp=flat), random_seed=1, start_sigma=1.0)
    inference = nb.Inference(Stein, approx, Linear(), mean=[1.0, -2.0], precision=np.diag([4.0, 1.0]))
    inference.fit(1, tf_n_mc=4, progressbar=False, **steps)
    moved = np.concatenate([p.get_value().ravel() for p in inference.objective.test_params])
    assert np.linalg.norm(moved) == pytest.approx(0.25, rel=1e-6)


@pytest.mark.nojit  # long as plain Python
def test_gradients_of_a_user_operator_are_those_of_its_value():
    """Through draws and pull-backs, by differences at the same noise."""
    inference = stein(3, 5)
    op, tf = inference.objective.op, inference.objective.tf
    fitting = inference.approx.fitting()
    z = pulling.draw(fitting, 9, 5)
    pulling.pull(fitting, 9, op.apply(tf, z)[1])
    found = fitting.fit.gradient.copy()
    expected = []
    for shared in inference.approx.params:
        x = shared.get_value(borrow=True)
        for i in range(x.size):
            old, sides = x[i], []
            for step in (1e-6, -1e-6):
                x[i] = old + step
                sides.append(op.apply(tf, pulling.draw(fitting, 9, 5))[0])
            x[i] = old
            expected.append((sides[0] - sides[1]) / 2e-6)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


class Squared(Stein):
    """The square of the expectation counts."""

    @staticmethod
    def T(x):
        return x * x


def test_the_distance_counts_in_gradients():
    approx = nb.MeanField(model=nb.Model({"x": nb.real(2)}, logp=flat), random_seed=1, start_sigma=1.0)
    plain, squared = (kind(approx, [1.0, -2.0], np.eye(2)) for kind in (Stein, Squared))
    assert plain.slope(3.0) == 1.0
    assert squared.slope(3.0) == 6.0
    tf = Linear()
    objective = squared(tf)
    tf.matrix.set_value([[0.3, 0.1], [0.0, -0.2]])
    updates = objective.updates(obj_n_mc=4, obj_optimizer=nb.sgd(learning_rate=1e-300))
    z = pulling.draw(updates.fitting, 0, 4)
    value, to_draws, _ = plain.apply(tf, z)
    updates()
    assert updates.loss == pytest.approx(value**2)
    found = updates.fitting.fit.gradient.copy()
    pulling.pull(updates.fitting, 0, 2.0 * value * to_draws)
    np.testing.assert_allclose(found, updates.fitting.fit.gradient, rtol=1e-12)


class Losing(Stein):
    """Has no loss."""

    returns_loss = False


@pytest.mark.nojit  # long as plain Python
def test_operators_say_what_they_need():
    approx = nb.MeanField(model=nb.Model({"x": nb.real(2)}, logp=flat), random_seed=1)
    settings = dict(mean=[0.0, 0.0], precision=np.eye(2))
    with pytest.raises(ParametrizationError, match="Stein is applied to a test function, got none"):
        Stein(approx, **settings)()
    with pytest.raises(ParametrizationError, match="a test function is made of a function, got int"):
        Stein(approx, **settings)(3)
    with pytest.warns(NbinferWarning, match="KL needs no test function; it is not used"):
        assert nb.KL(approx)(lambda z: z).tf is None
    with pytest.raises(NotImplementedError, match="Losing has no loss to return"):
        Losing(approx, **settings)(Linear()).step_function(score=True)
    with pytest.raises(NotImplementedError, match="Losing has no loss to return"):
        Losing(approx, **settings)(Linear()).score_function()
    with pytest.warns(NbinferWarning, match="Losing has no loss to keep"):
        nb.Inference(Losing, approx, Linear(), **settings).fit(1, score=True, progressbar=False)
    empirical = nb.Empirical(size=3, model=approx.model)
    with pytest.raises(ExplicitInferenceError, match="KL needs the density"):
        nb.KL(empirical)
    assert Stein(empirical, **settings).supports_aevb is False
    assert nb.KL(approx).supports_aevb


def test_what_an_operator_passes_on():
    approx = nb.MeanField(model=conjugate(FIVE), random_seed=1)
    op = nb.KL(approx)
    assert op.model is approx.model
    for name in ("logp", "varlogp", "datalogp", "logq"):
        assert getattr(op, name)(5, 1) == getattr(approx, name)(5, 1)
    assert op.T(2.0) == 2.0


def test_a_function_becomes_a_test_function():
    made = TestFunction.from_function(lambda z: 2.0 * z)
    np.testing.assert_array_equal(made(np.ones((2, 1))), 2.0)
    assert made.params == []


def test_inference_checks_what_it_gets():
    with pytest.raises(TypeError, match="op must be a subclass of Operator"):
        nb.Inference("KL", nb.MeanField(model=several()))
    with pytest.raises(TypeError, match="approx must be an Approximation or its class, got int"):
        nb.Inference(nb.KL, 3)
    with several():
        assert isinstance(nb.Inference(nb.KL, nb.FullRank).approx, nb.FullRank)
        assert isinstance(nb.KLqp(nb.MeanField, beta=1.0).approx, nb.MeanField)
    with pytest.raises(TypeError, match="no model given"):
        nb.KLqp(nb.MeanField)


@pytest.mark.nojit  # long as plain Python
def test_a_regression_of_the_documents():
    with regression():
        approx = nb.fit(20, method="fullrank_advi", random_seed=1, progressbar=False)
        assert approx.sample(10)["w"].shape == (1, 10, 2)
