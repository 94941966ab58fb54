"""The job: the header that the block of every kind of run begins with.

A chain is a job; so are a fit, a set of particles, a prediction over draws. To whoever runs it a job is a C function
``int64 advance(intp job, int64 until)``. It brings the job forward by whole pieces, draws or iterations: to `until`, or
less far if that takes longer than a moment, but by one at least; further, if pieces turn out not to be needed. It
publishes each piece on the job's progress line, looks at the stop word meanwhile, and returns a `Status`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import numpy as np

from nbinfer.engine.state import State, integers
from nbinfer.random import STREAM_WORDS


class Status(enum.IntEnum):
    """What a job, or a step of a chain, returns."""

    OK = 0
    STOPPED = 1  # asked to stop; the unfinished piece is dropped
    BAD_RECORD = 2  # a derived quantity raised or changed its shape
    BAD_DRAW = 3  # a user's draw lies outside the support of its variable, or where the density is zero
    ITERATION_LIMIT = 4  # a loop of a step took more turns than its settings allow
    RAISED = 5  # a user's draw or proposal raised
    BAD_CONDITIONAL = 6  # a model's conditional has no value where the density has one


#: What every job begins with.
JOB = State(
    fields={
        "advance": "i8",  # C function, see above
        "done": "i8",  # finished pieces
        "stop": "i8",  # address of a word; not 0 = stop
        "progress": "i8",  # address of this job's progress line
        "status": "i8",  # what `advance` returned last
        "number": "i8",  # the job's number, part of every counter of its streams
    },
    parts={"words": integers(STREAM_WORDS)},  # of the random stream
)
Job = JOB.record

#: Words of a line that a kind of job gives names of its own.
_GAUGES = 5


def progress_line(gauges: Mapping[str, str] | None = None) -> np.dtype:
    """Return the dtype of what a job publishes after each piece: one cache line, of which `done` is stored last.

    Parameters
    ----------
    gauges : mapping of str to str
        What this kind of job shows beside `done`, "i8" or "f8" by name; five at most.
    """
    shown = dict(gauges or {})
    if len(shown) > _GAUGES:
        raise ValueError(f"a line has room for {_GAUGES} gauges, got {', '.join(shown)}.")
    spare = [("spare", "i8", (_GAUGES - len(shown),))] if len(shown) < _GAUGES else []
    head = [("done", "i8"), ("claimed", "i8"), ("finished", "i8")]  # a worker has it; it will not go on
    return np.dtype([*head, *shown.items(), *spare], align=True)


#: What all lines have in common.
Progress = progress_line()
