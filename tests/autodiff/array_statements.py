"""Statements of random programs that make arrays, write to them, and give them names."""

from __future__ import annotations

import random

from tests.autodiff.expressions import Expressions
from tests.autodiff.scope import Array, Scope


class ArrayWriter(Expressions):
    """Writes statements about arrays, line by line."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.lines: list[str] = []
        self._count = 0
        self._budget = 0

    def fresh(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def line(self, indent: int, text: str) -> None:
        self.lines.append("    " * indent + text)
        self._budget -= 1

    def bounded(self, scope: Scope) -> str:
        form = self.r.choice(("math.sin({})", "math.tanh({})", "math.cos({})", "{}", "0.5 * ({})"))
        return form.format(self.scalar(scope))

    def writable(self, scope: Scope, axes: int = 0) -> list[Array]:
        return [a for a in scope.arrays if a.writable and axes in (0, len(a.shape))]

    # New arrays ---------------------------------------------------------------------------------------------------

    def new_array(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        name, r = self.fresh("a"), self.r
        if r.random() < 0.3:
            shape: tuple[int, ...] = self.shape()
            sizes = f"({', '.join(self.size(scope, size) for size in shape)})"
            value = self.matrix(scope, shape)  # type: ignore[arg-type]
        else:
            shape = (r.choice((3, 4)),)
            sizes = self.size(scope, shape[0])
            value = self.vector(scope, shape[0])
        form = r.randrange(11)
        twins = [a.name for a in scope.arrays if a.shape == shape]
        twin = r.choice(twins) if twins else None
        if form == 0:
            self.line(indent, f"{name} = np.empty({sizes})")
            self._fill(scope, name, shape, indent)
        elif form == 1:
            self.line(
                indent, f"{name} = np.{f'empty_like({twin})' if twin and r.random() < 0.5 else f'empty({sizes})'}"
            )
            self.line(indent, f"{name}[:] = {value}")
        elif form == 2 and twin:
            self.line(indent, f"{name} = np.{r.choice(('zeros_like', 'ones_like'))}({twin})")
        elif form == 3:
            self.line(indent, f"{name} = np.full({sizes}, 1.0 * {self.scalar(scope)})")
        elif form == 4:
            self.line(indent, f"{name} = np.copy({value})")
        elif form == 5 and twin:
            self.line(indent, f"{name} = np.full_like({twin}, {self.scalar(scope)})")
        elif form == 6:  # it may be a view of an argument, which must not be written to
            self.line(indent, f"{name} = {value}")
            scope.arrays.append(Array(name, shape))
            return
        elif form in (7, 8):  # written to later, here or under another name
            self.line(indent, f"{name} = {r.choice(('({}) * 1.5', '({}) - 0.25', '-({})'))}".format(value))
        elif form == 9:
            other = self.fresh("a")
            self.line(indent, f"{name} = {other} = np.{r.choice(('sin', 'copy', 'cos'))}({value})")
            scope.arrays.append(Array(other, shape, True))
        else:
            self.line(indent, f"{name} = np.{r.choice(('zeros', 'ones'))}({sizes})")
        scope.arrays.append(Array(name, shape, True))

    def _fill(self, scope: Scope, name: str, shape: tuple[int, ...], indent: int) -> None:
        inner, index = scope.inner(), []
        for size in shape:
            counter = self.fresh("i")
            head = f"range({self.size(scope, size)})" if self.r.random() < 0.7 else f"range({size - 1}, -1, -1)"
            self.line(indent, f"for {counter} in {head}:")
            inner.ints.append((counter, size))
            index.append(counter)
            indent += 1
        self.line(indent, f"{name}[{', '.join(index)}] = {self.scalar(inner)}")

    def new_view(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Give another name to memory, or to a part of it."""
        arrays = self.writable(scope)
        if not arrays:
            return self.new_array(scope, indent, loops, returns)
        array, name = self.r.choice(arrays), self.fresh("a")
        if len(array.shape) == 2:
            rows, columns = array.shape
            ways = [
                (f"[{self.index(scope, rows)}]", (columns,)), (f"[:, {self.index(scope, columns)}]", (rows,)),
                (".T", (columns, rows)), ("", (rows, columns)), ("[::-1]", (rows, columns)),
            ]  # fmt: skip
            ways += [("[1:]", (3, columns)), ("[:-1, ::-1]", (3, columns))] if rows == 4 else []
            ways += [("[:, 1:]", (rows, 3))] if columns == 4 else []
        else:
            size = array.shape[0]
            ways = [("", (size,)), ("[:]", (size,)), ("[::-1]", (size,)), ("[...]", (size,))]
            ways += [("[1:]", (3,)), ("[:-1]", (3,)), ("[1::1]", (3,)), ("[2::-1]", (3,))] if size == 4 else []
        part, shape = self.r.choice(ways)
        self.line(indent, f"{name} = {array.name}{part}")
        scope.arrays.append(Array(name, shape, True))

    def new_diagonal(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Name the diagonal of a matrix, which is then written to."""
        arrays = self.writable(scope, 2)
        if not arrays:
            return self.new_array(scope, indent, loops, returns)
        array, name = self.r.choice(arrays), self.fresh("a")
        self.line(indent, f"{name} = np.diag({array.name})")
        scope.arrays.append(Array(name, (min(array.shape),)))
        i = self.index(scope, min(array.shape))
        self.line(indent, f"{array.name}[{i}, {i}] {self.r.choice(('=', '+=', '*='))} {self.bounded(scope)}")

    # Changes ------------------------------------------------------------------------------------------------------

    def change_element(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        arrays = self.writable(scope)
        if not arrays:
            return self.new_array(scope, indent, loops, returns)
        array = self.r.choice(arrays)
        place, other = (f"{array.name}[{', '.join(self.index(scope, size) for size in array.shape)}]" for _ in range(2))
        if self.r.random() < 0.1:
            return self.line(indent, f"{place}, {other} = {other}, {place}")
        operator = self.r.choice(("=", "=", "=", "+=", "+=", "-=", "*=", "/="))
        value = self.bounded(scope)
        self.line(indent, f"{place} {operator} {f'1.5 + ({value}) ** 2' if operator == '/=' else value}")

    def recurrence(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write a loop in which elements or rows depend on their neighbours, which may lie at the other end."""
        arrays = self.writable(scope)
        if not arrays:
            return self.new_array(scope, indent, loops, returns)
        array, i = self.r.choice(arrays), self.fresh("i")
        size = array.shape[0]
        head, near = self._direction(size)
        self.line(indent, f"for {i} in {head}:")
        inner = scope.inner()
        guards = ("{0} > 0", "{0} != {1}", "not {0} == 0", "0 < {0} and {2}", "{2}", "{0} >= 1 or {2}", "{0} < {1}")
        if self.r.random() < 0.6:
            guard = self.r.choice(guards).format(i, self.r.randrange(size), self.condition(scope, 1))
            self.line(indent + 1, f"if {guard}:")
        else:
            guard = ""
        deeper = indent + (2 if guard else 1)
        if len(array.shape) == 2:
            return self._rows(inner, array, i, f"{i} {near}", deeper)
        neighbour = f"{array.name}[{i} {near}]"
        inner.numbers += [neighbour, neighbour, f"{array.name}[{i}]"]
        operator = self.r.choice(("=", "=", "+=", "*="))
        self.line(deeper, f"{array.name}[{i}] {operator} {self.bounded(inner)}")
        if "lp" in scope.variables and self.r.random() < 0.3:
            self.line(indent + 1, f"lp += math.sin({neighbour})")
        return None

    def updates(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write a loop whose iterations write to elements that others have written, some of them twice."""
        arrays = self.writable(scope)
        if not arrays:
            return self.new_array(scope, indent, loops, returns)
        array, i, r = self.r.choice(arrays), self.fresh("i"), self.r
        size = min(array.shape)
        head, near = self._direction(size)
        self.line(indent, f"for {i} in {head}:")
        inner, indent = scope.inner(), indent + 1
        places = (f"[{i}]", f"[{i} {near}]", *(f"[{self.index(scope, size)}]" for _ in range(2)))
        if len(array.shape) == 2:
            places = tuple(f"{a[:-1]}, {b[1:]}" for a, b in zip(places, r.sample(places, 4), strict=True))
        elements = [array.name + place for place in places]
        inner.numbers += elements * 2
        for _ in range(r.choice((1, 2, 2, 3))):
            guarded = r.random() < 0.3
            if guarded:
                self.line(indent, f"if {self.condition(inner)}:")
            operator = r.choice(("=", "=", "+=", "-=", "*="))
            value = r.choice((f"0.5 * {r.choice(elements)} + {self.bounded(inner)}", self.bounded(inner)))
            self.line(indent + guarded, f"{r.choice(elements)} {operator} {value}")
        if "lp" in scope.variables:
            self.line(indent, f"lp += math.sin({r.choice(elements)}) * {r.choice(elements)}")
        return None

    def neighbours(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write a loop that reads elements beside each other, of an argument or of an expression."""
        arrays = [array for array in scope.arrays if len(array.shape) == 1]
        if "lp" not in scope.variables or not arrays:
            return self.new_array(scope, indent, loops, returns)
        array, i, r = self.r.choice(arrays), self.fresh("i"), self.r
        size, part = array.shape[0], array.name
        if r.random() < 0.3:
            part = self.fresh("a")
            form = r.choice(("[1:]" if size == 4 else "[:]", " * 0.5", "[:]"))
            self.line(indent, f"{part} = {array.name}{form}")
            size -= form == "[1:]"
        head, near = self._direction(size)
        self.line(indent, f"for {i} in {head}:")
        inner = scope.inner()
        elements = [f"{part}[{i}]", f"{part}[{i} {near}]", f"{array.name}[{i}]"]
        inner.numbers += elements * 3
        form = r.choice(("{0} * {1}", "math.sin({0} - 0.5 * {1}) * {2}", "({0} - {1}) ** 2 * {3}"))
        self.line(indent + 1, f"lp += {form.format(*elements, self.bounded(inner))}")
        return None

    def _direction(self, size: int) -> tuple[str, str]:
        """Write the head of a loop, and how to get from its counter to a neighbour within bounds."""
        return self.r.choice(
            (
                (f"range({size})", "- 1"), (f"range(1, {size})", "- 1"), (f"range({size} - 1)", "+ 1"),
                (f"range(-{size}, 0)", "+ 1"), (f"range({size} - 1, -1, -1)", "- 1"), ("range(-2, 3)", "- 1"),
                (f"range({size} - 2, -1, -1)", "+ 1"), (f"range(-1, -{size}, -1)", "+ 1"),
                (f"range(-1, -{size}, -1)", "- 1"), (f"range(-{size}, {size} - 1)", "+ 1"),
                (f"range(0, {size}, 2)", "- 1"),
            )
        )  # fmt: skip

    def _rows(self, scope: Scope, array: Array, i: str, near: str, indent: int) -> None:
        """Write what makes a row of a matrix from another row, or elements from elements."""
        name, row, j = array.name, self.fresh("a"), self.fresh("i")
        scope.arrays += [Array(f"{name}[{near}]", array.shape[1:]), Array(f"{name}[{i}]", array.shape[1:])]
        operator = self.r.choice(("=", "=", "+=", "*="))
        form = self.r.randrange(5)
        if form == 0:
            self.line(indent, f"{name}[{i}] {operator} np.sin({self.vector(scope, array.shape[1])})")
        elif form == 1:
            self.line(indent, f"{name}[{i}, 1:] {operator} np.cos({name}[{near}, :-1]) * {self.bounded(scope)}")
        elif form == 2:
            self.line(indent, f"{row} = {name}[{self.r.choice((i, near))}]")
            self.line(indent, f"{row}[{self.r.choice(('1:', '0', '::-1', ':'))}] {operator} {self.bounded(scope)}")
            self.line(indent, f"{row} -= 0.3 * {name}[{near}]")
        elif form == 3:
            self.line(indent, f"{name}.T[0, {i}] {operator} {self.bounded(scope)}")
        else:
            head, beside = self._direction(array.shape[1])
            self.line(indent, f"for {j} in {head}:")
            scope.numbers += [f"{name}[{near}, {j}]", f"{name}[{i}, {j} {beside}]", f"{name}[{i}][{j}]"]
            self.line(indent + 1, f"{name}[{i}, {j}] {operator} {self.bounded(scope)}")

    def change_array(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        arrays = self.writable(scope)
        if not arrays:
            return self.new_array(scope, indent, loops, returns)
        array, r = self.r.choice(arrays), self.r
        operator = r.choice(("=", "=", "+=", "-=", "*=", "/=", "**="))
        number = r.random() < 0.3
        place, value = self._block_of(scope, array) if len(array.shape) == 2 else self._part_of(scope, array)
        bounds = self.bounds(scope)
        if len(array.shape) == 1 and bounds and number:
            place = f"[{bounds}]"
        operator = "+=" if not place and operator == "=" else operator
        if number:
            value = self.scalar(scope)
        math = "math" if number else "np"
        value = {
            "*=": f"{math}.sin({value})",
            "/=": f"1.5 + {math}.cos({value})",
            "**=": r.choice(("2", "3")),
        }.get(operator, value)
        self.line(indent, f"{array.name}{place} {operator} {value}")

    def _part_of(self, scope: Scope, array: Array) -> tuple[str, str]:
        """Choose a part of a vector, and a vector of its size."""
        size = array.shape[0]
        ways = [("[:]", size), ("[1:]", size - 1), ("[:-1]", size - 1), ("", size), ("[::-1]", size), ("[::2]", 2)]
        ways += [("[-1:0:-1]", size - 1), ("[1:2]", 1), ("[-2:]", 2), ("[...]", size)]
        ways += [("[3:0:-2]", 2), ("[1:4:2]", 2)] if size == 4 else [("[2:0:-1]", 2)]
        place, size = self.r.choice(ways)
        if self.r.random() < 0.15:
            size = 1
        if size == 1:
            return place, f"{self.vector(scope, 3)}[{self.one(scope)}]"
        if size == 2:
            return place, f"{self.vector(scope, 3)}[{self.r.choice((':2', '1:', '::2', '2:0:-1'))}]"
        return place, self.vector(scope, size)

    def _block_of(self, scope: Scope, array: Array) -> tuple[str, str]:
        """Choose a part of a matrix, and an array of its shape or one that broadcasts to it."""
        rows, columns = array.shape
        i, j = self.index(scope, rows), self.index(scope, columns)

        def row() -> str:
            return self.vector(scope, columns)

        def column() -> str:
            return self.vector(scope, rows)

        def all_of() -> str:
            return self.matrix(scope, (rows, columns))

        place, make = self.r.choice(
            (
                (f"[{i}]", row), (f"[:, {j}]", column), (f"[{i}, :]", row), (f"[{i}, ::-1]", row), ("[:]", all_of),
                ("[:]", row), ("[:, :]", lambda: f"{column()}[:, None]"), ("[::-1]", all_of), (f"[..., {j}]", column),
                ("[1:, :2]", lambda: f"{all_of()}[:-1, 1:3]"), ("", all_of), ("[::2]", row),
                (f"[{i}][1:]", lambda: f"{row()}[1:]"),
            )
        )  # fmt: skip
        return place, make()

    def before_change(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write expressions of an array that is then changed: they keep what was in it."""
        arrays = self.writable(scope, 1)
        if not arrays:
            return self.new_array(scope, indent, loops, returns)
        array = self.r.choice(arrays)
        if self.r.random() < 0.4:
            other = self.r.choice([a for a in arrays if a.shape == array.shape])
            if other == array:
                other = Array(self.fresh("a"), array.shape, True)
                self.line(indent, f"{other.name} = np.copy({self.vector(scope, array.shape[0], 2)})")
                scope.arrays.append(other)
            form = self.r.choice(("{0}[:], {1}[:] = {1} * 0.5, {0} + 1.0", "{0}[:], {1}[1:] = {1}, {0}[:-1]"))
            return self.line(indent, form.format(array.name, other.name))
        first, second = self.fresh("a"), self.fresh("a")
        shapes = ("{0} * {1}", "np.sin({0})", "{0} - {1}", "np.where({0} > 0.1, {0}, {1})", "{0}[::-1] + {0}", "-{0}")
        texts = [self.r.choice(shapes).format(array.name, self.leaf(scope)) for _ in range(2)]
        form = self.r.randrange(3)
        if form == 0:
            self.line(indent, f"{first}, {second} = {', '.join(texts)}")
            scope.arrays.append(Array(second, array.shape))
        elif form == 1:
            self.line(indent, f"{second} = ({texts[0]}, {self.scalar(scope, 2)})")
            first = f"{second}[0]"
        else:
            self.line(indent, f"{first} = {texts[0]}")
        scope.arrays.append(Array(first, array.shape))
        index = self.index(scope, array.shape[0])
        self.line(indent, f"{array.name}[{index}] {self.r.choice(('=', '+=', '*='))} {self.bounded(scope)}")
        self.line(indent, f"{'lp +' if 'lp' in scope.variables else self.fresh('v') + ' '}= {first}[{index}]")

    def integers(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Make an array of integers, or of booleans."""
        name, i = self.fresh("q"), self.fresh("i")
        if self.r.random() < 0.4:
            self.line(indent, f"{name} = np.zeros(4, dtype=bool)")
            self.line(indent, f"for {i} in range(4):")
            inner = scope.inner()
            inner.ints.append((i, 4))
            self.line(indent + 1, f"{name}[{i}] = {self.condition(inner)}")
            scope.flags.append(f"{name}[{self.index(scope, 4)}]")
            return
        if scope.gathers and self.r.random() < 0.5:
            self.line(indent, f"{name} = ({self.r.choice(scope.gathers)} + 1) % 3")
            self.line(indent, f"{name}[{self.index(scope, 4)}] {self.r.choice(('=', '-='))} {self.r.choice('01')}")
        else:
            self.line(indent, f"{name} = np.{self.r.choice(('zeros', 'ones', 'empty'))}(4, np.int64)")
            self.line(indent, f"for {i} in range(4):")
            self.line(indent + 1, f"{name}[{i}] = ({i} + {self.r.choice(['2', *(n for n, _ in scope.ints)])}) % 3")
        scope.gathers = [*scope.gathers, name]
