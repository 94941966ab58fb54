"""The compiled form of `nbinfer.compile.shapes`. Imported only where something is compiled."""

# Numba runs the code generator below with its own builder objects, for which it has no types.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc,untyped-decorator,var-annotated,call-arg"

from __future__ import annotations

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from nbinfer.compile.kernels import OPTIONS


@intrinsic
def _shaped(typing, array, shape):
    result = types.Array(array.dtype, len(shape), "C")

    def codegen(context, builder, signature, args):
        source = context.make_array(signature.args[0])(context, builder, args[0])
        target = context.make_array(result)(context, builder)
        dims = cgutils.unpack_tuple(builder, args[1], len(shape))
        item = ir.Constant(ir.IntType(64), context.get_abi_sizeof(context.get_data_type(array.dtype)))
        strides, stride = [], item
        for dim in reversed(dims):
            strides.insert(0, stride)
            stride = builder.mul(stride, dim)
        populate_array(
            target,
            data=source.data,
            shape=cgutils.pack_array(builder, dims, ty=ir.IntType(64)),
            strides=cgutils.pack_array(builder, strides, ty=ir.IntType(64)),
            itemsize=item,
            meminfo=source.meminfo,
            parent=source.parent,
        )
        return impl_ret_borrowed(context, builder, result, target._getvalue())

    return result(array, types.UniTuple(types.intp, len(shape)) if len(shape) else types.Tuple(())), codegen


@njit(**OPTIONS)
def shaped(array, shape):
    return _shaped(array, shape)
