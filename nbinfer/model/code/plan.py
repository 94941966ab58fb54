"""What goes into the module of a model, and the statements that its functions share."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from nbinfer.model.code.places import Places, moved, plus, times
from nbinfer.model.data import Datum
from nbinfer.model.layout import Layout, Parameter
from nbinfer.model.missing import index_of, parameter_of

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
    stand_ins : str
        Text of functions of the user's that Numba refuses, generated.
    bounds : mapping
        Of bounds that are functions, by argument and parameter, the shape of what they return; None for a number.
    jacobians : mapping of str to int
        Of parameters that a term of the prior is named after, the index of its weight: that of the log Jacobian, too.
    learnt : sequence of str
        Entries of the data by which the density is differentiated, too.
    missing : sequence of str
        Entries of the data with gaps, which parameters fill.
    device : bool
        Whether it is for a GPU, whose compiler knows no ``try``.
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
    stand_ins: str = ""
    bounds: Mapping[tuple[str, str], tuple[int, ...] | None] = MappingProxyType({})
    jacobians: Mapping[str, int] = MappingProxyType({})
    learnt: Sequence[str] = ()
    missing: Sequence[str] = ()
    device: bool = False

    @property
    def takes_memory(self) -> bool:
        """Whether a generated function takes memory from the arena that all are given."""
        generated = "\n".join([self.derivatives, self.value, self.stand_ins])
        return len(re.findall(r"\barena\b", generated)) > len(re.findall(r"\(arena, .*\):$", generated, re.MULTILINE))

    @property
    def arena(self) -> str:
        """What generated functions get as their arena."""
        return "arena" if self.takes_memory else "0"

    def call(self, function: str, arguments: str) -> str:
        """Write a call of a function of the user's; one that is generated in its place gets the arena, too."""
        is_generated = f"def {function}(arena, " in self.stand_ins
        return f"{function}({f'{self.arena}, ' if is_generated else ''}{arguments})"

    @property
    def fuses(self) -> bool:
        """Whether value and gradient come from one function; else the gradient is made of differences."""
        return bool(self.written or self.derivatives)

    @property
    def arguments(self) -> str:
        """What the functions of a generated module take beside coordinates and gradient: what they need."""
        read = self.places.read.split(", ")
        needed = {"data", "weights", *read, *(["constants"] if any(map(moved, self.layout.continuous)) else [])}
        needed |= {"places", "scratch"} if not self.fuses else set()  # a position to try
        needed |= {"arena"} if self.takes_memory else set()
        names = ("arena", "z", "data", "weights", "constants", "scratch", "places")
        return ", ".join(name for name in names if name in needed)

    @property
    def places(self) -> Places:
        """Where generated code finds parameters."""
        return Places(self.layout)


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


def fill(plan: Plan, where: Callable[[Parameter], str]) -> list[str]:
    """Write statements that put values into the gaps of the data: the memory is the context's own.

    `where` writes how to reach the value of a parameter.
    """
    lines = []
    for name in plan.missing:
        lines.append(f"values_of_{name} = {where(plan.layout.parameters[parameter_of(name)])}")
        lines += _each_gap(name, f"data.{name}", f"= values_of_{name}[i]")
    return lines


def from_gaps(plan: Plan) -> list[str]:
    """Write statements that add, to the gradients of missing values, those by the data where these belong."""
    lines, at = [], plan.places
    for name in plan.missing:
        p = plan.layout.parameters[parameter_of(name)]
        if not plan.written and not p.support.discrete:
            lines.append(f"gradient_of_{name} = {at.gradient(p)}")
            lines += _each_gap(name, f"slopes.{name}", "", f"gradient_of_{name}[i] += ")
    return lines


def _each_gap(name: str, array: str, after: str, before: str = "") -> list[str]:
    """Write a loop over the gaps of an entry, in which something is done with the element of an array there."""
    flat, index = f"all_of_{name}", f"data.{index_of(name)}"
    return [
        f"{flat} = part({array}, 0, ({array}.size,))",
        f"for i in range({index}.size):",
        f"    {before}{flat}[{index}[i]] {after}".rstrip(),
    ]


