"""Write the module of a model: the fused density over arrays, and the C functions that lead to it.

The text knows names, shapes and types, never values: data, bounds, weights and shapes of derived quantities reach it
through the context. Users' functions and the transforms are put among its globals.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbinfer.model.code.derived import NAME, VALUE_NAME, pull_name
from nbinfer.model.code.places import Places, moved, part, plus, times
from nbinfer.model.code.plan import Plan, Term, constrain, empty, for_each, from_gaps, function, loop, runs
from nbinfer.model.code.shells import c_functions
from nbinfer.model.layout import Parameter

#: Central differences: the step that balances truncation and rounding is the cube root of the machine precision.
DIFFERENCE_STEP = 6.055454452393343e-06


def source(plan: Plan) -> str:
    """Write the text of a model's module."""
    parts = [head(plan), plan.derivatives, plan.value, plan.stand_ins]
    if plan.terms:
        parts += [_value(plan)]
    parts += [_fused(plan) if plan.fuses else _differences(plan), *c_functions(plan)]
    return "\n\n".join(part.strip("\n") + "\n" for part in parts if part)


def _axes(p: Parameter) -> str:
    """Write which axes a parameter has: lengths other than one are no part of the text."""
    return f"({', '.join('1' if length == 1 else ':' for length in p.shape)})" if p.shape else ""


