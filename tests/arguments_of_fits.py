"""Calls of variational inference that `arguments` tries: callables, and arguments that are valid."""

import numpy as np

import nbinfer as nb
from nbinfer.variational import flows


def to_mean(d):
    return 2.0 * d.x


def fits(model, trace):
    """Return the calls of variational inference."""
    approx = nb.MeanField(model=model, random_seed=1)
    rows = nb.Model({"z": nb.real(3)}, logp=lambda p, d: -0.5 * np.sum((p.z - d.x) ** 2), data={"x": np.ones(3)})
    given = {"model": model, "random_seed": 1, "start": None, "start_sigma": 0.1}
    of_draws = {"kernel": nb.IMQ(), "metric": "diag", "cores": None}
    calls = {
        "fit": (nb.fit, {"n": 3, "progressbar": False, "method": "advi", "inf_kwargs": None, **given}),
        "Inference.fit": (
            nb.ADVI(**given).fit,
            {
                "n": 3,
                "progressbar": False,
                "callbacks": None,
                "obj_n_mc": 1,
                "obj_optimizer": nb.sgd,
                "total_grad_norm_constraint": None,
                "more_obj_params": None,
                "more_updates": None,
                "more_replacements": None,
                "score": None,
                "checkpoint": None,
                "max_seconds": None,
                "executor": None,
            },
        ),
        "ADVI": (nb.ADVI, given),
        "FullRankADVI": (nb.FullRankADVI, given),
        "LowRankADVI": (nb.LowRankADVI, given),
        "Pathfinder": (
            nb.Pathfinder,
            {**given, "n_paths": 2, "n_draws": 2, "elbo_draws": 2, "maxcor": 2, "tolerance": 0.1, "cores": None},
        ),
        "DADVI": (nb.DADVI, {**given, "n_draws": 4, "noise": None, "tolerance": 0.1, "beta": 1.0}),
        "DADVI.fit": (nb.DADVI(**given, n_draws=4).fit, {"n": 2, "progressbar": False, "more_replacements": None}),
        "BaM.fit": (nb.BaM(**given, n_draws=4).fit, {"n": 2, "progressbar": False, "obj_n_mc": 4}),
        "averaged_adam": (nb.optimizers.averaged_adam, {}),
        "SVGD": (
            nb.SVGD,
            {
                "n_particles": 3,
                "jitter": 1.0,
                "model": model,
                "start": None,
                "random_seed": 1,
                "estimator": nb.KSD,
                "kernel": nb.RBF(),
                "temperature": 1.0,
                "cores": None,
                "dtype": "float64",
                "noisy": False,
                "annealing": None,
                "metric": None,
                "backend": "cpu",
                "local_rv": None,
                "start_sigma": None,
            },
        ),
        "CyclicAnnealing": (nb.CyclicAnnealing, {"period": 2, "cycles": 1, "power": 1.0}),
        "ParticleHistory": (nb.ParticleHistory, {"every": 2, "after": 3}),
        "stein_thinning": (nb.stein_thinning, {"draws": trace, "n": 3, "model": model, **of_draws}),
        "ksd": (nb.ksd, {"draws": trace, "model": model, "unbiased": False, **of_draws}),
        "ksd_test": (
            nb.ksd_test,
            {"draws": trace, "model": model, "thin": 1, "flip": 0.5, "replicates": 20, "random_seed": 1, **of_draws},
        ),
        "ASVGD": (nb.ASVGD, {**given, "temperature": 1.0, "cores": None}),
        "ImplicitGradient": (nb.ImplicitGradient, {"approx": approx}),
        "KSD": (nb.KSD, {"approx": approx, "temperature": 1.0, "cores": None}),
        "Stein": (nb.Stein, {"approx": approx, "temperature": 1.0, "draws": 2, "random_seed": 1}),
        "RBF": (nb.RBF, {"bandwidth": 1.0}),
        "IMQ": (nb.IMQ, {"bandwidth": 1.0, "exponent": -0.5}),
        "SampleAverageKL": (nb.SampleAverageKL, {"approx": approx, "n_draws": 4, "tolerance": 0.1}),
        "RAABBVI": (nb.RAABBVI, {}),
        "BaM": (nb.BaM, {**given, "vfam": "low_rank", "rank": 1, "n_draws": 3, "learning_rate": 1.0}),
        "ScoreDivergence": (
            nb.ScoreDivergence,
            {"approx": nb.FullRank(model=model), "n_draws": 3, "learning_rate": 1.0},
        ),
        "NFVI": (nb.NFVI, {"flow": "scale-planar-loc", **given, "jitter": 0.1}),
        "NormalizingFlow": (nb.NormalizingFlow, {"flow": "scale-planar-loc", **given, "jitter": 0.1}),
        "MeanField": (nb.MeanField, given),
        "FullRank": (nb.FullRank, given),
        "LowRank": (nb.LowRank, given),
        "Empirical": (nb.Empirical, {"trace": trace, "model": model, "random_seed": 1}),
        "KLqp": (nb.KLqp, {"approx": approx}),
        "KL": (nb.KL, {"approx": approx}),
        "Group": (
            lambda **given: nb.Group(model=model, **given),
            {"group": ["x"], "vfam": "full_rank", "params": None, "options": None, "start": None, "start_sigma": 0.1},
        ),
        "Group that is local": (
            lambda **given: nb.Group(model=rows, **given),
            {"group": ["z"], "params": {"mu": to_mean, "rho": to_mean}, "local": True, "rowwise": False},
        ),
        "local_rv": (lambda local_rv: nb.ADVI(local_rv, rows), {"local_rv": {"z": {"mu": to_mean, "rho": to_mean}}}),
        "Learnt": (nb.ADVI(model=rows).fit, {"n": 2, "progressbar": False, "more_obj_params": ["x"]}),
        "Approximation": (nb.Approximation, {"groups": [nb.Group(None, "mean_field")], "model": model}),
        "shared": (nb.shared, {"value": np.zeros(2)}),
        "sample_approx": (nb.sample_approx, {"approx": approx, "draws": 3}),
        "CheckParametersConvergence": (nb.CheckParametersConvergence, {"every": 2}),
        "Tracker": (nb.Tracker, {"mean": approx.cov.mean}),
        "norm_constraint": (nb.norm_constraint, {"tensor_var": np.ones((2, 2)), "max_norm": 1.0}),
        "total_norm_constraint": (nb.total_norm_constraint, {"tensor_vars": [np.ones(2)], "max_norm": 1.0}),
    }
    calls |= flows_of(model)
    for name, valid in {
        "sample": {"draws": 3, "random_seed": 1}, "sample_node": {"node": "x", "size": 2}, "rslice": {"name": "x"},
        "sample_dict_fn": {"draws": 2}, "logp": {"draws": 2}, "elbo": {"draws": 2}, "draw": {"draws": 2},
        "collect": {"item": "mean"},
    }.items():  # fmt: skip
        calls[f"approx.{name}"] = (getattr(approx, name), valid)
    for name in ("sgd", "momentum", "nesterov_momentum", "adagrad", "adagrad_window", "rmsprop", "adadelta", "adam",
                 "adamax"):  # fmt: skip
        calls[name] = (getattr(nb, name), {})
    return calls


