"""The densities of `bench.autodiff` in JAX; run by it, in an interpreter that has JAX and need not have nbinfer.

Takes a file of points and data and the seconds of a measurement; writes one JSON object per case and line.
"""

import json
import math
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, logsumexp

jax.config.update("jax_enable_x64", True)

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
STATES = 3
REPEATS = 15


def normal(x, mu, sigma):
    z = (x - mu) / sigma
    return -0.5 * z * z - jnp.log(sigma) - HALF_LOG_2PI


def eight_schools(x, y, sigma):
    mu, tau, z = x[0], jnp.exp(x[1]), x[2:]
    prior = normal(mu, 0.0, 5.0) + normal(tau, 0.0, 5.0) + x[1] + jnp.sum(normal(z, 0.0, 1.0))
    return prior + jnp.sum(normal(y, mu + tau * z, sigma))


def logistic(x, X, y):
    eta = X @ x
    return jnp.sum(y * eta - jax.nn.softplus(eta)) - 0.5 * jnp.sum(x**2)


def logistic_careless(x, X, y):
    eta = X @ x
    return jnp.sum(y * eta - jnp.log(1 + jnp.exp(eta))) - 0.5 * jnp.sum(x**2)


def intercepts(x, county, floor, y):
    mu, spread, slope, sigma = x[0], jnp.exp(x[1]), x[2], jnp.exp(x[3])
    alpha = mu + spread * x[4:]
    error = (y - alpha[county] - slope * floor) / sigma
    scales = x[1] + x[3] - 0.5 * (mu**2 + spread**2 + slope**2 + sigma**2)
    return scales - 0.5 * jnp.sum(x[4:] ** 2) - 0.5 * jnp.sum(error**2) - y.size * jnp.log(sigma)


def volatility(x, y):
    mu, phi, s, z = x[0], jnp.tanh(x[1]), jnp.exp(x[2]), x[3:]

    def step(h, z):
        h = mu + phi * (h - mu) + s * z
        return h, h

    first = mu + s * z[0] / jnp.sqrt(1 - phi * phi)
    _, rest = jax.lax.scan(step, first, z[1:])
    h = jnp.concatenate([first[None], rest])
    return -0.5 * jnp.sum(x[:3] ** 2) + jnp.sum(-0.5 * z**2 - 0.5 * h - 0.5 * y**2 * jnp.exp(-h))


def process(x, t, y):
    scale, height, noise = jnp.exp(x[0]), jnp.exp(x[1]), jnp.exp(x[2])
    distance = (t[:, None] - t[None, :]) / scale
    K = height**2 * jnp.exp(-0.5 * distance**2) + (noise * noise + 1e-8) * jnp.eye(t.size)
    L = jnp.linalg.cholesky(K)
    z = jax.scipy.linalg.solve_triangular(L, y, lower=True)
    return -0.5 * jnp.dot(z, z) - jnp.sum(jnp.log(jnp.diag(L))) - 0.5 * jnp.sum(x**2)


def markov(x, y):
    moves, means = x[: STATES * STATES].reshape(STATES, STATES), x[STATES * STATES :]

    def step(a, y):
        return logsumexp(a[:, None] + moves, axis=0) - 0.5 * (y - means) ** 2, None

    a, _ = jax.lax.scan(step, jnp.zeros(STATES), y)
    return logsumexp(a) - 0.5 * jnp.sum(x**2)


def negative_binomial(x, u, y):
    phi = jnp.exp(x[2])
    mu = jnp.exp(x[0] + x[1] * u)
    counts = gammaln(y + phi) - gammaln(phi) - gammaln(y + 1.0) + y * jnp.log(mu / (mu + phi))
    return -0.5 * jnp.sum(x**2) + jnp.sum(jnp.where(y > 0, counts, 0.0) + phi * jnp.log(phi / (mu + phi)))


DENSITIES = {
    "eight schools": eight_schools,
    "logistic, loop": logistic,
    "logistic, X @ beta": logistic,
    "logistic, careless": logistic_careless,
    "intercepts, alpha[county]": intercepts,
    "intercepts, loop": intercepts,
    "volatility, array": volatility,
    "volatility, scalar": volatility,
    "process n=30, loop": process,
    "process n=30, array": process,
    "hidden Markov K=3 T=200": markov,
    "negative binomial": negative_binomial,
}


def main() -> None:
    with np.load(sys.argv[1]) as file:
        arrays = {key: jnp.asarray(file[key]) for key in file.files}
    for name in dict.fromkeys(key.partition("/")[0] for key in arrays):
        points = arrays[f"{name}/points"]
        data = [arrays[key] for key in arrays if key.startswith(f"{name}/") and key != f"{name}/points"]
        said = measure(DENSITIES[name], points, data, float(sys.argv[2]))
        print(json.dumps({"name": name, **said}), flush=True)


def measure(density, points, data, seconds):
    """Return value and gradient at the first point, the seconds of one evaluation and those of compilation."""
    both = jax.value_and_grad(density)

    @jax.jit
    def repeated(points, data, calls):
        def body(i, carry):
            value, grad = both(points[i % points.shape[0]], *data)
            return carry[0] + value, carry[1] + grad

        return jax.lax.fori_loop(0, calls, body, (0.0, jnp.zeros(points.shape[1])))

    begun = time.perf_counter()
    run = repeated.lower(points, data, 1).compile()
    compiled = time.perf_counter() - begun
    value, grad = run(points, data, 1)

    def once(calls):
        begun = time.process_time()
        jax.block_until_ready(run(points, data, calls))
        return (time.process_time() - begun) / calls

    calls = points.shape[0]
    while once(calls) * calls < 0.5 * seconds:
        calls *= 2
    least = min(once(calls) for _ in range(REPEATS))
    return {
        "version": jax.__version__,
        "value": float(value),
        "grad": grad.tolist(),
        "seconds": least,
        "compile": compiled,
    }


if __name__ == "__main__":
    main()
