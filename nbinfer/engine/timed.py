"""A step whose transitions are timed: it reads two clocks before and after, and runs the step in between.

That may cost more than a transition of a small model, so that it is done for steps that ask for it alone.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import time
from typing import Any

import numpy as np

from nbinfer.compile import JIT, call_step, entry, ints_at, kernel, record_at
from nbinfer.engine.python_entry import PythonEntry
from nbinfer.engine.state import Inner, Memory, State, integers
from nbinfer.engine.step import Around, Site

TIMED = State(
    fields={
        "function": "i8",  # the step
        "clock": "i8",  # C function ``clock(intp which, intp out)`` that writes seconds and nanoseconds
        "wall": "i8",  # which clock it is that PyMC calls perf_counter
        "cpu": "i8",  # and process_time; here of the thread, which draws this chain and no other meanwhile
    },
    parts={"own": Inner(lambda engine: engine.inner)},
    work={"now": integers(2)},
    statistics={"process_time_diff": "float64", "perf_counter_diff": "float64", "perf_counter_start": "float64"},
)
Timed, Row = TIMED.record, TIMED.row


@kernel
def _now(own: Any, which: int) -> float:
    """Return the seconds of a clock."""
    call_step(own.clock, which, own.now)
    now = ints_at(own.now, 2)
    seconds: float = now[0] + 1e-9 * now[1]
    return seconds


@entry("int64(intp, intp)")
def step(chain_address: int, own_address: int) -> int:
    """Let the step make its transition, and write how long it took."""
    own = record_at(own_address, Timed)
    wall, cpu = _now(own, own.wall), _now(own, own.cpu)
    status = call_step(own.function, chain_address, own.own)
    row = record_at(own.statistics, Row)
    row.process_time_diff = _now(own, own.cpu) - cpu
    row.perf_counter_diff = _now(own, own.wall) - wall
    row.perf_counter_start = wall
    return status


def _read(which: int, out: int) -> None:
    """Do what ``clock_gettime`` does, in plain Python."""
    nanoseconds = time.thread_time_ns() if which else time.perf_counter_ns()
    ints_at.py_func(out, 2)[:] = divmod(nanoseconds, 1_000_000_000)


@functools.cache
def _clock() -> tuple[Any, int, int]:
    """Return what has the address of the clock function, and the numbers of the two clocks.

    That of the system takes its first argument as an int, which is passed in the same register. What
    `time.perf_counter` reads is the monotonic clock on Linux; elsewhere Python is asked.
    """
    if not JIT or not sys.platform.startswith("linux") or ctypes.sizeof(ctypes.c_void_p) != 8:
        return PythonEntry(_read), 0, 1
    function = ctypes.cast(ctypes.CDLL(None).clock_gettime, ctypes.c_void_p)
    return function, time.CLOCK_MONOTONIC, time.CLOCK_THREAD_CPUTIME_ID


class TimedStep:
    """A step, as the engine sees it, whose transitions are timed.

    Parameters
    ----------
    inner : StepMethod or SubsetStep
        The step itself.
    """

    function = step
    state = TIMED

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def initialise(self, own: Memory, site: Site, tune: int, position: np.ndarray) -> None:
        """Write settings and first state."""
        self.inner.initialise(own.own, site, tune, position)

    def connect(self, own: Memory, around: Around, site: Site) -> None:
        """Write the addresses of the step and of the clock."""
        function, own.wall, own.cpu = _clock()
        own.clock = function.address if isinstance(function, PythonEntry) else function.value or 0
        own.function = self.inner.function.address
        self.inner.connect(own.own, around, site)
