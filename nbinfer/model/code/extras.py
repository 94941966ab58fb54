"""C functions of a model that single steps call: the log density of what depends on one element, and draws.

They share the model's context, and each has a module of its own: a model is not compiled anew for their sake.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.compile import Entry, kernel
from nbinfer.compile.files import file_digest
from nbinfer.compile.fingerprint import fingerprint
from nbinfer.compile.modules import generated_module
from nbinfer.compile.users import compilable
from nbinfer.errors import ModelError
from nbinfer.model.code import generate, shells
from nbinfer.model.code.derived import Derivation, units_key
from nbinfer.model.code.places import Places, plus, times
from nbinfer.model.code.plan import Plan, constrain, function
from nbinfer.model.code.stand_ins import bounds_called, called_with, loaded
from nbinfer.model.evaluate import call, check_arguments
from nbinfer.model.layout import Parameter

if TYPE_CHECKING:
    from nbinfer.model.definition import CompiledDefinition, Definition
    from nbinfer.model.evaluate import Facts

#: Supports whose elements each have one coordinate, so that a conditional knows what depends on it.
ELEMENTWISE = ("real", "positive", "lower", "upper", "interval", "unit", "binary", "categorical", "integer")
#: Supports that compiled draws can be brought to coordinates of.
DRAWABLE = (*ELEMENTWISE, "simplex")


def conditionals(parameters: Mapping[str, Parameter], given: Any) -> dict[str, Callable[..., Any]]:
    """Return what a user passes as `conditional` by variable, checked."""
    if given is None:
        return {}
    if callable(given):
        if len(parameters) != 1:
            raise ModelError(
                f"conditional must map names of variables to functions, since there are {len(parameters)}: "
                f"conditional={{{next(iter(parameters))!r}: f}}"
            )
        given = {next(iter(parameters)): given}
    if not isinstance(given, Mapping):
        raise ModelError(f"conditional must be a function or map names to functions, got {type(given).__name__}")
    for name, f in given.items():
        if name not in parameters:
            raise ModelError(f"conditional names {name!r}, which is no parameter; they are {', '.join(parameters)}")
        check_arguments(f, f"conditional of {name!r}", ("p", "d", "i"))
        support = parameters[name].support
        if support.name not in ELEMENTWISE:
            raise ModelError(
                f"conditional of {name!r} must be left out: the elements of {support!r} move together only"
            )
    return dict(given)


def check_conditionals(definition: Definition, q: np.ndarray, discrete: np.ndarray) -> None:
    """Require that each conditional changes with its element by as much as the density does.

    Parameters
    ----------
    definition : Definition
    q : ndarray, shape (dim,)
        Coordinates at which the density is finite.
    discrete : ndarray of int64, shape (n_discrete,)
        Discrete values.
    """

    def look(f: Any, i: int, position: np.ndarray, values: np.ndarray) -> tuple[float, float, float]:
        image, jacobian = definition.layout.image(position, definition.data_tuple, values if values.size else None)
        return definition.density_of(image), float(call(f, *definition.arguments(image), i)), jacobian

    for name, f in definition.conditional.items():
        p = definition.parameters[name]
        for i in sorted({0, p.elements // 2, p.elements - 1}):
            position, values = q.copy(), discrete.copy()
            if p.support.discrete:
                lowest, highest = p.support.constants.reshape(2, -1)[:, i].astype(int)
                values[p.z.start + i] = lowest if values[p.z.start + i] == highest else values[p.z.start + i] + 1
            else:
                position[p.q.start + i] += 0.25
            before, after = look(f, i, q, discrete), look(f, i, position, values)
            whole, alone = after[0] - before[0], after[1] - before[1]
            allowed = 1e-6 * max(1.0, abs(whole), *map(abs, before), *map(abs, after))
            if np.isfinite(whole) and not abs(whole - alone) <= allowed:
                raise ModelError(
                    f"conditional of {name!r} is wrong for element {i}: where that changes, the density changes by "
                    f"{whole:.10g} and the conditional by {alone:.10g}. It must hold every term with that element."
                )


def check_draw(definition: Definition, name: str, draw: Any) -> None:
    """Require that a user's draw, made once in plain Python at the initial point, is a value of its variable."""
    label = f"the draw of GibbsStep({name!r})"
    if not definition.is_named:
        raise ModelError(
            f"{definition.title} has no named parameters, and {label} takes them: use nb.Model(parameters=...)"
        )
    check_arguments(draw, label, ("p", "d", "rng"))
    value = call(draw, *definition.arguments(definition.initial_point()), np.random.Generator(np.random.Philox(key=5)))
    try:
        definition.parameters[name].support.check(value)
    except ValueError as error:
        raise ModelError(f"{label} is none: {error}") from None


def conditional_entry(definition: CompiledDefinition, facts: Facts, name: str) -> Entry:
    """Return ``double f(int64 n, intp q, int64 i, intp context)``: what depends on element i of a variable.

    Parameters
    ----------
    definition : CompiledDefinition
        It has a `conditional` for the variable.
    facts : Facts
        What one run of its functions showed.
    name : str
        The variable.
    """
    p = definition.parameters[name]
    signature = "float64(int64, intp, int64, intp)"
    write = functools.partial(_conditional, p)
    return _entry(definition, facts, write, "conditional", signature, definition.conditional[name], name)


