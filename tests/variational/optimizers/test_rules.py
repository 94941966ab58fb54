"""The rules against trajectories that were recorded elsewhere, and what callers ask of them."""

import json
from pathlib import Path

import numpy as np
import pytest

from nbinfer.variational import optimizers
from nbinfer.variational.optimizers import Rule
from nbinfer.variational.values import Shared, shared

RECORDED = json.loads((Path(__file__).parents[2] / "references" / "optimizers" / "reference.json").read_text())
CURVATURE, TARGET, START = np.array([3.0, 0.5]), np.array([0.3, 1.0]), np.array([1.0, -2.0])


def slope(x):
    return CURVATURE * (x - TARGET)


def trajectory(optimizer, steps):
    """Return where the reference problem's parameters are after each step."""
    x = shared(START)
    updates = optimizer([slope], [x])
    found = []
    for _ in range(steps):
        updates()
        found.append(x.get_value())
    return np.array(found)


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_a_rule_follows_the_recorded_trajectory(name):
    rule = getattr(optimizers, name)()
    defaults = {key: getattr(rule, key) for key in RECORDED[name]["defaults"]}
    assert defaults == RECORDED[name]["defaults"]
    found = trajectory(rule, 200)
    for step, expected in RECORDED[name]["steps"].items():
        np.testing.assert_allclose(found[int(step) - 1], expected, rtol=1e-12, atol=1e-12)


def test_momentum_wraps_any_rule():
    """Against its definition, written out with one-step rules."""
    for wrap, nesterov in ((optimizers.apply_momentum, False), (optimizers.apply_nesterov_momentum, True)):
        x, v, squares = START.copy(), np.zeros(2), np.zeros(2)
        expected = []
        for _ in range(20):
            g = slope(x)
            squares += g**2
            u = x - 0.1 * g / np.sqrt(squares + 1e-6)
            if nesterov:
                v = 0.7 * v + u - x
                x = 0.7 * v + u
            else:
                v = 0.7 * v + u - x
                x = x + v
            expected.append(x.copy())
        found = trajectory(wrap(optimizers.adagrad(learning_rate=0.1), momentum=0.7), 20)
        np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_momentum_is_gradient_descent_with_momentum():
    wrapped = trajectory(optimizers.apply_momentum(optimizers.sgd(learning_rate=0.01)), 50)
    np.testing.assert_array_equal(wrapped, trajectory(optimizers.momentum(learning_rate=0.01), 50))


def test_a_wrapper_takes_updates_too():
    x = shared(START)
    updates = optimizers.apply_momentum(optimizers.sgd([slope], [x]), [x])
    updates()
    np.testing.assert_allclose(x.get_value(), START - 1e-3 * slope(START))
    with pytest.raises(ValueError, match="params must be those of updates"):
        optimizers.apply_momentum(optimizers.sgd([slope], [x]), [shared(1.0)])


def test_learning_rates_may_be_functions_of_the_step():
    falling = trajectory(optimizers.sgd(learning_rate=lambda i: 0.1 / (1 + i)), 3)
    x = START.copy()
    for i in range(3):
        x = x - 0.1 / (1 + i) * slope(x)
        np.testing.assert_allclose(falling[i], x)
    with pytest.raises(ValueError, match=r"learning_rate\(1\) must be positive"):
        trajectory(optimizers.sgd(learning_rate=lambda i: 0.1 - 0.1 * i), 2)


def test_the_documents_examples():
    a = shared(1.0)
    updates = optimizers.adam(lambda a: a**2, [a], learning_rate=0.01)
    assert isinstance(updates, dict)
    assert list(updates) == [a]
    optimizer = optimizers.adam(learning_rate=0.01)
    assert isinstance(optimizer, Rule)
    b = shared(1.0)
    again = optimizer(lambda b: b**2, [b])
    for _ in range(5):
        updates()
        again()
    assert a.get_value() == b.get_value() != 1.0
    assert updates.steps == 5


def test_one_loss_moves_several_parameters():
    def loss(a, b):
        return (a[0] - 1.0) ** 2 + a[1] ** 2 + b * b

    a, b = shared([2.0, 1.0]), shared(3.0)
    optimizers.sgd(loss, [a, b], learning_rate=0.25)()
    np.testing.assert_allclose(a.get_value(), [1.5, 0.5])
    np.testing.assert_allclose(b.get_value(), 1.5)


def test_half_of_the_arguments_is_an_error():
    with pytest.raises(ValueError, match=r"params is missing. Settings go by name: adam\(learning_rate=..."):
        optimizers.adam(lambda a: a)
    with pytest.raises(ValueError, match="loss_or_grads is missing"):
        optimizers.adam(params=[shared(1.0)])
    with pytest.raises(ValueError, match="one gradient for each of 1 params, got 2"):
        optimizers.adam([np.zeros(()), np.zeros(())], [shared(1.0)])
    with pytest.raises(ValueError, match=r"gradient of params\[0\] must have shape \(2,\)"):
        optimizers.adam([np.zeros(3)], [shared(START)])()
    with pytest.raises(TypeError, match=r"params\[0\] must be made by nb.shared"):
        optimizers.adam([np.zeros(2)], [START])


@pytest.mark.parametrize(
    ("name", "bad"),
    [("sgd", dict(learning_rate=0.0)), ("adam", dict(beta1=1.0)), ("rmsprop", dict(rho=0.0)),
     ("adagrad_window", dict(n_win=0)), ("adagrad", dict(epsilon=-1.0)), ("momentum", dict(momentum=1.0)),
     ("adam", dict(learning_rate=np.nan))],
)  # fmt: skip
def test_settings_that_make_no_sense(name, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        getattr(optimizers, name)(**bad)


def test_shared_values_are_known_by_identity():
    a, b = shared(1.0), shared(1.0)
    assert a != b
    assert len({a, b}) == 2
    a.set_value(2.0)
    assert a.get_value() == 2.0
    with pytest.raises(ValueError, match="shape"):
        a.set_value([1.0])
    value = a.get_value()
    value[...] = 5.0
    assert a.get_value() == 2.0
    memory = np.zeros(())
    a.move_to(memory)
    memory[...] = 7.0
    assert a.get_value() == 7.0
    assert isinstance(a, Shared)
