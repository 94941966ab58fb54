"""Kinds of things that a density may depend on, each with five edits: what is compiled must follow every one.

A kind is a few files, in which ``@`` stands for the number of the edit, from 1 on; files other than ``main.py`` are
modules that it imports. Where an edit happens in the process, `mutate` makes it in the module, which is loaded once.
`main.py` defines ``logp(p, d)``, or ``model()``, which makes the whole model.
"""

import importlib.util
import linecache
import sys
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.compile.python_functions import is_dispatcher

EDITS = 5
POSITION = np.array([0.7])

_HEAD = "import functools, enum, dataclasses, math, typing\nimport numpy as np\nimport nbinfer as nb\n"
_NUMBA = "import numba\n"


class Kind(NamedTuple):
    """One kind of dependence."""

    files: dict[str, str]
    mutate: Callable[[Any, int], None] | None = None
    #: Whether Numba and the derivation know it; else only the content hash is asked.
    compiles: bool = True
    #: How many of the five are different to compiled code; values tell if this is None.
    different: int | None = None


def kind(main, mutate=None, compiles=True, different=None, numba=False, **modules):
    head = _HEAD + (_NUMBA if numba else "")
    files = {f"{name}.py": _HEAD + _NUMBA * numba + text for name, text in modules.items()}
    return Kind({"main.py": head + main, **files}, mutate, compiles, different)


def setting(name, value):
    """Return what sets a global to a function of the edit's number."""
    return lambda module, k: setattr(module, name, value(k))


def _fill(module, k):
    module.A[1] = k


def _fill_last(module, k):
    module.A[-1] = k


def _defaults(module, k):
    module.helper.__defaults__ = (float(k),)


def _named_defaults(module, k):
    module.helper.__kwdefaults__ = {"a": float(k)}


_SQUARE = "def logp(p, d):\n    return -0.5 * {} * p.x**2\n"

