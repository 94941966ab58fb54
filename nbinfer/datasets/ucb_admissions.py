"""Applications to the six largest departments of the University of California at Berkeley in 1973, by gender.

Over all departments 45 % of the men and 30 % of the women were admitted; in most departments women were admitted more
often than men.

Source: P. J. Bickel, E. A. Hammel and J. W. O'Connell, "Sex bias in graduate admissions: data from Berkeley", Science
187 (1975); as ``UCBAdmissions`` of R, after D. Freedman, R. Pisani and R. Purves, "Statistics". Only the numbers are
taken.

Attributes
----------
department : ndarray of str, shape (12,)
    From A to F.
gender : ndarray of str, shape (12,)
    "male" or "female".
admitted : ndarray of int, shape (12,)
    How many were admitted.
applied : ndarray of int, shape (12,)
    Of so many.
"""

from nbinfer.datasets.columns import columns

department, gender, admitted, applied = columns("ucb_admissions.csv")
