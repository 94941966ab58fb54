"""Programs that autodiff once got wrong, as small as they fail: tests of `test_fuzz`."""

from __future__ import annotations

from typing import NamedTuple


class Found(NamedTuple):
    """A program and what was wrong.

    Attributes
    ----------
    name : str
        What was wrong.
    text : str
        The program; its arguments are those of `tests.autodiff.programs.arguments`.
    seed : int
        Of the arguments.
    open : bool
        Whether it is still wrong.
    """

    name: str
    text: str
    seed: int = 0
    open: bool = False


_MANY_SUMS = "".join(
    f"    v{k} = 0.0\n    for i in range(n):\n        v{k} += x[i]\n    lp += v{k} * v{k}\n" for k in range(70)
)

FOUND = [
    Found(
        "a name that gets the same value on both sides of a branch is not defined after it",
        """\
def f(x, s):
    if x[0] > 0.0:
        v = s
    else:
        v = s
    return v * x[1]
""",
    ),
    Found(
        "a transposed array is a copy: what is written to it does not reach the array",
        """\
def f(x):
    a = np.ones((2, 2))
    b = a.T
    b[0] *= x[0]
    return np.sum(a)
""",
    ),
    Found(
        "a function with more than 60 sums in loops is refused: it is read again for each",
        f"def f(x, n):\n    lp = 0.0\n{_MANY_SUMS}    return lp\n",
    ),
    Found(
        "a slice of one element does not broadcast: the shapes are said not to fit",
        """\
def f(x):
    return np.sum(x * x[1:2])
""",
        open=True,
    ),
    Found(
        "the diagonal of a matrix is a copy: what is written to the matrix does not reach it",
        """\
def f(A, s):
    a = np.copy(A[:3])
    b = np.diag(a)
    a[0, 0] = s
    return np.sum(b * b)
""",
        open=True,
    ),
    Found(
        "an array read at i - 1 in a loop from 0 counts as read after it was written, under any condition",
        """\
def f(x, s):
    a = np.copy(x)
    for i in range(4):
        if s < 90.0:
            a[i] = math.sin(a[i - 1])
    return a[0] * a[1]
""",
    ),
    Found(
        "a loop from a negative index on counts as writing each element once",
        """\
def f(x):
    a = np.zeros(4)
    for i in range(-4, 4):
        a[i] = x[i] * i
    return np.sum(a * a)
""",
    ),
    Found(
        "a variable is called x_bar, like the adjoint of the argument x",
        """\
def f(x, s):
    x_bar = s * 2.0
    return x_bar * x[0]
""",
    ),
]
