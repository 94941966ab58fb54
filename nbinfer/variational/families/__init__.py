"""Families of approximations: how noise becomes draws, and how gradients come back to parameters."""
