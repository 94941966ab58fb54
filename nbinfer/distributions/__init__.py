"""Distributions: one module each, with ``logpdf``, ``random`` and ``support``.

``logpdf`` takes numbers and arrays, which broadcast, and works element by element; in plain Python (by NumPy, without
importing Numba), inside functions that Numba compiles, and inside models. It is ``-inf`` outside the support, where a
parameter is invalid, and where anything is NaN; it never raises. ``random`` takes a NumPy Generator first. ``support``
returns the ends of the interval that carries the density.
"""

from nbinfer.distributions import exponential, half_cauchy, half_normal, normal, uniform

__all__ = ["exponential", "half_cauchy", "half_normal", "normal", "uniform"]