def _fields(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def head(plan: Plan) -> str:
    """Write the beginning of a module: imports, and the classes of what users' functions are given."""
    layout = plan.layout
    table = "\n".join(f"    {p.name:<16} {p.support.name} {_axes(p)}".rstrip() for p in layout.parameters.values())
    classes = []
    if not plan.flat:
        classes.append(f'Parameters = namedtuple("Parameters", {_fields(list(layout.parameters))})')
        classes.append(f'Gradients = namedtuple("Gradients", {_fields([p.name for p in layout.continuous])})')
    if (plan.data or not plan.flat) and not plan.bare_data:
        classes.append(f'Data = namedtuple("Data", {_fields([d.name for d in plan.data])})')
    if plan.learnt:
        classes.append(f'Slopes = namedtuple("Slopes", {_fields(list(plan.learnt))})')
    befores = [p.before for p in layout.dependent]
    classes += [f'{b.__name__} = namedtuple("{b.__name__}", {_fields(b._fields)})' for b in befores]
    newline, tried = "\n", ", attempt" if plan.device else ""
    return f'''
"""Log density of a model, written by nbinfer. Its name is a hash of its content; it is never edited.

{table}

The user's functions and the transforms are put among the globals. ``q`` holds coordinates, ``z`` discrete values,
``scratch`` constrained values, their gradients, bounds that depend on parameters, their gradients, a position to try.
``places`` says where in these what lies, unless the types of the parameters do. Derived functions take their memory
from ``arena``.
"""

import math
from collections import namedtuple

import numpy as np

from nbinfer.compile import add_at, bytes_at, floats_at, generator_at, ints_at, kernel, part, read_at, readonly{tried}
from nbinfer.compile.arena import begin
from nbinfer.model.code.failures import note_failure

{newline.join(classes)}

'''


def _gradients(plan: Plan) -> str:
    """Write the named tuple of gradients: of real parameters in `grad`, of others in scratch memory."""
    at = plan.places
    return f"Gradients({', '.join(at.gradient(p) for p in plan.layout.continuous)})"


def _shown(form: str) -> str:
    """Write what a user's function is given: of named parameters if it has no `form`, else of the flat position."""
    written = {"x": "readonly(q)", "data": "readonly(data)"}
    return ", ".join(written.get(name, name) for name in form.split(", ")) if form else "p, readonly(data)"


def _term(plan: Plan, term: Term) -> str:
    value = plan.call(term.function, _shown(plan.flat))
    return f"np.sum({value})" if term.is_array else value


def _value(plan: Plan) -> str:
    lines = [] if plan.flat else constrain(plan, shown=not plan.value)
    lines.append("total = 0.0" if plan.flat else "total = log_jacobian")
    if plan.value and plan.flat:
        lines.append(f"total += weights[0] * {VALUE_NAME}({plan.arena}, q{', data' if 'data' in plan.flat else ''})")
    elif plan.value:
        lines.append(f"total += {VALUE_NAME}({plan.arena}, {plan.places.read}, data, weights)")
    for i, term in enumerate(() if plan.value else plan.terms):
        lines += [f"if weights[{i}] != 0.0:", f"    total += weights[{i}] * {_term(plan, term)}"]
    lines.append("return total")
    comment = "Return the log density, with the Jacobian of the transforms."
    return function("log_density", f"q, {plan.arguments}", lines, comment)


def _differences(plan: Plan) -> str:
    call = f"log_density(trial, {plan.arguments})"
    again = ["    begin(arena)"] if plan.takes_memory else []
    lines = [
        f"trial = {part('scratch', plan.places.number('trial'), ['q.size'])}",
        *loop("trial", "0", "q.size", "= q[j]"),
        "for i in range(q.size):",
        f"    step = {DIFFERENCE_STEP!r} * max(1.0, abs(q[i]))",
        "    above = q[i] + step",
        "    below = q[i] - step",
        *again,
        "    trial[i] = above",
        f"    difference = {call}",
        *again,
        "    trial[i] = below",
        f"    difference -= {call}",
        "    trial[i] = q[i]",
        "    grad[i] = difference / (above - below)",
        f"return log_density(q, {plan.arguments})",
    ]
    comment = "Return the log density and overwrite `grad` with central differences."
    return function("differences", f"q, grad, {plan.arguments}", lines, comment)


def _fused(plan: Plan) -> str:
    at = plan.places
    lines = loop("grad", "0", "q.size", "= 0.0")
    if not plan.flat:
        lines += _of_values(at, "= 0.0")
        lines += constrain(plan, shown=bool(plan.written))
        lines += [f"gradients = {_gradients(plan)}"] if plan.written else []
    lines += [*_evaluation(plan), *from_gaps(plan)]
    # A gradient that knows no weights takes that of the whole; its terms cannot be told apart.
    if len(plan.terms) <= 1 and (plan.flat or plan.written):
        scaled = [*loop("grad", "0", "q.size", "*= weights[0]"), *_of_values(at, "*= weights[0]")]
        lines += ["if weights[0] != 1.0:", "    total *= weights[0]", *("    " + line for line in scaled)]
    lines += empty(plan)
    of_values = [run for run in runs(plan, list(plan.layout.parameters.values())) if moved(run[0])]
    for run in reversed(of_values):  # bounds add to the gradients of parameters before
        lines += _pull(plan, at, run)
    lines.append("return total" if plan.flat else "return log_jacobian + total")
    comment = "Return the log density and overwrite `grad` with its gradient."
    return function("fused", f"q, grad, {plan.arguments}{_slopes(plan)}", lines, comment)


def _of_values(at: Places, statement: str) -> list[str]:
    """Write a loop over the gradients by constrained values in scratch memory, if there are any."""
    count = at.number("values")
    return [] if count == "0" else loop("scratch", count, count, statement)


def _slopes(plan: Plan) -> str:
    return ", slopes" if plan.learnt else ""


def _evaluation(plan: Plan) -> list[str]:
    """Write statements that leave `total`, and add its gradient."""
    added = "" if plan.flat else ", gradients"
    if plan.written == "logp_grad":
        return [f"total = logp_grad({_shown(plan.flat)}{added})"]
    if plan.written:
        terms = [f"total += {_term(plan, term)}" for term in plan.terms]
        gradient = f"    gradient({_shown(plan.flat_gradient)}{added})"
        return ["total = 0.0", *terms, "if math.isfinite(total):", gradient]
    if plan.flat:
        return [f"total = {NAME}({plan.arena}, q, grad{', data' if 'data' in plan.flat else ''})"]
    return [f"total = {NAME}({plan.arena}, {plan.places.reached}, data, weights{_slopes(plan)})"]


def _pull(plan: Plan, at: Places, run: Sequence[Parameter]) -> list[str]:
    """Write statements that take the gradient of a parameter to its coordinates, and to those its bounds depend on."""
    p, each = run[0], "each" if len(run) > 1 else "0"
    own = at.flat("scratch", "gradient", p, each=each)
    known = ", ".join([at.coordinates(p, each), at.constants(p, each), own])
    size, elements = at.number("size", p), at.number("elements", p)
    # What adds the derivative of the log Jacobian knows no weight: all is divided by it before, and multiplied after.
    weight = f"weights[{plan.jacobians[p.name]}]" if p.name in plan.jacobians else ""
    lines = loop("scratch", at.number("gradient", p), elements, f"/= {weight}") if weight else []
    if p.support.bounds:
        count, start = times(str(len(p.support.bounds)), elements), at.number("slopes", p)
        lines.append(f"sensitivity_{p.name}({known}, {part('scratch', start, [count])})")
        lines += loop("scratch", start, count, f"*= {weight}") if weight else []
        for k, (argument, bound) in enumerate(p.support.bounds):
            if callable(bound):
                first = plus(start, times(str(k), elements))
                bar = part("scratch", first, at.shape(p)) if p.shape else f"read_at(scratch, {first})"
                lines.append(f"{pull_name(argument, p)}({plan.arena}, {at.reached}, data, {bar}{_slopes(plan)})")
    lines += for_each(run, f"pullback_{p.name}({known}, {at.flat('grad', 'q', p, 'size', each)})")
    return lines + (loop("grad", at.number("q", p), size, f"*= {weight}") if weight else [])
