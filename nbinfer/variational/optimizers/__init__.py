"""Stochastic optimisers: the rules by which parameters of approximations follow their noisy gradients."""

from nbinfer.variational.optimizers.averaged import averaged_adam
from nbinfer.variational.optimizers.custom import custom
from nbinfer.variational.optimizers.functions import (
    adadelta,
    adagrad,
    adagrad_window,
    adam,
    adamax,
    momentum,
    nesterov_momentum,
    rmsprop,
    sgd,
)
from nbinfer.variational.optimizers.norms import norm_constraint, total_norm_constraint
from nbinfer.variational.optimizers.rule import Rule
from nbinfer.variational.optimizers.updates import Updates
from nbinfer.variational.optimizers.wrappers import apply_momentum, apply_nesterov_momentum

__all__ = [
    "Rule",
    "Updates",
    "adadelta",
    "adagrad",
    "adagrad_window",
    "adam",
    "adamax",
    "apply_momentum",
    "apply_nesterov_momentum",
    "averaged_adam",
    "custom",
    "momentum",
    "nesterov_momentum",
    "norm_constraint",
    "rmsprop",
    "sgd",
    "total_norm_constraint",
]
