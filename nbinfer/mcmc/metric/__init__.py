"""Metrics: what they are made of, how they are given, how they learn."""
