"""Functions that random programs call."""

from __future__ import annotations

from tests.autodiff.expressions import Helper
from tests.autodiff.scope import Array, Scope
from tests.autodiff.statements import Writer

#: Arguments and results of helpers written statement by statement: see `Helper`.
_KINDS = (
    ("s", "s"), ("ss", "s"), ("v", "s"), ("vs", "s"), ("v", "v"), ("sv", "v"), ("ws", "s"), ("ss", "p"), ("ws", ""),
    ("ws", ""),
)  # fmt: skip

#: Other ways to pass arguments: the head, what the body starts with, the ways to call; {0}, {1} are numbers.
_SIGNATURES = (
    ("s_0, s_1=0.5", "", ("{0}", "{0}, {1}", "s_1={1}, s_0={0}")),
    ("s_0, *, s_1=TABLE[1]", "", ("{0}", "{0}, s_1={1}")),
    ("*s", "s_0, s_1 = s[0], s[1]", ("{0}, {1}", "*({0}, {1})", "{0}, {1}, 0.5")),
    ("pair", "s_0, s_1 = pair", ("({0}, {1})",)),
    ("pair", "(s_0, s_1), s_2 = pair\n    s_0 -= s_2", ("(({0}, {1}), 0.5)",)),
    ("pair", "s_0, s_1 = pair[0], pair[-1]", ("({0}, 0.5, {1})",)),
    ("s_0, s_1=None", "if s_1 is None:\n        s_1 = 0.5 * s_0", ("{0}", "{0}, {1}")),
    ("s_0, s_1, kind='first'", "if kind == 'second':\n        return s_1 * SCALE", ("{0}, {1}", "{0}, {1}, 'second'")),
    ("s_0, n", "s_1 = n * s_0\n    if n > 0:\n        return s_1 + {name}(0.5 * s_0, n - 1)", ("{0}, 2", "{0}, n=1")),
)

#: Arrays and numbers outside the functions; a class that holds some.
GLOBALS = """\
TABLE = np.array([0.4, -1.1, 0.8])
SCALE = 0.7
MIXED = np.array([0.3, 0.7])
class CONFIG:
    scale = 0.4
    knots = np.array([0.3, -0.7, 1.1])
"""


