"""The examples of the page on pictures."""

import re
import runpy
from pathlib import Path

import pytest

from nbinfer import plots

PAGE = (Path(__file__).parents[2] / "docs" / "plots.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.nojit
@pytest.mark.filterwarnings("ignore")  # a fit so short is not to be trusted, and says so
def test_the_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "page.py"  # a file, so that gradients can be derived
    script.write_text("".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)), encoding="utf-8")
    runpy.run_path(str(script))
    assert (tmp_path / "trace.png").stat().st_size > 10_000


def test_every_picture_has_its_paragraph():
    assert set(re.findall(r"^\*\*`(\w+)`\*\*: ", PAGE, re.MULTILINE)) == set(plots.__all__) - {"Panels", "traceplot"}
