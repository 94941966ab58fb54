"""The compiled forms of `nbinfer.compile.memory`: same names, same meaning. Imported only to compile."""

# Numba runs the code generators below with its own builder objects, for which it has no types.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc,untyped-decorator"

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

import nbinfer.compile.indexing_lowered  # noqa: F401  (registers)
from nbinfer.compile.memory import GROW, NEXT, STOP
from nbinfer.compile.numba_internals import bit_generator_type, cgutils, impl_ret_borrowed, npy_rng

_INT64 = ir.IntType(64)
_INT128 = ir.IntType(128)
_NO_MEMORY = "an array is too large, or has a negative length"


def _array(context, builder, kind, data, shape, **owner):
    """Build a contiguous array as a value: what Numba writes to memory first, LLVM has to find its way back from."""
    size = _INT64(context.get_abi_sizeof(context.get_data_type(kind.dtype)))
    strides: list[ir.Value] = []
    count = _INT64(1)
    for length in reversed(shape):
        strides.insert(0, builder.mul(count, size))
        count = builder.mul(count, length)
    fields = {"data": data, "nitems": count, "itemsize": size, **owner}
    fields |= {
        name: cgutils.pack_array(builder, of, ty=_INT64) for name, of in (("shape", shape), ("strides", strides))
    }
    model = context.data_model_manager[kind]
    value = ir.Constant(model.get_value_type(), None)
    for name, field in fields.items():
        value = builder.insert_value(value, field, model.get_field_position(name))
    return value


def _field(context, builder, kind, array, name):
    return builder.extract_value(array, context.data_model_manager[kind].get_field_position(name))


def _view(kind):
    """Make the intrinsic that views memory as a one-dimensional array; it owns nothing and counts no references."""
    array = types.Array(kind, 1, "C")

    @intrinsic
    def view(typing, address, count):
        def codegen(context, builder, signature, args):
            pointer = builder.inttoptr(args[0], context.get_data_type(kind).as_pointer())
            return _array(context, builder, array, pointer, [args[1]])

        return array(types.intp, types.intp), codegen

    return view


floats_at = _view(types.float64)
singles_at = _view(types.float32)
ints_at = _view(types.int64)
words_at = _view(types.uint64)
bytes_at = _view(types.uint8)


@intrinsic
def part(typing, array, start, shape):
    result = types.Array(array.dtype, len(shape), "C")

    def codegen(context, builder, signature, args):
        data = _place(context, builder, array, *args[:2])
        owner = {name: _field(context, builder, array, args[0], name) for name in ("meminfo", "parent")}
        view = _array(context, builder, result, data, cgutils.unpack_tuple(builder, args[2], len(shape)), **owner)
        return impl_ret_borrowed(context, builder, result, view)

    dims = types.UniTuple(types.intp, len(shape)) if len(shape) else types.Tuple(())
    return result(array, types.intp, dims), codegen


def _place(context, builder, array, value, index):
    return builder.gep(_field(context, builder, array, value, "data"), [index])


@intrinsic
def read_at(typing, array, index):
    def codegen(context, builder, signature, args):
        return builder.load(_place(context, builder, array, *args))

    return array.dtype(array, types.intp), codegen


@intrinsic
def add_at(typing, array, index, value):
    def codegen(context, builder, signature, args):
        place = _place(context, builder, array, *args[:2])
        builder.store(builder.fadd(builder.load(place), args[2]), place)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.float64), codegen


def _shown(kind):
    if isinstance(kind, types.Array):
        return kind.copy(readonly=True)
    if isinstance(kind, types.BaseTuple):
        items = [_shown(kind[i]) for i in range(len(kind))]  # type: ignore[index]
        return types.BaseTuple.from_types(items, getattr(kind, "instance_class", None))
    return kind


@intrinsic
def readonly(typing, thing):
    result = _shown(thing)

    def codegen(context, builder, signature, args):
        value = args[0]
        if isinstance(result, types.BaseTuple):  # what stands in memory is the same; only the type differs
            value = context.make_tuple(builder, result, cgutils.unpack_tuple(builder, value, len(result)))
        return impl_ret_borrowed(context, builder, result, value)

    return result(thing), codegen


@intrinsic
def record_at(typing, address, dtype):
    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return dtype.dtype(types.intp, dtype), codegen


def _made(context, builder, signature, args):
    """Take memory for an array from an arena; return the array, its address and the number of its bytes."""
    result, (arena, shape) = signature.return_type, args[:2]
    is_tuple = isinstance(signature.args[1], types.BaseTuple)
    lengths = cgutils.unpack_tuple(builder, shape, result.ndim) if is_tuple else [shape]
    size, wrong = _INT64(context.get_abi_sizeof(context.get_data_type(result.dtype))), ir.IntType(1)(0)
    for length in lengths:
        product = builder.smul_with_overflow(size, length)
        size, overflow = builder.extract_value(product, 0), builder.extract_value(product, 1)
        wrong = builder.or_(builder.or_(wrong, overflow), builder.icmp_signed("<", length, _INT64(0)))
    with cgutils.if_unlikely(builder, wrong):  # LLVM learns that loops over these lengths do not overflow
        context.call_conv.return_user_exc(builder, MemoryError, (_NO_MEMORY,))
    whole = builder.and_(builder.add(size, _INT64(31)), _INT64(-32))
    next_, stop, grow = (builder.gep(_word_at(builder, arena), [_INT64(word)]) for word in (NEXT, STOP, GROW))
    place = cgutils.alloca_once_value(builder, builder.load(next_))
    first = builder.load(place)
    fits = builder.icmp_unsigned("<=", whole, builder.sub(builder.load(stop), first))
    with builder.if_else(fits, likely=True) as (then, otherwise):
        with then:
            builder.store(builder.add(first, whole), next_)
        with otherwise:
            form = ir.FunctionType(_INT64, [_INT64] * 2).as_pointer()
            found = builder.call(builder.inttoptr(builder.load(grow), form), [arena, whole])
            with cgutils.if_unlikely(builder, builder.icmp_unsigned("==", found, _INT64(0))):
                context.call_conv.return_user_exc(builder, MemoryError, (_NO_MEMORY,))
            builder.store(found, place)
    data = builder.inttoptr(builder.load(place), context.get_data_type(result.dtype).as_pointer())
    return _array(context, builder, result, data, lengths), data, size