class HelperWriter(Writer):
    """Writes functions that are called."""

    def helper(self) -> None:
        """Write a function."""
        r, name = self.r, self.fresh("h")
        if r.random() < 0.3:
            return self._unusual(name)
        takes, gives = r.choice(_KINDS)
        args = [f"{kind}_{k}" for k, kind in enumerate(takes)]
        scope = Scope(numbers=[a for a in args if a[0] == "s"])
        # The size of a vector is not known here: it is used element by element, or whole.
        vector = next((a for a in args if a[0] in "vw"), "")
        indent = r.choice((0, 0, 0, 1))
        if indent:  # a closure
            self.line(0, f"def make_{name}(c, w):")
            scope.numbers.append("c")
            scope.arrays.append(Array("w", (3,)))
        if takes == "ss" and gives == "s" and not indent and r.random() < 0.3:
            self.line(0, f"{name} = lambda s_0, s_1: {self.scalar(scope)}")
            self.helpers.append(Helper(name, takes, gives))
            return None
        self.line(indent, f"def {name}({', '.join(args)}):")
        self.line(indent + 1, "lp = 0.0")
        scope.numbers.append("lp")
        scope.variables.append("lp")
        if vector and gives == "v":
            self._vector_body(scope, vector, indent + 1)
        elif gives == "":
            self._procedure(scope, vector, indent + 1)
        else:
            self._body(scope, vector, gives, indent + 1)
        if indent:
            self.line(1, f"return {name}")
            self.line(0, f"{name} = make_{name}({self.literal()}, np.array([0.3, -0.7, 1.1]))")
        self.helpers.append(Helper(name, takes, gives))
        return None

    def _unusual(self, name: str) -> None:
        """Write a function with an unusual way to pass two numbers."""
        head, start, calls = self.r.choice(_SIGNATURES)
        self.line(0, f"def {name}({head}):")
        for text in filter(None, start.format(name=name).split("\n")):
            self.line(0 if text.startswith(" ") else 1, text)
        scope = Scope(numbers=["s_0", "s_1", "SCALE"], variables=["s_0", "s_1"], arrays=[Array("TABLE", (3,))])
        self.block(scope, 1, self.r.randint(0, 2), 0, False)
        gives = self.r.choice("sp") if "n" not in head and "kind" not in head else "s"
        self.line(1, f"return {self.scalar(scope)}{f', s_1 - {self.leaf(scope)}' if gives == 'p' else ''}")
        self.helpers.append(Helper(name, "ss", gives, calls))

    def _body(self, scope: Scope, vector: str, gives: str, indent: int) -> None:
        r = self.r
        if r.random() < 0.7:
            self.line(indent, f"a0 = np.array(({self.leaf(scope)}, {self.leaf(scope)}, {self.leaf(scope)}))")
            scope.arrays.append(Array("a0", (3,), True))
        if vector:
            self.line(indent, f"for i0 in range({r.choice((f'len({vector})', f'{vector}.shape[0]', '3'))}):")
            inner = scope.inner()
            inner.numbers += [f"{vector}[i0]"] * 2
            if vector[0] == "w":
                self.line(indent + 1, f"{vector}[i0] {r.choice(('=', '+=', '*='))} {self.bounded(inner)}")
            self.line(indent + 1, f"lp += {self.scalar(inner)}")
            scope.numbers.append(f"{vector}[1]")
        self.block(scope, indent, r.randint(1, 4), 1 if r.random() < 0.5 else 0, gives == "s")
        result = r.choice(("lp", f"lp + {self.scalar(scope)}", f"math.sin(lp) * {self.scalar(scope)}"))
        self.line(indent, f"return {f'lp, {self.scalar(scope)}' if gives == 'p' else result}")

    def _procedure(self, scope: Scope, vector: str, indent: int) -> None:
        """Write to a vector and return nothing."""
        scope.numbers += [f"{vector}[0]", f"{vector}[-1]"]
        form = self.r.choice(
            (
                "{0} *= {1}", "{0} += np.sin({0}[::-1])", "{0}[1:] -= {0}[:-1]", "{0}[0], {0}[2] = {0}[2], {1}",
                "{0}[:] = np.cos({0}) * {1}", "part = {0}[1:]\n{2}part[0] = {1}", "part = {0}\n{2}part -= {1}",
            )
        )  # fmt: skip
        self.line(indent, form.format(vector, self.bounded(scope), "    " * indent))
        self.line(indent, f"{vector}[1] {self.r.choice(('=', '+=', '*='))} {self.bounded(scope)}")

    def _vector_body(self, scope: Scope, vector: str, indent: int) -> None:
        form = self.r.randrange(6)
        if form == 0:
            return self.line(indent, f"return np.sin({vector} * {self.scalar(scope)}) - {vector}")
        if form == 4:
            return self.line(indent, f"return {self.r.choice((vector, f'{vector}[::-1]', f'{vector}[:]'))}")
        if form in (3, 5):
            self.line(
                indent, f"{vector}_new = {self.r.choice(('np.copy({})', '{} * 0.5', 'np.cumsum({})'))}".format(vector)
            )
            self.line(indent, f"{vector}_new[0] += {self.scalar(scope)}")
            self.line(indent, f"{vector}_new[1:] *= {vector}_new[:-1]")
            return self.line(indent, f"return {vector}_new")
        self.line(indent, f"out = np.{self.r.choice(('zeros_like', 'ones_like'))}({vector})")
        self.line(indent, f"for i0 in range({vector}.shape[0]):")
        scope.numbers += [f"{vector}[i0]", "out[i0]", f"{vector}[0]"]
        if form == 1:
            self.line(indent + 1, f"if {self.condition(scope)}:")
            self.line(indent + 2, f"out[i0] += {self.scalar(scope)}")
        self.line(indent + 1, f"lp += {vector}[i0] * {self.scalar(scope)}")
        self.line(indent + 1, f"out[i0] = math.tanh(lp) + {self.scalar(scope)}")
        return self.line(indent, "return out")
