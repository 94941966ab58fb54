"""The chain: its state in one block of memory, and the kernel that advances it.

A chain's state is one contiguous block of 8-byte fields: this header, the words of its random stream, position and
gradient, then what each of its steps keeps. Addresses in a block are set anew whenever a run starts
(`nbinfer.engine.blocks`); the rest is all there is to a chain, so that copying a block copies the chain.

A step is a C function ``int64 step(intp chain, intp own)``. It leaves the target invariant, writes position, discrete
values and log density only when it has succeeded, writes its statistics, adapts itself while `tuning`, and returns a
status. A step that moves without gradients says so by `gradient_known`; one that needs them asks `know_gradient`.

Chains that look at each other, as the members of an ensemble do, form a unit: they move draw by draw, a few one after
the other, many in two halves of which each looks at the other, so that results do not depend on the number of workers.
"""

from __future__ import annotations

import enum

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import (
    Record,
    call_density,
    call_record,
    call_step,
    compare_and_swap,
    entry,
    ints_at,
    kernel,
    load_acquire,
    record_at,
    store_release,
)
from nbinfer.engine.state import State, floats, integers, per_coordinate, per_discrete
from nbinfer.random import STREAM_WORDS, Purpose, start
from nbinfer.trace.columns import row_of, scatter


class Status(enum.IntEnum):
    """What a step or a chain returns."""

    OK = 0
    STOPPED = 1  # asked to stop; the unfinished draw is dropped
    BAD_RECORD = 2  # a derived quantity raised or changed its shape
    BAD_DRAW = 3  # a user's draw lies outside the support of its variable, or where the density is zero
    ITERATION_LIMIT = 4  # a loop of a step took more turns than its settings allow
    RAISED = 5  # a user's draw or proposal raised
    BAD_CONDITIONAL = 6  # a model's conditional has no value where the density has one


#: A chain: the header of its block, and what is behind it before the state of its steps.
CHAIN = State(
    fields={
        "density": "i8",  # C function, and the pointer it is given
        "value": "i8",  # the same for values alone
        "context": "i8",
        "record_function": "i8",  # C function: position -> row of parameters and derived quantities
        "n": "i8",
        "logp": "f8",
        "gradient_known": "i8",  # whether `grad` belongs to the position and the discrete values
        "n_discrete": "i8",
        "number": "i8",  # the chain's number, part of every counter of its streams
        "draw": "i8",  # finished draws, warm-up included
        "tune": "i8",  # how many of them are warm-up
        "thin": "i8",  # of how many draws after warm-up one is kept
        "tuning": "i8",  # whether the draw under way is one of them
        "gradients": "i8",  # evaluations of the gradient so far
        "divergences": "i8",  # after warm-up
        "enough_divergences": "i8",  # that many stop the run; 0: none do
        "step_size": "f8",  # for display
        "stop": "i8",  # address of a word; not 0 = stop
        "progress": "i8",  # address of this chain's `Progress`
        "n_steps": "i8",
        "columns": "i8",  # address of the columns that the row is scattered to, see `nbinfer.trace.columns`
        "n_columns": "i8",
        "statistics": "i8",  # address of the row that the steps fill
        "statistic_columns": "i8",
        "n_statistic_columns": "i8",
        "status": "i8",
        "failed": "i8",  # which of the steps returned it
    },
    parts={
        "words": integers(STREAM_WORDS),  # of the random stream
        "position": floats(per_coordinate),
        "grad": floats(per_coordinate),
        "discrete": integers(per_discrete),
    },
    work={
        "steps": integers(lambda steps, site: 2 * len(steps)),  # (function, own state) per step
        "row": floats(lambda steps, site: site.bound.row_size),  # that `record` fills
    },
)
Chain = CHAIN.record

#: What a chain publishes after each draw; one cache line. `draw` is stored last, with release.
Progress = np.dtype(
    [
        ("draw", "i8"),
        ("claimed", "i8"),  # 1 while a worker advances the chain
        ("finished", "i8"),  # 1 when the chain will not go on
        ("gradients", "i8"),
        ("divergences", "i8"),
        ("step_size", "f8"),
        ("spare", "i8", (2,)),
    ],
    align=True,
)

