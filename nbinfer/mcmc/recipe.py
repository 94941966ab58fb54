"""The recipe of a run: all that rebuilds it in another process, as text, with what it must fit."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nbinfer._version import __version__
from nbinfer.compile import JIT
from nbinfer.engine.step import StepMethod
from nbinfer.errors import ResumeError
from nbinfer.mcmc.written import Text, foreign_in, text_of, title_of, unlike, value_of
from nbinfer.model.fingerprint import differences, parts_of

#: Form of the text; a program reads its own only.
FORMAT = 1

#: Name of the note that holds it.
NOTE = "recipe"

Assigned = Sequence[tuple[StepMethod, list[str]]]


class Run(NamedTuple):
    """What a run was asked for, beside its model and steps.

    Attributes
    ----------
    tune : int
        Iterations of warm-up, at most.
    auto : bool
        Whether warm-up ends as soon as it may.
    numbers : list of int
        Of the chains.
    keys : list of list of int
        Their keys of random streams.
    seeds : list
        What the user gave for them.
    kept : list of str or None
        Names that are stored; None: all.
    discard : bool
        Whether draws of warm-up are dropped.
    record : bool
        Whether anything is stored.
    """

    tune: int
    auto: bool
    numbers: list[int]
    keys: list[list[int]]
    seeds: list[Any]
    kept: list[str] | None = None
    discard: bool = True
    record: bool = True


class Recipe(NamedTuple):
    """A recipe as it was read.

    Attributes
    ----------
    run : Run
    steps : list of (text, list of str)
        Texts of step methods with their variables.
    model : dict of str to str
        See `nbinfer.model.fingerprint.parts_of`.
    versions : dict of str to str
        See `versions`.
    plan : str
        Fingerprint of the layout of the chains' state.
    """

    run: Run
    steps: list[tuple[Text, list[str]]]
    model: dict[str, str]
    versions: dict[str, str]
    plan: str


def versions() -> dict[str, str]:
    """Return what besides model and steps may change a draw's last bits: the programs, and the processor."""
    import llvmlite.binding as llvm

    tools = {name: importlib.metadata.version(name) for name in ("numpy", "numba", "llvmlite")}
    processor = {"processor": llvm.get_host_cpu_name(), "compiled": str(bool(JIT))}
    return {"nbinfer": __version__, "python": platform.python_version()} | tools | processor


def recipe_of(definition: Any, assigned: Assigned, run: Run, plan: str) -> str:
    """Write a recipe."""
    steps = [[text_of(method), list(names)] for method, names in assigned]
    parts = {"run": run._asdict(), "steps": steps, "model": parts_of(definition)}
    return json.dumps({"format": FORMAT, **parts, "versions": versions(), "plan": plan})


def with_versions(recipe: str) -> str:
    """Return a recipe with the versions that are in use here."""
    return json.dumps(json.loads(recipe) | {"versions": versions()})


def read_recipe(notes: Mapping[str, str]) -> Recipe:
    """Read the recipe among the notes of a store.

    Raises
    ------
    ResumeError
        If there is none, or one of another format.
    """
    if NOTE not in notes:
        raise ResumeError("path holds no recipe of a run, which nb.sample writes: it cannot be gone on with.")
    try:
        text = json.loads(notes[NOTE])
        if text["format"] != FORMAT:
            made = text.get("versions", {}).get("nbinfer", "another version")
            raise ResumeError(
                f"path is of format {text['format']}, written by nbinfer {made}; this is nbinfer {__version__}, which "
                f"goes on with format {FORMAT}. Its draws can be loaded; to go on, install that version."
            )
        steps = [(step, names) for step, names in text["steps"]]
        return Recipe(Run(**text["run"]), steps, text["model"], text["versions"], text["plan"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ResumeError(f"the recipe of the run in path cannot be read: {error!r}.") from None


def check_model(recipe: Recipe, definition: Any) -> None:
    """Raise ResumeError if a model is another one than that of the recipe; it says what differs."""
    old, new = (v.get("python", "").rpartition(".")[0] for v in (recipe.versions, versions()))
    if old != new:
        raise ResumeError(
            f"the run was made with Python {old}, this is Python {new}, in which functions cannot be compared with "
            f"those of the run; go on with Python {old}."
        )
    found = differences(recipe.model, parts_of(definition))
    if found:
        raise ResumeError("model is not that of the run; before -> now: " + "; ".join(found) + ".")


def newer(recipe: Recipe) -> list[str]:
    """Return which versions are others than those of the recipe: ``numpy 2.1.0 -> 2.1.1``."""
    now = versions()
    return [f"{name} {old} -> {now.get(name, 'none')}" for name, old in recipe.versions.items() if now.get(name) != old]


def steps_of(recipe: Recipe, given: Sequence[StepMethod]) -> list[tuple[StepMethod, list[str]]]:
    """Return the steps of a recipe with their variables; those that hold a user's code are among the given ones.

    Raises
    ------
    ResumeError
        If one is missing, or one that is given is no step of the run; it says what differs.
    """
    texts = [text_of(method) for method in given]
    for text in texts:
        if all(text != before for before, _ in recipe.steps):
            raise ResumeError(_no_step(text, [before for before, _ in recipe.steps]))
    found: dict[str, StepMethod] = {}
    for text, _ in recipe.steps:
        key = json.dumps(text)
        if key in found:
            continue
        if text in texts:
            found[key] = given[texts.index(text)]
        elif foreign_in(text):
            held = ", ".join(dict.fromkeys(foreign_in(text)))
            raise ResumeError(
                f"step: {title_of(text)} holds what no file keeps, {held}; pass the step again, "
                f"step={title_of(text).partition('(')[0]}(...)."
            )
        else:
            found[key] = _rebuilt(text)
    return [(found[json.dumps(text)], list(names)) for text, names in recipe.steps]


def _rebuilt(text: Text) -> StepMethod:
    try:
        step: StepMethod = value_of(text)
    except (ValueError, TypeError, KeyError) as error:
        raise ResumeError(f"step: {title_of(text)} of the run cannot be made here: {error}.") from error
    return step


def _no_step(text: Text, recorded: list[Text]) -> str:
    """Say how a step that is given differs from the nearest of a run."""
    same = [before for before in recorded if before["step"] == text["step"]]
    same.sort(key=lambda before: before["settings"].get("vars") != text["settings"].get("vars"))
    if not same:
        names = ", ".join(dict.fromkeys(map(title_of, recorded)))
        return f"step: {title_of(text)} is no step of the run, which has {names}; pass those, or leave step out."
    changes = "; ".join(unlike(same[0], text))
    return f"step: {title_of(text)} differs from that of the run; before -> now: {changes}."


def entropy_of(sequence: np.random.SeedSequence) -> Any:
    """Return what a seed sequence is made of, as ints and lists of them."""
    entropy: Any = sequence.entropy
    whole = [int(e) for e in entropy] if isinstance(entropy, Sequence | np.ndarray) else int(entropy)
    return [whole, *map(int, sequence.spawn_key)] if sequence.spawn_key else whole
