"""Densities over a flat position: functions to compile, C functions, Python callables."""
