"""Recipes: what rebuilds a run in another process, as text among its notes, and whether it fits there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nbinfer._version import __version__
from nbinfer.compile import JIT
from nbinfer.errors import ResumeError
from nbinfer.model.fingerprint import differences, parts_of

#: Form of the text; a program reads its own only.
FORMAT = 1

#: Kinds of runs.
CHAINS, FIT = "chains", "fit"

#: Name of the note that holds it.
NOTE = "recipe"


def packed(kind: str, definition: Any, plan: str, **parts: Any) -> str:
    """Write a recipe.

    Parameters
    ----------
    kind : str
        Of run.
    definition : Definition
        Of the model.
    plan : str
        Fingerprint of the layout of its state.
    **parts : object
        What else there is to it, as JSON has it.
    """
    always = {"model": parts_of(definition), "versions": versions(), "plan": plan}
    return json.dumps({"format": FORMAT, "kind": kind} | parts | always)


def is_of_fit(notes: Mapping[str, str]) -> bool:
    """Tell whether the notes of a store are those of a fit."""
    return NOTE in notes and unpacked(notes).get("kind") == FIT


def unpacked(notes: Mapping[str, str]) -> dict[str, Any]:
    """Read the recipe among the notes of a store.

    Raises
    ------
    ResumeError
        If there is none, or one of another format.
    """
    if NOTE not in notes:
        raise ResumeError("path holds no recipe of a run, which nb.sample and nb.fit write: it cannot be gone on with.")
    try:
        text = json.loads(notes[NOTE])
        made = text["format"], text.get("versions", {}).get("nbinfer", "another version")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise unreadable(error) from None
    if made[0] != FORMAT:
        raise ResumeError(
            f"path is of format {made[0]}, written by nbinfer {made[1]}; this is nbinfer {__version__}, which "
            f"goes on with format {FORMAT}. Its draws can be loaded; to go on, install that version."
        )
    return dict(text)


def unreadable(error: Exception) -> ResumeError:
    """Return what to raise of a recipe that makes no sense."""
    return ResumeError(f"the recipe of the run in path cannot be read: {error!r}.")


def versions() -> dict[str, str]:
    """Return what besides model and steps may change a draw's last bits: the programs, and the processor.

    Numba's linear algebra calls the LAPACK that SciPy brings.
    """
    import importlib.metadata
    import platform

    import llvmlite.binding as llvm

    tools = {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "numba", "llvmlite")}
    processor = {"processor": llvm.get_host_cpu_name(), "compiled": str(bool(JIT))}
    return {"nbinfer": __version__, "python": platform.python_version()} | tools | processor


def with_versions(recipe: str) -> str:
    """Return a recipe with the versions that are in use here."""
    return json.dumps(json.loads(recipe) | {"versions": versions()})


def check_model(recipe: Any, definition: Any) -> None:
    """Raise ResumeError if a model is another one than that of the recipe; it says what differs.

    Parameters
    ----------
    recipe : object
        With the `model` and the `versions` of a recipe.
    definition : Definition
        Of the model.
    """
    old, new = (v.get("python", "").rpartition(".")[0] for v in (recipe.versions, versions()))
    if old != new:
        raise ResumeError(
            f"the run was made with Python {old}, this is Python {new}, in which functions cannot be compared with "
            f"those of the run; go on with Python {old}."
        )
    found = differences(recipe.model, parts_of(definition))
    if found:
        raise ResumeError("model is not that of the run; before -> now: " + "; ".join(found) + ".")


def newer(recipe: Any) -> list[str]:
    """Return which versions are others than those of the recipe: ``numpy 2.1.0 -> 2.1.1``."""
    now = versions()
    return [f"{name} {old} -> {now.get(name, 'none')}" for name, old in recipe.versions.items() if now.get(name) != old]


def why_other(news: Sequence[str]) -> str:
    """Return why a run that is computed once more may come out another way.

    Parameters
    ----------
    news : sequence of str
        Versions that are others than the run's.
    """
    if news:
        return f"versions differ, {'; '.join(news)}"
    return "the file is damaged, or the model has changed in a way that nothing shows, as a C function may"


def entropy_of(sequence: np.random.SeedSequence) -> Any:
    """Return what a seed sequence is made of, as ints and lists of them."""
    entropy: Any = sequence.entropy
    whole = [int(e) for e in entropy] if isinstance(entropy, Sequence | np.ndarray) else int(entropy)
    return [whole, *map(int, sequence.spawn_key)] if sequence.spawn_key else whole
