"""Eruptions of the geyser Old Faithful in Yellowstone National Park, 272 of them in October 1980.

Short eruptions are followed by short waits, long ones by long waits: two clusters.

Source: W. Härdle, "Smoothing Techniques with Implementation in S", Springer (1991); A. Azzalini and A. W. Bowman, "A
look at some data on the Old Faithful geyser", Applied Statistics 39 (1990). As ``faithful`` of R (GPL 2 or later);
only the numbers are taken.

Attributes
----------
duration : ndarray of float, shape (272,)
    Of an eruption, in minutes.
waiting : ndarray of int, shape (272,)
    Until the next one, in minutes.
"""

from nbinfer.datasets.columns import columns

duration, waiting = columns("old_faithful.csv")
