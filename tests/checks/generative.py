"""Models that draw their own data, right ones and wrong ones."""

import numpy as np

import nbinfer as nb
from nbinfer.distributions import beta, binomial, exponential, half_normal, normal, poisson

X = np.array([-1.5, -0.5, 0.0, 0.5, 1.0, 2.0])


def of_line(p, d):
    return normal.logpdf(p.slope, 0.0, 1.0) + normal.logpdf(p.level, 0.0, 2.0) + half_normal.logpdf(p.sigma, 1.0)


def on_line(p, d):
    return normal.logpdf(d.y, p.level + p.slope * d.x, p.sigma)


def too_sure(p, d):
    return normal.logpdf(d.y, p.level + p.slope * d.x, 0.5 * p.sigma)


def draw_line(p, d, rng):
    return rng.normal(p.level + p.slope * d.x, p.sigma)


def line(likelihood=on_line, **more):
    parameters = {"slope": nb.real(), "level": nb.real(), "sigma": nb.positive()}
    return nb.Model(parameters, prior=of_line, likelihood={"y": likelihood}, data={"y": np.zeros(6), "x": X}, **more)


def wrong_likelihood():
    return line(too_sure, predict={"y": draw_line})


def of_groups(p, d):
    return normal.logpdf(p.mean, 0.0, 1.0) + exponential.logpdf(p.rate, 1.0) + np.sum(beta.logpdf(p.share, 2.0, 2.0))


def of_counts(p, d):
    return poisson.logpmf(d.k, p.rate * np.exp(0.3 * p.mean))


def of_successes(p, d):
    return binomial.logpmf(d.s, d.n, p.share)


def draw_shares(p, d, rng):
    return rng.beta(4.0, 2.0, 3)


def draw_mean(p, d, rng):
    return rng.normal(0.0, 1.0)


def draw_rate(p, d, rng):
    return rng.exponential(1.0)


def wrong_prior():
    """Draw shares that are larger than their density says, and the others as theirs do."""
    return groups(prior_draw={"mean": draw_mean, "rate": draw_rate, "share": draw_shares})


def groups(**more):
    parameters = {"mean": nb.real(), "rate": nb.positive(), "share": nb.unit(3)}
    data = {"k": np.zeros(4, int), "s": np.zeros(3, int), "n": np.array([2, 5, 9])}
    return nb.Model(parameters, prior=of_groups, likelihood={"k": of_counts, "s": of_successes}, data=data, **more)


def of_state(p, d):
    return np.log(0.3) if p.z == 1 else np.log(0.7)


def of_state_seen(p, d):
    return normal.logpdf(d.y, 1.0 * p.z, 1.0)


def draw_state(p, d, rng):
    return int(rng.random() < 0.3)


def state():
    return nb.Model(
        {"z": nb.binary()}, prior=of_state, prior_draw={"z": draw_state}, likelihood={"y": of_state_seen},
        data={"y": np.zeros(2)},
    )  # fmt: skip


def with_gaps():
    y = np.array([0.0, np.nan, 1.0, 0.0, 0.0, 0.0])
    parameters = {"slope": nb.real(), "level": nb.real(), "sigma": nb.positive()}
    data, missing = {"y": y, "x": X}, {"y": nb.real()}
    return nb.Model(parameters, prior=of_line, likelihood={"y": on_line}, data=data, missing=missing)
