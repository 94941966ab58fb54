"""The combined families that are tried: what each is in many digits, and where it is tried."""

import numpy as np
from mpmath import mp, mpf

from nbinfer.distributions import censored, laplace, mixture, normal, poisson, truncated, weibull

INF = np.inf

cut_normal, cut_poisson, cut_weibull = truncated(normal), truncated(poisson), truncated(weibull)
capped_weibull, capped_poisson = censored(weibull), censored(poisson)
normals, mixed, poissons = mixture(normal), mixture(normal, laplace), mixture(poisson)
cut_normals, capped_cut = truncated(normals), censored(cut_normal)
W = np.array([0.3, 0.7])
MU = np.array([-1.0, 2.0])


def normal_density(x, mu, sigma):
    return mp.npdf(x, mu, sigma)


def normal_mass(low, high, mu, sigma):
    """Return the probability between bounds, computed in the tail where it is small."""
    a, b = (low - mu) / sigma, (high - mu) / sigma
    return mp.ncdf(b) - mp.ncdf(a) if a < 0 else mp.ncdf(-a) - mp.ncdf(-b)


def weibull_density(x, alpha, scale):
    return alpha / scale * (x / scale) ** (alpha - 1) * mp.exp(-((x / scale) ** alpha))


def weibull_beyond(x, alpha, scale):
    return mp.exp(-((x / scale) ** alpha)) if x > 0 else mpf(1)


def poisson_mass(k, mu):
    return mp.exp(-mu) * mu ** int(k) / mp.factorial(int(k))


def poisson_up_to(k, mu):
    return mp.fsum(poisson_mass(j, mu) for j in range(int(k) + 1))


def laplace_density(x, mu, b):
    return mp.exp(-abs(x - mu) / b) / (2 * b)


def cut(density, mass):
    def reference(x, *parameters):
        *own, lower, upper = parameters
        return mp.log(density(x, *own) / mass(lower, upper, *own))

    return reference


def capped_weibull_reference(x, alpha, scale, lower, upper):
    if x == lower:
        return mp.log1p(-weibull_beyond(x, alpha, scale))
    return mp.log(weibull_beyond(x, alpha, scale) if x == upper else weibull_density(x, alpha, scale))


def capped_poisson_reference(k, mu, lower, upper):
    if k == lower:
        return mp.log(poisson_up_to(k, mu))
    return mp.log(1 - poisson_up_to(k - 1, mu) if k == upper else poisson_mass(k, mu))


def capped_cut_reference(x, mu, sigma, a, b, lower, upper):
    mass = normal_mass(a, b, mu, sigma)
    if x == lower:
        return mp.log(normal_mass(a, x, mu, sigma) / mass)
    return mp.log(normal_mass(x, b, mu, sigma) / mass if x == upper else normal_density(x, mu, sigma) / mass)


def several(x, weights, densities):
    return mp.log(mp.fsum(w * f(x) for w, f in zip(weights, densities, strict=True)))


def normals_density(x, weights, mu, sigma):
    return mp.fsum(w * normal_density(x, m, sigma) for w, m in zip(weights, mu, strict=True))


def normals_mass(low, high, weights, mu, sigma):
    return mp.fsum(w * normal_mass(low, high, m, sigma) for w, m in zip(weights, mu, strict=True))


def mixed_reference(x, weights, mu, sigma, middle, b):
    return several(x, weights, [lambda x: normal_density(x, mu, sigma), lambda x: laplace_density(x, middle, b)])


def poissons_reference(k, weights, mu):
    return several(k, weights, [lambda k, m=m: poisson_mass(k, m) for m in mu])


#: family, reference, points, how many arguments at the end have no derivative: bounds
FUNCTIONS = {
    "truncated(normal)": (
        cut_normal,
        cut(normal_density, normal_mass),
        [
            (0.5, 0.3, 1.2, 0.0, 2.0),
            (0.0, 0.3, 1.2, 0.0, INF),
            (2.0, 0.3, 1.2, -INF, 2.0),
            (0.5, 0.3, 1.2, -INF, INF),
            (30.5, 0.0, 1.0, 30.0, INF),
            (-30.5, 0.0, 1.0, -INF, -30.0),
            (30.5, 0.0, 1.0, 30.0, 31.0),
            (0.5, 0.0, 1.0, 0.4, 0.6),
        ],
        2,
    ),
    "truncated(weibull)": (
        cut_weibull,
        cut(weibull_density, lambda a, b, *own: weibull_beyond(a, *own) - weibull_beyond(b, *own)),
        [(1.5, 2.0, 1.0, 0.5, 3.0), (1.5, 2.0, 1.0, -1.0, 3.0), (6.1, 2.0, 1.0, 6.0, INF)],
        2,
    ),
    "truncated(poisson)": (
        cut_poisson,
        cut(
            poisson_mass,
            lambda a, b, mu: poisson_up_to(b if b < INF else 300, mu) - (poisson_up_to(a - 1, mu) if a > 0 else 0),
        ),
        [(3, 2.5, 1.0, 6.0), (1, 2.5, 1.0, INF), (0, 2.5, 0.0, 2.0), (40, 2.5, 40.0, INF), (2, 2.5, -INF, 2.0)],
        2,
    ),
    "censored(weibull)": (
        capped_weibull,
        capped_weibull_reference,
        [(1.5, 2.0, 1.0, 0.5, 3.0), (0.5, 2.0, 1.0, 0.5, 3.0), (3.0, 2.0, 1.0, 0.5, 3.0), (30.0, 2.0, 1.0, -INF, 30.0)],
        2,
    ),
    "censored(poisson)": (
        capped_poisson,
        capped_poisson_reference,
        [(3, 2.5, 1.0, 6.0), (1, 2.5, 1.0, 6.0), (6, 2.5, 1.0, 6.0), (3, 2.5, -INF, INF)],
        2,
    ),
    "censored(truncated(normal))": (
        capped_cut,
        capped_cut_reference,
        [(0.5, 0.3, 1.2, 0.0, 4.0, 0.2, 2.0), (0.2, 0.3, 1.2, 0.0, 4.0, 0.2, 2.0), (2.0, 0.3, 1.2, 0.0, INF, 0.2, 2.0)],
        4,
    ),
    "mixture(normal)": (
        normals,
        lambda x, *parameters: mp.log(normals_density(x, *parameters)),
        [
            (0.5, W, MU, 1.2),
            (40.0, W, MU, 1.2),
            (0.5, np.array([0.2, 0.3, 0.5]), np.arange(3.0), 0.1),
            (0.5, W[:1] / W[0], MU[:1], 1.0),
        ],
        0,
    ),
    "mixture(normal, laplace)": (
        mixed,
        mixed_reference,
        [(0.5, W, 0.1, 0.9, 0.3, 2.0), (90.0, W, 0.1, 0.9, 0.3, 2.0)],
        0,
    ),
    "mixture(poisson)": (
        poissons,
        poissons_reference,
        [(3, W, np.array([1.0, 4.0])), (100, W, np.array([1.0, 4.0]))],
        0,
    ),
    "truncated(mixture(normal))": (
        cut_normals,
        cut(normals_density, normals_mass),
        [(0.5, W, MU, 1.2, 0.0, 2.0), (-0.5, W, MU, 1.2, -0.7, INF)],
        2,
    ),
}
