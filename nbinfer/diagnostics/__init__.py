"""Diagnostics: do the chains agree, how much are the draws worth, what may be wrong with a run."""

from nbinfer.diagnostics.comparison import Comparison
from nbinfer.diagnostics.divergent import Divergences, divergences
from nbinfer.diagnostics.elpd import ELPD
from nbinfer.diagnostics.energy import bfmi
from nbinfer.diagnostics.ess import (
    ess_bulk,
    ess_mean,
    ess_quantile,
    ess_tail,
    mcse_mean,
    mcse_quantile,
    mcse_sd,
)
from nbinfer.diagnostics.intervals import hdi
from nbinfer.diagnostics.problem import Kind, Problem
from nbinfer.diagnostics.report import Report, check
from nbinfer.diagnostics.rhat import rhat
from nbinfer.diagnostics.summary import Summary, summary

__all__ = [
    "ELPD",
    "Comparison",
    "Divergences",
    "Kind",
    "Problem",
    "Report",
    "Summary",
    "bfmi",
    "check",
    "divergences",
    "ess_bulk",
    "ess_mean",
    "ess_quantile",
    "ess_tail",
    "hdi",
    "mcse_mean",
    "mcse_quantile",
    "mcse_sd",
    "rhat",
    "summary",
]
