"""Arrays that are not stored: evaluated element by element where they are used, so that no temporaries arise."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from nbinfer.autodiff.builder import Builder, value_varies
from nbinfer.autodiff.ir import Block, Storage, Value

#: From this cost on, an expression used in several places is computed once and stored.
EXPENSIVE = 8

Index = list[Value]


class Held:
    """The names of an array that an expression made: what is written to it in place is seen under all of them.

    Attributes
    ----------
    key : hashable
        The place where it got its first name, the same in each build.
    block : Block
        Where that stands.
    names : int
        How many names it was given, views included.
    other : Held or None
        The names of what it may be as well: a branch has chosen.
    fixed : bool
        Whether it may be memory that has other names, and so may not be written to.
    """

    def __init__(self, key: Hashable, block: Block) -> None:
        self.key = key
        self.block = block
        self.names = 1
        self.other: Held | None = None
        self.fixed = False


class Lazy:
    """An array that is not stored: its shape, and how to compute an element.

    Attributes
    ----------
    dims : list of Value
        Its shape.
    kind : str
        'b', 'i' or 'f'.
    active : bool
        Whether an element may be active.
    varies : bool
        Whether an element may depend on parameters; True if nobody looked.
    cost : int
        Of computing an element, in additions.
    reads : frozenset of Storage
        Memory it reads that the program may change.
    positional : bool
        Whether elements depend on the index itself; a negative index then means something else.
    base : Value or Lazy or None
        What it is a view of: in NumPy they share memory.
    transposed : Value or Lazy or None
        What it is the transpose of.
    decided_by_active : bool
        Whether it holds truths about active values.
    stored_as : Value or None
        Where it was stored, if it was.
    found : tuple of Block and list, or None
        Where positions of what is true in it were computed, and these.
    distinct : bool
        Whether it holds positions of which no two are the same, all within the axis that they are used for.
    held : Held or None
        The names it has.
    date : tuple or None
        A key of the place where it was written, and the number of stores to each memory it reads at that time.
    """

    def __init__(
        self,
        builder: Builder,
        dims: Sequence[Value],
        element: Callable[[Index], Value],
        kind: str,
        *,
        active: bool = False,
        varies: bool = True,
        cost: int = 0,
        reads: frozenset[Storage] = frozenset(),
        positional: bool = False,
        base: Any = None,
        transposed: Any = None,
    ) -> None:
        self.dims = list(dims)
        self.kind = kind
        self.active = active
        self.varies = varies
        self.cost = cost
        self.reads = reads
        self.positional = positional
        self.base = base if transposed is None else transposed
        self.transposed = transposed
        self.decided_by_active = False
        self.stored_as: Value | None = None
        self.found: tuple[Block, list[Lazy]] | None = None
        self.distinct = False
        self.held: Held | None = None
        self.date: tuple[Hashable, dict[Storage, int]] | None = None
        self.hint = ""
        self._builder = builder
        self._block = builder.block
        self._element = element
        self._memo: dict[tuple[Any, ...], list[Value]] = {}

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.dims)

    def at(self, index: Index) -> Value:
        """Compute an element, once per place where that is the same element."""
        self._builder.muted += 1
        try:
            return self._at(index)
        finally:
            self._builder.muted -= 1

    def _at(self, index: Index) -> Value:
        builder = self._builder
        if self.reads:
            if self.date is not None and any(len(s.stores) != n for s, n in self.date[1].items()):
                builder.learn(self.date[0], True)  # it was to be computed before
            return self._element(index)
        block = builder.outermost(index)
        if block.depth < self._block.depth and builder.block.inside(self._block):
            block = self._block
        key = tuple(i.number if i.constant is None else ("constant", i.constant) for i in index)
        for known in self._memo.get(key, ()):
            if known.constant is not None or builder.block.inside(known.block):
                return known
        with builder.at(block):
            result = self._element(index)
        self._memo.setdefault(key, []).append(result)
        return result


Array = Value | Lazy
Operand = Any  # Value | Lazy; NumPy has no better word either


def is_array(x: Any) -> bool:
    """Tell whether a value of the program is an array."""
    return isinstance(x, Lazy) or (isinstance(x, Value) and x.ndim > 0)


def is_number(x: Any) -> bool:
    """Tell whether a value of the program is a number."""
    return isinstance(x, Value) and x.ndim == 0


def is_truth(x: Any) -> bool:
    """Tell whether a value of the program is a number that is true or false."""
    return is_number(x) and x.kind == "b"


def varies(x: Any) -> bool:
    """Tell whether a number or the elements of an array may depend on parameters."""
    return x.varies if isinstance(x, Lazy) else value_varies(x)


def owner(x: Any) -> Any:
    """Return the array whose memory an array shares: itself, unless it is a view."""
    while isinstance(x, Lazy) and x.base is not None:
        x = x.base
    return x


def is_result(x: Any) -> bool:
    """Tell whether an array is what an expression made, or a view of that: no argument, no memory to write to."""
    source = owner(x)
    return isinstance(source, Lazy) or not (source.storage.mutable or source.storage.root.op is None)


def is_live(x: Any) -> bool:
    """Tell whether an array is a view of memory that the program may write to."""
    source = owner(x)
    return isinstance(source, Value) and source.storage is not None and source.storage.mutable
