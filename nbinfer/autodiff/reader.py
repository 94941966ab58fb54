"""What the parts of the builder that reads programs share, and what they ask of each other."""

from __future__ import annotations

import ast
from collections.abc import Hashable
from typing import Any

from nbinfer.autodiff.arrays import ArrayBuilder
from nbinfer.autodiff.ir import Block, Value

Environment = dict[str, Any]


class Record:
    """A tuple with named fields.

    Attributes
    ----------
    name : str
        What it is called in the function.
    fields : dict
        Its values by name.
    """

    def __init__(self, name: str, fields: dict[str, Any]) -> None:
        self.name = name
        self.fields = fields


class Method:
    """A method of an array, a list or a dictionary, about to be called."""

    def __init__(self, name: str, owner: Any) -> None:
        self.name = name
        self.owner = owner


class Lost:
    """What stands for a name that cannot be read here; the message says why.

    Attributes
    ----------
    message : str
        What is said.
    wanted : hashable
        What there is to learn, if the name could be read in a program that knows that it is.
    """

    def __init__(self, message: str, wanted: Hashable = None) -> None:
        self.message = message
        self.wanted = wanted


class Reader(ArrayBuilder):
    """A builder that reads programs; each of its methods is given by one of its parts."""

    node: ast.AST | None = None
    #: Names of the arguments of the generated function.
    arguments: tuple[str, ...] = ()

    def free_name(self, name: str) -> Any:
        """Return the object that a name means outside the function."""
        raise NotImplementedError

    def call_function(self, function: Any, args: list[Any], named: dict[str, Any], node: ast.Call) -> Any:
        """Apply a function to values."""
        raise NotImplementedError

    def outside(self, size: Value, around: Block) -> Value | None:
        """Compute a size in a block around the one that it was found in; None if it is not known there."""
        raise NotImplementedError

    def append_to(self, x: Any, value: Any) -> None:
        """Append to a list in a loop or a branch."""
        raise NotImplementedError

    def hold(self, array: Any) -> None:
        """Note that a list has an array."""
        raise NotImplementedError

    def so_far(self, x: Any) -> Value:
        """Return the array that a list is while it is being counted."""
        raise NotImplementedError

    def ask_for_memory(self, x: Any) -> None:
        """Note that a list of numbers is to be an array before a loop or a branch."""
        raise NotImplementedError

    def outer_name(self, name: str) -> Any:
        """Return what a name means in the functions around the one that is read; None if it is not theirs."""
        raise NotImplementedError

    def merge(self, condition: Value, then_block: Any, else_block: Any, a: Any, b: Any) -> Any:
        """Close a branch that chooses one value."""
        raise NotImplementedError

    def comprehended(self, node: ast.ListComp | ast.GeneratorExp, env: Environment) -> Any:
        """Make a list of a comprehension; leave a generator as it is."""
        raise NotImplementedError
