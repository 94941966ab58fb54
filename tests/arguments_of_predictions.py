"""Odd arguments of what predicts, and of what draws from the prior."""

import numpy as np

import nbinfer as nb
from nbinfer.distributions import exponential, normal


def prior(p, d):
    return exponential.logpdf(p.y, 1.0)


def likelihood(p, d):
    return normal.logpdf(d.z, p.y, 1.0)


def predicting():
    """Return the calls of a model and draws of it."""
    data, dims = {"z": np.arange(3.0)}, {"z": ["row"]}
    model = nb.Model({"y": nb.positive()}, prior=prior, likelihood={"z": likelihood}, data=data, dims=dims)
    trace = nb.Trace({"y": np.random.default_rng(1).uniform(size=(2, 30))})
    seeded, of_draws = {"random_seed": 1, "progressbar": False}, {"trace": trace, "model": model}
    many = {"traces": [trace, trace], "samples": 3, "models": [model, model], "weights": [0.5, 0.5]}
    return {
        "sample_posterior_predictive": (
            nb.sample_posterior_predictive,
            {**of_draws, "data": {"z": [1.0, 2.0]}, "cores": 1, **seeded},
        ),
        "sample_ppc": (nb.sample_ppc, {**of_draws, "samples": 3, "size": 2, **seeded}),
        "sample_ppc_w": (nb.sample_ppc_w, {**many, **seeded}),
        "simulate": (nb.simulate, {"model": model, "point": {"y": 1.0}, "rng": 1}),
        "check_model": (
            nb.check_model,
            {"model": model, "draws": 10, "tune": 10, "chains": 2, "cores": 1, "random_seed": 1},
        ),
        "sbc": (
            nb.sbc,
            {
                "model": model,
                "simulations": 1,
                "draws": 5,
                "tune": 5,
                "chains": 1,
                "var_names": "y",
                "cores": 1,
                **seeded,
            },
        ),
        "sample_prior_predictive": (nb.sample_prior_predictive, {"samples": 3, "model": model, "cores": 1, **seeded}),
    }
