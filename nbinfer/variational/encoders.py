"""Encoders in a fit: functions of the data that give the parameters of a local group, batch by batch.

To a fit they are a group that draws nothing. It runs before the local group, and writes the parameters of that; when
the local group has pulled a gradient back to these, it pulls them back to the entries of the data that are learnt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import call_record, entry, floats_at, record_at
from nbinfer.engine.state import Memory, State, floats
from nbinfer.model import Model
from nbinfer.model.code.encoders import encoder_entries
from nbinfer.model.definition import CompiledDefinition
from nbinfer.variational.densities import FITTING, Densities
from nbinfer.variational.families.family import GROUP, Extent, Family
from nbinfer.variational.group import Group
from nbinfer.variational.job import FitStatus


def _count(family: EncoderFamily, extent: Any) -> int:
    return family.count


#: What encoders keep: their C functions with the context, and what they give with the gradient by that.
ENCODERS = State(
    base=GROUP,
    leads=True,
    fields={"count": "i8", "encode": "i8", "back": "i8", "context": "i8"},
    work={"values": floats(_count), "bars": floats(_count)},
)
Own = ENCODERS.record

_FAILED = int(FitStatus.ENCODER)


@entry("int64(intp, intp)")
def draw(fit_address: int, own_address: int) -> int:
    """Write the parameters of the local group for the batch of the moment."""
    own = record_at(own_address, Own)
    return 0 if call_record(own.encode, 0, 0, own.values, own.context) == 0 else _FAILED


@entry("int64(intp, intp)")
def pull(fit_address: int, own_address: int) -> int:
    """Pull the gradient by these parameters back to what is learnt, for as many as the local group stands for."""
    own = record_at(own_address, Own)
    bars = floats_at(own.bars, own.count)
    status = 0
    if own.back != 0:
        for i in range(own.count):
            bars[i] *= own.weight
        status = call_record(own.back, 0, own.bars, 0, own.context)
    for i in range(own.count):
        bars[i] = 0.0
    return 0 if status == 0 else _FAILED


@dataclass(frozen=True)
class EncoderFamily(Family):  # numpydoc ignore=PR02
    """What encoders are to a fit.

    Parameters
    ----------
    count : int
        How many numbers they give, at most.
    """

    count: int = 0

    names, state, draw, pull = ("encoders",), ENCODERS, draw, pull

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        return ()

    def n_noise(self, extent: Extent) -> int:
        return 0


class Encoders:
    """The encoders of a local group, in the form of a group.

    Parameters
    ----------
    group : Group
        The local one.
    """

    is_local = True

    def __init__(self, group: Group) -> None:
        self.group = group
        shapes = group.family.shapes(group.extent).values()
        self.family = EncoderFamily(sum(map(math.prod, shapes)))
        self.params_dict: dict[str, Any] = {}
        self.params: list[Any] = []
        self.names = group.names
        self.coordinates: NDArray[np.int64] = np.zeros(0, np.int64)
        self.extent = Extent(0)

    def connect(self, own: Memory, densities: Densities) -> None:
        """Compile the encoders, and write where they are."""
        definition, group = densities.bound.definition, self.group
        assert isinstance(definition, CompiledDefinition)
        functions = {name.replace(".", "_"): f for name, f in group.encoders.items()}
        shapes = dict(zip(functions, group.encoded(Model.of(definition)).shapes, strict=True))
        found = encoder_entries(definition, functions, shapes, group.label)
        own.count = sum(map(math.prod, shapes.values()))
        own.encode, own.back = found.encode.address, 0 if found.pull is None else found.pull.address
        own.context = densities.context(FITTING)

    def addresses(self, own: Memory) -> tuple[int, int]:
        """Return where the parameters of the local group are, and their gradient."""
        return int(own.record["values"]), int(own.record["bars"])

    def raised(self, model: Model) -> BaseException:
        """Return what is wrong with the encoders at the data of the moment."""
        try:
            self.group.encoded(model)
        except Exception as error:
            return error
        return RuntimeError(f"an encoder of {', '.join(self.names or ())} fails in compiled code, and not in Python")