def _making(arena, shape, dtype, codegen):
    is_tuple = isinstance(shape, types.BaseTuple)
    ndim = len(shape) if is_tuple else 1
    dims = (types.UniTuple(types.intp, ndim) if ndim else types.Tuple(())) if is_tuple else types.intp
    return types.Array(dtype.dtype, ndim, "C")(types.intp, dims, dtype), codegen


@intrinsic
def empty(typing, arena, shape, dtype):
    def codegen(context, builder, signature, args):
        return _made(context, builder, signature, args)[0]

    return _making(arena, shape, dtype, codegen)


@intrinsic
def zeros(typing, arena, shape, dtype):
    def codegen(context, builder, signature, args):
        array, data, size = _made(context, builder, signature, args)
        cgutils.memset(builder, data, size, 0)
        return array

    return _making(arena, shape, dtype, codegen)


def _word_at(builder, address):
    return builder.inttoptr(address, _INT64.as_pointer())


@intrinsic
def load_acquire(typing, address):
    def codegen(context, builder, signature, args):
        return builder.load_atomic(_word_at(builder, args[0]), "acquire", 8)

    return types.int64(types.intp), codegen


@intrinsic
def store_release(typing, address, value):
    def codegen(context, builder, signature, args):
        builder.store_atomic(args[1], _word_at(builder, args[0]), "release", 8)
        return context.get_dummy_value()

    return types.void(types.intp, types.int64), codegen


@intrinsic
def compare_and_swap(typing, address, expected, value):
    def codegen(context, builder, signature, args):
        pair = builder.cmpxchg(_word_at(builder, args[0]), args[1], args[2], "acq_rel", "acquire")
        return builder.extract_value(pair, 1)

    return types.boolean(types.intp, types.int64, types.int64), codegen


def _call(returns, n_integers):
    """Make the intrinsic that calls a C function of `n_integers` integers by its address."""
    result = {types.float64: ir.DoubleType(), types.int64: _INT64}[returns]

    def codegen(context, builder, signature, args):
        function = ir.FunctionType(result, [_INT64] * n_integers).as_pointer()
        return builder.call(builder.inttoptr(args[0], function), args[1:])

    return returns(*([types.intp] * (n_integers + 1))), codegen


@intrinsic
def call_density(typing, function, n, position, grad, context):
    return _call(types.float64, 4)


@intrinsic
def call_record(typing, function, n, position, row, context):
    return _call(types.int64, 4)


@intrinsic
def call_step(typing, function, chain, own):
    return _call(types.int64, 2)


@intrinsic
def call_phase(typing, function, context, row, piece):
    return _call(types.int64, 3)


@intrinsic
def multiply_add(typing, a, b, c):
    def codegen(context, builder, signature, args):
        return builder.fma(*args)

    return types.float64(types.float64, types.float64, types.float64), codegen


@intrinsic
def multiply_wide(typing, a, b):
    def codegen(context, builder, signature, args):
        product = builder.mul(builder.zext(args[0], _INT128), builder.zext(args[1], _INT128))
        high = builder.trunc(builder.lshr(product, ir.Constant(_INT128, 64)), _INT64)
        low = builder.trunc(product, _INT64)
        return context.make_tuple(builder, signature.return_type, [high, low])

    return types.UniTuple(types.uint64, 2)(types.uint64, types.uint64), codegen


@intrinsic
def add_wrapping(typing, a, b):
    def codegen(context, builder, signature, args):
        return builder.add(args[0], args[1])

    return types.uint64(types.uint64, types.uint64), codegen


@intrinsic
def generator_at(typing, words, functions):
    # Numba's Generator is a state address and three function addresses; its bit generator never looks further.
    def codegen(context, builder, signature, args):
        table = builder.inttoptr(args[1], _INT64.as_pointer())
        entries = [builder.load(builder.gep(table, [ir.Constant(_INT64, i)])) for i in range(3)]
        bits = cgutils.create_struct_proxy(bit_generator_type)(context, builder)
        bits.state_address = args[0]
        bits.state = args[0]
        bits.fnptr_next_uint64 = entries[0]
        bits.fnptr_next_uint32 = entries[1]
        bits.fnptr_next_double = entries[2]
        bits.parent = cgutils.get_null_value(bits.parent.type)
        generator = cgutils.create_struct_proxy(npy_rng)(context, builder)
        generator.bit_generator = bits._getvalue()
        generator.meminfo = cgutils.get_null_value(generator.meminfo.type)
        generator.parent = cgutils.get_null_value(generator.parent.type)
        return generator._getvalue()

    return npy_rng(types.intp, types.intp), codegen
