"""The tree's own laws: slots suffice, and a divergence leaves a valid point. What it computes, test_oracle says."""

import numpy as np
import pytest

from nbinfer.random import key_of, new_stream
from tests.laws.kit import Target, Trajectories, gaussian_target, wall

KEY = key_of(np.random.SeedSequence(99))


@pytest.mark.nojit  # long as plain Python
def test_slots_suffice_for_the_deepest_tree_and_are_given_back():
    target = gaussian_target(np.eye(2) * 1e8)  # so wide that no trajectory of this length turns
    trees = Trajectories(target, np.ones(2))
    trees.move(np.zeros(2), new_stream(KEY), 10, 1.0)
    assert (trees.tree["n_steps"], trees.tree["depth"], trees.tree["unfinished"]) == (1023, 10, 1)


@pytest.mark.nojit  # long as plain Python
def test_a_divergence_is_told_and_leaves_a_valid_point():
    trees, diverged = Trajectories(Target(wall, 1), np.ones(1)), 0
    for draw in range(200):
        _, q = trees.move(np.array([0.5]), new_stream(KEY, draw), 8, 0.3)
        assert q[0] > 0
        diverged += trees.tree["diverging"]
    assert diverged > 20
