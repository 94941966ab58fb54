"""What a trace shows of a file."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from nbinfer.trace.disk.space import Extent, Space
from nbinfer.trace.rows import Counts, as_far_as

#: Groups whose arrays are draws, shape (chain, row, ...).
DRAWN = ("posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats")

#: Groups whose arrays no draw changes.
DATA = ("observed_data", "constant_data")


def arrays_shown(
    space: Space, extents: Mapping[str, Mapping[str, Extent]], tune_done: Counts, draws_done: Counts
) -> dict[str, dict[str, NDArray[Any]]]:
    """Return the draws of a file as far as any chain has come, by group and name.

    They are read when they are used, and cannot be written to. The ends of shorter chains, which are `fill_value`, are
    memory of this process.
    """
    done = {group: tune_done if group.startswith("warmup") else draws_done for group in DRAWN}
    ragged = any(len(set(counts.tolist())) > 1 for counts in done.values())
    seen = space.seen(mmap.ACCESS_COPY if ragged else mmap.ACCESS_READ)
    found: dict[str, dict[str, NDArray[Any]]] = {group: {} for group in DRAWN}
    for group, counts in done.items():
        for name, extent in extents.get(group, {}).items():
            rows = as_far_as(seen.array(extent), counts)
            rows.flags.writeable = False
            found[group][name] = rows
    return found
