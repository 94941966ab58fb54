"""The intermediate form: typed values in single assignment, operations, and structured blocks.

A program is a block of operations. Loops and branches are operations that own blocks; what they carry in and out is
explicit (``phis``, ``inits``, ``nexts``). Arrays are memory: a `Value` of rank > 0 names a `Storage` or a view of one,
and stores change it, so that the order of loads and stores in a block counts.
"""

from __future__ import annotations

import math
from typing import Any

#: Kinds in the order of promotion: bool, int, float.
KINDS = "bif"

#: Where a loop stops that its body ends.
ENDLESS = 2**62


class Storage:
    """The memory of an array.

    Attributes
    ----------
    active : bool
        Whether its elements may depend on what is differentiated; such memory has a shadow of adjoints.
    mutable : bool
        Whether the program may write to it: True of arrays that the user made in the function.
    block : Block
        Where it was made.
    stores, reads : list of Store and list of Op
        Operations that write to it and that read its elements.
    root : Value
        The array as a whole.
    decided : bool
        Whether it holds truths about active values.
    varies : bool
        Whether its elements may depend on parameters, discrete ones included.
    held : object
        The names of an array that an expression made, as in `lazy`.
    named : bool
        Whether somebody may know it by a name.
    aliased : bool
        Whether a branch has given it another name, which stands for a copy: nobody may write to it any more.
    carried : hashable
        Of an array that a loop rebinds: the place where that is; nobody else may write to it. Otherwise None.
    kinds : hashable
        Of an array that a list is: the place where that was made, for the kind of what is written. Otherwise None.
    widths : tuple of int or None
        Of what the program makes, the sizes of all axes but the first, None where one is not known.
    """

    __slots__ = (
        "active", "aliased", "block", "carried", "decided", "held", "key", "kinds", "mutable", "named", "reads",
        "root", "stores", "varies", "widths",
    )  # fmt: skip
    root: Value

    def __init__(self, active: bool, mutable: bool, block: Block, key: Any = None, varies: bool = False) -> None:
        self.active = active
        self.varies = varies
        self.mutable = mutable
        self.block = block
        self.key = key
        self.decided = False
        self.held: Any = None
        self.named = False
        self.carried: Any = None
        self.kinds: Any = None
        self.aliased = False
        self.widths: tuple[int | None, ...] = ()
        self.stores: list[Store] = []
        self.reads: list[Op] = []


class Value:
    """A number or an array, assigned once.

    Attributes
    ----------
    number : int
        Order of creation; identifies the value where expressions are compared.
    hint : str
        What the user called it; names in generated code are made from hints.
    kind : str
        'b', 'i' or 'f'.
    ndim : int
        0 for numbers.
    active : bool
        Whether it has a derivative that matters.
    varies : bool
        Whether it may depend on parameters, discrete ones included; of an array, whether its shape may.
    block : Block
        Where it is assigned.
    constant : object
        The number, if known when the program was built; otherwise None.
    storage : Storage or None
        The memory of an array.
    op : Op or None
        What assigns it; None for inputs and for what a loop defines.
    access : str
        How generated code reaches an input or a captured array; '' for what it computes.
    cell : int
        Of a number, whether NumPy has an array without axes for it, see `nbinfer.autodiff.cells`.
    """

    __slots__ = (
        "access", "active", "block", "cell", "constant", "hint", "kind", "name", "ndim", "number", "op", "storage",
        "varies",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        hint: str,
        kind: str,
        block: Block,
        ndim: int = 0,
        active: bool = False,
        constant: Any = None,
        storage: Storage | None = None,
        varies: bool = False,
        cell: int = 0,
    ) -> None:
        self.varies = varies
        self.cell = cell
        self.number = number
        self.hint = hint
        self.kind = kind
        self.ndim = ndim
        self.active = active
        self.block = block
        self.constant = constant
        self.storage = storage
        if storage is not None and not hasattr(storage, "root"):
            storage.root = self
        self.op: Op | None = None
        self.access = ""
        self.name = literal(constant) if constant is not None else f"{hint}_{number}"

    @property
    def bar(self) -> str:
        """Name of its adjoint."""
        return self.name + "_bar"

    def __repr__(self) -> str:
        return f"<{self.name}: {self.kind}{self.ndim}{'*' if self.active else ''}>"


