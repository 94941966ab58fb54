"""Benchmarks: measured, not tested; see README.md in this folder."""
