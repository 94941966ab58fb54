"""Which step samples which variable: as the user says, and by competence where nothing is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from nbinfer.engine.step import STEPPER, Competence, StepMethod
from nbinfer.mcmc.discrete.binary import BinaryGibbsMetropolis, BinaryMetropolis
from nbinfer.mcmc.discrete.categorical import CategoricalGibbsMetropolis
from nbinfer.mcmc.hamiltonian.hmc import HamiltonianMC
from nbinfer.mcmc.hamiltonian.nuts import NUTS
from nbinfer.mcmc.walks.metropolis import Metropolis
from nbinfer.mcmc.walks.slice import Slice
from nbinfer.model.support.support import Support
from nbinfer.spelling import meant, no_option, public

Options: TypeAlias = Mapping[str, Mapping[str, Any]]

#: What variables are assigned to automatically; the first wins ties of competence.
AUTOMATIC: tuple[type[StepMethod], ...] = (
    NUTS,
    HamiltonianMC,
    Metropolis,
    BinaryMetropolis,
    BinaryGibbsMetropolis,
    Slice,
    CategoricalGibbsMetropolis,
)


@public
@dataclasses.dataclass(frozen=True)
class CompoundStep:  # numpydoc ignore=PR02
    """Several step methods that are applied one after the other in each draw.

    Parameters
    ----------
    methods : step method or iterable of step methods
        In the order of their application.

    Raises
    ------
    TypeError
        If one of them is no configured step method.
    """

    methods: Sequence[Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "methods", tuple(listed(self.methods, "methods")))

    def on(self, model: Any = None, **options: Any) -> Any:
        """Put these methods to work on one chain of a model, see `StepMethod.on`."""
        return STEPPER[0](self, model, **options)


def is_step(value: Any) -> bool:
    """Tell whether a value is a step method, or several."""
    if isinstance(value, list | tuple):
        return bool(value) and all(map(is_step, value))
    return isinstance(value, StepMethod | CompoundStep) or (isinstance(value, type) and issubclass(value, StepMethod))


def listed(step: Any, name: str = "step") -> list[StepMethod]:
    """Return what a user gives as ``step=`` as a flat list of step methods.

    Raises
    ------
    TypeError
        If something in it is no configured step method.
    """
    if step is None:
        return []
    if isinstance(step, CompoundStep):
        return list(step.methods)
    if isinstance(step, StepMethod):
        return [step]
    if isinstance(step, Iterable) and not isinstance(step, str | Mapping) and getattr(step, "shape", None) != ():
        return [method for part in step if part is not step for method in listed(part, name)]
    hint = f"; call it: {step.__name__}(...)" if isinstance(step, type) and issubclass(step, StepMethod) else ""
    came = step.__name__ if isinstance(step, type) else type(step).__name__
    raise TypeError(f"{name} must be a configured step method or several of them, got {came}{hint}.")


def assign(
    model: Any,
    step: Any,
    options: Options | None = None,
    defaults: Options | None = None,
    has_gradient: bool = True,
) -> list[tuple[StepMethod, list[str]]]:
    """Assign every variable of a model to one step method.

    Parameters
    ----------
    model : Model
    step : step method, sequence of step methods, or None
        What the user asks for. What it leaves over goes to the method of the highest competence.
    options, defaults : mapping of str to mapping, optional
        Settings of methods that are chosen here, by their lower-case names: what the user asks for, which must fit a
        method, and what holds where the user says nothing.
    has_gradient : bool
        Whether the density has a gradient.

    Returns
    -------
    assigned : list of (StepMethod, list of str)
        Each method with the names of its variables in the model's order, in the order of application.

    Raises
    ------
    ValueError
        If a variable has two methods, or one that cannot sample it, or none; if a name or an option fits nothing.
    TypeError
        If `vars` of a method are no names.
    """
    given = [by_names(model, method) for method in listed(step)]
    taken: dict[str, StepMethod] = {}
    chosen = [_named(model, method, taken, has_gradient) for method in given]
    open_ended = [method for method, names in zip(given, chosen, strict=True) if names is None]
    for method, names in zip(given, chosen, strict=True):
        if names is None:
            _take_rest(model, method, open_ended, taken, has_gradient)
    assigned = [(method, [n for n in model.parameters if taken.get(n) is method]) for method in given]
    options = options or {}
    left = [n for n in model.parameters if n not in taken]
    rest = _automatic(model, left, _merged(defaults or {}, options), has_gradient)
    used = {method.name for method, _ in rest}
    for name in options:
        if name not in used:
            found = ", ".join(sorted(used)) or "none"
            hint = "set them on the steps that you pass" if given else f"there is {found}"
            raise ValueError(
                f"options for {name!r} fit no step that is assigned automatically in this run; {hint}."
                f"{meant(name, used)}"
            )
    return assigned + rest


def by_names(model: Any, method: StepMethod) -> StepMethod:
    """Return a step that knows its variables by their names, where it is given objects that the model was made of.

    Raises
    ------
    ValueError
        If the step is for another model, or an object stands for none of its variables, or for several.
    """
    label = type(method).__name__
    if method.model is not None and method.model is not model:
        raise ValueError(f"{label} was made for another model than that of the run; pass that one, or no model.")
    several = isinstance(method.vars, Sequence) and not isinstance(method.vars, str)
    given = list(method.vars) if several else [method.vars]
    if not any(isinstance(var, Support) for var in given):
        return method
    names = [_name_of(model, label, var) if isinstance(var, Support) else var for var in given]
    return dataclasses.replace(method, vars=names if several else names[0])


def _name_of(model: Any, label: str, support: Support) -> str:
    """Return the name of the variable that an object is: not just one like it."""
    names: list[str] = [name for name, p in model.parameters.items() if p.support is support]
    if len(names) != 1:
        what = f"is {' and '.join(map(repr, names))} at once" if names else "is not what a variable was made of"
        known = ", ".join(map(repr, model.parameters))
        raise ValueError(f"{label}: an object of vars, {support!r}, {what}; pass a name: {known}.")
    return names[0]


def separated(assigned: Iterable[tuple[StepMethod, list[str]]]) -> list[tuple[StepMethod, list[str]]]:
    """Give each variable its own step where a method does not move several together."""
    result: list[tuple[StepMethod, list[str]]] = []
    for method, names in assigned:
        result += [(method, names)] if method.blocked else [(method, [name]) for name in names]
    return result


def _named(model: Any, method: StepMethod, taken: dict[str, StepMethod], has_gradient: bool) -> list[str] | None:
    """Let a method take the variables that it names; return them, or None if it names none."""
    if method.vars is None:
        return None
    label = type(method).__name__
    if not isinstance(method.vars, Iterable):
        raise TypeError(f"vars of {label} must be the name of a variable or several names, got {method.vars!r}.")
    names = [method.vars] if isinstance(method.vars, str) else list(method.vars)
    if not names:
        raise ValueError(f"{label}: vars is empty; name at least one variable, or leave vars out.")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(
                f"vars of {label} must be the name of a variable or several names, got {name!r} among them."
            )
        if name not in model.parameters:
            raise ValueError(
                f"{label}: {name!r} is no variable of the model; it has {', '.join(model.parameters)}."
                f"{meant(name, model.parameters)}"
            )
        if taken.get(name) is method:
            raise ValueError(f"{label} names {name!r} twice; once will do.")
        if name in taken:
            raise ValueError(
                f"variable {name!r} has two steps, {type(taken[name]).__name__} and {label}; give it to one of them."
            )
        if method.competence(model.parameters[name], has_gradient) == Competence.INCOMPATIBLE:
            best = _best(model.parameters[name], has_gradient)
            hint = f"; leave it to nb.{best.__name__}" if best else ""
            raise ValueError(f"{label} cannot sample {name!r}, which is {_kind(model.parameters[name])}{hint}.")
        taken[name] = method
    return names


def _take_rest(
    model: Any, method: StepMethod, open_ended: list[StepMethod], taken: dict[str, StepMethod], has_gradient: bool
) -> None:
    """Let a method that names no variables take what is left and it can sample."""
    rest = [n for n in model.parameters if n not in taken or taken[n] in open_ended]
    mine = [n for n in rest if method.competence(model.parameters[n], has_gradient) > Competence.INCOMPATIBLE]
    label = type(method).__name__
    if not mine:
        kinds = ", ".join(f"{n!r} is {_kind(model.parameters[n])}" for n in rest) or "every variable has a step"
        raise ValueError(f"{label} finds nothing to sample: {kinds}.")
    for name in mine:
        if name in taken:
            raise ValueError(
                f"variable {name!r} has two steps, {type(taken[name]).__name__} and {label}; name the variables of "
                f"each: {label}(vars=[...])."
            )
        taken[name] = method


def _best(parameter: Any, has_gradient: bool) -> type[StepMethod] | None:
    """Return the method that samples a variable best; None if none can."""
    best = max(AUTOMATIC, key=lambda method: method.competence(parameter, has_gradient))
    return None if best.competence(parameter, has_gradient) == Competence.INCOMPATIBLE else best


def _automatic(
    model: Any, names: list[str], options: Options, has_gradient: bool
) -> list[tuple[StepMethod, list[str]]]:
    chosen: dict[type[StepMethod], list[str]] = {}
    for name in names:
        parameter = model.parameters[name]
        best = _best(parameter, has_gradient)
        if best is None:
            raise ValueError(
                f"variable {name!r}, which is {_kind(parameter)}, has no step: no method can sample it. "
                "Pass one that can as step=, or sum it out of the density."
            )
        chosen.setdefault(best, []).append(name)
    return [
        (_configured(method, options.get(method.name, {})), chosen[method]) for method in AUTOMATIC if method in chosen
    ]


def _configured(method: type[StepMethod], options: Mapping[str, Any]) -> StepMethod:
    """Make a step of the options that a user gives by its name."""
    label = method.__name__
    known = [field.name for field in dataclasses.fields(method) if field.init]
    for name in options:
        if name not in known:
            raise no_option(label, name, known)
    if options.get("vars") is not None:
        raise ValueError(
            f"vars in the options of {label} would leave variables without a step; pass step={label}(vars=...)."
        )
    return method(**options)


def _kind(parameter: Any) -> str:
    """Say what a variable is like, for messages: ``binary(3)``."""
    return f"{parameter.support!r}"


def _merged(defaults: Options, options: Options) -> Options:
    return {name: {**defaults.get(name, {}), **options.get(name, {})} for name in {**defaults, **options}}