class Block:
    """A sequence of operations: the whole program, a loop's body or one side of a branch."""

    __slots__ = ("branch", "depth", "known", "loop", "ops", "parent", "role")

    def __init__(self, role: str, parent: Block | None) -> None:
        self.role = role  # "top", "loop" or "branch"
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.ops: list[Op] = []
        self.known: dict[Any, Value] = {}
        self.loop: For | None = None
        self.branch: tuple[If, bool] | None = None  # and where the condition is true, or false

    def inside(self, other: Block) -> bool:
        """Tell whether this block is `other` or lies in it."""
        block: Block | None = self
        while block is not None and block.depth >= other.depth:
            if block is other:
                return True
            block = block.parent
        return False


class Op:
    """An operation.

    Attributes
    ----------
    outs, args : list of Value
        What it assigns and what it reads.
    block : Block
        Where it stands.
    order : int
        Order of creation, which is the order of execution within a block and its children, hoisting aside.
    """

    __slots__ = ("args", "block", "order", "outs")
    block: Block
    order: int

    def __init__(self, outs: list[Value], args: list[Value]) -> None:
        self.outs = outs
        self.args = args
        for out in outs:
            out.op = self

    @property
    def out(self) -> Value:
        """The only value it assigns, or the one that counts."""
        return self.outs[0]


class Scalar(Op):
    """``out = rule(args)``, by the table in `rules`."""

    __slots__ = ("rule",)

    def __init__(self, rule: Any, out: Value, args: list[Value]) -> None:
        super().__init__([out], args)
        self.rule = rule


class Custom(Op):
    """``out = function(args)`` for a function whose derivative the user gave."""

    __slots__ = ("function", "pullback")

    def __init__(self, function: str, pullback: str, out: Value, args: list[Value]) -> None:
        super().__init__([out], args)
        self.function = function
        self.pullback = pullback


class Call(Op):
    """``outs = function(args)`` for a compiled function of inactive values, left as it is.

    Attributes
    ----------
    draws : bool
        Whether it draws random numbers, so that it is called whether or not anything depends on it.
    takes_memory : bool
        Whether it is one of ours that takes an arena first.
    """

    __slots__ = ("draws", "function", "is_tuple", "takes_memory")

    def __init__(self, function: str, outs: list[Value], args: list[Value], is_tuple: bool) -> None:
        super().__init__(outs, args)
        self.function = function
        self.is_tuple = is_tuple
        self.draws = False
        self.takes_memory = False


class Load(Op):
    """``out = array[index]``."""

    __slots__ = ("hoisted",)

    def __init__(self, out: Value, array: Value, index: list[Value], hoisted: bool) -> None:
        super().__init__([out], [array, *index])
        self.hoisted = hoisted

    @property
    def array(self) -> Value:
        """What is read."""
        return self.args[0]

    @property
    def index(self) -> list[Value]:
        """Where."""
        return self.args[1:]


class Store(Op):
    """``array[index] = value``, or ``+=`` and ``-=`` where `sign` is 1 and -1."""

    __slots__ = ("sign",)

    def __init__(self, array: Value, index: list[Value], value: Value, sign: int = 0) -> None:
        super().__init__([], [array, *index, value])
        self.sign = sign

    @property
    def array(self) -> Value:
        """What is written to."""
        return self.args[0]

    @property
    def index(self) -> list[Value]:
        """Where."""
        return self.args[1:-1]

    @property
    def value(self) -> Value:
        """What is written or added."""
        return self.args[-1]


class View(Op):
    """``out = array[...]`` or ``array.T``, memory shared; `pattern` has a ``{k}`` for each argument after the array."""

    __slots__ = ("pattern",)

    def __init__(self, out: Value, array: Value, pattern: str, parts: list[Value]) -> None:
        super().__init__([out], [array, *parts])
        self.pattern = pattern


