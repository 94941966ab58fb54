"""Lists and dictionaries: what they hold is known while a program is built, so that generated code has none of them.

A list to which a loop appends once in each turn, or that a comprehension makes, is an array in generated code.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.autodiff.bounds import trips
from nbinfer.autodiff.cells import IN_LISTS, SHARED, mark
from nbinfer.autodiff.errors import ADError
from nbinfer.autodiff.ir import ENDLESS, Block, Value, promote
from nbinfer.autodiff.lazy import is_array, is_number

if TYPE_CHECKING:
    from nbinfer.autodiff.expressions import Expressions

#: Up to so many items are known one by one where that is of use; beyond, a loop is a loop.
FEW = 64

#: What changes a list or a dictionary.
CHANGES = "append", "extend", "insert", "pop", "reverse", "setdefault", "update"


class List:
    """A list, which several names may mean.

    Attributes
    ----------
    array : Value or None
        The array that it is, if its length is not known.
    rows : int
        Of a list that is an array, how many axes of that are lists, or tuples, within this one.
    block : Block
        Where it was made: what changes it must run exactly when that does.
    key : hashable
        The place where it was made, the same in each build.
    held : list
        What it holds, where that is known item by item.
    growing : bool
        Whether a loop is being read that appends to it.
    counter : str
        The name of its length among the variables while that is being counted, see `nbinfer.autodiff.growing`.
    before : Value or None
        The array that it was before it was counted.
    loops : list of For or None
        The loops that append to it.
    appends : int
        How often a turn may append to it, at most.
    outside : bool
        Whether it was found outside of the function.
    """

    def __init__(self, items: list[Any], b: Expressions, array: Any = None, rows: int = 0) -> None:
        self.held = items
        self._b = b
        self.array = array
        self.rows = rows
        self.block = b.block
        self.key = b.key("list")
        self.growing = False
        self.counter = ""
        self.before: Any = None
        self.loops: Any = None
        self.appends = 0
        self.outside = False

    @property
    def items(self) -> list[Any]:
        """What it holds at the line that is being read."""
        if self.whole is not None:
            raise self._b.error("the length of this list is not known in advance; make an array of it, by np.array")
        return self.held

    @property
    def whole(self) -> Any:
        """The array that it is at the line that is being read; None of what is known item by item."""
        if not self.growing:
            return self.array
        if not self.counter:
            self._b.learn(("counted", self.key), True)
        return self._b.so_far(self)


class Table:
    """A dictionary; its keys are known.

    Attributes
    ----------
    items : dict
        What it holds at the line that is being read.
    block : Block
        Where it was made: what changes it must run exactly when that does.
    outside : bool
        Whether it was found outside of the function.
    """

    def __init__(self, items: dict[Any, Any], b: Expressions) -> None:
        self.items = items
        self.block = b.block
        self.outside = False


def from_outside(b: Expressions, thing: Any, hint: str) -> List | Table:
    """Return what stands for a list or a dictionary that is found outside of the function: it is a constant."""
    found: List | Table
    if isinstance(thing, dict):
        found = Table({key: _known(b, value, str(key)) for key, value in thing.items()}, b)
    else:
        array = _as_array(thing) if len(thing) > FEW else None
        items = [_known(b, item, hint) for item in thing] if array is None else []
        found = List(items, b, None if array is None else b.fixed(array))
    found.outside = True
    return found


def _known(b: Expressions, thing: Any, hint: str) -> Any:
    """Return what stands for an object, or the object where nothing does: it may not be needed."""
    try:
        return b.wrap(thing, hint)
    except ADError:
        return thing


def _as_array(items: list[Any]) -> np.ndarray | None:
    """Return many numbers, or rows of as many numbers, as an array."""
    try:
        array = np.array(items)
    except ValueError:
        return None
    return array if array.dtype.kind in "bif" else None


def as_tuple(x: Any) -> Any:
    """Return tuples for lists, with lists inside of them, or arrays: NumPy makes no difference."""
    if isinstance(x, List):
        return tuple(map(as_tuple, x.items)) if x.whole is None else x.whole
    return tuple(map(as_tuple, x)) if isinstance(x, tuple) else x


def truth_of(b: Expressions, x: Any) -> Value | None:
    """Tell whether a thing is true, as Python does; None for numbers, of which that is computed."""
    if is_number(x):
        return None
    if isinstance(x, List) and x.whole is not None:
        return b.scalar("gt", b.dims_of(x.whole)[0], b.constant(0))
    try:
        return b.constant(bool(x.items if isinstance(x, List | Table) else x))
    except ValueError:
        raise b.error("this is neither true nor false; compare it with something") from None


def changeable(b: Expressions, x: List | Table) -> None:
    """Require what changes a list or a dictionary to run exactly when the line that made it does."""
    thing = "list" if isinstance(x, List) else "dictionary"
    if x.outside:
        raise b.error(f"a {thing} outside of the function is changed in it; change a copy, made by .copy()")
    if b.block is not x.block:
        raise b.error(
            f"a {thing} made outside of this branch or loop is changed in it; what it holds must be known in advance: "
            "fill an array, or write a comprehension"
        )


def call_method(b: Expressions, x: List | Table, name: str, args: list[Any]) -> Any:
    """Call a method of a list or a dictionary."""
    thing = "list" if isinstance(x, List) else "dictionary"
    if isinstance(x, List) and name in ("append", "extend") and len(args) == 1 and _is_filled(b, x):
        return _grow(b, x, args[0] if name == "extend" else (args[0],))
    if name in CHANGES:
        changeable(b, x)
    if isinstance(x, Table):
        views = {"keys": lambda: tuple(map(b.known, x.items)), "values": lambda: tuple(x.items.values())}
        views["items"] = lambda: tuple((b.known(key), value) for key, value in x.items.items())
        if name in views and not args:
            return views[name]()
        if name == "get" and 1 <= len(args) <= 2:
            return x.items.get(key_of(b, args[0]), args[1] if len(args) == 2 else None)
        if name == "update" and len(args) == 1 and isinstance(args[0], Table):
            return x.items.update(args[0].items)
        if name == "setdefault" and len(args) == 2:
            return x.items.setdefault(key_of(b, args[0]), args[1])
        if name == "copy" and not args:
            return Table(dict(x.items), b)
    elif name == "append" and len(args) == 1:
        return x.items.append(args[0])
    elif name == "extend" and len(args) == 1 and isinstance(args[0], List | tuple):
        return x.items.extend(args[0].items if isinstance(args[0], List) else args[0])
    elif name == "insert" and len(args) == 2:
        return x.items.insert(known_index(b, args[0], None), args[1])
    elif name == "pop" and len(args) <= 1 and x.items:
        return x.items.pop(known_index(b, args[0], len(x.items)) if args else -1)
    elif name == "reverse" and not args:
        return x.items.reverse()
    elif name == "copy" and not args:
        return List(list(x.items), b)
    raise b.error(f"the method .{name} of a {thing} is not supported here")


def _is_filled(b: Expressions, x: List) -> bool:
    """Tell whether a list is memory, or is to be, at the line that appends to it."""
    return not x.outside and (x.growing or x.array is not None or b.block is not x.block)


def _grow(b: Expressions, x: List, items: Any) -> None:
    """Append what is known item by item."""
    items = items.items if isinstance(items, List) else items
    if not isinstance(items, tuple | list):
        raise b.error("a list is extended, in a loop or a branch, by items that are known one by one; append in a loop")
    for item in items:
        b.append_to(x, item)


def turn_of(b: Expressions, loop: Any) -> Value:
    """Return the number of the turn of a loop that is being read, from 0."""
    passed = b.scalar("sub", loop.index, loop.start)
    return passed if loop.step.constant == 1 else b.scalar("floordiv", passed, loop.step)


def as_item(b: Expressions, item: Any) -> Any:
    """Return an item of a list of unknown length: a tuple or a list of numbers as an array."""
    return b.operand(item) if isinstance(item, tuple | List) and levels(item) else item


def levels(item: Any) -> int:
    """Tell how many lists or tuples are within each other, the outermost included."""
    if isinstance(item, List) and item.whole is not None:
        return 1 + item.rows
    items = item.items if isinstance(item, List) else item if isinstance(item, tuple) else ()
    return 1 + levels(items[0]) if items else 0


def as_row(b: Expressions, x: List, part: Any) -> Any:
    """Return an item of a list that is an array: a list, if it was one, or a tuple, which is used as that."""
    if is_number(part) and b.facts.get(IN_LISTS):
        mark(part, SHARED)
    return List([], b, part, x.rows - 1) if x.rows and is_array(part) else part


def capacity(b: Expressions, around: Block) -> Value:
    """Return how often the line that is being read runs each time that a block around it does, at most."""
    result, block = b.constant(1), b.block
    while block is not around and block.parent is not None:
        loop, block = block.loop, block.parent
        turns = None if loop is None or loop.stop.constant == ENDLESS else b.outside(trips(b, loop), around)
        if loop is not None and turns is None:
            raise b.error("how many items this list may get is to be known before it is made; fill an array in loops")
        with b.at(around):
            result = result if turns is None else b.scalar("mul", result, turns)
    return result


def room(b: Expressions, count: Value, items: Sequence[Any], around: Block, kinds: Hashable | None = None) -> Value:
    """Make an array, outside of a loop, for so many numbers or arrays like some that the loop computes.

    What is given for `kinds`, the place where the kind of its numbers is noted, asks for memory that may change.
    """
    value, *others = [as_item(b, item) for item in items]
    found = [b.outside(size, around) for size in b.dims_of(value)] if is_array(value) else []
    dims = [size for size in found if size is not None]
    if not (is_array(value) or is_number(value)) or len(dims) < len(found):
        raise b.error("a list of unknown length holds numbers, or arrays whose shape is known before the loop")
    kind = promote(value.kind, *[item.kind for item in others if is_number(item) or is_array(item)])
    with b.at(around):
        array = b.alloc([count, *dims], promote(kind, b.facts.get(kinds, kind)), "empty", "items", kinds is not None)
    assert array.storage is not None
    array.storage.kinds = kinds
    return array


def put(b: Expressions, array: Value, place: Value, value: Any) -> None:
    """Write an item to the array that a list is."""
    assert array.storage is not None
    first, value = not array.storage.mutable, as_item(b, value)
    if is_number(value) and array.ndim == 1:
        if value.cell:
            b.learn(IN_LISTS, True)
        b.store(array, [place], value, first=first)
    elif is_array(value) and array.ndim == value.ndim + 1:
        b.hold(value)
        source = b.lazy(value)
        for size, given in zip(b.dims_of(array)[1:], source.dims, strict=True):
            b.check_equal(size, given)

        def body(index: list[Value], _: list[Value]) -> list[Value]:
            b.store(array, [place, *index], source.at(index), first=first)
            return []

        b.nest(source.dims, [], body)
    else:
        raise b.error("a list of unknown length holds numbers only, or arrays of one shape only")


def key_of(b: Expressions, key: Any) -> Any:
    """Return the key of a dictionary, which must be known."""
    key = key.constant if isinstance(key, Value) else key
    if not isinstance(key, str | int | float | bool):
        raise b.error("a key of a dictionary must be a text or a number known in advance")
    return key


def known_index(b: Expressions, index: Any, size: int | None) -> int:
    """Require an index that is known in advance and lies within a size."""
    number = getattr(index, "constant", None)
    if not isinstance(number, int) or not (size is None or -size <= number < size):
        raise b.error("an index into a tuple or a list must be a number known in advance; use an array")
    return number


def read_item(b: Expressions, x: Any, parts: list[Any]) -> Any:
    """Read a tuple, a list or a dictionary by what stands between brackets."""
    if isinstance(x, Table):
        key = key_of(b, parts[0] if len(parts) == 1 else None)
        if key not in x.items:
            raise b.error(f"the dictionary has no key {key!r}; its keys: {', '.join(map(repr, x.items)) or 'none'}")
        return x.items[key]
    if isinstance(x, List) and x.whole is not None:
        from nbinfer.autodiff.indexing import subscript

        part = subscript(b, x.whole, parts)
        return List([], b, part, x.rows) if isinstance(parts[0], slice) else as_row(b, x, part)
    items = x.items if isinstance(x, List) else x
    if len(parts) == 1 and is_number(parts[0]) and parts[0].constant is None:
        part = _of_constants(b, x, parts[0])
        if part is not None:
            return part
    if len(parts) == 1 and isinstance(parts[0], slice):
        bounds = (parts[0].start, parts[0].stop, parts[0].step)
        part = items[slice(*(None if end is None else known_index(b, end, None) for end in bounds))]
        return List(part, b) if isinstance(x, List) else part
    return items[known_index(b, parts[0] if len(parts) == 1 else None, len(items))]


def constants(x: Any) -> Any:
    """Return nested tuples of numbers that are known in advance; None if one is not."""
    if isinstance(x, tuple):
        items = [constants(item) for item in x]
        return None if any(item is None for item in items) else items
    return x.constant if is_number(x) else None


def _of_constants(b: Expressions, x: Any, index: Value) -> Any:
    """Read an item, at an index that is not known in advance, of what holds constants; None of what does not."""
    from nbinfer.autodiff.indexing import subscript

    known = constants(as_tuple(x))
    array = None if known is None else _as_array(known)
    if array is None or (array.ndim > 1 and not getattr(x, "outside", False)):  # a row may be written to
        return None
    part = subscript(b, b.fixed(array), [index])
    return part if is_number(part) else List([], b, part, array.ndim - 2)


def write_item(b: Expressions, x: List | Table, parts: list[Any], value: Any) -> None:
    """Write an item of a list or a dictionary that is known item by item."""
    part = parts[0] if len(parts) == 1 else None
    if isinstance(x, List) and (b.block is not x.block or getattr(part, "constant", None) is None):
        b.ask_for_memory(x)
    changeable(b, x)
    if isinstance(x, Table):
        x.items[key_of(b, part)] = value
    else:
        x.items[known_index(b, part, len(x.items))] = value


def joined(b: Expressions, left: Any, right: Any) -> Any:
    """Return the sum of two lists or tuples."""
    if isinstance(left, List) and isinstance(right, List):
        return List([*left.items, *right.items], b)
    return left + right if isinstance(left, tuple) and isinstance(right, tuple) else None


def repeated(b: Expressions, left: Any, right: Any) -> Any:
    """Return a list or a tuple times a number, which must be known."""
    items, count = (left, right) if isinstance(left, List | tuple) else (right, left)
    if not isinstance(items, List | tuple) or is_array(count):
        return None
    number = known_index(b, count, None)
    return List(items.items * number, b) if isinstance(items, List) else items * number


def contained(b: Expressions, x: Any, items: Any) -> Any:
    """Tell whether one of some items equals a number or a text."""
    if is_array(items):
        raise b.error("'in' an array is not supported; write np.any(array == value)")
    known = tuple(items.items) if isinstance(items, List | Table) else items
    if not isinstance(known, tuple | list | set | frozenset | range):
        raise b.error("'in' takes what is known item by item: a tuple, a list, or a dictionary")
    found: Any = b.constant(False)
    for item in known:
        item = b.wrap(item, "item")
        if isinstance(x, str) or isinstance(item, str):
            same: Any = b.constant(isinstance(x, str) and isinstance(item, str) and x == item)
        else:
            same = b.apply("eq", b.number(x, "the left side of 'in'"), b.number(item, "what 'in' looks through"))
        found = b.apply("or", found, same)
    return found
