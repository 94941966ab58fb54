"""Checks of a model before its run, and of a sampler with it: what a report on a run cannot find."""

from nbinfer.checks.calibration import sbc
from nbinfer.checks.model import ModelReport, check_model
from nbinfer.checks.result import Calibration

__all__ = ["Calibration", "ModelReport", "check_model", "sbc"]
