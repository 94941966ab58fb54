"""Markov chain Monte Carlo: samplers, their adaptation, and the driver that runs chains."""

from nbinfer.mcmc.assign import CompoundStep
from nbinfer.mcmc.binary import BinaryGibbsMetropolis, BinaryMetropolis
from nbinfer.mcmc.categorical import CategoricalGibbsMetropolis
from nbinfer.mcmc.differential import DEMetropolis, DEMetropolisZ
from nbinfer.mcmc.elliptical import EllipticalSlice
from nbinfer.mcmc.gibbs import GibbsStep
from nbinfer.mcmc.metropolis import Metropolis
from nbinfer.mcmc.nuts import NUTS
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
    "Metropolis",
    "Slice",
    "Stepper",
    "StretchMove",
    "iter_sample",
    "sample",
]
