"""Markov chain Monte Carlo: samplers, their adaptation, and the driver that runs chains."""
