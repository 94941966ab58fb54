"""Products of arrays and their sums: inner and outer products, and what index notation says."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.lazy import Index, Lazy, is_number
from nbinfer.autodiff.registry import HANDLERS, Handler, handles
from nbinfer.autodiff.shapes import expanded, flat, merged, rearranged
from nbinfer.autodiff.spellings import FUNCTIONS

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend


@handles(np.dot, np.matmul)
def _dot(b: Frontend, x: Any, y: Any) -> Any:
    return b.dot(b.operand(x), b.operand(y))


@handles(np.vdot)
def _vdot(b: Frontend, x: Any, y: Any) -> Any:
    return b.dot(flat(b, b.operand(x)), flat(b, b.operand(y)))


@handles(np.inner)
def _inner(b: Frontend, x: Any, y: Any) -> Any:
    right = b.operand(y)
    return b.dot(b.operand(x), right if right.ndim < 2 else b.transpose(right))


@handles(np.outer)
def _outer(b: Frontend, x: Any, y: Any) -> Lazy:
    left, right = (b.lazy(flat(b, b.operand(array))) for array in (x, y))
    return Lazy(
        b,
        [left.dims[0], right.dims[0]],
        lambda index: b.scalar("mul", left.at(index[:1]), right.at(index[1:])),
        "f",
        active=left.active or right.active,
        cost=left.cost + right.cost + 1,
        reads=left.reads | right.reads,
        positional=left.positional or right.positional,
    )


def _all_pairs(rule: str) -> Handler:
    def pairs(b: Frontend, x: Any, y: Any) -> Any:
        left, right = b.operand(x), b.operand(y)
        for _ in range(right.ndim):
            left = expanded(b, left, left.ndim) if left.ndim else left
        return b.apply(rule, left, right)

    return pairs


for _function in (np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.power, np.logaddexp):
    HANDLERS[_function.outer] = _all_pairs(FUNCTIONS[_function])


@handles(np.kron)
def _kron(b: Frontend, x: Any, y: Any) -> Any:
    left, right = b.lazy(b.operand(x)), b.lazy(b.operand(y))
    while left.ndim < right.ndim:
        left = expanded(b, left, 0)
    while right.ndim < left.ndim:
        right = expanded(b, right, 0)
    ndim = left.ndim
    for axis in range(ndim):
        left, right = expanded(b, left, 2 * axis + 1), expanded(b, right, 2 * axis)
    return merged(b, b.lazy(b.apply("mul", left, right)), [[k, k + 1] for k in range(0, 2 * ndim, 2)])


@handles(np.tensordot)
def _tensordot(b: Frontend, x: Any, y: Any, axes: Any = 2) -> Any:
    number = axes.constant if is_number(axes) else axes
    left, right = b.operand(x), b.operand(y)
    if not isinstance(number, int) or not 0 <= number <= min(left.ndim, right.ndim):
        raise b.error("axes of np.tensordot must be a number of axes here; write np.einsum")
    letters = "abcdefghijklmnop"
    first = letters[: left.ndim]
    second = first[left.ndim - number :] + letters[left.ndim : left.ndim + right.ndim - number]
    return _einsum(b, f"{first},{second}->{first[: left.ndim - number]}{second[number:]}", left, right)


@handles(np.cross)
def _cross(b: Frontend, x: Any, y: Any) -> Any:
    left, right = b.lazy(b.operand(x)), b.lazy(b.operand(y))
    if left.ndim != 1 or right.ndim != 1:
        raise b.error("np.cross takes arrays of one axis here, of three elements")
    for size in (left.dims[0], right.dims[0]):
        b.check_equal(size, b.constant(3))

    def product(i: int, j: int) -> Value:
        return b.scalar("mul", left.at([b.constant(i)]), right.at([b.constant(j)]))

    return b.pack([b.scalar("sub", product(i, j), product(j, i)) for i, j in ((1, 2), (2, 0), (0, 1))])


#: Sums of products that are products of matrices and vectors.
_PRODUCTS = {"ab,b->a": False, "a,ab->b": False, "ab,bc->ac": False, "a,a->": False, "b,ab->a": True, "ab,a->b": True}


@handles(np.einsum)
def _einsum(b: Frontend, subscripts: Any, *arrays: Any) -> Any:
    operands = [b.operand(array) for array in arrays]
    inputs, output = _indices(b, subscripts, operands)
    letters = "".join(dict.fromkeys("".join(inputs)))
    names = dict(zip(letters, "abcdefghijklmnopqrstuvwxyz", strict=False))
    pattern = ",".join("".join(names[k] for k in part) for part in inputs) + "->" + "".join(names[k] for k in output)
    if pattern in _PRODUCTS:
        return b.dot(*(operands[::-1] if _PRODUCTS[pattern] else operands))
    if len(inputs) == 2 and inputs[0] + inputs[1][::-1] == "".join(inputs) and pattern == "ab,cb->ac":
        return b.dot(operands[0], b.transpose(operands[1]))
    sizes: dict[str, Value] = {}
    for part, operand in zip(inputs, operands, strict=True):
        for letter, size in zip(part, b.dims_of(operand), strict=True):
            b.check_equal(sizes.setdefault(letter, size), size)
    order = output + "".join(letter for letter in letters if letter not in output)
    product: Any = None
    for part, operand in zip(inputs, operands, strict=True):
        factor = _along(b, b.lazy(operand), part, order, sizes)
        product = factor if product is None else b.apply("mul", product, factor)
    summed = tuple(b.constant(k) for k in range(len(output), len(order)))
    return b.sum(product, summed) if summed else product


def _indices(b: Frontend, subscripts: Any, operands: list[Any]) -> tuple[list[str], str]:
    """Read index notation: the letters of each operand, and those of the result."""
    if not isinstance(subscripts, str) or "." in subscripts:
        raise b.error("np.einsum takes a text of letters, as in 'ij,j->i'")
    left, arrow, output = subscripts.replace(" ", "").partition("->")
    inputs = left.split(",")
    if not arrow:
        counts = Counter("".join(inputs))
        output = "".join(sorted(letter for letter, count in counts.items() if count == 1))
    if [len(part) for part in inputs] != [x.ndim for x in operands] or not set(output) <= set("".join(inputs)):
        raise b.error(f"np.einsum: {subscripts!r} does not fit arrays of {[x.ndim for x in operands]} axes")
    return inputs, output


def _along(b: Frontend, x: Lazy, part: str, order: str, sizes: dict[str, Value]) -> Lazy:
    """View an array as one along all indices."""

    def own(index: Index) -> Index:
        return [index[order.index(letter)] for letter in part]

    return rearranged(b, x, [sizes[letter] for letter in order], own, is_view=False, positional=False)
