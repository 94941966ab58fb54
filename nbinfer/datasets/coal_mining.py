"""Disasters in British coal mines that killed ten or more, year by year from 1851 to 22 March 1962.

191 of them in 112 years; the usual question is when they became rarer.

Source: R. G. Jarrett, "A note on the intervals between coal-mining disasters", Biometrika 66 (1979), which corrects
and extends B. A. Maguire, E. S. Pearson and A. H. A. Wynn (1952). Counted from the dates of each disaster, as the R
package boot has them (``coal``, unlimited licence). One is dated 1 January 1942; tables that have it a day earlier
count one more in 1941.

Attributes
----------
year : ndarray of int, shape (112,)
    Year.
disasters : ndarray of int, shape (112,)
    How many disasters there were in it.
"""

from nbinfer.datasets.columns import columns

year, disasters = columns("coal_mining.csv")
