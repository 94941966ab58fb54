"""What is kept of a model is the model's: its content, and not what happened to be around when it was first run."""

import collections
import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.autodiff import ADError, value_and_grad
from nbinfer.compile import Entry, files

pytestmark = pytest.mark.nojit


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Return the folder of an empty cache."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("NBINFER_CACHE_DIR", str(folder))
    monkeypatch.setattr(files, "_REMEMBERED", {})
    files.cache_root.cache_clear()
    yield folder
    files.cache_root.cache_clear()


TEXT = "import numpy as np\ndef logp(p, d):\n    return -0.5 * np.sum((p.x - 1.25) ** 2)\n"


def load(path, text):
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("edited", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bound(logp):
    return nb.Model({"x": nb.real(3)}, logp=logp).bind(1)


def test_where_the_source_was_sought_is_not_kept(root, tmp_path):
    names = {}
    exec(TEXT, names)
    assert bound(names["logp"]).has_gradient == "finite differences"
    assert bound(load(tmp_path / "edited.py", TEXT).logp).has_gradient == "derived"
    assert bound(names["logp"]).has_gradient == "derived"  # by now its derivative is known


def test_a_text_that_was_edited_since_it_was_loaded_is_not_differentiated(root, tmp_path):
    path, text = tmp_path / "edited.py", TEXT.replace("1.25", "3.25")
    old = load(path, text)
    path.write_text(text.replace("3.25", "4.25"))
    with pytest.raises(ADError, match="has changed since it was loaded"):
        value_and_grad(old.logp)(collections.namedtuple("Parameters", "x")(np.zeros(3)), 0.0)
    assert bound(old.logp).has_gradient == "finite differences"
    path.write_text(text + "# longer")
    assert bound(old.logp).has_gradient == "derived"


def count(p, d):
    return np.zeros(int(d.y[5]))


def flat_prior(p, d):
    return -0.5 * p.x**2


def test_facts_of_large_data_depend_on_every_element(root):
    y = np.ones(200_000)
    for n in (1.0, 3.0):
        y[5] = n
        model = nb.Model({"x": nb.real()}, logp=flat_prior, data={"y": y}, derived={"count": count})
        assert model.bind(1).columns[-1].shape == (int(n),)


SCRIPT = """
import sys, warnings
import numpy as np
import nbinfer as nb
from nbinfer.compile import Entry
def prior(p, d):
    return -0.5 * p.x**2
def likelihood(p, d):
    return -0.5 * (d.y - p.x) ** 2
def twice(p, d):
    return 2.0 * p.x
y = np.arange(3.0)
model = nb.Model({"x": nb.positive()}, prior=prior, likelihood=likelihood, data={"y": y}, derived={"t": twice})
bound = model.bind(1)
bound.record
print(*bound.value_and_grad([0.5]), len(Entry.compiled), "numba" in sys.modules)
"""


def run(folder, script):
    environment = {**os.environ, "NBINFER_CACHE_DIR": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_files_of_every_kind_are_repaired_once(tmp_path):
    script, folder = tmp_path / "script.py", tmp_path / "cache"
    script.write_text(SCRIPT)
    wanted = run(folder, script).removesuffix(" 3 True")
    found = sorted(path for path in folder.glob("*/**/*") if path.is_file())
    assert {path.suffix for path in found} >= {".json", ".object", ".py"}
    assert {path.parent.name for path in found} >= {"facts", "derived", "kernels"}
    for path in found:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert run(folder, script) == f"{wanted} 3 True"  # density, record, and what has arenas grow
    for path in found:
        assert files_are_whole(path)
    assert run(folder, script) == f"{wanted} 0 False"


def files_are_whole(path):
    content = path.read_bytes()
    head, _, body = content.partition(b"\n")
    return head + b"\n" == files._head(path, body)


def test_a_model_runs_without_any_cache(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    (tmp_path / "in the way").write_text("x")
    assert run(tmp_path / "in the way", script).endswith(" 3 True")
    assert Entry.compiled is not None
