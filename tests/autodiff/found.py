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
    """

    name: str
    text: str
    seed: int = 0


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
    Found(
        "a slice from a counter to the next does not broadcast",
        """\
def f(x):
    lp = 0.0
    for i in range(3):
        lp += np.sum(x * x[i : i + 1]) + np.sum(x - x[-1:])
    return lp
""",
    ),
    Found(
        "the diagonal of a matrix with more rows than columns is read beyond its end",
        """\
def f(A, k):
    return np.sum(np.diag(A) ** 2) + np.diag(A)[k - 3]
""",
    ),
    Found(
        "`+=` changes an expression under one of its names only",
        """\
def f(x):
    w = x * 2.0
    v = w
    v += 1.0
    return np.sum(w * x)
""",
    ),
    Found(
        "what is written to an expression is not seen under its other name",
        """\
def f(x):
    w = x * 2.0
    v = w
    v[0] = 1.0
    return np.sum(w * x)
""",
    ),
    Found(
        "what a function writes to an expression is not seen by its caller",
        """\
def h(v):
    v[0] = 0.5
    return np.sum(v)
def f(x):
    w = x * 2.0
    h(w)
    return np.sum(w * x)
""",
    ),
    Found(
        "`+=` to an expression is not seen in a part of it",
        """\
def f(x):
    w = x * 2.0
    v = w[1:]
    w += 1.0
    return np.sum(v * v)
""",
    ),
    Found(
        "the result of a running sum cannot be changed",
        """\
def f(x):
    w = np.cumsum(x)
    w += 1.0
    w[1] = x[0]
    return np.sum(w * w)
""",
    ),
    Found(
        "an array that gets two names at once cannot be written to",
        """\
def f(x):
    a = b = x * 2.0
    a[0] = x[1]
    return np.sum(b * b)
""",
    ),
    Found(
        "+a and a.flatten() are a, not a copy",
        """\
def f(x):
    a = np.zeros(4)
    b = +a
    c = a.flatten()
    a[0] = x[1]
    return np.sum(b + c) + a[0]
""",
    ),
    Found(
        "an expression of an array sees what a function on its right changes",
        """\
def h(v):
    v[0] += 0.5
    return np.sum(v)
def f(x):
    a = np.copy(x)
    return np.sum(np.sin(a) * h(a))
""",
    ),
    Found(
        "an expression in a tuple sees what is changed later",
        """\
def f(x):
    a = np.copy(x)
    t = (np.sin(a), 1.0)
    for i in range(3):
        a[i] += t[0][i]
    return np.sum(t[0] * a)
""",
    ),
    Found(
        "a call without a result is refused, although it changes an array",
        """\
def h(a, x):
    for i in range(4):
        a[i] = x[i] ** 2
def f(x):
    a = np.empty(4)
    h(a, x)
    return np.sum(a)
""",
    ),
    Found(
        "a logarithm to a base is natural",
        """\
def f(x):
    return math.log(1.5 + x[0] ** 2, 2.0)
""",
    ),
    Found(
        "the largest of integers is a float, so that it is no index",
        """\
def f(x, cnt):
    return x[np.max(cnt)]
""",
    ),
    Found(
        "two empty slices are said not to fit",
        """\
def f(x, y):
    return x[1:0] @ y[1:0] + x[0]
""",
    ),
    Found(
        "what is on the right of `a[0] +=` changes a[0], and that is added to",
        """\
def h(v):
    v[0] += 1.0
    return 2.0
def f(x):
    a = np.copy(x)
    a[0] += h(a)
    a[1] *= h(a[1:])
    return np.sum(a * a)
""",
    ),
    Found(
        "a part of the diagonal of a matrix is a copy",
        """\
def f(A, s):
    a = np.copy(A)
    d = np.diag(a)[:-1]
    a[1, 1] = s
    return np.sum(d * d)
""",
    ),
    Found(
        "an element with a new axis is no number and no array",
        """\
def f(x, A, k):
    return np.sum(x[0, None] * A[None, k, 1]) + np.sum((x * 2.0)[None, k - 4] * x[:, None])
""",
    ),
    Found(
        "a row of an outer product of what counts its elements, from the end",
        """\
def f(x, k):
    lp = 0.0
    for i in range(2):
        lp += np.sum(np.outer(np.arange(4), x)[i - 4] * np.outer(x, np.arange(4))[k - 3, i - 4])
    return lp
""",
    ),
    Found(
        "a loop that makes an array adds to its adjoint when that is over",
        """def f(x, u):
    lp = 0.0
    for i in range(4):
        a = np.full_like(u, x[0])
        b = (a * x[1], 0.25)
        lp += b[0][i]
    return lp
""",
    ),
    Found(
        "a list of positions is taken for one position along each axis",
        """def f(x, y):
    a = x * 1.0
    np.add.at(a, [0, 2, 0], y)
    return np.sum(a * a)
""",
    ),
    Found(
        "neighbours in an array that each turn makes anew",
        """\
def f(x, y):
    lp = 0.0
    for i in range(2):
        a = np.linalg.solve(np.outer(y, y) + (1.5 + math.sin(y[i + 1])) * np.eye(3), y)
        lp += a[i + 1] + x[i]
    return lp
""",
    ),
    Found(
        "a list of the rows of a matrix is made before the rows are there",
        """\
def f(A, s):
    rows = list(A)
    more = [row * s for row in A]
    return np.sum(rows) * np.sum(np.array(more) ** 2)
""",
    ),
    Found(
        "the product of a matrix is that of its elements, not of its rows",
        """\
def f(A):
    return np.sum(math.prod(np.sin(A)))
""",
    ),
    Found(
        "an index from the end beside an array of positions counts on the way to it",
        """\
def f(x, y, idx):
    a = (y[:, None] + np.arange(x.shape[0]))[idx, -1]
    return np.sum(a * (np.outer(x, y) * np.arange(3))[x > -9.0, -2])
""",
    ),
    Found(
        "the last element of a short row is taken from the row before",
        """\
def f(x, idx):
    a = np.outer(np.exp(x), np.array([0.4, 1.1, 0.8]))[idx, -2]
    return np.sum(a * x)
""",
    ),
    Found(
        "a number that is not known in advance is refused on the left of 'in' and a dictionary",
        """\
def f(x, k):
    return x[0] if k in {0: "none", 3: "all"} else x[1]
""",
    ),
    Found(
        "a list of sorted rows is refused: how many numbers are sorted is found in the loop",
        """\
def f(A, s):
    rows = [row[np.argsort(row)] * s for row in A]
    return np.sum(np.array(rows) * A)
""",
    ),
]
