"""Runs and fits with views: what is on the screen, and that nothing else is different."""

import concurrent.futures
import sys
import threading
import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.engine.driver import run_here
from nbinfer.engine.progress import Bars
from nbinfer.live.asked import Asked
from nbinfer.live.draws import Draws
from nbinfer.live.iterations import Losses, Particles
from nbinfer.live.sparks import BLOCKS
from nbinfer.live.terminal import Log, Terminal
from nbinfer.live.watched import watched
from nbinfer.trace.store import MemoryStore
from tests.live.screens import Notebook, terminal
from tests.live.test_rows import Scene, draws
from tests.mcmc.kept import begun
from tests.mcmc.models import eight_schools

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
RUN = dict(chains=2, random_seed=3)
KINDS = {"sample": lambda **more: nb.sample(eight_schools(), 30, 20, **RUN, **more)["eta"]}
KINDS["advi"] = lambda **more: nb.fit(60, model=eight_schools(), random_seed=1, **more).hist
SOME = ["sample", *(pytest.param(kind, marks=pytest.mark.nojit) for kind in ("advi", "svgd"))]  # k-hat takes long
FEW = dict(method="svgd", inf_kwargs={"n_particles": 12}, random_seed=1)
KINDS["svgd"] = lambda **more: nb.fit(5, model=eight_schools(), **FEW, **more).histogram


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("kind", SOME)
@pytest.mark.parametrize("columns", [60, 140])
def test_a_terminal_shows_rows_below_the_bars_and_nothing_is_left_behind(kind, columns, monkeypatch):
    monkeypatch.setattr("nbinfer.live.display.SHARE", 0.0)
    monkeypatch.setattr("nbinfer.live.terminal.Terminal.pause", lambda *_: 0.0)
    with terminal(columns) as screen:
        result = KINDS[kind](live_plot=True, live_plot_kwargs={"refresh_every": 1, "var_names": None})
    assert result.tobytes() == KINDS[kind](progressbar=False).tobytes()
    bars = {"sample": 2, "advi": 1, "svgd": 1}[kind]
    labels = {"sample": ["lp", "mu", "tau", "eta[0]", "theta[0]", "theta[1]"], "advi": ["loss"],
              "svgd": ["mu", "tau", "eta[0]", "eta[1]", "eta[2]", "eta[3]"]}[kind]  # fmt: skip
    rows = screen.shown[bars : bars + len(labels)]
    assert screen.wrapped == 0
    assert all("100%" in row for row in screen.shown[:bars])
    assert [row.split()[0] for row in rows][: len(labels) - 2] == labels[: len(labels) - 2]
    assert all(set(row) & set(BLOCKS) for row in rows)
    rest = screen.shown[bars + len(labels) :]
    assert [row for row in rest if row] == [row for row in rest if " quantities; most= and var_names=" in row]
    assert screen.column == 0


def test_rows_are_fewer_on_a_low_screen():
    with terminal(80, lines=9) as screen:
        view = Terminal(above=4)
        scene = Scene([draws(f"x{i}") for i in range(6)], ["chain 0", "chain 1"], "")
        bars = Bars([f"chain {i}" for i in range(4)], 10, "draw", lambda line: "")
        view.begin(scene)
        bars.close()
        view.show(scene, True)
    assert [row.split()[0] for row in screen.shown if row][4:] == ["x0", "x1", "x2"]


def test_a_terminal_needs_no_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)  # of other tests
    with terminal(80) as screen:
        KINDS["sample"](live_plot=True, progressbar=False)
    assert screen.shown[0].startswith("lp")


def test_a_short_run_leaves_no_word_in_a_log(capsys):
    KINDS["sample"](live_plot=True, live_plot_kwargs={"refresh_every": 1})
    assert capsys.readouterr() == ("", "")


def test_a_log_gets_plain_rows(capsys):
    view, scene = Log(), Scene([draws()], ["chain 0", "chain 1"], "1 of 2 quantities")
    view.show(scene, False)
    view.show(scene, True)
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 4)
    assert not set(err) & {"\r", "\x1b"}
    assert view.pause(1.0) >= 10.0


@pytest.mark.parametrize("kind", SOME)
def test_a_notebook_has_one_output_that_is_updated(kind, monkeypatch):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    book = Notebook(monkeypatch)
    result = KINDS[kind](live_plot=True, progressbar=False)
    (output,) = book.outputs.values()
    assert output["image/png"].startswith(b"\x89PNG")
    assert set(output["text/plain"]) & set(BLOCKS)
    assert book.updates >= 1
    assert book.threads == {threading.current_thread()}
    assert result.tobytes() == KINDS[kind](progressbar=False).tobytes()


def test_letters_in_a_notebook(monkeypatch):
    book = Notebook(monkeypatch)
    KINDS["sample"](live_plot="terminal", progressbar=False)
    (output,) = book.outputs.values()
    assert output["image/png"] is None
    assert output["text/plain"].startswith("lp")


def scene_of(sampling, **options):
    names = list(sampling.store.groups["posterior"])
    return Draws(lambda: sampling.store, names, sampling.numbers, sampling.model, Asked("log", **options))


