"""The gallery: its scripts run, their reports find no problem, and they make the pictures that the page shows."""

import importlib.util
import re
from pathlib import Path

import pytest

import nbinfer as nb

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def gallery():
    spec = importlib.util.spec_from_file_location("make_gallery", DOCS / "make_gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_ten_scripts_and_each_shows_a_picture(gallery):
    scripts = gallery.scripts()
    assert len(scripts) == 10
    saved = [re.findall(r'savefig\("([\w.]+)"', text) for text in scripts.values()]
    assert all(saved)
    assert [name for names in saved for name in names] == gallery.pictures()


@pytest.mark.nojit
@pytest.mark.filterwarnings("ignore::nbinfer.errors.ComparisonWarning")  # the page says which birds, and why
def test_the_scripts_make_the_pictures_and_nothing_is_wrong_with_their_runs(gallery, tmp_path):
    ran = {}
    for heading, found in gallery.run(tmp_path):
        kinds = (nb.Trace, nb.Approximation)
        ran[heading] = [one.report for one in found.values() if isinstance(one, kinds)]
    assert list(ran) == list(gallery.scripts())
    assert all(ran.values())
    assert [str(report) for reports in ran.values() for report in reports if report.problems] == []
    assert [name for name in gallery.pictures() if (tmp_path / name).stat().st_size < 10_000] == []