_DRAW_BLOCK = 16  # a worker keeps a chain for so many draws …
_GRADIENT_BLOCK = 1024  # … or so many gradients, whichever is less
_STEP_PURPOSE = int(Purpose.STEP)
_WHOLE_DRAW = 1 << 62
_OK, _STOPPED, _BAD_RECORD = int(Status.OK), int(Status.STOPPED), int(Status.BAD_RECORD)


@kernel
def comparable(logp: float) -> float:
    """Return a log density, or -inf if it is NaN or +inf: no step goes where there is no density to compare with."""
    return logp if logp < np.inf else -np.inf


@kernel
def value_at(chain: Record, position: int) -> float:
    """Return the log density at a position, known by its address; -inf if there is none."""
    return comparable(call_density(chain.value, chain.n, position, 0, chain.context))


@kernel
def conditional_at(chain: Record, pairs: int, which: int, position: int) -> float:
    """Return the log density at a position, up to what does not depend on one element; -inf if there is none.

    `pairs` is the address of a function, or 0 for the whole density, and the index it takes, for each element.
    """
    pair = ints_at(pairs + 16 * which, 2)
    if pair[0] == 0:
        return value_at(chain, position)
    return comparable(call_density(pair[0], chain.n, position, pair[1], chain.context))


@kernel
def know_gradient(chain: Record) -> None:
    """Evaluate the gradient if the last step moved without one."""
    if chain.gradient_known == 0:
        chain.logp = call_density(chain.density, chain.n, chain.position, chain.grad, chain.context)
        chain.gradients += 1
        chain.gradient_known = 1


@kernel
def know_value(chain: Record) -> None:
    """Evaluate the log density after a step that moved without it."""
    chain.logp = value_at(chain, chain.position)
    chain.gradient_known = 0


@kernel
def advance(address: int, until: int, gradients: int) -> int:
    """Advance a chain to draw `until`, or by so many gradients; each finished draw is stored and published.

    Returns
    -------
    status : int
    """
    chain = record_at(address, Chain)
    progress = record_at(chain.progress, Progress)
    steps = ints_at(chain.steps, 2 * chain.n_steps)
    enough = chain.gradients + gradients
    while chain.draw < until and chain.gradients < enough:
        if load_acquire(chain.stop) != 0:
            return _STOPPED
        warm = chain.draw < chain.tune
        chain.tuning = 1 if warm else 0
        for k in range(chain.n_steps):
            start(chain.words, chain.draw, chain.number, _STEP_PURPOSE + k)
            status = call_step(steps[2 * k], address, steps[2 * k + 1])
            if status != _OK:
                chain.failed = k
                return status
        row = row_of(chain.draw, chain.tune, chain.thin)
        if row >= 0:
            if chain.n_columns > 0:
                if call_record(chain.record_function, chain.n, chain.position, chain.row, chain.context) != 0:
                    return _BAD_RECORD
                scatter(chain.row, chain.columns, chain.n_columns, warm, row)
            scatter(chain.statistics, chain.statistic_columns, chain.n_statistic_columns, warm, row)
        chain.draw += 1
        progress.gradients = chain.gradients
        progress.divergences = chain.divergences
        progress.step_size = chain.step_size
        store_release(chain.progress, chain.draw)
        if chain.enough_divergences > 0 and chain.divergences >= chain.enough_divergences:
            store_release(chain.stop, 1)  # every chain stops, with the draw that diverged among the finished ones
    return _OK


#: What the workers of one run share.
Team = np.dtype(
    [
        ("chains", "i8"),  # address of the addresses of the chains' blocks
        ("units", "i8"),  # address of the first chain of each unit, and behind them the number of chains
        ("n_units", "i8"),
        ("progress", "i8"),  # address of one `Progress` per chain
        ("half", "i8"),  # of a population that moves in two halves: members of the first; else 0
        ("done", "i8"),  # address of the number of moves that are finished, in such a population
        ("rest", "i8"),  # C function that leaves the processor to others for a moment
        ("tickets", "i8"),  # address of the number of the next ticket
        ("from_draw", "i8"),  # draws that every unit has made
        ("until", "i8"),  # draws to reach, warm-up included
        ("stop", "i8"),  # address of the stop word
    ],
    align=True,
)

