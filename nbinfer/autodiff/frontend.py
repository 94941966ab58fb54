"""Reads functions: abstract interpretation of their statements with known types of the arguments."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from nbinfer.autodiff.assignments import Assignments
from nbinfer.autodiff.calls import call
from nbinfer.autodiff.errors import ADError, Place
from nbinfer.autodiff.expressions import Environment, Lost
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.lazy import Lazy, is_array, is_number
from nbinfer.autodiff.source import Source, Uses, read_source
from nbinfer.autodiff.syntax import STATEMENTS, assigned, in_this_loop, leaves, may_write
from nbinfer.compile import Elementwise

#: Calls inside calls; beyond this it is taken for an unbounded recursion.
_DEEPEST = 60


class Returned(NamedTuple):
    """What a function hands back."""

    value: Any


class Frame:
    """A function that is being read."""

    def __init__(self, source: Source, call: Hashable, main: bool, elementwise: bool) -> None:
        self.source = source
        self.call = call
        self.main = main  # a constant returned early is the result of the whole program
        self.elementwise = elementwise  # expressions with names meet again element by element


class Frontend(Assignments):
    """A builder that reads functions."""

    def __init__(self, facts: dict[Hashable, Any]) -> None:
        super().__init__(facts)
        self.frames: list[Frame] = []
        self.steady: dict[str, range] = {}  # by functions that are called as they are, arguments that are always data
        self.boundscheck = False  # whether a function that was read wants its indices checked

    def place(self) -> Place | None:
        return self.frames[-1].source.place(self.node) if self.frames else None

    def path(self) -> Hashable:
        return (self.frames[-1].call if self.frames else (), *self._at())

    def _at(self) -> tuple[int, int]:
        return getattr(self.node, "lineno", 0), getattr(self.node, "col_offset", 0)

    def error(self, message: str, node: Any = None) -> ADError:
        if node is not None:
            self.node = node
        return ADError(message, self.place())

    def free_name(self, name: str) -> Any:
        return self.frames[-1].source.lookup(name)

    def call_function(self, function: Any, args: list[Any], named: dict[str, Any], node: ast.Call) -> Any:
        return call(self, function, args, named)

    # Functions ----------------------------------------------------------------------------------------------------

    def inline(
        self, function: Callable[..., Any], args: Sequence[Any], named: dict[str, Any], main: bool = False
    ) -> Any:
        """Read a function with these values for its arguments; return what it returns."""
        source = read_source(function)
        self.boundscheck |= bool(getattr(function, "targetoptions", {}).get("boundscheck"))
        if len(self.frames) >= _DEEPEST:
            raise self.error(f"{source.name!r} calls itself too often; write the recursion as a loop")
        node = self.node
        env = self._arguments(source, args, named)
        elementwise = isinstance(function, Elementwise) and not any(function.cores)
        self.frames.append(Frame(source, (self.path(), source.name), main, elementwise))
        for name, value in env.items():
            env[name] = self.bind(name, value)
        result = self.run(source.body, env)
        self.frames.pop()
        self.node = node
        return None if result is None else result.value

    def _arguments(self, source: Source, args: Sequence[Any], named: dict[str, Any]) -> Environment:
        given = source.arguments
        names = [a.arg for a in [*given.posonlyargs, *given.args]]
        if given.kwarg is not None:
            raise self.error(f"{source.name}() takes **{given.kwarg.arg}; name its arguments")
        env: Environment = dict(zip(names, args, strict=False))
        if given.vararg is not None:
            env[given.vararg.arg] = tuple(args[len(names) :])
        elif len(args) > len(names):
            raise self.error(f"{source.name}() takes {len(names)} arguments, got {len(args)}")
        allowed = {*names, *(a.arg for a in given.kwonlyargs)}
        for name, value in named.items():
            if name not in allowed or name in env:
                raise self.error(f"{source.name}() got an unexpected argument {name!r}")
            env[name] = value
        defaults = source.function.__defaults__ or ()
        missing = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
        missing.update(source.function.__kwdefaults__ or {})
        for name, default in missing.items():
            env.setdefault(name, self.wrap(default, name))
        for name in sorted(allowed - set(env)):
            raise self.error(f"{source.name}() misses the argument {name!r}")
        return env

    def uses_of(self, name: str) -> Uses:
        return self.frames[-1].source.uses.get(name) or Uses()

    def bind(self, name: str, value: Any) -> Any:
        if isinstance(value, Lazy) and self.frames[-1].elementwise and not value.reads:
            return value
        return super().bind(name, value)

    # Statements ---------------------------------------------------------------------------------------------------

    def run(self, statements: Sequence[ast.stmt], env: Environment) -> Returned | None:
        """Run statements; None if they do not return."""
        for k, statement in enumerate(statements):
            self.node = statement
            if isinstance(statement, ast.Return):
                if statement.value is None:
                    raise self.error("return needs a value: the log density")
                return Returned(self.evaluate(statement.value, env))
            if isinstance(statement, ast.Continue):
                return None
            if isinstance(statement, ast.If):
                may_leave = leaves(statement)
                rest = list(statements[k + 1 :]) if may_leave else []
                done, result = self._if(statement, rest, env)
                if result is not None or (may_leave and not done):
                    return result
                continue
            method = getattr(self, "_do_" + type(statement).__name__.lower(), None)
            if method is None:
                raise self.error(
                    STATEMENTS.get(type(statement), f"{type(statement).__name__} is not supported in a density")
                )
            method(statement, env)
        return None

    def _if(self, node: ast.If, rest: list[ast.stmt], env: Environment) -> tuple[bool, Returned | None]:
        """Run a branch together with what follows it, if it may leave; (True, None) if `rest` is still to be run."""
        condition = self.condition(self.evaluate(node.test, env))
        self.node = node
        if condition.constant is not None:
            chosen = node.body if condition.constant else node.orelse
            return False, self.run([*chosen, *rest], env)
        if self._guard(node, condition, env):
            return True, None
        then_env, else_env = dict(env), dict(env)
        with self.under(condition):
            then_block, a = self.side(lambda: self.run([*node.body, *rest], then_env))
            else_block, b = self.side(lambda: self.run([*node.orelse, *rest], else_env))
        self.node = node
        if (a is None) != (b is None):
            raise self.error("one side of this branch returns and the other does not; return a number on every path")
        if a is not None and b is not None:
            return False, Returned(self.merge(condition, then_block, else_block, a.value, b.value))
        self._merge_names(condition, then_block, else_block, env, then_env, else_env)
        return False, None

    def _guard(self, node: ast.If, condition: Value, env: Environment) -> bool:
        """Recognise ``if condition: return constant`` at the top: it ends the whole program."""
        if not (self.frames[-1].main and self.block is self.top and len(node.body) == 1 and not node.orelse):
            return False
        only = node.body[0]
        if not isinstance(only, ast.Return) or only.value is None or may_write(only.value):
            return False
        count = len(self.top.ops)
        result = self.evaluate(only.value, env)
        if len(self.top.ops) != count or not is_number(result) or result.constant is None:
            return False
        if self.weight and result.constant != -math.inf:
            return False
        self.guard(condition, self.constant(float(result.constant)))
        return True

    def _merge_names(
        self, condition: Value, then: Any, other: Any, env: Environment, a: Environment, b: Environment
    ) -> None:
        names = sorted(name for name in {**a, **b} if a.get(name) is not b.get(name))
        pairs: list[tuple[Value, Value]] = []
        merged: list[str] = []
        for name in names:
            x: Any = a.get(name)
            y: Any = b.get(name)
            if is_number(x) and is_number(y):
                pairs.append((x, y))
                merged.append(name)
            elif is_array(x) and is_array(y):
                env[name] = Lost(
                    f"the array {name!r} is rebound in a branch; choose with np.where, or make it before and fill it"
                )
            elif x is None or y is None:
                env[name] = Lost(f"{name!r} has a value on one side of a branch only; give it one before the branch")
            else:
                env[name] = Lost(f"{name!r} differs in kind between the sides of a branch; use numbers")
        env.update({name: a[name] for name in a if name in b and a[name] is b[name]})
        for name, value in zip(merged, self.join(condition, then, other, pairs), strict=True):
            env[name] = self.bind(name, value)

    # Loops --------------------------------------------------------------------------------------------------------

    def _do_for(self, node: ast.For, env: Environment) -> None:
        if node.orelse:
            raise self.error("for ... else is not supported")
        items = self._unrolled(node, env)
        if items is not None:
            for item in items:
                self._assign(node.target, item, env)
                self.run(node.body, env)
            return
        start, stop, step = self._range(node, env)
        assert isinstance(node.target, ast.Name)
        target = node.target.id
        targets = [name for name in assigned(node, target) if not _stays(env.get(name), name, node)]
        carried = [name for name in targets if is_number(env.get(name))]
        lost = {name: Lost(_lost_in_loop(name, env[name])) for name in targets if name in env and name not in carried}

        def body(index: Value, phis: list[Value]) -> list[Value]:
            inner: Environment = {**env, **lost, target: index, **dict(zip(carried, phis, strict=True))}
            with self.under(start, stop):
                self.run(node.body, inner)
            self.node = node
            for name in carried:
                last = inner[name]
                if isinstance(last, Lost):
                    raise self.error(last.message)
                if not is_number(inner[name]):
                    raise self.error(f"{name!r} is a number before the loop and an array in it; use two names")
            return [inner[name] for name in carried]

        self.node = node
        outs = self.loop(start, stop, step, [env[name] for name in carried], body, target, carried)
        env.update(zip(carried, outs, strict=True))
        for name in [*targets, target]:
            if name not in carried:
                env[name] = lost.get(name) or Lost(f"{name!r} is set in a loop only; give it a value before the loop")

    def _unrolled(self, node: ast.For, env: Environment) -> list[Any] | None:
        """Return the items of a loop over a tuple, which is written out."""
        for inner in in_this_loop(node.body):
            if isinstance(inner, ast.Break):
                raise self.error("break is not supported; put the rest of the body under an if", inner)
            if isinstance(inner, ast.Return):
                raise self.error(
                    "return inside a loop is not supported; keep the result in a variable and return it after", inner
                )
        if isinstance(node.iter, ast.Tuple):
            if any(isinstance(n, ast.Continue) for n in in_this_loop(node.body)):
                raise self.error("continue in a loop over a tuple is not supported; use an if", node)
            return list(self.evaluate(node.iter, env))
        return None

    def _range(self, node: ast.For, env: Environment) -> tuple[Value, Value, Value]:
        it = node.iter
        name = it.func.id if isinstance(it, ast.Call) and isinstance(it.func, ast.Name) else ""
        name = it.func.attr if isinstance(it, ast.Call) and isinstance(it.func, ast.Attribute) else name
        if not isinstance(it, ast.Call) or name not in ("range", "prange"):
            hint = "for i in range(x.shape[0])"
            raise self.error(f"only loops over range are supported; write {hint} and take elements by index", it)
        if not isinstance(node.target, ast.Name):
            raise self.error("a loop over range has one name")
        args = [self.number(self.evaluate(arg, env), "an argument of range") for arg in it.args]
        if it.keywords or not 1 <= len(args) <= 3 or any(a.kind == "f" for a in args):
            raise self.error("range takes one to three integers")
        if len(args) == 1:
            args = [self.constant(0), *args]
        if len(args) == 2:
            args = [*args, self.constant(1)]
        if args[2].constant is None or args[2].constant == 0:
            raise self.error("the step of range must be a number known in advance, not 0")
        return args[0], args[1], args[2]


def _stays(value: Any, name: str, node: ast.For) -> bool:
    """Tell whether a loop changes an array in place only, so that its name means the same memory throughout."""
    is_memory = isinstance(value, Value) and value.storage is not None and value.storage.mutable
    return is_memory and name not in assigned(node, "", in_place=False)


def _lost_in_loop(name: str, value: Any) -> str:
    if is_array(value):
        return f"the array {name!r} is rebound in a loop; make it before the loop and write {name}[:] = ..."
    return f"{name!r} is rebound in a loop, but is no number; use numbers"
