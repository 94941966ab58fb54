"""Draw many chains by BlackJAX; run by `bench.chains` in another interpreter. One JSON object per run.

Takes a folder and numbers of chains, draws of warm-up and draws. In the folder are the data; draws go there, so that
all are looked at by the same eyes. What compiles runs once before.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

#: Gradients of a step: MAMS takes them by McLachlan's integrator.
GRADIENTS = {"chees": 1, "mams": 2}


def densities(folder):
    """Return log densities of unconstrained coordinates, with their dimensions."""
    import jax
    import jax.numpy as jnp

    def normal(x, mu, sigma):
        z = (x - mu) / sigma
        return -0.5 * z * z - jnp.log(sigma)

    data = np.load(folder / "data.npz")
    y, sigma, S, rho = (jnp.asarray(data[name]) for name in ("y", "sigma", "S", "rho"))

    def eight_schools(x):
        mu, tau, z = x[0], jnp.exp(x[1]), x[2:]
        prior = normal(mu, 0.0, 5.0) - jnp.log1p((tau / 5.0) ** 2) + x[1] - 0.5 * jnp.sum(z**2)
        return prior + jnp.sum(normal(y, mu + tau * z, sigma))

    def ar1_gauss(x):
        return -0.5 * x[0] ** 2 - 0.5 * jnp.sum((x[1:] - rho * x[:-1]) ** 2) / (1.0 - rho * rho)

    def logistic(x):
        return -jnp.sum(jax.nn.softplus(-(x @ S))) - 0.5 * jnp.sum(x**2)

    def std_normal(x):
        return -0.5 * jnp.sum(x**2)

    return {
        "eight_schools": (eight_schools, 10), "std_normal": (std_normal, 100), "ar1_gauss": (ar1_gauss, 50),
        "logistic": (logistic, len(data["S"])),
    }  # fmt: skip


def chees(logp, chains, tune, draws):
    """Return what warms up and what draws, each of a key and states."""
    import blackjax
    import jax
    import optax

    warmup = blackjax.chees_adaptation(logp, chains, mass_matrix_estimation="diagonal")
    functions = {}

    @jax.jit
    def warm(key, positions):
        (states, parameters), _ = warmup.run(
            key, positions, 0.1, optax.adam(0.05, b1=0.0, b2=0.95), tune, max_sampling_steps=draws
        )
        functions.update({name: value for name, value in parameters.items() if callable(value)})
        return states, {name: value for name, value in parameters.items() if not callable(value)}

    @jax.jit
    def draw(key, warmed):
        states, parameters = warmed
        step = blackjax.dynamic_hmc(logp, **functions, **parameters).step

        def one(states, key):
            states, info = jax.vmap(step)(jax.random.split(key, chains), states)
            return states, (states.position, info.num_integration_steps)

        return jax.lax.scan(one, states, jax.random.split(key, draws))[1]

    return warm, draw


def mams(logp, chains, tune, draws):
    """Return the same; one chain tunes what all have, as there is no tuner of many chains, and then all warm up."""
    import blackjax
    import jax
    from blackjax.mcmc.adjusted_mclmc_dynamic import make_random_trajectory_length_fn

    steps = make_random_trajectory_length_fn(True)
    kernel = blackjax.mcmc.adjusted_mclmc_dynamic.build_kernel(integration_steps_fn=steps)
    init = blackjax.mcmc.adjusted_mclmc_dynamic.init

    def moved(states, parameters, key, count):
        def one(states, key):
            def each(key, state):
                return kernel(
                    key, state, logp, parameters.step_size, inverse_mass_matrix=parameters.inverse_mass_matrix,
                    integration_steps_params=(parameters.L / parameters.step_size,),
                )  # fmt: skip

            states, info = jax.vmap(each)(jax.random.split(key, chains), states)
            return states, (states.position, info.num_integration_steps)

        return jax.lax.scan(one, states, jax.random.split(key, count))

    @jax.jit
    def warm(key, positions):
        first, second, third = jax.random.split(key, 3)
        states = jax.vmap(lambda q, k: init(q, logp, k))(positions, jax.random.split(first, chains))
        _, parameters, _ = blackjax.adjusted_mclmc_find_L_and_step_size(
            kernel, logp, 10 * tune, jax.tree.map(lambda a: a[0], states), second, target=0.9, frac_tune1=0.5,
            frac_tune2=0.5,
        )  # fmt: skip
        return moved(states, parameters, third, tune // 2)[0], parameters

    @jax.jit
    def draw(key, warmed):
        return moved(*warmed, key, draws)[1]

    return warm, draw


def main():
    import jax

    jax.config.update("jax_enable_x64", True)
    import blackjax

    folder, (chains, tune, draws) = Path(sys.argv[1]), map(int, sys.argv[2:5])
    for name, (logp, dim) in densities(folder).items():
        for kind in (chees, mams):
            try:
                warm, draw = kind(logp, chains, tune, draws)
                times = []
                for seed in (1, 2):
                    keys = jax.random.split(jax.random.PRNGKey(seed), 3)
                    positions = jax.random.uniform(keys[0], (chains, dim), minval=-1.0, maxval=1.0)
                    times = [time.perf_counter()]
                    warmed = jax.block_until_ready(warm(keys[1], positions))
                    times.append(time.perf_counter())
                    x, steps = jax.block_until_ready(draw(keys[2], warmed))
                    times.append(time.perf_counter())
                np.save(folder / f"{name}_{kind.__name__}.npy", np.swapaxes(np.asarray(x), 0, 1))
                said = {"model": name, "what": f"BlackJAX {blackjax.__version__} {kind.__name__}",
                        "kind": kind.__name__, "warm": times[1] - times[0], "draw": times[2] - times[1],
                        "steps": GRADIENTS[kind.__name__] * float(np.mean(steps))}  # fmt: skip
                print(json.dumps(said), flush=True)
            except Exception as error:  # one that fails is no reason to miss the others
                print(f"{name} {kind.__name__}: {type(error).__name__}: {error}"[:400], file=sys.stderr)


if __name__ == "__main__":
    main()
