"""Random programs in the subset that autodiff promises, each a function of an integer seed.

All programs take the arguments that `arguments` makes: vectors of 4 and of 3 elements, a 4 × 3 matrix and two numbers,
by which they are differentiated, and data. Sizes are kept track of, so that every index is in range; functions get
arguments where they are smooth, and loops stay short.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from tests.autodiff.expressions import Helper
from tests.autodiff.scope import Array, Scope
from tests.autodiff.statements import Writer

#: Arguments by which programs are differentiated.
ACTIVE = ("x", "y", "A", "s", "t")
DATA = ("u", "B", "idx", "cnt", "n", "m", "k")

HEADER = """\
import math
import numpy as np
from nbinfer.autodiff import custom_vjp
from nbinfer.vectormath import digamma, expit, log1pexp, logsumexp
"""


def arguments(seed: int) -> dict[str, Any]:
    """Return the arguments of all programs by name."""
    rng = np.random.default_rng(seed)
    return {
        "x": 0.8 * rng.normal(size=4),
        "y": 0.8 * rng.normal(size=3),
        "A": 0.8 * rng.normal(size=(4, 3)),
        "s": 0.8 * float(rng.normal()),
        "t": 0.8 * float(rng.normal()),
        "u": rng.normal(size=4),
        "B": rng.normal(size=(3, 4)),
        "idx": rng.integers(0, 3, 4),
        "cnt": rng.integers(0, 4, 4),
        "n": 4,
        "m": 3,
        "k": int(rng.integers(0, 4)),
    }


_MODEL_HEADER = f"""\
from typing import Any, NamedTuple
class Parameters(NamedTuple):
    {"; ".join(f"{name}: Any" for name in ACTIVE)}
class Data(NamedTuple):
    u: Any; B: Any; idx: Any; cnt: Any; n: Any; m: Any; k: Any
"""
_CUSTOM = """\
@custom_vjp(lambda a, b: (math.cos(a) * b, math.sin(a)))
def custom(a, b):
    return np.sin(a) * b
"""


class Programs(Writer):
    """Writes functions."""

    def helper(self) -> None:
        """Write a function that is called."""
        r, name = self.r, self.fresh("h")
        takes, gives = r.choice(
            (("s", "s"), ("ss", "s"), ("v", "s"), ("vs", "s"), ("v", "v"), ("sv", "v"), ("ws", "s"), ("ss", "p"))
        )
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
            return
        self.line(indent, f"def {name}({', '.join(args)}):")
        self.line(indent + 1, "lp = 0.0")
        scope.numbers.append("lp")
        scope.variables.append("lp")
        if vector and gives == "v":
            self._vector_body(scope, vector, indent + 1)
        else:
            if r.random() < 0.7:
                self.line(indent + 1, f"a0 = np.array(({self.leaf(scope)}, {self.leaf(scope)}, {self.leaf(scope)}))")
                scope.arrays.append(Array("a0", (3,)))
            if vector:
                self.line(indent + 1, f"for i0 in range({r.choice((f'len({vector})', f'{vector}.shape[0]', '3'))}):")
                inner = scope.inner()
                inner.numbers += [f"{vector}[i0]"] * 2
                if vector[0] == "w":
                    self.line(indent + 2, f"{vector}[i0] {r.choice(('=', '+=', '*='))} {self._bounded(inner)}")
                self.line(indent + 2, f"lp += {self.scalar(inner)}")
                scope.numbers.append(f"{vector}[1]")
            self.block(scope, indent + 1, r.randint(1, 4), 1 if r.random() < 0.5 else 0, gives == "s")
            pair = f"lp, {self.scalar(scope)}"
            self.line(indent + 1, f"return {pair if gives == 'p' else self.result_of_helper(scope)}")
        if indent:
            self.line(1, f"return {name}")
            self.line(0, f"{name} = make_{name}({self.literal()}, np.array([0.3, -0.7, 1.1]))")
        self.helpers.append(Helper(name, takes, gives))

    def result_of_helper(self, scope: Scope) -> str:
        return self.r.choice(("lp", f"lp + {self.scalar(scope)}", f"math.sin(lp) * {self.scalar(scope)}"))

    def _vector_body(self, scope: Scope, vector: str, indent: int) -> None:
        form = self.r.randrange(4)
        if form == 3:
            self.line(indent, f"{vector}_new = np.copy({vector})")
            self.line(indent, f"{vector}_new[0] += {self.scalar(scope)}")
            self.line(indent, f"{vector}_new[1:] *= {vector}_new[:-1]")
            self.line(indent, f"return {vector}_new")
            return
        if form == 0:
            self.line(indent, f"return np.sin({vector} * {self.scalar(scope)}) - {vector}")
            return
        self.line(indent, f"out = np.{self.r.choice(('zeros_like', 'ones_like'))}({vector})")
        self.line(indent, f"for i0 in range({vector}.shape[0]):")
        scope.numbers += [f"{vector}[i0]", "out[i0]", f"{vector}[0]"]
        if form == 1:
            self.line(indent + 1, f"if {self.condition(scope)}:")
            self.line(indent + 2, f"out[i0] += {self.scalar(scope)}")
        self.line(indent + 1, f"lp += {vector}[i0] * {self.scalar(scope)}")
        self.line(indent + 1, f"out[i0] = math.tanh(lp) + {self.scalar(scope)}")
        self.line(indent, "return out")

    def body(self, name: str, args: str, prefixes: tuple[str, str]) -> None:
        """Write a function to differentiate."""
        p, d = prefixes
        scope = Scope(
            numbers=[f"{p}s", f"{p}t"],
            ints=[(f"{d}k", 4)],
            arrays=[
                Array(f"{p}x", (4,)), Array(f"{p}y", (3,)), Array(f"{p}A", (4, 3)), Array(f"{d}u", (4,)),
                Array(f"{d}B", (3, 4)), Array(f"{p}x", (4,)), Array(f"{p}y", (3,)),
            ],
            gathers=[f"{d}idx"],
            counts=[f"{d}cnt"],
            sizes={4: [f"{d}n", f"{p}x.shape[0]", f"len({p}x)", f"{p}A.shape[0]"], 3: [f"{d}m", f"{p}y.size", f"{d}m"]},
        )  # fmt: skip
        self.line(0, f"def {name}({args}):")
        self.line(1, "lp = 0.0")
        scope.numbers.append("lp")
        scope.variables.append("lp")
        self._budget = self.r.choice((4, 6, 9, 14))
        self.block(scope, 1, self.r.randint(3, 9), 0, True)
        self._count_in(scope, 1, 3, 7, 0.8)
        self.line(1, f"return {self.result(scope)}")


def program(seed: int) -> str:
    """Return the text of a program."""
    writer = Programs(random.Random(seed))
    r = writer.r
    model = r.random() < 0.2
    writer._budget = 1000
    for _ in range(r.choice((0, 0, 0, 1, 1, 2))):
        writer._budget = 7
        writer.helper()
    if model:
        writer.body("prior", "p, d", ("p.", "d."))
        if r.random() < 0.7:
            writer.body("likelihood", "p, d", ("p.", "d."))
    else:
        writer.body("f", "x, y, A, s, t, u, B, idx, cnt, n, m, k", ("", ""))
    text = "\n".join(writer.lines) + "\n"
    head = HEADER + (_MODEL_HEADER if model else "") + (_CUSTOM if "custom(" in text else "")
    return head + text
