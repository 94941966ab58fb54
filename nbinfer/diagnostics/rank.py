"""Order statistics and normal scores of ranks (Vehtari, Gelman, Simpson, Carpenter & Bürkner 2021)."""

import math

import numpy as np

from nbinfer.compile import kernel

_SIGN = np.uint64(1 << 63)
_BYTE = np.uint64(8)
_LOW = np.uint64(255)


@kernel
def normal_quantile(p: float) -> float:
    """Return the standard normal quantile of `p` in (0, 1) (Wichura 1988, algorithm AS 241, PPND16)."""
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        top = 2.5090809287301226727e3
        top = top * r + 3.3430575583588128105e4
        top = top * r + 6.7265770927008700853e4
        top = top * r + 4.5921953931549871457e4
        top = top * r + 1.3731693765509461125e4
        top = top * r + 1.9715909503065514427e3
        top = top * r + 1.3314166789178437745e2
        top = top * r + 3.3871328727963666080e0
        bottom = 5.2264952788528545610e3
        bottom = bottom * r + 2.8729085735721942674e4
        bottom = bottom * r + 3.9307895800092710610e4
        bottom = bottom * r + 2.1213794301586595867e4
        bottom = bottom * r + 5.3941960214247511077e3
        bottom = bottom * r + 6.8718700749205790830e2
        bottom = bottom * r + 4.2313330701600911252e1
        bottom = bottom * r + 1.0
        return q * top / bottom
    r = math.sqrt(-math.log(min(p, 1.0 - p)))
    if r <= 5.0:
        r -= 1.6
        top = 7.74545014278341407640e-4
        top = top * r + 2.27238449892691845833e-2
        top = top * r + 2.41780725177450611770e-1
        top = top * r + 1.27045825245236838258e0
        top = top * r + 3.64784832476320460504e0
        top = top * r + 5.76949722146069140550e0
        top = top * r + 4.63033784615654529590e0
        top = top * r + 1.42343711074968357734e0
        bottom = 1.05075007164441684324e-9
        bottom = bottom * r + 5.47593808499534494600e-4
        bottom = bottom * r + 1.51986665636164571966e-2
        bottom = bottom * r + 1.48103976427480074590e-1
        bottom = bottom * r + 6.89767334985100004550e-1
        bottom = bottom * r + 1.67638483018380384940e0
        bottom = bottom * r + 2.05319162663775882187e0
        bottom = bottom * r + 1.0
    else:
        r -= 5.0
        top = 2.01033439929228813265e-7
        top = top * r + 2.71155556874348757815e-5
        top = top * r + 1.24266094738807843860e-3
        top = top * r + 2.65321895265761230930e-2
        top = top * r + 2.96560571828504891230e-1
        top = top * r + 1.78482653991729133580e0
        top = top * r + 5.46378491116411436990e0
        top = top * r + 6.65790464350110377720e0
        bottom = 2.04426310338993978564e-15
        bottom = bottom * r + 1.42151175831644588870e-7
        bottom = bottom * r + 1.84631831751005468180e-5
        bottom = bottom * r + 7.86869131145613259100e-4
        bottom = bottom * r + 1.48753612908506148525e-2
        bottom = bottom * r + 1.36929880922735805310e-1
        bottom = bottom * r + 5.99832206555887937690e-1
        bottom = bottom * r + 1.0
    return math.copysign(top / bottom, q)


@kernel
def fill_scores(scores: np.ndarray) -> None:
    """Fill ``scores[k]`` with the normal score of rank k/2, k = 2 ... 2n: whole ranks and those of ties."""
    n = (scores.size - 1) // 2
    for k in range(2, 2 * n + 1):
        scores[k] = normal_quantile((0.5 * k - 0.375) / (n + 0.25))


