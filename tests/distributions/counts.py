"""Binomial families and their relatives."""

from mpmath import mp, mpf
from scipy import stats

from nbinfer.distributions import (
    beta_binomial,
    binomial,
    hypergeometric,
    negative_binomial,
    zero_inflated_binomial,
    zero_inflated_negative_binomial,
    zero_inflated_poisson,
)
from tests.distributions.case import FEW_DIGITS, Family, Function
from tests.distributions.discrete import INF, NAN, NO_PROBABILITY, exp, log, log_factorial, nowhere, xlogy


def log_binomial(n, k):
    return log_factorial(n) - log_factorial(k) - log_factorial(n - k)


def log_beta(a, b):
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def binomial_probability(k, n, p):
    return log_binomial(n, k) + xlogy(k, p) + xlogy(n - k, 1 - p)


def negative_binomial_probability(k, mu, a):
    ways = mp.loggamma(k + a) - log_factorial(k) - mp.loggamma(a)
    return ways + a * log(a / (mu + a)) + xlogy(k, mu / (mu + a))


def zero_inflated(k, psi, logp):
    return log(psi * exp(logp) + (1 - psi if k == 0 else 0))


def zero_inflated_tails(probability, parameters, whole=(0,), bad_parameters=()):
    """Describe logcdf and logsf of a zero-inflated family by sums of probabilities."""

    def up_to(k, psi, *own):
        return sum(exp(zero_inflated(j, psi, probability(mpf(j), *own))) for j in range(int(mp.floor(k)) + 1))

    points = [(k, psi, *parameters) for k, psi in ((0, 0.7), (3.5, 0.7), (3, 1.0), (2, 1e-3))]
    invalid = [*((1, psi, *parameters) for psi in NO_PROBABILITY), *bad_parameters]
    about = {"whole": whole, "digits": FEW_DIGITS, "rtol": 1e-13, "grad_rtol": 1e-12}
    return {
        "logcdf": Function(
            lambda *args: log(up_to(*args)),
            points,
            [(k, 0.7, *parameters) for k in (-1, -INF, NAN)],
            invalid,
            **about,
        ),
        "logsf": Function(
            lambda *args: log(1 - up_to(*args)) if args[0] >= 0 else mpf(0),
            [*points, (-1, 0.7, *parameters)],
            [(k, 0.7, *parameters) for k in (INF, NAN)],
            [*invalid, *((-1, *args[1:]) for args in invalid)],
            **about,
        ),
    }


