"""Pathfinder: normal distributions along the way of a search for the maximum, and the best of them."""
