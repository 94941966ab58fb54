"""Markov chain Monte Carlo: samplers, their adaptation, and the driver that runs chains."""

from nbinfer.mcmc.assign import CompoundStep
from nbinfer.mcmc.discrete.binary import BinaryGibbsMetropolis, BinaryMetropolis
from nbinfer.mcmc.discrete.categorical import CategoricalGibbsMetropolis
from nbinfer.mcmc.discrete.gibbs import GibbsStep
from nbinfer.mcmc.ensemble.chees import ChEES
from nbinfer.mcmc.ensemble.mams import MAMS
from nbinfer.mcmc.hamiltonian.hmc import HamiltonianMC
from nbinfer.mcmc.hamiltonian.init import init_nuts
from nbinfer.mcmc.hamiltonian.nuts import NUTS
from nbinfer.mcmc.metric.adaptive import QuadPotentialDiagAdapt, QuadPotentialDiagAdaptGrad, QuadPotentialFullAdapt
from nbinfer.mcmc.metric.choose import quad_potential
from nbinfer.mcmc.metric.directions import QuadPotentialLowRank
from nbinfer.mcmc.metric.functional import QuadPotentialFunctions, QuadPotentialSparse
from nbinfer.mcmc.metric.potential import (
    QuadPotential,
    QuadPotentialDiag,
    QuadPotentialFull,
    QuadPotentialFullInv,
)
from nbinfer.mcmc.resume import resume
from nbinfer.mcmc.sample import sample
from nbinfer.mcmc.session import Stepper, iter_sample
from nbinfer.mcmc.settled import settled_step as _settled_step  # noqa: F401 - it makes itself known
from nbinfer.mcmc.walks.differential import DEMetropolis, DEMetropolisZ
from nbinfer.mcmc.walks.elliptical import EllipticalSlice
from nbinfer.mcmc.walks.metropolis import Metropolis
from nbinfer.mcmc.walks.proposals import (
    CauchyProposal,
    LaplaceProposal,
    MultivariateNormalProposal,
    NormalProposal,
    PoissonProposal,
    UniformProposal,
)
from nbinfer.mcmc.walks.slice import Slice
from nbinfer.mcmc.walks.stretch import StretchMove
from nbinfer.optimize.find import find_hessian, find_map, guess_scaling

__all__ = [
    "MAMS",
    "NUTS",
    "BinaryGibbsMetropolis",
    "BinaryMetropolis",
    "CategoricalGibbsMetropolis",
    "CauchyProposal",
    "ChEES",
    "CompoundStep",
    "DEMetropolis",
    "DEMetropolisZ",
    "EllipticalSlice",
    "GibbsStep",
    "HamiltonianMC",
    "LaplaceProposal",
    "Metropolis",
    "MultivariateNormalProposal",
    "NormalProposal",
    "PoissonProposal",
    "QuadPotential",
    "QuadPotentialDiag",
    "QuadPotentialDiagAdapt",
    "QuadPotentialDiagAdaptGrad",
    "QuadPotentialFull",
    "QuadPotentialFullAdapt",
    "QuadPotentialFullInv",
    "QuadPotentialFunctions",
    "QuadPotentialLowRank",
    "QuadPotentialSparse",
    "Slice",
    "Stepper",
    "StretchMove",
    "UniformProposal",
    "find_hessian",
    "find_map",
    "guess_scaling",
    "init_nuts",
    "iter_sample",
    "quad_potential",
    "resume",
    "sample",
]
