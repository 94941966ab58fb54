"""What goes into the module of a model, and the statements that its functions share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from nbinfer.model.data import Datum
from nbinfer.model.layout import Layout, Parameter
from nbinfer.model.missing import index_of, parameter_of

#: What the functions of a generated module take beside coordinates and gradient.
ARGUMENTS = "z, data, weights, constants, scratch"

#: Words of a context row, among those of `nbinfer.model.code.shells`: where gradients by entries of the data go, and
#: how many numbers these are.
SLOPES, N_SLOPES = 17, 18

#: `nbinfer.model.missing.GAP` as text.
_GAPS = {"float64": "np.nan", "int64": "-9223372036854775807 - 1"}


class Term(NamedTuple):
    """A piece of the density: the user's function, under its name in the module, with its weight."""

    function: str
    is_array: bool


class Derived(NamedTuple):
    """A derived quantity: the user's function under its name in the module, its number of dimensions, its dtype."""

    function: str
    ndim: int
    kind: str = "float64"


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
    written : str
        The function by which the user wrote the gradient: "logp_grad", which returns the density too, or "gradient",
        which stands beside the terms; '' where it is derived, or made of differences.
    derived : sequence of Derived
        Derived quantities.
    flat : str
        '' for named parameters. For a function of the flat position the names of its arguments among "x", "grad" and
        "data", joined by ", ".
    flat_gradient : str
        The same for a "gradient" of the flat position.
    bare_data : bool
        Whether the only entry of the data is passed as it is, not as a named tuple.
    derivatives : str
        Text of what was derived: the gradient, unless it is `written`, and the pullbacks of bounds; '' if that failed.
    value : str
        Text of the density without gradient, generated as that with it; '' to call the functions themselves.
    bounds : mapping
        Of bounds that are functions, by argument and parameter, the shape of what they return; None for a number.
    jacobians : mapping of str to int
        Of parameters that a term of the prior is named after, the index of its weight: that of the log Jacobian, too.
    learnt : sequence of str
        Entries of the data by which the density is differentiated, too.
    missing : sequence of str
        Entries of the data with gaps, which parameters fill.
    """

    layout: Layout
    data: Sequence[Datum]
    terms: Sequence[Term]
    written: str
    derived: Sequence[Derived]
    flat: str = ""
    flat_gradient: str = ""
    bare_data: bool = False
    derivatives: str = ""
    value: str = ""
    bounds: Mapping[tuple[str, str], tuple[int, ...] | None] = MappingProxyType({})
    jacobians: Mapping[str, int] = MappingProxyType({})
    learnt: Sequence[str] = ()
    missing: Sequence[str] = ()

    @property
    def fuses(self) -> bool:
        """Whether value and gradient come from one function; else the gradient is made of differences."""
        return bool(self.written or self.derivatives)


def view(array: str, place: slice, shape: tuple[int, ...], scalar_as_array: bool = False) -> str:
    """Write a view of a piece of a flat array; a number if `shape` is () and it is not to be written to."""
    if shape == () and not scalar_as_array:
        return f"{array}[{place.start}]"
    return f"part({array}, {place.start}, {shape})"


def flat(array: str, place: slice) -> str:
    """Write a view of a piece of a flat array as a flat array."""
    return f"part({array}, {place.start}, ({place.stop - place.start},))"


def slopes(plan: Plan) -> list[str]:
    """Write the statements that leave `slopes`, the named tuple of gradients by entries of the data."""
    views, before = [], "0"
    for name in plan.learnt:
        views.append(f"part(slope, {before}, data.{name}.shape)")
        before += f" + data.{name}.size"
    return [
        f"slope = floats_at(row[{SLOPES}], row[{N_SLOPES}])",
        f"slopes = Slopes({', '.join(views)})",
    ]


def empty(plan: Plan) -> list[str]:
    """Write statements that leave nothing in the gaps of the data, where bounds, which come before, would see it."""
    if not plan.layout.dependent:
        return []
    kinds = {datum.name: datum.kind for datum in plan.data}
    return [line for name in plan.missing for line in _each_gap(name, f"data.{name}", f"= {_GAPS[kinds[name]]}")]


def fill(plan: Plan) -> list[str]:
    """Write statements that put the values of `p` into the gaps of the data: the memory is the context's own."""
    return [line for name in plan.missing for line in _each_gap(name, f"data.{name}", f"= p.{parameter_of(name)}[i]")]


def from_gaps(plan: Plan) -> list[str]:
    """Write statements that add, to the gradients of missing values, those by the data where these belong."""
    lines = []
    for name in plan.missing:
        if not plan.written and not plan.layout.parameters[parameter_of(name)].support.discrete:
            gradient = f"gradients.{parameter_of(name)}"
            lines += _each_gap(name, f"slopes.{name}", "", f"{gradient}[i] += ")
    return lines


