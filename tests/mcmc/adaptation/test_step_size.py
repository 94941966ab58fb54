"""Laws of dual averaging: it finds the step whose acceptance is the target, and forgets on restart."""

import math

import numpy as np
import pytest

from nbinfer.mcmc.adaptation.step_size import LARGEST_STEP, DualAveraging, calm, learn, restart, step_size


def new_state(initial=0.1, target=0.8, *, gamma=0.05, follows=False):
    """Averaging with the paper's constants."""
    state = np.zeros(1, DualAveraging).view(np.recarray)[0]
    state.target_accept, state.gamma, state.t0, state.k = target, gamma, 10.0, 0.75
    state.largest, state.follows = LARGEST_STEP, follows
    restart.py_func(state, initial)
    return state


@pytest.mark.parametrize("target", [0.6, 0.8, 0.95])
@pytest.mark.parametrize("initial", [1e-4, 0.1, 1.5])
def test_finds_the_step_with_the_target_acceptance(target, initial):
    state = new_state(initial, target)
    for _ in range(2000):
        learn.py_func(state, math.exp(-step_size.py_func(state, True)))
    assert math.exp(-step_size.py_func(state, False)) == pytest.approx(target, abs=0.01)


@pytest.mark.parametrize("initial", [0.02, 1.5])
def test_without_a_pull_to_one_place_the_target_is_met_whatever_gamma(initial):
    missed = []
    for follows in False, True:
        state = new_state(initial, 0.95, gamma=0.5, follows=follows)
        for _ in range(1000):
            learn.py_func(state, math.exp(-step_size.py_func(state, True)))
        missed.append(abs(math.exp(-step_size.py_func(state, False)) - 0.95))
    assert missed[1] < 0.002 < missed[0]


def test_an_update_is_equation_6_of_the_paper():
    state = new_state(0.01)
    learn.py_func(state, 0.7)
    h_bar = (0.8 - 0.7) / (1 + 10)
    log_step = math.log(10 * 0.01) - math.sqrt(1) / 0.05 * h_bar
    assert state.log_step == pytest.approx(log_step, rel=1e-14)
    assert state.log_step_bar == pytest.approx(log_step, rel=1e-14)  # the first average is the iterate itself


@pytest.mark.parametrize("accept", [0.0, math.nan])
def test_a_failed_transition_shrinks_the_step(accept):
    state = new_state(0.1)
    for _ in range(20):
        learn.py_func(state, accept)
    assert step_size.py_func(state, True) < 0.01


def test_a_flat_target_does_not_send_the_step_to_infinity():
    state = new_state(0.1)
    for _ in range(10_000):
        learn.py_func(state, 1.0)
    assert step_size.py_func(state, True) <= LARGEST_STEP * (1 + 1e-12)


@pytest.mark.parametrize("follows", [False, True])
def test_calm_goes_on_from_the_average_in_small_steps(follows):
    state, rng = new_state(follows=follows), np.random.default_rng(0)
    for _ in range(50):
        learn.py_func(state, rng.uniform(0.6, 1.0))
    average = state.log_step_bar
    calm.py_func(state)
    assert state.log_step == average
    learn.py_func(state, state.target_accept)
    assert state.log_step == pytest.approx(average, abs=0.01)
    learn.py_func(state, 0.0)
    assert average - 0.3 < state.log_step < average - 0.2  # 0.8 / (gamma sqrt(4000))


def test_restart_forgets():
    used, fresh = new_state(0.1), new_state(0.1)
    learn.py_func(used, 0.1)
    restart.py_func(used, 0.1)
    assert used.tolist() == fresh.tolist()
