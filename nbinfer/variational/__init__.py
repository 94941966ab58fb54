"""Variational inference: distributions that are fitted to a posterior instead of drawn from it.

A fit is a job of the engine: noise becomes draws, the model's density and gradient are evaluated there, gradients come
back to the parameters of the approximation, an optimiser moves these; all of that in one compiled loop that knows
model, families and optimiser by address.
"""

from nbinfer.variational.advi import ADVI, NFVI, FullRankADVI, KLqp, LowRankADVI
from nbinfer.variational.approximation import Approximation
from nbinfer.variational.bam import BaM, ScoreDivergence
from nbinfer.variational.callbacks import CheckParametersConvergence, Tracker
from nbinfer.variational.dadvi import DADVI, SampleAverageKL
from nbinfer.variational.functions import TestFunction
from nbinfer.variational.group import Group
from nbinfer.variational.inference import Inference
from nbinfer.variational.methods import fit, sample_approx
from nbinfer.variational.objective import ObjectiveFunction
from nbinfer.variational.operators import KL, Operator
from nbinfer.variational.optimizers import (
    adadelta,
    adagrad,
    adagrad_window,
    adam,
    adamax,
    apply_momentum,
    apply_nesterov_momentum,
    momentum,
    nesterov_momentum,
    norm_constraint,
    rmsprop,
    sgd,
    total_norm_constraint,
)
from nbinfer.variational.pathfinder.method import Pathfinder
from nbinfer.variational.raabbvi import RAABBVI
from nbinfer.variational.single_group import Empirical, FullRank, LowRank, MeanField, NormalizingFlow
from nbinfer.variational.stein import (
    ASVGD,
    IMQ,
    KSD,
    RBF,
    SVGD,
    CyclicAnnealing,
    ImplicitGradient,
    KSDObjective,
    ParticleHistory,
    Stein,
    ksd,
    ksd_test,
    stein_thinning,
)
from nbinfer.variational.values import shared

__all__ = [
    "ADVI",
    "ASVGD",
    "DADVI",
    "IMQ",
    "KL",
    "KSD",
    "NFVI",
    "RAABBVI",
    "RBF",
    "SVGD",
    "Approximation",
    "BaM",
    "CheckParametersConvergence",
    "CyclicAnnealing",
    "Empirical",
    "FullRank",
    "FullRankADVI",
    "Group",
    "ImplicitGradient",
    "Inference",
    "KLqp",
    "KSDObjective",
    "LowRank",
    "LowRankADVI",
    "MeanField",
    "NormalizingFlow",
    "ObjectiveFunction",
    "Operator",
    "ParticleHistory",
    "Pathfinder",
    "SampleAverageKL",
    "ScoreDivergence",
    "Stein",
    "TestFunction",
    "Tracker",
    "adadelta",
    "adagrad",
    "adagrad_window",
    "adam",
    "adamax",
    "apply_momentum",
    "apply_nesterov_momentum",
    "fit",
    "ksd",
    "ksd_test",
    "momentum",
    "nesterov_momentum",
    "norm_constraint",
    "rmsprop",
    "sample_approx",
    "sgd",
    "shared",
    "stein_thinning",
    "total_norm_constraint",
]
