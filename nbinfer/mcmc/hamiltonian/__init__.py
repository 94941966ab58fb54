"""Hamiltonian steps: trajectories, the tree of NUTS, and how runs with them begin."""
