"""The picture of a run that goes on."""

import numpy as np
import pytest

from nbinfer.live.scene import Scene, Series
from nbinfer.plots.moving import Moving

RNG = np.random.default_rng(1)
NAMES = ["chain 0", "chain 1"]


def series(label="mu", n=50, values=None, kind="draws", begin=0, chains=2):
    each = [RNG.normal(size=n) if values is None else np.array(values, float) for _ in range(chains)]
    return Series(label, each, [] if kind == "particles" else [np.arange(len(v)) for v in each], begin, kind)


def texts(picture):
    return [text.get_text() for ax in picture.figure.axes for text in ax.texts]


@pytest.mark.either
def test_lines_move_and_the_axes_follow():
    picture = Moving(Scene([series(n=0), series("tau", n=0)], NAMES, "2 of 9"))
    empty = picture.png()
    assert empty.startswith(b"\x89PNG")
    count = len(picture.figure.axes)
    for n in (1, 50, 400):
        now = Scene([series(n=n), series("tau", n=n)], NAMES, "2 of 9")
        picture.draw(now)
        lines = picture.figure.axes[0].lines
        assert lines[1].get_ydata().tolist() == now.series[0].values[1].tolist()
        low, high = picture.figure.axes[0].get_xlim()
        assert low < 0
        assert high > n - 1
    assert len(picture.figure.axes) == count
    assert picture.png() != empty
    assert texts(picture)[::2] == ["mu", "tau"]
    assert [text.get_text() for text in picture.figure.texts] == ["2 of 9"]


@pytest.mark.either
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", [
    [1.0], [5.0] * 30, [np.nan] * 9, [1.0, np.nan, np.inf, 2.0], [1e305, -1e305] * 9, [1e-310] * 3, [],
])  # fmt: skip
@pytest.mark.parametrize("kind", ["draws", "losses", "particles"])
def test_odd_values_are_drawn_as_far_as_they_can_be(values, kind):
    chains = 2 if kind == "draws" else 1
    scene = Scene([series("a_name_that_is_far_too_long_to_be_written", values=values, kind=kind, chains=chains)],
                  NAMES[:chains], "")  # fmt: skip
    picture = Moving(scene)
    picture.draw(scene)
    assert picture.png().startswith(b"\x89PNG")


def test_what_is_not_finite_is_counted():
    scene = Scene([series(values=[1.0, np.nan, 3.0, np.inf])], NAMES, "")
    picture = Moving(scene)
    picture.draw(scene)
    assert "4 not finite" in texts(picture)


def test_a_size_is_as_asked_for():
    picture = Moving(Scene([series()], NAMES, ""), (4.0, 2.0))
    assert picture.figure.get_size_inches().tolist() == [4.0, 2.0]
