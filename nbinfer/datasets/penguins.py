"""Measures of 344 penguins of three species on islands of the Palmer Archipelago, Antarctica, 2007 to 2009.

Some measures are missing (NaN), and the sex of some is (an empty str).

Source: A. M. Horst, A. P. Hill and K. B. Gorman, "palmerpenguins: Palmer Archipelago (Antarctica) penguin data"
(2020), of K. B. Gorman, T. D. Williams and W. R. Fraser, PLoS ONE 9 (2014). Licence: CC0.

Attributes
----------
species : ndarray of str, shape (344,)
    "adelie", "chinstrap" or "gentoo".
island : ndarray of str, shape (344,)
    "biscoe", "dream" or "torgersen".
bill_length : ndarray of float, shape (344,)
    In millimetres.
bill_depth : ndarray of float, shape (344,)
    In millimetres.
flipper_length : ndarray of float, shape (344,)
    In millimetres.
body_mass : ndarray of float, shape (344,)
    In grams.
sex : ndarray of str, shape (344,)
    "female", "male" or "".
year : ndarray of int, shape (344,)
    Of the measurement.
"""

from nbinfer.datasets.columns import columns

species, island, bill_length, bill_depth, flipper_length, body_mass, sex, year = columns("penguins.csv")