def test_what_is_shown_is_what_the_store_has():
    sampling = begun(eight_schools(), nb.NUTS(), tune=6, draws=20, thin=2)
    look = scene_of(sampling, var_names=["lp", "eta"], most=4)
    assert [len(v) for v in look(sampling.chains.progress).series[0].values] == [0, 0]
    run_here(sampling.chains, 15)
    lp, *eta = look(sampling.chains.progress).series
    groups = sampling.store.groups
    assert [s.label for s in eta] == ["eta[0]", "eta[1]", "eta[2]"]
    assert lp.at[0].tolist() == [0, 1, 2, 3, 4, 5, 7, 9, 11, 13]
    assert lp.values[1][6:].tolist() == groups["sample_stats"]["lp"][1, :4].tolist()
    assert eta[2].values[1].tolist() == groups["posterior"]["eta"][1, :4, 2].tolist()
    assert lp.counted[0].size == eta[0].counted[0].size == 4
    skipped = scene_of(sampling, skip_first=9)(sampling.chains.progress).series[0]
    assert skipped.at[0].tolist() == [9, 11, 13]


def test_many_parameters_and_chains_are_some_of_them():
    model = nb.Model({"x": nb.real(10_000), "y": nb.real()}, logp=lambda p, d: -0.5 * p.x @ p.x - 0.5 * p.y**2,
                     logp_grad=lambda p, d, grad: 0.0)  # fmt: skip
    store = MemoryStore(20, 0, 3000)
    for name, shape in (("x", (10_000,)), ("y", ())):
        store.groups["posterior"][name] = np.lib.stride_tricks.as_strided(
            np.zeros(1), (20, 3000, *shape), [0] * (2 + len(shape))
        )
    look = Draws(lambda: store, ["x", "y"], range(20), model, Asked("log"))
    progress = np.zeros(20, [("done", "i8"), ("skipped", "i8")])
    progress["done"] = 3000
    scene = look(progress)
    assert [s.label for s in scene.series] == ["x[0]", "x[1]", "x[2]", "x[3]", "x[4]", "y"]
    assert scene.note == "6 of 10,001 quantities; most= and var_names= show others; 8 of 20 chains"
    assert all(len(values) == 1000 for values in scene.series[0].values)


def test_losses_are_medians_of_stretches():
    fitting = type("Fitting", (), {"losses": np.arange(5000.0)})
    look = Losses(fitting, Asked("log", skip_first=1000))
    progress = np.array([(4000,)], [("done", "i8")])
    (series,) = look(progress).series
    assert series.values[0][:2].tolist() == [1001.0, 1004.0]
    assert series.at[0][:2].tolist() == [1002, 1005]


def test_particles_are_on_the_scale_of_parameters():
    approx = nb.fit(3, model=eight_schools(), **FEW, progressbar=False)
    scene = Particles(approx, Asked("log", var_names=["tau"]))(np.array([(3,)], [("done", "i8")]))
    found = np.sort(scene.series[0].values[0])
    np.testing.assert_allclose(found, np.sort(approx.evaluate_over_trace("tau")))


def test_files_and_executors_have_views_too(tmp_path, capsys):
    plain = nb.sample(eight_schools(), 8, 4, **RUN, progressbar=False)
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        kinds = [
            {"trace": str(tmp_path / "run.nc")},
            {"trace": nb.SQLite(str(tmp_path / "run"))},
            {"executor": executor},
        ]
        for more in kinds:
            with terminal(100) as screen:
                trace = nb.sample(eight_schools(), 8, 4, live_plot=True, **RUN, **more)
            assert trace["eta"].tobytes() == plain["eta"].tobytes()
            assert sum(bool(set(row) & set(BLOCKS)) for row in screen.shown[2:]) == 6


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("place", ["memory", "file"])
def test_runs_that_get_longer_are_seen_to_their_end(place, tmp_path, monkeypatch):
    scenes = []
    monkeypatch.setattr("nbinfer.live.display.SHARE", 0.0)
    monkeypatch.setattr(Log, "pause", lambda *_: 0.0)
    monkeypatch.setattr(Log, "show", lambda self, scene, last: scenes.append(scene))
    where = {"trace": str(tmp_path / "run.nc")} if place == "file" else {}
    trace = nb.sample(eight_schools(), "auto", 20, target_ess=60, progressbar=False, live_plot=True,
                      live_plot_kwargs={"var_names": "mu", "refresh_every": 1}, **where, **RUN)  # fmt: skip
    assert len(trace) > 75  # the first look is at 75
    (mu,) = scenes[-1].series
    assert [values.tolist() for values in mu.values] == trace["mu"].tolist()


def test_a_callable_and_a_view_are_both_told():
    told = []
    with terminal(80) as screen:
        nb.sample(eight_schools(), 20, 10, progressbar=told.append, live_plot=True, **RUN)
    assert told[-1].last
    assert screen.shown[0].startswith("lp")


@pytest.mark.nojit
def test_two_fits_in_turn_have_one_view():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with terminal(80) as screen:
            nb.fit(60, method="advi->fullrank_advi", model=eight_schools(), random_seed=1, live_plot=True)
    assert sum(row.startswith("loss") for row in screen.shown) == 1


def test_pathfinder_says_that_it_has_none():
    with pytest.raises(TypeError, match="pathfinder takes no live_plot"):
        nb.fit(method="pathfinder", model=eight_schools(), live_plot=True)


def test_a_view_is_a_display():
    view = watched(Bars(["chain 0"], 10, "draw", lambda line: ""), lambda progress: None, Asked("log"))
    assert callable(view.update)
    view.close()