KINDS = {
    "a global number": kind("A = @.5\n" + _SQUARE.format("A")),
    "a global number, set": kind("A = 0.5\n" + _SQUARE.format("A"), setting("A", float)),
    "the type of a global number": kind("A = 1\n"
    "" + _SQUARE.format("A"), setting("A", lambda k: [1, 1.5, 2, True, 2.5][k - 1]), different=5),
    "a NumPy number": kind("A = np.float32(@)\n" + _SQUARE.format("A")),
    "a global array": kind("A = np.array([1.0, @.0])\n" + _SQUARE.format("np.sum(A)")),
    "an array edited in place": kind("A = np.ones(3)\n" + _SQUARE.format("np.sum(A)"), _fill),
    "an array of a megabyte, edited in place": kind("A = np.ones(200_000)\n" + _SQUARE.format("A[-1]"), _fill_last),
    "the dtype of an array": kind(
        "A = np.ones(3)\n" + _SQUARE.format("(A[0] / 2)"),
        setting("A", lambda k: np.array([k, 2, 3], ["f8", "i8", "f4", "i4", "u1"][k - 1])),
    ),
    "the shape of an array": kind("A = np.ones(3)\n"
    "" + _SQUARE.format("A.shape[0]"), setting("A", lambda k: np.ones(k))),
    "a closure": kind("def make(a):\n    def logp(p, d):\n        return -0.5 * a * p.x**2\n"
    "    return logp\nlogp = make(@.0)\n"),
    "a closure, set": kind(
        "def make(a):\n    def logp(p, d):\n        return -0.5 * a * p.x**2\n    def set_a(new):\n        nonlocal a\n"
        "        a = new\n    return logp, set_a\nlogp, set_a = make(0.5)\n",
        lambda module, k: module.set_a(float(k)),
    ),
    "a function in a closure": kind(
        "def make(f):\n    def logp(p, d):\n        return -0.5 * f(p.x)\n    return logp\n"
        "logp = make(lambda x: @.0 * x**2)\n"
    ),
    "a default": kind("def helper(x, a=@.0):\n    return a * x**2\ndef logp(p, d):\n    return -0.5 * helper(p.x)\n"),
    "a default, set": kind(
        "def helper(x, a=0.5):\n    return a * x**2\ndef logp(p, d):\n    return -0.5 * helper(p.x)\n", _defaults
    ),
    "a default by name": kind(
        "def helper(x, *, a=@.0):\n    return a * x**2\ndef logp(p, d):\n    return -0.5 * helper(p.x)\n"
        "", compiles=False
    ),
    "a default by name, set": kind(
        "def helper(x, *, a=0.5):\n    return a * x**2\ndef logp(p, d):\n    return -0.5 * helper(p.x)\n",
        _named_defaults,
        compiles=False,
    ),
    "a helper in another module": kind(
        "from edits_helper import helper\ndef logp(p, d):\n    return -helper(p.x)\n",
        edits_helper="def helper(x):\n    return @.0 * x**2\n",
    ),
    "a helper of a helper": kind(
        "from edits_helper import helper\ndef logp(p, d):\n    return -helper(p.x)\n",
        edits_helper="import edits_inner\ndef helper(x):\n    return edits_inner.inner(x) + 1.0\n",
        edits_inner="def inner(x):\n    return @.0 * x**2\n",
    ),
    "a compiled helper": kind(
        "@numba.njit\ndef helper(x):\n    return @.0 * x**2\ndef logp(p, d):\n    return -helper(p.x)\n", numba=True
    ),
    "a global of a compiled helper, set": kind(
        "A = 0.5\n@numba.njit\ndef helper(x):\n    return A * x**2\nhelper(0.3)\ndef logp(p, d):\n"
        "    return -helper(p.x)\n",
        setting("A", float),
        numba=True,
    ),
    "a compiled helper that Numba keeps": kind(
        "from edits_helper import helper\ndef logp(p, d):\n    return -helper(p.x)\n",
        edits_helper="from edits_inner import A\n@numba.njit(cache=True)\ndef helper(x):\n    return A * x**2\n"
        "helper(0.3)\n",
        edits_inner="A = @.0\n",
        numba=True,
    ),
    "options of a compiled helper": kind(
        "OPTIONS = [{}, {'fastmath': True}, {'inline': 'always'}, {'error_model': 'numpy'}, {'fastmath': {'nsz'}}]\n"
        "@numba.njit(**OPTIONS[@ - 1])\ndef helper(x):\n    return 2.0 * x**2\ndef logp(p, d):\n"
        "    return -helper(p.x)\n",
        different=5 if JIT else 1,
        numba=True,
    ),
    "an enum": kind("class E(enum.Enum):\n    A = @.0\n" + _SQUARE.format("E.A.value")),
    "an IntEnum": kind("class E(enum.IntEnum):\n    A = @\n    B = 7\n" + _SQUARE.format("E.A")),
    "an IntEnum of another module": kind(
        "import edits_helper\n" + _SQUARE.format("edits_helper.E.A"),
        edits_helper="class E(enum.IntEnum):\n    A = @\n",
    ),
    "a member of an IntEnum": kind("class E(enum.IntEnum):\n    A = @\nA = E.A\n" + _SQUARE.format("A")),
    "a named tuple": kind(
        "class Pair(typing.NamedTuple):\n    a: float\n    b: float\nP = Pair(2.0, @.0)\n" + _SQUARE.format("P.b")
    ),
    "a tuple": kind("T = (1.0, (2, @.0))\n" + _SQUARE.format("T[1][1]")),
    "a dataclass": kind(
        "@dataclasses.dataclass\nclass S:\n    a: float\nS1 = S(@.0)\n" + _SQUARE.format("S1.a")
    ),
    "an attribute of a class": kind("class S:\n    a = @.0\n" + _SQUARE.format("S.a")),
    "an attribute of a class's base, set": kind(
        "class R:\n    a = 0.5\nclass S(R):\n    pass\n" + _SQUARE.format("S.a"),
        lambda module, k: setattr(module.R, "a", float(k)),
    ),
    "a static method": kind(
        "class S:\n    @staticmethod\n    def f(x):\n        return @.0 * x**2\ndef logp(p, d):\n    return -S.f(p.x)\n"
    ),
    "a partial": kind(
        "def f(a, x):\n    return a * x**2\ng = functools.partial(f, @.0)\ndef logp(p, d):\n    return -g(p.x)\n"
        "", compiles=False
    ),
    "a method": kind(
        "@dataclasses.dataclass(frozen=True)\nclass S:\n    a: float\n    def f(self, x):\n"
        "        return self.a * x**2\n"
        "s = S(@.0)\ng = s.f\ndef logp(p, d):\n    return -g(p.x)\n",
        compiles=False,
    ),
    "overload": kind(
        "import numba.extending\n@numba.extending.overload(math.cbrt)\ndef cbrt(x):\n"
        "    return lambda x: @.0 * x\ndef logp(p, d):\n    return -math.cbrt(p.x)\n",
        compiles=False,
    ),
    "overload_method": kind(
        "import numba.extending\n@numba.extending.overload_method(numba.types.Float, 'conjugate')\ndef conjugate(x):\n"
        "    return lambda x: @.0 * x\ndef logp(p, d):\n    return -p.x.conjugate()\n",
        compiles=False,
        numba=True,
    ),
    "overload_attribute": kind(
        "import numba.extending\n@numba.extending.overload_attribute(numba.types.Float, 'real')\ndef real(x):\n"
        "    return lambda x: @.0 * x\ndef logp(p, d):\n    return -p.x.real\n",
        compiles=False,
        numba=True,
    ),
    "overload of an operator": kind(
        "import numba.extending, operator\n@numba.extending.overload(operator.matmul)\ndef product(x, y):\n"
        "    return lambda x, y: @.0 * x\ndef logp(p, d):\n    return -p.x\n",
        compiles=False,
    ),
    "register_jitable": kind(
        "import numba.extending\n@numba.extending.register_jitable\ndef f(x):\n    return @.0 * x**2\n"
        "def logp(p, d):\n    return -f(p.x)\n",
        numba=True,
    ),
    "an intrinsic": kind(
        "import numba.extending\n@numba.extending.intrinsic\ndef f(context, x):\n"
        "    def code(context, builder, s, args):\n"
        "        return builder.fmul(args[0], context.get_constant(numba.types.float64, @.0))\n    return x(x), code\n"
        "def logp(p, d):\n    return -f(p.x)\n",
        compiles=False,
        numba=True,
    ),
    "a universal function": kind(
        "@numba.vectorize\ndef f(x):\n    return @.0 * x**2\ndef logp(p, d):\n    return -f(p.x)\n"
        "", compiles=False, numba=True
    ),
    "custom_vjp": kind(
        "@nb.custom_vjp(lambda x: (@.0 * math.cos(x),))\ndef f(x):\n    return @.0 * math.sin(x)\n"
        "def logp(p, d):\n    return -f(p.x)\n"
    ),
    "a global of custom_vjp, set": kind(
        "A = 0.5\n@nb.custom_vjp(lambda x: (A * math.cos(x),))\ndef f(x):\n    return A * math.sin(x)\n"
        "def logp(p, d):\n    return -f(p.x)\n",
        setting("A", float),
    ),
    "a function made by exec": kind(
        "names = {}\nexec('def logp(p, d):\\n    return -0.5 * @.0 * p.x**2', names)\nlogp = names['logp']\n"
    ),
    "an attribute of a module": kind("import edits_helper as h\n" + _SQUARE.format("h.A"), edits_helper="A = @.0\n"),
    "a function of a module's module": kind(
        "import edits_helper as h\ndef logp(p, d):\n    return -h.edits_inner.f(p.x)\n",
        edits_helper="import edits_inner\n",
        edits_inner="def f(x):\n    return @.0 * x**2\n",
    ),
    "a function of a module's module, set": kind(
        "import edits_helper as h\ndef logp(p, d):\n    return -h.edits_inner.f(p.x)\n",
        lambda module, k: setattr(module.h.edits_inner, "A", float(k)),
        edits_helper="import edits_inner\n",
        edits_inner="A = 0.5\n@numba.njit\ndef f(x):\n    return A * x**2\nf(0.3)\n",
        numba=True,
    ),
    "a module named like the standard library's": kind(
        "import statistics, profile\ndef logp(p, d):\n    return -statistics.f(p.x) * profile.E.A\n",
        statistics="def f(x):\n    return 2.0 * x**2\n",
        profile="class E(enum.IntEnum):\n    A = @\n",
    ),
    "a function that bears names of NumPy": kind(
        "def f(x):\n    return @.0 * x**2\nf.__module__, f.__name__, f.__qualname__ = 'numpy', 'exp', 'exp'\n"
        "def logp(p, d):\n    return -f(p.x)\n"
    ),
    "wraps of a distribution": kind(
        "from nbinfer.distributions import normal\n@functools.wraps(normal.logpdf)\ndef tempered(x, mu, sigma):\n"
        "    return 0.1 * @ * normal.logpdf(x, mu, sigma)\ndef logp(p, d):\n    return tempered(p.x, 0.0, 1.0)\n"
    ),
    "wraps of a distribution, of the same name": kind(
        "from nbinfer.distributions import normal\n@functools.wraps(normal.logpdf)\ndef logpdf(x, mu, sigma):\n"
        "    return 0.1 * @ * normal.logpdf(x, mu, sigma)\ndef logp(p, d):\n    return logpdf(p.x, 0.0, 1.0)\n"
    ),
    "wraps of a distribution, compiled": kind(
        "from nbinfer.distributions import normal\n@numba.njit\n@functools.wraps(normal.logpdf)\ndef f(x, mu, sigma):\n"
        "    return 0.1 * @ * normal.logpdf(x, mu, sigma)\n"
        "def logp(p, d):\n    return f(p.x, 0.0, 1.0)\n",
        numba=True,
    ),
    "wraps of a function of NumPy": kind(
        "@functools.wraps(np.exp)\ndef f(x):\n    return np.exp(0.1 * @ * x)\ndef logp(p, d):\n    return -f(p.x)\n"
    ),
    "wraps of a partial": kind(
        "from nbinfer.distributions import normal\ndef g(a, x):\n    return a * x**2\n"
        "f = functools.update_wrapper(functools.partial(g, @.0), normal.logpdf)\ndef logp(p, d):\n    return -f(p.x)\n",
        compiles=False,
    ),
    "a dict": kind("D = {'a': @.0}\n" + _SQUARE.format("D['a']"), compiles=False),
    "a list": kind("L = [1.0, @.0]\n" + _SQUARE.format("L[1]"), compiles=False),
    "a set": kind("S = {1.0, @.5}\n" + _SQUARE.format("(1.0 in S)"), compiles=False),
    "a record": kind(
        "R = np.array([(1.0, @)], [('a', 'f8'), ('b', 'i8')])\n"
        "" + _SQUARE.format("R[0].b").replace("R[0].b", "R[0]['b']")
    ),
    "a lambda beside another": kind(
        "f, g = (lambda x: 2.0 * x), (lambda x: @.0 * x)\ndef logp(p, d):\n    return -f(p.x) * g(p.x)\n"
    ),
    "the same code with other constants": kind(
        "def f(x):\n    return 2.0 * x**2\ndef g(x):\n    return @.5 * x**2\ndef logp(p, d):\n"
        "    return -f(p.x) - g(p.x)\n"
    ),
    "the sign of zero": kind(
        "A = 0.0\n" + _SQUARE.format("(2.0 + math.copysign(1.0, A))"), setting("A", lambda k: -0.0 if k % 2 else 0.0)
    ),
    "recursion": kind(
        "def f(n, x):\n    return @.0 * x if n == 0 else f(n - 1, x) + x\ndef logp(p, d):\n"
        "    return -f(2, p.x) ** 2\n",
        compiles=False,
    ),
    "a string": kind("MODE = 'a@'\n" + _SQUARE.format("(2.0 if MODE == 'a1' else 3.0)"), different=5),
    "a constant of a loop": kind(
        "def logp(p, d):\n    s = 0.0\n    for i in range(@):\n        s -= p.x**2\n    return s\n"
    ),
    "a slice": kind("A = np.arange(9.0)\n" + _SQUARE.format("np.sum(A[: @ + 1])")),
    "an operator": kind(
        "def logp(p, d):\n    return -(p.x OP 2.0) ** 2\n".replace("OP", "@")
    ),
    "a pointer of ctypes": kind(
        "import ctypes\nf = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(lambda x: @.0 * x)\n"
        "def logp(p, d):\n    return -f(p.x)\n",
        compiles=False,
    ),
    "a tuple of functions, set": kind(
        "A = 0.5\n@numba.njit\ndef f(x):\n    return A * x**2\nf(0.3)\nFUNCTIONS = (f,)\n"
        "def logp(p, d):\n    return -FUNCTIONS[0](p.x)\n",
        setting("A", float),
        numba=True,
    ),
    "a function within the density": kind(
        "A = 0.5\n@numba.njit\ndef f(x):\n    return A * x**2\nf(0.3)\n"
        "def logp(p, d):\n    def g(x):\n        return f(x) + 1.0\n    return -g(p.x)\n",
        setting("A", float),
        numba=True,
    ),
    "a written gradient": kind(
        "A = 0.5\ndef logp_grad(p, d, grad):\n    grad.x[()] -= A * p.x\n    return -0.5 * A * p.x**2\n"
        "def model():\n    return nb.Model({'x': nb.real()}, logp_grad=logp_grad)\n",
        setting("A", float),
    ),
    "a bound": kind(
        "def low(p, d):\n    return -@.0\ndef logp(p, d):\n    return -p.x**2\n"
        "def model():\n    return nb.Model({'x': nb.lower(low)}, logp=logp)\n"
    ),
    "a global of a bound, set": kind(
        "A = 0.5\ndef low(p, d):\n    return -A\ndef logp(p, d):\n    return -p.x**2\n"
        "def model():\n    return nb.Model({'x': nb.lower(low)}, logp=logp)\n",
        setting("A", float),
    ),
    "a number that bounds": kind(
        "def logp(p, d):\n    return -p.x**2\ndef model():\n    return nb.Model({'x': nb.lower(-@.0)}, logp=logp)\n",
        different=1,
    ),
    "a likelihood beside a prior": kind(
        "A = 0.5\ndef prior(p, d):\n    return -p.x**2\ndef term(p, d):\n    return -A * (d.y - p.x) ** 2\n"
        "def model():\n    return nb.Model({'x': nb.real()}, prior=prior, likelihood=term, data={'y': np.ones(3)})\n",
        setting("A", float),
    ),
    "the shape of data": kind(
        "def logp(p, d):\n    return -np.sum(d.y) * p.x**2\n"
        "def model():\n    return nb.Model({'x': nb.real()}, logp=logp, data={'y': np.ones(@)})\n",
        different=2,
    ),
    "the dtype of data": kind(
        "def logp(p, d):\n    return -np.sum(d.y / 2) * p.x**2\n"
        "def model():\n    y = np.array([3, 0, 1]).astype(['f8', 'i8', '?', 'f4', 'u2'][@ - 1])\n"
        "    return nb.Model({'x': nb.real()}, logp=logp, data={'y': y})\n",
        different=3,
    ),
}  # fmt: skip