def _conditional(p: Parameter, plan: Plan) -> list[str]:
    jacobian = not p.support.discrete or bool(plan.layout.dependent)
    total = f"{plan.call('users', 'p, readonly(data), which')}{' + log_jacobian' if jacobian else ''}"
    body = [*constrain(plan, jacobian=jacobian), f"return {total}"]
    element = function("element", f"q, which, {plan.arguments}", body, "Evaluate it.")
    lines = [
        '"""C function: the log density of what depends on element i; -inf if it raised."""',
        *_context(plan),
        "failed = False",
        "total = -np.inf",
        "try:",
        f"    total = element(position, i, {plan.arguments})",
        "except Exception:",
        "    failed = True",
        "if failed:",
        f"    {shells.noted(plan)}",
        "return total",
    ]
    return [element, shells.c_function("conditional", "n, q, i, context", lines)]


def draw_entry(definition: CompiledDefinition, facts: Facts, name: str, draw: Any) -> Entry:
    """Return ``int64 f(int64 n, intp q, intp given, intp context)``, which draws a variable; 1 if that failed.

    `given` is the address of three words: stream, functions of its generator, and where the draw goes: discrete values
    as float64, else unconstrained coordinates.
    """
    write = functools.partial(_draw, definition.parameters[name])
    return _entry(definition, facts, write, "draw", "int64(int64, intp, intp, intp)", draw, name)


def _draw(p: Parameter, plan: Plan) -> list[str]:
    drawn = f"value = {plan.call('users', 'p, readonly(data), rng')}"
    body = [*constrain(plan, jacobian=bool(plan.layout.dependent)), drawn]
    body = [line.replace("return -np.inf", "return True") for line in body]
    body += _taken(p, plan.places)
    if not p.support.discrete and not p.support.is_identity:
        body += [f"inverse(image, out, {plan.places.constants(p)})"]
    into = function(
        "draw_into", f"q, out, image, rng, {plan.arguments}", [*body, "return False"], "Draw; tell of failure."
    )
    elements = plan.places.number("elements", p)
    size = elements if p.support.discrete else plan.places.number("size", p)
    lines = [
        '"""C function: draw a variable from its full conditional; 1 if that failed."""',
        *_context(plan),
        "g = ints_at(given, 3)",
        "rng = generator_at(g[0], g[1])",
        f"out = floats_at(g[2], {size} + 0 * n)",
        f"image = floats_at({plus('g[2]', times('8', size))}, {elements} + 0 * n)",
        "failed = False",
        "try:",
        f"    failed = draw_into(position, out, image, rng, {plan.arguments})",
        "except Exception:",
        "    failed = True",
        "return 1 if failed else 0",
    ]
    return [into, shells.c_function("draw", "n, q, given, context", lines)]


def _taken(p: Parameter, at: Places) -> list[str]:
    """Write statements that take a draw, a number or an array of the variable's shape, to flat memory."""
    target = "out" if p.support.discrete or p.support.is_identity else "image"
    if p.shape == ():
        return [f"{target}[0] = value"]
    wrong = " or ".join(f"value.shape[{axis}] != {length}" for axis, length in enumerate(at.shape(p)))
    return [
        f"if value.ndim != {len(p.shape)} or {wrong}:",
        "    return True",
        "at = 0",
        "for element in value.flat:",
        f"    {target}[at] = element",
        "    at += 1",
    ]


def _context(plan: Plan) -> list[str]:
    return shells.unpack([*plan.arguments.split(", "), "position"], shells.data_lines(plan))


def _entry(
    definition: CompiledDefinition,
    facts: Facts,
    write: Callable[[Plan], list[str]],
    kind: str,
    signature: str,
    users: Any,
    name: str,
) -> Entry:
    """Compile a module around a user's function; `write` writes its parts."""
    plan = definition.plan(facts, False)
    names = definition.names(False) | {"users": compilable(users, data=definition.steady)}
    support = definition.parameters[name].support
    if kind == "draw" and not support.discrete:
        names["inverse"] = kernel(support.inverse)
    bounds = [f for p in plan.layout.dependent for f in p.functions.values()]
    keys = [list(plan.layout.keys()), [d.key for d in plan.data], units_key(plan.data)]
    content = fingerprint(users, bounds, *keys, list(definition.active))
    label = f"conditional of {name!r}" if kind == "conditional" else f"draw of GibbsStep({name!r})"

    def build(stand_ins: Derivation) -> Entry:
        parts = write(plan._replace(stand_ins=stand_ins.source))
        texts = [generate.head(plan), stand_ins.source, *parts]
        source = "\n\n".join(text.strip("\n") + "\n" for text in texts if text)
        own = names | (stand_ins.names or {})
        return generated_module(source, file_digest(content, stand_ins.content), own, {kind: signature}).entry(kind)

    more = {"index": "which"} if kind == "conditional" else {"rng": True}
    calls = [*bounds_called(definition), called_with(definition, "users", label, users, **more)]
    fields = {"Parameters": list(definition.parameters), "Data": list(definition.data)}
    return loaded(build, calls, content, [(label, users)], fields)
