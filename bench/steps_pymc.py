"""Time iterations of PyMC's step methods; run by `bench.steps` in another interpreter. One JSON object per line."""

import json
import logging
import sys
import time
import warnings

import numpy as np
import pymc as pm

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

NAMES = {
    "continuous": ["Metropolis", "DEMetropolisZ", "Slice", "HamiltonianMC", "NUTS"],
    "bits": ["BinaryMetropolis", "BinaryGibbsMetropolis"],
    "categories": ["CategoricalGibbsMetropolis"],
}


def model_of(kind, dim):
    with pm.Model() as model:
        if kind == "continuous":
            pm.Normal("x", 0.0, 1.0, shape=dim)
        elif kind == "bits":
            pm.Bernoulli("x", logit_p=0.3, shape=dim)
        else:
            weights = np.exp(0.3 * np.arange(4))
            pm.Categorical("x", p=weights / weights.sum(), shape=dim)
    return model


def seconds_of(step, point, repeats):
    def run(count):
        nonlocal point
        begun = time.perf_counter()
        for _ in range(count):
            point, _ = step.step(point)
        return (time.perf_counter() - begun) / count

    run(20)  # the first ones adapt
    count = max(5, int(0.1 / run(5)))
    return min(run(count) for _ in range(repeats))


for kind, names in NAMES.items():
    for dim in (1, 10, 100):
        with model_of(kind, dim) as model:
            for name in names:
                try:
                    step = getattr(pm, name)(vars=[model.value_vars[0]])
                    found = seconds_of(step, model.initial_point(), int(sys.argv[1]))
                except Exception as error:  # a step that this version lacks is no reason to miss the others
                    print(f"{name}: {error}", file=sys.stderr)
                    continue
                print(json.dumps({"name": name, "dim": dim, "seconds": found}), flush=True)
