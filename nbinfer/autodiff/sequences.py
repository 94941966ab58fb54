"""Lists and dictionaries: what they hold is known while a program is built, so that generated code has none of them.

A list to which a loop appends once in each turn, or that a comprehension makes, is an array in generated code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbinfer.autodiff.bounds import trips
from nbinfer.autodiff.ir import Block, Value
from nbinfer.autodiff.lazy import is_array, is_number

if TYPE_CHECKING:
    from nbinfer.autodiff.expressions import Expressions

#: What changes a list or a dictionary.
CHANGES = "append", "extend", "insert", "pop", "reverse", "update"


class List:
    """A list, which several names may mean.

    Attributes
    ----------
    array : Value or None
        The array that it is, if its length is not known.
    block : Block
        Where it was made: what changes it must run exactly when that does.
    growing : bool
        Whether a loop is being read that appends to it.
    """

    def __init__(self, items: list[Any], b: Expressions, array: Any = None) -> None:
        self._items = items
        self._b = b
        self.array = array
        self.block = b.block
        self.growing = False

    @property
    def items(self) -> list[Any]:
        """What it holds at the line that is being read."""
        if self.growing:
            raise self._b.error("a list is read in a loop that appends to it; fill an array, or keep what is needed")
        if self.array is not None:
            raise self._b.error("the length of this list is not known in advance; make an array of it, by np.array")
        return self._items


class Table:
    """A dictionary; its keys are known.

    Attributes
    ----------
    items : dict
        What it holds at the line that is being read.
    block : Block
        Where it was made: what changes it must run exactly when that does.
    """

    def __init__(self, items: dict[Any, Any], b: Expressions) -> None:
        self.items = items
        self.block = b.block


def as_tuple(x: Any) -> Any:
    """Return tuples for lists, with lists inside of them, or arrays: NumPy makes no difference."""
    if isinstance(x, List):
        return tuple(map(as_tuple, x.items)) if x.array is None or x.growing else x.array
    return tuple(map(as_tuple, x)) if isinstance(x, tuple) else x


def changeable(b: Expressions, x: List | Table) -> None:
    """Require what changes a list or a dictionary to run exactly when the line that made it does."""
    if b.block is not x.block:
        thing = "list" if isinstance(x, List) else "dictionary"
        raise b.error(
            f"a {thing} made outside of this branch or loop is changed in it; what it holds must be known in advance: "
            "fill an array, or write a comprehension"
        )


def call_method(b: Expressions, x: List | Table, name: str, args: list[Any]) -> Any:
    """Call a method of a list or a dictionary."""
    thing = "list" if isinstance(x, List) else "dictionary"
    if name == "append" and len(args) == 1 and isinstance(x, List) and x.growing:
        return append_in_loop(b, x, args[0])
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


def append_in_loop(b: Expressions, x: List, value: Any) -> None:
    """Append to a list in a loop that does so once in each turn: it becomes an array."""
    loop, around = b.block.loop, b.block.parent
    if loop is None or around is not x.block or loop.leaves is not None or x.array is not None:
        changeable(b, x)
        raise b.error(
            "a list in a loop of unknown length takes one append in each turn, not under if, and no break; "
            "fill an array instead"
        )
    held = x._items
    with b.at(around):
        size = b.scalar("add", trips(b, loop), b.constant(len(held)))
    x.array = room(b, size, value, around)
    with b.at(around):
        for k, item in enumerate(held):
            put(b, x.array, b.constant(k), item)
    put(b, x.array, b.scalar("add", turn_of(b, loop), b.constant(len(held))), value)


def turn_of(b: Expressions, loop: Any) -> Value:
    """Return the number of the turn of a loop that is being read, from 0."""
    passed = b.scalar("sub", loop.index, loop.start)
    return passed if loop.step.constant == 1 else b.scalar("floordiv", passed, loop.step)


def room(b: Expressions, count: Value, value: Any, around: Block) -> Value:
    """Make an array, outside of a loop, for so many numbers or arrays like one that the loop computes."""
    dims = [] if not is_array(value) else b.dims_of(value)
    if not (is_array(value) or is_number(value)) or any(size.block.depth > around.depth for size in dims):
        raise b.error("a list of unknown length holds numbers, or arrays whose shape is known before the loop")
    with b.at(around):
        return b.alloc([count, *dims], value.kind, "empty", "items", mutable=False)


def put(b: Expressions, array: Value, place: Value, value: Any) -> None:
    """Write an item to the array that a list is."""
    if is_number(value) and array.ndim == 1:
        b.store(array, [place], value, first=True)
    elif is_array(value) and array.ndim == value.ndim + 1:
        source = b.lazy(value)
        for size, given in zip(b.dims_of(array)[1:], source.dims, strict=True):
            b.check_equal(size, given)

        def body(index: list[Value], _: list[Value]) -> list[Value]:
            b.store(array, [place, *index], source.at(index), first=True)
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
    if isinstance(x, List) and x.array is not None and not x.growing:
        from nbinfer.autodiff.indexing import subscript

        part = subscript(b, x.array, parts)
        return List([], b, part) if isinstance(parts[0], slice) else part
    items = x.items if isinstance(x, List) else x
    if len(parts) == 1 and isinstance(parts[0], slice):
        bounds = (parts[0].start, parts[0].stop, parts[0].step)
        part = items[slice(*(None if end is None else known_index(b, end, None) for end in bounds))]
        return List(part, b) if isinstance(x, List) else part
    return items[known_index(b, parts[0] if len(parts) == 1 else None, len(items))]


def write_item(b: Expressions, x: List | Table, parts: list[Any], value: Any) -> None:
    """Write an item of a list or a dictionary."""
    changeable(b, x)
    part = parts[0] if len(parts) == 1 else None
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
    if not isinstance(items, List | tuple):
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
