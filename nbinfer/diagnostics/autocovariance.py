"""Effective sample size from autocovariances (Geyer 1992; Vehtari et al. 2021, section 3.2)."""

import math
from typing import Any

import numpy as np

from nbinfer.compile import floats_at, kernel

#: Autocovariances up to this lag are summed directly; beyond it, one Fourier transform gives all of them.
DIRECT_LAGS = 32


#: Where the scratch memory and the tables for the autocovariances of split chains are.
Fourier = np.dtype(
    [
        ("length", "i8"),  # of the transform: a power of two, at least 2 * draws
        ("lags", "i8"),  # (draws,) sums of products at each lag
        ("rho", "i8"),  # (draws,) autocorrelations
        ("re", "i8"),  # (length,)
        ("im", "i8"),  # (length,)
        ("power", "i8"),  # (length,)
        ("cosines", "i8"),  # (length // 2,) filled by `fill_circle`
        ("sines", "i8"),  # (length // 2,)
    ]
)


@kernel
def fill_circle(fourier: Any) -> None:
    """Fill in the roots of unity that `transform` needs: half a circle, clockwise."""
    half = fourier.length // 2
    cosines, sines = floats_at(fourier.cosines, half), floats_at(fourier.sines, half)
    for i in range(half):
        angle = math.pi * i / half
        cosines[i] = math.cos(angle)
        sines[i] = -math.sin(angle)


@kernel
def transform(real: np.ndarray, imag: np.ndarray, cosines: np.ndarray, sines: np.ndarray) -> None:
    """Overwrite a complex sequence, whose length is a power of two, with its discrete Fourier transform."""
    n = real.size
    j = 0
    for i in range(1, n):
        bit = n >> 1
        while j & bit:
            j ^= bit
            bit >>= 1
        j |= bit
        if i < j:
            real[i], real[j] = real[j], real[i]
            imag[i], imag[j] = imag[j], imag[i]
    half = 1
    while half < n:
        stride = n // (2 * half)
        for start in range(0, n, 2 * half):
            for k in range(half):
                c = cosines[k * stride]
                s = sines[k * stride]
                a = start + k
                b = a + half
                re = real[b] * c - imag[b] * s
                im = real[b] * s + imag[b] * c
                real[b] = real[a] - re
                imag[b] = imag[a] - im
                real[a] += re
                imag[a] += im
        half *= 2


@kernel
def all_lags(split: np.ndarray, chains: int, draws: int, fourier: Any) -> None:
    """Fill ``fourier.lags`` with the sums over chains of products at each lag, by the Wiener-Khinchin theorem.

    Two chains make one complex sequence; the cross terms are odd in frequency, so that they end up in the imaginary
    part of the result, which nobody reads.
    """
    n = fourier.length
    real, imag, power = floats_at(fourier.re, n), floats_at(fourier.im, n), floats_at(fourier.power, n)
    cosines, sines = floats_at(fourier.cosines, n // 2), floats_at(fourier.sines, n // 2)
    lags = floats_at(fourier.lags, draws)
    power[:] = 0.0
    for pair in range(0, chains, 2):
        real[:] = 0.0
        imag[:] = 0.0
        for i in range(draws):
            real[i] = split[pair * draws + i]
            if pair + 1 < chains:
                imag[i] = split[(pair + 1) * draws + i]
        transform(real, imag, cosines, sines)
        for i in range(n):
            power[i] += real[i] * real[i] + imag[i] * imag[i]
    for i in range(n):
        real[i] = power[i]
        imag[i] = 0.0
    transform(real, imag, cosines, sines)
    for i in range(draws):
        lags[i] = real[i] / n


@kernel(reassociate=True)
def sum_of_products(split: np.ndarray, chains: int, draws: int, lag: int) -> float:
    """Return the sum over chains and draws of ``x[i] * x[i + lag]``."""
    total = 0.0
    for chain in range(chains):
        x = split[chain * draws : (chain + 1) * draws]
        for i in range(draws - lag):
            total += x[i] * x[i + lag]
    return total


@kernel
def centre(split: np.ndarray, chains: int, draws: int) -> float:
    """Subtract from each chain its mean; return the variance of these means (of one chain: 0)."""
    mean_of_means = 0.0
    spread = 0.0
    for chain in range(chains):
        first = split[chain * draws]
        total = 0.0
        for i in range(chain * draws, (chain + 1) * draws):
            total += split[i] - first  # so that chains which stand still have exactly no variance
        mean = first + total / draws
        for i in range(chain * draws, (chain + 1) * draws):
            split[i] -= mean
        delta = mean - mean_of_means
        mean_of_means += delta / (chain + 1)
        spread += delta * (mean - mean_of_means)
    return spread / (chains - 1) if chains > 1 else 0.0


@kernel
def effective_size(split: np.ndarray, chains: int, draws: int, between: float, fourier: Any) -> float:
    """Return the effective number of draws for a mean, by Geyer's initial monotone positive sequence.

    Parameters
    ----------
    split : ndarray, shape (chains * draws,)
        Chain after chain, centred by `centre`; at least two draws each.
    chains, draws : int
        Its shape.
    between : float
        Variance of the chain means, from `centre`.
    fourier : Fourier record
        Scratch.

    Returns
    -------
    ess : float
        At most ``n * log10(n)`` for n draws altogether; NaN if they do not vary.
    """
    size = chains * draws
    lags, rho = floats_at(fourier.lags, draws), floats_at(fourier.rho, draws)
    for lag in range(2):
        lags[lag] = sum_of_products(split, chains, draws, lag)
    biased = lags[0] / size
    within = biased * draws / (draws - 1.0)
    total = within * (draws - 1.0) / draws + between
    if not (total > 0.0 and math.isfinite(total)):
        return math.nan
    last_direct = min(DIRECT_LAGS, draws - 1)
    for lag in range(draws):
        rho[lag] = 0.0
    even = 1.0
    rho[0] = even
    odd = 1.0 - (within - lags[1] / size) / total
    rho[1] = odd
    t = 1
    transformed = False
    while t < draws - 3 and even + odd > 0.0:
        if t + 2 <= last_direct:
            lags[t + 1] = sum_of_products(split, chains, draws, t + 1)
            lags[t + 2] = sum_of_products(split, chains, draws, t + 2)
        elif not transformed:
            all_lags(split, chains, draws, fourier)
            transformed = True
        even = 1.0 - (within - lags[t + 1] / size) / total
        odd = 1.0 - (within - lags[t + 2] / size) / total
        if even + odd >= 0.0:
            rho[t + 1] = even
            rho[t + 2] = odd
        t += 2
    last = t - 2
    if even > 0.0:
        rho[last + 1] = even
    t = 1
    while t <= last - 2:
        if rho[t + 1] + rho[t + 2] > rho[t - 1] + rho[t]:
            rho[t + 1] = 0.5 * (rho[t - 1] + rho[t])
            rho[t + 2] = rho[t + 1]
        t += 2
    tau = -1.0 + rho[last + 1]
    for lag in range(last + 1):
        tau += 2.0 * rho[lag]
    return float(size / max(tau, 1.0 / math.log10(size)))
