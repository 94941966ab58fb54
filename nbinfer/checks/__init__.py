"""Checks of a model before its run, and of a sampler with it: what a report on a run cannot find."""

from nbinfer.checks.model import ModelReport, check_model

__all__ = ["ModelReport", "check_model"]
