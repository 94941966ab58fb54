"""Traces in files."""

from nbinfer.trace.disk.hdf5 import HDF5
from nbinfer.trace.disk.load import load
from nbinfer.trace.disk.store import HDF5Store

__all__ = ["HDF5", "HDF5Store", "load"]
