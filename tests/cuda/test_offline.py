"""What machine code costs is read right: kernels of known cost, compiled for a GPU that is not there."""

import pytest

from nbinfer.cuda import backend, offline

needs_compiler = pytest.mark.skipif(not backend.has_package(), reason="needs the extra: pip install 'nbinfer[cuda]'")

LISTING = """
.L_x_0:
        /*0010*/                   FFMA.FTZ R2, R3, R4, R5 ;
.L_x_1:
        /*0020*/              @!P0 DFMA R2, R4, R6, R8 ;
        /*0030*/                   MUFU.EX2 R2, R3 ;
        /*0040*/               @P0 BRA `(.L_x_1) ;
        /*0050*/               @P1 BRA `(.L_x_0) ;
        /*0060*/                   BRA `(.L_x_2) ;
.L_x_2:
        /*0070*/                   EXIT ;
"""


def test_loops_are_the_innermost_ones():
    (loop,) = offline.loops_of(LISTING)
    assert loop == (3, {"DFMA": 1, "MUFU": 1, "BRA": 1})


@needs_compiler
def test_what_a_kernel_costs_is_known_without_a_gpu():
    from numba import float32, types

    from nbinfer.cuda.backend import cuda

    def horner(x, y):
        i = cuda.grid(1)
        total = x[i]
        for k in range(x.shape[0]):
            total = total * y + x[k]
        x[i] = total

    signature = types.void(float32[::1], float32)
    single = offline.assemble(horner, signature, fastmath=True)
    assert ".target sm_90" in single.ptx
    assert single.doubles == single.spills == single.stack == single.shared == 0
    assert 8 <= single.registers <= 40
    double = offline.assemble(horner, types.void(types.float64[::1], types.float64))
    assert double.doubles >= 2


@needs_compiler
def test_stack_spills_and_shared_memory_are_seen():
    from numba import float64, int64, types

    from nbinfer.cuda.backend import cuda

    def heavy(x, which):
        own, together = cuda.local.array(64, float64), cuda.shared.array(32, float64)
        i = cuda.grid(1)
        for k in range(64):
            own[k] = x[i * 64 + k]
        together[i % 32] = own[which]
        cuda.syncthreads()
        for k in range(64):
            x[i * 64 + k] = own[k] * own[(k * 7 + 3) % 64] + together[(i + k) % 32]

    signature = types.void(float64[::1], int64)
    code = offline.assemble(heavy, signature)
    assert code.stack >= 64 * 8
    assert code.shared == 32 * 8
    assert offline.assemble(heavy, signature, max_registers=32).registers <= 32
