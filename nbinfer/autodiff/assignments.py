"""Reads assignments: to names, to elements and slices, and in place."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbinfer.autodiff.arrays import SIGNS
from nbinfer.autodiff.bounds import trips
from nbinfer.autodiff.cells import CELL, SHARED, mark
from nbinfer.autodiff.errors import ADError
from nbinfer.autodiff.growing import Growing
from nbinfer.autodiff.indexing import complete, subscript, view, within
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.iteration import Iterable, iterable, place
from nbinfer.autodiff.lazy import Lazy, is_array, is_live, is_number, is_result
from nbinfer.autodiff.positions import scatter, unmasked, write_where
from nbinfer.autodiff.reader import Environment
from nbinfer.autodiff.sequences import List, Table, call_method, read_item, write_item
from nbinfer.autodiff.spellings import BINARY

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend


class Assignments(Growing):
    """A builder that reads assignments."""

    def _whole(self) -> Frontend:
        return self  # type: ignore[return-value]  # the class that is made

    def _do_pass(self, node: ast.Pass, env: Environment) -> None:
        pass

    def _do_assert(self, node: ast.Assert, env: Environment) -> None:
        """Check what the user asserts; what cannot be read is left to Python's own runs."""
        depth, message = len(self.frames), getattr(node.msg, "value", "")
        try:
            condition = self.truth(node.test, env)
        except ADError:
            if self.values_alone:
                raise
            del self.frames[depth:]
            return
        self.check(condition, "AssertionError", message if isinstance(message, str) else "")

    def _do_expr(self, node: ast.Expr, env: Environment) -> None:
        """Evaluate a call for what it does; to print is left to the functions that compute the value alone."""
        if not isinstance(node.value, ast.Call):
            if not isinstance(node.value, ast.Constant):
                raise self.error("an expression without effect; assign its value, or remove it")
        elif self.evaluate(node.value.func, env) is not print:
            self.evaluate(node.value, env)
        elif self.values_alone:
            raise self.error("what is printed is left to the function itself")

    def _do_assign(self, node: ast.Assign, env: Environment) -> None:
        value = self.evaluate(node.value, env)
        self.node = node
        for target in node.targets:
            self._assign(target, value, env)
            value = env[target.id] if isinstance(target, ast.Name) else value

    def _do_annassign(self, node: ast.AnnAssign, env: Environment) -> None:
        if node.value is not None:
            self._assign(node.target, self.evaluate(node.value, env), env)

    def _assign(self, target: ast.expr, value: Any, env: Environment) -> None:
        if isinstance(target, ast.Name):
            env[target.id] = self.bind(target.id, value)
        elif isinstance(target, ast.Tuple | ast.List):
            items = self._unpacked(value, target.elts)
            for part, item in zip(target.elts, items, strict=True):
                self._assign(part.value if isinstance(part, ast.Starred) else part, item, env)
        elif isinstance(target, ast.Subscript):
            self._write(target, value, env)
        else:
            raise self.error("assign to names and to elements of arrays only")

    def _unpacked(self, value: Any, targets: Sequence[ast.expr]) -> list[Any]:
        """Return what several targets get of a tuple, a list or an array; one with ``*`` gets a list of the rest."""
        count = len(targets)
        stars = [k for k, target in enumerate(targets) if isinstance(target, ast.Starred)]
        items = None if value is None or is_number(value) else iterable(self._whole(), value)
        if isinstance(items, Iterable):
            size = trips(self, items)
            if stars and size.constant is None:
                return self._with_rest(value, size, stars[0], count)
            if not stars:
                self.check_equal(size, self.constant(count))
            items = tuple(
                items.at(place(self._whole(), items, self.constant(k))) for k in range(size.constant or count)
            )
        if items is not None and stars and len(items) >= count - 1:
            first, last = stars[0], len(items) - (count - 1 - stars[0])
            items = (*items[:first], List(list(items[first:last]), self), *items[last:])
        if items is None or len(items) != count:
            raise self.error(f"cannot unpack this into {count} names")
        return [self.settled(item) for item in items]

    def _with_rest(self, value: Any, size: Value, star: int, count: int) -> list[Any]:
        """Unpack an array of unknown size."""
        array = value.array if isinstance(value, List) else value
        if not is_array(array):
            raise self.error("how many items * takes here is not known in advance; make an array, and take slices")
        enough = self.scalar("ge", size, self.constant(count - 1))
        self.check(enough, "ValueError", f"not enough values to unpack: at least {count - 1} are wanted")
        after = count - 1 - star
        left = slice(self.constant(star), self.constant(-after) if after else None, None)
        rest = List([], self, self.stored(self.fresh(subscript(self, array, [left]))))
        places = [*range(star), *range(-after, 0)]
        items = [subscript(self, array, [self.constant(k)]) for k in places]
        return [*items[:star], rest, *items[star:]]

    def _place(self, target: ast.Subscript, array: Any, parts: list[Any]) -> tuple[Value, list[Any]]:
        """Return the array that is written to, and where: a number or a slice for each axis."""
        array = self._memory(target, array)
        parts = complete(self, array, unmasked(self, array, parts))
        if any(p is None or (isinstance(p, Value | Lazy) and p.kind != "i") for p in parts):
            raise self.error("write to integer positions, slices and masks; put new axes on the other side")
        return array, within(self, array, parts)

    def _memory(self, target: ast.Subscript, array: Any) -> Value:
        """Require an array that may be written to."""
        self.node = target
        if not is_array(array):
            raise self.error("only arrays can be written to by index")
        if is_result(array):
            self.change(array)
        if isinstance(array, Lazy) or is_result(array):
            raise self.error("cannot write to the result of an expression; make an array with np.empty and fill it")
        return array  # type: ignore[no-any-return]

    @staticmethod
    def _is_mask(array: Any, parts: list[Any]) -> bool:
        """Tell whether what stands between brackets is one mask of all elements."""
        return (
            is_array(array)
            and len(parts) == 1
            and is_array(parts[0])
            and parts[0].kind == "b"
            and parts[0].ndim == array.ndim
        )

    def _write(self, target: ast.Subscript, value: Any, env: Environment) -> None:
        holder, parts = self.evaluate(target.value, env), self.index(target.slice, env)
        self.node = target
        holder = self._written(holder, parts)
        if isinstance(holder, List | Table):
            write_item(self, holder, parts, value)
            return
        value = self.operand(value)
        if self._is_mask(holder, parts) and is_number(value):
            write_where(self, self._memory(target, holder), parts[0], value)
            return
        array, parts = self._place(target, holder, parts)
        if all(is_number(p) for p in parts):
            self.store(array, parts, self.number(value, "what is written to an element"))
        elif any(is_array(p) for p in parts):
            self._scatter(array, parts, value)
        else:
            self.assign(view(self, array, parts), value)

    def _written(self, holder: Any, parts: list[Any]) -> Any:
        """Return the array that is written to, if a list is one."""
        if not isinstance(holder, List) or holder.outside or holder.whole is None:
            return holder
        if not is_number(parts[0]):
            raise self.error("one item of a list is written at a time; make an array of it, by np.array")
        return holder.whole

    def _scatter(self, array: Value, parts: list[Any], value: Any, rule: str = "") -> None:
        if any(isinstance(part, slice) for part in parts):
            full = slice(None, None, None)
            array = view(self, array, [part if isinstance(part, slice) else full for part in parts])
        scatter(self, array, parts, value, rule)

    def _do_augassign(self, node: ast.AugAssign, env: Environment) -> None:
        """Add to a name, an element or a slice; or change it by another operator."""
        if type(node.op) not in BINARY:
            raise self.error("this operator is not supported")
        if isinstance(node.target, ast.Subscript):
            self._change_part(node, node.target, env)
            return
        if not isinstance(node.target, ast.Name):
            raise self.error("assign to names and to elements of arrays only")
        current = self.evaluate(ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target), env)
        value = self.evaluate(node.value, env)
        self.node = node
        if isinstance(current, List) and isinstance(node.op, ast.Add):
            call_method(self, current, "extend", [value])
            return
        if isinstance(current, Value) and is_live(current):
            self.assign(current, self.operand(value), BINARY[type(node.op)])
            return
        if is_array(current):
            self.replace(node.target.id, current)
        result = self.binary(type(node.op), current, value)
        if is_number(current) and current.cell:
            result = self._changed_cell(node.target.id, current, result)
        env[node.target.id] = self.bind(node.target.id, result)

    def _changed_cell(self, name: str, before: Value, after: Any) -> Any:
        """Require what is changed in place to be known by one name, if NumPy has an array without axes for it."""
        alone = before.cell != SHARED and self.is_alone(name)
        if not self.reads_own and not (alone and is_number(after) and after.kind == before.kind):
            raise self._changes_cell(name)
        return mark(after, CELL)

    def _changes_cell(self, name: str) -> ADError:
        return self.error(
            f"{name!r} may be an array without axes, as np.where and others give it, which NumPy changes under all "
            f"of its names at once, or not at all; make a new number, {name} = {name} ..., instead"
        )

    def _change_part(self, node: ast.AugAssign, target: ast.Subscript, env: Environment) -> None:
        holder, parts = self.evaluate(target.value, env), self.index(target.slice, env)
        holder = self._written(holder, parts)
        if isinstance(holder, List | Table):
            before = read_item(self, holder, parts)
            if is_number(before) and before.cell:
                raise self._changes_cell(ast.unparse(node.target))
            value = self.binary(type(node.op), before, self.evaluate(node.value, env))
            write_item(self, holder, parts, value)
            return
        if self._is_mask(holder, parts):
            value = self.operand(self.evaluate(node.value, env))
            if is_number(value):
                write_where(self, self._memory(target, holder), parts[0], value, BINARY[type(node.op)])
                return
            array, parts = self._place(target, holder, parts)
            self._scatter(array, parts, value, BINARY[type(node.op)])
            return
        array, parts = self._place(target, holder, parts)
        assert array.storage is not None
        if any(is_array(p) for p in parts):
            self._scatter(array, parts, self.operand(self.evaluate(node.value, env)), BINARY[type(node.op)])
            return
        if not all(is_number(p) for p in parts):
            part = view(self, array, parts)
            self.assign(part, self.operand(self.evaluate(node.value, env)), BINARY[type(node.op)])
            return
        before, stores = self.load(array, parts), len(array.storage.stores)
        number = self.number(self.operand(self.evaluate(node.value, env)), "what is written to an element")
        self.node = target
        sign = SIGNS.get(BINARY[type(node.op)], 0)
        if sign and len(array.storage.stores) == stores:
            self.store(array, parts, number, sign)
        else:  # other than a sum, this is of the number before what the right side has done to the array
            self.store(array, parts, self.binary(type(node.op), before, number))
