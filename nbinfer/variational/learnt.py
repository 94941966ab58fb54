"""Entries of the data that a fit learns together with the parameters of an approximation.

To a fit they are a group that draws nothing: its parameters are the entries themselves, where the model reads them, and
it is pulled back last, when what the density and all encoders contribute to their gradient is there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import entry, floats_at, record_at
from nbinfer.engine.state import Memory, State
from nbinfer.errors import ParametrizationError
from nbinfer.model import Model
from nbinfer.model.data import Datum
from nbinfer.variational.densities import FITTING, Densities
from nbinfer.variational.families.family import GROUP, Extent, Family
from nbinfer.variational.values import Shared

#: What the entries keep: how many numbers they are, and where the context of the fit has their gradient.
LEARNT = State(base=GROUP, leads=True, fields={"count": "i8", "slopes": "i8"})
Own = LEARNT.record


@entry("int64(intp, intp)")
def draw(fit_address: int, own_address: int) -> int:
    """Leave everything where it is: the model reads the parameters themselves."""
    return 0


@entry("int64(intp, intp)")
def pull(fit_address: int, own_address: int) -> int:
    """Add the gradient by the entries to that of the parameters, which they are."""
    own = record_at(own_address, Own)
    slopes, gradient = floats_at(own.slopes, own.count), floats_at(own.gradient, own.count)
    for i in range(own.count):
        gradient[i] += slopes[i]
    return 0


@dataclass(frozen=True)
class LearntFamily(Family):
    """What entries of the data are to a fit."""

    names, state, draw, pull = ("learnt",), LEARNT, draw, pull
    supports_batched = False

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        return ()

    def n_noise(self, extent: Extent) -> int:
        return 0


class Learnt:
    """Entries of the data that a fit moves, in the form of a group.

    Parameters
    ----------
    params : mapping of str to Shared
        Values by name.
    """

    family, extent = LearntFamily(), Extent(0)
    names = ("the data",)
    is_local = False

    def __init__(self, params: Mapping[str, Shared]) -> None:
        self.params_dict = dict(params)
        self.coordinates: NDArray[np.int64] = np.zeros(0, np.int64)

    @property
    def params(self) -> list[Shared]:
        """Values."""
        return list(self.params_dict.values())

    def connect(self, own: Memory, densities: Densities) -> None:
        """Write where gradients by the entries are."""
        bound = densities.bound
        if bound.has_gradient != "derived":
            raise ParametrizationError(
                f"more_obj_params names {', '.join(self.params_dict)}, and {bound.definition.title} has no derivative "
                f"by it: {bound.underivable}"
            )
        own.count, own.slopes = sum(shared.size for shared in self.params), densities.slopes(FITTING)


def check(names: Sequence[str], model: Model, replaced: Mapping[str, Any]) -> None:
    """Raise an error if a fit cannot learn entries of the data.

    Parameters
    ----------
    names : sequence of str
    model : Model
    replaced : mapping
        Data that the fit takes in the place of the model's.

    Raises
    ------
    ValueError, TypeError
        See `Definition.check_differentiable`; or if an entry is a number, replaced, or not finite.
    """
    for name in names:
        if name in model.parameters:
            raise ParametrizationError(
                f"more_obj_params names {name!r}, a parameter, which a group of the approximation holds: what moves it "
                "is found by the fit. Name entries of the data, or pass what you gave to nb.Group(params=...)."
            )
    model.definition.check_differentiable("more_obj_params", names)
    for name in names:
        datum = model.definition.data[name]
        if datum.scalar:
            raise ParametrizationError(
                f"more_obj_params names {name!r}, which is a number, and what is learnt lies in arrays; make it an "
                f"array of one element, np.array([{float(datum.array)!r}])."
            )
        if name in replaced:
            raise ParametrizationError(
                f"{name!r} is to be learnt, and more_replacements replaces it; drop one of them."
            )
        if not np.isfinite(datum.array).all():
            raise ParametrizationError(f"{name!r} is to be learnt, and begins with what is not finite; set its data.")


def with_learnt(model: Model, learnt: Mapping[str, Shared], moved: Sequence[str] = ()) -> Model:
    """Return a model that reads learnt values where they are; itself, if there are none.

    Parameters
    ----------
    model : Model
    learnt : mapping of str to Shared
        Values by the names of entries.
    moved : sequence of str
        Those by which the density is to be differentiated.
    """
    if not learnt:
        return model
    data = {name: Datum(name, shared.get_value(borrow=True), False) for name, shared in learnt.items()}
    definition = model.definition
    return Model.of(dataclasses.replace(definition, data={**definition.data, **data}, learnt=tuple(moved)))
