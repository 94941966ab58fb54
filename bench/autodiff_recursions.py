"""The densities of `bench.autodiff_models` that are longer: a recursion, a Gaussian process, a hidden Markov model.

What is said there holds here.
"""

from __future__ import annotations

import math

import numpy as np

from nbinfer.autodiff.linalg import solve_lower
from nbinfer.compile import kernel

# ---- stochastic volatility: the path as an array, and as a scalar that is overwritten


def volatility_array(x, y):
    mu, phi, s = x[0], np.tanh(x[1]), np.exp(x[2])
    lp = -0.5 * mu**2 - 0.5 * x[1] ** 2 - 0.5 * x[2] ** 2
    h = np.empty(y.size)
    h[0] = mu + s * x[3] / np.sqrt(1 - phi * phi)
    for t in range(1, y.size):
        h[t] = mu + phi * (h[t - 1] - mu) + s * x[3 + t]
    for t in range(y.size):
        lp += -0.5 * x[3 + t] ** 2 - 0.5 * h[t] - 0.5 * y[t] ** 2 * np.exp(-h[t])
    return lp


def volatility_scalar(x, y):
    mu, phi, s = x[0], math.tanh(x[1]), math.exp(x[2])
    lp = -0.5 * mu**2 - 0.5 * x[1] ** 2 - 0.5 * x[2] ** 2
    h = 0.0
    for t in range(y.size):
        z = x[3 + t]
        if t == 0:
            h = mu + s * z / math.sqrt(1 - phi * phi)
        else:
            h = mu + phi * (h - mu) + s * z
        lp += -0.5 * z**2 - 0.5 * h - 0.5 * y[t] ** 2 * math.exp(-h)
    return lp


@kernel(reassociate=True)
def volatility_grad(x, y, grad):
    mu, phi, s = x[0], math.tanh(x[1]), math.exp(x[2])
    last = y.size - 1
    stationary = 1.0 / math.sqrt(1.0 - phi * phi)
    h = np.empty(y.size)
    h[0] = mu + s * stationary * x[3]
    for t in range(1, y.size):
        h[t] = mu + phi * (h[t - 1] - mu) + s * x[3 + t]
    lp = -0.5 * (mu * mu + x[1] * x[1] + x[2] * x[2])
    pull, pull_mu, pull_phi, pull_s = 0.0, 0.0, 0.0, 0.0
    for back in range(last):
        t = last - back
        z, e = x[3 + t], 0.5 * y[t] * y[t] * math.exp(-h[t])
        lp -= 0.5 * z * z + 0.5 * h[t] + e
        pull = phi * pull - 0.5 + e
        pull_mu += pull
        pull_phi += pull * (h[t - 1] - mu)
        pull_s += pull * z
        grad[3 + t] += pull * s - z
    z, e = x[3], 0.5 * y[0] * y[0] * math.exp(-h[0])
    lp -= 0.5 * z * z + 0.5 * h[0] + e
    pull = phi * pull - 0.5 + e
    pull_phi += pull * s * z * phi * stationary * stationary * stationary
    grad[3] += pull * s * stationary - z
    grad[0] += pull_mu * (1.0 - phi) + pull - mu
    grad[1] += pull_phi * (1.0 - phi * phi) - x[1]
    grad[2] += (pull_s + pull * z * stationary) * s - x[2]
    return lp


# ---- a Gaussian process: covariance by loops, and by array expressions


def process_loop(x, t, y):
    scale, height, noise = np.exp(x[0]), np.exp(x[1]), np.exp(x[2])
    n = t.size
    K = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            distance = (t[i] - t[j]) / scale
            K[i, j] = height**2 * np.exp(-0.5 * distance * distance)
        K[i, i] += noise * noise + 1e-8
    L = np.linalg.cholesky(K)
    z = solve_lower(L, y)
    return -0.5 * np.dot(z, z) - np.sum(np.log(np.diag(L))) - 0.5 * np.sum(x**2)


def process_array(x, t, y):
    scale, height, noise = np.exp(x[0]), np.exp(x[1]), np.exp(x[2])
    distance = (t[:, None] - t[None, :]) / scale
    K = height**2 * np.exp(-0.5 * distance**2) + (noise * noise + 1e-8) * np.eye(t.size)
    L = np.linalg.cholesky(K)
    z = solve_lower(L, y)
    return -0.5 * np.dot(z, z) - np.sum(np.log(np.diag(L))) - 0.5 * np.sum(x**2)


