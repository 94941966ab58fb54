"""A mean of a thousand numbers that may come in batches, which tests of this room share."""

import numpy as np

import nbinfer as nb
from tests.variational.targets import conjugate_likelihood, conjugate_prior

Y = 0.5 + np.sin(np.arange(1.0, 1001.0))


def conjugate(y, total=1000, **more):
    data = {"y": y, "mu0": 0.0, "tau": 0.1, "sigma": 1.0} | more
    sizes = {} if total is None else {"y": total}
    return nb.Model(
        {"mu": nb.real()}, prior=conjugate_prior, likelihood={"y": conjugate_likelihood}, data=data, total_size=sizes
    )


def advi(model, seed=1):
    return nb.ADVI(model=model, random_seed=seed)


def alike(one, other):
    np.testing.assert_array_equal(one.hist, other.hist)
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.std, other.std)
