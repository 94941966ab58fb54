"""Stein methods: particles, and draws of any approximation, that follow a kernelised gradient to the posterior."""

from nbinfer.variational.stein.annealing import CyclicAnnealing
from nbinfer.variational.stein.discrepancy import ksd
from nbinfer.variational.stein.goodness import KSDTest, ksd_test
from nbinfer.variational.stein.history import ParticleHistory
from nbinfer.variational.stein.kernels import IMQ, RBF, Kernel, RadialKernel, rbf
from nbinfer.variational.stein.methods import ASVGD, SVGD, ImplicitGradient
from nbinfer.variational.stein.operator import KSD, KSDObjective
from nbinfer.variational.stein.state import Tile
from nbinfer.variational.stein.stein import Stein
from nbinfer.variational.stein.thinning import stein_thinning

__all__ = [
    "ASVGD",
    "IMQ",
    "KSD",
    "RBF",
    "SVGD",
    "CyclicAnnealing",
    "ImplicitGradient",
    "KSDObjective",
    "KSDTest",
    "Kernel",
    "ParticleHistory",
    "RadialKernel",
    "Stein",
    "Tile",
    "ksd",
    "ksd_test",
    "rbf",
    "stein_thinning",
]
