"""What kernels of particles cost on a Hopper GPU: registers, spills, shared memory, and that float32 stays so.

They are compiled here as a GPU would have it; no test needs one.
"""

import functools

import numpy as np
import pytest

from nbinfer.cuda import backend, offline

pytestmark = pytest.mark.skipif(not backend.has_package(), reason="needs the extra: pip install 'nbinfer[cuda]'")

SHARED = 48 * 1024  # what a block has without asking
#: Instructions on float64 at most in the float32 form of kernels by which particles, which are float64, come in, or
#: forces go out, once for each; those of pairs have none.
DOUBLES = {"median": 0, "distances": 40, "few": 80, "many": 20, "gather": 160}


def array(dtype, axes):
    from numba import from_dtype, types

    return types.Array(from_dtype(np.dtype(dtype)), axes, "C")


def number(dtype):
    from numba import from_dtype

    return from_dtype(np.dtype(dtype))


def code_of(function, *kinds, fastmath=False):
    from numba import types

    return offline.assemble(function, types.void(*kinds), fastmath=fastmath)


@functools.cache
def pairs_code(dim, dtype, kind):
    """Return the machine code of the kernel that goes through all pairs."""
    from numba import int64

    from nbinfer.cuda.forces import cut_for, make_few, weights
    from nbinfer.cuda.forces_many import make_many

    cut = cut_for(dim, dtype)
    weigh = backend.compiled(weights(kind, dtype)[1], device=True, fastmath=True)
    make, layout = (make_few, (2,)) if cut.is_small else (make_many, (2, 1, 2))
    kinds = [*(array(dtype, axes) for axes in layout), array(dtype, 1), int64, number(dtype), number(dtype)]
    return code_of(make(cut, kind, dtype, weigh), *kinds, array(np.int64, 1), array(dtype, 3), fastmath=True)


@pytest.mark.parametrize(
    ("dim", "dtype", "registers"),
    [
        (3, np.float32, 104),
        (10, np.float32, 176),
        pytest.param(20, np.float32, 168, marks=pytest.mark.slow),
        (50, np.float32, 224),
        (10, np.float64, 200),
        (20, np.float64, 176),
        (50, np.float64, 255),
    ],
)
def test_pairs(dim, dtype, registers):
    from nbinfer.cuda.forces import FEW, cut_for

    code = pairs_code(dim, dtype, 0)
    assert code.registers <= registers
    assert code.spills <= (0 if dtype is np.float32 or dim <= FEW else 64)  # of 256 registers a few, outside of loops
    assert code.stack == code.spills // 2
    assert cut_for(dim, dtype).shared(dtype) <= SHARED
    assert (code.doubles == 0) == (dtype is np.float32)


def test_pairs_of_the_inverse_multiquadric():
    for kind in (1, 2):
        code = pairs_code(10, np.float32, kind)
        assert (code.spills, code.stack, code.doubles) == (0, 0, 0)


def test_a_pair_costs_as_many_instructions_as_it_must():
    """A pair costs 2 d + 1 multiplications that add and one exponential; loads and the rest are few beside them."""
    inner = offline.inner_loops(pairs_code(10, np.float32, 0).cubin, "FFMA")[0]
    assert inner.counts["FFMA"] == 4 * 21
    assert inner.counts["MUFU"] == 4
    assert inner.counts["LDS"] <= 6  # four numbers at a time
    assert inner.instructions <= 112


def test_many_coordinates_cost_two_small_products():
    sums, exponents = offline.inner_loops(pairs_code(50, np.float32, 0).cubin, "FFMA")[:2]
    assert (sums.counts["FFMA"], exponents.counts["FFMA"]) == (112, 64)
    assert sums.instructions <= 150
    assert exponents.instructions <= 90


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_others(dtype):
    """Particles are float64; of what is done once for each of them, nothing spills."""
    from numba import float64, int64, types

    from nbinfer.cuda import rules, swarm
    from nbinfer.cuda.bandwidth import make_distances, make_median
    from nbinfer.cuda.forces import cut_for, make_centre, make_gather, make_pack_few
    from nbinfer.cuda.forces_many import make_pack_many

    x, v, status, real = array(np.float64, 2), array(np.float64, 1), array(np.int64, 1), number(dtype)
    rows, row = array(dtype, 2), array(dtype, 1)
    bits, order = array(np.int32 if dtype is np.float32 else np.int64, 1), array(np.int32, 1)
    numbers, given = types.UniTuple(float64, 6), (x, x, v, row, status)
    codes = {
        "distances": code_of(make_distances(10, dtype), x, order, status, row),
        "median": code_of(make_median(dtype), row, bits, int64, int64, real, status, row),
        "few": code_of(make_pack_few(cut_for(10, dtype), 0, dtype), *given, rows, float64, fastmath=True),
        "many": code_of(make_pack_many(cut_for(50, dtype), 0, dtype), *given, rows, row, rows, float64, fastmath=True),
        "gather": code_of(
            make_gather(10, dtype), array(dtype, 3), x, v, row, int64, float64, status, x, v, v, fastmath=True
        ),
    }
    if dtype is np.float32:  # those that do not know it
        codes |= {
            "centre": code_of(make_centre(), x, int64, status, v),
            "scores": code_of(swarm.check_scores, v, x, status),
            "moved": code_of(swarm.check_moved, v, status),
            "squares": code_of(swarm.add_squares, v, int64, status, v),
            "shrink": code_of(swarm.shrink, v, v, float64, float64, status),
            "momentum": code_of(rules.momentum, v, v, v, float64, status),
            "nesterov": code_of(rules.nesterov, v, v, v, float64, status),
            **{form.name: code_of(how.move, v, v, v, v, numbers, status) for form, how in rules.FORMS.items()},
        }
        for name, doubles in DOUBLES.items():
            assert codes[name].doubles <= doubles, name
    for name, code in codes.items():
        assert (code.spills, code.stack) == (0, 0), name
        assert code.shared <= SHARED, name
        assert code.registers <= 64, name
