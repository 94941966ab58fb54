"""The examples of the README and of the documentation run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def blocks(file, language):
    text = (ROOT / file).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


# Those of one page belong together, but for those on embedding; of the two models in the last note one is PyMC's.
EXAMPLES = [
    *blocks("README.md", "python"),
    *blocks("docs/embedding.md", "python"),
    *blocks("docs/missing.md", "python"),
    *blocks("docs/notebooks.md", "python"),
    "".join(blocks("docs/index.md", "python")),
    "".join(blocks("docs/derivatives.md", "python")),
    "".join(blocks("docs/workflow.md", "python")),
    "".join(blocks("docs/variational.md", "python")),
    "".join(blocks("docs/files.md", "python")),
    "".join(blocks("docs/prediction.md", "python")),
    "".join(blocks("docs/names.md", "python")),
    "".join(blocks("docs/report.md", "python")),
    "".join(blocks("docs/checks.md", "python")).replace("sbc(model, 100,", "sbc(model, 5,"),
    "".join(blocks("docs/models.md", "python")),
    "".join(blocks("docs/slow-runs.md", "python")),
    "".join(blocks("docs/live.md", "python")),
    *blocks("docs/many-chains.md", "python"),
    blocks("docs/cuda.md", "python")[0],  # the others want a GPU
    "".join(blocks("docs/coming-from-stan.md", "python")),
    "".join(blocks("docs/coming-from-numpyro.md", "python")),
    "".join(blocks("docs/coming-from-emcee.md", "python")),
    blocks("docs/coming-from-pymc.md", "python")[1],
]


@pytest.mark.nojit
@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example_runs(example, tmp_path):
    script = tmp_path / "example.py"
    script.write_text(example, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, script]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_it_opens_with_two_commands():
    run, test = blocks("README.md", "bash")
    assert run.strip().endswith("-m nbinfer")
    assert test.strip().endswith("-m pytest")
