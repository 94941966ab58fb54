"""Time iterations of SVGD in PyMC and BlackJAX; run by `bench.svgd` in another interpreter. One JSON object per line.

Takes a file of X and y, and numbers of particles; both programs have all cores and float64.
"""

import json
import logging
import sys
import time
import warnings

import numpy as np

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

#: Seconds that a measurement takes, about, and how many there are: the least counts.
SECONDS, REPEATS = 1.0, 3


def least(run):
    """Return the least seconds of an iteration; `run` makes so many."""
    run(2)
    begun = time.perf_counter()
    run(2)
    count = max(2, int(2.0 * SECONDS / (time.perf_counter() - begun)))
    found = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        run(count)
        found.append((time.perf_counter() - begun) / count)
    return min(found)


def pymc(X, y, n):
    import pymc as pm

    with pm.Model():
        beta = pm.Normal("beta", 0.0, 1.0, shape=X.shape[1])
        pm.Bernoulli("y", logit_p=X @ beta, observed=y)
        inference = pm.SVGD(n_particles=n, random_seed=1)
        step = inference.objective.step_function(obj_optimizer=pm.adagrad_window(learning_rate=0.1))
    return pm.__version__, least(lambda count: [step() for _ in range(count)])


def blackjax(X, y, n):
    import blackjax
    import jax
    import jax.numpy as jnp
    import optax

    jax.config.update("jax_enable_x64", True)

    def logp(beta):
        eta = X @ beta
        return jnp.sum(y * eta - jax.nn.softplus(eta)) - 0.5 * jnp.sum(beta**2)

    algorithm = blackjax.svgd(jax.grad(logp), optax.adam(0.05))
    state = algorithm.init(jax.random.normal(jax.random.PRNGKey(0), (n, X.shape[1])))
    step = jax.jit(algorithm.step)

    def run(count):
        nonlocal state
        for _ in range(count):
            state = step(state)
        jax.block_until_ready(state)

    return blackjax.__version__, least(run)


def main():
    data = np.load(sys.argv[1])
    for name, measure in (("PyMC", pymc), ("BlackJAX", blackjax)):
        for n in map(int, sys.argv[2:]):
            try:
                version, seconds = measure(data["X"], data["y"], n)
            except Exception as error:  # a program that is not there is no reason to miss the other
                print(f"{name}: {error}", file=sys.stderr)
                continue
            print(json.dumps({"what": f"{name} {version}", "n": n, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
