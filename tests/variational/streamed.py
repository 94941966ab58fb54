"""Models whose data may come in batches, which tests of this room share."""

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


def regression_prior(p, d):
    return -0.5 * np.sum(p.w**2)


def regression_term(p, d):
    return np.where(d.keep, -0.5 * (d.y - d.X @ p.w - p.a[d.group]) ** 2, 0.0)


def regression(data, rows=40):
    parameters = {"w": nb.real(2), "a": nb.real(3)}
    return nb.Model(
        parameters, prior=regression_prior, likelihood={"y": regression_term}, data=data, total_size={"y": rows}
    )


def columns(rows=40):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(rows, 2))
    group = rng.integers(0, 3, rows)
    return {"X": X, "group": group, "keep": rng.random(rows) < 0.8, "y": X @ [1.0, -1.0] + group}


def two_prior(p, d):
    return -0.5 * p.mu**2


def first(p, d):
    return -0.5 * (d.y1 - p.mu) ** 2


def second(p, d):
    return -0.125 * (d.y2 - p.mu) ** 2


class InPython(nb.KL):
    """The same loss, of which Python asks for gradients."""

    is_compiled = False

    def apply(self, f, z):
        self.seen = [*getattr(self, "seen", []), self.approx.data["y"]]
        return 0.0, np.zeros_like(z), []