FAMILIES = {
    "binomial": Family(
        binomial,
        {
            "logpmf": Function(
                binomial_probability,
                [(3, 10, 0.3), (0, 10, 1e-300), (10, 10, 1.0), (0, 10, 0.0), (0, 0, 0.5), (10**6, 3 * 10**6, 0.3)],
                [*nowhere(10, 0.3), (11, 10, 0.3), (1, 10, 0.0), (9, 10, 1.0)],
                [*((1, 2, p) for p in NO_PROBABILITY), (1, 2.5, 0.5), (0, -1, 0.5), (1, NAN, 0.5)],
                size=lambda k, n, p: 1.0 + n,
                whole=(0, 1),
                digits=400,
            ),
            "logpmf_logit": Function(
                lambda k, n, eta: log_binomial(n, k) + k * eta - n * log(1 + exp(eta)),
                [
                    (3, 10, 0.3),
                    (3, 10, 0.0),
                    (10, 10, 800.0),
                    (0, 10, 800.0),
                    (0, 10, -800.0),
                    (10**6, 3 * 10**6, -0.7),
                ],
                [*nowhere(10, 0.3), (11, 10, 0.3)],
                [(1, 2, NAN), (1, 2.5, 0.5), (0, -1, 0.5), (1, NAN, 0.5)],
                size=lambda k, n, eta: 1.0 + n,
                whole=(0, 1),
                digits=400,
            ),
            "logcdf": Function(
                lambda k, n, p: (
                    log(mp.betainc(n - mp.floor(k), mp.floor(k) + 1, 0, 1 - p, regularized=True)) if k < n else mpf(0)
                ),
                [(3, 10, 0.3), (3.5, 10, 0.3), (10, 10, 0.3), (0, 10, 1e-30), (40, 100, 0.9)],
                [(-1, 10, 0.3), (NAN, 10, 0.3)],
                whole=(0, 1),
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-12,
            ),
            "logsf": Function(
                lambda k, n, p: (
                    log(mp.betainc(mp.floor(k) + 1, n - mp.floor(k), 0, p, regularized=True)) if k >= 0 else mpf(0)
                ),
                [(3, 10, 0.3), (3.5, 10, 0.3), (-1, 10, 0.3), (0, 10, 1e-30), (60, 100, 0.1)],
                [(10, 10, 0.3), (11, 10, 0.3), (NAN, 10, 0.3)],
                whole=(0, 1),
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-12,
            ),
        },
        stats.binom,
        (10, 0.3),
    ),
    "beta_binomial": Family(
        beta_binomial,
        {
            "logpmf": Function(
                lambda k, n, a, b: log_binomial(n, k) + log_beta(k + a, n - k + b) - log_beta(a, b),
                [(3, 10, 2.0, 3.0), (0, 10, 0.01, 5.0), (10, 10, 2.0, 3.0), (3, 10, 1e6, 1e6), (0, 0, 2.0, 3.0)],
                [*nowhere(10, 2.0, 3.0), (11, 10, 2.0, 3.0)],
                [
                    (1, 2, 0.0, 1.0),
                    (1, 2, -1.0, 1.0),
                    (1, 2, NAN, 1.0),
                    (1, 2, 1.0, 0.0),
                    (1, 2.5, 1.0, 1.0),
                    (1, NAN, 1.0, 1.0),
                ],
                size=lambda k, n, a, b: 1.0 + n + a + b,
                whole=(0, 1),
                digits=FEW_DIGITS,
                plain_rtol=2e-14,
                grad_rtol=1e-12,
            ),
        },
        stats.betabinom,
        (10, 2.5, 1.5),
    ),
    "negative_binomial": Family(
        negative_binomial,
        {
            "logpmf": Function(
                negative_binomial_probability,
                [(3, 2.5, 1.5), (0, 0.0, 1.5), (0, 1e-300, 1.5), (40, 1e5, 0.1), (1000, 900.0, 10.0), (3, 2.5, 1e8)],
                [*nowhere(2.5, 1.5), (1, 0.0, 1.5)],
                [(1, mu, 1.5) for mu in (-1.0, INF, NAN)] + [(1, 2.5, a) for a in (0.0, -1.0, INF, NAN)],
                size=lambda k, mu, a: 1.0 + k,
                whole=(0,),
                digits=400,
                grad_rtol=1e-12,
            ),
            "logpmf_log": Function(
                lambda k, eta, a: negative_binomial_probability(k, exp(eta), a),
                [(3, 0.9, 1.5), (0, -700.0, 1.5), (2, -300.0, 1.5), (40, 700.0, 0.1), (3, 0.9, 1e8)],
                nowhere(0.9, 1.5),
                [(1, NAN, 1.5), (1, INF, 1.5)] + [(1, 2.5, a) for a in (0.0, -1.0, INF, NAN)],
                size=lambda k, eta, a: 1.0 + k * abs(eta),
                whole=(0,),
                digits=400,
                grad_rtol=1e-12,
            ),
            "logcdf": Function(
                lambda k, mu, a: log(mp.betainc(a, mp.floor(k) + 1, 0, a / (a + mu), regularized=True)),
                [(3, 2.5, 1.5), (3.5, 2.5, 1.5), (10, 200.0, 3.0), (60, 40.0, 30.0)],
                [(-1, 2.5, 1.5), (NAN, 2.5, 1.5)],
                whole=(0,),
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-11,
            ),
            "logsf": Function(
                lambda k, mu, a: (
                    log(mp.betainc(mp.floor(k) + 1, a, 0, mu / (a + mu), regularized=True)) if k >= 0 else mpf(0)
                ),
                [(3, 2.5, 1.5), (3.5, 2.5, 1.5), (30, 2.0, 3.0), (60, 40.0, 30.0), (-1, 2.5, 1.5)],
                [(INF, 2.5, 1.5), (NAN, 2.5, 1.5)],
                whole=(0,),
                digits=FEW_DIGITS,
                rtol=1e-13,
                grad_rtol=1e-11,
            ),
        },
        lambda mu, alpha: stats.nbinom(alpha, alpha / (mu + alpha)),
        (2.5, 1.5),
    ),
    "hypergeometric": Family(
        hypergeometric,
        {
            "logpmf": Function(
                lambda k, N, K, n: log_binomial(K, k) + log_binomial(N - K, n - k) - log_binomial(N, n),
                [
                    (3, 20, 7, 12),
                    (0, 20, 7, 12),
                    (7, 20, 7, 12),
                    (4, 10, 7, 7),
                    (0, 0, 0, 0),
                    (300, 10**6, 10**5, 3000),
                ],
                [(k, 20, 7, 12) for k in (-1, 8, 2.5, INF, NAN)] + [(3, 10, 7, 7)],
                [(1, 5, 6, 2), (1, 5, 2, 6), (1, 5.5, 2, 2), (1, 5, 2.5, 2), (1, 5, 2, 1.5), (1, NAN, 2, 2)],
                size=lambda k, N, K, n: 1.0 + n,
                whole=(0, 1, 2, 3),
                digits=FEW_DIGITS,
                plain_rtol=1e-12,
            ),
        },
        stats.hypergeom,
        (20, 7, 12),
        [(20, 15, 12), (10**6, 10**5, 3000), (5, 5, 3)],
    ),
    "zero_inflated_binomial": Family(
        zero_inflated_binomial,
        {
            "logpmf": Function(
                lambda k, psi, n, p: zero_inflated(k, psi, binomial_probability(k, n, p)),
                [(0, 0.7, 10, 0.3), (3, 0.7, 10, 0.3), (0, 1.0, 10, 0.3), (3, 1.0, 10, 0.3), (0, 0.0, 10, 0.3)],
                [*nowhere(0.7, 10, 0.3), (1, 0.0, 10, 0.3), (11, 0.7, 10, 0.3)],
                [
                    *((0, psi, 10, 0.3) for psi in NO_PROBABILITY),
                    (0, 0.5, -1, 0.3),
                    (1, 0.5, 10, NAN),
                    (0, 0.5, 2.5, 0.3),
                ],
                whole=(0, 2),
            ),
            **zero_inflated_tails(
                binomial_probability, (10, 0.3), (0, 2), [(1, 0.5, -1, 0.3), (1, 0.5, 2.5, 0.3), (1, 0.5, 10, NAN)]
            ),
        },
        None,
        (0.7, 10, 0.3),
    ),
    "zero_inflated_negative_binomial": Family(
        zero_inflated_negative_binomial,
        {
            "logpmf": Function(
                lambda k, psi, mu, a: zero_inflated(k, psi, negative_binomial_probability(k, mu, a)),
                [(0, 0.7, 2.5, 1.5), (3, 0.7, 2.5, 1.5), (0, 1.0, 2.5, 1.5), (3, 1.0, 2.5, 1.5), (0, 0.0, 2.5, 1.5)],
                [*nowhere(0.7, 2.5, 1.5), (1, 0.0, 2.5, 1.5)],
                [
                    *((0, psi, 2.5, 1.5) for psi in NO_PROBABILITY),
                    (0, 0.5, -1.0, 1.0),
                    (1, 0.5, NAN, 1.0),
                    (0, 0.5, 1.0, 0.0),
                ],
                whole=(0,),
                digits=FEW_DIGITS,
            ),
            **zero_inflated_tails(
                negative_binomial_probability,
                (2.5, 1.5),
                (0,),
                [(1, 0.5, -1.0, 1.0), (1, 0.5, NAN, 1.0), (1, 0.5, 1.0, 0.0)],
            ),
        },
        None,
        (0.7, 2.5, 1.5),
    ),
    "zero_inflated_poisson": Family(
        zero_inflated_poisson,
        {
            "logpmf": Function(
                lambda k, psi, mu: zero_inflated(k, psi, xlogy(k, mu) - mu - log_factorial(k)),
                [(0, 0.7, 2.5), (3, 0.7, 2.5), (0, 1.0, 2.5), (3, 1.0, 2.5), (0, 0.0, 2.5), (0, 1e-300, 50.0)],
                [*nowhere(0.7, 2.5), (1, 0.0, 2.5)],
                [*((0, psi, 2.5) for psi in NO_PROBABILITY), (0, 0.5, -1.0), (1, 0.5, NAN)],
                whole=(0,),
            ),
            **zero_inflated_tails(
                lambda k, mu: xlogy(k, mu) - mu - log_factorial(k), (2.5,), (0,), [(1, 0.5, -1.0), (1, 0.5, NAN)]
            ),
        },
        None,
        (0.7, 2.5),
    ),
}
