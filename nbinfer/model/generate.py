"""Write the module of a model: the fused density over arrays, and the C functions that lead to it.

The text knows names, shapes and types, never values: data, bounds, weights and shapes of derived quantities reach it
through the context. Users' functions and the transforms are put among its globals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nbinfer.model.data import Datum, view_source
from nbinfer.model.layout import Layout, Parameter

#: Signatures of the C functions of a model, in Numba's notation. ``general`` is the density by its terms: at any
#: weights, and for values alone, where ``density`` has a written gradient of the whole.
SIGNATURES = {
    "density": "float64(int64, intp, intp, intp)",
    "general": "float64(int64, intp, intp, intp)",
    "record": "int64(int64, intp, intp, intp)",
}

# Words of a context row. Addresses first, then the lengths of what they point to: a literal length in the text would
# have Numba compile the view anew. STATUS counts evaluations that raised, FAILED is not 0 while FAILURE holds a point.
VERSION, STATUS, FAILED, FAILURE, DATA, WEIGHTS, CONSTANTS, DISCRETE, SCRATCH, COLUMNS = range(10)
N_DATA, N_WEIGHTS, N_CONSTANTS, N_DISCRETE, N_SCRATCH, N_COLUMNS, ROW_SIZE = range(10, 17)
CONTEXT_WORDS = 24
CONTEXT_VERSION = 1

#: What the functions of a generated module take beside coordinates and gradient.
_ARGUMENTS = "z, data, weights, constants, scratch"

#: Central differences: the step that balances truncation and rounding is the cube root of the machine precision.
DIFFERENCE_STEP = 6.055454452393343e-06


class Term(NamedTuple):
    """A piece of the density: the user's function, under its name in the module, with its weight."""

    function: str
    is_array: bool


class Derived(NamedTuple):
    """A derived quantity: the user's function under its name in the module, and its number of dimensions."""

    function: str
    ndim: int


class Plan(NamedTuple):
    """What goes into a module.

    Attributes
    ----------
    layout : Layout
        Parameters.
    data : sequence of Datum
        Data; only names and types count.
    terms : sequence of Term
        Pieces of the density in the order of their weights; empty if there is only `written`.
    written : bool
        Whether the user gave ``logp_grad``.
    derived : sequence of Derived
        Derived quantities.
    flat : str
        '' for named parameters. For a function of the flat position the names of its arguments among "x", "grad" and
        "data", joined by ", ".
    bare_data : bool
        Whether the only entry of the data is passed as it is, not as a named tuple.
    gradient : str
        Text of the derived gradient, a function `derived_gradient`; '' if there is none.
    """

    layout: Layout
    data: Sequence[Datum]
    terms: Sequence[Term]
    written: bool
    derived: Sequence[Derived]
    flat: str = ""
    bare_data: bool = False
    gradient: str = ""

    @property
    def n_weights(self) -> int:
        """One weight for each term; one if there is only a written gradient."""
        return max(len(self.terms), 1)

    @property
    def scratch(self) -> int:
        """Number of float64 of scratch memory a chain needs."""
        return 2 * self.layout.values + self.layout.dim + 1


def source(plan: Plan) -> str:
    """Write the text of a model's module."""
    parts = [_head(plan)]
    if plan.gradient:
        parts += ["@kernel(reassociate=True)\n" + plan.gradient, _fused(plan)]
    elif plan.terms:
        parts += [_value(plan), _differences(plan)]
    if plan.written:
        parts += [_fused(plan)]
    parts += [_shell(plan, "density", plan.written or bool(plan.gradient))]
    if plan.written and plan.terms:
        parts += [_shell(plan, "general", False)]
    parts += [part for part in (_stores(plan), _record(plan)) if part]
    return "\n\n".join(part.strip("\n") + "\n" for part in parts)


