"""Where an adjoint of 0 must absorb what it is multiplied by.

A guard such as `np.where` gives the side that it does not take an adjoint of exactly 0; so does a function that has
levelled off, as ``exp(-inf)`` has. What lies behind does not matter then, though a derivative in it may be infinite or
NaN, and 0 times that is NaN. So a contribution whose adjoint is exactly 0 counts as 0.

That costs a comparison, which is written only where it can matter: where the adjoint *may die*, and the derivative *may
be wild*. An adjoint does not die on its way from the result through sums, products and logarithms: it is 0 there only
if a number is, and then what led to that number is finite. It may die where a value is used on one side of a branch, in
a loop that may not run, in a function that levels off, in an array of which not every element is read; and on the spot
where terms may have a weight of 0, which whoever weighs them says. A derivative is tame if it is made of parameters and
finite constants by sums and products.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from nbinfer.autodiff.ir import Alloc, Block, For, If, Load, Primitive, Scalar, Storage, Store, Value, blocks_of

#: Rules whose partial derivatives are numbers between -1 and 1, whatever the arguments are.
_BOUNDED = {
    "add", "sub", "neg", "abs", "max", "min", "maximum", "minimum", "fmax", "fmin", "select", "where_valid",
    "nan_to_minus_inf", "copysign", "float",
}  # fmt: skip

#: Rules that do not level off, and the positions of which that holds.
_UNBOUNDED: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("add", "sub", "mul"), (0, 1)),
    **dict.fromkeys(("neg", "square", "whole_power", "abs", "sqrt", "div"), (0,)),
    **dict.fromkeys(("log", "log2", "log10", "log1p", "lgamma", "lgamma_positive"), (0,)),
}

#: Rules that make something finite of what is finite, but for an overflow.
_TAME = {
    "add",
    "sub",
    "neg",
    "mul",
    "square",
    "abs",
    "max",
    "min",
    "maximum",
    "minimum",
    "float",
    "inert",
    "tanh",
    "expit",
    "sin",
    "cos",
    "atan",
}

#: What the adjoint of a use dies with: an adjoint, the memory of adjoints, or the one or the other of these; None if
#: it may die on the spot.
_Fate = tuple[Any, ...] | None


class Absorbing:
    """Finds adjoints that may be exactly 0 behind a guard.

    Parameters
    ----------
    top : Block
        The program.
    results : list of Value
        What it returns.
    is_term : callable
        Tells of a value whether it is a term of a result, whose adjoint is known.
    vanishing : bool
        Whether the adjoints of results may be 0 themselves.
    """

    def __init__(
        self, top: Block, results: list[Value], is_term: Callable[[Value], bool], vanishing: bool = False
    ) -> None:
        self._is_term = is_term
        self._vanishing = vanishing
        begun: _Fate = None if vanishing else ()
        self._uses: dict[Value, list[tuple[Block, _Fate]]] = {value: [(top, begun)] for value in results}
        self._reads: defaultdict[Storage, list[Load | Primitive]] = defaultdict(list)
        self._stores: dict[Storage, list[Value]] = {}
        self._tame: dict[Value, bool] = {}
        self._collect(top)
        self._dying: set[Value | Storage] = set()
        self._settle()

    def absorbs(self, op: Scalar, position: int) -> bool:
        """Tell whether an adjoint of 0 has to be looked for in the contribution to an argument."""
        name = op.rule.name
        if op.out not in self._dying or name in _BOUNDED:
            return False
        if name in ("mul", "square"):
            return not self._is_tame(op.args[1 - position if name == "mul" else 0])
        return True

    def exponential(self, op: Scalar, position: int) -> Value | None:
        """Return the exponential that is the partial derivative by an argument, if one is."""
        factor = op.out if op.rule.name == "exp" else op.args[1 - position] if op.rule.name == "mul" else None
        is_one = factor is not None and isinstance(factor.op, Scalar) and factor.op.rule.name == "exp"
        return factor if is_one else None

    def dies(self, value: Value) -> bool:
        """Tell whether the adjoint of a number may be 0 behind a guard."""
        return value in self._dying

    # Adjoints -----------------------------------------------------------------------------------------------------

    def _use(self, value: Value, block: Block, fate: _Fate) -> None:
        if value.active and value.ndim == 0 and value.constant is None:
            self._uses.setdefault(value, []).append((block, fate))

    def _collect(self, block: Block) -> None:
        for op in block.ops:
            if isinstance(op, Scalar):
                for position, arg in enumerate(op.args):
                    passes = position in _UNBOUNDED.get(op.rule.name, ()) or self._is_term(op.out)
                    self._use(arg, block, (op.out,) if passes else None)
            elif isinstance(op, Store):
                assert op.array.storage is not None
                self._use(op.value, block, (op.array.storage,))
                self._stores.setdefault(op.array.storage, []).append(op.value)
            elif isinstance(op, (Load, Primitive)):
                for arg in op.args:
                    if arg.storage is not None:
                        self._reads[arg.storage].append(op)
            elif isinstance(op, For):
                for value in (*op.phis, *op.outs):
                    if value.active:
                        self._uses.setdefault(value, [])
                for out, phi, init, following in zip(op.outs, op.phis, op.inits, op.nexts, strict=True):
                    self._use(init, block, (phi, out))
                    self._use(following, op.body, (phi, out))
            elif isinstance(op, If):
                for side, values in op.sides:
                    for out, value in zip(op.outs, values, strict=True):
                        self._use(value, side, (out,))
            else:
                for arg in op.args:
                    self._use(arg, block, None)
            for inner in blocks_of(op):
                self._collect(inner)

    def _settle(self) -> None:
        """Find all that may die: what has no use that stays alive."""
        found = True
        while found:
            found = False
            dead: list[Value | Storage] = [
                value for value, uses in self._uses.items() if value not in self._dying and self._may_die(value, uses)
            ]
            dead += [
                storage
                for storage in self._stores
                if storage not in self._dying and not any(self._is_read(storage, op) for op in self._reads[storage])
            ]
            self._dying.update(dead)
            found = bool(dead)

    def _may_die(self, value: Value, uses: list[tuple[Block, _Fate]]) -> bool:
        return self._vanishing if self._is_term(value) else self._are_dead(value.block, uses)

    def _are_dead(self, origin: Block, uses: list[tuple[Block, _Fate]]) -> bool:
        return all(
            fate is None or _may_be_passed_by(block, origin) or any(part in self._dying for part in fate)
            for block, fate in uses
        )

    def _is_read(self, storage: Storage, op: Load | Primitive) -> bool:
        """Tell whether an operation surely reads all of an array, and its adjoint stays alive."""
        out = op.out
        if storage.mutable or _may_be_passed_by(op.block, storage.block, frozenset(getattr(op, "index", ()))):
            return False
        if isinstance(op, Primitive):
            return out.ndim == 0 and out not in self._dying
        if out in self._dying or op.array is not storage.root or not isinstance(storage.root.op, Alloc):
            return False
        return all(map(_runs_along, op.index, storage.root.op.args)) and len(set(op.index)) == len(op.index)

    # Derivatives --------------------------------------------------------------------------------------------------

    def _is_tame(self, value: Value) -> bool:
        if value.constant is not None:
            return math.isfinite(value.constant)
        if value.kind != "f":
            return True
        known = self._tame.get(value)
        if known is None:
            self._tame[value] = True  # as long as nothing else is known, of what loops carry
            known = self._tame[value] = self._find_tame(value)
        return known

    def _find_tame(self, value: Value) -> bool:
        op = value.op
        if op is None:
            return value.active
        if isinstance(op, Scalar):
            return (op.rule.name in _TAME or (op.rule.name == "exp" and value.block.depth == 0)) and all(
                map(self._is_tame, op.args)
            )
        if isinstance(op, Load):
            storage = op.array.storage
            assert storage is not None
            if storage.root.access:
                return storage.active
            stored = self._stores.get(storage)
            return stored is not None and all(map(self._is_tame, stored))
        if isinstance(op, For):
            position = op.phis.index(value) if value in op.phis else op.outs.index(value)
            return self._is_tame(op.inits[position]) and self._is_tame(op.nexts[position])
        if isinstance(op, If):
            position = op.outs.index(value)
            return self._is_tame(op.then_values[position]) and self._is_tame(op.else_values[position])
        return False


def _may_be_passed_by(block: Block, origin: Block, counters: frozenset[Value] = frozenset()) -> bool:
    """Tell whether a program that runs through `origin` may leave out a block in it; loops over `counters` count."""
    inner: Block | None = block
    while inner is not None and inner is not origin and inner.depth > origin.depth:
        if inner.branch is not None:
            return True
        if inner.loop is not None and inner.loop.index not in counters and not _surely_runs(inner.loop):
            return True
        inner = inner.parent
    return False


def _surely_runs(loop: For) -> bool:
    ends = [loop.start.constant, loop.stop.constant, loop.step.constant]
    return None not in ends and len(range(*ends)) > 0


def _runs_along(index: Value, size: Value) -> bool:
    """Tell whether an index is a loop's counter that takes all values up to a size."""
    loop = index.block.loop
    if loop is None or index is not loop.index or loop.start.constant != 0 or loop.step.constant != 1:
        return False
    if loop.leaves is not None:
        return False
    stop = loop.stop
    return stop is size or (stop.constant is not None and stop.constant == size.constant)
