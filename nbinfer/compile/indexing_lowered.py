"""Elements of contiguous arrays, lowered in a few instructions. Imported only to compile.

Numba writes the whole array to memory for each access, and reads address and lengths back from there, which LLVM then
has to undo: a third of all that it is given. What comes out is the same.
"""

# Numba runs the code generators below with its own builder objects, for which it has no types.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc,untyped-decorator"

from __future__ import annotations

import operator

from llvmlite import ir
from numba import types
from numba.extending import lower_builtin

from nbinfer.compile.numba_internals import cgutils


def _address(context, builder, kind, array, indices):
    model = context.data_model_manager[kind]
    data, shape = (builder.extract_value(array, model.get_field_position(name)) for name in ("data", "shape"))
    place = None
    for axis, index in enumerate(indices):
        is_counted_from_start = isinstance(index, ir.Constant) and index.constant >= 0
        if place is not None or context.enable_boundscheck or not is_counted_from_start:
            length = builder.extract_value(shape, axis)
        if not is_counted_from_start:
            is_negative = builder.icmp_signed("<", index, index.type(0))
            index = builder.select(is_negative, builder.add(length, index), index)
        if context.enable_boundscheck:
            cgutils.do_boundscheck(context, builder, index, length, axis)
        place = index if place is None else builder.add(builder.mul(place, length), index)
    return builder.gep(data, [place])


def _indices(builder, kind, index):
    return [index] if kind.ndim == 1 else cgutils.unpack_tuple(builder, index, kind.ndim)


def _getitem(context, builder, signature, args):
    kind = signature.args[0]
    return builder.load(_address(context, builder, kind, args[0], _indices(builder, kind, args[1])))


def _setitem(context, builder, signature, args):
    kind = signature.args[0]
    builder.store(args[2], _address(context, builder, kind, args[0], _indices(builder, kind, args[1])))
    return context.get_dummy_value()


for _dtype in (types.float64, types.int64):
    for _index in (types.intp, types.UniTuple(types.intp, 2)):
        _ndim = len(_index) if isinstance(_index, types.UniTuple) else 1
        for _readonly in (False, True):
            _kind = types.Array(_dtype, _ndim, "C", readonly=_readonly)
            lower_builtin(operator.getitem, _kind, _index)(_getitem)
        lower_builtin(operator.setitem, types.Array(_dtype, _ndim, "C"), _index, _dtype)(_setitem)
