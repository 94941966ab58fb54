"""Markov chain Monte Carlo: samplers, their adaptation, and the driver that runs chains."""

from nbinfer.mcmc.adaptive import QuadPotentialDiagAdapt, QuadPotentialDiagAdaptGrad, QuadPotentialFullAdapt
from nbinfer.mcmc.assign import CompoundStep
from nbinfer.mcmc.binary import BinaryGibbsMetropolis, BinaryMetropolis
from nbinfer.mcmc.categorical import CategoricalGibbsMetropolis
from nbinfer.mcmc.choose import quad_potential
from nbinfer.mcmc.differential import DEMetropolis, DEMetropolisZ
from nbinfer.mcmc.elliptical import EllipticalSlice
from nbinfer.mcmc.find import find_hessian, find_map, guess_scaling
from nbinfer.mcmc.functional import QuadPotentialFunctions, QuadPotentialSparse
from nbinfer.mcmc.gibbs import GibbsStep
from nbinfer.mcmc.hmc import HamiltonianMC
from nbinfer.mcmc.init import init_nuts
from nbinfer.mcmc.metropolis import Metropolis
from nbinfer.mcmc.nuts import NUTS
from nbinfer.mcmc.potential import (
    QuadPotential,
    QuadPotentialDiag,
    QuadPotentialFull,
    QuadPotentialFullInv,
)
from nbinfer.mcmc.sample import sample
from nbinfer.mcmc.session import Stepper, iter_sample
from nbinfer.mcmc.slice import Slice
from nbinfer.mcmc.stretch import StretchMove

__all__ = [
    "NUTS",
    "BinaryGibbsMetropolis",
    "BinaryMetropolis",
    "CategoricalGibbsMetropolis",
    "CompoundStep",
    "DEMetropolis",
    "DEMetropolisZ",
    "EllipticalSlice",
    "GibbsStep",
    "HamiltonianMC",
    "Metropolis",
    "QuadPotential",
    "QuadPotentialDiag",
    "QuadPotentialDiagAdapt",
    "QuadPotentialDiagAdaptGrad",
    "QuadPotentialFull",
    "QuadPotentialFullAdapt",
    "QuadPotentialFullInv",
    "QuadPotentialFunctions",
    "QuadPotentialSparse",
    "Slice",
    "Stepper",
    "StretchMove",
    "find_hessian",
    "find_map",
    "guess_scaling",
    "init_nuts",
    "iter_sample",
    "quad_potential",
    "sample",
]
