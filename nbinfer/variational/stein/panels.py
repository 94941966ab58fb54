r"""Panels: what the sums over pairs read, and what they leave.

A kernel of the squared distance pulls a particle i up the density and pushes it away from the others by

.. math:: n \phi_i = \sum_j k_{ij} \frac{g_j}{T} - a_{ij} x_j + x_i \sum_j a_{ij}

where a is minus twice the kernel's derivative. Two panels have what values and slopes multiply, `pulls` and `pushes`;
the feature after the last coordinate is what the slopes are summed by, and 0 for places that no particle has. Slopes of
a Gaussian kernel are values over the bandwidth, so that one panel is enough. Positions are those from the centre: of
numbers that are large and nearly the same float32 would not leave much.
"""

from __future__ import annotations

from nbinfer.compile import Record, entry, floats_at, ints_at, kernel, record_at
from nbinfer.variational.stein.selection import nth
from nbinfer.variational.stein.state import Numbers, Stein_, doubles, drawn, panel_of, singles, width_of, width_of_drawn

#: Particles at most whose middle is the centre.
_SOME = 63


@entry("int64(intp, int64, int64)")
def centre(address: int, row: int, piece: int) -> int:
    """Find a centre of the points, the medians of some: one far away would move the mean. A phase of one row."""
    stein = record_at(address, Stein_)
    count, dim, some = stein.count, stein.dim, min(stein.count, _SOME)
    points, middle = floats_at(stein.points, count * dim), floats_at(stein.centre, dim)
    values = floats_at(stein.found, some)
    for c in range(dim):
        for k in range(some):
            values[k] = points[k * count // some * dim + c]
        middle[c] = nth(stein.found, some, some // 2) if some > 0 else 0.0
    return 0


@kernel
def _arrange_drawn(stein: Record, section: int) -> None:
    """Lay out a share of the positions in the order in which particles are drawn."""
    n, dim, width, order = stein.n_drawn, stein.dim, width_of_drawn(stein), ints_at(stein.order, stein.n_drawn)
    points, middle = floats_at(stein.points, stein.count * dim), floats_at(stein.centre, dim)
    panel, share = drawn(stein), -(-width // stein.n_sections)
    for k in range(section * share, min((section + 1) * share, width)):
        i = order[k % n]
        for c in range(stein.coordinates):
            panel[c * width + k] = points[i * dim + c] - middle[c] if c < dim else 0.0


@kernel
def _arrange(stein: Record, numbers: Numbers, section: int) -> int:
    count, dim = stein.count, stein.dim
    points, middle = floats_at(stein.points, count * dim), floats_at(stein.centre, dim)
    if stein.n_drawn > 0:
        _arrange_drawn(stein, section)
    for tile in range(section * stein.section, (section + 1) * stein.section):
        n, first = width_of(stein, tile), tile * stein.tile
        panel = panel_of(stein, numbers, stein.places, stein.coordinates, tile)
        for k in range(n):
            i = first + k
            for c in range(stein.coordinates):
                panel[c * n + k] = points[i * dim + c] - middle[c] if c < dim and i < count else 0.0
    return 0


@entry("int64(intp, int64, int64)")
def arrange(address: int, section: int, piece: int) -> int:
    """Lay out the positions of a section: a phase."""
    stein = record_at(address, Stein_)
    return _arrange(stein, doubles(stein), section)


@entry("int64(intp, int64, int64)")
def arrange_singles(address: int, section: int, piece: int) -> int:
    """Do so in float32: a phase."""
    stein = record_at(address, Stein_)
    return _arrange(stein, singles(stein), section)


@kernel
def _aim(stein: Record, numbers: Numbers, section: int) -> int:
    count, dim, features, is_gaussian = stein.count, stein.dim, stein.features, stein.gauss != 0
    points, middle = floats_at(stein.points, count * dim), floats_at(stein.centre, dim)
    scores, inverse = floats_at(stein.scores, count * dim), 1.0 / stein.bandwidth
    for tile in range(section * stein.section, (section + 1) * stein.section):
        n, first = width_of(stein, tile), tile * stein.tile
        pulls, sums = (
            panel_of(stein, numbers, stein.pulls, features, tile),
            panel_of(stein, numbers, stein.sums, features, tile),
        )
        pushes = pulls if is_gaussian else panel_of(stein, numbers, stein.pushes, features, tile)
        steep = inverse if is_gaussian else 1.0
        for c in range(features):
            for k in range(n):
                i, pull, push = first + k, 0.0, 0.0
                if i < count and c < dim:
                    pull, push = scores[i * dim + c] / stein.temperature, -steep * (points[i * dim + c] - middle[c])
                elif i < count and c == dim:
                    push = steep
                pulls[c * n + k] = pull + push if is_gaussian else pull
                if not is_gaussian:
                    pushes[c * n + k] = push
                sums[c * n + k] = 0.0
    return 0


@entry("int64(intp, int64, int64)")
def aim(address: int, section: int, piece: int) -> int:
    """Lay out what is to be summed over pairs, for the particles of a section, and clear the sums: a phase."""
    stein = record_at(address, Stein_)
    return _aim(stein, doubles(stein), section)


@entry("int64(intp, int64, int64)")
def aim_singles(address: int, section: int, piece: int) -> int:
    """Do so in float32: a phase."""
    stein = record_at(address, Stein_)
    return _aim(stein, singles(stein), section)


@kernel
def _settle(stein: Record, numbers: Numbers, section: int) -> int:
    count, dim = stein.count, stein.dim
    points, middle = floats_at(stein.points, count * dim), floats_at(stein.centre, dim)
    forces = floats_at(stein.forces, count * dim)
    for tile in range(section * stein.section, (section + 1) * stein.section):
        n, first = width_of(stein, tile), tile * stein.tile
        sums = panel_of(stein, numbers, stein.sums, stein.features, tile)
        for k in range(min(n, count - first)):
            i, whole = first + k, sums[dim * n + k]
            for c in range(dim):
                forces[i * dim + c] = (sums[c * n + k] + (points[i * dim + c] - middle[c]) * whole) / count
    return 0


@entry("int64(intp, int64, int64)")
def settle(address: int, section: int, piece: int) -> int:
    """Write the forces on the particles of a section, of which the sums over pairs are made: a phase."""
    stein = record_at(address, Stein_)
    return _settle(stein, doubles(stein), section)


@entry("int64(intp, int64, int64)")
def settle_singles(address: int, section: int, piece: int) -> int:
    """Do so in float32: a phase."""
    stein = record_at(address, Stein_)
    return _settle(stein, singles(stein), section)
