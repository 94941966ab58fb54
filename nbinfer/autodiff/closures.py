"""Functions that a function defines: inner functions and lambdas."""

from __future__ import annotations

import ast
from collections.abc import Hashable
from typing import Any

from nbinfer.autodiff.ir import Block
from nbinfer.autodiff.reader import Environment
from nbinfer.autodiff.source import Source


class Frame:
    """A function that is being read.

    Attributes
    ----------
    source : Source
        Its text.
    call : hashable
        What identifies the call among all.
    main : bool
        Whether a constant that it returns early is the result of the whole program.
    elementwise : bool
        Whether expressions with names meet again element by element.
    outer : Frame or None
        The function in which it was defined.
    turns : int
        How many loops of the program are around the line that is read.
    env : dict
        What its names mean at that line.
    block : Block or None
        Where the statement stands that is read.
    caller : ast.AST or None
        What calls it, in the function around it.
    """

    def __init__(self, source: Source, call: Hashable, main: bool, elementwise: bool, outer: Frame | None) -> None:
        self.source = source
        self.call = call
        self.main = main
        self.elementwise = elementwise
        self.outer = outer
        self.turns = 0
        self.env: Environment = {}
        self.block: Block | None = None
        self.caller: ast.AST | None = None


class Closure:
    """A function that another one has defined.

    Attributes
    ----------
    source : Source
        Its text.
    frame : Frame
        The function around it, whose names it reads when it is called.
    defaults : dict
        What arguments are if they are not given.
    """

    def __init__(self, source: Source, frame: Frame, defaults: dict[str, Any]) -> None:
        self.source = source
        self.frame = frame
        self.defaults = defaults
