"""Random streams that belong to a draw, not to a thread: Philox4x64-10 in NumPy's layout.

The key comes from the user's seed, the counter is (0, draw, chain, purpose). Whatever runs a chain, on however many
cores, interrupted or not, finds the same numbers. Compiled user functions see NumPy's `Generator` over these words
(`nbinfer.compile.generator_at`); kernels draw with the functions below, which also run on a GPU.

References
----------
.. [1] J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11
   (2011).
.. [2] G. Marsaglia and W. W. Tsang, "The ziggurat method for generating random variables", J. Stat. Software 5 (2000).
.. [3] W. Hormann, "The transformed rejection method for generating Poisson random variables", Insurance: Mathematics
   and Economics 12 (1993).
"""

from __future__ import annotations

import enum
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import address_of, entry, floats_at, kernel, multiply_wide, words_at
from nbinfer.compile.memory import add_wrapping
from nbinfer.whole import whole


class Purpose(enum.IntEnum):
    """Last word of the counter: what the numbers are for. Steps count on from `STEP`."""

    START = 0
    CHECK = 1
    PREDICT = 2
    MINIBATCH = 3
    DISCRETE_START = 4
    NOISE = 5  # of a fit
    APPROXIMATION = 6  # draws from what was fitted
    CHOICE = 7  # of draws, and of models, to predict from
    PAIRS = 8  # of particles
    STEP = 1024


#: Words of one stream: counter (4), key (2), position in the buffer, buffer (4), spare 32 bits (flag, value), unused.
#: Kernels know a stream by the address of its words.
STREAM_WORDS = 14

_M0, _M1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_W0, _W1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_ZERO, _ONE, _FOUR, _HALF_WORD = np.uint64(0), np.uint64(1), np.uint64(4), np.uint64(32)
_LOW_BITS = np.uint64(11)
_TO_UNIT = 1.0 / 9007199254740992.0  # 2**-53


@kernel
def start(stream: int, draw: int, chain: int, purpose: int) -> None:
    """Put a stream at the beginning of its numbers for (draw, chain, purpose); the key stays."""
    words = words_at(stream, STREAM_WORDS)
    words[0] = 0
    words[1] = draw
    words[2] = chain
    words[3] = purpose
    words[6] = 4
    words[11] = 0


@kernel
def enter(stream: int, number: int) -> None:
    """Put a stream at the beginning of numbers of their own, one for each `number`, for the same draw, chain, purpose.

    There are 2**34 numbers of 64 bits before those of the next.
    """
    words = words_at(stream, STREAM_WORDS)
    words[0] = number << 32
    words[6] = 4
    words[11] = 0


