"""Normalizing flows: layers that a formula puts on top of each other, and the family that they make.

`flow.AbstractFlow` is a kind of layer as a class, and one with parameters as an object; each kind has a file of its
own. `formula.Formula` reads formulas, `stack.Stack` lays layers out in memory and runs them, `family` makes a family of
approximations of them.
"""

from nbinfer.variational.flows.affine import LocFlow, ScaleFlow
from nbinfer.variational.flows.coupling import CouplingFlow
from nbinfer.variational.flows.family import NormalizingFlowFamily
from nbinfer.variational.flows.flow import AbstractFlow
from nbinfer.variational.flows.formula import Formula, seems_like_flow_params, seems_like_formula
from nbinfer.variational.flows.householder import HouseholderFlow
from nbinfer.variational.flows.planar import PlanarFlow
from nbinfer.variational.flows.python_flow import PythonFlow
from nbinfer.variational.flows.radial import RadialFlow
from nbinfer.variational.flows.registry import flow_for_params, flow_for_short_name, register_flow

__all__ = [
    "AbstractFlow",
    "CouplingFlow",
    "Formula",
    "HouseholderFlow",
    "LocFlow",
    "NormalizingFlowFamily",
    "PlanarFlow",
    "PythonFlow",
    "RadialFlow",
    "ScaleFlow",
    "flow_for_params",
    "flow_for_short_name",
    "register_flow",
    "seems_like_flow_params",
    "seems_like_formula",
]
