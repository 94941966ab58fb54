"""Statements of random programs about what is known while they are read: dictionaries, lists, names within lines."""

from __future__ import annotations

from tests.autodiff.array_statements import ArrayWriter
from tests.autodiff.scope import Array, Scope


class KnownWriter(ArrayWriter):
    """Writes dictionaries, lists that change, ``:=``, assertions, arguments by name, results of several values."""

    def block(self, scope: Scope, indent: int, count: int, loops: int, returns: bool, continues: bool = False) -> None:
        raise NotImplementedError

    def _numbers(self, scope: Scope, *texts: str) -> None:
        """Let the program read what these texts say."""
        scope.numbers += texts

    # Dictionaries and lists ---------------------------------------------------------------------------------------

    def dictionary(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write a dictionary, changes of it, and what is made of it."""
        r, p = self.r, self.fresh("p")
        a, b = self.scalar(scope), self.scalar(scope)
        form = r.choice(
            (
                "{{'a': {0}, 'b': {1}}}", "{{'b': {0}, 'a': {1}}}",
                "{{name: ({0}) * (k + 1) for k, name in enumerate(('a', 'b'))}}",
                "{{name: v for name, v in zip(('a', 'b'), ({0}, {1}))}}",
            )
        )  # fmt: skip
        self.line(indent, f"{p} = {form.format(a, b)}")
        way = r.randrange(6)
        if way == 0:
            self.line(indent, f"{p}['a'] {r.choice(('=', '+=', '*=', '-='))} {self.bounded(scope)}")
        elif way == 1:
            size = r.choice((3, 4))
            self.line(indent, f"{p}['c'] = {r.choice(('np.sin({})', '({}) * 0.5')).format(self.vector(scope, size))}")
            scope.arrays += [Array(f"{p}['c']", (size,))] * 2
        elif way == 2:
            self.line(indent, f"{p}.update({{'b': {self.scalar(scope)}}})")
        elif way == 3 and "lp" in scope.variables:
            key, v = self.fresh("key"), self.fresh("c")
            inner = scope.inner()
            inner.numbers += [v] * 3
            self.line(indent, f"for {key}, {v} in {p}.items():")
            self.line(indent + 1, f"if {key} {r.choice(('==', '!='))} 'a'" + f"{self._and(inner)}:")
            self.line(indent + 2, f"lp += {self.scalar(inner)}")
        elif way == 4:
            self.line(indent, f"{p}[{r.choice(('0', '-1', '2.5'))}] = {self.scalar(scope)}")
        self._numbers(scope, f"{p}['a']", f"{p}['b']", r.choice((f"{p}.get('a')", f"{p}.get('z', 0.5)")))
        self._numbers(scope, f"({p}['b'] if {r.choice(('z', 'a'))!r} in {p} else {p}['a'])")
        if way != 1:  # all are numbers
            form = r.choice(("sum({}.values())", "max({}.values())", "sum(v * v for v in {}.values())"))
            self._numbers(scope, form.format(p))

    def _and(self, scope: Scope) -> str:
        return f" and {self.condition(scope, 1)}" if self.r.random() < 0.4 else ""

    def changed_list(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write a list of numbers, or of arrays, whose items are known, and changes of it."""
        r, name = self.r, self.fresh("list")
        if r.random() < 0.3:
            return self._list_of_arrays(scope, indent, name)
        if r.random() < 0.2:
            self.line(indent, f"{name} = [{self.scalar(scope)}] * 3")
        else:
            self.line(indent, f"{name} = [{self.scalar(scope)}, {self.scalar(scope)}, {self.scalar(scope)}]")
        for _ in range(r.randint(1, 3)):  # three items stay
            form = r.choice(
                (
                    "{0}[1] = {1}", "{0}[-1] *= {1}", "{0} += [{1}]", "{0}.append({1})", "{0}.insert(1, {1})",
                    "{0}.extend(({1}, 0.5))", "{0}.reverse()", "{0}[0], {0}[2] = {0}[2], {1}", "{0} = {0} + [{1}]",
                    "{0}.append({0}.pop())", "{0}.append({0}.pop(0) * {1})", "{0} = {0}[::-1]", "{0} = list({0})",
                )
            )  # fmt: skip
            self.line(indent, form.format(name, self.bounded(scope)))
        self._numbers(scope, f"{name}[0]", f"{name}[-2]", f"sum({name})", f"sorted({name})[1]", f"len({name}) * 0.3")
        scope.arrays.append(Array(f"np.array({name}[:3])", (3,)))
        return None

    def _list_of_arrays(self, scope: Scope, indent: int, name: str) -> None:
        size, k, v = self.r.choice((3, 4)), self.fresh("i"), self.fresh("row")
        form = self.r.randrange(3)
        if form == 0:
            self.line(indent, f"{name} = [{self.vector(scope, size)}, np.cos({self.vector(scope, size)})]")
            self.line(indent, f"{name}.append({name}[0] * {self.bounded(scope)})")
        elif form == 1:
            inner = scope.inner()
            inner.arrays += [Array(v, (size,))] * 3
            self.line(indent, f"{name} = [{self.vector(inner, size, 1)} for {v} in {self.matrix(scope, (3, size), 1)}]")
        else:
            inner = scope.inner()
            inner.ints.append((k, 3))
            self.line(indent, f"{name} = []")
            self.line(indent, f"for {k} in range(3):")
            self.line(indent + 1, f"{name}.append(np.sin({self.vector(inner, size)}))")
        scope.arrays += [Array(f"{name}[{k}]", (size,)) for k in (1, 2, -3)]
        scope.arrays.append(Array(f"np.array({name})", (3, size)))

    # Names within lines -------------------------------------------------------------------------------------------

    def named_within(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write a line that gives a number a name on its way."""
        r, v = self.r, self.fresh("v")
        form = r.randrange(4)
        if form == 0:
            self.line(indent, f"if ({v} := {self.scalar(scope)}) {r.choice('<>')} {self.leaf(scope)}:")
            inner = scope.inner()
            inner.numbers += [v] * 3
            self.line(indent + 1, self._change(inner))
        elif form == 1 and loops < 3:
            q = self.fresh("q")
            self.line(indent, f"{q} = 0")
            self.line(indent, f"while ({v} := {self.bounded(scope)} + {q}) < {r.randint(1, 3)} and {q} < 3:")
            inner = scope.inner()
            inner.numbers += [v] * 3
            inner.ints.append((q, 4))
            self.line(indent + 1, f"{q} += 1")
            return self.line(indent + 1, self._change(inner))
        elif form == 2:
            other = self.fresh("v")
            self.line(indent, f"{other} = ({v} := {self.scalar(scope)}) * {r.choice((v, self.leaf(scope)))}")
            self._numbers(scope, other)
        else:
            a, size = self.fresh("a"), r.choice((3, 4))
            self.line(indent, f"{v} = np.sum(({a} := np.sin({self.vector(scope, size)})) * {a})")
            scope.arrays += [Array(a, (size,))] * 2
        scope.variables.append(v)
        return self._numbers(scope, v, v)

    def _change(self, scope: Scope) -> str:
        """Write a line that makes a block matter."""
        if "lp" in scope.variables:
            return f"lp += {self.scalar(scope)}"
        name = self.r.choice(scope.variables) if scope.variables else self.fresh("v")
        return f"{name} = {self.bounded(scope)}"

    def asserted(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write an assertion that holds, or a name with its type."""
        form = self.r.choice(
            (
                "assert {0} == {0}", "assert {0} * {0} >= 0.0, 'a square'", "assert not {0} != {0}", "assert True",
                "assert -1.0 <= math.sin({0}) <= 1.0, ('sine', {1})",
            )
        )  # fmt: skip
        if scope.wild or self.r.random() < 0.4:
            v = self.fresh("v")
            self.line(indent, f"{v}: float = {self.scalar(scope)}")
            scope.variables.append(v)
            return self._numbers(scope, v)
        return self.line(indent, form.format(f"({self.leaf(scope)})", self.leaf(scope)))

    # Results of several values, functions -------------------------------------------------------------------------

    def unpacked(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write names that several results get at once."""
        r = self.r
        form = r.randrange(4)
        if form == 0:
            sign, logdet = self.fresh("v"), self.fresh("v")
            a = r.choice((self.definite(scope, 3, 1), f"{self.matrix(scope, (3, 3), 1)} * 0.2 + np.eye(3)"))
            self.line(indent, f"{sign}, {logdet} = np.linalg.slogdet({a})")
            return self._numbers(scope, sign, logdet, logdet)
        if form == 1:
            a, b, c = (self.fresh("v") for _ in range(3))
            self.line(indent, f"{a}, {b}, {c} = {self.vector(scope, 3)}")
            return self._numbers(scope, a, b, c)
        if form == 2:
            a, b = self.fresh("a"), self.fresh("a")
            shape = r.choice(((2, 3), (2, 4)))
            rows = f"{self.matrix(scope, (3, shape[1]))}[:2]"
            self.line(indent, f"{a}, {b} = {r.choice((rows, f'({self.vector(scope, shape[1])}, {rows}[1])'))}")
            scope.arrays += [Array(a, shape[1:]), Array(b, shape[1:])]
            return None
        a, b, c = self.fresh("v"), self.fresh("a"), self.fresh("v")
        self.line(indent, f"({a}, {b}), {c} = ({self.scalar(scope)}, {self.vector(scope, 4)}), {self.scalar(scope)}")
        scope.arrays.append(Array(b, (4,)))
        return self._numbers(scope, a, c)

    def arguments_by_name(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write a function inside of the function that takes any arguments, and a call."""
        g, v = self.fresh("g"), self.fresh("v")
        inner = scope.inner()
        form = self.r.randrange(3)
        if form == 0:
            inner.numbers += ["terms[0]", "scale", "sum(terms)"]
            self.line(indent, f"def {g}(*terms, scale={self.literal()}):")
            call = self.r.choice(("{0}, {1}", "{0}, scale={1}", "*({0}, {1}), scale=0.5", "{0}, *({1}, 0.5)"))
        elif form == 1:
            inner.numbers += ["v", "options['factor']", "options.get('shift', 0.5)"]
            self.line(indent, f"def {g}(v, **options):")
            call = self.r.choice(("{0}, factor={1}", "{0}, factor={1}, shift=0.3", "{0}, **{{'factor': {1}}}"))
        else:
            inner.numbers += ["h(v)", "v", "h(h(v))"]
            self.line(indent, f"def {g}(h, v):")
            call = self.r.choice(("math.sin, {0}", "lambda c: c * {1}, {0}", "h=lambda c, d=0.3: d - c, v={0}"))
        self.line(indent + 1, f"return {self.scalar(inner)}")
        self.line(indent, f"{v} = {g}({call.format(self.scalar(scope), self.leaf(scope))})")
        self._numbers(scope, v, v)
