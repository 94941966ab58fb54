"""Draws for the tests, and the definitions in plain NumPy and SciPy with steps left out on request."""

import json
from pathlib import Path

import numpy as np
from scipy.stats import norm, rankdata

_FOLDER = Path(__file__).parent.parent / "references" / "diagnostics"
REFERENCE = json.loads((_FOLDER / "reference.json").read_text())
with np.load(_FOLDER / "bern.npz") as _bern:
    THETA, LP = _bern["theta"], _bern["lp"]

_SHIFTED = THETA.copy()
_SHIFTED[3] += 0.1
#: The arrays that reference.json gives arviz-stats' values for.
ARRAYS = {
    "theta": THETA,
    "lp": LP,
    "theta_2chains_odd": THETA[:2, :999],
    "theta_1chain": THETA[:1],
    "theta_shifted_chain": _SHIFTED,
    "theta_short": THETA[:, :20],
}


def autoregressive(rng, correlation, shape=(4, 200)):
    """Draw stationary chains of unit variance; their effective size is known."""
    x = rng.normal(size=shape)
    for t in range(1, shape[1]):
        x[:, t] = correlation * x[:, t - 1] + np.sqrt(1 - correlation**2) * x[:, t]
    return x


def split_chains(x):
    half = x.shape[1] // 2
    return np.vstack([x[:, :half], x[:, -half:]])


def scores(x):
    ranks = rankdata(x).reshape(x.shape)
    return norm.ppf((ranks - 0.375) / (x.size + 0.25))


def basic_rhat(x):
    n = x.shape[1]
    within = x.var(axis=1, ddof=1).mean()
    between = n * x.mean(axis=1).var(ddof=1)
    return np.sqrt((between / within + n - 1) / n)


def plain_rhat(x, split=True, rank=True, fold=True):
    """Compute R-hat as the paper defines it; each switch off makes a mutant."""
    x = split_chains(x) if split else x
    score = scores if rank else np.asarray
    rhats = [basic_rhat(score(x))]
    if fold:
        rhats.append(basic_rhat(score(np.abs(x - np.median(x)))))
    return max(rhats)


def plain_ess(x, split=True, monotone=True):
    """Compute the effective size for a mean: direct sums, Geyer's sequence as the paper describes it."""
    x = split_chains(x) if split else x
    m, n = x.shape
    centred = x - x.mean(axis=1, keepdims=True)
    acov = np.array([(centred[:, : n - t] * centred[:, t:]).sum(axis=1).mean() / n for t in range(n)])
    within = acov[0] * n / (n - 1)
    total = acov[0] + x.mean(axis=1).var(ddof=1)
    rho = 1 - (within - acov) / total
    rho[0] = 1
    pairs = [rho[0] + rho[1]]
    k = 1
    while 2 * k < n - 2 and pairs[-1] > 0:
        pairs.append(rho[2 * k] + rho[2 * k + 1])
        k += 1
    last = len(pairs) - 1  # the first pair that is not positive, or the last there is: half of it counts
    even = rho[2 * last]
    kept = np.array(pairs[:last])
    if monotone:
        kept = np.minimum.accumulate(kept)
    tau = -1 + 2 * kept.sum() + max(even, 0)
    return m * n / max(tau, 1 / np.log10(m * n))
