"""Traces into files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nbinfer.arguments import flag, path_of
from nbinfer.trace.disk.layout import check_names
from nbinfer.trace.disk.paths import check_path
from nbinfer.trace.disk.shown import DRAWN
from nbinfer.trace.disk.store import HDF5Store

if TYPE_CHECKING:
    from nbinfer.trace.trace import Trace


def save(trace: Trace, path: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Write a trace to a file; see `Trace.save`."""
    where = path_of("path", path)
    check_path(where, flag("overwrite", overwrite))
    check_names(list(trace.posterior), trace.dims)
    tune, draws = (int(done.max(initial=0)) for done in (trace.tune_done, trace.draws_done))
    store = HDF5Store(where, trace.nchains, tune, draws, overwrite=overwrite, dims=trace.dims, coords=trace.coords)
    with store.made():
        for group in DRAWN:
            for name, array in getattr(trace, group).items():
                rows = store.rows_in(group)
                store.array(group, name, array.shape[2:], array.dtype)[...] = array[:, :rows]
        store.describe(trace)
    store.close()
