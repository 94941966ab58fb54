"""Users' functions may not write to parameters and data: plain Python refuses, and so does the compiler."""

import numba
import numpy as np
import pytest

import nbinfer.model as nb
from nbinfer.errors import ModelError
from nbinfer.model.code.extras import draw_entry

MATRIX = np.eye(3)


@numba.njit
def overwritten(x):
    x -= 1.0
    return np.sum(x)


@numba.njit("float64(float64[:])")
def typed(x):
    return -0.5 * np.sum(x**2)


def quadratic(p):
    return -0.5 * np.sum(p.x**2)


def in_place(p, d):
    r = p.x
    r -= d.mu  # here
    return -0.5 * np.sum(r**2)


PLAIN = {
    "element": lambda p, d: p.x.__setitem__(0, 1.0),
    "field": lambda p, d: p.x.__isub__(1.0),
    "slice": lambda p, d: p.x[1:].__imul__(2.0),
    "mask": lambda p, d: p.x.__setitem__(p.x < 9.0, 0.0),
    "positions": lambda p, d: p.x.__setitem__(np.array([0, 1]), 0.0),
    "reshaped": lambda p, d: p.x.reshape(3, 1).__setitem__((0, 0), 1.0),
    "transposed": lambda p, d: p.A.T.__setitem__((0, 0), 1.0),
    "row": lambda p, d: p.A[0].__setitem__(0, 1.0),
    "ravelled": lambda p, d: p.A.ravel().__setitem__(0, 1.0),
    "out": lambda p, d: np.add(p.x, 1.0, out=p.x),
    "sort": lambda p, d: p.x.sort(),
    "fill": lambda p, d: p.x.fill(0.0),
    "diagonal": lambda p, d: np.fill_diagonal(p.A, 1.0),
    "flat": lambda p, d: p.x.flat.__setitem__(0, 1.0),
    "copyto": lambda p, d: np.copyto(p.x, 1.0),
    "discrete": lambda p, d: p.k.__iadd__(1),
    "data": lambda p, d: d.mu.__setitem__(slice(None), 1.0),
    "data out": lambda p, d: np.exp(d.mu, d.mu),
    "helper": lambda p, d: overwritten(p.x),
}


def model_of(f, **more):
    supports = {"x": nb.real(3), "A": nb.real((3, 3)), "k": nb.integer(0, 3, shape=2)}
    return nb.Model(supports, logp=f, data={"mu": np.full(3, 5.0)}, **more)


@pytest.mark.parametrize("name", PLAIN)
def test_plain_python_refuses(name):
    def logp(p, d):
        PLAIN[name](p, d)
        return quadratic(p)

    if name == "helper":  # found by its global name, as in users' modules
        logp = with_helper
    model = model_of(logp)
    for run in (model.bind, lambda: model.logp(model.initial_point())):
        with pytest.raises(ModelError, match=r"read-only.*p\.x\.copy\(\)"):
            run()


def with_helper(p, d):
    return quadratic(p) + overwritten(p.x)


def test_message_shows_the_line():
    with pytest.raises(ModelError, match=r"test_read_only\.py, line \d+ writes to parameters[\s\S]*\n    r -= d.mu  #"):
        model_of(in_place).bind()


def branch(p, d):
    if p.x[0] > 50.0:
        p.x[0] = 1.0  # here
    return quadratic(p)


def branch_in_place(p, d):
    r = p.x
    if p.x[0] > 50.0:
        r -= d.mu  # here
    return quadratic(p)


def branch_of_data(p, d):
    if p.x[0] > 50.0:
        d.mu[1:] = 0.0  # here
    return quadratic(p)


def branch_in_helper(p, d):
    if p.x[0] > 50.0:
        overwritten(p.x)
    return quadratic(p)


def flat(x, data):
    if x[0] > 50.0:
        x[0] = 0.0  # here
    return -0.5 * np.sum((x - data) ** 2)


def flat_gradient(x, grad):
    if x[0] > 50.0:
        x.sort()  # here
    grad[:] = -x
    return -0.5 * np.sum(x**2)


def written_gradient(p, d, grad):
    if p.x[0] > 50.0:
        p.x[0] = 0.0  # here
    grad.x[:] -= p.x
    return quadratic(p)


def plain(p, d):
    return quadratic(p)


def draw(p, d, rng):
    if p.x[0] > 50.0:
        p.x[0] = 0.0  # here
    return rng.normal(0.0, 1.0, 3)


def element(p, d, i):
    if p.x[0] > 50.0:
        p.x[0] = 0.0  # here
    return -0.5 * p.x[i] ** 2


def with_bound(p, d):
    return quadratic(p) - p.b


BRANCHES = {
    "element": lambda: model_of(branch).bind().density,
    "value": lambda: model_of(branch).bind().value_density,
    "in place": lambda: model_of(branch_in_place).bind().density,
    "data": lambda: model_of(branch_of_data).bind().density,
    "helper": lambda: model_of(branch_in_helper).bind().density,
    "flat": lambda: nb.Model.flat(flat, 3, np.ones(3)).bind().density,
    "flat gradient": lambda: nb.Model.flat(flat_gradient, 3).bind().density,
    "gradient": lambda: nb.Model({"x": nb.real(3)}, logp_grad=written_gradient).bind().density,
    "derived": lambda: model_of(plain, derived={"q": branch}).bind().record,
    "bound": lambda: nb.Model({"x": nb.real(3), "b": nb.lower(branch)}, logp=with_bound).bind().density,
    "conditional": lambda: nb.Model({"x": nb.real(3)}, logp=plain, conditional=element).bind().conditional("x"),
    "draw": lambda: draw_of_x(),
}


def draw_of_x():
    model = nb.Model({"x": nb.real(3)}, logp=plain)
    return draw_entry(model.definition, model.definition.facts(), "x", draw).address


@pytest.mark.nojit
@pytest.mark.parametrize("place", BRANCHES)
def test_compiler_refuses_what_plain_python_has_not_run(place):
    with pytest.raises(ModelError, match=r"test_read_only\.py, line \d+ writes to parameters or data.*\.copy\(\)"):
        BRANCHES[place]()


def with_copies(p, d):
    x = p.x.copy()
    x -= d.mu
    x[0] *= 2.0
    z = p.x
    for _ in range(3):
        z = MATRIX @ z
    return -0.5 * np.sum(x**2) + 0.0 * np.sum(z)


def test_copies_may_be_written_to():
    model = nb.Model({"x": nb.real(3)}, logp=with_copies, data={"mu": np.full(3, 5.0)})
    bound, q = model.bind(), np.array([1.0, 2.0, 3.0])
    assert bound.value(q) == pytest.approx(model.logp({"x": q}))
    np.testing.assert_array_equal(q, [1.0, 2.0, 3.0])


@pytest.mark.nojit
def test_function_compiled_for_given_types_takes_parameters():
    model = nb.Model({"x": nb.real(3)}, logp=lambda p, d: typed(p.x))
    assert model.logp({"x": np.ones(3)}) == -1.5
    assert model.bind().value(np.ones(3)) == -1.5


def test_user_keeps_arrays_that_can_be_written_to():
    y = np.zeros(3)
    model = nb.Model({"x": nb.real(3)}, logp=plain, data={"y": y})
    model.bind()
    y[0] = 1.0
    assert model.data["y"][0] == 1.0
