"""Options of steps in a call of `sample`: which step each is meant for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nbinfer.engine.step import StepMethod
from nbinfer.mcmc.assign import AUTOMATIC, assign
from nbinfer.spelling import names_of, no_option, shown

Options = dict[str, dict[str, Any]]


def options_for(nuts_kwargs: Any, step_kwargs: Any) -> Options:
    """Return what the user sets on steps that are assigned automatically."""
    if nuts_kwargs is not None and step_kwargs is not None:
        raise ValueError("pass nuts_kwargs or step_kwargs, not both.")
    given = {"nuts": nuts_kwargs} if nuts_kwargs is not None else step_kwargs if step_kwargs is not None else {}
    name = "nuts_kwargs" if nuts_kwargs is not None else "step_kwargs"
    if not isinstance(given, Mapping):
        raise TypeError(f"{name} must be a mapping, got {type(given).__name__}.")
    for key, value in given.items():
        _check_mapping(name if nuts_kwargs is not None else f"step_kwargs[{key!r}]", value)
    return {key: dict(value) for key, value in given.items()}


def with_named(
    options: Options, named: Mapping[str, Any], model: Any, given: Sequence[StepMethod], call: Callable[..., Any]
) -> Options:
    """Return the options of steps with those that stand in the call by themselves.

    Parameters
    ----------
    options : mapping
        What `options_for` returned.
    named : mapping of str to object
        Options of steps, or of a step by its lower-case name, ``nuts={...}``.
    model : Model
    given : sequence of StepMethod
        Steps that the user configured, to which nothing is added.
    call : function
        Whose options they are.

    Returns
    -------
    options : mapping

    Raises
    ------
    TypeError
        If there is no such option.
    ValueError
        If it is given twice, or several steps have it.
    """
    if not named:
        return options
    steps = {method.name: method for method in AUTOMATIC}
    whole: Options = {step: dict(its) for step, its in options.items()}
    for step in [name for name in named if name in steps]:
        _check_mapping(step, named[step])
        for name, value in named[step].items():
            _set(whole, step, name, value, f"{step}={{{name!r}: {shown(value)}}}")
    automatic = [type(method) for method, _ in assign(model, given)[len(given) :]]
    for name in [name for name in named if name not in steps]:
        value = named[name]
        takers = [method for method in automatic if name in options_of(method)]
        if not takers:
            raise _nobodys(name, value, automatic, given, call)
        if len(takers) > 1:
            whose = " or ".join(f"{method.name}={{{name!r}: {shown(value)}}}" for method in takers)
            both = " and ".join(method.__name__ for method in takers)
            raise ValueError(f"{name}={shown(value)} is an option of {both}; say whose: {whose}.")
        _set(whole, takers[0].name, name, value, f"{name}={shown(value)}")
    return whole


def options_of(method: type[StepMethod]) -> list[str]:
    """Return the options of a step, without what it samples."""
    fields = [field.name for field in dataclasses.fields(method) if field.init]
    return [name for name in fields if name not in ("vars", "model", "mode")]


def _nobodys(
    name: str, value: Any, automatic: Sequence[type[StepMethod]], given: Sequence[StepMethod], call: Callable[..., Any]
) -> Exception:
    """Say what is wrong with an option that no automatic step has."""
    for step in given:
        if name in options_of(type(step)):
            label = type(step).__name__
            return ValueError(
                f"{name}={shown(value)} is an option of {label}, and step has {label}({name}="
                f"{shown(getattr(step, name))}); set it there, step=nb.{label}({name}={shown(value)})."
            )
    for method in AUTOMATIC:
        if name in options_of(method):
            there = " and ".join(dict.fromkeys(m.__name__ for m in [*map(type, given), *automatic]))
            return ValueError(
                f"{name}={shown(value)} is an option of {method.__name__}, which samples nothing in this run: there "
                f"is {there}; leave it out, or pass step=nb.{method.__name__}({name}={shown(value)})."
            )
    theirs = [option for method in automatic for option in options_of(method)]
    return no_option(f"{call.__name__}()", name, [*names_of(call), *theirs], [method.name for method in AUTOMATIC])


def _set(options: Options, step: str, name: str, value: Any, written: str) -> None:
    if name in options.get(step, {}):
        before = shown(options[step][name])
        raise ValueError(f"{name} of {step} is given twice: {before}, and {written}; leave one of them out.")
    options.setdefault(step, {})[name] = value


def _check_mapping(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping, got {type(value).__name__}.")