def constrain(plan: Plan, jacobian: bool = True, shown: bool = True) -> list[str]:
    """Write statements that bring coordinates to values, and leave `log_jacobian`.

    With `shown`, they leave `p` too, the named tuple of values that users' functions see: these must not write to it.
    """
    lines = ["log_jacobian = 0.0"] if jacobian else []
    fields: list[str] = []
    at = plan.places
    for run in runs(plan, list(plan.layout.parameters.values())):
        p = run[0]
        if p.support.bounds:
            lines += _bounds(plan, p, fields)
            # Rows are written where the density is finite: there the bounds leave room.
            lines += [f"if not settle_{p.name}({at.constants(p)}):", "    return -np.inf"] if jacobian else []
        if moved(p):
            each = "each" if len(run) > 1 else "0"
            call = f"forward_{p.name}({at.coordinates(p, each)}, {at.constants(p, each)})"
            weight = f"weights[{plan.jacobians[p.name]}] * " if p.name in plan.jacobians else ""
            lines += for_each(run, f"log_jacobian += {weight}{call}" if jacobian else call)
        fields += map(at.value, run)
    lines += [f"p = readonly(Parameters({', '.join(fields)}))"] if shown else []
    return [*empty(plan), *lines, *fill(plan, at.value)]


def runs(plan: Plan, parameters: Sequence[Parameter]) -> list[list[Parameter]]:
    """Take together numbers that follow each other and are transformed alike: one loop brings them all to values."""
    found: list[list[Parameter]] = []
    kind = ""
    for p in parameters:
        alone = p.shape or not moved(p) or p.support.bounds or p.name in plan.jacobians
        before, kind = kind, "" if alone else p.support.name
        if kind and kind == before:
            found[-1].append(p)
        else:
            found.append([p])
    return found


def for_each(run: Sequence[Parameter], statement: str) -> list[str]:
    """Write a statement for the parameters of a run, which `each` counts."""
    return [f"for each in range({len(run)}):", f"    {statement}"] if len(run) > 1 else [statement]


def _bounds(plan: Plan, p: Parameter, before: Sequence[str]) -> list[str]:
    """Write statements that lay out the bounds of a parameter from the parameters before it."""
    lines = [f"before_{p.name} = readonly({p.before.__name__}({', '.join(before)}))"]
    at = plan.places
    elements = at.number("elements", p)
    for k, (argument, bound) in enumerate(p.support.bounds):
        start = plus(at.number("bounds", p), times(str(k), elements))
        if callable(bound):
            value = f"value_{argument}_{p.name}"
            lines.append(f"{value} = {plan.call(f'bound_{argument}_{p.name}', f'before_{p.name}, readonly(data)')}")
            lines += _spread(value, plan.bounds[argument, p.name], at.shape(p), start)
        else:
            source = plus(at.number("constants", p), times(str(k), elements))
            lines += loop("scratch", start, elements, "= constants[j]", source)
    return lines


def _spread(value: str, got: tuple[int, ...] | None, shape: Sequence[str], start: str) -> list[str]:
    """Write loops that broadcast a number or an array of shape `got` to `shape`, flat in scratch memory from `start`.

    NumPy's own broadcasting takes Numba half a second to compile.
    """
    lines = []
    before = len(shape) - len(got or ())
    for axis, length in enumerate(got or ()):
        lines.append(f"if {value}.shape[{axis}] != {1 if length == 1 else shape[axis + before]}:")
        lines.append('    raise ValueError("the shape of a bound has changed")')
    place, indent = [start], ""
    for axis, wanted in enumerate(shape):
        lines.append(f"{indent}for i{axis} in range({wanted}):")
        place.append(times(f"i{axis}", *shape[axis + 1 :]))
        indent += "    "
    index = ["0" if length == 1 else f"i{axis}" for axis, length in enumerate(got or (), before)]
    element = value if got is None else f"{value}[{', '.join(index) or '()'}]"
    return [*lines, f"{indent}scratch[{plus(*place)}] = {element}"]


def function(name: str, arguments: str, lines: Sequence[str], comment: str) -> str:
    """Write a kernel."""
    body = "\n".join("    " + line if line else "" for line in lines)
    return f'@kernel\ndef {name}({arguments}):\n    """{comment}"""\n{body}\n'


def loop(target: str, start: str, count: str, statement: str, source: str = "0") -> list[str]:
    """Write a loop over part of an array, where [j] counts from `source`: Numba needs seconds to assign to a slice."""
    statement = statement.replace("[j]", f"[{plus('i', source)}]")
    return [f"for i in range({count}):", f"    {target}[{plus('i', start)}] {statement}"]
