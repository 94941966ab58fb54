"""Weeks that 42 children with leukaemia stayed in remission, in a trial of 6-mercaptopurine.

Pairs of alike patients, of whom one got the drug and one a placebo; whoever had not relapsed when the trial ended is
censored.

Source: E. J. Freireich et al., Blood 21 (1963); E. A. Gehan, "A generalized Wilcoxon test for comparing arbitrarily
singly-censored samples", Biometrika 52 (1965). As ``gehan`` of the R package MASS; only the numbers are taken.

Attributes
----------
pair : ndarray of int, shape (42,)
    From 1 to 21.
treatment : ndarray of str, shape (42,)
    "6-MP" or "control".
weeks : ndarray of int, shape (42,)
    Until the relapse, or the end of the trial.
relapsed : ndarray of int, shape (42,)
    1: relapsed; 0: censored.
"""

from nbinfer.datasets.columns import columns

pair, treatment, weeks, relapsed = columns("leukemia.csv")
