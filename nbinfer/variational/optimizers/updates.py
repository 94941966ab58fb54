"""Rules on parameters outside of a fit: one step for each call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import several
from nbinfer.compile import address_of, aligned
from nbinfer.engine.state import BLOCK, Memory, Plan, address_of_rows
from nbinfer.variational.optimizers.descent import DESCENT, Extent
from nbinfer.variational.values import Shared

if TYPE_CHECKING:
    from nbinfer.variational.optimizers.rule import Rule


def apply(rule: Rule, loss_or_grads: Any = None, params: Sequence[Any] | None = None) -> Any:
    """Return the updates of parameters, or the rule itself if there are none.

    Parameters
    ----------
    rule : Rule
    loss_or_grads : callable, or sequence of array_like or callable, optional
        A function of the values of all parameters, which is differentiated; or a gradient for each, either as numbers
        or as a function of all values.
    params : sequence of Shared, optional
        What moves.

    Returns
    -------
    updates : Updates or Rule

    Raises
    ------
    ValueError
        If one is given without the other, or there are not as many gradients as parameters.
    """
    if loss_or_grads is None and params is None:
        return rule
    if loss_or_grads is None or params is None:
        missing = "loss_or_grads" if loss_or_grads is None else "params"
        raise ValueError(
            f"{rule.name} needs loss_or_grads and params, or neither; {missing} is missing. "
            f"Settings go by name: {rule.name}(learning_rate=...)."
        )
    return Updates(rule, loss_or_grads, params)


class Updates(dict[Shared, Any]):
    """What moves, and by which rule; a call makes one step.

    Parameters
    ----------
    rule : Rule
    loss_or_grads : callable or sequence
    params : sequence of Shared
        See `apply`.

    Attributes
    ----------
    steps : int
        How many were made.
    """

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self, rule: Rule, loss_or_grads: Any, params: Sequence[Any]) -> None:
        found = [params] if isinstance(params, Shared) else several("params", params, "a sequence of nb.shared values")
        for k, param in enumerate(found):
            if not isinstance(param, Shared):
                raise TypeError(f"params[{k}] must be made by nb.shared, got {type(param).__name__}.")
        super().__init__(dict.fromkeys(found, rule))
        if not found or len(self) != len(found):
            raise ValueError(f"params must be one or more different values, got {len(found)}.")
        self.rule, self.loss_or_grads = rule, loss_or_grads
        self._gradients = _gradients(loss_or_grads, found)
        extent = Extent(sum(param.size for param in found))
        plan = Plan()
        descent, own = plan.place(DESCENT, self, extent), plan.place(rule.state, rule, extent)
        self._block, self._work = (aligned(1, size, np.int64)[0] for size in plan.sizes[BLOCK : BLOCK + 2])
        self._values, self._slopes = np.zeros(extent.n), np.zeros(extent.n)
        bases = [[address_of_rows(memory) for memory in (self._block, self._work)] + [0]]
        plan.relocate(self._block[None], np.array(bases, np.int64))
        self._descent, self._own = (Memory(place, self._block, self._work) for place in (descent, own))
        self._descent.n = extent.n
        self._descent.parameters, self._descent.gradient = address_of(self._values), address_of(self._slopes)
        rule.initialise(self._own, extent)
        rule.connect(self._own)

    @property
    def steps(self) -> int:
        return int(self._descent.step)

    def __call__(self) -> None:
        """Make one step; parameters are read and written."""
        self.step(self._gradients([param.get_value() for param in self]))

    def step(self, gradients: Sequence[NDArray[np.float64]]) -> None:
        """Make one step along gradients that are known, one for each parameter."""
        values = [param.get_value() for param in self]
        self._values[:] = np.concatenate([np.ravel(value) for value in values])
        self._slopes[:] = np.concatenate([np.ravel(gradient) for gradient in gradients])
        self._descent.rate = self.rule.rates(self.steps, self.steps + 1).flat[0]
        self._descent.step += 1
        self.rule.function(self._descent.address, self._own.address)
        start = 0
        for param in self:
            param.set_value(self._values[start : start + param.size].reshape(param.shape))
            start += param.size


def _gradients(loss_or_grads: Any, params: Sequence[Shared]) -> Callable[[list[Any]], list[NDArray[np.float64]]]:
    """Return what finds the gradients at the values of all parameters."""
    if callable(loss_or_grads):
        from nbinfer.autodiff import grad

        derived = grad(loss_or_grads, tuple(range(len(params))))
        return lambda values: _checked(derived(*map(_seen, values)), params)
    grads = several("loss_or_grads", loss_or_grads, "a function of the parameters or a sequence of gradients")
    if len(grads) != len(params):
        raise ValueError(f"loss_or_grads must have one gradient for each of {len(params)} params, got {len(grads)}.")
    return lambda values: _checked([g(*map(_seen, values)) if callable(g) else g for g in grads], params)


def _seen(value: NDArray[np.float64]) -> Any:
    """Return a value as functions see it: a float if it has no axes."""
    return value if value.ndim else float(value)


def _checked(gradients: Sequence[Any], params: Sequence[Shared]) -> list[NDArray[np.float64]]:
    arrays = [np.asarray(gradient, np.float64) for gradient in gradients]
    for k, (gradient, param) in enumerate(zip(arrays, params, strict=True)):
        if gradient.shape != param.shape:
            raise ValueError(f"the gradient of params[{k}] must have shape {param.shape}, got {gradient.shape}.")
    return arrays
