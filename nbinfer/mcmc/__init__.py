"""Markov chain Monte Carlo: samplers, their adaptation, and the driver that runs chains."""

from nbinfer.mcmc.adaptive import QuadPotentialDiagAdapt, QuadPotentialDiagAdaptGrad, QuadPotentialFullAdapt
from nbinfer.mcmc.find import find_hessian, find_map, guess_scaling
from nbinfer.mcmc.functional import QuadPotentialFunctions, QuadPotentialSparse
from nbinfer.mcmc.hmc import HamiltonianMC
from nbinfer.mcmc.init import init_nuts
from nbinfer.mcmc.nuts import NUTS
from nbinfer.mcmc.potential import (
    QuadPotential,
    QuadPotentialDiag,
    QuadPotentialFull,
    QuadPotentialFullInv,
    quad_potential,
)
from nbinfer.mcmc.sample import sample

__all__ = [
    "NUTS",
    "HamiltonianMC",
    "QuadPotential",
    "QuadPotentialDiag",
    "QuadPotentialDiagAdapt",
    "QuadPotentialDiagAdaptGrad",
    "QuadPotentialFull",
    "QuadPotentialFullAdapt",
    "QuadPotentialFullInv",
    "QuadPotentialFunctions",
    "QuadPotentialSparse",
    "find_hessian",
    "find_map",
    "guess_scaling",
    "init_nuts",
    "quad_potential",
    "sample",
]
