"""Batches of draws with their gradients: what methods look at that move parameters themselves."""

from nbinfer.compile import call_density, entry, floats_at, ints_at, load_acquire, record_at
from nbinfer.random import Purpose, start
from nbinfer.variational.job import GROUP_FIELDS, TOLERATED, Fit, counts, draw_all

_NOISE = int(Purpose.NOISE)


@entry("int64(intp, int64, int64, intp, intp, intp)")
def explore(address: int, piece: int, count: int, positions: int, grads: int, losses: int) -> int:
    """Write draws of an iteration that have a density, their gradients and log q less log p; return how many.

    -1: the stop word has cut it short.
    """
    fit = record_at(address, Fit)
    groups = ints_at(fit.groups, GROUP_FIELDS * fit.n_groups)
    rows, slopes = floats_at(positions, count * fit.n), floats_at(grads, count * fit.n)
    loss, position, grad = floats_at(losses, count), floats_at(fit.position, fit.n), floats_at(fit.grad, fit.n)
    start(fit.words, piece, fit.number, _NOISE)
    found = 0
    for _ in range(count):
        if load_acquire(fit.stop) != 0:
            return -1
        logq = draw_all(address, fit, groups)
        logp = call_density(fit.density, fit.n, fit.position, fit.grad, fit.context)
        if counts(fit, logp - logq):
            for i in range(fit.n):
                rows[found * fit.n + i] = position[i]
                slopes[found * fit.n + i] = grad[i]
            loss[found] = logq - logp
            found += 1
        elif fit.skipped_lately > TOLERATED:
            break
    return found