def _fields(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def _head(plan: Plan) -> str:
    layout = plan.layout
    table = "\n".join(f"    {p.name:<16} {p.support.name} {p.shape or ''}".rstrip() for p in layout.parameters.values())
    classes = []
    if not plan.flat:
        classes.append(f'Parameters = namedtuple("Parameters", {_fields(list(layout.parameters))})')
        classes.append(f'Gradients = namedtuple("Gradients", {_fields([p.name for p in layout.continuous])})')
    if (plan.data or not plan.flat) and not plan.bare_data:
        classes.append(f'Data = namedtuple("Data", {_fields([d.name for d in plan.data])})')
    newline = "\n"
    return f'''
"""Log density of a model, written by nbinfer. Its name is a hash of its content; it is never edited.

{table}

The user's functions and the transforms are put among the globals. ``q`` holds coordinates, ``z`` discrete values,
``scratch`` constrained values, then their gradients, then a position to try.
"""

import math
from collections import namedtuple

import numpy as np

from nbinfer.compile import floats_at, ints_at, kernel, part, store_release

{newline.join(classes)}

'''


def _view(array: str, place: slice, shape: tuple[int, ...], scalar_as_array: bool = False) -> str:
    """Write a view of a piece of a flat array; a number if `shape` is () and it is not to be written to."""
    if shape == () and not scalar_as_array:
        return f"{array}[{place.start}]"
    return f"part({array}, {place.start}, {shape})"


def _flat(array: str, place: slice) -> str:
    """Write a view of a piece of a flat array as a flat array."""
    return f"part({array}, {place.start}, ({place.stop - place.start},))"


def _moved(p: Parameter) -> bool:
    """Tell whether a parameter has a transform, and thus a place in scratch memory."""
    return bool(p.x.stop > p.x.start)


def _constrain(plan: Plan, q: str = "q", jacobian: bool = True) -> list[str]:
    """Write statements that leave `p`, the named tuple of values, and `log_jacobian`."""
    lines = ["log_jacobian = 0.0"] if jacobian else []
    fields = []
    for p in plan.layout.parameters.values():
        if _moved(p):
            call = f"forward_{p.name}({_flat(q, p.q)}, {_flat('scratch', p.x)}, {_flat('constants', p.c)})"
            lines.append(f"log_jacobian += {call}" if jacobian else call)
            fields.append(_view("scratch", p.x, p.shape))
        elif p.support.discrete:
            fields.append(_view("z", p.z, p.shape))
        else:
            fields.append(_view(q, p.q, p.shape))
    lines.append("p = Parameters(" + ", ".join(fields) + ")")
    return lines


def _function(name: str, arguments: str, lines: Sequence[str], comment: str) -> str:
    body = "\n".join("    " + line if line else "" for line in lines)
    return f'@kernel\ndef {name}({arguments}):\n    """{comment}"""\n{body}\n'


def _loop(target: str, start: int, stop: int, statement: str, shift: int | None = None) -> list[str]:
    """Write a loop over part of an array: Numba needs seconds for an assignment to a slice."""
    moved = 0 if shift is None else shift - start
    source = f"i {'+' if moved > 0 else '-'} {abs(moved)}" if moved else "i"
    return [f"for i in range({start}, {stop}):", f"    {target}[i] {statement.replace('[j]', f'[{source}]')}"]


def _gradients(plan: Plan) -> str:
    """Write the named tuple of gradients: of real parameters in `grad`, of others in scratch memory."""
    fields = []
    for p in plan.layout.continuous:
        if _moved(p):
            place = slice(plan.layout.values + p.x.start, plan.layout.values + p.x.stop)
            fields.append(_view("scratch", place, p.shape, scalar_as_array=True))
        else:
            fields.append(_view("grad", p.q, p.shape, scalar_as_array=True))
    return "Gradients(" + ", ".join(fields) + ")"


def _flat_call(plan: Plan) -> str:
    return ", ".join({"x": "q"}.get(name, name) for name in plan.flat.split(", "))


def _value(plan: Plan) -> str:
    lines = [] if plan.flat else _constrain(plan)
    lines.append("total = 0.0" if plan.flat else "total = log_jacobian")
    for i, term in enumerate(plan.terms):
        value = f"{term.function}({_flat_call(plan) if plan.flat else 'p, data'})"
        lines.append(f"if weights[{i}] != 0.0:")
        lines.append(f"    total += weights[{i}] * " + (f"np.sum({value})" if term.is_array else value))
    lines.append("return total")
    return _function("value", f"q, {_ARGUMENTS}", lines, "Return the log density, with the Jacobian of the transforms.")


def _differences(plan: Plan) -> str:
    work = 2 * plan.layout.values
    dim = plan.layout.dim
    call = f"value(trial, {_ARGUMENTS})"
    lines = [
        f"trial = {_flat('scratch', slice(work, work + dim))}",
        *_loop("trial", 0, dim, "= q[i]"),
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
        f"return value(q, {_ARGUMENTS})",
    ]
    comment = "Return the log density and overwrite `grad` with central differences."
    return _function("differences", f"q, grad, {_ARGUMENTS}", lines, comment)


def _fused(plan: Plan) -> str:
    layout = plan.layout
    lines = _loop("grad", 0, layout.dim, "= 0.0")
    name, more = ("derived_gradient", ", weights") if plan.gradient else ("logp_grad", "")
    if plan.flat:
        arguments = f"q, grad{', data' if 'data' in plan.flat else ''}" if plan.gradient else _flat_call(plan)
        lines.append(f"total = {name}({arguments})")
    else:
        lines += _loop("scratch", layout.values, 2 * layout.values, "= 0.0") if layout.values else []
        lines += _constrain(plan)
        lines.append(f"total = {name}(p, data, {_gradients(plan)}{more})")
    # A gradient that knows no weights takes that of the whole; its terms cannot be told apart.
    if len(plan.terms) <= 1 and (plan.flat or not plan.gradient):
        scaled = _loop("grad", 0, layout.dim, "*= weights[0]")
        scaled += _loop("scratch", layout.values, 2 * layout.values, "*= weights[0]") if layout.values else []
        lines += ["if weights[0] != 1.0:", "    total *= weights[0]", *("    " + line for line in scaled)]
    for p in filter(_moved, layout.continuous):
        of_x = slice(layout.values + p.x.start, layout.values + p.x.stop)
        places = [("q", p.q), ("scratch", p.x), ("constants", p.c), ("scratch", of_x), ("grad", p.q)]
        lines.append(f"pullback_{p.name}({', '.join(_flat(array, place) for array, place in places)})")
    lines.append("return total" if plan.flat else "return log_jacobian + total")
    comment = "Return the log density and overwrite `grad` with its gradient."
    return _function("fused", f"q, grad, {_ARGUMENTS}", lines, comment)


def _c_function(name: str, arguments: str, lines: Sequence[str]) -> str:
    return f"def {name}({arguments}):\n" + "\n".join("    " + line for line in lines) + "\n"


def _shell(plan: Plan, name: str, written: bool) -> str:
    value, both = f"value(position, {_ARGUMENTS})", "{}(position, floats_at(grad, n), {})"
    if written:
        work = 2 * plan.layout.values
        evaluate = [
            "    if grad == 0:",
            f"        grad = row[{SCRATCH}] + {8 * work}",
            "    total = " + both.format("fused", _ARGUMENTS),
        ]
    else:
        evaluate = [
            "    if grad == 0:",
            f"        total = {value}",
            "    else:",
            "        total = " + both.format("differences", _ARGUMENTS),
        ]
    lines = [
        '"""C function: the log density at `q`, its gradient to `grad` unless that is 0; -inf if a function raised."""',
        *_unpack(plan, ["t", "f", "weights", "constants", "z", "scratch"]),
        *_data(plan),
        "failed = False",
        "total = -np.inf",
        "try:",
        *evaluate,
        "except Exception:",
        "    failed = True",
        "if failed:",
        *("    " + line for line in _note_failure(plan)),
        "    return -np.inf",
        "return total",
    ]
    return _c_function(name, "n, q, grad, context", lines)


def _note_failure(plan: Plan) -> list[str]:
    """Write statements that count an evaluation that raised, and keep the point of the first."""
    dim, discrete = plan.layout.dim, plan.layout.discrete
    return [
        f"row[{STATUS}] += 1",
        f"if row[{FAILED}] == 0:",
        f"    failure = floats_at(row[{FAILURE}], n + {discrete})",
        *("    " + line for line in _loop("failure", 0, dim, "= position[i]")),
        *("    " + line for line in (_loop("failure", dim, dim + discrete, "= z[j]", 0) if discrete else [])),
        f"    store_release(context + {8 * FAILED}, row[{STATUS}])",
    ]


def _unpack(plan: Plan, names: Sequence[str]) -> list[str]:
    """Write statements that turn a context into arrays."""
    lines = [f"row = ints_at(context, {CONTEXT_WORDS} + 0 * n)"]
    for name in names:
        kind, address, length = {
            "t": ("ints_at", DATA, N_DATA),
            "f": ("floats_at", DATA, N_DATA),
            "weights": ("floats_at", WEIGHTS, N_WEIGHTS),
            "constants": ("floats_at", CONSTANTS, N_CONSTANTS),
            "z": ("ints_at", DISCRETE, N_DISCRETE),
            "scratch": ("floats_at", SCRATCH, N_SCRATCH),
            "columns": ("ints_at", COLUMNS, N_COLUMNS),
        }[name]
        lines.append(f"{name} = {kind}(row[{address}], row[{length}])")
    return [*lines, "position = floats_at(q, n)"]


def _data(plan: Plan) -> list[str]:
    """Write the statements that leave `data`."""
    views, start = [], 0
    for datum in plan.data:
        expression, start = view_source(datum, start)
        views.append(expression)
    if plan.bare_data:
        return [f"data = {views[0]}"]
    if not views:
        return ["data = Data()"] if not plan.flat else ["data = ()"]
    return ["data = Data(", *(f"    {view}," for view in views), ")"]


def _record(plan: Plan) -> str:
    layout = plan.layout
    lines = ['"""C function: a row of parameters and derived quantities; 1 if one of these raised or changed shape."""']
    lines += _unpack(plan, (["t", "f", "columns"] if plan.derived else []) + ["constants", "z", "scratch"])
    lines += _data(plan) if plan.derived else []
    lines += _constrain(plan, "position", jacobian=False)
    if not plan.derived:
        lines = [line for line in lines if not line.startswith("p = ")]
    lines.append(f"out = floats_at(out_row, row[{ROW_SIZE}])")
    start = 0
    for p in layout.parameters.values():
        array, place = ("z", p.z) if p.support.discrete else ("scratch", p.x) if _moved(p) else ("position", p.q)
        lines += _loop("out", start, start + p.elements, f"= {array}[j]", place.start)
        start += p.elements
    if plan.derived:
        lines += ["failed = False", "try:"]
        word = 0
        for derived in plan.derived:
            call = f"{derived.function}(p, data)"
            if derived.ndim == 0:
                lines.append(f"    out[columns[{word}]] = {call}")
            else:
                lines.append(f"    failed |= store_array({call}, out, columns[{word}:{word + 1 + derived.ndim}])")
            word += 1 + derived.ndim
        lines += ["except Exception:", "    failed = True"]
        lines += ["if failed:", *("    " + line for line in _note_failure(plan)), "    return 1"]
    return _c_function("record", "n, q, out_row, context", [*lines, "return 0"])


def _stores(plan: Plan) -> str:
    lines = [
        "for i in range(value.ndim):",
        "    if value.shape[i] != column[1 + i]:",
        "        return True",
        "i = column[0]",
        "for element in value.flat:",
        "    out[i] = element",
        "    i += 1",
        "return False",
    ]
    comment = "Write an array to its columns; tell whether its shape has changed."
    return _function("store_array", "value, out, column", lines, comment) if any(d.ndim for d in plan.derived) else ""
