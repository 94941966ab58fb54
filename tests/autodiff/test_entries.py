"""Gradients by entries of the data: of functions and of models, against central differences."""

import collections

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.autodiff import ADError

D = collections.namedtuple("D", ["X", "W", "b", "s", "g"])
P = collections.namedtuple("P", ["z", "tau"])
RNG = np.random.default_rng(5)


def data():
    g = np.array([0, 2, 1, 2, 0, 1, 1])
    return D(RNG.normal(size=(7, 3)), RNG.normal(size=(3, 2)), RNG.normal(size=3), 0.7, g)


def everywhere(p, d):
    """Use W in a product, for each element, and through indices; b through indices."""
    m = d.X @ d.W
    total = d.W[0, 1] * p.tau + d.s**2
    for i in range(m.shape[0]):
        total -= 0.5 * (p.z[i] - m[i, 0] - d.b[d.g[i]] * m[i, 1]) ** 2
    return total - 0.5 * np.sum(np.exp(d.W) * d.W)


def differences(function, values, step=1e-5):
    found = np.zeros(values.shape)
    for k in np.ndindex(values.shape):
        sides = []
        for sign in (1.0, -1.0):
            moved = values.copy()
            moved[k] += sign * step
            sides.append(function(moved))
        found[k] = (sides[0] - sides[1]) / (2.0 * step)
    return found


@pytest.mark.either
def test_of_a_function_by_a_matrix_a_vector_and_a_number():
    p, d = P(RNG.normal(size=7), 1.3), data()
    found = nb.grad(everywhere, wrt=["W", "s", "b"])(p, d)
    assert list(found) == ["W", "s", "b"]
    for name in ("W", "b"):
        wanted = differences(lambda v, name=name: everywhere(p, d._replace(**{name: v})), getattr(d, name))
        np.testing.assert_allclose(found[name], wanted, rtol=1e-7, atol=1e-7)
    assert found["s"] == pytest.approx(1.4)
    alone = nb.grad(everywhere, wrt="W")
    np.testing.assert_array_equal(alone(p._asdict(), d._asdict()), found["W"])
    assert repr(alone) == "grad(everywhere, wrt='W')"


@pytest.mark.slow
@pytest.mark.either
def test_what_is_not_named_has_no_gradient_code():
    g = nb.grad(everywhere, wrt="s")
    g(P(np.zeros(7), 0.0), data())
    assert "d_W_grad" not in g.source


def model(**more):
    return nb.Model(
        {"z": nb.real(7), "tau": nb.positive()},
        prior={"z": lambda p, d: -0.5 * p.z**2, "tau": lambda p, d: -p.tau},
        likelihood={"y": lambda p, d: -0.5 * (d.y - (d.X @ d.W)[:, 0] * p.tau - p.z) ** 2},
        data={"y": np.arange(7.0), **data()._asdict(), **more},
        total_size={"z": 14, "y": 21},
    )


@pytest.mark.either
def test_of_a_model_at_its_weights():
    m = model()
    point = {"z": RNG.normal(size=7), "tau": 0.4}

    def logp(W):
        m.set_data(W=W)
        return m.logp(point)

    before = m.data["W"].copy()
    wanted = differences(logp, before)
    m.set_data(W=before)
    np.testing.assert_allclose(nb.grad(m, wrt="W")(point), wanted, rtol=1e-7, atol=1e-7)
    found = nb.grad(m, wrt=["b", "s"])(point)
    np.testing.assert_array_equal(found["b"], np.zeros(3))
    assert found["s"] == 0.0


@pytest.mark.parametrize(
    ("wrt", "error", "text"),
    [
        ("Q", ValueError, r"wrt names 'Q', which the model lacks; there are y, X, W, b, s, g"),
        ("g", TypeError, r"wrt names 'g', which holds integers: they count or serve as indices"),
        (["W", "W"], ValueError, "wrt must name each entry of the data once"),
        ([], ValueError, "wrt must name each entry of the data once"),
        (3, TypeError, "wrt must be a str or several of them, got 3"),
    ],
)
def test_entries_that_will_not_do(wrt, error, text):
    with pytest.raises(error, match=text):
        nb.grad(model(), wrt=wrt)


def test_entries_of_a_function_that_will_not_do():
    g = nb.grad(everywhere, wrt="g")
    with pytest.raises(TypeError, match="wrt names 'g', which holds integers"):
        g(P(np.zeros(7), 0.0), data())
    with pytest.raises(ValueError, match="wrt names 'q', which the data lacks"):
        nb.grad(everywhere, wrt="q")(P(np.zeros(7), 0.0), data())
    with pytest.raises(ADError, match="the data must be a named tuple or a mapping"):
        nb.grad(everywhere, wrt="W")(P(np.zeros(7), 0.0), np.zeros(3))
    with pytest.raises(TypeError, match=r"everywhere\(\) misses the data"):
        nb.grad(everywhere, wrt="W")()
    with pytest.raises(TypeError, match="pass one of them"):
        nb.grad(everywhere, 1, wrt="W")


def test_batches_have_no_gradient():
    with pytest.raises(nb.errors.ModelError, match=r"wrt names 'X', which is a Minibatch.*: it comes in batches"):
        nb.grad(model(X=nb.Minibatch(np.zeros((20, 3)), 7)), wrt="X")
    with pytest.raises(nb.errors.ModelError, match="has data that come in batches"):
        nb.grad(model(X=nb.Minibatch(np.zeros((20, 3)), 7)), wrt="W")({"z": np.zeros(7), "tau": 1.0})


def test_a_density_that_is_no_function_of_the_data_has_no_gradient():
    written = nb.Model({"x": nb.real()}, logp_grad=lambda p, d, grad: 0.0, data={"W": np.ones(2)})
    with pytest.raises(nb.errors.ModelError, match="it has logp_grad; pass logp"):
        nb.grad(written, wrt="W")
    flat = nb.Model.flat(lambda x, data: -0.5 * (x @ x) * data[0], 2, np.ones(2))
    with pytest.raises((nb.errors.ModelError, ValueError), match="wrt"):
        nb.grad(flat, wrt="data")
