"""A mixture whose posterior is known: z categorical, x | z normal, y = 1 observed with noise of sd 1."""

import functools

import numpy as np

import nbinfer as nb
from nbinfer.diagnostics import ess_mean

LOGPS = np.log([0.2, 0.5, 0.3])
MEANS, SDS = np.array([-2.0, 0.0, 3.0]), np.array([0.5, 1.0, 1.5])

#: P(z | y), then mean and sd of x, and its covariance with z.
P_Z = np.array([0.013204, 0.743844, 0.242953])
MEAN, SD, COV = 0.745897, 0.912258, 0.239579


def logp(p, d):
    return d.logw[p.z] - np.log(d.s[p.z]) - 0.5 * ((p.x - d.m[p.z]) / d.s[p.z]) ** 2 - 0.5 * (1.0 - p.x) ** 2


@functools.cache
def mixture():
    """The model."""
    data = {"logw": LOGPS, "m": MEANS, "s": SDS}
    return nb.Model({"z": nb.categorical(3), "x": nb.real()}, logp=logp, data=data)


def posterior(trace):
    """Hold a trace against the exact posterior: each number within 4.5 of its standard errors."""
    z, x = trace["z"], trace["x"]
    quantities = [((z == k).astype(float), P_Z[k]) for k in range(3)]
    quantities += [(x, MEAN), ((x - MEAN) ** 2, SD**2), ((x - MEAN) * (z - P_Z @ np.arange(3)), COV)]
    for values, exact in quantities:
        error = values.std() / np.sqrt(ess_mean(values))
        assert abs(values.mean() - exact) < 4.5 * error + 1e-6, (values.mean(), exact, error)
