"""`resume`: from what a run has left to its trace."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from nbinfer.arguments import Progressbar, path_of, shows
from nbinfer.engine.chains import display_of_chains
from nbinfer.engine.recipe import check_model, is_of_fit
from nbinfer.engine.step import StepMethod
from nbinfer.engine.task import finished
from nbinfer.errors import ResumeError
from nbinfer.mcmc.arguments import chains_at_a_time, limits_for
from nbinfer.mcmc.assign import by_names, listed
from nbinfer.mcmc.length import Goal, first_look, goal_for, is_draws
from nbinfer.mcmc.recipe import Recipe, Run, read_recipe, steps_of
from nbinfer.mcmc.resuming import Resuming, counted_in
from nbinfer.mcmc.running import Running
from nbinfer.model import Model
from nbinfer.model.default import is_model, the_model
from nbinfer.spelling import public_by_kind
from nbinfer.trace.disk import HDF5Store
from nbinfer.trace.store import Store


def _is_path(value: Any) -> bool:
    return isinstance(value, str | os.PathLike | Store)


@public_by_kind(model=is_model, path=_is_path, draws=is_draws)
def resume(
    path: Any,
    model: Any = None,
    draws: int | str | None = None,
    *,
    n: int | None = None,
    cores: int | None = None,
    step: Any = None,
    method: Any = None,
    obj_optimizer: Any = None,
    callbacks: Any = None,
    progressbar: Progressbar = True,
    max_seconds: float | None = None,
    max_evals: int | None = None,
    target_ess: float | None = None,
    max_draws: int | None = None,
) -> Any:
    """Go on with a run or a fit that was ended before its time, or with more of it, as if it had never been ended.

    Parameters
    ----------
    path : str or PathLike
        The file that the run, or the `checkpoint` of the fit, writes to.
    model : Model, optional
        That of the run: a file keeps no code. It may stand before the path. Default: the model of the enclosing
        ``with`` block.
    draws : int or 'auto', optional
        Draws kept per chain, those that are there included; 'auto' as in `sample`. Default: as many as were planned,
        whatever that was; not fewer.
    n : int, optional
        Iterations of a fit, those that are there included. Default: as many as were planned; not fewer.
    cores : int, optional
        Chains that run at the same time. No result depends on it.
    step : step method or sequence of step methods, optional
        Those of the run's steps that hold code of yours, as `GibbsStep` does. Others may be among them.
    method : Inference or type, optional
        Of a fit, if `fit` was given an inference object, or functions such as encoders: the same, made again.
    obj_optimizer : Rule or callable, optional
        Of a fit, if it holds code of yours, as a learning rate that is a function does.
    callbacks : sequence of callable, optional
        Of a fit: all that hold code of yours, in their order. Those with ``state()`` and ``restore(state)`` remember
        what they did then; others are called anew.
    progressbar : bool or callable
        As in `sample`.
    max_seconds : float, optional
        As in `sample`; it counts from here on.
    max_evals : int, optional
        As well.
    target_ess, max_draws : float and int, optional
        Of draws='auto', as in `sample`.

    Returns
    -------
    trace : Trace or Approximation
        Bit for bit that of a run that nobody ended: draws, statistics, metric, report. ``sampling_time`` adds up. Of a
        fit the approximation, with all losses.

    Raises
    ------
    FileNotFoundError, BackendError
        If there is no such file, or it is damaged, of another kind, or written to by another run.
    ResumeError
        If model, data, steps or what they are made with are not those of the run: it says what differs. If the run is
        finished, or what it has left is damaged. Nothing is written then.
    ValueError, TypeError
        If an argument is wrong.

    Warns
    -----
    NbinferWarning
        If versions of nbinfer, Python, NumPy, SciPy, Numba or llvmlite, or the processor, are others than the run's.

    See Also
    --------
    sample : Begins a run; errors and warnings of the run itself are described there.

    Notes
    -----
    A run that writes to a file leaves a snapshot of its chains every twentieth of a second, or as often as copies cost
    next to nothing, and keeps the last two; on a GPU, where it goes on, between two launches. A chain goes on from the
    older one, if it is whole; the draws since then are made once more and must equal those in the file. If versions are
    others and these draws are equal, a warning tells of the versions; where they are not, the run is refused.

    What is compared beforehand: of each function of the model its bytecode, constants and all that it reaches; supports
    and shapes of parameters; names, types, shapes and all bytes of data; classes and settings of steps. Not compared
    are functions that predict. Bytecode is another one in another minor version of Python, which is refused.
    """
    model = the_model(model)
    shows("progressbar", progressbar)
    limits, given, goal = limits_for(max_seconds, max_evals), listed(step), goal_for(draws, target_ess, max_draws)
    of_fits = {"n": n, "method": method, "obj_optimizer": obj_optimizer, "callbacks": callbacks}
    store = opened(path)
    if is_of_fit(store.notes):
        _refuse(store, "a fit", {"draws": draws, "step": step, "cores": cores, "max_evals": max_evals}, "chains")
        from nbinfer.variational.checkpoint.resuming import resume_fit  # most runs do without

        assert isinstance(store, HDF5Store)
        return resume_fit(store, model, n, method, obj_optimizer, callbacks, progressbar, limits.max_seconds)
    _refuse(store, "a run of chains", of_fits, "fits")
    try:
        model.definition.needs_all_data()
        cores = chains_at_a_time(cores, None, store.chains)
        recipe = _asked(read_recipe(store.notes), draws, goal, target_ess, max_draws)
        sampling = _resuming(store, model, recipe, given, draws)
    except BaseException:
        store.discard()
        raise
    display = display_of_chains(progressbar, sampling.numbers, sampling.tune, sampling.tune + sampling.draws)
    sampling.load()
    return finished(Running(sampling, 1 if sampling.serial else cores, display, limits))


def _resuming(store: Store, model: Model, recipe: Recipe, given: Sequence[StepMethod], draws: Any) -> Resuming:
    """Return the chains that a store has left, if they are of this model."""
    check_model(recipe, model.definition)
    steps = steps_of(recipe, [by_names(model, method) for method in given])
    return Resuming(model, recipe, steps, store, _planned(store, draws, recipe.run))


def _refuse(store: Store, there: str, values: Mapping[str, Any], whose: str) -> None:
    """Raise ValueError if something is given that a run of this kind does not have."""
    for name, value in values.items():
        if value is not None:
            store.discard()
            raise ValueError(f"{name} is of {whose}, and path holds {there}; leave it out.")


def _asked(recipe: Recipe, draws: Any, goal: Goal | None, target_ess: Any, max_draws: Any) -> Recipe:
    """Return the recipe of what the run is asked for from now on: what ends it may be something else."""
    if draws is None:
        return recipe
    if goal is not None and recipe.run.goal is not None:  # what is left open is as it was
        before = Goal(*recipe.run.goal)
        goal = Goal(before.ess if target_ess is None else goal.ess, before.most if max_draws is None else goal.most)
    return recipe._replace(run=recipe.run._replace(goal=goal))


def _planned(store: Store, draws: Any, run: Run) -> int:
    """Return how many draws each chain is to have, of which some are missing; or until the run looks at them."""
    if draws == "auto":
        goal = Goal(*run.goal or ())
        first_look(goal, store.chains, store.thin, run.kept)
        if goal.most < store.draws:
            raise ValueError(f"max_draws must be at least {store.draws}, which the run has room for, got {goal.most}.")
        return store.draws
    if draws is None:
        draws = store.draws
    if draws < store.draws:
        raise ValueError(
            f"draws must be at least {store.draws}, which the run was planned to have, got {draws}; leave it out, and "
            "end the run by max_seconds, max_evals or Ctrl-C."
        )
    if store.is_finished and (counted_in(store).done >= store.tune + draws).all():
        more = "or draws='auto' with a larger target_ess or max_draws, " if run.goal is not None else ""
        raise ResumeError(
            f"the run is finished, {store.chains} chains of {draws} draws; pass draws= more than that {more}to go on."
        )
    return int(draws)


def opened(path: Any) -> Store:
    """Return the store that a run has left."""
    return path if isinstance(path, Store) else HDF5Store.reopen(path_of("path", path))
