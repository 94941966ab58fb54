"""Rules of optimisers move particles on a GPU as they do on the processor."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.cuda.rules import FORMS, layers
from nbinfer.variational import optimizers
from tests.cuda.swarms import fresh, swarm_of

RULES = {
    "sgd": nb.sgd(learning_rate=0.1),
    "adagrad": nb.adagrad(learning_rate=0.1),
    "adagrad_window": nb.adagrad_window(learning_rate=0.1, n_win=3),
    "rmsprop": nb.rmsprop(learning_rate=0.1),
    "adadelta": nb.adadelta(),
    "adam": nb.adam(learning_rate=0.1),
    "adamax": nb.adamax(learning_rate=0.1),
    "averaged_adam": optimizers.averaged_adam(learning_rate=0.1),
    "momentum": nb.momentum(learning_rate=0.1),
    "nesterov_momentum": nb.nesterov_momentum(learning_rate=0.1),
    "momentum around another": nb.apply_momentum(nb.adam(learning_rate=0.1), momentum=0.5),
    "twice": nb.apply_nesterov_momentum(nb.apply_momentum(nb.sgd(learning_rate=0.1), momentum=0.5), momentum=0.3),
}


def moved_on_the_processor(rule, x, gradients):
    value = nb.shared(x.copy())
    updates = rule([np.zeros_like(x)], [value])
    for gradient in gradients:
        updates.step([gradient])
    return value.get_value()


@pytest.mark.parametrize("name", RULES)
def test_a_rule_moves_as_on_the_processor(name):
    rule, rng = RULES[name], np.random.default_rng(1)
    x, gradients = rng.normal(size=(3, 2)), rng.normal(size=(5, 3, 2))
    swarm = fresh(swarm_of(3, 2, nb.RBF(1.0), rule=rule), x)
    for t, gradient in enumerate(gradients, 1):
        swarm.at["before"].copy_to_device(swarm.array("x").ravel())
        swarm.at["gradient"].copy_to_device(gradient.ravel())
        swarm._move(0.1 if name != "adadelta" else 1.0, t)
    np.testing.assert_allclose(swarm.get()[0], moved_on_the_processor(rule, x, gradients), rtol=1e-14)


def test_all_rules_have_a_form():
    assert {form.name for form in FORMS} | {"momentum", "nesterov_momentum"} == {
        name for name in optimizers.__all__ if name in RULES
    }


def test_one_of_the_users_is_refused():
    with pytest.raises(
        NotImplementedError, match=r'custom has no form for backend="cuda"; take nb\.adadelta, nb\.adagrad'
    ):
        layers(nb.apply_momentum(optimizers.custom(lambda x, g, rate, t: None)))


def test_a_norm_is_bounded_as_on_the_processor():
    swarm = fresh(swarm_of(3, 2, nb.RBF(1.0), rule=nb.sgd(), largest_norm=0.5), np.zeros((3, 2)))
    gradient = np.random.default_rng(1).normal(size=(3, 2))
    swarm.at["gradient"].copy_to_device(gradient.ravel())
    for call in swarm._to_moves:
        call()
    (wanted,) = nb.total_norm_constraint([gradient], 0.5)
    np.testing.assert_allclose(swarm.array("gradient"), wanted.ravel(), rtol=1e-14)