@kernel
def sort(
    bits: np.ndarray, order: np.ndarray, spare_bits: np.ndarray, spare_order: np.ndarray, counts: np.ndarray
) -> None:
    """Sort floats, given as their bits, by a radix sort of eight passes; equal values keep their order.

    Parameters
    ----------
    bits : ndarray of uint64, shape (n,)
        The same memory as a float64 array without NaN. Overwritten.
    order : ndarray of int64, shape (n,)
        Overwritten with the indices that sort.
    spare_bits, spare_order : ndarray, shape (n,)
        Scratch.
    counts : ndarray of int64, shape (2048,)
        Scratch.
    """
    n = bits.size
    counts[:] = 0
    for i in range(n):
        key = bits[i]
        # Flip what makes the order of the bits differ from that of the numbers.
        key = ~key if key >= _SIGN else key | _SIGN
        bits[i] = key
        order[i] = i
        for digit in range(8):
            counts[256 * digit + np.int64(key & _LOW)] += 1
            key >>= _BYTE
    source, target, source_order, target_order = bits, spare_bits, order, spare_order
    for digit in range(8):
        shift = np.uint64(8 * digit)
        if counts[256 * digit + np.int64((source[0] >> shift) & _LOW)] == n:
            continue  # all alike in this digit
        start = 0
        for value in range(256):
            count = counts[256 * digit + value]
            counts[256 * digit + value] = start
            start += count
        for i in range(n):
            key = source[i]
            place = 256 * digit + np.int64((key >> shift) & _LOW)
            target[counts[place]] = key
            target_order[counts[place]] = source_order[i]
            counts[place] += 1
        source, target, source_order, target_order = target, source, target_order, source_order
    for i in range(n):
        order[i] = source_order[i]


@kernel
def normalise(ranked: np.ndarray, places: np.ndarray, n: int, scores: np.ndarray, out: np.ndarray) -> None:
    """Write the normal score of each value; ties share the mean of their ranks.

    Parameters
    ----------
    ranked : ndarray
        Its first `n` entries are values in ascending order.
    places : ndarray of int64
        Where in `out` each of them belongs.
    n : int
        Number of values.
    scores : ndarray, shape (2 * n + 1,)
        From `fill_scores`.
    out : ndarray
        Overwritten.
    """
    first = 0
    while first < n:
        last = first + 1
        while last < n and ranked[last] == ranked[first]:
            last += 1
        score = scores[first + last + 1]
        for i in range(first, last):
            out[places[i]] = score
        first = last


@kernel
def fold(ranked: np.ndarray, places: np.ndarray, n: int, folded: np.ndarray, folded_places: np.ndarray) -> None:
    """Sort the distances from the median by merging the two halves of sorted values outwards.

    Parameters
    ----------
    ranked, places : ndarray
        The first `n` entries: values in ascending order, and where they belong.
    n : int
        Number of values.
    folded, folded_places : ndarray
        Overwritten: distances in ascending order, and where they belong.
    """
    median = 0.5 * (ranked[(n - 1) // 2] + ranked[n // 2])
    right = 0
    while right < n and ranked[right] < median:
        right += 1
    left = right - 1
    for i in range(n):
        if right == n or (left >= 0 and median - ranked[left] <= ranked[right] - median):
            folded[i] = median - ranked[left]
            folded_places[i] = places[left]
            left -= 1
        else:
            folded[i] = ranked[right] - median
            folded_places[i] = places[right]
            right += 1


@kernel
def quantile(ranked: np.ndarray, p: float) -> float:
    """Return the `p` quantile of sorted values, linear between order statistics (type 7, NumPy's default)."""
    position = p * (ranked.size - 1)
    below = math.floor(position)
    lower: float = ranked[below]
    upper: float = ranked[min(below + 1, ranked.size - 1)]
    weight = position - below
    if weight >= 0.5:
        return upper - (upper - lower) * (1.0 - weight)
    return lower + (upper - lower) * weight


@kernel
def shortest_interval(ranked: np.ndarray, prob: float) -> tuple[float, float]:
    """Return the shortest interval that holds a fraction `prob` of sorted values; the lowest of equally short ones."""
    span = math.floor(prob * ranked.size)
    best = 0
    for i in range(1, ranked.size - span):
        if ranked[i + span] - ranked[i] < ranked[best + span] - ranked[best]:
            best = i
    return ranked[best], ranked[best + span]
