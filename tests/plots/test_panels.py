"""Where pictures are drawn, in what style, and what is left out of them."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import nbinfer as nb
from nbinfer import plots
from nbinfer.plots import look

MANY = [plots.trace, plots.rank, plots.density, plots.autocorr, plots.ess]


@pytest.mark.either
@pytest.mark.parametrize("plot", [*MANY, plots.forest, plots.pair])
def test_axes_come_back_and_the_figure_can_be_shown(plot, trace):
    panels = plot(trace, ["mu", "k"])
    assert isinstance(panels, plots.Panels)
    assert all(isinstance(ax, Axes) for ax in panels.flat if ax is not None)
    assert panels._repr_png_().startswith(b"\x89PNG")


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("plot", MANY)
def test_there_is_a_panel_for_each_quantity(plot, trace):
    panels = plot(trace)
    titles = [ax.get_title(loc="left") for ax in panels.reshape(4, -1)[:, 0]]
    assert titles == ["mu", "theta[A]", "theta[B]", "k"]
    assert len(plot(trace, "~theta")) == 2
    assert len(plot(trace, "mu")) == 1


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize(("plot", "most"), [(plots.trace, 12), (plots.rank, 20), (plots.density, 20)])
def test_of_a_hundred_those_that_mixed_worst_are_drawn_and_the_picture_says_so(plot, most, wide):
    panels = plot(wide)
    assert len(panels) == most
    titles = [ax.get_title(loc="left") for ax in panels.reshape(most, -1)[:, 0]]
    assert titles[-5:] == [f"x[{i}]" for i in range(95, 100)]
    assert panels.note.startswith(f"{most} of 100 quantities")
    assert panels.figure.get_supxlabel() == panels.note
    assert len(plot(wide, most=3)) == 3


def test_axes_of_the_user_are_drawn_in(trace):
    figure = Figure()
    given = figure.subplots(2, 2)
    panels = plots.density(trace, axes=given)
    assert list(panels) == list(given.flat)
    assert panels.figure is figure
    one = Figure().subplots()
    assert plots.forest(trace, axes=one)[0] is one


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize(("axes", "error", "said"), [
    (Figure().subplots(), ValueError, r"axes must be 4 Axes, one for each panel, got 1; plt\.subplots\(1, 4\) makes"),
    ([1, 2, 3, 4], TypeError, "axes must be Axes of matplotlib"),
    ("mu", TypeError, "axes must be Axes of matplotlib"),
])  # fmt: skip
def test_other_axes_are_refused(axes, error, said, trace):
    with pytest.raises(error, match=said):
        plots.density(trace, axes=axes)


def test_what_is_no_trace_or_no_name_is_refused(trace):
    with pytest.raises(TypeError, match="trace must be a Trace"):
        plots.trace(3)
    with pytest.raises(ValueError, match="no draws"):
        plots.trace({"x": np.zeros((4, 0))})
    with pytest.raises(ValueError, match="no draws"):
        plots.trace({})
    with pytest.raises(ValueError, match=r"unknown 'muu'.*Did you mean 'mu'"):
        plots.rank(trace, "muu")
    with pytest.raises(TypeError, match="did you mean 'axes'"):
        plots.rank(trace, ax=None)
    with pytest.raises(ValueError, match="most must be an int from 1"):
        plots.rank(trace, most=0)


@pytest.mark.either
def test_a_users_style_changes_nothing(trace):
    import matplotlib as mpl

    plain = plots.density(trace, "mu")._repr_png_()
    with mpl.rc_context({"axes.facecolor": "black", "lines.linewidth": 9, "font.size": 30, "figure.facecolor": "red"}):
        assert plots.density(trace, "mu")._repr_png_() == plain


def test_chains_are_told_apart_without_colours():
    looks = [look.line(k) for k in range(16)]
    assert len({(one["color"], one["linestyle"]) for one in looks}) == 16
    rgb = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in look.COLOURS])
    assert (np.diff(rgb @ [0.2126, 0.7152, 0.0722]) > 25).all()


ODD = [
    np.zeros((1, 1)), np.zeros((4, 100)), np.full((2, 50), np.nan), np.arange(200.0)[None], [[1e300, -1e300, 0.0, 5.0]],
    np.where(np.arange(100) < 5, np.inf, np.random.default_rng(3).normal(size=(4, 100))), np.ones((2, 3), bool),
    np.random.default_rng(3).standard_cauchy((40, 20)), np.full((2, 10), 1e-320), [[2**60, 0, 3, 4]],
    np.tile([True, False], (2, 10)), np.zeros((3, 1)),
]  # fmt: skip


@pytest.mark.either
@pytest.mark.parametrize("plot", [*MANY, plots.forest])
def test_odd_draws_make_pictures_too(plot):
    every = {f"${k}_1$": np.asarray(draws) for k, draws in enumerate(ODD)}
    assert plot(every, most=20)._repr_png_()


@pytest.mark.either
def test_odd_draws_make_pairs_too():
    for draws in ODD:
        assert plots.pair({"x": np.asarray(draws), "y": np.asarray(draws)}).shape == (2, 2)


@pytest.mark.parametrize("plot", [*MANY, plots.forest, plots.pair, plots.energy])
def test_a_run_that_has_finished_no_draw_is_refused(plot):
    draws = np.zeros((2, 10))
    with pytest.raises(ValueError, match="trace has no draws that could be shown"):
        plot(nb.Trace({"x": draws}, {"energy": draws.copy()}, draws_done=[0, 0], interrupted=True))


@pytest.mark.either
def test_chains_of_other_lengths_are_drawn_as_far_as_they_go():
    draws = np.random.default_rng(4).normal(size=(2, 50))
    draws[1, 20:] = np.nan
    trace = nb.Trace({"x": draws}, draws_done=[50, 20], interrupted=True)
    _, right = plots.trace(trace)[0]
    assert [len(of.get_xdata()) for of in right.lines] == [50, 20]
    assert plots.rank(trace)._repr_png_()


@pytest.mark.either
def test_without_matplotlib_one_line_says_what_to_install():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import nbinfer as nb\n"
        "try:\n    nb.plots.trace({'x': [1.0]})\n"
        "except ImportError as error:\n    print(error)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "nbinfer.plots needs matplotlib; get it with `pip install nbinfer[plot]`\n"


@pytest.mark.nojit
def test_of_ten_thousand_a_choice_is_drawn_and_said():
    draws = np.random.default_rng(5).normal(size=(2, 20, 10_000))
    draws[1, :, 1234] += 20.0
    panels = plots.density({"x": draws}, most=4)
    assert "x[1234]" in [ax.get_title(loc="left") for ax in panels]
    assert panels.note.startswith("4 of 10000 quantities")