class Alloc(Op):
    """``out = np.empty(dims)`` and its like; `how` is the NumPy function's name."""

    __slots__ = ("how",)

    def __init__(self, out: Value, dims: list[Value], how: str) -> None:
        super().__init__([out], dims)
        self.how = how


class Dim(Op):
    """``out = array.shape[axis]``."""

    __slots__ = ("axis",)

    def __init__(self, out: Value, array: Value, axis: int) -> None:
        super().__init__([out], [array])
        self.axis = axis


class Primitive(Op):
    """``out = primitive(args)`` for a whole-array function of `linalg`; ``out, kept`` if it keeps something."""

    __slots__ = ("primitive",)

    def __init__(self, primitive: Any, outs: list[Value], args: list[Value]) -> None:
        super().__init__(outs, args)
        self.primitive = primitive


class Guard(Op):
    """Leave the program with a constant if the condition holds, and the weight of the term is not 0."""

    __slots__ = ("result", "weight")

    def __init__(self, condition: list[Value], result: Value, weight: str) -> None:
        super().__init__([], condition)
        self.result = result
        self.weight = weight


class Check(Op):
    """Raise ValueError unless two sizes are equal."""

    __slots__ = ()


class Require(Op):
    """Raise an error unless a condition holds; ``outs``, if there are any, are the indices for which it does."""

    __slots__ = ("error", "message")

    def __init__(self, outs: list[Value], args: list[Value], error: str, message: str) -> None:
        super().__init__(outs, args)
        self.error = error
        self.message = message


class For(Op):
    """A counted loop. ``outs[j]`` is the last value of what starts as ``inits[j]`` and becomes ``nexts[j]``.

    Attributes
    ----------
    leaves : Value or None
        A condition, known at the end of each turn, under which that was the last one.
    ended : Value or None
        The output that says where such a loop ended: as `stop` does for one that always runs to its end.
    """

    __slots__ = ("body", "ended", "index", "inits", "leaves", "nexts", "phis", "start", "step", "stop")

    def __init__(
        self, start: Value, stop: Value, step: Value, index: Value, phis: list[Value], inits: list[Value], body: Block
    ) -> None:
        super().__init__([], [])
        self.start = start
        self.stop = stop
        self.step = step
        self.index = index
        self.phis = phis
        self.inits = inits
        self.nexts: list[Value] = []
        self.leaves: Value | None = None
        self.ended: Value | None = None
        self.body = body
        body.loop = self
        for phi in phis:
            phi.op = self

    @property
    def endless(self) -> bool:
        """Whether only its body knows when it ends."""
        return bool(self.stop.constant == ENDLESS)


class If(Op):
    """A branch; ``outs[j]`` is ``then_values[j]`` or ``else_values[j]``."""

    __slots__ = ("else_block", "else_values", "then_block", "then_values")

    def __init__(
        self,
        outs: list[Value],
        condition: Value,
        then_block: Block,
        else_block: Block,
        then_values: list[Value],
        else_values: list[Value],
    ) -> None:
        super().__init__(outs, [condition])
        self.then_block = then_block
        self.else_block = else_block
        then_block.branch = self, True
        else_block.branch = self, False
        self.then_values = then_values
        self.else_values = else_values

    @property
    def sides(self) -> list[tuple[Block, list[Value]]]:
        """Both sides: the block and what it hands out."""
        return [(self.then_block, self.then_values), (self.else_block, self.else_values)]


def blocks_of(op: Op) -> list[Block]:
    """Return the blocks an operation owns."""
    if isinstance(op, For):
        return [op.body]
    if isinstance(op, If):
        return [op.then_block, op.else_block]
    return []


def promote(*kinds: str) -> str:
    """Return the kind of a result of mixed arithmetic."""
    return max(kinds, key=KINDS.index)


def literal(number: Any) -> str:
    """Write a number as it stands in generated code."""
    if isinstance(number, float) and not math.isfinite(number):
        return "math.nan" if math.isnan(number) else "math.inf" if number > 0 else "(-math.inf)"
    text = repr(number)
    return f"({text})" if text.startswith("-") else text
