"""Random programs in the subset that autodiff promises, each a function of an integer seed.

All programs take the arguments that `arguments` makes: vectors of 4 and of 3 elements, a 4 × 3 matrix and two numbers,
by which they are differentiated, and data, of which tame programs leave the wild ones alone. Sizes are kept track of,
so that every index is in range; functions get arguments where they are smooth, and loops stay short.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from tests.autodiff.helpers import GLOBALS, HelperWriter
from tests.autodiff.scope import Array, Scope
from tests.autodiff.wild import wild_data

#: Arguments by which programs are differentiated.
ACTIVE = ("x", "y", "A", "s", "t")
DATA = ("u", "B", "idx", "cnt", "n", "m", "k", "w")

HEADER = """\
import math
import numpy as np
from nbinfer.autodiff import custom_vjp
from nbinfer.autodiff.linalg import solve_lower, solve_upper
from nbinfer.vectormath import (
    betainc, betaincc, digamma, expit, gammainc, gammaincc, i1_over_i0, lbeta, log1mexp, log1pexp, log_betainc,
    log_betaincc, log_binomial, log_erfcx, log_expit, log_gammainc, log_gammaincc, log_i0e, log_ndtr, logit, logsumexp,
    ndtr, ndtri, pick, row_logsumexp, row_sum, select, trigamma, xlog1py, xlogy,
)
from nbinfer.distributions import (
    binomial, censored, exponential, half_cauchy, half_normal, mixture, negative_binomial, normal, poisson, truncated,
    uniform,
)
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
        "w": wild_data(rng),
    }


_MODEL_HEADER = f"""\
from typing import Any, NamedTuple
class Parameters(NamedTuple):
    {"; ".join(f"{name}: Any" for name in ACTIVE)}
class Data(NamedTuple):
    u: Any; B: Any; idx: Any; cnt: Any; n: Any; m: Any; k: Any; w: Any
"""
_CUSTOM = """\
@custom_vjp(lambda a, b: (np.cos(a) * b, np.sin(a)))
def custom(a, b):
    return np.sin(a) * b
"""


class Programs(HelperWriter):
    """Writes functions; `wild` ones have zeros, infinities and NaN among their data, and guards."""

    wild = False

    def body(self, name: str, args: str, prefixes: tuple[str, str]) -> None:
        """Write a function to differentiate."""
        p, d = prefixes
        scope = Scope(
            numbers=[f"{p}s", f"{p}t", f"{p}s", f"{p}t", "SCALE"],
            ints=[(f"{d}k", 4)],
            arrays=[
                Array(f"{p}x", (4,)), Array(f"{p}y", (3,)), Array(f"{p}A", (4, 3)), Array(f"{d}u", (4,)),
                Array(f"{d}B", (3, 4)), Array(f"{p}x", (4,)), Array(f"{p}y", (3,)),
                Array("TABLE", (3,)),
            ],
            gathers=[f"{d}idx"],
            counts=[f"{d}cnt"],
            wild=f"{d}w" if self.wild else "",
            sizes={4: [f"{d}n", f"{p}x.shape[0]", f"len({p}x)", f"{p}A.shape[0]"], 3: [f"{d}m", f"{p}y.size", f"{d}m"]},
        )  # fmt: skip
        self.line(0, f"def {name}({args}):")
        self.line(1, "lp = 0.0")
        scope.numbers.append("lp")
        scope.variables.append("lp")
        self._budget = self.r.choice((4, 6, 9, 14))
        summed = name == "likelihood" and self.r.random() < 0.5  # an array, whose sum counts
        self.block(scope, 1, self.r.randint(3, 9), 0, not summed)
        self._count_in(scope, 1, 6, 8, 0.8)
        terms = self.r.choice((f"lp + {self.vector(scope, 4)}", f"{self.matrix(scope, (4, 3))} - lp"))
        self.line(1, f"return {terms if summed else self.result(scope)}")


def program(seed: int, wild: bool = False) -> str:
    """Return the text of a program."""
    writer = Programs(random.Random(seed))
    writer.wild = wild
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
        writer.body("f", "x, y, A, s, t, u, B, idx, cnt, n, m, k, w", ("", ""))
    text = "\n".join(writer.lines) + "\n"
    head = HEADER + GLOBALS + (_MODEL_HEADER if model else "") + (_CUSTOM if "custom(" in text else "")
    return head + text
