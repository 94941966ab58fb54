"""The recipe of a fit: what it was asked for, and what it is made of, to make it again and to tell it from others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nbinfer.compile.files import file_digest
from nbinfer.engine.recipe import FIT, packed, unpacked, unreadable
from nbinfer.engine.written import Text, brief, foreign_in, text_of, value_of
from nbinfer.errors import ResumeError, StreamingError
from nbinfer.model.fingerprint import differences
from nbinfer.streaming import Minibatch
from nbinfer.variational.optimizers.wrappers import rule_of
from nbinfer.variational.steps import ObjectiveUpdates

#: Attributes of an operator that no result depends on, or that are told elsewhere.
_APART = ("approx", "workers")


class Recipe(NamedTuple):
    """A recipe as it was read.

    Attributes
    ----------
    n, begun : int
        Iterations, and those of earlier fits of the approximation.
    seed : dict
        Entropy and spawn key of the approximation's seed.
    method : text or None
        What `nbinfer.fit` was asked for; None if the inference was an object.
    options, optimizer, callbacks : text
        What `Inference.fit` was given.
    parts : dict of str to str
        See `parts_of`.
    model, versions, plan : object
        See `nbinfer.engine.recipe`.
    """

    n: int
    begun: int
    seed: dict[str, Any]
    method: Text
    options: dict[str, Text]
    optimizer: Text
    callbacks: list[Text]
    parts: dict[str, str]
    model: dict[str, str]
    versions: dict[str, str]
    plan: str


class Given(NamedTuple):
    """What `Inference.fit` was given.

    Attributes
    ----------
    n : int
    score : bool or None
    callbacks : sequence of callable
    options : mapping of str to object
        Of `ObjectiveFunction.updates`.
    """

    n: int
    score: bool | None
    callbacks: Sequence[Any]
    options: Mapping[str, Any]


def parts_of(inference: Any, updates: ObjectiveUpdates) -> dict[str, str]:
    """Return what a fit is made of beside its model, as `nbinfer.model.fingerprint.parts_of` does for that."""
    op, tf = inference.objective.op, inference.objective.tf
    parts = {"operator": _told(_own(op)), "obj_n_mc": str(updates.fitting.settings.n_draws)}
    parts["total_grad_norm_constraint"] = repr(updates.fitting.settings.largest_norm)
    if tf is not None:
        parts["test function or kernel"] = _told(text_of(tf))
    for group in inference.approx.groups:
        kind = ", row by row" if group.rowwise else ", local" if group.is_local else ""
        family = json.dumps([_own(group.family), text_of(group.encoders)], sort_keys=True)
        shape = "" if group.is_local else f" of {group.extent.n} coordinates"
        title = f"{group.short_name}{shape}{kind} #{file_digest(family)[:12]}"
        parts[f"group {', '.join(group.names or ())}"] = title
    return parts


def _own(thing: Any) -> Text:
    """Return a text of an object by its attributes, or by those and the text of its class, if it is the user's."""
    kind = type(thing)
    settings = {name: text_of(value) for name, value in vars(thing).items() if name not in _APART}
    whose = {} if kind.__module__.startswith("nbinfer.") else {"class": text_of(kind)}
    return {"object": f"{kind.__module__}:{kind.__qualname__}", "settings": settings} | whose


def _told(text: Text) -> str:
    """Return a text in a few words and a hash, which tells it from others."""
    name = text["object"].rpartition(":")[2] if "settings" in text else brief(text)
    return f"{name.partition(' #')[0]} #{file_digest(json.dumps(text, sort_keys=True))[:12]}"


