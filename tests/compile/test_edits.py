"""Whatever a density depends on: after each edit, what is compiled agrees with plain Python, and nothing is stale."""

import importlib

import pytest

from nbinfer.compile.extensions import Extensions
from nbinfer.compile.fingerprint import fingerprint
from tests.compile.edits import EDITS, KINDS, POSITION, World
from tests.often import often

#: Kinds whose code lives on in the process beyond an edit.
_IN_PROCESS = ["a global of custom_vjp, set", "a tuple of functions, set", "an array of a megabyte, edited in place"]


def content(world):
    """Return the hash of what the model is compiled from; of its function, where no model can be made of it."""
    if not world.kind.compiles:
        return fingerprint(world.module.logp)
    model = world.model()
    return model.definition.content(model.definition.is_written)


def check(world):
    """Require that compiled code and its gradient agree with plain Python."""
    value, grad = world.model().bind(1).value_and_grad(POSITION)
    assert value == pytest.approx(world.plain(POSITION), rel=1e-6)
    h = 1e-5
    slope = (world.plain(POSITION + h) - world.plain(POSITION - h)) / (2.0 * h)
    assert grad[0] == pytest.approx(slope, rel=1e-5)


def test_there_are_forty_kinds():
    assert len(KINDS) >= 40


@pytest.fixture
def forgotten(monkeypatch):
    """Let Numba forget what it is taught, before it compiles with it."""
    typing, lowering = (importlib.import_module(f"numba.core.{n}") for n in ("typing.templates", "imputils"))
    lists = [getattr(typing.builtin_registry, name) for name in ("functions", "attributes", "globals")]
    lists += [getattr(lowering.builtin_registry, name) for name in ("functions", "getattrs")]
    before = [len(items) for items in lists]
    monkeypatch.setattr("nbinfer.compile.fingerprint.EXTENSIONS", Extensions())
    yield
    for items, count in zip(lists, before, strict=True):
        del items[count:]


@pytest.mark.parametrize("name", KINDS)
def test_an_edit_changes_the_content(name, tmp_path, forgotten):
    world = World(name, tmp_path)
    values, digests = set(), set()
    for k in range(1, EDITS + 1):
        world.edit(k)
        values.add(repr(world.plain(POSITION)) if KINDS[name].compiles else k)
        digests.add(content(world))
    assert len(digests) == (KINDS[name].different or len(values))


@pytest.mark.nojit
@pytest.mark.parametrize("name", often(_IN_PROCESS, "a global of custom_vjp, set"))
def test_code_of_the_process_follows(name, tmp_path):
    world = World(name, tmp_path)
    for k in (1, 2):
        world.edit(k)
        check(world)


@pytest.mark.slow
@pytest.mark.nojit
@pytest.mark.parametrize("name", [name for name in KINDS if KINDS[name].compiles])
def test_what_is_compiled_follows_each_edit(name, tmp_path):
    world = World(name, tmp_path)
    for k in (*range(1, EDITS + 1), 1):
        world.edit(k)
        check(world)
