"""The comparison of starts: one short row."""

import pytest

from bench import starts


@pytest.mark.slow
@pytest.mark.nojit
def test_a_row_counts_gradients_of_both_starts():
    cells, ratio = starts.row("sblri", 100, 50, 1)
    assert len(cells) == 10
    default = starts.begun(starts.POSTERIORS["sblri"](), "auto", 100, 50, 1)
    assert default.gradients == default.densities == 0
    paths = starts.begun(starts.POSTERIORS["sblri"](), "pathfinder", 100, 50, 1)
    assert paths.gradients > 0
    assert paths.densities > 200
    assert ratio == pytest.approx((paths.warmup + paths.gradients) / default.warmup)
    assert cells[5] == f"{ratio:.2f}"