def recipe_of(inference: Any, updates: ObjectiveUpdates, given: Given) -> str:
    """Write a recipe.

    Raises
    ------
    NotImplementedError, StreamingError
        If the fit cannot be gone on with.
    """
    fitting, approx = updates.fitting, inference.approx
    if updates.why_not_kept:
        raise NotImplementedError(f"checkpoint: {updates.why_not_kept}.")
    for name, feed in fitting.feeds.by_python.items():
        if not isinstance(feed, Minibatch):
            raise StreamingError(
                f"checkpoint: data {name!r} come from a generator, whose position no file keeps; take nb.Minibatch of "
                "an array, a memory map or an h5py dataset, or leave checkpoint out."
            )
    options = {"score": given.score} | dict(given.options)
    optimizer = options.pop("obj_optimizer", None)
    texts = {name: text_of(value) for name, value in options.items()}
    for name, text in texts.items():
        if foreign_in(text):
            raise NotImplementedError(
                f"checkpoint: {name} holds {foreign_in(text)[0]}, which no file keeps and nb.resume does not take; "
                "leave one of them out."
            )
    own = approx.sequence
    return packed(
        FIT,
        approx.model.definition,
        fitting.plan.fingerprint,
        n=given.n,
        begun=len(fitting.hist),
        seed={"entropy": text_of(own.entropy), "spawn_key": [int(word) for word in own.spawn_key]},
        method=inference.asked,
        options=texts,
        optimizer=optimizer_text(optimizer),
        callbacks=[text_of(callback) for callback in given.callbacks],
        parts=parts_of(inference, updates),
    )


def optimizer_text(optimizer: Any) -> Text:
    """Return the text of an optimiser that was given, or None."""
    return None if optimizer is None else text_of(rule_of("obj_optimizer", optimizer))


def read_recipe(notes: Mapping[str, str]) -> Recipe:
    """Read the recipe among the notes of a store.

    Raises
    ------
    ResumeError
        If it cannot be read.
    """
    text = unpacked(notes)
    try:
        return Recipe(**{name: text[name] for name in Recipe._fields})
    except (TypeError, KeyError) as error:
        raise unreadable(error) from None


def seed_of(recipe: Recipe) -> np.random.SeedSequence:
    """Return the seed of the approximation."""
    return np.random.SeedSequence(value_of(recipe.seed["entropy"]), spawn_key=tuple(recipe.seed["spawn_key"]))


def check_parts(recipe: Recipe, inference: Any, updates: ObjectiveUpdates) -> None:
    """Raise ResumeError if a fit is another one than that of the recipe; it says what differs."""
    found = differences(recipe.parts, parts_of(inference, updates))
    if found:
        raise ResumeError("method is not that of the fit; before -> now: " + "; ".join(found) + ".")
    if recipe.plan != updates.fitting.plan.fingerprint:
        raise ResumeError(
            "the state of the fit is laid out in another way here: the model or method are of another size."
        )


def optimizer_for(recipe: Recipe, given: Any) -> Any:
    """Return the optimiser to go on with: that of the recipe, unless it holds code.

    Raises
    ------
    ResumeError
        If one that is given is another, or one that holds code is missing.
    """
    before = recipe.optimizer
    if given is not None:
        now = optimizer_text(given)
        if now != before:
            was = "none, the default" if before is None else brief(before)
            raise ResumeError(f"obj_optimizer is not that of the fit; before -> now: {was} -> {brief(now)}.")
        return given
    if before is None:
        return None
    if foreign_in(before):
        raise ResumeError(
            f"obj_optimizer holds what no file keeps, {foreign_in(before)[0]}; pass it again, obj_optimizer=...."
        )
    return _rebuilt("obj_optimizer", before)


def callbacks_for(recipe: Recipe, given: Sequence[Any]) -> list[Any]:
    """Return the callbacks to go on with: those of the recipe, in its order; those that hold code are among the given.

    Raises
    ------
    ResumeError
        If one is missing, or one that is given is none of the fit's.
    """
    left = [(text_of(callback), callback) for callback in given]
    found = []
    for k, text in enumerate(recipe.callbacks):
        at = next((i for i, (now, _) in enumerate(left) if now == text), None)
        if at is not None:
            found.append(left.pop(at)[1])
        elif foreign_in(text):
            raise ResumeError(
                f"callbacks[{k}] of the fit, {foreign_in(text)[0]}, is what no file keeps; pass it again, "
                f"callbacks=[...]{', unchanged' if given else ''}."
            )
        else:
            found.append(_rebuilt(f"callbacks[{k}]", text))
    if left:
        names = ", ".join(map(brief, recipe.callbacks)) or "none"
        raise ResumeError(f"callbacks: {brief(left[0][0])} is no callback of the fit, which has {names}.")
    return found


def _rebuilt(what: str, text: Text) -> Any:
    try:
        return value_of(text)
    except (ValueError, TypeError, KeyError) as error:
        raise ResumeError(f"{what}: {brief(text)} of the fit cannot be made here: {error}.") from error
