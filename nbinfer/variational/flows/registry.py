"""The kinds of flows that there are: by their words in a formula, and by the names of their parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nbinfer.arguments import mapping
from nbinfer.errors import ParametrizationError
from nbinfer.spelling import meant, public
from nbinfer.variational.flows.affine import LocFlow, ScaleFlow
from nbinfer.variational.flows.coupling import CouplingFlow
from nbinfer.variational.flows.flow import AbstractFlow
from nbinfer.variational.flows.householder import HouseholderFlow
from nbinfer.variational.flows.planar import PlanarFlow
from nbinfer.variational.flows.radial import RadialFlow

_BY_NAME: dict[str, type[AbstractFlow]] = {}
_BY_PARAMETERS: dict[frozenset[str], type[AbstractFlow]] = {}


@public
def register_flow(flow: type[AbstractFlow]) -> type[AbstractFlow]:
    """Have a flow found by its word in formulas, and by the names of its parameters; serves as a decorator.

    Parameters
    ----------
    flow : type
        A subclass of `AbstractFlow`.

    Returns
    -------
    flow : type
        As given.

    Raises
    ------
    TypeError
        If it is no flow.
    ValueError
        If another flow has its word, or parameters of the same names; or if the word could not stand in a formula.
    """
    given: Any = flow
    if not isinstance(given, type) or not issubclass(given, AbstractFlow):
        raise TypeError(f"flow must be a subclass of AbstractFlow, got {flow!r}.")
    name, spec = flow.short_name, flow.parameter_names()
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"short_name must be a word in lower case, got {name!r}.")
    if name in _BY_NAME or spec in _BY_PARAMETERS:
        what = f"name {name!r}" if name in _BY_NAME else f"parameters {', '.join(sorted(spec))}"
        other = _BY_NAME.get(name) or _BY_PARAMETERS[spec]
        raise ValueError(f"{other.__name__} has the {what} already.")
    _BY_NAME[name] = _BY_PARAMETERS[spec] = flow
    return flow


def known_flows() -> str:
    """List the words of formulas, for messages."""
    return ", ".join(map(repr, _BY_NAME))


def flow_for_short_name(name: str) -> type[AbstractFlow]:
    """Return the flow that a word of a formula means.

    Parameters
    ----------
    name : str

    Returns
    -------
    flow : type

    Raises
    ------
    ParametrizationError
        If there is none.
    """
    given: Any = name
    found = _BY_NAME.get(given) if isinstance(given, str) else None
    if found is None:
        raise ParametrizationError(f"unknown flow {name!r}; choose {known_flows()}.{meant(name, _BY_NAME)}")
    return found


def flow_for_params(params: Mapping[str, Any]) -> type[AbstractFlow]:
    """Return the flow whose parameters have these names.

    Parameters
    ----------
    params : mapping
        By the names of parameters.

    Returns
    -------
    flow : type

    Raises
    ------
    ParametrizationError
        If there is none.
    """
    got = mapping("params", params)
    found = _BY_PARAMETERS.get(frozenset(got))
    if found is None:
        needed = "; or ".join(f"{', '.join(flow.shapes(2))} ({name})" for name, flow in _BY_NAME.items())
        raise ParametrizationError(
            f"params of a flow must be one of: {needed}; got {', '.join(map(str, got)) or 'none'}."
        )
    return found


for _flow in (PlanarFlow, RadialFlow, HouseholderFlow, LocFlow, ScaleFlow, CouplingFlow):
    register_flow(_flow)
