"""What is compiled is found again until something changes that it depends on, and goes when nobody uses it."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nbinfer
from nbinfer.compile import files, keys, store
from nbinfer.compile.store import Place
from tests.often import often
from tests.test_imports import FILES, imports, module_of

pytestmark = pytest.mark.either

PACKAGE = Path(nbinfer.__file__).parent

# ---- keys

KEYS = """
import importlib, json, pkgutil, sys
import numpy as np
import nbinfer as nb
from nbinfer.compile import Entry, Kernel, store
from nbinfer.compile.kept import Kept, can_be_kept
from nbinfer.model.code import stand_ins
from nbinfer.distributions import normal

assert nb.__file__.startswith(sys.argv[1])
for module in pkgutil.walk_packages(nb.__path__, "nbinfer."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
found = {}
for name, module in sorted(sys.modules.items()):
    for value in vars(module).values() if name.startswith("nbinfer.") else ():
        function = getattr(value, "py_func", None)
        label = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"
        if isinstance(value, Entry):
            found["engine", label] = value.place.key
        elif isinstance(value, Kernel) and can_be_kept(function):
            found["kernels", label] = Kept(function, value.options)._place(()).key

def prior(p, d):
    return normal.logpdf(p.x, 0.0, 1.0) + normal.logpdf(np.log(p.s), 0.0, 1.0)

def whole(p, d):
    return -0.5 * p.x**2

def twice(p, d):
    return int(2.0 * p.x)

parameters = {"x": nb.real(), "s": nb.positive()}
read = store.Place.read_json
def noted(place):
    found[place.kind, label] = place.key
    return read(place)
store.Place.read_json = noted
for label, model in (
    ("model", nb.Model(parameters, logp=prior, derived={"twice": twice})),
    ("plain", nb.Model({"x": nb.real()}, logp=whole)),
):
    code = model.bind(1)._code
    found["models", label] = code._module("", stand_ins._NONE).entry("density").place.key
print(json.dumps([[*name, key] for name, key in found.items()]))
"""


def keys_of(folder, *edited, old="", new=""):
    """Return the keys of everything, by kind and name, of a copy of the package with some files edited."""
    shutil.copytree(PACKAGE, folder / "nbinfer", ignore=shutil.ignore_patterns("__pycache__"))
    for file in edited:
        path = folder / "nbinfer" / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(folder), "NBINFER_CACHE_DIR": str(folder / "cache")}
    environment |= {"NUMBA_DISABLE_JIT": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-W", "ignore", "-c", KEYS, str(folder)]
    out = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    assert out.returncode == 0, out.stderr
    return {(kind, name): key for kind, name, key in json.loads(out.stdout)}


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return keys_of(tmp_path_factory.mktemp("usual"))


@pytest.fixture
def changed(usual, tmp_path):
    """Return what tells the names, by kind, whose keys an edit changes."""

    def edit(*files):
        edited = keys_of(tmp_path, *files, old='"""', new='"""Edited. ')
        assert edited.keys() == usual.keys()
        found = {}
        for kind, name in (name for name in usual if usual[name] != edited[name]):
            found.setdefault(kind, set()).add(name)
        return found

    return edit


def test_the_keys_are_of_every_kind(usual):
    assert {kind for kind, _ in usual} == {"engine", "kernels", "models", "facts", "kinds", "derived"}
    assert sum(kind == "engine" for kind, _ in usual) > 20
    assert sum(kind == "kernels" for kind, _ in usual) > 200


def test_what_runs_around_the_chains_changes_no_key(changed):
    assert changed("trace/show.py", "trace/trace.py", "engine/progress.py", "mcmc/sample.py") == {}


def test_the_tree_belongs_to_nuts_alone(changed):
    found = changed("mcmc/hamiltonian/tree.py")
    kernels = found.pop("kernels")
    assert found == {"engine": {"nbinfer.mcmc.hamiltonian.nuts.step"}}
    assert {name.rpartition(".")[0] for name in kernels} <= {f"nbinfer.mcmc.hamiltonian.{m}" for m in ("nuts", "tree")}


def test_what_steps_share_changes_all_steps_and_no_model(changed):
    found = changed("engine/state.py")
    assert {"engine", "kernels"} == found.keys()
    steps = {"hamiltonian.nuts", "hamiltonian.hmc", "walks.slice", "walks.metropolis", "discrete.gibbs"}
    assert {f"nbinfer.mcmc.{name}.step" for name in steps} <= found["engine"]
    assert {"nbinfer.engine.chain.advance", "nbinfer.engine.team.work"} <= found["engine"]


def test_a_distribution_belongs_to_the_models_that_use_it(changed):
    found = changed("distributions/normal.py")
    assert {kind: found[kind] for kind in found.keys() - {"engine", "kernels"}} == {
        kind: {"model"} for kind in ("models", "facts", "kinds", "derived")
    }
    assert "engine" not in found


def test_what_a_distribution_calls_belongs_to_its_models_too(changed):
    assert "model" in changed("vectormath/logarithm.py")["models"]


def test_what_writes_text_makes_facts_and_derivations_anew_and_compiles_nothing_that_reads_the_same(changed):
    found = changed("autodiff/rules.py")
    assert found["derived"] == found["facts"] == {"model", "plain"}
    assert "models" not in found
    assert not any(name.startswith("nbinfer.mcmc.hamiltonian") for name in found.get("engine", ()))


def test_a_transform_belongs_to_models(changed):
    found = changed("model/transforms/elementwise.py")
    assert found["models"] == {"model", "plain"}
    assert "nbinfer.mcmc.hamiltonian.nuts.step" not in found.get("engine", ())


@pytest.mark.parametrize("file", often(["compile/lowered.py", "compile/kernels.py"], "compile/lowered.py"))
def test_the_compiler_belongs_to_everything(changed, usual, file):
    found = changed(file)
    assert {(kind, name) for kind in found for name in found[kind]} == set(usual)


def test_every_import_is_seen():
    """An import that the keys do not see would leave stale code in use."""
    modules = {module_of(path) for path in FILES}
    for path in FILES:
        names = {name for _, name in imports(path, for_types=False)}
        wanted = {name if name in modules else name.rpartition(".")[0] for name in names} & modules
        assert wanted <= keys.imports(module_of(path)), path


def test_what_has_no_text_is_never_found():
    assert keys.sources.__wrapped__("nbinfer.none") != keys.sources.__wrapped__("nbinfer.none")
    assert keys.sources.__wrapped__("nbinfer.random") == keys.sources("nbinfer.random")


# ---- what goes


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Return the folder of an empty cache that keeps up to 1000 bytes."""
    monkeypatch.setenv("NBINFER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "_REMEMBERED", {})
    monkeypatch.setattr(files, "_USED", set())
    monkeypatch.setattr(store, "_MOST", 1000)
    files.cache_root.cache_clear()
    yield tmp_path / "cache"
    files.cache_root.cache_clear()


DAY = 86400.0


def kept(key, age, size=0, kind="models"):
    """Keep something that was used last some days ago, by another process."""
    place = Place(kind, key)
    place.write(bytes(size))
    files._USED.clear()
    os.utime(place.path, (time.time() - age * DAY,) * 2)
    return place


def look(root):
    """Prune, whenever that was done last."""
    (root / "pruned").unlink(missing_ok=True)
    store.prune()


def test_what_nobody_uses_goes(root):
    old, new = kept("a/model.py", 91.0), kept("b/model.py", 89.0)
    look(root)
    assert not old.path.parent.exists()
    assert new.path.exists()


def test_beyond_the_most_the_longest_unused_goes(root):
    places = [kept(f"{age}", age, 300, "engine") for age in (3.0, 1.0, 5.0, 2.0)]
    look(root)
    assert [place.path.exists() for place in places] == [False, True, False, True]  # each with a line before it
    assert sum(path.stat().st_size for path in (root / "engine").iterdir()) <= 1000


def test_reading_is_use(root):
    place = kept("a", 91.0, kind="engine")
    assert place.read() == b""
    files._USED.clear()  # another process prunes
    look(root)
    assert place.path.exists()


def test_what_this_process_uses_stays(root):
    place = kept("a", 91.0, kind="engine")
    files._USED.add(place.path)
    look(root)
    assert place.path.exists()


@pytest.mark.skipif(files.fcntl is None, reason="no locks here")
def test_what_another_process_makes_stays(root):
    place = kept("a", 91.0, kind="engine")
    hold = "import sys, time\nfrom nbinfer.compile.store import Place\nwith Place('engine', 'a').alone() as alone:\n"
    hold += "    print(alone, flush=True)\n    sys.stdin.read()"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", hold]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as other:
        assert other.stdout.readline() == "True\n"
        look(root)
        assert place.path.exists()
        other.stdin.close()
    look(root)
    assert not place.path.exists()


def test_what_is_not_ours_stays(root, tmp_path):
    kept("a", 91.0, kind="engine")
    outside = tmp_path / "outside"
    outside.mkdir()
    notes = [root / "notes", root / "engine" / "notes", root / "mine" / "b", outside / "c"]
    (root / "mine").mkdir()
    for path in notes:
        path.write_bytes(b"# nbinfer 2 " if path.parent != root / "engine" else b"notes")
        os.utime(path, (0, 0))
    if os.name != "nt":
        (root / "models").symlink_to(outside)
        (root / "engine" / "link").symlink_to(outside / "c")
    look(root)
    assert [path.exists() for path in notes] == [True] * 4
    assert not Place("engine", "a").path.exists()


def test_what_cannot_be_read_hides_nothing(root, monkeypatch):
    places = [kept(f"{k}", 91.0, kind="engine") for k in range(3)]
    is_ours = files.is_ours

    def refuse(entry):
        if next(refused, False):
            raise PermissionError(13, "Permission denied")
        return is_ours(entry)

    refused = iter([True])  # whichever is listed first
    monkeypatch.setattr(files, "is_ours", refuse)
    look(root)
    assert sorted(place.path.exists() for place in places) == [False, False, True]


def test_it_is_done_once_a_day(root):
    place = kept("a", 91.0, kind="engine")
    store.prune()  # writing that did already
    assert place.path.exists()
    os.utime(root / "pruned", (time.time() - 2.0 * DAY,) * 2)
    Place("engine", "b").write(b"")
    assert not place.path.exists()


def test_a_cache_that_cannot_be_written_to_loses_nothing(root, monkeypatch):
    place = kept("a", 91.0, kind="engine")
    (root / "pruned").unlink()

    def refuse(path, content):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(files, "_write", refuse)
    store.prune()
    assert place.path.exists()


def test_what_cannot_be_removed_ends_no_run(root, monkeypatch):
    place = kept("a", 91.0, kind="engine")

    def refuse(path, **named):
        raise PermissionError(13, "Permission denied")

    (root / "pruned").unlink()
    monkeypatch.setattr(Path, "unlink", refuse)
    store.prune()
    assert place.path.exists()
