"""The compiled forms of `nbinfer.compile.memory`: same names, same meaning. Imported only where something is compiled."""

# Numba runs the code generators below with its own builder objects, for which it has no types.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc,untyped-decorator"

from __future__ import annotations

from llvmlite import ir
from numba import carray, njit, types
from numba.core import cgutils
from numba.core.types import npy_rng
from numba.extending import intrinsic
from numba.np.random.generator_core import _bit_gen_type

from nbinfer.compile.kernels import OPTIONS

_INT64 = ir.IntType(64)
_INT128 = ir.IntType(128)


def _pointer_to(kind):
    """Make the intrinsic that turns an integer into a pointer to `kind`."""

    @intrinsic
    def pointer(typing, address):
        def codegen(context, builder, signature, args):
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return types.CPointer(kind)(types.intp), codegen

    return pointer


_float_pointer = _pointer_to(types.float64)
_int_pointer = _pointer_to(types.int64)
_word_pointer = _pointer_to(types.uint64)
_byte_pointer = _pointer_to(types.uint8)


@njit(**OPTIONS)
def floats_at(address, count):
    return carray(_float_pointer(address), (count,))


@njit(**OPTIONS)
def ints_at(address, count):
    return carray(_int_pointer(address), (count,))


@njit(**OPTIONS)
def words_at(address, count):
    return carray(_word_pointer(address), (count,))


@njit(**OPTIONS)
def bytes_at(address, count):
    return carray(_byte_pointer(address), (count,))


@intrinsic
def _record(typing, address, dtype):
    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return dtype.dtype(types.intp, dtype), codegen


@njit(**OPTIONS)
def record_at(address, dtype):
    return _record(address, dtype)


def _word_at(builder, address):
    return builder.inttoptr(address, _INT64.as_pointer())


@intrinsic
def _load(typing, address):
    def codegen(context, builder, signature, args):
        return builder.load_atomic(_word_at(builder, args[0]), "acquire", 8)

    return types.int64(types.intp), codegen


@njit(**OPTIONS)
def load_acquire(address):
    return _load(address)


@intrinsic
def _store(typing, address, value):
    def codegen(context, builder, signature, args):
        builder.store_atomic(args[1], _word_at(builder, args[0]), "release", 8)
        return context.get_dummy_value()

    return types.void(types.intp, types.int64), codegen


@njit(**OPTIONS)
def store_release(address, value):
    _store(address, value)


@intrinsic
def _swap(typing, address, expected, value):
    def codegen(context, builder, signature, args):
        pair = builder.cmpxchg(_word_at(builder, args[0]), args[1], args[2], "acq_rel", "acquire")
        return builder.extract_value(pair, 1)

    return types.boolean(types.intp, types.int64, types.int64), codegen


@njit(**OPTIONS)
def compare_and_swap(address, expected, value):
    return _swap(address, expected, value)


def _call(returns, n_integers):
    """Make the intrinsic that calls a C function of `n_integers` integers by its address."""
    result = {types.float64: ir.DoubleType(), types.int64: _INT64}[returns]

    def codegen(context, builder, signature, args):
        function = ir.FunctionType(result, [_INT64] * n_integers).as_pointer()
        return builder.call(builder.inttoptr(args[0], function), args[1:])

    return returns(*([types.intp] * (n_integers + 1))), codegen


@intrinsic
def _call_density(typing, function, n, position, grad, context):
    return _call(types.float64, 4)


@intrinsic
def _call_record(typing, function, n, position, row, context):
    return _call(types.int64, 4)


@intrinsic
def _call_step(typing, function, chain, own):
    return _call(types.int64, 2)


@njit(**OPTIONS)
def call_density(function, n, position, grad, context):
    return _call_density(function, n, position, grad, context)


@njit(**OPTIONS)
def call_record(function, n, position, row, context):
    return _call_record(function, n, position, row, context)


@njit(**OPTIONS)
def call_step(function, chain, own):
    return _call_step(function, chain, own)


@intrinsic
def _multiply_wide(typing, a, b):
    def codegen(context, builder, signature, args):
        product = builder.mul(builder.zext(args[0], _INT128), builder.zext(args[1], _INT128))
        high = builder.trunc(builder.lshr(product, ir.Constant(_INT128, 64)), _INT64)
        low = builder.trunc(product, _INT64)
        return context.make_tuple(builder, signature.return_type, [high, low])

    return types.UniTuple(types.uint64, 2)(types.uint64, types.uint64), codegen


@njit(**OPTIONS)
def multiply_wide(a, b):
    return _multiply_wide(a, b)


@njit(**OPTIONS)
def add_wrapping(a, b):
    return a + b


@intrinsic
def _generator(typing, words, next_uint64, next_uint32, next_double):
    # Numba's Generator is a state address and three function addresses; its bit generator never looks further.
    def codegen(context, builder, signature, args):
        bits = cgutils.create_struct_proxy(_bit_gen_type)(context, builder)
        bits.state_address = args[0]
        bits.state = args[0]
        bits.fnptr_next_uint64 = args[1]
        bits.fnptr_next_uint32 = args[2]
        bits.fnptr_next_double = args[3]
        bits.parent = cgutils.get_null_value(bits.parent.type)
        generator = cgutils.create_struct_proxy(npy_rng)(context, builder)
        generator.bit_generator = bits._getvalue()
        generator.meminfo = cgutils.get_null_value(generator.meminfo.type)
        generator.parent = cgutils.get_null_value(generator.parent.type)
        return generator._getvalue()

    return npy_rng(types.uintp, types.uintp, types.uintp, types.uintp), codegen


@njit(**OPTIONS)
def generator_at(words, functions):
    table = ints_at(functions, 3)
    return _generator(words, table[0], table[1], table[2])
