"""Statements of random programs that people write every day: loops over things, early ends, lists, inner functions."""

from __future__ import annotations

from tests.autodiff.array_statements import ArrayWriter
from tests.autodiff.scope import Array, Scope


class EverydayWriter(ArrayWriter):
    """Writes loops over arrays, ``while``, comprehensions, lists, arrays that are rebound, functions inside."""

    def block(self, scope: Scope, indent: int, count: int, loops: int, returns: bool, continues: bool = False) -> None:
        raise NotImplementedError

    # Loops --------------------------------------------------------------------------------------------------------

    def loop_over(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write a loop over something else than a range."""
        inner = scope.inner()
        head = self._head(scope, inner)
        self.line(indent, f"for {head}:")
        self.block(inner, indent + 1, self.r.randint(1, 3), loops + 1, returns, continues=True)
        if "lp" in scope.variables:
            self.line(indent + 1, f"lp += {self.scalar(inner)}")
        self._else(scope, indent, loops)

    def _else(self, scope: Scope, indent: int, loops: int) -> None:
        if self.r.random() < 0.2:
            self.line(indent, "else:")
            self.block(scope.inner(), indent + 1, 1, loops, False)

    def _head(self, scope: Scope, inner: Scope) -> str:
        """Write what a loop runs over; its names enter the inner scope."""
        r, size = self.r, self.r.choice((3, 4))
        v, i = self.fresh("c"), self.fresh("i")
        some = self._items(scope, size)
        form = r.randrange(9)
        if form == 0:
            row = self.fresh("row")
            inner.arrays += [Array(row, (3,))] * 2
            inner.ints.append((i, 4))
            return r.choice((f"{i}, {row} in enumerate({{}})", f"{row}, {i} in zip({{}}, range(4))")).format(
                self.matrix(scope, (4, 3), 2)
            )
        inner.numbers += [v] * 3
        if form <= 2:
            return f"{v} in {some}"
        if form <= 4:
            first = r.choice((0, 0, 1))
            inner.ints.append((i, size + first))
            return f"{i}, {v} in enumerate({some}{r.choice((', {}', ', start={}')).format(first) if first else ''})"
        if form == 5:
            return f"{v} in {r.choice(('reversed({})', 'map(math.sin, {})', 'list({})', 'sorted({})')).format(some)}"
        w = self.fresh("c")
        inner.numbers += [w] * 2
        if form == 8:
            u, m = self.fresh("c"), self.matrix(scope, (4, 3), 2)
            return f"{v}, {w}, {r.choice((u, '_'))} in {r.choice(('{}', 'reversed({})')).format(m)}"
        other = self._items(scope, r.choice((size, 3, 4)))
        if form == 6:
            form = r.choice(("{}, {}", "{}, {}, strict=False", "{}, map(math.cos, {})", "reversed({}), {}"))
            return f"{v}, {w} in zip({form.format(some, other)})"
        inner.ints.append((i, 4))
        return f"{i}, ({v}, {w}) in enumerate(zip({some}, {other}))"

    def _items(self, scope: Scope, size: int) -> str:
        """Write something of numbers to loop over, of that many at most."""
        v = self.vector(scope, size, 2)
        numbers = ", ".join(self.scalar(scope, 2) for _ in range(size))
        return self.r.choice((v, v, f"({v})[1:]", f"({v})[::-1]", f"({v})[::2]", f"({numbers})", f"[{numbers}]"))

    def while_loop(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write a loop of unknown length; a counter ends it."""
        q, inner, last = self.fresh("q"), scope.inner(), self.r.randint(1, 3)
        self.line(indent, f"{q} = 0")
        form = self.r.randrange(3)
        if form == 0:
            self.line(indent, "while True:")
            self.line(indent + 1, f"if {q} >= {last}:")
            self.line(indent + 2, "break")
        else:
            condition = f" and {self.condition(scope)}" if form == 1 else ""
            self.line(indent, f"while {q} < {last}{condition}:")
        inner.ints.append((q, 3 if last < 3 else 4))
        self.line(indent + 1, f"{q} += 1")
        self.block(inner, indent + 1, self.r.randint(1, 3), loops + 1, returns, continues=True)
        if "lp" in scope.variables:
            self.line(indent + 1, f"lp += {self.scalar(inner)}")
        self._else(scope, indent, loops)

    def leave(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write a branch that ends a loop."""
        self.line(indent, f"if {self.condition(scope)}:")
        if self.r.random() < 0.4 and "lp" in scope.variables:
            self.line(indent + 1, f"lp += {self.scalar(scope)}")
        self.line(indent + 1, "break")

    # What is rebound ----------------------------------------------------------------------------------------------

    def rebound(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write a loop, or a branch, that gives the name of an array to another."""
        r, size, z = self.r, self.r.choice((3, 4)), self.fresh("z")
        inner = scope.inner()
        inner.arrays += [Array(z, (size,))] * 3
        if r.random() < 0.1:
            self.line(
                indent, f"{z} = {self._new(scope, size)} if {self.condition(scope)} else {self._new(scope, size)}"
            )
        elif r.random() < 0.1:  # it shrinks, and the sum of its squares with it
            self.line(indent, f"{z} = np.sin({self._new(scope, size)})")
            self.line(indent, f"while np.sum({z} * {z}) > 0.3:")
            self.line(indent + 1, f"{z} = 0.5 * {z} * np.cos({self._new(inner, size)})")
        elif r.random() < 0.4:
            self.line(indent, f"if {self.condition(scope)}:")
            self.line(indent + 1, f"{z} = {self._new(scope, size)}")
            self.line(indent, "else:")
            self.line(indent + 1, f"{z} = {self._new(scope, size)}")
        else:
            self.line(indent, f"{z} = {self._new(scope, size)}")
            i = self.fresh("i")
            self.line(indent, f"for {i} in range({r.choice(('2', '3', self.size(scope, 4)))}):")
            inner.ints.append((i, 4))
            if r.random() < 0.3:
                self.leave(inner, indent + 1, loops + 1, False)
            if r.random() < 0.3:
                self.line(indent + 1, f"if {self.condition(inner)}:")
                self.line(indent + 2, f"{z} = {self._new(inner, size)}")
            self.line(indent + 1, f"{z} = np.tanh({self._new(inner, size)})")
            if "lp" in scope.variables:
                self.line(indent + 1, f"lp += {self.scalar(inner)}")
        scope.arrays += [Array(z, (size,))] * 2

    def _new(self, scope: Scope, size: int) -> str:
        """Write a vector that has no other name."""
        return self.r.choice(("np.sin({})", "({}) * 0.5", "({}) + 0.25", "{}")).format(self.vector(scope, size))

    def pair(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write a loop that rebinds a tuple."""
        name, i = self.fresh("pair"), self.fresh("i")
        self.line(indent, f"{name} = ({self.bounded(scope)}, {self.bounded(scope)})")
        self.line(indent, f"for {i} in range(3):")
        inner = scope.inner()
        inner.numbers += [f"{name}[0]", f"{name}[1]"] * 2
        self.line(indent + 1, f"{name} = ({name}[1], {self.bounded(inner)})")
        scope.numbers += [f"{name}[0]", f"{name}[1]"]

    # Lists and functions ------------------------------------------------------------------------------------------

    def comprehension(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write a list that a comprehension makes, or a loop."""
        r, size, name, v = self.r, self.r.choice((3, 4)), self.fresh("list"), self.fresh("c")
        inner = scope.inner()
        inner.numbers += [v] * 3
        items = self.vector(scope, size, 1)
        form = r.randrange(4)
        if form == 0:
            self.line(indent, f"{name} = []")
            self.line(indent, f"for {v} in {items}:")
            self.line(indent + 1, f"{name}.append({self.scalar(inner)})")
        elif form == 1:
            self.line(indent, f"{name} = [{self.scalar(inner)} for {v} in {items} if {self.condition(inner)}]")
            scope.numbers += [f"sum({name})"] * 2
            return
        elif form == 2:
            self.line(indent, f"{name} = [{self.scalar(scope)}, {self.scalar(scope)}]")
            self.line(indent, f"{name}.append({self.scalar(scope)})")
            size = 3
        else:
            self.line(indent, f"{name} = [{self.scalar(inner)} for {v} in {items}]")
        scope.numbers += [f"{name}[0]", f"{name}[{size - 1}]", f"{name}[-1]", f"sum({name})"]
        scope.arrays.append(Array(self.fresh("a"), (size,)))
        self.line(indent, f"{scope.arrays[-1].name} = np.array({name})")

    def generator(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write a number that a generator gives."""
        inner, name = scope.inner(), self.fresh("v")
        head = self._head(scope, inner)
        test = f" if {self.condition(inner, 1)}" if self.r.random() < 0.4 else ""
        form = self.r.choice(("sum({})", "sum({})", "sum([{}])", "sum({})" if test else "max([{}])"))
        self.line(indent, f"{name} = {form.format(f'{self.scalar(inner, 1)} for {head}{test}')}")
        scope.numbers += [name] * 2
        scope.variables.append(name)

    def inner_function(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write a function inside of the function, and a call."""
        name, v = self.fresh("g"), self.fresh("c")
        inner = scope.inner()
        inner.numbers += [v] * 3
        if self.r.random() < 0.5:
            self.line(indent, f"{name} = lambda {v}: {self.scalar(inner)}")
        else:
            self.line(indent, f"def {name}({v}, more=0.5):")
            self.line(indent + 1, f"if {self.condition(inner)}:")
            self.line(indent + 2, f"return {self.scalar(inner)} * more")
            self.line(indent + 1, f"return {self.scalar(inner)}")
        number = self.fresh("v")
        self.line(indent, f"{number} = {name}({self.scalar(scope)}) - {name}({self.leaf(scope)})")
        scope.numbers += [number] * 2
