"""Transforms between values and unconstrained coordinates."""
