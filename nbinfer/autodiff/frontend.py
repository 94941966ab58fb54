"""Reads functions: abstract interpretation of their statements with known types of the arguments."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from nbinfer.autodiff.calls import call
from nbinfer.autodiff.cells import SHARED, is_alone, numbers_in, share
from nbinfer.autodiff.closures import Closure, Frame
from nbinfer.autodiff.errors import ADError, Place
from nbinfer.autodiff.flow import GOES_ON, RETURNS, Label, Leave, after, how_of, is_step, leaves
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.lazy import Lazy, is_number
from nbinfer.autodiff.loops import ONLY_NUMBERS, Loops
from nbinfer.autodiff.merging import Fork, kinds_of
from nbinfer.autodiff.reader import Environment, Lost
from nbinfer.autodiff.scalars import is_own
from nbinfer.autodiff.sequences import Table
from nbinfer.autodiff.source import Source, Uses, read_source
from nbinfer.autodiff.syntax import STATEMENTS, may_write
from nbinfer.compile import Elementwise

#: Calls inside calls; beyond this it is taken for an unbounded recursion.
_DEEPEST = 60


class Frontend(Loops):
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
        return ADError(message, self._users_place())

    def _users_place(self) -> Place | None:
        """Return the line that is being read; of the engine's own functions, the user's line that calls them."""
        inner = self.node
        for frame in reversed(self.frames):
            if not is_own(frame.source.file):
                return frame.source.place(inner)
            inner = frame.caller
        return self.place()

    def free_name(self, name: str) -> Any:
        return self.frames[-1].source.lookup(name)

    def outer_name(self, name: str) -> Any:
        frame = self.frames[-1].outer
        while frame is not None and name not in frame.env:
            frame = frame.outer
        return None if frame is None else frame.env[name]

    def call_function(self, function: Any, args: list[Any], named: dict[str, Any], node: ast.Call) -> Any:
        return call(self, function, args, named)

    # Functions ----------------------------------------------------------------------------------------------------

    def inline(
        self, function: Callable[..., Any], args: Sequence[Any], named: dict[str, Any], main: bool = False
    ) -> Any:
        """Read a function with these values for its arguments; return what it returns."""
        source = read_source(function)
        self.boundscheck |= bool(getattr(function, "targetoptions", {}).get("boundscheck"))
        defaults = {name: self.wrap(default, name) for name, default in source.defaults().items()}
        elementwise = isinstance(function, Elementwise) and not any(function.cores)
        frame = Frame(source, (self.path(), source.name), main, elementwise, None)
        return self._enter(frame, self._arguments(source, args, named, defaults))

    def call_closure(self, closure: Closure, args: Sequence[Any], named: dict[str, Any]) -> Any:
        """Read a function that was defined in one that is being read."""
        source = closure.source
        frame = Frame(source, (self.path(), source.name), False, False, closure.frame)
        return self._enter(frame, self._arguments(source, args, named, closure.defaults))

    def _enter(self, frame: Frame, env: Environment) -> Any:
        if len(self.frames) >= _DEEPEST:
            raise self.error(f"{frame.source.name!r} calls itself too often; write the recursion as a loop")
        node = frame.caller = self.node
        self.frames.append(frame)
        for name, value in env.items():
            env[name] = self.bind(name, value)
        around = [*env.values(), *(each.env for each in self.frames[:-1])]
        result = self.run(frame.source.body, env)
        self.frames.pop()
        self.node = node
        return None if result is None else self._given(result.value, around)

    @staticmethod
    def _given(result: Any, around: Sequence[Any]) -> Any:
        """Return a result; arrays without axes that it has from elsewhere have another name there."""
        cells = [value for value in numbers_in(result) if value.cell]
        known = {id(value) for thing in around for value in numbers_in(thing)} if cells else set()
        for value in cells:
            value.cell = SHARED if id(value) in known else value.cell
        if any(value.cell == SHARED for value in cells):
            share(tuple(each for thing in around for each in numbers_in(thing)))
        return result

    def _arguments(
        self, source: Source, args: Sequence[Any], named: dict[str, Any], defaults: dict[str, Any]
    ) -> Environment:
        given = source.arguments
        names = [a.arg for a in [*given.posonlyargs, *given.args]]
        env: Environment = dict(zip(names, args, strict=False))
        if given.vararg is not None:
            env[given.vararg.arg] = tuple(args[len(names) :])
        elif len(args) > len(names):
            raise self.error(f"{source.name}() takes {len(names)} arguments, got {len(args)}")
        allowed = {*names, *(a.arg for a in given.kwonlyargs)}
        others: dict[str, Any] = {}
        for name, value in named.items():
            if name in env or (name not in allowed and given.kwarg is None):
                raise self.error(f"{source.name}() got an unexpected argument {name!r}")
            (env if name in allowed else others)[name] = value
        if given.kwarg is not None:
            env[given.kwarg.arg] = Table(others, self)
        env = {**defaults, **env}
        for name in sorted(allowed - set(env)):
            raise self.error(f"{source.name}() misses the argument {name!r}")
        return env

    def _lambda(self, node: ast.Lambda, env: Environment) -> Any:
        return self._closure(node, env)

    def _namedexpr(self, node: ast.NamedExpr, env: Environment) -> Any:
        frame = self.frames[-1]
        if env is not frame.env or self.block is not frame.block:
            raise self.error(":= where it may be left out, or in a comprehension; write the assignment before it")
        env[node.target.id] = value = self.bind(node.target.id, self.evaluate(node.value, env))
        return value

    def _do_functiondef(self, node: ast.FunctionDef, env: Environment) -> None:
        if node.decorator_list:
            raise self.error("a function inside the function takes no decorator; define it at the top of the module")
        env[node.name] = self._closure(node, env)

    def _closure(self, node: ast.FunctionDef | ast.Lambda, env: Environment) -> Closure:
        given, frame = node.args, self.frames[-1]
        positional = [a.arg for a in [*given.posonlyargs, *given.args]]
        last = positional[len(positional) - len(given.defaults) :]
        pairs = [*zip(last, given.defaults, strict=True)]
        pairs += [(a.arg, value) for a, value in zip(given.kwonlyargs, given.kw_defaults, strict=True) if value]
        return Closure(frame.source.inner(node), frame, {name: self.evaluate(value, env) for name, value in pairs})

    def inside(self, clause: ast.comprehension, env: Environment, item: Any) -> Environment:
        """Return the names inside of a comprehension."""
        inner = dict(env)
        self._assign(clause.target, item, inner)
        return inner

    def uses_of(self, name: str) -> Uses:
        return self.frames[-1].source.uses.get(name) or Uses()

    def is_alone(self, name: str) -> bool:
        source = self.frames[-1].source
        return is_alone(name, source.arguments, source.body)

    def bind(self, name: str, value: Any) -> Any:
        if isinstance(value, Lazy) and self.frames[-1].elementwise and not value.reads:
            return value
        return super().bind(name, value)

    # Statements ---------------------------------------------------------------------------------------------------

    def run(self, statements: Sequence[ast.stmt], env: Environment) -> Leave | None:
        """Run statements; None if they do not lead elsewhere."""
        frame = self.frames[-1]
        around, frame.env = frame.env, env
        left = self._run(list(statements), env)
        frame.env = around if around else env  # what was defined here may be called later
        return left

    def _run(self, rest: list[ast.stmt], env: Environment) -> Leave | None:
        while rest:
            statement = rest.pop(0)
            if isinstance(statement, Label):
                continue
            self.node, self.frames[-1].block = statement, self.block
            if isinstance(statement, ast.Return):
                if statement.value is None:
                    raise self.error("return needs a value: the log density")
                return Leave(self.constant(RETURNS), self.evaluate(statement.value, env))
            if is_step(statement):
                following = after(statement, rest)
                if following is None:
                    return Leave(self.constant(how_of(statement)))
                rest = following
            elif isinstance(statement, ast.For):
                rest[:0] = self.loop_over(statement, env)
            elif isinstance(statement, ast.While):
                rest[:0] = self.loop_while(statement, env)
            elif isinstance(statement, ast.If):
                condition = self.truth(statement.test, env)
                self.node = statement
                if condition.constant is not None:
                    rest[:0] = statement.body if condition.constant else statement.orelse
                elif not self._guard(statement, condition, env):
                    if leaves([statement]):
                        return self._fork(condition, [*statement.body, *rest], [*statement.orelse, *rest], env)
                    self._fork(condition, statement.body, statement.orelse, env)
            else:
                self._do(statement, env)
        return None

    def _do(self, statement: ast.stmt, env: Environment) -> None:
        method = getattr(self, "_do_" + type(statement).__name__.lower(), None)
        if method is None:
            raise self.error(
                STATEMENTS.get(type(statement), f"{type(statement).__name__} is not supported in a density")
            )
        method(statement, env)

    def _fork(
        self, condition: Value, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt], env: Environment
    ) -> Leave | None:
        """Run both sides of a branch."""
        node = self.node
        lists = self.begin_to_grow([*body, *orelse], env)
        then_env, else_env = dict(env), dict(env)
        with self.under(condition):
            then_block, a = self.side(lambda: self.run(body, then_env))
            else_block, b = self.side(lambda: self.run(orelse, else_env))
        self.node = node
        fork = Fork(condition, then_block, else_block)
        if a is None and b is None:
            self.merge_names(fork, env, then_env, else_env)
            self.finish_growing(lists, env)
            return None
        if not self.frames[-1].turns:
            if a is None or b is None:
                raise self.error(
                    "one side of this branch returns and the other does not; return a number on every path"
                )
            return Leave(a.how, self.merge(*fork, a.value, b.value))
        a, b = a or Leave(self.constant(GOES_ON)), b or Leave(self.constant(GOES_ON))
        x, y = (self._or_blank(side, other) for side, other in ((a.value, b.value), (b.value, a.value)))
        value, how = self.merge_names(fork, env, then_env, else_env, [(x, y), (a.how, b.how)])
        if isinstance(value, Lost):
            raise self.error(value.message)
        return Leave(how, value)

    def _or_blank(self, value: Any, other: Any) -> Any:
        """Return zeros for what only the other side of a branch returns."""
        if value is not None or other is None:
            return value
        kinds = kinds_of(other)
        if kinds is None:
            raise self.error(ONLY_NUMBERS)
        return self.blank(kinds)

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
