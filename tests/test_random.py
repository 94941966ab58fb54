"""Laws of the streams: NumPy's numbers, one stream per draw, normal numbers that are normal."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from nbinfer import random
from nbinfer.compile import JIT, address_of, entry, floats_at, generator_at
from nbinfer.random import Purpose, generator, key_of, new_stream, seed_sequences, uniforms

KEY = key_of(np.random.SeedSequence(2024))


@entry("int64(intp, intp, intp)")
def _methods(words, functions, out_address):
    rng, out = generator_at(words, functions), floats_at(out_address, 12)
    out[0] = rng.normal(1.0, 2.0)
    out[1] = rng.standard_gamma(0.3)
    out[2] = rng.gamma(2.5, 3.0)
    out[3] = rng.poisson(20.0)
    out[4] = rng.random()
    out[5] = rng.integers(0, 10)
    out[6] = rng.integers(0, 10)
    out[7] = rng.exponential(2.0)
    out[8] = rng.beta(0.5, 2.0)
    out[9] = rng.binomial(100, 0.3)
    out[10] = rng.standard_t(4.0)
    out[11] = rng.uniform(-1.0, 1.0)
    return 0


def in_numpy(rng):
    return [
        rng.normal(1.0, 2.0), rng.standard_gamma(0.3), rng.gamma(2.5, 3.0), rng.poisson(20.0), rng.random(),
        rng.integers(0, 10), rng.integers(0, 10), rng.exponential(2.0), rng.beta(0.5, 2.0), rng.binomial(100, 0.3),
        rng.standard_t(4.0), rng.uniform(-1.0, 1.0),
    ]  # fmt: skip


@pytest.mark.parametrize("draw", range(20))
def test_a_compiled_generator_is_numpys_bit_for_bit(draw):
    words, out = new_stream(KEY, draw, 3, Purpose.PREDICT), np.zeros(12)
    _methods(address_of(words), random.generator_functions(), address_of(out))
    assert out.tolist() == in_numpy(generator(KEY, draw, 3, Purpose.PREDICT))


@entry("int64(intp, intp, int64, int64)")
def _numbers(stream, out_address, count, normals):
    out = floats_at(out_address, count)
    for i in range(count):
        out[i] = random.normal(stream) if normals != 0 else random.uniform(stream)
    return 0


@entry("int64(intp, intp, int64)")
def _fill(stream, out_address, count):
    random.fill_normal(stream, out_address, count)
    return 0


def numbers(count, normals, **where):
    words, out = new_stream(KEY, **where), np.zeros(count)
    _numbers(address_of(words), address_of(out), count, normals)
    return out


def test_uniform_numbers_are_numpys_doubles():
    assert numbers(50, 0, draw=5).tolist() == generator(KEY, 5).random(50).tolist()


def test_first_uniform_numbers_of_many_chains_are_those_of_their_generators():
    keys = [KEY, KEY + np.uint64(1), KEY]
    for row, key, chain in zip(uniforms(keys, 2, [0, 7, 9], 4, 11), keys, [0, 7, 9], strict=True):
        assert row.tolist() == generator(key, 2, chain, 4).random(11).tolist()


def test_a_counter_carries_into_its_next_word():
    words = new_stream(KEY)
    words[0] = np.uint64(2**64 - 1)
    out = np.zeros(4)
    _numbers(address_of(words), address_of(out), 4, 0)
    after = np.random.Generator(np.random.Philox(key=KEY, counter=np.array([2**64 - 1, 0, 0, 0], np.uint64)))
    assert out.tolist() == after.random(4).tolist()
    assert words[:2].tolist() == [0, 1]


def test_streams_of_different_draws_chains_and_purposes_differ():
    first = [tuple(numbers(3, 0, draw=d, chain=c, purpose=p)) for d in (0, 1) for c in (0, 1) for p in (0, 1, 1024)]
    assert len(set(first)) == len(first)


@pytest.mark.skipif(not JIT, reason="a million numbers take minutes in plain Python")
def test_normal_numbers_are_normal_in_body_and_tails():
    words, z = new_stream(KEY), np.zeros(1_000_000)
    _fill(address_of(words), address_of(z), z.size)
    assert stats.kstest(z, "norm").pvalue > 1e-3
    for x in (3.0, 3.6541528853610088, 4.0, 4.5):  # 3.65… is where the ziggurat's tail begins
        p = math.erfc(x / math.sqrt(2))
        beyond = np.count_nonzero(np.abs(z) > x)
        assert abs(beyond - p * z.size) < 4 * math.sqrt(p * z.size)
    assert abs(np.mean(z**4) - 3.0) < 4 * math.sqrt(96 / z.size)


PLAIN = """
import numpy as np
from nbinfer import random
words = random.new_stream(random.key_of(np.random.SeedSequence(2024)), 9)
out = np.zeros(1001)
stream = words.ctypes.data
random.fill_normal(stream, out.ctypes.data, 1001)
rest = [float(random.normal(stream)) for _ in range(999)]
print([*out.tolist(), *rest, float(random.uniform(stream))])
"""


def test_compiled_numbers_are_those_of_plain_python():
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run([sys.executable, "-c", PLAIN], capture_output=True, text=True, env=environment, check=True)
    words, out = new_stream(KEY, 9), np.zeros(2001)
    _fill(address_of(words), address_of(out), 1001)
    _numbers(address_of(words), address_of(out) + 8 * 1001, 999, 1)
    _numbers(address_of(words), address_of(out) + 8 * 2000, 1, 0)
    assert out.tolist() == json.loads(run.stdout)


@pytest.mark.parametrize("count", [0, 1, 4, 7])
def test_filling_writes_so_many_and_no_more(count):
    words, out = new_stream(KEY, 1), np.full(8, np.nan)
    _fill(address_of(words), address_of(out), count)
    assert np.isfinite(out[:count]).all()
    assert np.isnan(out[count:]).all()
    assert words[0] == -(-count // 8)  # two numbers from a word, four words from a block


def test_a_key_is_that_of_its_sequence_and_nobody_can_change_it():
    one, two = np.random.SeedSequence(1), np.random.SeedSequence(2)
    for sequence in (one, two, one, one):
        assert key_of(sequence).tolist() == sequence.generate_state(2, np.uint64).tolist()
    with pytest.raises(ValueError, match="read-only"):
        key_of(one)[0] = 0


def test_seeds_may_be_of_any_kind():
    one = seed_sequences(5, 2)
    assert one[0] is one[1]
    assert key_of(one[0]).tolist() == key_of(np.random.SeedSequence(5)).tolist()
    several = seed_sequences([5, 6], 2)
    assert [s.entropy for s in several] == [5, 6]
    assert seed_sequences(np.random.SeedSequence(7), 1)[0].entropy == 7
    a, b = seed_sequences(np.random.default_rng(1), 1), seed_sequences(np.random.default_rng(1), 1)
    assert a[0].entropy == b[0].entropy
    assert seed_sequences(None, 1)[0].entropy != seed_sequences(-1, 1)[0].entropy


@pytest.mark.parametrize(
    ("seed", "error", "message"),
    [
        ([1, 2], ValueError, r"one entry per chain \(3\), got 2"),
        (-5, ValueError, "non-negative, got -5"),
        ("1", TypeError, "random_seed must be None, an int"),
        (1.5, TypeError, "got float"),
        (True, TypeError, "got bool"),
    ],
)
def test_bad_seeds_are_refused(seed, error, message):
    with pytest.raises(error, match=message):
        seed_sequences(seed, 3)
