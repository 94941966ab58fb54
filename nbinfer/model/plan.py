"""What goes into the module of a model, and the statements that its functions share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nbinfer.model.data import Datum
from nbinfer.model.layout import Layout, Parameter

#: What the functions of a generated module take beside coordinates and gradient.
ARGUMENTS = "z, data, weights, constants, scratch"


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
        Whether the gradient is the user's ``logp_grad``.
    derived : sequence of Derived
        Derived quantities.
    flat : str
        '' for named parameters. For a function of the flat position the names of its arguments among "x", "grad" and
        "data", joined by ", ".
    bare_data : bool
        Whether the only entry of the data is passed as it is, not as a named tuple.
    derivatives : str
        Text of the derived gradient, a function `density_gradient`; '' if there is none.
    """

    layout: Layout
    data: Sequence[Datum]
    terms: Sequence[Term]
    written: bool
    derived: Sequence[Derived]
    flat: str = ""
    bare_data: bool = False
    derivatives: str = ""

    @property
    def fuses(self) -> bool:
        """Whether value and gradient come from one function; else the gradient is made of differences."""
        return self.written or bool(self.derivatives)


def view(array: str, place: slice, shape: tuple[int, ...], scalar_as_array: bool = False) -> str:
    """Write a view of a piece of a flat array; a number if `shape` is () and it is not to be written to."""
    if shape == () and not scalar_as_array:
        return f"{array}[{place.start}]"
    return f"part({array}, {place.start}, {shape})"


def flat(array: str, place: slice) -> str:
    """Write a view of a piece of a flat array as a flat array."""
    return f"part({array}, {place.start}, ({place.stop - place.start},))"


def moved(p: Parameter) -> bool:
    """Tell whether a parameter has a transform, and thus a place in scratch memory."""
    return bool(p.x.stop > p.x.start)


def shifted(place: slice, by: int) -> slice:
    """Move a place further along."""
    return slice(place.start + by, place.stop + by)


def constrain(plan: Plan, q: str = "q", jacobian: bool = True) -> list[str]:
    """Write statements that leave `p`, the named tuple of values, and `log_jacobian`."""
    lines = ["log_jacobian = 0.0"] if jacobian else []
    fields: list[str] = []
    for p in plan.layout.parameters.values():
        if moved(p):
            call = f"forward_{p.name}({flat(q, p.q)}, {flat('scratch', p.x)}, {flat('constants', p.c)})"
            lines.append(f"log_jacobian += {call}" if jacobian else call)
            fields.append(view("scratch", p.x, p.shape))
        elif p.support.discrete:
            fields.append(view("z", p.z, p.shape))
        else:
            fields.append(view(q, p.q, p.shape))
    lines.append("p = Parameters(" + ", ".join(fields) + ")")
    return lines


def function(name: str, arguments: str, lines: Sequence[str], comment: str) -> str:
    """Write a kernel."""
    body = "\n".join("    " + line if line else "" for line in lines)
    return f'@kernel\ndef {name}({arguments}):\n    """{comment}"""\n{body}\n'


def loop(target: str, start: int, stop: int, statement: str, shift: int | None = None) -> list[str]:
    """Write a loop over part of an array: Numba needs seconds for an assignment to a slice."""
    by = 0 if shift is None else shift - start
    source = f"i {'+' if by > 0 else '-'} {abs(by)}" if by else "i"
    return [f"for i in range({start}, {stop}):", f"    {target}[i] {statement.replace('[j]', f'[{source}]')}"]
