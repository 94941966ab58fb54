"""Builds array expressions: broadcasting, reductions, products, and the loops that store them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from nbinfer.autodiff.builder import Builder
from nbinfer.autodiff.ir import Alloc, Value, promote
from nbinfer.autodiff.lazy import EXPENSIVE, Index, Lazy, Operand, is_number, owner, varies
from nbinfer.autodiff.rules import CHOICES, RULES

#: Where the search for the largest and for the smallest number of a kind begins.
_LEAST: dict[str, Any] = {"f": -math.inf, "i": 1 - 2**63, "b": False}
_MOST: dict[str, Any] = {"f": math.inf, "i": 2**63 - 1, "b": True}


#: What new memory holds.
_FILLED = {"zeros": 0, "ones": 1}

_OF_BITS = ("bitand", "bitor", "bitxor", "lshift", "rshift")
#: What NumPy's arithmetic is of arrays of truths.
_OF_TRUTHS = {
    "add": "or",
    "mul": "and",
    **dict.fromkeys(("max", "maximum", "fmax"), "or"),
    **dict.fromkeys(("min", "minimum", "fmin"), "and"),
}

#: How many terms of a sum inside of a loop are written out, and what they may cost together.
_MOST_TERMS, _MOST_COST = 8, 2000

#: Rules that can be done in memory.
SIGNS = {"add": 1, "sub": -1}


class ArrayBuilder(Builder):
    """A builder that knows array expressions."""

    #: Whether the program is for a processor with vector instructions.
    vectors = True

    def lazy(self, x: Operand) -> Lazy:
        """View an array as an expression."""
        if isinstance(x, Lazy):
            return x
        if x.storage is None:
            raise self.error("an array is needed here, not a number")
        reads = frozenset({x.storage}) if x.storage.mutable else frozenset()
        dims = [self.dim(x, axis) for axis in range(x.ndim)]
        if isinstance(x.op, Alloc) and x.op.how in _FILLED and not (x.storage.named or x.storage.stores):
            filling = self.constant({"f": float, "i": int, "b": bool}[x.kind](_FILLED[x.op.how]))
            return Lazy(self, dims, lambda index: filling, x.kind, varies=x.varies)
        result = Lazy(
            self,
            dims,
            lambda index: self.load(x, index),
            x.kind,
            active=x.active,
            varies=varies(x),
            cost=1,
            reads=reads,
            base=x,
        )
        result.hint = x.hint
        result.decided_by_active = x.storage.decided
        return result

    def dims_of(self, x: Operand) -> list[Value]:
        """Return the shape of an array or a number."""
        return list(x.dims) if isinstance(x, Lazy) else [self.dim(x, axis) for axis in range(x.ndim)]

    def broadcast(self, dims: Sequence[Sequence[Value]]) -> list[Value]:
        """Return the common shape; sizes that are not known to be equal are compared at run time."""
        ndim = max(map(len, dims))
        result: list[Value | None] = [None] * ndim
        for shape in dims:
            for axis, size in enumerate(shape, ndim - len(shape)):
                common = result[axis]
                if common is None:
                    result[axis] = size
                elif self.is_unit(common) and not self.is_unit(size):
                    self.fit(size, common)
                    result[axis] = size
                else:
                    self.fit(common, size)
                    known = size.constant not in (None, 1) or self.is_composed(size)
                    if known and not self.is_composed(common):
                        result[axis] = size
        return [size for size in result if size is not None]

    def is_unit(self, size: Value) -> bool:
        """Tell whether a size is known to be 1, or 0 at most where it is not."""
        return size.constant == 1 or size.number in self.at_most_one

    def fit(self, size: Value, given: Value) -> None:
        """Require what is given along an axis to broadcast to a size."""
        self.check_equal(self.constant(1) if self.is_unit(given) and not self.is_unit(size) else size, given)

    def spread(self, x: Lazy, index: Index, dims: Sequence[Value]) -> Index:
        """Return the index into an operand that belongs to an index into the broadcast result."""
        own = []
        for size, i, whole in zip(x.dims, index[len(index) - x.ndim :], dims[len(dims) - x.ndim :], strict=True):
            is_repeated = size.constant == 1 or (self.is_unit(size) and not self.is_unit(whole))
            own.append(self.constant(0) if is_repeated else i)
        return own

    def elementwise(
        self, function: Callable[..., Value], operands: Sequence[Operand], kind: str, active: bool, cost: int
    ) -> Operand:
        """Apply a function of thunks of numbers to each element of broadcast operands."""
        parts = [x if is_number(x) else self.lazy(x) for x in operands]
        arrays = [x for x in parts if isinstance(x, Lazy)]
        if not arrays:
            return function(*(lambda x=x: x for x in parts))
        dims = self.broadcast([x.dims for x in arrays])

        def thunk(x: Any, index: Index) -> Callable[[], Value]:
            return (lambda: x.at(self.spread(x, index, dims))) if isinstance(x, Lazy) else (lambda: x)

        return Lazy(
            self,
            dims,
            lambda index: function(*(thunk(x, index) for x in parts)),
            kind,
            active=active,
            varies=any(map(varies, parts)),
            cost=cost + sum(x.cost for x in arrays),
            reads=frozenset().union(*(x.reads for x in arrays)),
            positional=any(x.positional for x in arrays),
        )

    def fresh(self, x: Operand) -> Operand:
        """Return the elements of an array as an expression: a new array, in NumPy."""
        return self.elementwise(lambda element: element(), [x], x.kind, x.active, 0)

    def apply(self, rule: str, *operands: Operand) -> Operand:
        """Apply a scalar rule element by element."""
        if rule in _OF_BITS and any(x.kind == "f" for x in operands):
            raise self.error("bits are of integers and booleans only")
        if all(is_number(x) for x in operands):
            result = self.scalar(rule, *operands)
            return self.another(result) if result.cell else result
        kinds = [x.kind for x in operands]
        if rule in _OF_TRUTHS and set(kinds) == {"b"}:
            rule = _OF_TRUTHS[rule]
        if rule == "bool":
            kind, cost, active = "b", 1, False
        else:
            entry = RULES[rule]
            kind, cost = entry.result_kind(kinds), entry.cost
            active = kind == "f" and bool(entry.partials) and any(x.active for x in operands)
            if rule.startswith("bit") and set(kinds) == {"b"}:
                kind = "b"
            if entry.cuts and any(x.active for x in operands):
                self.notice(entry.cuts)
        decided = any(map(self._is_decided, operands))
        if kind != "b" and any(map(self._is_decided, operands[1:] if rule in CHOICES else operands)):
            self.notice("a comparison used as a number has derivative 0")
        result = self.elementwise(lambda *xs: self.scalar(rule, *(x() for x in xs)), operands, kind, active, cost)
        if isinstance(result, Lazy) and kind == "b":
            result.decided_by_active = decided or any(x.active for x in operands)
        return result

    def _is_decided(self, x: Operand) -> bool:
        if isinstance(x, Lazy):
            return x.kind == "b" and x.decided_by_active
        return x.kind == "b" and x.number in self.decided_by_active

    def where(self, condition: Operand, then: Operand, other: Operand) -> Operand:
        """Choose element by element; only the chosen expression is evaluated."""
        kind = "f" if "f" in (then.kind, other.kind) else "i" if "i" in (then.kind, other.kind) else "b"
        condition = self.apply("bool", condition)
        return self.elementwise(
            lambda c, x, y: self.select(c(), x, y),
            [condition, then, other],
            kind,
            kind == "f" and (then.active or other.active),
            2,
        )

    def stored(self, x: Operand, hint: str = "") -> Value:
        """Compute an array expression into memory."""
        if isinstance(x, Value):
            return x
        known: Value | None = x.stored_as
        if known is not None and not x.reads and self.block.inside(known.block):
            return known
        array = self.alloc(x.dims, x.kind, "empty", hint or x.hint or "a", mutable=False)

        def body(index: Index, carried: Index) -> Index:
            self.store(array, index, x.at(index), first=True)
            return []

        self.nest(x.dims, [], body)
        x.stored_as = array
        assert array.storage is not None
        array.storage.held = x.held
        return array

    def settled(self, x: Operand, hint: str = "") -> Operand:
        """Store an expression that reads memory which may change before it is used; a view is to see that."""
        return self.stored(x, hint) if isinstance(x, Lazy) and x.reads and isinstance(owner(x), Lazy) else x

    def dated(self, x: Operand) -> Operand:
        """Settle an expression if an earlier build has used it after a change of what it reads."""
        if isinstance(x, Lazy) and x.reads and x.date is None:
            key = self.key("expression")
            if self.facts.get(key):
                return self.settled(x)
            if isinstance(owner(x), Lazy):
                x.date = key, {s: len(s.stores) for s in x.reads}
        return x

    def assign(self, target: Value, source: Operand, rule: str = "") -> None:
        """Write an expression to an array, or combine it with what is there by a rule."""
        dims = self.dims_of(target)
        if not is_number(source):
            source = self.lazy(source)
            if target.storage in source.reads:
                source = self.lazy(self.stored(source))
            if source.ndim > target.ndim:
                raise self.error(f"cannot write an array of {source.ndim} axes to one of {target.ndim}")
            for size, given in zip(dims[::-1], source.dims[::-1], strict=False):
                self.fit(size, given)

        def body(index: Index, carried: Index) -> Index:
            value = source if is_number(source) else source.at(self.spread(source, index, dims))
            sign = SIGNS.get(rule, 0)
            if rule and not sign:
                value = self.scalar(rule, self.load(target, index), value)
            self.store(target, index, value, sign)
            return []

        self.nest(dims, [], body)

    # Reductions ---------------------------------------------------------------------------------------------------

    def reduce(self, x: Operand, axes: Sequence[int], init: Value, step: Callable[[Value, Value], Value]) -> Operand:
        """Fold an array along axes into numbers; an array expression if axes remain."""
        source = self.lazy(x)
        if self._is_decided(source) and init.kind != "b":
            self.notice("a comparison used as a number has derivative 0")
        kept = [axis for axis in range(source.ndim) if axis not in axes]
        sizes = [source.dims[axis] for axis in axes]

        def total(outer: Index) -> Value:
            def body(inner: Index, carried: Index) -> Index:
                index: list[Value] = [init] * source.ndim
                for axis, i in zip([*kept, *axes], [*outer, *inner], strict=True):
                    index[axis] = i
                return [step(carried[0], source.at(index))]

            return (self.unroll if self.is_unrolled(source, axes) else self.nest)(sizes, [init], body)[0]

        if not kept:
            return total([])
        reduced = Lazy(
            self,
            [source.dims[axis] for axis in kept],
            total,
            "b" if source.kind == init.kind == "b" else promote("i", source.kind, init.kind),
            active=source.active,
            varies=source.varies,
            cost=EXPENSIVE + source.cost,
            reads=source.reads,
            positional=source.positional,
        )
        reduced.decided_by_active = reduced.kind == "b" and self._is_decided(source)
        return reduced

    def is_unrolled(self, x: Operand, axes: Sequence[int]) -> bool:
        """Tell whether a reduction is written out: one of few terms in a loop, of which vectors can be made then."""
        return (len(axes) < x.ndim or self.block.depth > 0) and self.is_short(x, axes)

    def is_short(self, x: Operand, axes: Sequence[int]) -> bool:
        """Tell whether what lies along axes can be written out element by element."""
        sizes = [self.dims_of(x)[axis] for axis in axes]
        if any(size.constant is None or self.is_composed(size) for size in sizes):
            return False
        terms = math.prod(size.constant for size in sizes)
        return bool(terms <= _MOST_TERMS and terms * self.lazy(x).cost <= _MOST_COST)

    def axes(self, x: Operand, axis: Any) -> list[int]:
        """Return the axes that an ``axis=`` argument means."""
        if axis is None:
            return list(range(x.ndim))
        given = axis if isinstance(axis, tuple) else (axis,)
        result = []
        for a in given:
            number = a.constant if isinstance(a, Value) else None
            if not isinstance(number, int) or not -x.ndim <= number < x.ndim:
                raise self.error("axis must be a number known in advance, less than the number of axes")
            result.append(number % x.ndim)
        return result

    def sum(self, x: Operand, axis: Any = None) -> Operand:
        """Sum along axes."""
        if is_number(x):
            return x
        zero = self.constant(0.0 if x.kind == "f" else 0)
        return self.reduce(x, self.axes(x, axis), zero, lambda a, b: self.scalar("add", a, b))

    def prod(self, x: Operand, axis: Any = None) -> Operand:
        """Multiply along axes."""
        if is_number(x):
            return x
        one = self.constant(1.0 if x.kind == "f" else 1)
        return self.reduce(x, self.axes(x, axis), one, lambda a, b: self.scalar("mul", a, b))

    def extreme(self, x: Operand, rule: str, axis: Any = None, nan_wins: bool = True) -> Operand:
        """Take the largest or the smallest element along axes, or NaN, as NumPy does."""
        if is_number(x):
            return x
        start = self.constant((_LEAST if rule == "max" else _MOST)[x.kind])

        def step(a: Value, b: Value) -> Value:
            if not nan_wins:
                return self.scalar(rule, a, b)
            better = self.scalar("gt" if rule == "max" else "lt", b, a)
            if b.kind == "f":
                better = self.scalar("or", better, self.scalar("isnan", b))
            return self.select(better, lambda: b, lambda: a)

        return self.reduce(x, self.axes(x, axis), start, step)

    def count(self, x: Operand, axis: Any = None) -> Value:
        """Return the number of elements along axes."""
        if is_number(x):
            return self.constant(1)
        dims = self.dims_of(x)
        result = self.constant(1)
        for a in self.axes(x, axis):
            result = self.scalar("mul", result, dims[a])
        return result

    # Products -----------------------------------------------------------------------------------------------------

    def transpose(self, x: Operand) -> Operand:
        """Reverse the axes."""
        if x.ndim < 2:
            return x
        if isinstance(x, Lazy) and x.transposed is not None:
            return x.transposed
        if isinstance(x, Value) and x.storage is not None and x.storage.mutable:  # memory shared, as in NumPy
            return self.view(x, ".T", [], x.ndim, dict(enumerate(self.dims_of(x)[::-1])))
        source = self.lazy(x)
        return Lazy(
            self,
            source.dims[::-1],
            lambda index: source.at(index[::-1]),
            source.kind,
            active=source.active,
            varies=source.varies,
            cost=source.cost,
            reads=source.reads,
            positional=source.positional,
            transposed=x,
        )

    def dot(self, a: Operand, b: Operand) -> Operand:
        """Multiply vectors and matrices."""
        if is_number(a) or is_number(b):
            return self.apply("mul", a, b)
        if a.ndim == 1 and b.ndim == 1:
            self.check_equal(self.dims_of(a)[0], self.dims_of(b)[0])
            return self.sum(self.apply("mul", a, b))
        if a.ndim == 2 and b.ndim == 1:
            if isinstance(a, Lazy) and a.transposed is not None:
                return self._vector_matrix(b, a.transposed)
            if self._is_whole(a):
                return self._product("MATVEC", a, self.stored(b, "vector"))
            matrix, vector = self.lazy(a), self.lazy(self._cheap(b))
            self.check_equal(matrix.dims[1], vector.dims[0])
            return self.sum(self.apply("mul", matrix, vector), (self.constant(1),))
        if a.ndim == 1 and b.ndim == 2:
            if isinstance(b, Lazy) and b.transposed is not None:
                return self.dot(b.transposed, a)
            return self._vector_matrix(a, b)
        if a.ndim == 2 and b.ndim == 2:
            return self._product("MATMUL", self.stored(a, "left"), self.stored(b, "right"))
        raise self.error("@ takes vectors and matrices; write sums over more axes as loops")

    def _is_whole(self, matrix: Operand) -> bool:
        """Tell whether a product with a matrix is better computed as a whole: what uses it can then be vectorised.

        In a loop it would be allocated in each turn, and a matrix that is an expression would have to be stored.
        """
        return self.vectors and isinstance(matrix, Value) and matrix.kind == "f" and self.block.depth == 0

    def _product(self, name: str, left: Value, right: Value) -> Lazy:
        """Multiply two stored arrays, of which one is a matrix; what writes to the product writes to a copy."""
        from nbinfer.autodiff import linalg

        self.check_equal(self.dim(left, left.ndim - 1), self.dim(right, 0))
        dims = self.dims_of(left)[:-1] + self.dims_of(right)[1:]
        whole = self.primitive(getattr(linalg, name), [left, right], dims)
        product = self.lazy(whole)
        product.stored_as = whole
        return product

    def _cheap(self, x: Operand) -> Operand:
        return self.stored(x) if isinstance(x, Lazy) and x.cost >= EXPENSIVE else x

    def _vector_matrix(self, vector: Operand, matrix: Operand) -> Operand:
        """Accumulate v @ M row by row, so that memory is read in order."""
        if self._is_whole(matrix):
            return self._product("VECMAT", self.stored(vector, "vector"), matrix)
        v, m = self.lazy(vector), self.lazy(matrix)
        self.check_equal(v.dims[0], m.dims[0])
        out = self.alloc([m.dims[1]], "f", "zeros", "product")
        assert out.storage is not None

        def body(index: Index, carried: Index) -> Index:
            i, j = index
            self.store(out, [j], self.scalar("mul", v.at([i]), m.at([i, j])), sign=1)
            return []

        self.nest(m.dims, [], body)
        out.storage.mutable = False
        return out
