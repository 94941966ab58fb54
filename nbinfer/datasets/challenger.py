"""Whether O-rings of the space shuttle showed distress, in the 23 launches before the Challenger's last one.

It was lost on 28 January 1986, after a launch at 31 degrees Fahrenheit.

Source: S. R. Dalal, E. B. Fowlkes and B. Hoadley, "Risk analysis of the space shuttle: pre-Challenger prediction of
failure", JASA 84 (1989); as ``SpaceShuttle`` of the R package vcd, without the launch whose rings were lost at sea.
Only the numbers are taken.

Attributes
----------
flight : ndarray of str, shape (23,)
    Its name.
temperature : ndarray of int, shape (23,)
    At launch, in degrees Fahrenheit.
distress : ndarray of int, shape (23,)
    1: a ring was eroded or let gas pass; 0: none.
"""

from nbinfer.datasets.columns import columns

flight, temperature, distress = columns("challenger.csv")