def flows_of(model):
    """Return the calls of flows, and of what they are found by."""
    formula, x = flows.Formula("scale-planar"), np.zeros((2, 3))
    flow = formula(dim=3, random_seed=1)
    given = {"z0": x, "dim": 3, "jitter": 0.1, "params": None, "batch_size": None, "local": False, "random_seed": 1}
    layers = {0: {"rho": np.zeros(3)}, 1: {"u": np.ones(3), "w": np.ones(3), "b": 0.0}}
    return {
        "Formula": (flows.Formula, {"formula": "scale"}),
        "Formula.of_params": (flows.Formula.of_params, {"params": layers}),
        "Formula.get_param_spec_for": (formula.get_param_spec_for, {"dim": 3, "batch_size": None}),
        "Formula.__call__": (formula, given | {"params": layers}),
        "PlanarFlow": (flows.PlanarFlow, given),
        "CouplingFlow": (flows.CouplingFlow, given),
        "flow.forward_pass": (flow.forward_pass, {"z0": x}),
        "flow.inverse_pass": (flow.inverse_pass, {"z": x}),
        "flow.logq": (flow.logq, {"z": x}),
        "register_flow": (flows.register_flow, {"flow": flows.PlanarFlow}),
        "flow_for_params": (flows.flow_for_params, {"params": {"loc": 0.0}}),
        "flow_for_short_name": (lambda name: flows.flow_for_short_name(name), {"name": "planar"}),
        "seems_like_formula": (flows.seems_like_formula, {"formula": "planar"}),
        "seems_like_flow_params": (flows.seems_like_flow_params, {"params": layers}),
        "Group of flows": (
            lambda **given: nb.Group(model=model, **given),
            {"group": ["x"], "vfam": "scale-planar", "options": {"jitter": 0.1}, "rowwise": False},
        ),
        "Group.get_param_spec_for": (nb.Group.get_param_spec_for, {"vfam": "scale-planar", "n": 3, "rows": 1}),
        "Group.group_for_params": (nb.Group.group_for_params, {"params": layers}),
        "Pathfinder.fit": (
            nb.Pathfinder(model=model, random_seed=1, n_draws=5).fit,
            {"n": 3, "score": None, "callbacks": None, "progressbar": False, "fn_kwargs": None},
        ),
    }
