"""Bound densities and rows through their addresses, as chains call them."""

import numpy as np

from nbinfer.compile import Entry, address_of, call_density, call_record, entry


@entry("float64(intp, int64, intp, intp, intp)")
def evaluate(function, n, q, grad, context):
    return call_density(function, n, q, grad, context)


@entry("int64(intp, int64, intp, intp, intp)")
def write_row(function, n, q, row, context):
    return call_record(function, n, q, row, context)


def through_address(bound, q, chain, *, gradient=True, density=None):
    grad = np.full(bound.dim, np.nan)
    value = evaluate(
        density or bound.density, bound.dim, address_of(q), address_of(grad) if gradient else 0, bound.context(chain)
    )
    return value, grad


def record(bound, q, chain=0):
    row = np.full(bound.row_size, np.nan)
    status = write_row(bound.record, bound.dim, address_of(q), address_of(row), bound.context(chain))
    values = {c.name: row[c.offset : c.offset + c.size].reshape(c.shape).astype(c.dtype) for c in bound.columns}
    return status, values


def count_compiled():
    return len(Entry.compiled)
