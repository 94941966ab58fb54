"""A gradient that was written by hand is compared with differences before anything uses it."""

import ctypes

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.engine.gradients import gradient_warnings
from nbinfer.errors import ModelError, NbinferWarning

CENTRE = 1.0


def logp(p, d):
    return -0.5 * p.a**2 - 0.5 * np.sum((p.b - CENTRE) ** 2)


def wrong(p, d, grad):
    grad.a[()] -= p.a
    grad.b[0] -= p.b[0] - CENTRE
    grad.b[1] += p.b[1] - CENTRE


def both_wrong(p, d, grad):
    wrong(p, d, grad)
    return logp(p, d)


def flat(x):
    return -0.5 * np.sum((x - CENTRE) ** 2)


def flat_wrong(x, grad):
    grad[:] = CENTRE - x
    grad[1] = x[1] - CENTRE


def flat_both_wrong(x, grad):
    flat_wrong(x, grad)
    return flat(x)


PARAMETERS = {"a": nb.real(), "b": nb.real(2)}
MODELS = {
    "grad": nb.Model(PARAMETERS, logp=logp, grad=wrong),
    "logp_grad": nb.Model(PARAMETERS, logp_grad=both_wrong),
    "grad of a flat position": nb.Model.flat(flat, 3, grad=flat_wrong),
    "logp_grad of a flat position": nb.Model.flat(flat_both_wrong, 3),
    "callables": nb.Model.flat(flat, 3, grad=flat_wrong, compile=False),
}
#: Where the wrong coordinate is 0.
MODE = {"a": 0.0, "b": [1.0, 1.0]}
RUNS = {
    "sample": lambda m, start: nb.sample(m, draws=2, tune=2, chains=1, start=start, progressbar=False),
    "find_map": lambda m, start: nb.find_map(m, start=start),
    "find_hessian": lambda m, start: nb.find_hessian(start, model=m),
    "fit": lambda m, start: nb.fit(2, model=m, start=start, progressbar=False),
}


WRONG = r"wrong for {}\[1\]: it wrote .*, central differences give .*check_grad"


@pytest.mark.either
@pytest.mark.parametrize("name", MODELS)
def test_a_wrong_coordinate_is_named(name):
    model = MODELS[name]
    start, of = (MODE, "b") if "a" in model.parameters else ({"x": np.ones(3)}, "x")
    with pytest.raises(ModelError, match=WRONG.format(of)):
        model.bind(1).check_gradient(model.unconstrain(start))


@pytest.mark.nojit  # C functions have no address there
def test_a_c_function():
    doubles = ctypes.POINTER(ctypes.c_double)

    @ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64, doubles, doubles, ctypes.c_void_p)
    def wrong_in_c(n, q, grad, context):
        if grad:
            grad[0], grad[1] = -q[0], q[1]
        return -0.5 * (q[0] ** 2 + q[1] ** 2)

    with pytest.raises(ModelError, match=r"^the gradient of the model is wrong for x\[1\]"):
        nb.Model.flat(wrong_in_c, 2).bind(1).check_gradient(np.zeros(2))


@pytest.mark.filterwarnings("ignore:.*is a Python callable")
@pytest.mark.parametrize("run", RUNS)
def test_before_anything_uses_it(run):
    with pytest.raises(ModelError, match=WRONG.format("x")):
        RUNS[run](MODELS["callables"], {"x": np.ones(3)})


def check(f, gradient, q):
    def fill(x, grad):
        grad[:] = gradient(x)

    nb.Model.flat(f, len(q), grad=fill, compile=False).bind(1).check_gradient(np.array(q))


@pytest.mark.parametrize(
    ("f", "gradient"),
    [
        (lambda x: -np.sum(np.abs(x)), lambda x: -np.sign(x)),
        (lambda x: -np.sum(np.maximum(x, 0.0)), lambda x: -1.0 * (x > 0.0)),
        (lambda x: -np.sum(np.maximum(x, 0.0)) - np.sum(x**2), lambda x: -1.0 * (x >= 0.0) - 2.0 * x),
    ],
)
def test_kinks_are_no_mistakes(f, gradient):
    check(f, gradient, [0.0, 0.0, 0.0])
    check(f, gradient, [0.0, 1.5, -0.5])


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("centre", [0.0, 1.0, 1e4])
def test_right_gradients_pass_at_any_scale(scale, centre):
    def z(x):
        return (x - centre) / scale

    for q in (np.full(4, centre), centre + scale * np.linspace(-2.0, 2.0, 4)):
        check(lambda x: -0.5 * np.sum(z(x) ** 2), lambda x: -z(x) / scale, q)
        check(lambda x: -np.sum(np.log1p(z(x) ** 2)), lambda x: -2.0 * z(x) / (1.0 + z(x) ** 2) / scale, q)


def test_noise_is_no_mistake():
    noise = np.random.default_rng(1)
    check(lambda x: -0.5 * np.sum(x**2) + 1e-9 * noise.normal(), lambda x: -x, [0.3, -0.4, 0.0])


def test_a_density_that_ends_near_by():
    check(lambda x: -np.inf if x[0] > 0.01 else -0.5 * x[0] ** 2, lambda x: -x, [0.0])

    def raises(x):
        if x[0] != 0.0:
            raise ValueError
        return 0.0

    check(raises, lambda x: 0.0 * x, [0.0])


def test_wrong_at_the_start_only():
    """A wrong branch of which the start is no kink."""
    with pytest.raises(ModelError, match=r"wrong for x\[0\]"):
        check(lambda x: -0.5 * x[0] ** 2, lambda x: -x if abs(x[0] - 1.0) > 0.05 else x, [1.0])


def test_a_gradient_beside_weights_is_said_to_be_unused():
    def term(p, d):
        return -0.5 * (d.y - p.x) ** 2

    def gradient(p, d, grad):
        grad.x[()] += np.sum(d.y - p.x) - p.x

    def model(size):
        terms = {"prior": lambda p, d: -0.5 * p.x**2, "likelihood": {"y": term}, "grad": gradient}
        return nb.Model({"x": nb.real()}, **terms, data={"y": [1.0, 2.0]}, total_size={"y": size})

    ((message, category),) = gradient_warnings(model(10).bind(1))
    assert message.startswith("grad of the model is not used: total_size")
    assert issubclass(category, NbinferWarning)
    assert not gradient_warnings(model(2).bind(1))
