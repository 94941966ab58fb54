"""Pictures of runs: until the first is due rows of text stand there, and there is always one at the end."""

import io

import numpy as np
import pytest

from nbinfer.live import pictures
from nbinfer.live.asked import Asked
from tests.live.screens import Notebook
from tests.live.test_rows import Scene, draws

matplotlib = pytest.importorskip("matplotlib", reason="pictures need matplotlib")
pytestmark = pytest.mark.either
SCENE = Scene([draws()], ["chain 0", "chain 1"], "1 of 2 quantities")


def test_a_notebook_shows_text_until_a_picture_is_due(monkeypatch):
    book = Notebook(monkeypatch)
    view = pictures.Notebook(Asked("notebook"))

    def now():
        (output,) = book.outputs.values()
        return output["image/png"]

    view.begin(SCENE)
    view.show(SCENE, False)
    assert now() is None
    view._due_worked = 0.0
    view.show(SCENE, False)
    assert now() is None  # on the clock it is not
    view._due = 0.0
    view.show(SCENE, False)
    first = now()
    assert first.startswith(b"\x89PNG")
    view.show(Scene([draws(n=20)], SCENE.chains, SCENE.note), False)
    assert now().startswith(b"\x89PNG")
    assert now() != first


def test_the_last_look_is_a_picture(monkeypatch):
    book = Notebook(monkeypatch)
    view = pictures.Notebook(Asked("notebook"))
    view.begin(SCENE)
    view.show(SCENE, True)
    (output,) = book.outputs.values()
    assert output["image/png"].startswith(b"\x89PNG")


@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
def test_a_window_is_there_at_once_and_gets_its_picture_at_the_end(monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(pyplot, "figure", lambda figsize: matplotlib.figure.Figure(figsize))
    opened, looks = [], []
    monkeypatch.setattr(pyplot, "show", lambda block: opened.append(block))
    monkeypatch.setattr(pictures.Window, "_is_open", property(lambda view: len(looks) < 3))
    view = pictures.Window(Asked("window", figsize=(5.0, 2.0)))

    def look(last):
        view.show(SCENE, last)
        looks.append((len(view._figure.axes), [text.get_text() for text in view._figure.texts]))

    view.begin(SCENE)
    size = tuple(view._figure.get_size_inches())
    look(False)
    look(True)
    assert (opened, size) == ([False], (5.0, 2.0))
    assert looks[0][0] == 0
    assert "1 of 2 quantities" in looks[0][1][0]
    assert looks[1][0] == 2
    assert looks[1][1] == ["1 of 2 quantities"]
    assert tuple(np.asarray(view._figure.get_size_inches())) == size
    looks.append(None)
    view.show(SCENE, True)  # it is closed
    assert not view.idle()


@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
def test_the_text_of_a_window_is_no_formula(monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(pyplot, "figure", lambda figsize: matplotlib.figure.Figure(figsize))
    view = pictures.Window(Asked("window"))
    view.begin(Scene([draws()], SCENE.chains, "price[$5^], price[^$10]"))
    (text,) = view._figure.texts
    assert "price[$5^], price[^$10]" in text.get_text()
    view._figure.savefig(io.BytesIO())
