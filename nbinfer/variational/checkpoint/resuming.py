"""From the file of a fit to its approximation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nbinfer.arguments import MOST, Progressbar, count
from nbinfer.engine.recipe import check_model, newer
from nbinfer.engine.written import foreign_in, value_of
from nbinfer.errors import ResumeError
from nbinfer.trace.disk import HDF5Store
from nbinfer.variational.approximation import Approximation
from nbinfer.variational.callbacks import listed
from nbinfer.variational.checkpoint.keeping import Checkpoint, counted_in
from nbinfer.variational.checkpoint.recipe import (
    Recipe,
    callbacks_for,
    check_parts,
    optimizer_for,
    read_recipe,
    seed_of,
)
from nbinfer.variational.inference import Inference
from nbinfer.variational.methods import made


def resume_fit(
    store: HDF5Store,
    model: Any,
    n: int | None,
    method: Any,
    obj_optimizer: Any,
    callbacks: Any,
    progressbar: Progressbar,
    max_seconds: float | None,
) -> Approximation:
    """Go on with a fit, see `nbinfer.resume`.

    Parameters
    ----------
    store : HDF5Store
        What it has left; let go of at the end, whatever happens.
    model : Model
    n : int or None
        Iterations, those made included.
    method : str, type, Inference or None
    obj_optimizer, callbacks : object or None
    progressbar : bool or callable
    max_seconds : float or None

    Returns
    -------
    approx : Approximation
    """
    try:
        recipe = read_recipe(store.notes)
        check_model(recipe, model.definition)
        n = _planned(store, recipe, n)
        inference = _inference(recipe, model, method)
        called = callbacks_for(recipe, listed(callbacks))
        options = {name: value_of(text) for name, text in recipe.options.items()}
        optimizer = optimizer_for(recipe, obj_optimizer)
        inference.begin(callbacks=called, **options, **({} if optimizer is None else {"obj_optimizer": optimizer}))
        checkpoint = _checkpoint(store, recipe, inference, called, n)
    except BaseException:
        store.discard()
        raise
    return inference.go_on(checkpoint, recipe.begun + n, progressbar, max_seconds)


def _checkpoint(
    store: HDF5Store, recipe: Recipe, inference: Inference, called: list[Callable[..., Any]], n: int
) -> Checkpoint:
    approx, updates = inference.approx, inference.updates
    if updates.fitting.fit.done:
        raise ResumeError("method has been fitted since; pass an inference that is made anew, as the fit's was.")
    check_parts(recipe, inference, updates)
    approx.sequence = seed_of(recipe)
    return Checkpoint.of_before(store, recipe.begun, n, newer(recipe), approx, updates, called)


def _planned(store: HDF5Store, recipe: Recipe, n: Any) -> int:
    """Return how many iterations the fit is to have, of which some are missing."""
    if n is None:
        n = store.draws - recipe.begun
    count("n", n, 0, MOST)
    least = store.draws - recipe.begun
    if n < least:
        raise ValueError(f"n must be at least {least}, for which the fit was planned, got {n}; leave it out.")
    done = counted_in(store) - recipe.begun
    if store.is_finished and n == least:
        raise ResumeError(f"the fit is finished, after {done} iterations; pass n= more than {least} to go on.")
    return int(n)


def _inference(recipe: Recipe, model: Any, method: Any) -> Inference:
    """Return the inference of a fit, made anew or given."""
    if isinstance(method, Inference):
        if method.approx.model.layout is not model.layout and method.approx.model is not model:
            raise ValueError("method was made of another model than is passed; make it of that one.")
        return method
    if recipe.method is None:
        kind = recipe.parts.get("operator", "").partition(" #")[0]
        raise ResumeError(
            f"method was an object, of an operator {kind}, and no file keeps these; make it again and pass it, "
            "method=nb.ADVI(...), say, with the model of the fit."
        )
    asked: Mapping[str, Any] = recipe.method
    held = [name for name, text in asked.items() if name != "method" and foreign_in(text)]
    if held:
        raise ResumeError(
            f"method: {held[0]} holds what no file keeps, {foreign_in(asked[held[0]])[0]}; make the inference again "
            "and pass it, method=nb.ADVI(...), say."
        )
    known = asked["method"]
    if method is None and foreign_in(known):
        raise ResumeError(f"method is a class of yours, {foreign_in(known)[0]}; pass it again, method=....")
    given = {name: value_of(text) for name, text in asked.items() if name != "method"}
    options = dict(given.pop("inf_kwargs") or {})
    return made(value_of(known) if method is None else method, model, seed_of(recipe), given, options)
