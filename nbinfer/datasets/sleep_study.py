"""Reaction times of 18 people after nights of three hours' sleep, 180 of them.

Day 0 and 1 were for training and day 2 the baseline, after which sleep was short: how much slower does each person
get, and how much do people differ?

Source: G. Belenky et al., "Patterns of performance degradation and restoration during sleep restriction and
subsequent recovery: a sleep dose-response study", Journal of Sleep Research 12 (2003). As ``sleepstudy`` of the R
package lme4 (GPL 2 or later); only the numbers are taken.

Attributes
----------
subject : ndarray of int, shape (180,)
    Number of the person, from 308 to 372.
day : ndarray of int, shape (180,)
    From 0 to 9.
reaction : ndarray of float, shape (180,)
    Mean reaction time, in milliseconds.
"""

from nbinfer.datasets.columns import columns

subject, day, reaction = columns("sleep_study.csv")