#: Signs for numbers of edits, where an edit is no number.
_SIGNS = {"an operator": ("+", "-", "*", "/", "**")}


class World:
    """A kind that is being edited."""

    def __init__(self, name: str, folder: Any) -> None:
        self.name, self.kind, self.folder = name, KINDS[name], folder
        self.loads = 0
        self.module: Any = None

    def plain(self, position: Any) -> float:
        """Return the log density in plain Python, where compiled helpers do not remember globals of another day."""
        thaw(self.module)
        return float(self.model().logp_unconstrained(position))

    def edit(self, k: int) -> Any:
        """Return the module after edit k, from 1 on."""
        if self.kind.mutate is None:
            self.module = self._load(k)
        else:
            self.module = self.module or self._load(1)
            self.kind.mutate(self.module, k)
        return self.module

    def _load(self, k: int) -> Any:
        folder = self.folder / f"load{self.loads}"
        self.loads += 1
        folder.mkdir()
        sign = _SIGNS[self.name][k - 1] if self.name in _SIGNS else str(k)
        for file, text in self.kind.files.items():
            (folder / file).write_text(_with_sign(text, sign), encoding="utf-8")
        names = [file.removesuffix(".py") for file in self.kind.files]
        hidden = {name: sys.modules.pop(name, None) for name in names}
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
        linecache.clearcache()
        try:
            spec = importlib.util.spec_from_file_location("edits_main", folder / "main.py")
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
        finally:
            sys.path.remove(str(folder))
            sys.modules.update({name: module for name, module in hidden.items() if module is not None})

    def model(self) -> Any:
        """Return the model of the module as it is now."""
        make = getattr(self.module, "model", None)
        return make() if make else nb.Model({"x": nb.real()}, logp=self.module.logp)


def thaw(module: Any) -> None:
    """Compile a module's dispatchers anew, and those of modules in it."""
    for thing in list(vars(module).values()):
        if isinstance(thing, types.ModuleType) and thing.__name__.startswith("edits_"):
            thaw(thing)
        elif is_dispatcher(thing):
            thing.recompile()


def _with_sign(text: str, sign: str) -> str:
    """Put in the edit's sign, not for the @ of decorators, which begin a line."""
    lines = []
    for line in text.splitlines():
        body = line.lstrip()
        start = line[: len(line) - len(body)] + ("@" if body.startswith("@") else "")
        lines.append(start + line[len(start) :].replace("@", sign))
    return "\n".join(lines) + "\n"