def _each_gap(name: str, array: str, after: str, before: str = "") -> list[str]:
    """Write a loop over the gaps of an entry, in which something is done with the element of an array there."""
    flat, index = f"all_of_{name}", f"data.{index_of(name)}"
    return [
        f"{flat} = part({array}, 0, ({array}.size,))",
        f"for i in range({index}.size):",
        f"    {before}{flat}[{index}[i]] {after}".rstrip(),
    ]


def moved(p: Parameter) -> bool:
    """Tell whether a parameter has a transform, and thus a place in scratch memory."""
    return bool(p.x.stop > p.x.start)


def shifted(place: slice, by: int) -> slice:
    """Move a place further along."""
    return slice(place.start + by, place.stop + by)


def constants(plan: Plan, p: Parameter) -> str:
    """Write the constants of a transform as a flat array: in scratch memory if a bound is a function."""
    if p.support.bounds:
        return flat("scratch", shifted(p.b, plan.layout.bounds_start))
    return flat("constants", p.c)


def constrain(plan: Plan, jacobian: bool = True, shown: bool = True) -> list[str]:
    """Write statements that leave `p`, the named tuple of values, and `log_jacobian`.

    With `shown`, users' functions are to see `p`: they must not write to it.
    """
    lines = ["log_jacobian = 0.0"] if jacobian else []
    fields: list[str] = []
    for p in plan.layout.parameters.values():
        if p.support.bounds:
            lines += _bounds(plan, p, fields)
            # Rows are written where the density is finite: there the bounds leave room.
            lines += [f"if not settle_{p.name}({constants(plan, p)}):", "    return -np.inf"] if jacobian else []
        if moved(p):
            call = f"forward_{p.name}({flat('q', p.q)}, {flat('scratch', p.x)}, {constants(plan, p)})"
            weight = f"weights[{plan.jacobians[p.name]}] * " if p.name in plan.jacobians else ""
            lines.append(f"log_jacobian += {weight}{call}" if jacobian else call)
            fields.append(view("scratch", p.x, p.shape))
        elif p.support.discrete:
            fields.append(view("z", p.z, p.shape))
        else:
            fields.append(view("q", p.q, p.shape))
    values = f"Parameters({', '.join(fields)})"
    lines.append(f"p = readonly({values})" if shown else f"p = {values}")
    return [*empty(plan), *lines, *fill(plan)]


def _bounds(plan: Plan, p: Parameter, before: Sequence[str]) -> list[str]:
    """Write statements that lay out the bounds of a parameter from the parameters before it."""
    lines = [f"before_{p.name} = readonly({p.before.__name__}({', '.join(before)}))"]
    start = plan.layout.bounds_start + p.b.start
    for k, (argument, bound) in enumerate(p.support.bounds):
        at = start + k * p.elements
        if callable(bound):
            value = f"value_{argument}_{p.name}"
            lines.append(f"{value} = bound_{argument}_{p.name}(before_{p.name}, readonly(data))")
            lines += _spread(value, plan.bounds[argument, p.name], p.shape, at)
        else:
            lines += loop("scratch", at, at + p.elements, "= constants[j]", p.c.start + k * p.elements)
    return lines


def _spread(value: str, got: tuple[int, ...] | None, shape: tuple[int, ...], at: int) -> list[str]:
    """Write loops that broadcast a number or an array of shape `got` to `shape`, flat in scratch memory from `at` on.

    NumPy's own broadcasting takes Numba half a second to compile.
    """
    lines = []
    for axis, length in enumerate(got or ()):
        lines.append(f"if {value}.shape[{axis}] != {length}:")
        lines.append('    raise ValueError("the shape of a bound has changed")')
    place, indent = [str(at)], ""
    for axis, length in enumerate(shape):
        lines.append(f"{indent}for i{axis} in range({length}):")
        below = math.prod(shape[axis + 1 :])
        place.append(f"i{axis} * {below}" if below > 1 else f"i{axis}")
        indent += "    "
    index = ["0" if length == 1 else f"i{axis}" for axis, length in enumerate(got or (), len(shape) - len(got or ()))]
    element = value if got is None else f"{value}[{', '.join(index) or '()'}]"
    return [*lines, f"{indent}scratch[{' + '.join(place)}] = {element}"]


def function(name: str, arguments: str, lines: Sequence[str], comment: str) -> str:
    """Write a kernel."""
    body = "\n".join("    " + line if line else "" for line in lines)
    return f'@kernel\ndef {name}({arguments}):\n    """{comment}"""\n{body}\n'


def loop(target: str, start: int, stop: int, statement: str, shift: int | None = None) -> list[str]:
    """Write a loop over part of an array: Numba needs seconds for an assignment to a slice."""
    by = 0 if shift is None else shift - start
    source = f"i {'+' if by > 0 else '-'} {abs(by)}" if by else "i"
    return [f"for i in range({start}, {stop}):", f"    {target}[i] {statement.replace('[j]', f'[{source}]')}"]
