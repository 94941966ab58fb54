"""What a run leaves: draws, statistics and how they came about."""

from nbinfer.trace.covariance import trace_cov
from nbinfer.trace.disk import HDF5
from nbinfer.trace.foreign import from_arviz
from nbinfer.trace.groups import TraceGroup
from nbinfer.trace.loading import load
from nbinfer.trace.merge import merge_traces
from nbinfer.trace.metric import Metric
from nbinfer.trace.names import OLD_STATISTICS, UnknownNameError
from nbinfer.trace.records import SQLite, Text
from nbinfer.trace.rows import fill_unfinished, fill_value
from nbinfer.trace.trace import MultiTrace, Trace

__all__ = [
    "HDF5",
    "OLD_STATISTICS",
    "Metric",
    "MultiTrace",
    "SQLite",
    "Text",
    "Trace",
    "TraceGroup",
    "UnknownNameError",
    "fill_unfinished",
    "fill_value",
    "from_arviz",
    "load",
    "merge_traces",
    "trace_cov",
]
