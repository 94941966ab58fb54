"""Statements of random programs."""

from __future__ import annotations

from tests.autodiff.chosen_statements import ChosenWriter
from tests.autodiff.everyday import EverydayWriter
from tests.autodiff.known_statements import KnownWriter
from tests.autodiff.scope import Array, Scope
from tests.autodiff.wild import guarded_statement


class Writer(ChosenWriter, EverydayWriter, KnownWriter):
    """Writes statements."""

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
            (2.0, self.change_element),
            (1.4, self.new_array),
            (0.5, self.new_view),
            (1.2, self.change_array),
            (0.6, self.change_chosen),
            (0.1, self.new_diagonal),
            (0.15, self.integers),
            (0.5, self._integer),
            (0.4, self._flag),
            (0.4, self._swap),
            (0.4, self._call),
            (0.6, self.before_change),
            (0.5, self.dictionary),
            (0.4, self.changed_list),
            (0.4, self.named_within),
            (0.2, self.asserted),
            (0.3, self.unpacked),
            (0.3, self.arguments_by_name),
        ]
        if not deep:
            ways += [
                (2.5 if loops < 3 else 0.0, self._loop),
                (2.0, self._if),
                (0.3, self._loop_over_tuple),
                (0.4, self.recurrence),
                (1.0, self.updates),
                (0.3, self.neighbours),
                (1.2 if loops < 3 else 0.0, self.loop_over),
                (0.6 if loops < 3 else 0.0, self.while_loop),
                (0.5, self.rebound),
                (0.2, self.pair),
                (0.5, self.comprehension),
                (0.5, self.generator),
                (0.3, self.inner_function),
            ]
        if returns:
            ways.append((0.3, self._return_early))
        if continues:
            ways += [(1.0, self._continue), (0.7, self.leave)]
        if scope.wild and "lp" in scope.variables:
            ways.append((4.0, self._guarded))
        way = self.r.choices([w[1] for w in ways], [w[0] for w in ways])[0]
        way(scope, indent, loops, returns)

    def _guarded(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        guarded_statement(self, scope, indent)

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
        self.line(indent, form.format(name, self.bounded(scope)))

    def _swap(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        names = [name for name in scope.variables if name != "lp"]
        if len(names) < 2:
            return self._new_number(scope, indent, loops, returns)
        a, b = self.r.sample(names, 2)
        pairs = [h for h in self.helpers if h.gives == "p"]
        if pairs and self.r.random() < 0.5:
            self.line(indent, f"{a}, {b} = {self.call(scope, 'p', 1)}")
        else:
            self.line(indent, f"{a}, {b} = {b}, {self.r.choice((a, self.bounded(scope)))}")

    def _call(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Call a function that changes an array and returns nothing."""
        text = self.call(scope, "", 1)
        if text is None:
            return self.change_element(scope, indent, loops, returns)
        self.line(indent, text)

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
        self.block(inner, indent + 1, self.r.randint(1, 4), loops + 1, returns, continues=True)
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
        inner = scope.inner()
        if self.r.random() < 0.3:
            items = [self.vector(scope, 3, 2) for _ in range(2)]
            inner.arrays.append(Array(name, (3,)))
            inner.arrays.append(Array(name, (3,)))
        else:
            items = [self.scalar(scope, 2) for _ in range(self.r.randint(2, 3))]
            inner.numbers.append(name)
        self.line(indent, f"for {name} in ({', '.join(items)}):")
        self.line(indent + 1, f"lp += {self.scalar(inner)}" if "lp" in scope.variables else "pass")
        if self.r.random() < 0.3:
            self.r.choice((self._continue, self.leave))(inner, indent + 1, loops, False)
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
