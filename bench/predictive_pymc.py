"""Time PyMC's posterior predictive draws; run by `bench.predictive` in another interpreter. One JSON object per line.

Takes a folder of data and draws, and a number of calls, of which the least time counts. Each call compiles; a call for
one draw tells what that takes.
"""

import json
import logging
import sys
import time
import warnings
from pathlib import Path

import arviz as az
import numpy as np
import pymc as pm

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)


def schools(data):
    with pm.Model() as model:
        mu, tau, eta = pm.Normal("mu"), pm.HalfCauchy("tau", 5.0), pm.Normal("eta", shape=8)
        pm.Normal("y", mu + tau * eta, data["sigma"], observed=data["y"])
    return model


def line(data):
    with pm.Model() as model:
        a, b, s = pm.Normal("a"), pm.Normal("b"), pm.HalfNormal("s")
        pm.Normal("y", a + b * data["x"], s, observed=data["y"])
    return model


def seconds_of(model, draws, repeats):
    posterior, found = az.from_dict(posterior=draws), []
    for _ in range(repeats):
        begin = time.perf_counter()
        with model:
            pm.sample_posterior_predictive(posterior, progressbar=False, random_seed=1)
        found.append(time.perf_counter() - begin)
    return min(found)


folder, repeats = Path(sys.argv[1]), int(sys.argv[2])
for name, build in (("schools", schools), ("line", line)):
    with np.load(folder / f"{name}.npz") as file:
        data = {key: file[key] for key in file.files}
    draws = {key.removeprefix("draws_"): array for key, array in data.items() if key.startswith("draws_")}
    model = build(data)
    compiling = seconds_of(model, {key: array[:1, :1] for key, array in draws.items()}, repeats)
    whole = seconds_of(model, draws, repeats)
    print(json.dumps({"name": name, "seconds": whole - compiling, "compile": compiling}), flush=True)
