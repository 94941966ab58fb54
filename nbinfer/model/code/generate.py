"""Write the module of a model: the fused density over arrays, and the C functions that lead to it.

The text knows names, shapes and types, never values: data, bounds, weights and shapes of derived quantities reach it
through the context. Users' functions and the transforms are put among its globals.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbinfer.model.code.derived import NAME, VALUE_NAME, pull_name
from nbinfer.model.code.plan import (
    ARGUMENTS,
    Plan,
    Term,
    constants,
    constrain,
    empty,
    flat,
    from_gaps,
    function,
    loop,
    moved,
    shifted,
    view,
)
from nbinfer.model.code.shells import c_functions
from nbinfer.model.layout import Parameter

#: Central differences: the step that balances truncation and rounding is the cube root of the machine precision.
DIFFERENCE_STEP = 6.055454452393343e-06


def source(plan: Plan) -> str:
    """Write the text of a model's module."""
    parts = [head(plan), plan.derivatives, plan.value]
    if plan.terms:
        parts += [_value(plan)]
    parts += [_fused(plan) if plan.fuses else _differences(plan), *c_functions(plan)]
    return "\n\n".join(part.strip("\n") + "\n" for part in parts if part)


def _fields(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def head(plan: Plan) -> str:
    """Write the beginning of a module: imports, and the classes of what users' functions are given."""
    layout = plan.layout
    table = "\n".join(f"    {p.name:<16} {p.support.name} {p.shape or ''}".rstrip() for p in layout.parameters.values())
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
    newline = "\n"
    return f'''
"""Log density of a model, written by nbinfer. Its name is a hash of its content; it is never edited.

{table}

The user's functions and the transforms are put among the globals. ``q`` holds coordinates, ``z`` discrete values,
``scratch`` constrained values, their gradients, bounds that depend on parameters, their gradients, a position to try.
"""

import math
from collections import namedtuple

import numpy as np

from nbinfer.compile import floats_at, ints_at, kernel, part, readonly, store_release

{newline.join(classes)}

'''


def _gradients(plan: Plan) -> str:
    """Write the named tuple of gradients: of real parameters in `grad`, of others in scratch memory."""
    fields = []
    for p in plan.layout.continuous:
        if moved(p):
            place = slice(plan.layout.values + p.x.start, plan.layout.values + p.x.stop)
            fields.append(view("scratch", place, p.shape, scalar_as_array=True))
        else:
            fields.append(view("grad", p.q, p.shape, scalar_as_array=True))
    return "Gradients(" + ", ".join(fields) + ")"


def _shown(form: str) -> str:
    """Write what a user's function is given: of named parameters if it has no `form`, else of the flat position."""
    written = {"x": "readonly(q)", "data": "readonly(data)"}
    return ", ".join(written.get(name, name) for name in form.split(", ")) if form else "p, readonly(data)"


def _term(plan: Plan, term: Term) -> str:
    value = f"{term.function}({_shown(plan.flat)})"
    return f"np.sum({value})" if term.is_array else value


def _value(plan: Plan) -> str:
    lines = [] if plan.flat else constrain(plan, shown=not plan.value)
    lines.append("total = 0.0" if plan.flat else "total = log_jacobian")
    if plan.value and plan.flat:
        lines.append(f"total += weights[0] * {VALUE_NAME}(q{', data' if 'data' in plan.flat else ''})")
    elif plan.value:
        lines.append(f"total += {VALUE_NAME}(p, data, weights)")
    for i, term in enumerate(() if plan.value else plan.terms):
        lines += [f"if weights[{i}] != 0.0:", f"    total += weights[{i}] * {_term(plan, term)}"]
    lines.append("return total")
    comment = "Return the log density, with the Jacobian of the transforms."
    return function("log_density", f"q, {ARGUMENTS}", lines, comment)


def _differences(plan: Plan) -> str:
    dim = plan.layout.dim
    call = f"log_density(trial, {ARGUMENTS})"
    lines = [
        f"trial = {flat('scratch', shifted(slice(0, dim), plan.layout.trial_start))}",
        *loop("trial", 0, dim, "= q[i]"),
        f"for i in range({dim}):",
        f"    step = {DIFFERENCE_STEP!r} * max(1.0, abs(q[i]))",
        "    above = q[i] + step",
        "    below = q[i] - step",
        "    trial[i] = above",
        f"    difference = {call}",
        "    trial[i] = below",
        f"    difference -= {call}",
        "    trial[i] = q[i]",
        "    grad[i] = difference / (above - below)",
        f"return log_density(q, {ARGUMENTS})",
    ]
    comment = "Return the log density and overwrite `grad` with central differences."
    return function("differences", f"q, grad, {ARGUMENTS}", lines, comment)


def _fused(plan: Plan) -> str:
    layout = plan.layout
    lines = loop("grad", 0, layout.dim, "= 0.0")
    if not plan.flat:
        lines += loop("scratch", layout.values, 2 * layout.values, "= 0.0") if layout.values else []
        lines += [*constrain(plan, shown=bool(plan.written)), f"gradients = {_gradients(plan)}"]
    lines += [*_evaluation(plan), *from_gaps(plan)]
    # A gradient that knows no weights takes that of the whole; its terms cannot be told apart.
    if len(plan.terms) <= 1 and (plan.flat or plan.written):
        scaled = loop("grad", 0, layout.dim, "*= weights[0]")
        scaled += loop("scratch", layout.values, 2 * layout.values, "*= weights[0]") if layout.values else []
        lines += ["if weights[0] != 1.0:", "    total *= weights[0]", *("    " + line for line in scaled)]
    lines += empty(plan)
    for p in filter(moved, reversed(layout.continuous)):  # bounds add to the gradients of parameters before
        lines += _pull(plan, p)
    lines.append("return total" if plan.flat else "return log_jacobian + total")
    comment = "Return the log density and overwrite `grad` with its gradient."
    return function("fused", f"q, grad, {ARGUMENTS}{_slopes(plan)}", lines, comment)


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
        return [f"total = {NAME}(q, grad{', data' if 'data' in plan.flat else ''})"]
    return [f"total = {NAME}(p, data, gradients, weights{_slopes(plan)})"]


def _pull(plan: Plan, p: Parameter) -> list[str]:
    """Write statements that take the gradient of a parameter to its coordinates, and to those its bounds depend on."""
    layout = plan.layout
    known = [flat("q", p.q), flat("scratch", p.x), constants(plan, p)]
    own = shifted(p.x, layout.values)
    known.append(flat("scratch", own))
    # What adds the derivative of the log Jacobian knows no weight: all is divided by it before, and multiplied after.
    weight = f"weights[{plan.jacobians[p.name]}]" if p.name in plan.jacobians else ""
    lines = loop("scratch", own.start, own.stop, f"/= {weight}") if weight else []
    if p.support.bounds:
        place = shifted(p.b, layout.bounds_start + layout.bounds)
        bars = slice(place.start, place.start + len(p.support.bounds) * p.elements)
        scaled = loop("scratch", bars.start, bars.stop, f"*= {weight}") if weight else []
        lines.append(f"sensitivity_{p.name}({', '.join([*known, flat('scratch', place)])})")
        lines += scaled
        for k, (argument, bound) in enumerate(p.support.bounds):
            if callable(bound):
                bar = view("scratch", shifted(slice(0, p.elements), place.start + k * p.elements), p.shape)
                lines.append(f"{pull_name(argument, p)}(p, data, {bar}, gradients{_slopes(plan)})")
    lines.append(f"pullback_{p.name}({', '.join([*known, flat('grad', p.q)])})")
    return lines + (loop("grad", p.q.start, p.q.stop, f"*= {weight}") if weight else [])
