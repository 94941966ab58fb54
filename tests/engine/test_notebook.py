"""Progress in a notebook: one output of a cell, changed in place, and nothing of it where no notebook is."""

import sys
import types
import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.engine.chain import Progress
from nbinfer.engine.chains import display_of_chains
from nbinfer.engine.notebook import as_html, as_text, page
from nbinfer.engine.progress import Bars, counter_for
from nbinfer.engine.reported import Job, Moment
from nbinfer.errors import ConvergenceWarning, NbinferWarning
from tests.html import read
from tests.mcmc.models import eight_schools

RUN = dict(draws=20, tune=10, chains=2, random_seed=3, target_accept=0.9)


class Output:
    """An output of a cell: what it showed, one after the other."""

    def __init__(self, bundle, error=None):
        self.shown, self.error = [bundle], error

    def update(self, bundle, raw):
        if self.error is not None:
            raise self.error
        assert raw
        self.shown.append(bundle)


class Notebook:
    """What IPython is to a run."""

    error = None

    def __init__(self, monkeypatch, shell):
        self.outputs = []
        for name in ("IPython", "IPython.display"):
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        sys.modules["IPython"].get_ipython = lambda: shell
        sys.modules["IPython.display"].display = self.display

    def display(self, bundle, raw, display_id):
        assert raw
        assert display_id
        self.outputs.append(Output(bundle, self.error))
        return self.outputs[-1]


def shell(module="ipykernel.zmqshell", **attributes):
    return type("Shell", (), {"__module__": module, **attributes})()


@pytest.fixture
def notebook(monkeypatch):
    return Notebook(monkeypatch, shell(kernel=object()))


def lines(*done):
    progress = np.zeros(len(done), Progress)
    progress["done"] = done
    return progress


@pytest.fixture
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


@pytest.mark.nojit  # long as plain Python
def test_a_run_is_one_output_that_ends_as_the_run_did(notebook, quiet, capsys):
    trace = nb.sample(eight_schools(), **RUN)
    off = nb.sample(eight_schools(), **RUN, progressbar=False)
    assert trace["eta"].tobytes() == off["eta"].tobytes()
    (output,) = notebook.outputs
    first, *_, last = output.shown
    assert set(first) == {"text/plain", "text/html"}
    assert last["text/plain"].startswith("2 chains: 60 of 60 draws after ")
    assert "chain 1  30/30  " in last["text/plain"]
    page = read(last["text/html"])
    assert page.attributes("progress") == [{"value": "30", "max": "30", "style": "width:160px"}] * 2
    assert "2 chains: 60 of 60 draws after" in page.text
    assert "\r" not in capsys.readouterr().err


@pytest.mark.nojit  # long as plain Python
def test_each_run_has_its_own_output(notebook, quiet):
    for _ in range(2):
        nb.sample(eight_schools(), **RUN)
    nb.fit(10, model=eight_schools(), random_seed=1)
    assert [output.shown[-1]["text/plain"].split()[0] for output in notebook.outputs] == ["2", "2", "mean_field"]


@pytest.mark.nojit  # long as plain Python
def test_off_is_no_output_and_a_function_stands_above_it(notebook, quiet):
    told = []
    nb.sample(eight_schools(), **RUN, progressbar=False)
    nb.sample(eight_schools(), **RUN, progressbar=told.append)
    assert told[-1].last
    assert notebook.outputs == []


@pytest.mark.nojit  # long as plain Python
@pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
def test_a_page_that_fails_is_dropped_with_a_warning_at_the_users_line(notebook):
    notebook.error = OSError("no page")
    with pytest.warns(NbinferWarning, match="progressbar raised OSError: no page. It is not called again") as found:
        trace = nb.sample(eight_schools(), **RUN)
    assert len(trace) == 20
    assert [warning.filename for warning in found if warning.category is NbinferWarning] == [__file__]


def test_many_chains_are_one_line(notebook):
    display = display_of_chains(True, range(17), 10, 20)
    display.update(lines(*range(3, 20)))
    display.close()
    (output,) = notebook.outputs
    page = read(output.shown[-1]["text/html"])
    assert [bar["value"] for bar in page.attributes("progress")] == ["3"]
    assert "17 chains" in page.text
    assert "7 in warm-up, mean 11" in page.text


def test_what_nobody_knows_the_end_of_has_no_bar(notebook):
    counter = counter_for(True, "evaluation")
    counter.update(7, "logp -2")
    counter.close()
    (output,) = notebook.outputs
    assert read(output.shown[-1]["text/html"]).attributes("progress") == []
    assert output.shown[-1]["text/plain"].startswith("evaluations  7  after ")
    assert output.shown[-1]["text/plain"].endswith("; logp -2")


def test_a_state_in_words():
    jobs = (Job("chain 0", 40, "warm-up"), Job("chain 10", 100, "<b> & done"))
    moment = Moment(jobs, 100, "draw", 20.0, False)
    assert as_text(moment).splitlines() == [
        "2 chains: 140 of 200 draws after 20 s, about 8.6 s left",
        "chain 0    40/100  warm-up",
        "chain 10  100/100  <b> & done",
    ]
    assert "<b> & done" in read(as_html(moment)).text
    assert (
        as_text(Moment(jobs[:1], 100, "draw", 7200.0, False)) == "chain 0  40/100  after 2 h, about 3 h left; warm-up"
    )
    longer = Moment(jobs, 100, "draw", 20.0, True, "ESS 410 of 400")
    assert as_text(longer).count("ESS 410 of 400") == read(as_html(longer)).text.count("ESS 410 of 400") == 1
    assert as_text(Moment((), 100, "draw", 400.0, True)) == "0 draws after 6.67 min"


def test_where_no_page_is(monkeypatch):
    assert page() is None  # as the tests run
    Notebook(monkeypatch, shell())
    assert page() is None  # IPython in a terminal
    Notebook(monkeypatch, None)
    assert page() is None  # IPython was imported, and does not run
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: 1 / 0))
    assert page() is None  # something else


def test_a_window_that_changes_no_output_gets_a_terminals_bars(monkeypatch, capsys):
    notebook = Notebook(monkeypatch, shell("spyder_kernels.console.shell", kernel=object()))
    display = display_of_chains(True, [0, 1], 10, 20)
    assert isinstance(display, Bars)
    display.close()
    assert notebook.outputs == []
    assert "chain 1" in capsys.readouterr().err


@pytest.mark.nojit  # long as plain Python
def test_ipython_is_never_what_a_run_imports(monkeypatch, quiet):
    asked = []

    class Finder:
        def find_spec(self, name, path=None, target=None):
            asked.extend([name] * (name.partition(".")[0] in ("IPython", "ipykernel", "ipywidgets")))

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    nb.sample(eight_schools(), **RUN)
    assert asked == []