_LINE = Progress.itemsize
_OFFSETS = {name: field[1] for name, field in (Progress.fields or {}).items()}
_CLAIMED, _FINISHED = _OFFSETS["claimed"], _OFFSETS["finished"]


@kernel
def _advance_unit(chains: NDArray[np.int64], first: int, end: int, until: int) -> int:
    """Advance the chains of a unit to draw `until`; several move together, draw by draw.

    Returns
    -------
    status : int
        Of the last chain that was advanced.
    """
    if end - first == 1:
        status = advance(chains[first], until, _GRADIENT_BLOCK)
        record_at(chains[first], Chain).status = status
        return status
    for draw in range(record_at(chains[end - 1], Chain).draw, until):
        for c in range(first, end):
            status = advance(chains[c], draw + 1, _WHOLE_DRAW)
            record_at(chains[c], Chain).status = status
            if status != _OK:
                return status
    return _OK


@kernel
def _ticket(address: int) -> int:
    """Draw the next number; no two workers draw the same."""
    number = load_acquire(address)
    while not compare_and_swap(address, number, number + 1):
        number = load_acquire(address)
    return number


@kernel
def _pace(team: Record) -> int:
    """Return the draw that the tickets drawn so far lead to."""
    pace: int = min(team.from_draw + (load_acquire(team.tickets) // team.n_units + 1) * _DRAW_BLOCK, team.until)
    return pace


@kernel
def _move_in_halves(team: Record, chains: NDArray[np.int64], members: int) -> int:
    """Move a population draw by draw: its first half, which looks at the second alone, then the second likewise.

    A ticket is one move of one member. It waits until the half before has moved, so that no member ever sees another
    that is on its way, and the result does not depend on the number of workers.
    """
    count = (team.until - team.from_draw) * members
    ticket = _ticket(team.tickets)
    while ticket < count:
        member = ticket % members
        before = ticket - member + (team.half if member >= team.half else 0)
        while load_acquire(team.done) < before:
            if load_acquire(team.stop) != 0:
                return _STOPPED
            call_step(team.rest, 0, 0)
        draw = team.from_draw + ticket // members
        line = team.progress + member * _LINE
        if load_acquire(line) == draw:  # else it was there already when the run was taken up again
            status = advance(chains[member], draw + 1, _WHOLE_DRAW)
            record_at(chains[member], Chain).status = status
            if status != _OK:  # the others would wait for this move
                store_release(team.stop, 1)
                store_release(line + _FINISHED, 1)
                return status
        if load_acquire(line) >= team.until:
            store_release(line + _FINISHED, 1)
        _ticket(team.done)
        ticket = _ticket(team.tickets)
    return _OK


@entry("int64(intp)")
def work(address: int) -> int:
    """Advance the units of a team until all are finished.

    Each ticket stands for the next `_DRAW_BLOCK` draws of one unit, one unit after the other. A worker keeps a unit
    until that is as far as the tickets drawn meanwhile: what is slow stays in work, and units stay of nearly equal
    length. Any number of threads may run this at once; the result does not depend on how many do.
    """
    team = record_at(address, Team)
    units = ints_at(team.units, team.n_units + 1)
    chains = ints_at(team.chains, units[team.n_units])
    if team.half > 0:
        return _move_in_halves(team, chains, units[1])
    passed = 0  # units in a row that were finished or in other hands: those hands finish them
    while passed < team.n_units and load_acquire(team.stop) == 0:
        unit = _ticket(team.tickets) % team.n_units
        line = team.progress + units[unit] * _LINE
        last = team.progress + (units[unit + 1] - 1) * _LINE
        if load_acquire(line + _FINISHED) != 0 or not compare_and_swap(line + _CLAIMED, 0, 1):
            passed += 1
            continue
        passed = 0
        while load_acquire(line + _FINISHED) == 0 and load_acquire(last) < _pace(team):
            until = min(load_acquire(last) + _DRAW_BLOCK, team.until)
            status = _advance_unit(chains, units[unit], units[unit + 1], until)
            if status != _OK or load_acquire(last) >= team.until:
                for c in range(units[unit], units[unit + 1]):
                    store_release(team.progress + c * _LINE + _FINISHED, 1)
        store_release(line + _CLAIMED, 0)
    return _OK if load_acquire(team.stop) == 0 else _STOPPED
