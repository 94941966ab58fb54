"""The CUDA forms of `nbinfer.compile.memory`: same names, same meaning. Imported only to compile for a device.

Where the code generator of `nbinfer.compile.lowered` knows nothing of its target, the same one serves both. What does
differ stands here. What the functions ``call_*`` call is chosen when a kernel is made (`nbinfer.cuda.device`): an
address of the host's means nothing on a device.
"""

# Numba runs the code generators below with its own builder objects, for which it has no types.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from nbinfer.compile import lowered
from nbinfer.compile.arena import CHUNK
from nbinfer.compile.memory import NEXT, STOP
from nbinfer.compile.numba_internals import cgutils

_INT64 = ir.IntType(64)

#: Twins whose code generators know nothing of the target.
_SHARED = (
    "floats_at", "singles_at", "ints_at", "words_at", "bytes_at", "part", "read_at", "add_at", "readonly", "record_at",
    "multiply_add", "multiply_wide", "add_wrapping",
)  # fmt: skip

#: Twins that a device cannot have, and why.
REFUSED = {
    "generator_at": "it draws with NumPy's Generator, which CUDA has not; draw with the functions of nbinfer.random",
    "call_phase": "phases are shared out among threads of the host",
}


class Refused(Exception):
    """A function of a model cannot be compiled; its cause says why. Numba would report a rejected call, not a line."""


def _word_at(builder, address):
    return builder.inttoptr(address, _INT64.as_pointer())


def _load(typing, address):
    """Read the word each time: another thread of the device, or nobody, writes it while a kernel runs."""

    def codegen(context, builder, signature, args):
        word = builder.load(_word_at(builder, args[0]))
        word.volatile = True
        return word

    return types.int64(types.intp), codegen


def _store(typing, address, value):
    """Write the word: the host reads it once the kernel has ended, which orders everything."""

    def codegen(context, builder, signature, args):
        builder.store(args[1], _word_at(builder, args[0]))
        return context.get_dummy_value()

    return types.void(types.intp, types.int64), codegen


def _swap(typing, address, expected, value):
    def codegen(context, builder, signature, args):
        pair = builder.cmpxchg(_word_at(builder, args[0]), args[1], args[2], "monotonic", "monotonic")
        return builder.extract_value(pair, 1)

    return types.boolean(types.intp, types.int64, types.int64), codegen


def _taken(context, builder, signature, args):
    """Take memory for an array from an arena, as `lowered` does; where there is too little, raise, and note how much.

    An arena of a device does not grow.
    """
    result, (arena, shape) = signature.return_type, args[:2]
    is_tuple = isinstance(signature.args[1], types.BaseTuple)
    lengths = cgutils.unpack_tuple(builder, shape, result.ndim) if is_tuple else [shape]
    size, wrong = _INT64(context.get_abi_sizeof(context.get_data_type(result.dtype))), _INT64(0)
    for length in lengths:
        size, wrong = builder.mul(size, length), builder.or_(wrong, length)
    whole = builder.and_(builder.add(size, _INT64(31)), _INT64(-32))
    next_, stop, lacking = (builder.gep(_word_at(builder, arena), [_INT64(word)]) for word in (NEXT, STOP, CHUNK))
    first = builder.load(next_)
    over = builder.icmp_signed(">", whole, builder.sub(builder.load(stop), first))
    with builder.if_then(builder.or_(over, builder.icmp_signed("<", wrong, _INT64(0))), likely=False):
        builder.store(builder.add(builder.load(lacking), whole), lacking)
        context.fndesc.call_conv.return_user_exc(builder, MemoryError, ())
    builder.store(builder.add(first, whole), next_)
    data = builder.inttoptr(first, context.get_data_type(result.dtype).as_pointer())
    return lowered._array(context, builder, result, data, lengths), data, size


def _empty(typing, arena, shape, dtype):
    def codegen(context, builder, signature, args):
        return _taken(context, builder, signature, args)[0]

    return lowered.empty._defn(typing, arena, shape, dtype)[0], codegen


def _zeros(typing, arena, shape, dtype):
    def codegen(context, builder, signature, args):
        array, data, size = _taken(context, builder, signature, args)
        cgutils.memset(builder, data, size, 0)
        return array

    return lowered.empty._defn(typing, arena, shape, dtype)[0], codegen


def _attempt(typing, function, arguments):
    """Call a device function and tell whether it raised; elsewhere what raises ends the thread."""
    kinds = tuple(arguments[i] for i in range(len(arguments)))
    try:
        compiled = function.dispatcher.compile_device(kinds)
    except Exception as reason:
        raise Refused from reason
    made = compiled.signature
    result = types.Tuple((types.boolean, made.return_type))

    def codegen(context, builder, signature, args):
        context.active_code_library.add_linking_library(compiled.library)
        values = [builder.extract_value(args[1], i) for i in range(len(kinds))]
        cast = [context.cast(builder, v, a, b) for v, a, b in zip(values, kinds, made.args, strict=True)]
        status, value = compiled.fndesc.call_conv.call_internal_no_propagate(builder, compiled.fndesc, made, cast)
        return context.make_tuple(builder, result, [status.is_error, value])

    return result(function, arguments), codegen


def _stay_apart(typing):
    """Keep the function that calls this from being pasted into its callers."""

    def codegen(context, builder, signature, args):
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), codegen


_OWN = {
    "empty": _empty,
    "zeros": _zeros,
    "load_acquire": _load,
    "store_release": _store,
    "compare_and_swap": _swap,
    "attempt": _attempt,
    "stay_apart": _stay_apart,
}


def forms(intrinsic: Callable[..., Any]) -> dict[str, Any]:
    """Return the CUDA form of each twin, by name.

    Parameters
    ----------
    intrinsic : callable
        The decorator of the CUDA target, ``numba.cuda.extending.intrinsic``.
    """
    generators = {name: getattr(lowered, name)._defn for name in _SHARED} | _OWN
    return {name: intrinsic(generator) for name, generator in generators.items()}
