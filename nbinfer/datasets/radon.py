"""Radon in 919 houses of 85 counties of Minnesota, and the uranium in the soil of each county.

Counties have from 1 to 116 houses: what does one know of a county with two?

Source: the State Residential Radon Survey of the US Environmental Protection Agency; A. Gelman and J. Hill, "Data
Analysis Using Regression and Multilevel/Hierarchical Models", Cambridge (2007), chapter 12. As in posteriordb (BSD
3-clause) and in the R package HLMdiag. Three houses have 0, where a logarithm is taken of ``radon + 0.1``, as a rule.

Attributes
----------
county : ndarray of str, shape (919,)
    Its name.
floor : ndarray of int, shape (919,)
    0: measured in the basement; 1: on the first floor.
radon : ndarray of float, shape (919,)
    In pCi/L, to one decimal.
uranium : ndarray of float, shape (919,)
    Of the county, in ppm.
"""

from nbinfer.datasets.columns import columns

county, floor, radon, uranium = columns("radon.csv")
