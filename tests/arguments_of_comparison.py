"""Odd arguments of what computes log likelihoods of draws, and compares models by them."""

import numpy as np

import nbinfer as nb


def likelihood(p, d):
    return -0.5 * (d.z - p.y) ** 2


def prior(p, d):
    return -p.y


def comparing():
    """Return the calls of a model, draws of it, and its log likelihoods."""
    model = nb.Model({"y": nb.positive()}, prior=prior, likelihood={"z": likelihood}, data={"z": np.arange(3.0)})
    trace = nb.Trace({"y": np.random.default_rng(1).uniform(size=(2, 30))})
    of_draws = {"trace": trace, "model": model, "progressbar": False}
    values = {"trace": {"z": -0.5 * (np.arange(3.0) - trace["y"][..., None]) ** 2}, "var_name": "z"}
    elpd = nb.loo(**values)
    return {
        "compute_log_likelihood": (nb.compute_log_likelihood, of_draws),
        "compute_log_prior": (nb.compute_log_prior, of_draws),
        "loo": (nb.loo, {"model": None, "reff": 1.0, **values}),
        "waic": (nb.waic, values),
        "compare": (nb.compare, {"models": {"a": elpd, "b": elpd}, "method": "bb-pseudo-bma", "random_seed": 1}),
    }
