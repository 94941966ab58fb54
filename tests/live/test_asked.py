"""What a view is asked to be is checked before anything starts."""

import sys

import pytest

import nbinfer as nb
from nbinfer.live.asked import Asked, asked, chosen
from tests.live.screens import Notebook, terminal
from tests.mcmc.models import eight_schools


def test_nothing_is_asked_for():
    assert asked(False, None) is None
    assert asked(False, {}) is None


def test_options_are_as_given():
    found = asked(True, {"varnames": ["mu"], "skip_first": 3, "refresh_every": 7, "most": 2, "figsize": (4, 3)})
    assert found == Asked("log", ["mu"], 3, 7, 2, (4, 3))


@pytest.mark.parametrize(("live_plot", "options", "error", "said"), [
    ("windoww", None, ValueError, "unknown live_plot 'windoww'; choose .*Did you mean 'window'"),
    (1, None, TypeError, "live_plot must be True, False or a place"),
    (True, [1], TypeError, "live_plot_kwargs must be a mapping, got list"),
    (False, {"most": 2}, ValueError, "live_plot_kwargs are of a live view, and there is none; pass live_plot=True"),
    (True, {"refresh_evry": 2}, TypeError, "live_plot_kwargs has no option 'refresh_evry'; .* 'refresh_every'"),
    (True, {3: 2}, TypeError, "live_plot_kwargs has no option '3'"),
    (True, {"skip_first": -1}, ValueError, "live_plot_kwargs: skip_first must be an int from 0"),
    (True, {"refresh_every": 0}, ValueError, "live_plot_kwargs: refresh_every must be an int from 1"),
    (True, {"most": 1.5}, ValueError, "live_plot_kwargs: most must be an int from 1"),
    (True, {"figsize": 3}, ValueError, "live_plot_kwargs: figsize must be width and height"),
    (True, {"var_names": [3]}, TypeError, "live_plot_kwargs: var_names must be"),
    ("notebook", None, ValueError, "live_plot='notebook' needs a notebook"),
])  # fmt: skip
def test_what_is_wrong_is_said(live_plot, options, error, said):
    with pytest.raises(error, match=said):
        asked(live_plot, options)


@pytest.mark.parametrize(("options", "said"), [
    ({"var_names": "muu"}, r"var_names has unknown 'muu'; the run has lp, mu, .*Did you mean 'mu'"),
    ({"var_names": "~lp", "most": 0}, "most must be"),
    ({"var_names": []}, "var_names leaves nothing"),
])  # fmt: skip
def test_a_run_is_not_begun(options, said):
    with pytest.raises(ValueError, match=said):
        nb.sample(eight_schools(), 10, live_plot=True, live_plot_kwargs=options)
    with pytest.raises(ValueError, match=r"lacks|unknown 'tau'"):
        nb.sample(eight_schools(), 10, trace=["mu"], live_plot=True, live_plot_kwargs={"var_names": "tau"})


def test_a_fit_is_not_begun():
    with pytest.raises(TypeError, match="live_plot_kwargs has no option 'skipfirst'; did you mean 'skip_first'"):
        nb.fit(10, model=eight_schools(), live_plot=True, live_plot_kwargs={"skipfirst": 1})
    with pytest.raises(ValueError, match="unknown 'mu'; a fit without particles has loss"):
        nb.fit(10, model=eight_schools(), live_plot=True, live_plot_kwargs={"var_names": "mu"})
    with pytest.raises(ValueError, match=r"a fit of particles has mu, tau, eta.*Did you mean 'tau'"):
        nb.fit(10, method="svgd", model=eight_schools(), live_plot=True, live_plot_kwargs={"var_names": "tauu"})


def test_the_place_is_the_one_that_there_is(monkeypatch):
    assert asked(True, None).place == "log"
    assert asked("terminal", None).place == "log"
    with terminal(80):
        assert asked(True, None).place == "terminal"
    book = Notebook(monkeypatch)
    assert asked("terminal", None).place == "text"
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: 1 / 0)
    assert asked("terminal", None).place == "log"
    shell = type("Shell", (), {"__module__": "spyder_kernels.console.shell", "kernel": object()})
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", shell)
    assert asked(True, None).place == "log"  # whose outputs are not changed
    with pytest.raises(ValueError, match="needs a notebook"):
        asked("notebook", None)
    assert not book.outputs


def test_without_matplotlib_one_line_says_what_to_install(monkeypatch):
    Notebook(monkeypatch)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install nbinfer\[plot\]`, or take live_plot='terminal'") as caught:
        nb.sample(eight_schools(), 10, live_plot=True)
    assert "\n" not in str(caught.value)
    assert asked("terminal", None).place == "text"


def test_names_that_are_left_out():
    assert chosen(Asked("log", "~b"), "abc", "abc", "a run") == ["a", "c"]
    assert chosen(Asked("log"), "abc", "ab", "a run") == ["a", "b"]
