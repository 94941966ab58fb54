"""Stein methods: particles, and draws of any approximation, that follow a kernelised gradient to the posterior."""

from nbinfer.variational.stein.kernels import IMQ, RBF, Kernel, RadialKernel, rbf
from nbinfer.variational.stein.methods import ASVGD, SVGD, ImplicitGradient
from nbinfer.variational.stein.operator import KSD, KSDObjective
from nbinfer.variational.stein.state import Tile
from nbinfer.variational.stein.stein import Stein

__all__ = [
    "ASVGD",
    "IMQ",
    "KSD",
    "RBF",
    "SVGD",
    "ImplicitGradient",
    "KSDObjective",
    "Kernel",
    "RadialKernel",
    "Stein",
    "Tile",
    "rbf",
]
