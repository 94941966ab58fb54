"""Stochastic optimisers, as functions of a loss and its parameters or, without these, as settings of a fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbinfer.spelling import public
from nbinfer.variational.optimizers.momentum import Momentum, NesterovMomentum
from nbinfer.variational.optimizers.rule import Rate
from nbinfer.variational.optimizers.rules import (
    Adadelta,
    Adagrad,
    AdagradWindow,
    Adam,
    Adamax,
    Rmsprop,
    Sgd,
)
from nbinfer.variational.optimizers.updates import apply


@public
def sgd(
    loss_or_grads: Any = None,
    params: Sequence[Any] | None = None,
    learning_rate: Rate = 1e-3,
) -> Any:
    """Move against the gradient.

    Parameters
    ----------
    loss_or_grads : callable or sequence, optional
        A function of the values of all parameters, or a gradient for each (numbers, or a function of all values).
    params : sequence of Shared, optional
        What moves, made by `shared`.
    learning_rate : float or callable
        A number, or a function of the step, counted from 0.

    Returns
    -------
    updates : Updates or Rule
        A mapping from each parameter to the rule; calling it makes one step. Without loss and parameters the rule, for
        ``fit(obj_optimizer=...)`` or to be called with these.

    Raises
    ------
    ValueError
        If one of loss and parameters is missing, gradients do not match parameters, or a setting makes no sense.

    Notes
    -----
    ``x -= learning_rate * g``.
    """
    return apply(Sgd(learning_rate), loss_or_grads, params)


@public
def momentum(
    loss_or_grads: Any = None,
    params: Sequence[Any] | None = None,
    learning_rate: Rate = 1e-3,
    momentum: float = 0.9,
) -> Any:
    """Move against the gradient, with momentum.

    Parameters
    ----------
    loss_or_grads : callable or sequence, optional
        A function of the values of all parameters, or a gradient for each (numbers, or a function of all values).
    params : sequence of Shared, optional
        What moves, made by `shared`.
    learning_rate : float or callable
        A number, or a function of the step, counted from 0.
    momentum : float
        Share of a move that the next one repeats, in [0, 1).

    Returns
    -------
    updates : Updates or Rule
        A mapping from each parameter to the rule; calling it makes one step. Without loss and parameters the rule, for
        ``fit(obj_optimizer=...)`` or to be called with these.

    Raises
    ------
    ValueError
        If one of loss and parameters is missing, gradients do not match parameters, or a setting makes no sense.

    Notes
    -----
    ``v = momentum * v - learning_rate * g``; ``x += v``.
    """
    return apply(Momentum(learning_rate, momentum), loss_or_grads, params)


@public
def nesterov_momentum(
    loss_or_grads: Any = None,
    params: Sequence[Any] | None = None,
    learning_rate: Rate = 1e-3,
    momentum: float = 0.9,
) -> Any:
    """Move against the gradient, with Nesterov's momentum [1]_.

    Parameters
    ----------
    loss_or_grads : callable or sequence, optional
        A function of the values of all parameters, or a gradient for each (numbers, or a function of all values).
    params : sequence of Shared, optional
        What moves, made by `shared`.
    learning_rate : float or callable
        A number, or a function of the step, counted from 0.
    momentum : float
        Share of a move that the next one repeats, in [0, 1).

    Returns
    -------
    updates : Updates or Rule
        A mapping from each parameter to the rule; calling it makes one step. Without loss and parameters the rule, for
        ``fit(obj_optimizer=...)`` or to be called with these.

    Raises
    ------
    ValueError
        If one of loss and parameters is missing, gradients do not match parameters, or a setting makes no sense.

    Notes
    -----
    ``v = momentum * v - learning_rate * g``; ``x += momentum * v - learning_rate * g``.

    References
    ----------
    .. [1] I. Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML (2013).
    """
    return apply(NesterovMomentum(learning_rate, momentum), loss_or_grads, params)


@public
def adagrad(
    loss_or_grads: Any = None,
    params: Sequence[Any] | None = None,
    learning_rate: Rate = 1.0,
    epsilon: float = 1e-6,
) -> Any:
    """Scale each step by all gradients so far [1]_.

    Parameters
    ----------
    loss_or_grads : callable or sequence, optional
        A function of the values of all parameters, or a gradient for each (numbers, or a function of all values).
    params : sequence of Shared, optional
        What moves, made by `shared`.
    learning_rate : float or callable
        A number, or a function of the step, counted from 0.
    epsilon : float
        Added under the root.

    Returns
    -------
    updates : Updates or Rule
        A mapping from each parameter to the rule; calling it makes one step. Without loss and parameters the rule, for
        ``fit(obj_optimizer=...)`` or to be called with these.

    Raises
    ------
    ValueError
        If one of loss and parameters is missing, gradients do not match parameters, or a setting makes no sense.

    Notes
    -----
    ``a += g**2``; ``x -= learning_rate * g / sqrt(a + epsilon)``.

    References
    ----------
    .. [1] J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning and stochastic
       optimization", JMLR 12 (2011).
    """
    return apply(Adagrad(learning_rate, epsilon), loss_or_grads, params)


@public
def adagrad_window(
    loss_or_grads: Any = None,
    params: Sequence[Any] | None = None,
    learning_rate: Rate = 1e-3,
    epsilon: float = 0.1,
    n_win: int = 10,
) -> Any:
    """Scale each step by the last gradients: the default of variational inference.

    Parameters
    ----------
    loss_or_grads : callable or sequence, optional
        A function of the values of all parameters, or a gradient for each (numbers, or a function of all values).
    params : sequence of Shared, optional
        What moves, made by `shared`.
    learning_rate : float or callable
        A number, or a function of the step, counted from 0.
    epsilon : float
        Added under the root.
    n_win : int
        Number of squares that are summed.

    Returns
    -------
    updates : Updates or Rule
        A mapping from each parameter to the rule; calling it makes one step. Without loss and parameters the rule, for
        ``fit(obj_optimizer=...)`` or to be called with these.

    Raises
    ------
    ValueError
        If one of loss and parameters is missing, gradients do not match parameters, or a setting makes no sense.

    Notes
    -----
    ``x -= learning_rate * g / sqrt(sum of the last n_win g**2 + epsilon)``, this one among them.
    """
    return apply(AdagradWindow(learning_rate, epsilon, n_win), loss_or_grads, params)


@public
def rmsprop(
    loss_or_grads: Any = None,
    params: Sequence[Any] | None = None,
    learning_rate: Rate = 1.0,
    rho: float = 0.9,
    epsilon: float = 1e-6,
) -> Any:
    """Scale each step by a running mean of squared gradients [1]_.

    Parameters
    ----------
    loss_or_grads : callable or sequence, optional
        A function of the values of all parameters, or a gradient for each (numbers, or a function of all values).
    params : sequence of Shared, optional
        What moves, made by `shared`.
    learning_rate : float or callable
        A number, or a function of the step, counted from 0.
    rho : float
        Weight of what was before in running means, in (0, 1).
    epsilon : float
        Added under the root.

    Returns
    -------
    updates : Updates or Rule
        A mapping from each parameter to the rule; calling it makes one step. Without loss and parameters the rule, for
        ``fit(obj_optimizer=...)`` or to be called with these.

    Raises
    ------
    ValueError
        If one of loss and parameters is missing, gradients do not match parameters, or a setting makes no sense.

    Notes
    -----
    ``a = rho * a + (1 - rho) * g**2``; ``x -= learning_rate * g / sqrt(a + epsilon)``.

    References
    ----------
    .. [1] T. Tieleman and G. Hinton, "Lecture 6.5: rmsprop", Coursera: Neural networks for machine learning (2012).
    """
    return apply(Rmsprop(learning_rate, rho, epsilon), loss_or_grads, params)


@public
def adadelta(
    loss_or_grads: Any = None,
    params: Sequence[Any] | None = None,
    learning_rate: Rate = 1.0,
    rho: float = 0.95,
    epsilon: float = 1e-6,
) -> Any:
    """Make steps as large as those before, whatever the unit of the gradient [1]_.

    Parameters
    ----------
    loss_or_grads : callable or sequence, optional
        A function of the values of all parameters, or a gradient for each (numbers, or a function of all values).
    params : sequence of Shared, optional
        What moves, made by `shared`.
    learning_rate : float or callable
        A number, or a function of the step, counted from 0.
    rho : float
        Weight of what was before in running means, in (0, 1).
    epsilon : float
        Added under the roots.

    Returns
    -------
    updates : Updates or Rule
        A mapping from each parameter to the rule; calling it makes one step. Without loss and parameters the rule, for
        ``fit(obj_optimizer=...)`` or to be called with these.

    Raises
    ------
    ValueError
        If one of loss and parameters is missing, gradients do not match parameters, or a setting makes no sense.

    Notes
    -----
    ``a = rho * a + (1 - rho) * g**2``; ``d = g * sqrt(b + epsilon) / sqrt(a + epsilon)``;
    ``b = rho * b + (1 - rho) * d**2``; ``x -= learning_rate * d``.

    References
    ----------
    .. [1] M. D. Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701 (2012).
    """
    return apply(Adadelta(learning_rate, rho, epsilon), loss_or_grads, params)


@public
def adam(
    loss_or_grads: Any = None,
    params: Sequence[Any] | None = None,
    learning_rate: Rate = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> Any:
    """Scale a running mean of gradients by one of their squares [1]_.

    Parameters
    ----------
    loss_or_grads : callable or sequence, optional
        A function of the values of all parameters, or a gradient for each (numbers, or a function of all values).
    params : sequence of Shared, optional
        What moves, made by `shared`.
    learning_rate : float or callable
        A number, or a function of the step, counted from 0.
    beta1 : float
        Weight of what was before in the running mean of gradients, in (0, 1).
    beta2 : float
        The same of squares, in (0, 1).
    epsilon : float
        Added to the root.

    Returns
    -------
    updates : Updates or Rule
        A mapping from each parameter to the rule; calling it makes one step. Without loss and parameters the rule, for
        ``fit(obj_optimizer=...)`` or to be called with these.

    Raises
    ------
    ValueError
        If one of loss and parameters is missing, gradients do not match parameters, or a setting makes no sense.

    Notes
    -----
    ``x -= learning_rate * sqrt(1 - beta2**t) / (1 - beta1**t) * m / (sqrt(v) + epsilon)``, which is the form at the end
    of section 2 of [1]_; optax and PyTorch add epsilon to the corrected root.

    References
    ----------
    .. [1] D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR (2015).
    """
    return apply(Adam(learning_rate, beta1, beta2, epsilon), loss_or_grads, params)


@public
def adamax(
    loss_or_grads: Any = None,
    params: Sequence[Any] | None = None,
    learning_rate: Rate = 2e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> Any:
    """Scale a running mean of gradients by the largest one, which fades [1]_.

    Parameters
    ----------
    loss_or_grads : callable or sequence, optional
        A function of the values of all parameters, or a gradient for each (numbers, or a function of all values).
    params : sequence of Shared, optional
        What moves, made by `shared`.
    learning_rate : float or callable
        A number, or a function of the step, counted from 0.
    beta1 : float
        Weight of what was before in the running mean of gradients, in (0, 1).
    beta2 : float
        The same of the largest, in (0, 1).
    epsilon : float
        Added to the largest gradient.

    Returns
    -------
    updates : Updates or Rule
        A mapping from each parameter to the rule; calling it makes one step. Without loss and parameters the rule, for
        ``fit(obj_optimizer=...)`` or to be called with these.

    Raises
    ------
    ValueError
        If one of loss and parameters is missing, gradients do not match parameters, or a setting makes no sense.

    Notes
    -----
    ``u = max(beta2 * u, abs(g))``; ``x -= learning_rate / (1 - beta1**t) * m / (u + epsilon)``.

    References
    ----------
    .. [1] D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR (2015), section 7.1.
    """
    return apply(Adamax(learning_rate, beta1, beta2, epsilon), loss_or_grads, params)
