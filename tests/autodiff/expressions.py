"""Expressions of random programs: indices in range, functions whose arguments are safe."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from tests.autodiff import forms
from tests.autodiff.scope import Scope
from tests.autodiff.wild import guarded_number, guarded_vector


class Helper(NamedTuple):
    """A function that programs call: kinds of its arguments and of its result, and the ways to call it.

    's' is a number, 'v' a vector, 'w' a vector that it writes to, 'p' a pair of numbers, '' nothing.
    """

    name: str
    takes: str
    gives: str
    calls: tuple[str, ...] = ()


class Expressions:
    """Writes expressions."""

    def __init__(self, rng: random.Random) -> None:
        self.r = rng
        self.helpers: list[Helper] = []

    def pick(self, *choices: tuple[float, Callable[[], str | None]]) -> str:
        """Take one of several ways, by weight; a way that is not open gives None."""
        while True:
            found = self.r.choices([c[1] for c in choices], [c[0] for c in choices])[0]()
            if found is not None:
                return found

    # Integers -----------------------------------------------------------------------------------------------------

    def size(self, scope: Scope, size: int) -> str:
        return self.r.choice([str(size), *scope.sizes.get(size, [])])

    def index(self, scope: Scope, size: int) -> str:
        """Write an index into an axis of that size."""
        r = self.r
        choices = [str(r.randrange(size)), str(-1 - r.randrange(size))]
        for name, bound in scope.ints:
            choices.append(f"({name} + {r.randrange(3)}) % {self.size(scope, size)}")
            if bound <= size:
                choices += [name, name, f"{size - 1} - {name}", f"{name} - 1", f"{name} - {r.randint(1, size)}"]
            if bound < size:
                choices.append(f"{name} + 1")
            choices += [f"{g}[{name}]" for g in scope.gathers if bound <= 4]
        return r.choice(choices)

    def literal(self) -> str:
        return self.r.choice(("0.5", "2.0", "-1.5", "3", "1", "0.25"))

    # Conditions ---------------------------------------------------------------------------------------------------

    def condition(self, scope: Scope, depth: int = 0) -> str:
        def compare() -> str:
            left, right = self.scalar(scope, 2), self.r.choice((self.literal(), "0.0", self.scalar(scope, 2)))
            return f"{left} {self.r.choice(('>', '<', '>=', '<='))} {right}"

        def between() -> str:
            return f"-0.7 < {self.scalar(scope, 2)} < 0.9"

        def of_integers() -> str | None:
            if not scope.ints:
                return None
            a, b = self.r.choice(scope.ints)[0], self.r.choice(scope.ints)[0]
            return self.r.choice(forms.OF_INTEGERS).format(a, b)

        def joined() -> str | None:
            if depth > 1:
                return None
            word = self.r.choice(("and", "or"))
            return f"({self.condition(scope, depth + 1)} {word} {self.condition(scope, depth + 1)})"

        def negated() -> str | None:
            return f"not ({self.condition(scope, depth + 1)})" if depth < 2 else None

        def any_or_all() -> str:
            size = self.r.choice((3, 4))
            return f"np.{self.r.choice(('any', 'all'))}({self.vector(scope, size, 2)} > {self.scalar(scope, 3)})"

        def flag() -> str | None:
            return self.r.choice(scope.flags) if scope.flags else None

        return self.pick(
            (4, compare), (1, between), (2, of_integers), (1, joined), (0.5, negated), (2, flag), (0.2, any_or_all)
        )

    # Numbers ------------------------------------------------------------------------------------------------------

    def element(self, scope: Scope) -> str:
        array = self.r.choice(scope.arrays)
        return f"{array.name}[{', '.join(self.index(scope, size) for size in array.shape)}]"

    def leaf(self, scope: Scope) -> str:
        return self.pick(
            (3, lambda: self.r.choice(scope.numbers) if scope.numbers else None),
            (4, lambda: self.element(scope) if scope.arrays else None),
            (0.7, self.literal),
            (0.5, lambda: self.r.choice(scope.ints)[0] if scope.ints else None),
        )

    def scalar(self, scope: Scope, depth: int = 0) -> str:
        """Write a number."""
        if depth > 2 or self.r.random() < 0.25 + 0.15 * depth:
            return self.leaf(scope)

        def e() -> str:
            return self.scalar(scope, depth + 1)

        def smooth() -> str:
            form = self.r.choice(forms.NUMBERS)
            a = e()
            return form.format(a, e()) if "{1}" in form else form.format(a)

        def ternary() -> str:
            return f"({e()} if {self.condition(scope, 1)} else {e()})"

        def call() -> str | None:
            return self.call(scope, "s", depth)

        def reduction() -> str | None:
            v = self.vector(scope, self.r.choice((3, 4)), depth + 1)
            return self.r.choice(forms.REDUCTIONS).format(v)

        def dot() -> str:
            size = self.r.choice((3, 4))
            v, w = self.vector(scope, size, depth + 1), self.vector(scope, size, depth + 1)
            return self.r.choice(("({} @ {})", "np.dot({}, {})", "np.sum({} * {})", "{}.dot({})")).format(v, w)

        def of_matrix() -> str:
            return self.r.choice(forms.MATRIX_REDUCTIONS).format(self.matrix(scope, self.shape(), depth + 1))

        def determinant() -> str:
            return self.r.choice(forms.DEFINITE_REDUCTIONS).format(self.definite(scope, 3, depth + 1))

        def difference() -> str:
            form = self.r.choice(("({} + {})", "({} - {})", "({} * {})", "({} * {})"))
            return form.format(e(), e())

        return self.pick(
            (5, difference),
            (4, smooth),
            (0.8, ternary),
            (1.5, call),
            (0.9, reduction),
            (0.5, dot),
            (0.3, of_matrix),
            (0.25, determinant),
            (0.4, lambda: self.part(scope, depth)),
            *([(3.0, lambda: guarded_number(self, scope, depth))] if scope.wild else []),
        )

    def bounds(self, scope: Scope) -> str | None:
        """Write a slice whose ends depend on a counter; it may be empty."""
        found = [name for name, bound in scope.ints if bound <= 4]
        if not found:
            return None
        form = self.r.choice(("{0}:", ":{0}", "1:{0}", "{0}::2", ":{0}:-1", "{0}:{0} + 2", "{0}:{0} + 1", "{0} - 1:"))
        return form.format(self.r.choice(found))

    def one(self, scope: Scope) -> str:
        """Write a slice of exactly one element."""
        return self.r.choice(("1:2", "-1:", ":1", "-2:-1", *(f"{i}:{i} + 1" for i, bound in scope.ints if bound <= 3)))

    def part(self, scope: Scope, depth: int) -> str | None:
        """Write a number made of a part of a vector."""
        bounds = self.bounds(scope)
        if bounds is None:
            return None
        v, w = self.vector(scope, 4, depth + 1), self.vector(scope, 4, depth + 2)
        return self.r.choice((f"np.sum({v}[{bounds}])", f"({v}[{bounds}] @ {w}[{bounds}])", f"np.prod({v}[{bounds}])"))

    def call(self, scope: Scope, gives: str, depth: int, size: int = 0) -> str | None:
        known = [h for h in self.helpers if h.gives == gives]
        if not known:
            return None
        helper = self.r.choice(known)
        size = size or self.r.choice((3, 4))
        writable = [a.name for a in scope.arrays if a.writable and a.shape == (size,)]
        if "w" in helper.takes and not writable:
            return None
        make = {
            "s": lambda: self.scalar(scope, depth + 1),
            "v": lambda: self.vector(scope, size, depth + 1),
            "w": lambda: self.r.choice(writable),
        }
        args = [make[kind]() for kind in helper.takes]
        form = self.r.choice(helper.calls) if helper.calls else ", ".join(f"{{{k}}}" for k in range(len(args)))
        return f"{helper.name}({form.format(*args)})"

    # Arrays -------------------------------------------------------------------------------------------------------

    def shape(self) -> tuple[int, int]:
        return self.r.choice(((4, 3), (3, 4), (3, 3), (4, 4)))

    def named(self, scope: Scope, *shape: int) -> str | None:
        found = [a.name for a in scope.arrays if a.shape == shape]
        return self.r.choice(found) if found else None

    def vector(self, scope: Scope, size: int, depth: int = 0) -> str:
        """Write an array of one axis."""

        def name() -> str | None:
            return self.named(scope, size)

        if depth > 2 or self.r.random() < 0.3:
            return self.pick(
                (8, name),
                (0.3, lambda: f"(np.arange({self.size(scope, size)}) * 0.5)"),
                (0.3, lambda: self.filled(scope, size)),
            )

        def v() -> str:
            return self.vector(scope, size, depth + 1)

        def e() -> str:
            return self.scalar(scope, depth + 1)

        def binary() -> str:
            return f"({v()} {self.r.choice('+-*')} {self.r.choice((v, v, e, e, unit))()})"

        def unit() -> str:
            return f"{self.vector(scope, self.r.choice((3, 4)), depth + 1)}[{self.one(scope)}]"

        def smooth() -> str:
            form = self.r.choice(forms.ARRAYS + forms.ALONG)
            a = v()
            return form.format(a, v()) if "{1}" in form else form.format(a)

        def piece() -> str | None:
            if size == 4:
                if self.r.random() < 0.5:
                    return f"{v()}[::-1]"
                joined = f"({self.vector(scope, 3, depth + 1)}, {v()}[:1])"
                return f"np.{self.r.choice(('concatenate', 'hstack'))}({joined})"
            return self.r.choice(("{}[1:]", "{}[:-1]", "{}[:3]", "{}[1:4]", "np.diff({})")).format(
                self.vector(scope, 4, depth + 1)
            )

        def gathered() -> str | None:
            if not scope.gathers or size != 4:
                return None
            gather = self.r.choice(scope.gathers)
            if self.r.random() < 0.3:
                other = self.r.choice((self.index(scope, 3), *scope.gathers))
                return f"{self.matrix(scope, self.shape(), 3)}[{gather}, {other}]"
            return f"{self.vector(scope, self.r.choice((3, 4)), depth + 1)}[{gather}]"

        def product() -> str:
            other = self.r.choice((3, 4))
            form = self.r.choice(("({} @ {})", "np.dot({}, {})", "{}.dot({})", "np.matmul({}, {})", "np.einsum({})"))
            if form == "np.einsum({})":
                m, w = self.matrix(scope, (size, other), depth + 1), self.vector(scope, other, depth + 1)
                letters = self.r.choice((f"'ij,j->i', {m}, {w}", f"'j,ij', {w}, {m}", f"'ab,b->a', np.sin({m}), {w}"))
                return form.format(letters)
            if self.r.random() < 0.5:
                m = self.matrix(scope, (size, other), depth + 1)
                return form.format(m, self.vector(scope, other, depth + 1))
            w = self.vector(scope, other, depth + 1)
            return form.format(w, self.matrix(scope, (other, size), depth + 1))

        def along() -> str:
            other = self.r.choice((3, 4))
            axis = self.r.randrange(2)
            shape = (other, size) if axis == 0 else (size, other)
            return self.r.choice(forms.ALONG_AXIS).format(
                self.matrix(scope, shape, depth + 1), self.r.choice((axis, axis - 2))
            )

        def row() -> str:
            other = self.r.choice((3, 4))
            if self.r.random() < 0.5:
                return f"{self.matrix(scope, (other, size), depth + 1)}[{self.index(scope, other)}]"
            return f"{self.matrix(scope, (size, other), depth + 1)}[:, {self.index(scope, other)}]"

        def diagonal() -> str:
            shape = self.r.choice(((3, 4), (4, 3), (3, 3)) if size == 3 else ((4, 4),))
            form = self.r.choice(("np.diag({})", "np.diagonal({})", "{}.diagonal()"))
            return form.format(self.matrix(scope, shape, depth + 1))

        def solved() -> str:
            return self.r.choice(forms.SOLVERS).format(self.definite(scope, size, depth + 1), v())

        def call() -> str | None:
            return self.call(scope, "v", depth, size)

        return self.pick(
            (3, name),
            (4, binary),
            (4, smooth),
            (1, piece),
            (1, gathered),
            (0.5, product),
            (0.5, along),
            (0.5, row),
            (0.25, diagonal),
            (0.5, solved),
            (0.2, lambda: self.filled(scope, size)),
            (0.6, call),
            *([(2.0, lambda: guarded_vector(self, scope, depth))] if scope.wild and size == 4 else []),
        )

    def filled(self, scope: Scope, size: int) -> str:
        form = self.r.choice(
            (
                "np.full({}, 0.5 * {})",
                "(np.arange({}) * (0.5 + {}))",
                "np.array((0.5, {1}, {2}, {1})[:{0}])",
                "(np.ones({}) * {})",
            )
        )
        return form.format(size, self.leaf(scope), self.leaf(scope))

    def matrix(self, scope: Scope, shape: tuple[int, int], depth: int = 0) -> str:
        """Write an array of two axes."""
        rows, columns = shape

        def name() -> str | None:
            return self.named(scope, rows, columns)

        def transposed() -> str | None:
            found = self.named(scope, columns, rows)
            return self.r.choice(("{}.T", "{}.T", "np.transpose({})")).format(found) if found else None

        def outer() -> str:
            v, w = self.vector(scope, rows, depth + 1), self.vector(scope, columns, depth + 1)
            return self.r.choice(("np.outer({}, {})", "({}[:, None] * {})", "({}[:, None] + {}[None, :])")).format(v, w)

        if depth > 1 or self.r.random() < 0.3:
            return self.pick((3, name), (1, transposed), (0.5, outer))

        def binary() -> str:
            ways: tuple[Callable[[], str], ...] = (
                lambda: self.matrix(scope, shape, depth + 1),
                lambda: self.vector(scope, columns, depth + 1),
                lambda: self.scalar(scope, depth + 1),
            )
            ways += (lambda: f"{self.matrix(scope, shape, depth + 1)}[{self.one(scope)}]",)
            ways += (lambda: f"{self.matrix(scope, shape, depth + 1)}[:, {self.one(scope)}]",)
            other = self.r.choice(ways)
            return f"({self.matrix(scope, shape, depth + 1)} {self.r.choice('+-*')} {other()})"

        def smooth() -> str:
            form = self.r.choice(forms.ARRAYS)
            m = self.matrix(scope, shape, depth + 1)
            return form.format(m, self.matrix(scope, shape, depth + 1)) if "{1}" in form else form.format(m)

        def product() -> str:
            other = self.r.choice((3, 4))
            left = self.matrix(scope, (rows, other), depth + 1)
            if self.r.random() < 0.3:
                return f"np.einsum('ij,jk->ik', {left}, {self.matrix(scope, (other, columns), depth + 1)})"
            return f"({left} @ {self.matrix(scope, (other, columns), depth + 1)})"

        def made() -> str:
            """Write rows or columns beside each other, or a vector in this shape."""
            form = self.r.choice(("np.array([{}])", "np.stack(({}))", "np.vstack([{}])", "np.column_stack(({}))"))
            if self.r.random() < 0.2:
                size = 3 if rows * columns == 9 else 4
                return (
                    f"np.outer({', '.join(self.vector(scope, size, 3) for _ in '12')}).ravel()[:{rows * columns}]"
                    + (f".reshape({rows}, {columns})" if size * size >= rows * columns else "")
                )
            count, size = (columns, rows) if "column" in form else (rows, columns)
            return form.format(", ".join(self.vector(scope, size, 3) for _ in range(count)))

        def factor() -> str | None:
            if rows != columns:
                return None
            form = self.r.choice(
                ("np.linalg.cholesky({0})", "np.linalg.inv({0})", "np.diag({1})", "np.eye({2})", "np.identity({2})")
            )
            v, n = self.vector(scope, rows, depth + 1), self.size(scope, rows)
            return form.format(self.definite(scope, rows, depth + 1), v, n)

        def solved() -> str:
            right = self.matrix(scope, shape, depth + 1)
            return f"np.linalg.solve({self.definite(scope, rows, depth + 1)}, {right})"

        def gathered() -> str | None:
            if rows != 4 or not scope.gathers:
                return None
            return f"{self.matrix(scope, (self.r.choice((3, 4)), columns), depth + 1)}[{self.r.choice(scope.gathers)}]"

        return self.pick(
            (3, name),
            (1, transposed),
            (3, binary),
            (2, smooth),
            (1, outer),
            (1, product),
            (0.6, factor),
            (0.3, solved),
            (0.7, gathered),
            (0.7, made),
        )

    def definite(self, scope: Scope, size: int, depth: int) -> str:
        """Write a positive definite matrix of modest condition."""
        v = self.vector(scope, size, depth + 1)
        a = self.scalar(scope, depth + 1)
        return f"(np.outer(np.tanh({v}), np.tanh({v})) + (1.5 + math.sin({a})) * np.eye({self.size(scope, size)}))"
