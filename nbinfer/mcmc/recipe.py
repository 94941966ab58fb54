"""The recipe of a run: all that rebuilds it in another process, as text, with what it must fit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nbinfer.engine.backends import CPU
from nbinfer.engine.recipe import CHAINS, packed, unpacked, unreadable
from nbinfer.engine.step import StepMethod
from nbinfer.engine.written import Text, foreign_in, text_of, title_of, unlike, value_of
from nbinfer.errors import ResumeError

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
    superchains : int
        Groups of chains that follow each other and begin at equal points; 1: none.
    backend : str
        Where the chains are drawn, see `nbinfer.engine.backends`.
    goal : list or None
        What ends the run, see `nbinfer.mcmc.length.Goal`; None: the number of draws.
    """

    tune: int
    auto: bool
    numbers: list[int]
    keys: list[list[int]]
    seeds: list[Any]
    kept: list[str] | None = None
    discard: bool = True
    record: bool = True
    superchains: int = 1
    backend: str = CPU
    goal: Sequence[Any] | None = None


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
        See `nbinfer.engine.recipe.versions`.
    plan : str
        Fingerprint of the layout of the chains' state.
    """

    run: Run
    steps: list[tuple[Text, list[str]]]
    model: dict[str, str]
    versions: dict[str, str]
    plan: str


def recipe_of(definition: Any, assigned: Assigned, run: Run, plan: str) -> str:
    """Write a recipe."""
    steps = [[text_of(method), list(names)] for method, names in assigned]
    return packed(CHAINS, definition, plan, run=run._asdict(), steps=steps)


def with_run(recipe: str, run: Run) -> str:
    """Return a recipe of a run that is asked for something else from now on."""
    return json.dumps(json.loads(recipe) | {"run": run._asdict()})


def read_recipe(notes: Mapping[str, str]) -> Recipe:
    """Read the recipe among the notes of a store.

    Raises
    ------
    ResumeError
        If there is none, or one of another format.
    """
    text = unpacked(notes)
    try:
        steps = [(step, names) for step, names in text["steps"]]
        return Recipe(Run(**text["run"]), steps, text["model"], text["versions"], text["plan"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise unreadable(error) from None


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
