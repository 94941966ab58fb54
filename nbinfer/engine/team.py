"""A team: the workers of a run, plain threads that advance its jobs and know nothing else of them.

Jobs that look at each other, as the members of an ensemble do, form a unit. The jobs of a small unit move piece by
piece, one after the other; the others may move in phases. A phase is a C function over rows, which the workers share
out among themselves; the next one begins when all rows are done. A phase of one row is what must be done in order: a
reduction, a snapshot. No result depends on the number of workers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import (
    Record,
    call_phase,
    call_step,
    compare_and_swap,
    entry,
    ints_at,
    kernel,
    load_acquire,
    record_at,
    store_release,
)
from nbinfer.engine import snapshot
from nbinfer.engine.job import Job, Progress, Status
from nbinfer.engine.snapshot import Shelf

#: What the workers of one run share.
Team = np.dtype(
    [
        ("jobs", "i8"),  # address of the addresses of the jobs
        ("units", "i8"),  # address of the first job of each unit, and behind them the number of jobs
        ("n_units", "i8"),
        ("lines", "i8"),  # address of the progress line of the first job, and bytes from each to the next
        ("next_line", "i8"),
        ("phases", "i8"),  # address of the phases, PHASE_FIELDS each, that one piece of the run consists of
        ("n_phases", "i8"),  # 0: units advance by themselves
        ("rows", "i8"),  # of all phases together
        ("rows_done", "i8"),  # address of the number of rows that are done
        ("rest", "i8"),  # C function that leaves the processor to others for a moment
        ("tickets", "i8"),  # address of the number of the next ticket
        ("from_done", "i8"),  # pieces that every job has made
        ("until", "i8"),  # pieces to reach
        ("stop", "i8"),  # address of the stop word
        ("shelf", "i8"),  # address of a `Shelf` for snapshots; 0: none are taken
    ],
    align=True,
)

#: A phase: C function ``int64 phase(intp context, int64 row, int64 piece)``, its context, its rows, and how many rows
#: the phases before it have.
PHASE_FIELDS = 4

_ROWS = 64  # of a phase at least, if there are as many members
_PIECES = 16  # a ticket stands for so many pieces of one unit
_OFFSETS = {name: field[1] for name, field in (Progress.fields or {}).items()}
_CLAIMED, _FINISHED = _OFFSETS["claimed"], _OFFSETS["finished"]
_OK, _STOPPED = int(Status.OK), int(Status.STOPPED)


@kernel
def advance(address: int, until: int) -> int:
    """Advance a job, and note what it returns."""
    job = record_at(address, Job)
    status = call_step(job.advance, address, until)
    job.status = status
    return status


@kernel
def block_of(members: int) -> int:
    """Return how many members are a row of a phase, by the address of what `blocks_of` has made."""
    block: int = ints_at(members, 1)[0]
    return block


@kernel
def members_of(members: int) -> NDArray[np.int64]:
    """Return the members themselves: addresses."""
    return ints_at(members + 16, ints_at(members, 2)[1])


def blocks_of(addresses: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a table of members that a phase takes by blocks: there are at most `_ROWS`, or twice as many.

    Returns
    -------
    table : ndarray of int64
        Members of a block, and of all, then their addresses. The size of a block depends on their number alone.
    """
    return np.concatenate([[max(1, len(addresses) // _ROWS), len(addresses)], addresses]).astype(np.int64)


@entry("int64(intp, int64, int64)")
def move(members: int, row: int, piece: int) -> int:
    """Advance a block of jobs to the end of a piece, one after the other: a phase of a population."""
    addresses, block = members_of(members), block_of(members)
    for k in range(row * block, min((row + 1) * block, len(addresses))):
        if record_at(addresses[k], Job).done > piece:  # it was there already when the run was taken up again
            continue
        status = advance(addresses[k], piece + 1)
        if status != _OK:
            return status
    return _OK


@entry("int64(intp, int64, int64)")
def keep(team_address: int, row: int, piece: int) -> int:
    """Take a snapshot of all jobs if one is due: the phase that ends a piece."""
    team = record_at(team_address, Team)
    shelf = record_at(team.shelf, Shelf)
    if piece + 1 == team.until or snapshot.is_due(shelf, 0):
        snapshot.take(shelf, ints_at(team.jobs, shelf.n_jobs), 0, shelf.n_jobs)
    return _OK


@kernel
def _ticket(address: int) -> int:
    """Draw the next number; no two workers draw the same."""
    number = load_acquire(address)
    while not compare_and_swap(address, number, number + 1):
        number = load_acquire(address)
    return number


@kernel
def _run_phases(team: Record) -> int:
    """Run the phases of one piece after the other.

    A ticket is one row of one phase. It waits until the rows of the phases before are done, so that no row ever sees
    another one on its way.
    """
    phases = ints_at(team.phases, PHASE_FIELDS * team.n_phases)
    count = (team.until - team.from_done) * team.rows
    ticket = _ticket(team.tickets)
    while ticket < count:
        at = ticket % team.rows
        k = 0
        while at >= phases[PHASE_FIELDS * k + 3] + phases[PHASE_FIELDS * k + 2]:
            k += 1
        function, context, before = phases[PHASE_FIELDS * k], phases[PHASE_FIELDS * k + 1], phases[PHASE_FIELDS * k + 3]
        while load_acquire(team.rows_done) < ticket - at + before:
            if load_acquire(team.stop) != 0:
                return _STOPPED
            call_step(team.rest, 0, 0)
        status = call_phase(function, context, at - before, team.from_done + ticket // team.rows)
        if status != _OK:  # the others would wait for this row
            store_release(team.stop, 1)
            return status
        _ticket(team.rows_done)
        ticket = _ticket(team.tickets)
    return _OK


@kernel
def _pace(team: Record) -> int:
    """Return the piece that the tickets drawn so far lead to."""
    pace: int = min(team.from_done + (load_acquire(team.tickets) // team.n_units + 1) * _PIECES, team.until)
    return pace


@kernel
def _advance_together(jobs: NDArray[np.int64], first: int, end: int, done: int, until: int) -> int:
    """Advance several jobs piece by piece, one after the other."""
    for piece in range(done, until):
        for k in range(first, end):
            status = advance(jobs[k], piece + 1)
            if status != _OK:
                return status
    return _OK


@kernel
def _advance_unit(team: Record, jobs: NDArray[np.int64], first: int, end: int) -> int:
    """Advance the jobs of a unit by a ticket's worth, or for a moment.

    Returns
    -------
    status : int
        Of the last job that was advanced.
    """
    done = record_at(jobs[end - 1], Job).done
    until = min(done + _PIECES, team.until)
    status = advance(jobs[first], until) if end - first == 1 else _advance_together(jobs, first, end, done, until)
    if status == _OK and team.shelf != 0:
        shelf = record_at(team.shelf, Shelf)
        if record_at(jobs[first], Job).done >= team.until or snapshot.is_due(shelf, first):
            snapshot.take(shelf, jobs, first, end)
    return status


@kernel
def _run_units(team: Record) -> int:
    """Advance units until all are finished.

    Each ticket stands for the next pieces of one unit, one unit after the other. A worker keeps a unit until that is
    as far as the tickets drawn meanwhile: what is slow stays in work, and units stay of nearly equal length.
    """
    units = ints_at(team.units, team.n_units + 1)
    jobs = ints_at(team.jobs, units[team.n_units])
    passed = 0  # units in a row that were finished or in other hands: those hands finish them
    while passed < team.n_units and load_acquire(team.stop) == 0:
        unit = _ticket(team.tickets) % team.n_units
        line = team.lines + units[unit] * team.next_line
        last = team.lines + (units[unit + 1] - 1) * team.next_line
        over = load_acquire(line + _FINISHED) != 0 or load_acquire(last) >= team.until
        if over or not compare_and_swap(line + _CLAIMED, 0, 1):
            passed += 1
            continue
        passed = 0
        while load_acquire(line + _FINISHED) == 0 and load_acquire(last) < _pace(team):
            status = _advance_unit(team, jobs, units[unit], units[unit + 1])
            if status != _OK or load_acquire(last) >= team.until:
                for k in range(units[unit], units[unit + 1]):
                    store_release(team.lines + k * team.next_line + _FINISHED, 1)
        store_release(line + _CLAIMED, 0)
    return _OK if load_acquire(team.stop) == 0 else _STOPPED


@entry("int64(intp)")
def work(address: int) -> int:
    """Do one worker's part of a run. Any number of threads may be in here at once."""
    team = record_at(address, Team)
    return _run_phases(team) if team.n_phases > 0 else _run_units(team)