@kernel(reassociate=True)
def process_grad(x, t, y, grad):
    """By dlogp / dK = (a a' - inv K) / 2 with a = inv K y; everything in lower triangles."""
    n = t.size
    height, noise, weight = math.exp(2.0 * x[1]), math.exp(2.0 * x[2]), math.exp(-2.0 * x[0])
    K, L, M = np.empty((n, n)), np.empty((n, n)), np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            distance = t[i] - t[j]
            K[i, j] = height * math.exp(-0.5 * weight * distance * distance)
        K[i, i] = height
    log_det = 0.0
    for i in range(n):
        for j in range(i + 1):
            total = K[i, j] + (noise + 1e-8 if i == j else 0.0)
            for k in range(j):
                total -= L[i, k] * L[j, k]
            L[i, j] = total / L[j, j] if j < i else math.sqrt(total)
        log_det += math.log(L[i, i])
        # Row i of M = inv L, from the rows before.
        for k in range(i):
            factor = L[i, k]
            for j in range(k + 1):
                M[i, j] -= factor * M[k, j]
        inverse = 1.0 / L[i, i]
        for j in range(i):
            M[i, j] *= inverse
        M[i, i] = inverse
    a = np.zeros(n)
    squares = 0.0
    for i in range(n):
        z = 0.0
        for j in range(i + 1):
            z += M[i, j] * y[j]
        squares += z * z
        for j in range(i + 1):
            a[j] += M[i, j] * z
    # The lower triangle of inv K = M' M, in the place of L.
    for i in range(n):
        for j in range(i + 1):
            L[i, j] = 0.0
    for k in range(n):
        for i in range(k + 1):
            factor = M[k, i]
            for j in range(i + 1):
                L[i, j] += factor * M[k, j]
    pull_scale, pull_height, pull_noise = 0.0, 0.0, 0.0
    for i in range(n):
        for j in range(i):
            pull, distance = (a[i] * a[j] - L[i, j]) * K[i, j], t[i] - t[j]
            pull_scale += pull * distance * distance
            pull_height += pull
        pull_noise += 0.5 * (a[i] * a[i] - L[i, i])
    grad[0] += pull_scale * weight - x[0]
    grad[1] += 2.0 * (pull_height + pull_noise * height) - x[1]
    grad[2] += 2.0 * pull_noise * noise - x[2]
    return -0.5 * squares - log_det - 0.5 * (x[0] * x[0] + x[1] * x[1] + x[2] * x[2])


# ---- a hidden Markov model of three states: the forward algorithm, whose state is overwritten

STATES = 3


def markov(x, y):
    lp = 0.0
    for k in range(STATES * STATES + STATES):
        lp -= 0.5 * x[k] ** 2
    a = np.zeros(STATES)
    b = np.zeros(STATES)
    for t in range(y.size):
        for k in range(STATES):
            largest = -1e300
            for q in range(STATES):
                v = a[q] + x[q * STATES + k]
                if v > largest:
                    largest = v
            total = 0.0
            for q in range(STATES):
                total += math.exp(a[q] + x[q * STATES + k] - largest)
            b[k] = largest + math.log(total) - 0.5 * (y[t] - x[STATES * STATES + k]) ** 2
        for k in range(STATES):
            a[k] = b[k]
    total = 0.0
    for k in range(STATES):
        total += math.exp(a[k] - a[0])
    return lp + a[0] + math.log(total)


@kernel(reassociate=True)
def markov_grad(x, y, grad):
    """Keeps where each state came from, so that the way back needs no exponential."""
    lp = 0.0
    for k in range(STATES * STATES + STATES):
        lp -= 0.5 * x[k] * x[k]
        grad[k] -= x[k]
    came = np.empty((y.size, STATES, STATES))
    a, b = np.zeros(STATES), np.zeros(STATES)
    for t in range(y.size):
        for k in range(STATES):
            largest = -1e300
            for q in range(STATES):
                largest = max(largest, a[q] + x[q * STATES + k])
            total = 0.0
            for q in range(STATES):
                came[t, k, q] = math.exp(a[q] + x[q * STATES + k] - largest)
                total += came[t, k, q]
            inverse = 1.0 / total
            for q in range(STATES):
                came[t, k, q] *= inverse
            e = y[t] - x[STATES * STATES + k]
            b[k] = largest + math.log(total) - 0.5 * e * e
        for k in range(STATES):
            a[k] = b[k]
    total = 0.0
    for k in range(STATES):
        b[k] = math.exp(a[k] - a[0])
        total += b[k]
    for k in range(STATES):
        b[k] /= total
    lp += a[0] + math.log(total)
    for back in range(y.size):
        t = y.size - 1 - back
        for q in range(STATES):
            a[q] = 0.0
        for k in range(STATES):
            grad[STATES * STATES + k] += b[k] * (y[t] - x[STATES * STATES + k])
            for q in range(STATES):
                pull = b[k] * came[t, k, q]
                grad[q * STATES + k] += pull
                a[q] += pull
        for k in range(STATES):
            b[k] = a[k]
    return lp
