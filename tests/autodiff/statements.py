"""Statements of random programs."""

from __future__ import annotations

import random

from tests.autodiff.expressions import Expressions
from tests.autodiff.scope import Array, Scope


class Writer(Expressions):
    """Writes programs line by line."""

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

    # Blocks -------------------------------------------------------------------------------------------------------

    def block(self, scope: Scope, indent: int, count: int, loops: int, returns: bool, continues: bool = False) -> None:
        """Write statements; they extend the scope."""
        for _ in range(max(count, 1)):
            if self._budget <= 0:
                break
            self.statement(scope, indent, loops, returns, continues)
        if not self.lines[-1].startswith("    " * indent) or self.lines[-1].endswith(":"):
            self.line(indent, "pass")

    def statement(self, scope: Scope, indent: int, loops: int, returns: bool, continues: bool) -> None:
        deep = indent > 4 or self._budget < 3
        ways = [
            (3.0, self._new_number),
            (3.0, self._change_number),
            (2.0, self._change_element),
            (1.2, self._new_array),
            (1.0, self._change_array),
            (0.5, self._integer),
            (0.4, self._flag),
            (0.4, self._swap),
            (0.6, self._before_change),
        ]
        if not deep:
            ways += [(2.5 if loops < 3 else 0.0, self._loop), (2.0, self._if), (0.3, self._loop_over_tuple)]
        if returns and loops == 0:
            ways.append((0.3, self._return_early))
        if continues:
            ways.append((0.5, self._continue))
        way = self.r.choices([w[1] for w in ways], [w[0] for w in ways])[0]
        way(scope, indent, loops, returns)

    # Numbers ------------------------------------------------------------------------------------------------------

    def _new_number(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        name = self.fresh("v")
        text = self.pick(
            (4, lambda: self.scalar(scope)),
            (2, lambda: f"math.tanh({self.scalar(scope)})"),
            (1, lambda: self.r.choice(("0.0", "1.0", "0", "1", "-0.5"))),
        )
        self.line(indent, f"{name} = {text}")
        scope.numbers.append(name)
        scope.variables.append(name)

    def _bounded(self, scope: Scope) -> str:
        form = self.r.choice(("math.sin({})", "math.tanh({})", "math.cos({})", "{}", "0.5 * ({})"))
        return form.format(self.scalar(scope))

    def _change_number(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        if not scope.variables:
            return self._new_number(scope, indent, loops, returns)
        name = (
            self.r.choice([*scope.variables, "lp", "lp"]) if "lp" in scope.variables else self.r.choice(scope.variables)
        )
        if name == "lp":
            return self.line(indent, f"lp {self.r.choice(('+=', '+=', '-='))} {self.scalar(scope)}")
        form = self.r.choice(
            ("{0} += {1}", "{0} -= {1}", "{0} *= {1}", "{0} = {1}", "{0} = {0} * 0.5 + {1}", "{0} /= 1.5 + ({1}) ** 2")
        )
        if form[4:6] in ("*=", "/=") and loops and self.r.random() < 0.5:
            form = "{0} = math.sin({0}) * {1}"
        self.line(indent, form.format(name, self._bounded(scope)))

    def _swap(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        names = [name for name in scope.variables if name != "lp"]
        if len(names) < 2:
            return self._new_number(scope, indent, loops, returns)
        a, b = self.r.sample(names, 2)
        pairs = [h for h in self.helpers if h.gives == "p"]
        if pairs and self.r.random() < 0.5:
            self.line(indent, f"{a}, {b} = {self.call(scope, 'p', 1)}")
        else:
            self.line(indent, f"{a}, {b} = {b}, {self.r.choice((a, self._bounded(scope)))}")

    def _integer(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        if scope.counters and self.r.random() < 0.6:
            name, bound = self.r.choice(scope.counters)
            step = self.r.choice(["1", "2", *[i for i, _ in scope.ints]])
            self.line(indent, f"{name} = ({name} + {step}) % {bound}")
            return
        name, bound = self.fresh("q"), self.r.choice((3, 4))
        self.line(indent, f"{name} = {self.r.choice(['0', '1', *[f'({i} + 1) % {bound}' for i, _ in scope.ints]])}")
        scope.ints.append((name, bound))
        scope.counters.append((name, bound))

    def _flag(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        if scope.flags and self.r.random() < 0.5:
            self.line(indent, f"{self.r.choice(scope.flags)} = {self.condition(scope)}")
            return
        name = self.fresh("flag")
        self.line(indent, f"{name} = {self.condition(scope)}")
        scope.flags.append(name)

    # Arrays -------------------------------------------------------------------------------------------------------

    def _new_array(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        name, r = self.fresh("a"), self.r
        if r.random() < 0.3:
            shape: tuple[int, ...] = self.shape()
            sizes = f"({', '.join(self.size(scope, size) for size in shape)})"
            value = self.matrix(scope, shape)  # type: ignore[arg-type]
        else:
            shape = (r.choice((3, 4)),)
            sizes = self.size(scope, shape[0])
            value = self.vector(scope, shape[0])
        form = r.randrange(8)
        twins = [a.name for a in scope.arrays if a.shape == shape]
        twin = r.choice(twins) if twins else None
        old = [a.name for a in scope.arrays if a.shape == shape and a.writable]
        if form == 0:
            self.line(indent, f"{name} = np.empty({sizes})")
            self._fill(scope, name, shape, indent)
        elif form == 1:
            self.line(indent, f"{name} = np.empty({sizes})")
            self.line(indent, f"{name}[:] = {value}")
        elif form == 2 and twin:
            self.line(indent, f"{name} = np.{r.choice(('zeros_like', 'ones_like'))}({twin})")
        elif form == 3:
            self.line(indent, f"{name} = np.full({sizes}, 1.0 * {self.scalar(scope)})")
        elif form == 4:
            self.line(indent, f"{name} = np.copy({value})")
        elif form == 5 and old:
            self._view(scope, name, shape, r.choice(old), indent)
            return
        elif form == 6:
            self.line(indent, f"{name} = {value}")
            scope.arrays.append(Array(name, shape))
            return
        else:
            self.line(indent, f"{name} = np.{r.choice(('zeros', 'ones'))}({sizes})")
        scope.arrays.append(Array(name, shape, True))

    def _view(self, scope: Scope, name: str, shape: tuple[int, ...], old: str, indent: int) -> None:
        """Give another name to memory, or to a part of it."""
        if len(shape) == 2:
            row, column = self.index(scope, shape[0]), self.index(scope, shape[1])
            part, shape = self.r.choice(
                ((f"{old}[{row}]", shape[1:]), (f"{old}[:, {column}]", shape[:1]), (f"{old}.T", shape[::-1]))
            )
        elif shape == (4,):
            part, shape = self.r.choice(
                ((f"{old}[1:]", (3,)), (f"{old}[:-1]", (3,)), (old, (4,)), (f"{old}[::-1]", (4,)))
            )
        else:
            part = self.r.choice((f"{old}[:]", old))
        self.line(indent, f"{name} = {part}")
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

    def _change_element(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        arrays = [a for a in scope.arrays if a.writable]
        if not arrays:
            return self._new_array(scope, indent, loops, returns)
        array = self.r.choice(arrays)
        place = f"{array.name}[{', '.join(self.index(scope, size) for size in array.shape)}]"
        if self.r.random() < 0.1:
            other = f"{array.name}[{', '.join(self.index(scope, size) for size in array.shape)}]"
            return self.line(indent, f"{place}, {other} = {other}, {place}")
        operator = self.r.choice(("=", "=", "=", "+=", "+=", "-=", "*="))
        self.line(indent, f"{place} {operator} {self._bounded(scope)}")

    def _change_array(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        arrays = [a for a in scope.arrays if a.writable]
        if not arrays:
            return self._new_array(scope, indent, loops, returns)
        array, r = self.r.choice(arrays), self.r
        operator = r.choice(("=", "=", "+=", "-=", "*="))
        number = r.random() < 0.3
        if len(array.shape) == 2:
            rows, columns = array.shape
            place, size = r.choice(
                (
                    (f"[{self.index(scope, rows)}]", columns),
                    (f"[:, {self.index(scope, columns)}]", rows),
                    (f"[{self.index(scope, rows)}, :]", columns),
                    ("[:]", 0),
                )
            )
            make = self.vector(scope, size) if size else self.matrix(scope, (rows, columns))
        else:
            place, size = r.choice((("[:]", 0), ("[1:]", -1), ("[:-1]", -1), ("", 0), ("[::-1]", 0)))
            size = array.shape[0] + size
            if size == 2:
                make = f"{self.vector(scope, 3)}[{r.choice((':2', '1:', '::2'))}]"
            else:
                make = self.vector(scope, size)
        bounds = self.bounds(scope)
        if len(array.shape) == 1 and bounds and number:
            place = f"[{bounds}]"
        operator = "+=" if not place and operator == "=" else operator
        value = self.scalar(scope) if number else make
        if operator == "*=":
            value = f"np.sin({value})" if not number else f"math.sin({value})"
        self.line(indent, f"{array.name}{place} {operator} {value}")

    def _before_change(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write expressions of an array that is then changed: they keep what was in it."""
        arrays = [a for a in scope.arrays if a.writable and len(a.shape) == 1]
        if not arrays:
            return self._new_array(scope, indent, loops, returns)
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
        forms = ("{0} * {1}", "np.sin({0})", "{0} - {1}", "np.where({0} > 0.1, {0}, {1})", "{0}[::-1] + {0}", "-{0}")
        texts = [self.r.choice(forms).format(array.name, self.leaf(scope)) for _ in range(2)]
        if self.r.random() < 0.5:
            self.line(indent, f"{first}, {second} = {', '.join(texts)}")
            scope.arrays.append(Array(second, array.shape))
        else:
            self.line(indent, f"{first} = {texts[0]}")
        scope.arrays.append(Array(first, array.shape))
        index = self.index(scope, array.shape[0])
        self.line(indent, f"{array.name}[{index}] {self.r.choice(('=', '+=', '*='))} {self._bounded(scope)}")
        self.line(indent, f"{'lp' if 'lp' in scope.variables else self.fresh('v')} = lp + {first}[{index}]")

    # Control ------------------------------------------------------------------------------------------------------

    def _range(self, scope: Scope) -> tuple[str, int]:
        """Write the head of a loop; also return a number above its counter."""
        four, three = self.size(scope, 4), self.size(scope, 3)
        heads = [
            (f"range({four})", 4), (f"range({three})", 3), (f"range(1, {four})", 4), (f"range({four} - 1, -1, -1)", 4),
            (f"range(0, {four}, 2)", 4), (f"range({three} - 1, 0, -2)", 3), ("range(2)", 2), ("range(3, 0, -1)", 4),
        ]  # fmt: skip
        for name, bound in scope.ints:
            if bound <= 4:
                heads += [
                    (f"range({name})", max(bound - 1, 1)),
                    (f"range({name}, {four})", 4),
                    (f"range({name} + 1)", bound),
                ]
                heads += [(f"range({name} + 1, {four})", 4), (f"range({name}, -1, -1)", bound)]
                heads += [(f"range({array}[{name}])", 3) for array in scope.counts]
        heads += [(f"range(3, {name}, -1)", 4) for name, _ in scope.ints]
        return self.r.choice(heads)

    def _loop(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        counter = self.fresh("i")
        head, bound = self._range(scope)
        self.line(indent, f"for {counter} in {head}:")
        inner = scope.inner()
        inner.ints.append((counter, bound))
        self.block(inner, indent + 1, self.r.randint(1, 4), loops + 1, False, continues=True)
        self._count_in(inner, indent + 1, len(scope.numbers), len(scope.arrays), 0.5)

    def _count_in(self, scope: Scope, indent: int, numbers: int, arrays: int, share: float) -> None:
        """Add what a block has made to the sum, so that it matters."""
        if "lp" not in scope.variables:
            return
        for name in scope.numbers[numbers:]:
            if self.r.random() < share:
                operator, form = self.r.choice(("+=", "-=")), self.r.choice(("{0}", "math.sin({0})", "{0} * {0}"))
                self.line(indent, f"lp {operator} {form.format(name)}")
        for array in scope.arrays[arrays:]:
            if self.r.random() < share:
                form = self.r.choice(
                    (
                        "np.sum({0})",
                        "np.sum(np.sin({0}))",
                        "np.sum({0} * {0})",
                        f"{{0}}[{', '.join(['1'] * len(array.shape))}]",
                    )
                )
                self.line(indent, f"lp += {form.format(array.name)}")

    def _loop_over_tuple(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        name = self.fresh("c")
        items = [self.scalar(scope, 2) for _ in range(self.r.randint(2, 3))]
        self.line(indent, f"for {name} in ({', '.join(items)}):")
        inner = scope.inner()
        inner.numbers.append(name)
        inner.arrays = list(inner.arrays)
        self.line(indent + 1, f"lp += {self.scalar(inner)}" if "lp" in scope.variables else "pass")
        self._change_number(inner, indent + 1, loops, False)

    def _if(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        both = self.fresh("v") if self.r.random() < 0.3 else ""
        self.line(indent, f"if {self.condition(scope)}:")
        for head in self.r.choice(([], ["else:"], ["elif {}:", "else:"], ["elif {}:"])) if not both else [None]:
            self.block(scope.inner(), indent + 1, self.r.randint(1, 3), loops, returns)
            if head:
                self.line(indent, head.format(self.condition(scope)) if "{" in head else head)
        if both:
            self.line(indent + 1, f"{both} = {self.scalar(scope)}")
            self.line(indent, "else:")
            self.block(scope.inner(), indent + 1, 1, loops, False)
            self.line(indent + 1, f"{both} = {self.scalar(scope)}")
            scope.numbers.append(both)
            scope.variables.append(both)
            return
        self.block(scope.inner(), indent + 1, self.r.randint(1, 3), loops, returns)

    def _return_early(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        self.line(indent, f"if {self.condition(scope)}:")
        self.line(indent + 1, f"return {self.result(scope)}")

    def _continue(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        self.line(indent, f"if {self.condition(scope)}:")
        if self.r.random() < 0.4:
            self._change_number(scope.inner(), indent + 1, loops, False)
        self.line(indent + 1, "continue")

    def result(self, scope: Scope) -> str:
        """Write what the program returns."""
        return self.pick(
            (3, lambda: "lp"),
            (2, lambda: f"lp + {self.scalar(scope)}"),
            (1, lambda: f"lp * 0.3 - {self.scalar(scope)}"),
            (1, lambda: f"math.sin(lp) + {self.scalar(scope)}"),
            (1, lambda: f"lp + np.sum({self.vector(scope, 4)})"),
            (0.3, lambda: "-0.5 * lp * lp"),
            (0.3, lambda: "-math.inf" if self.r.random() < 0.3 else "0.5"),
        )
