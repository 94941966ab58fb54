"""Kernels of chains: `nbinfer.engine.chain.advance` and all that it calls by address on the host, for a device.

A function that the host knows by its address has a number here. Where the host follows the address, code for a device
chooses among the functions that can be meant there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nbinfer.compile import Entry, memory
from nbinfer.cuda.device import Device, apart, device_function
from nbinfer.engine import chain as chains
from nbinfer.engine import subset
from nbinfer.engine.state import Memory
from nbinfer.mcmc.adaptation.regimes import look_at
from nbinfer.mcmc.adaptation.settling import watch
from nbinfer.mcmc.hamiltonian.climb import climb

#: Numbers of functions. Those of the model, of what stands between it and a step that sees part of the coordinates, and
#: of what steps with gradients call; the steps themselves count on.
DENSITY, VALUE, RECORD, PART, CLIMB, WATCH, LOOK, STEP = range(1, 9)

#: A function of a device by its number.
Choices = Sequence[tuple[int, Any]]


def choice(twin: str, functions: Choices) -> Any:
    """Return what stands for a twin that follows an address: it calls one of some functions by its number.

    Parameters
    ----------
    twin : str
        ``"call_density"`` or one of its kin.
    functions : sequence of (int, object)
        Device functions by number; the last is taken for any other number. None: 1 is returned.
    """
    code = getattr(memory, twin).py_func.__code__
    number, *others = code.co_varnames[: code.co_argcount]
    arguments = ", ".join(others)
    lines = [f"def {twin}({number}, {arguments}):"]
    for k, (known, _) in enumerate(functions[:-1]):
        lines += [f"    if {number} == {known}:", f"        return function_{k}({arguments})"]
    lines.append(f"    return function_{len(functions) - 1}({arguments})" if functions else "    return 1")
    names = {f"function_{k}": function for k, (_, function) in enumerate(functions)}
    exec("\n".join(lines) + "\n", names)
    return device_function(names[twin])


class Called(NamedTuple):
    """What a run of chains calls by address on the host.

    Attributes
    ----------
    density, value, record : int
        Addresses of the model's functions; 0 for what no step, or nobody, asks for.
    steps : sequence of Entry
        The C functions of the steps.
    inner : sequence of Entry
        Those of the steps inside of steps that see part of the coordinates.
    others : sequence of Entry
        What steps with gradients call: `climb`, `watch`, `look_at`; those that the run needs.
    """

    density: int
    value: int
    record: int
    steps: Sequence[Entry]
    inner: Sequence[Entry]
    others: Sequence[Entry]

    @property
    def numbers(self) -> dict[int, int]:
        """The number of each function by its address on the host."""
        entries = {entry.address: STEP + k for k, entry in enumerate([*self.steps, *self.inner])}
        entries |= {entry.address: _OTHERS[entry] for entry in self.others}
        if self.inner:
            entries[subset.density.address] = PART
        found = entries | {self.record: RECORD, self.value: VALUE, self.density: DENSITY}
        return {address: number for address, number in found.items() if address}


def others(own: Sequence[Memory]) -> list[Entry]:
    """Return which of the functions that steps with gradients may call some steps do, known by what they keep."""
    found = []
    for kept in own:
        inside = kept.own if "coordinates" in (kept.record.dtype.names or ()) else kept
        names = inside.record.dtype.names or ()
        if "climb" in names:
            found += [climb] if np.any(inside.climb) else []
        if "settling" in names:
            found += [watch] if np.any(inside.settling.watch) else []
            found += [look_at] if np.any(inside.metric.low_rank.look) else []
    return list(dict.fromkeys(found))


#: What steps with gradients may call.
_OTHERS = {climb: CLIMB, watch: WATCH, look_at: LOOK}


def transition(model: Mapping[str, Callable[..., Any]], called: Called) -> Any:
    """Return `nbinfer.engine.chain.advance` as a device function.

    Parameters
    ----------
    model : mapping of str to callable
        `density`, `value` and `record` of a model as Python functions, see `nbinfer.model.compiled`.
    called : Called
        What it may meet.
    """
    of_model = Device({"": {"call_step": choice("call_step", [])}})
    wanted = {"density": (DENSITY, called.density), "value": (VALUE, called.value), "record": (RECORD, called.record)}
    made = {k: (number, apart(of_model.function(model[k]))) for k, (number, address) in wanted.items() if address}
    densities = [made[name] for name in ("density", "value") if name in made]
    calls = {"nbinfer.engine.subset": {"call_density": choice("call_density", densities)}}
    device = Device(calls)
    parts = [(PART, apart(device.function(subset.density)))] if called.inner else []
    calls[""] = {
        "call_density": choice("call_density", [*parts, *densities]),
        "call_record": choice("call_record", []),
        "call_step": choice("call_step", []),
    }
    others = {entry: (_OTHERS[entry], apart(device.function(entry))) for entry in called.others}
    calls[""]["call_phase"] = choice("call_phase", [others[entry] for entry in others if entry is look_at])
    before = {"call_step": choice("call_step", [others[entry] for entry in others if entry is not look_at])}
    calls["nbinfer.mcmc.hamiltonian.common"] = calls["nbinfer.mcmc.ensemble.common"] = before
    numbered = [(STEP + k, device.function(entry)) for k, entry in enumerate([*called.inner])]
    count = len(called.steps)
    calls["nbinfer.engine.subset"]["call_step"] = choice(
        "call_step", [(count + number, step) for number, step in numbered]
    )
    calls["nbinfer.engine.chain"] = {
        "call_record": choice("call_record", [made["record"]] if called.record else []),
        "call_step": choice("call_step", [(STEP + k, device.function(entry)) for k, entry in enumerate(called.steps)]),
    }
    return device.function(chains.advance)
