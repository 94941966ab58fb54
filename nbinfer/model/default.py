"""The model of the enclosing ``with`` block."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

    from nbinfer.model.model import Model

_BLOCKS = threading.local()


class Default:
    """What is the default model within its ``with`` block, in this thread."""

    def __enter__(self) -> Self:
        if not hasattr(_BLOCKS, "stack"):
            _BLOCKS.stack = []
        _BLOCKS.stack.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        _BLOCKS.stack.pop()


def default_model(argument: str = "model") -> Model:
    """Return the model of the innermost ``with model:`` block of this thread.

    Parameters
    ----------
    argument : str
        What messages call what was not given.

    Raises
    ------
    TypeError
        If there is none.
    """
    stack = getattr(_BLOCKS, "stack", [])
    if not stack:
        raise TypeError(f"no model given: pass {argument}=..., or call this inside a `with model:` block")
    return stack[-1]  # type: ignore[no-any-return]


def is_model(value: Any) -> bool:
    """Tell whether a value is a model."""
    return isinstance(value, Default)


def the_model(model: Any, argument: str = "model") -> Model:
    """Return the model, or that of the enclosing ``with`` block if none is given."""
    if model is None:
        return default_model(argument)
    if not isinstance(model, Default):
        raise TypeError(
            f"{argument} must be an nbinfer.Model, got {type(model).__name__}. Wrap a function in Model.flat."
        )
    return model  # type: ignore[return-value]
