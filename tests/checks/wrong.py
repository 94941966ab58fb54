"""Models of which each has one thing wrong, and what is to be said of it before its run."""

import numpy as np

import nbinfer as nb
from nbinfer.distributions import binomial, half_normal, normal, poisson

X = np.array([1.0, 2.0, 3.0, 4.0])


def of_slope(p, d):
    return normal.logpdf(p.b, 0.0, 10.0)


def on_line(p, d):
    return normal.logpdf(d.y, p.b * d.x, 1.0)


def on_line_summed(p, d):
    return np.sum(normal.logpdf(d.y, p.b * d.x, 1.0))


def with_scale(p, d):
    return normal.logpdf(p.mu, 0.0, 1.0) + half_normal.logpdf(p.s, 1.0) + np.sum(normal.logpdf(d.y, p.mu, p.s))


def of_mu(p, d):
    return normal.logpdf(p.mu, 0.0, 1.0)


def of_two(p, d):
    return np.sum(normal.logpdf(p.t[:2], 0.0, 1.0))


def counted(p, d):
    return -0.5 * p.mu**2 if p.k >= 0 else -1.0


def twice_as_steep(p, d, grad):
    grad.mu[()] += -2.0 * p.mu
    return -0.5 * p.mu**2


def not_written(p, d, grad):
    grad.mu[()] += np.nan
    return -0.5 * p.mu**2


def rounded(p, d):
    return -0.5 * (p.mu - 0.1 * int(10.0 * p.mu)) ** 2 - 0.5 * p.mu**2


def noisy(p, d):
    return -0.5 * p.mu**2 + np.random.normal()  # noqa: NPY002


def misspelt(p, d):
    return -0.5 * p.nu**2


def nowhere(p, d):
    return -np.inf


def out_of_bounds(p, d):
    return -0.5 * (p.mu - d.y[len(d.y)]) ** 2


def of_theta(p, d):
    return normal.logpdf(p.theta, 0.0, 1.0)


def successes(p, d):
    return binomial.logpmf(d.k, 10, p.theta)


def wide(p, d):
    return normal.logpdf(p.rate, 0.0, 300.0)


def overflowing(p, d):
    return poisson.logpmf(d.k, np.exp(np.exp(p.rate)))


def in_two_units(p, d):
    return normal.logpdf(p.a, 0.0, 1e-4) + normal.logpdf(p.b, 0.0, 1e4)


def above_another(p, d):
    return -p.high - p.low if p.high > p.low else -np.inf


def differences(p, d):
    return normal.logpdf(d.y, p.mu, 1.0)


def short(p, d, rng):
    return rng.normal(p.mu, 1.0, 3)


def misread(p, d, i):
    return -0.5 * p.mu**4


MU, DATA = {"mu": nb.real()}, {"y": X}
LINE = {"parameters": {"b": nb.real()}, "prior": of_slope}

#: By what is wrong: arguments of the model, kinds of problems, and part of what is said of it.
WRONG = {
    "a column against a row": (
        {**LINE, "likelihood": {"y": on_line}, "data": {"y": X[:, None], "x": X}}, ["functions"], "got (4, 4)",
    ),
    "a column against a row, without a name": (
        {**LINE, "likelihood": on_line, "data": {"y": X[:, None], "x": X}}, ["shapes"], "use y.ravel()",
    ),
    "a sum of a column against a row": (
        {**LINE, "likelihood": {"y": on_line_summed}, "data": {"y": X[:, None], "x": X}}, [],
        "they broadcast to (4, 4)",
    ),
    "a scale without its bound": (
        {"parameters": MU | {"s": nb.real()}, "logp": with_scale, "data": DATA}, ["support"],
        "below s = 0: logp is -inf. Trajectories are cut off there: declare 's' as nb.positive().",
    ),
    "a probability without its bounds": (
        {"parameters": {"theta": nb.real()}, "prior": of_theta, "likelihood": {"k": successes}, "data": {"k": [3, 4]}},
        ["support"], "declare 'theta' as nb.interval(0, 1)",
    ),
    "an order without its bound": (
        {"parameters": {"low": nb.positive(), "high": nb.positive()}, "logp": above_another}, ["support"], "'high'",
    ),
    "parameters that nothing reads": (
        {"parameters": MU | {"s": nb.positive(), "t": nb.real(3)}, "logp": of_mu}, ["parameters without effect"],
        "does not depend on s, t. Draws of it wander over the support",
    ),
    "an element that nothing reads": (
        {"parameters": {"t": nb.real(3)}, "logp": of_two}, ["parameters without effect"], "depend on t[2].",
    ),
    "a discrete parameter that changes nothing": (
        {"parameters": MU | {"k": nb.integer(0, 5)}, "logp": counted}, ["parameters without effect"], "depend on k.",
    ),
    "a gradient of another density": (
        {"parameters": MU, "logp_grad": twice_as_steep}, ["gradient"],
        "The gradient, which is written, is wrong for mu",
    ),
    "a gradient that is NaN": (
        {"parameters": MU, "logp_grad": not_written}, ["start", "gradient"], "the gradient is nan for mu",
    ),
    "int of a parameter": ({"parameters": MU, "logp": rounded}, ["gradient"], "int() has derivative 0"),
    "a random density": (
        {"parameters": MU, "logp": noisy}, ["randomness in the density", "cost of a gradient"], "at the same point",
    ),
    "a misspelt parameter": ({"parameters": MU, "logp": misspelt}, ["functions"], "'nu'; Parameters has mu"),
    "a density of zero": ({"parameters": MU, "logp": nowhere}, ["start"], "No chain can begin"),
    "an index beyond the data": (
        {"parameters": MU, "logp": out_of_bounds, "data": DATA}, ["functions"], "IndexError",
    ),
    "NaN among data": (
        {"parameters": MU, "likelihood": {"y": differences}, "data": {"y": [1.0, np.nan]}, "allow_nan": ["y"]},
        ["start", "data"], "1 of 2 values of 'y' is NaN",
    ),
    "infinite data": (
        {"parameters": MU, "likelihood": {"y": differences}, "data": {"y": [np.inf, 0.0, np.inf]}},
        ["start", "data"], "2 of 3 values of 'y' are inf",
    ),
    "a prior far too wide": (
        {"parameters": {"rate": nb.real()}, "prior": wide, "likelihood": {"k": overflowing}, "data": {"k": [3, 4]}},
        ["support"], "drawn from the prior the density is not finite: the likelihood 'k' is",
    ),
    "units far apart": (
        {"parameters": {"a": nb.real(), "b": nb.real()}, "logp": in_two_units}, ["scale of parameters"],
        "changes over 0.0001 of a and 10000 of b",
    ),
    "predictions of another shape": (
        {"parameters": MU, "prior": of_mu, "likelihood": {"y": differences}, "data": DATA, "predict": {"y": short}},
        ["shapes"], "predicts (3,) of 'y', which has shape (4,)",
    ),
    "a wrong conditional": (
        {"parameters": MU, "logp": of_mu, "conditional": {"mu": misread}}, ["start"], "conditional",
    ),
}  # fmt: skip