@kernel
def _block(
    c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Return the four words that belong to a counter (section 3.3 of [1]_, ten rounds)."""
    for _ in range(10):
        high0, low0 = multiply_wide(_M0, c0)
        high1, low1 = multiply_wide(_M1, c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0 = add_wrapping(k0, _W0)
        k1 = add_wrapping(k1, _W1)
    return c0, c1, c2, c3


@kernel
def _refill(stream: int) -> None:
    """Count one up and write the next four words into the buffer."""
    words = words_at(stream, STREAM_WORDS)
    words[0] = add_wrapping(words[0], _ONE)
    if words[0] == _ZERO:
        words[1] = add_wrapping(words[1], _ONE)
        if words[1] == _ZERO:
            words[2] = add_wrapping(words[2], _ONE)
            if words[2] == _ZERO:
                words[3] = add_wrapping(words[3], _ONE)
    words[7], words[8], words[9], words[10] = _block(words[0], words[1], words[2], words[3], words[4], words[5])
    words[6] = 0


@kernel
def next_word(stream: int) -> np.uint64:
    """Return the next 64 random bits."""
    words = words_at(stream, STREAM_WORDS)
    if words[6] >= _FOUR:
        _refill(stream)
    position = np.int64(words[6])
    words[6] = position + 1
    word: np.uint64 = words[7 + position]
    return word


@kernel
def uniform(stream: int) -> float:
    """Return a number in [0, 1) with 53 random bits."""
    return (next_word(stream) >> _LOW_BITS) * _TO_UNIT


@kernel
def bounded(stream: int, count: int) -> int:
    """Return an integer from 0 to below `count`, each as likely as the others to one in 2**64 / count."""
    high, _ = multiply_wide(next_word(stream), np.uint64(count))
    return np.int64(high)  # type: ignore[return-value]


def _ziggurat() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Build the tables for 256 layers of equal area: widths, inner limits (both for 52-bit integers), heights."""
    layers = 256
    x = np.zeros(layers)
    x[-1] = _TAIL
    area = _TAIL * math.exp(-0.5 * _TAIL**2) + math.sqrt(math.pi / 2) * math.erfc(_TAIL / math.sqrt(2))
    for i in range(layers - 2, 0, -1):
        x[i] = math.sqrt(-2.0 * math.log(area / x[i + 1] + math.exp(-0.5 * x[i + 1] ** 2)))
    height = np.exp(-0.5 * x**2)
    base = area / height[-1]  # the lowest layer holds the tail: its rectangle is as wide as its area asks
    width, inner = x / 2.0**52, np.zeros(layers)
    width[0] = base / 2.0**52
    inner[0] = _TAIL / base * 2.0**52
    inner[1:] = x[:-1] / x[1:] * 2.0**52
    return width, inner.astype(np.uint64), height


_TAIL = 3.6541528853610088
_WIDTH, _INNER, _HEIGHT = _ziggurat()
#: The same tables for 23-bit integers.
_WIDTH_32, _INNER_32 = _WIDTH * 2.0**29, (_INNER >> np.uint64(29)).astype(np.int64)
_LOW_HALF, _NINE, _SIGN, _LAYER_AND_SIGN = np.uint64(0xFFFFFFFF), np.uint64(9), np.uint64(0x100), np.uint64(0x1FF)
_TO_WORD = np.uint64(9 + 29)
_LAYER, _EIGHT, _MANTISSA = np.uint64(0xFF), np.uint64(8), np.uint64(0x000FFFFFFFFFFFFF)


@kernel
def _quick_normal(bits: np.uint64) -> tuple[float, bool]:
    """Return a normal number made of one word, and whether the word was enough (99 times in 100)."""
    layer = np.int64(bits & _LAYER)
    bits = bits >> _EIGHT
    magnitude = (bits >> _ONE) & _MANTISSA
    x = magnitude * _WIDTH[layer]
    return (-x if (bits & _ONE) == _ONE else x), magnitude < _INNER[layer]


@kernel
def _slow_normal(stream: int, bits: np.uint64) -> float:
    """Finish what `_quick_normal` could not decide; draws further words."""
    while True:
        layer = np.int64(bits & _LAYER)
        x, enough = _quick_normal(bits)
        if enough:
            return x
        if layer == 0:  # the tail beyond the last layer (Marsaglia 1964)
            while True:
                far = -math.log1p(-uniform(stream)) / _TAIL
                if -2.0 * math.log1p(-uniform(stream)) > far * far:
                    return -(_TAIL + far) if x < 0.0 else _TAIL + far
        if _HEIGHT[layer] + (_HEIGHT[layer - 1] - _HEIGHT[layer]) * uniform(stream) < math.exp(-0.5 * x * x):
            return x
        bits = next_word(stream)


@kernel
def normal(stream: int) -> float:
    """Return a standard normal number (ziggurat with 256 layers, [2]_)."""
    bits = next_word(stream)
    x, enough = _quick_normal(bits)
    return x if enough else _slow_normal(stream, bits)


@kernel
def _half_normal(stream: int, bits: np.uint64) -> float:
    """Return a normal number made of 32 bits; where they leave a doubt, more are drawn."""
    layer = np.int64(bits & _LAYER)
    magnitude = np.int64(bits >> _NINE)
    if magnitude < _INNER_32[layer]:
        x: float = magnitude * _WIDTH_32[layer]
        return -x if (bits & _SIGN) != _ZERO else x
    return _slow_normal(stream, (bits & _LAYER_AND_SIGN) | ((bits >> _NINE) << _TO_WORD))


@kernel
def fill_normal(stream: int, address: int, count: int) -> None:
    """Write `count` standard normal numbers to an address, two from each word: for momenta, at half the cost.

    A number has 23 random bits within its layer, as in single precision. Blocks of four words are set aside for all of
    them whatever is left in the buffer; what a doubtful one needs besides comes after those.
    """
    words, values = words_at(stream, STREAM_WORDS), floats_at(address, count)
    c0, c1, c2, c3, k0, k1 = words[0], words[1], words[2], words[3], words[4], words[5]
    words[0] = add_wrapping(c0, np.uint64((count + 7) // 8))
    words[6] = 4
    whole = count - count % 8
    for i in range(0, whole, 8):  # no block waits for another: the processor works on several at once
        c0 = add_wrapping(c0, _ONE)
        w0, w1, w2, w3 = _block(c0, c1, c2, c3, k0, k1)
        values[i] = _half_normal(stream, w0 & _LOW_HALF)
        values[i + 1] = _half_normal(stream, w0 >> _HALF_WORD)
        values[i + 2] = _half_normal(stream, w1 & _LOW_HALF)
        values[i + 3] = _half_normal(stream, w1 >> _HALF_WORD)
        values[i + 4] = _half_normal(stream, w2 & _LOW_HALF)
        values[i + 5] = _half_normal(stream, w2 >> _HALF_WORD)
        values[i + 6] = _half_normal(stream, w3 & _LOW_HALF)
        values[i + 7] = _half_normal(stream, w3 >> _HALF_WORD)
    if whole < count:
        last = _block(add_wrapping(c0, _ONE), c1, c2, c3, k0, k1)
        for i in range(whole, count):
            word = last[(i - whole) // 2]
            values[i] = _half_normal(stream, word & _LOW_HALF if (i - whole) % 2 == 0 else word >> _HALF_WORD)


@kernel
def poisson(stream: int, mean: float) -> float:
    """Return a Poisson number: by counting arrivals for a small mean, else by transformed rejection (PTRS of [3]_)."""
    if mean < 10.0:
        limit, product, count = math.exp(-mean), uniform(stream), 0.0
        while product > limit:
            product *= uniform(stream)
            count += 1.0
        return count
    root, log_mean = math.sqrt(mean), math.log(mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u = uniform(stream) - 0.5
        v = uniform(stream)
        us = 0.5 - abs(u)
        count = math.floor((2.0 * a / us + b) * u + mean + 0.43) if us > 0.0 else -1.0
        if us >= 0.07 and v <= v_r:
            return float(count)
        if count < 0.0 or (us < 0.013 and v > us) or v == 0.0:
            continue
        left = math.log(v * inverse_alpha / (a / (us * us) + b))
        if left <= count * log_mean - mean - math.lgamma(count + 1.0):
            return float(count)


@entry("uint64(intp)")
def _next_uint64(stream: int) -> np.uint64:
    return next_word(stream)


@entry("uint32(intp)")
def _next_uint32(stream: int) -> np.uint32:
    # NumPy hands out the low half first and keeps the high half for the next call.
    words = words_at(stream, STREAM_WORDS)
    if words[11] != _ZERO:
        words[11] = 0
        return np.uint32(words[12])
    bits = next_word(stream)
    words[11] = 1
    words[12] = bits >> _HALF_WORD
    return np.uint32(bits)


@entry("float64(intp)")
def _next_double(stream: int) -> float:
    return uniform(stream)


@functools.cache
def _generator_table() -> np.ndarray:
    return np.array([_next_uint64.address, _next_uint32.address, _next_double.address], np.int64)


def generator_functions() -> int:
    """Return the address of the three C functions that `nbinfer.compile.generator_at` wants."""
    return address_of(_generator_table())


def new_stream(key: np.ndarray, draw: int = 0, chain: int = 0, purpose: int = Purpose.START) -> np.ndarray:
    """Return the words of a stream, shape (STREAM_WORDS,), uint64."""
    words = np.zeros(STREAM_WORDS, np.uint64)
    words[:7] = [0, draw, chain, purpose, *key, 4]
    return words


def generator(
    key: np.ndarray, draw: int = 0, chain: int = 0, purpose: int = Purpose.START, number: int = 0
) -> np.random.Generator:
    """Return NumPy's generator over the same numbers as `new_stream`, after `enter` with `number`."""
    return np.random.Generator(np.random.Philox(key=key, counter=[number << 32, draw, chain, purpose]))


def generator_aside(stream: int) -> np.random.Generator:
    """Return a generator for one call of a function in plain Python, and move the stream on, so that the next differs.

    Its numbers depend on where the stream is alone: on seed, chain and draw, and what the draw has used so far.
    """
    words = words_at.py_func(stream, STREAM_WORDS)
    words[0] += _ONE
    words[6], words[11] = _FOUR, _ZERO
    return np.random.default_rng(words[:6].tolist())


def uniforms(
    keys: Sequence[np.ndarray], draw: int, chains: Sequence[int], purpose: int, count: int
) -> NDArray[np.float64]:
    """Return the first numbers in [0, 1) of the `generator` of each chain.

    Parameters
    ----------
    keys : sequence of ndarray, shape (2,)
        One for each chain.
    draw : int
        As of `generator`.
    chains : sequence of int
        Their numbers.
    purpose : int
        As of `generator`.
    count : int
        How many of each.

    Returns
    -------
    numbers : ndarray, shape (len(chains), count)
    """
    numbers = np.empty((len(chains), count))
    bits = np.random.Philox(key=0)  # a new one for each chain would ask the system for a seed that nobody wants
    rng = np.random.Generator(bits)
    state: Any = bits.state
    for key, chain, row in zip(keys, chains, numbers, strict=True):
        state["state"] = {"counter": (0, draw, chain, purpose), "key": key}
        bits.state = state
        rng.random(out=row)
    return numbers


def seed_sequences(random_seed: Any, chains: int) -> list[np.random.SeedSequence]:
    """Turn what a user gives as a seed into one `SeedSequence` per chain.

    Parameters
    ----------
    random_seed : None, int, sequence of int, SeedSequence or Generator
        None and -1 ask the operating system. One int serves all chains, whose streams differ by their numbers; a
        sequence gives every chain its own. A Generator is asked for 128 bits and thereby advanced.
    chains : int
        Number of chains.

    Returns
    -------
    sequences : list of SeedSequence, length `chains`

    Raises
    ------
    TypeError
        If `random_seed` is something else.
    ValueError
        If it is negative, or a sequence whose length is not `chains`.
    """
    whole("numpy.random")
    if isinstance(random_seed, np.random.Generator):
        words = random_seed.integers(0, 2**32, size=4, dtype=np.uint32)
        return [np.random.SeedSequence([int(w) for w in words])] * chains
    if isinstance(random_seed, np.random.SeedSequence):
        return [random_seed] * chains
    if random_seed is None or (_is_integer(random_seed) and int(random_seed) == -1):
        return [np.random.SeedSequence()] * chains
    if _is_integer(random_seed):
        return [_from_integer(random_seed)] * chains
    several = isinstance(random_seed, Sequence | np.ndarray) and not isinstance(random_seed, str | bytes)
    if several and getattr(random_seed, "shape", None) != ():
        if len(random_seed) != chains:
            raise ValueError(f"random_seed must have one entry per chain ({chains}), got {len(random_seed)}.")
        if all(_is_integer(s) for s in random_seed):
            return [_from_integer(s) for s in random_seed]
    raise TypeError(
        "random_seed must be None, an int, a sequence of ints (one per chain), a SeedSequence or a Generator, "
        f"got {type(random_seed).__name__}."
    )


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _from_integer(seed: Any) -> np.random.SeedSequence:
    if int(seed) < 0:
        raise ValueError(f"random_seed must be non-negative, got {int(seed)}. Pass None for a fresh seed.")
    return np.random.SeedSequence(int(seed))


@functools.lru_cache(maxsize=1)  # the chains of a run mostly share one sequence
def key_of(sequence: np.random.SeedSequence) -> np.ndarray:
    """Return the Philox key of a seed, shape (2,), uint64, read-only."""
    key = sequence.generate_state(2, np.uint64)
    key.flags.writeable = False
    return key
