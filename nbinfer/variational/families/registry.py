"""The families that there are: by name, and by the names of their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbinfer.arguments import mapping
from nbinfer.errors import ParametrizationError
from nbinfer.spelling import meant
from nbinfer.variational.families.empirical import EmpiricalFamily
from nbinfer.variational.families.family import Family
from nbinfer.variational.families.full_rank import FullRankFamily
from nbinfer.variational.families.low_rank import LowRankFamily
from nbinfer.variational.families.mean_field import MeanFieldFamily
from nbinfer.variational.families.pathfinder import PathfinderFamily
from nbinfer.variational.flows.family import NormalizingFlowFamily
from nbinfer.variational.flows.formula import Formula, seems_like_flow_params, seems_like_formula
from nbinfer.variational.flows.registry import known_flows

_BY_NAME: dict[str, type[Family]] = {}
_BY_PARAMETERS: dict[frozenset[str], type[Family]] = {}


def register(family: type[Family]) -> type[Family]:
    """Have a family found by its names, and by the names of its parameters; serves as a decorator.

    Parameters
    ----------
    family : type
        A subclass of `Family`.

    Returns
    -------
    family : type
        As given.

    Raises
    ------
    TypeError
        If it is no family.
    ValueError
        If another family has a name of it, or parameters of the same names.
    """
    given: Any = family
    if not isinstance(given, type) or not issubclass(given, Family):
        raise TypeError(f"family must be a subclass of Family, got {family!r}.")
    spec = frozenset(family.parameter_names())
    taken = [name for name in family.names if name in _BY_NAME]
    if taken or spec in _BY_PARAMETERS:
        what = f"name {taken[0]!r}" if taken else f"parameters {', '.join(sorted(spec))}"
        other = _BY_NAME[taken[0]] if taken else _BY_PARAMETERS[spec]
        raise ValueError(f"{other.__name__} has the {what} already.")
    _BY_NAME.update(dict.fromkeys(family.names, family))
    if spec:
        _BY_PARAMETERS[spec] = family
    return family


def by_name(name: Any) -> type[Family]:
    """Return the family of a name, or of a formula of flows.

    Raises
    ------
    ParametrizationError
        If there is none.
    """
    found = _BY_NAME.get(name.strip().lower()) if isinstance(name, str) else None
    if found is not None:
        return found
    if isinstance(name, str) and ("-" in name or "*" in name):
        Formula(name)  # says what is wrong
    if seems_like_formula(name):
        return NormalizingFlowFamily
    raise ParametrizationError(
        f"unknown vfam {name!r}; choose {', '.join(map(repr, _BY_NAME))}, or a formula such as 'scale-hh*4-loc' of the "
        f"flows {known_flows()}.{meant(name, _BY_NAME)}"
    )


def made(vfam: Any, options: Any) -> Family:
    """Return the family of a name or a formula, with options.

    Raises
    ------
    ParametrizationError
        If there is none, or it lacks an option.
    """
    kind = by_name(vfam)
    if vfam.strip().lower() in _BY_NAME:
        return kind.of(options)
    given = mapping("options", options)
    if "flow" in given:
        raise ParametrizationError(f"options names the flow {given['flow']!r}, and vfam is the formula {vfam!r}.")
    return kind.of({"flow": vfam, **given})


def by_parameters(parameters: Mapping[str, Any]) -> type[Family]:
    """Return the family whose parameters have these names.

    Raises
    ------
    ParametrizationError
        If there is none; it says what is missing of the one that comes closest.
    """
    if seems_like_flow_params(parameters):
        return NormalizingFlowFamily
    got = frozenset(parameters)
    if got in _BY_PARAMETERS:
        return _BY_PARAMETERS[got]
    needed = "; or ".join(", ".join(family.parameter_names()) for family in _BY_PARAMETERS.values())
    needed += "; or those of flows, {0: {...}, 1: {...}, ...}"
    raise ParametrizationError(f"params must be one of: {needed}; got {', '.join(map(str, parameters)) or 'none'}.")


for _family in (
    MeanFieldFamily, FullRankFamily, LowRankFamily, EmpiricalFamily, NormalizingFlowFamily, PathfinderFamily,
):  # fmt: skip
    register(_family)
