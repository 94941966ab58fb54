"""Which elements stand still, in chains of any length, however many draws are compared at a time."""

import numpy as np
import pytest

from nbinfer.diagnostics import movement
from nbinfer.diagnostics.quantities import Run


@pytest.mark.parametrize("at_a_time", [1, 100, 1 << 20])
@pytest.mark.parametrize("done", [(12, 12, 12), (12, 7, 9)], ids=["equal", "ragged"])
def test_every_finished_draw_counts_and_no_other(at_a_time, done, monkeypatch):
    monkeypatch.setattr(movement, "_LOOKED_AT", at_a_time)
    draws = np.zeros((3, 12, 2, 3))
    for chain, n in enumerate(done):
        draws[chain, n:] = np.nan
    draws[0, 4, 0, 1] = draws[1, 1, 1, 2] = draws[2, 8, 0, 0] = 1.0  # one draw of one element
    still, first = movement._still(Run({"x": draws}, done, (0, 1, 2)), "x", [0, 1, 2])
    assert first.tolist() == np.zeros((3, 6)).tolist()
    assert np.argwhere(~still).tolist() == [[0, 1], [1, 5], [2, 0]]
    still, _ = movement._still(Run({"x": draws}, done, (0, 1, 2)), "x", [1, 2])  # the others have too few draws
    assert np.argwhere(~still).tolist() == [[0, 5], [1, 0]]
