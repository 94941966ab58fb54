"""Traces in files."""

from nbinfer.trace.disk.hdf5 import HDF5, SUFFIXES
from nbinfer.trace.disk.load import load
from nbinfer.trace.disk.store import HDF5Store

__all__ = ["HDF5", "SUFFIXES", "HDF5Store", "load"]
