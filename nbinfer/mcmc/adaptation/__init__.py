"""Adaptation: the step size, and the schedule of warm-up."""
