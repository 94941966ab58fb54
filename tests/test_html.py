"""What notebooks show: well-formed, escaped, small, and without a trace left behind."""

import ast
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import nbinfer as nb
from nbinfer import html
from nbinfer.checks.result import Calibration
from nbinfer.diagnostics import check
from nbinfer.diagnostics.problem import Findings, Kind, Problem
from nbinfer.trace import Trace, TraceGroup
from nbinfer.trace.prior import Prior
from nbinfer.variational.pathfinder.report import PathfinderReport, PathReport
from nbinfer.variational.report import FitReport
from tests.html import read

NASTY = "<b>'&\"</td><script>alert(1)</script>"


def logp(p, d):
    return -0.5 * p.mu**2


def draws(*names, shape=()):
    return {name: np.random.default_rng(i).normal(size=(4, 20, *shape)) for i, name in enumerate(names)}


def problems(word):
    return [Problem(Kind.DIVERGENCES, 3, (0,), f"{word} diverged")]


def approximation(word):
    found = nb.MeanField(model=nb.Model({"mu": nb.real()}, logp=logp, name=word))
    found.report = FitReport(10, False, None, 0, "path", 0.9, word, "mean_field", more=tuple(problems(word)))
    return found


def calibration(word):
    found = Calibration(30)
    for _ in range(30):
        found.add({word: (np.float64(0.001), 9)}, [])
    found.failed.append((3, word))
    return found.closed()


def elpds(*names):
    rng = np.random.default_rng(1)
    return {name: nb.loo({"y": -0.5 * rng.normal(size=(4, 200, 10)) ** 2}) for name in names}


#: Everything with a page, made with a word in it.
SHOWN = {
    "model": lambda word: nb.Model({"mu": nb.real()}, logp=logp, name=word),
    "flat model": lambda word: nb.Model.flat(lambda x: -0.5 * x @ x, dim=2, compile=False, name=word),
    "trace": lambda word: Trace(draws(word), {word: np.zeros((4, 20))}),
    "trace with a report": lambda word: reported(Trace(draws(word)), Findings(problems(word), [], "")),
    "prior": lambda word: Prior(draws(word), predictive=TraceGroup("prior_predictive", draws(word))),
    "group": lambda word: TraceGroup("predictions", draws(word)),
    "summary": lambda word: nb.summary(draws(word, "mu")),
    "report": lambda word: check(draws(word)),
    "problems": lambda word: Findings(problems(word), [word], ""),
    "no problems": lambda word: Findings([], [word], "All is well."),
    "comparison": lambda word: nb.compare(elpds(word, "other")),
    "fit": approximation,
    "report of a fit": lambda word: approximation(word).report,
    "report of paths": lambda word: PathfinderReport((PathReport(0, reason=word),), khat=0.9, note=word),
    "calibration": calibration,
    "bars": lambda word: type("", (), {"_repr_html_": lambda self: html.bars(word, [(word, 3, 10, word)])})(),
}


def reported(trace, report):
    trace.report = report
    return trace


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")
def test_a_page_is_well_formed_and_escaped(name):
    made = SHOWN[name](NASTY)
    page = read(made._repr_html_())
    assert NASTY in page.text
    if name != "bars":
        assert "<td>" not in repr(made)  # the text stays a text


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")
def test_a_page_changes_nothing(name):
    made = SHOWN[name]("mu")

    def state():
        filters, options = list(warnings.filters), repr(np.get_printoptions())
        return filters, options, str(np.random.get_state()), "" if name == "bars" else repr(made)  # noqa: NPY002

    before = state()
    assert made._repr_html_() == made._repr_html_()
    assert state() == before


def test_a_verdict_has_a_mark_and_words():
    bad, good = (read(SHOWN[name]("mu")._repr_html_()) for name in ("problems", "no problems"))
    marks = [{style for style in map(str, page.attributes("div")) if "border-left" in style} for page in (bad, good)]
    assert marks[0] != marks[1]
    assert "1 problem found:" in bad.text
    assert bad.count("li") == 1
    assert good.count("li") == 0


# A thousand variables

MANY = [f"parameter_{i:04d}" for i in range(1000)]


def of_many():
    yield nb.Model({name: nb.real() for name in MANY}, logp=lambda p, d: 0.0, data={f"d{i}": i for i in range(1000)})
    yield Trace(draws(*MANY), {name: np.zeros((4, 20)) for name in MANY[:50]})
    yield TraceGroup("predictions", draws(*MANY))
    yield nb.summary(draws(*MANY))
    yield check(draws(*MANY))
    yield nb.MeanField(model=nb.Model({name: nb.real() for name in MANY}, logp=lambda p, d: 0.0))
    yield PathfinderReport(tuple(PathReport(i, 5, 5, 5, 1) for i in range(1000)))


@pytest.mark.nojit
def test_pages_of_a_thousand_variables_are_small():
    sizes = {type(made).__name__: len(made._repr_html_().encode()) for made in of_many()}
    assert {name: size for name, size in sizes.items() if size > 100_000} == {}
    assert len(sizes) == 7


@pytest.mark.nojit
def test_what_is_left_out_is_told():
    model, trace, _, table, *_ = of_many()
    text = read(model._repr_html_()).text
    for more in ("… and 980 more parameters", "… and 980 more entries of the data"):
        assert more in text
    assert "logp" in text
    assert "… and 980 more variables" in read(trace._repr_html_()).text
    text = read(table._repr_html_()).text
    assert text.count("parameter_") == html.MOST_ROWS + 2
    worst = max(MANY[60:], key=lambda name: table["rhat", name])
    assert f"… and 940 more rows, rhat up to {table['rhat', worst]:.3f} ({worst}), ess_bulk from " in text
    assert nb.summary(draws("a"))._repr_html_().count("…") == 0


@pytest.mark.nojit
def test_only_rows_that_are_shown_are_written(monkeypatch):
    table = nb.summary(draws("x", shape=(2000,)))
    written = []
    monkeypatch.setattr(
        sys.modules["nbinfer.diagnostics.summary"], "_write", lambda value, digits: written.append(value) or "0.0"
    )
    read(table._repr_html_())
    assert len(written) <= html.MOST_ROWS * len(table.columns)


class Unread:
    """An array of which nobody may read anything but what it is."""

    ndim, shape, dtype = 3, (4, 20, 7), np.dtype(float)


def test_no_draw_is_read():
    trace = Trace(draws("mu"), {"lp": np.zeros((4, 20))})
    trace.posterior = {"mu": Unread()}
    trace.sample_stats = {"lp": Unread()}
    assert "(7,)" in read(trace._repr_html_()).text


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not list open files")
def test_no_file_stays_open(tmp_path):
    Trace(draws("mu"), {"lp": np.zeros((4, 20))}).save(tmp_path / "run.nc")
    trace = nb.load(tmp_path / "run.nc")
    before = sorted(Path("/proc/self/fd").iterdir())
    read(trace._repr_html_())
    assert len(sorted(Path("/proc/self/fd").iterdir())) == len(before)


# One room


def test_one_room_writes_html():
    """Others hand it text; so nothing is escaped twice, or not at all."""
    root = Path(html.__file__).parent
    tag = re.compile(r"</?(?:div|p|strong|ul|li|table|thead|tbody|tr|th|td|span|br|style|pre)\b[^<]*>")
    found = [
        f"{path.relative_to(root)}:{node.lineno}: {node.value[:40]!r}"
        for path in sorted(root.rglob("*.py"))
        if path != Path(html.__file__) and tag.search(path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and tag.search(node.value)
    ]
    assert found == []
