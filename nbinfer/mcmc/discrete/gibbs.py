"""Gibbs: a user's compiled draw from the full conditional of a variable."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nbinfer.compile import call_record, entry, floats_at, ints_at, record_at
from nbinfer.engine.chain import Chain, know_value
from nbinfer.engine.job import Status
from nbinfer.engine.state import Memory, State, address_of_rows, floats, integers, per_discrete
from nbinfer.engine.step import Around, Competence, Site, StepMethod, support_of
from nbinfer.model.code.extras import DRAWABLE, check_draw
from nbinfer.model.evaluate import call
from nbinfer.model.support.bounds import BoundsError
from nbinfer.model.support.support import Support
from nbinfer.random import generator_functions
from nbinfer.spelling import public


def _count(step: Any, site: Site) -> int:
    """Return how many coordinates or discrete values there are."""
    return len(site.discrete) or len(site.coordinates)


def _room(step: Any, site: Site) -> int:
    """Return what a draw takes: as coordinates, and as elements of the variable."""
    return _count(step, site) + int(site.bound.definition.parameters[site.names[0]].elements)


GIBBS = State(
    fields={
        "draw": "i8",  # C function: chain's position -> draw
        "n": "i8",  # coordinates or discrete values
        "n_discrete": "i8",
    },
    parts={
        "given": integers(3),  # what the function is given: stream, functions of its generator, address of the draw
        "indices": integers(_count),
        "lowest": integers(per_discrete),
        "highest": integers(per_discrete),
    },
    work={"out": floats(_room)},
    statistics={"lp": "float64", "tune": "bool"},
)
Gibbs, Row = GIBBS.record, GIBBS.row

_LOOKS = 20  # points at which bounds are looked at
_OK, _BAD_DRAW, _RAISED = int(Status.OK), int(Status.BAD_DRAW), int(Status.RAISED)


@entry("int64(intp, intp)")
def step(chain_address: int, own_address: int) -> int:
    """Replace a variable by a draw."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Gibbs)
    if call_record(own.draw, chain.n, chain.position, own.given, chain.context) != 0:
        return _RAISED
    out, indices = floats_at(own.out, own.n), ints_at(own.indices, own.n)
    lowest, highest = ints_at(own.lowest, own.n_discrete), ints_at(own.highest, own.n_discrete)
    for i in range(own.n):
        inside = math.isfinite(out[i])
        if inside and own.n_discrete != 0:
            inside = lowest[i] <= out[i] <= highest[i] and out[i] == math.floor(out[i])
        if not inside:
            return _BAD_DRAW
    position, z = floats_at(chain.position, chain.n), ints_at(chain.discrete, chain.n_discrete)
    for i in range(own.n):
        if own.n_discrete != 0:
            z[indices[i]] = np.int64(out[i])
        else:
            position[indices[i]] = out[i]
    know_value(chain)
    if chain.logp == -np.inf:
        return _BAD_DRAW
    row = record_at(own.statistics, Row)
    row.lp = chain.logp
    row.tune = chain.tuning
    return _OK


@public
@dataclass(frozen=True)
class GibbsStep(StepMethod):  # numpydoc ignore=PR02
    """Configure draws from a full conditional.

    Parameters
    ----------
    vars : str or variable
        Name of the variable, or itself.
    draw : callable
        ``draw(p, d, rng)`` returns a new value of the variable, a number or an array of its shape, drawn from its
        distribution given everything else in ``p``. ``rng`` is a NumPy Generator; the function is compiled. That it
        draws from the right distribution cannot be checked.
    model : Model, optional
        That the variables are of. Default: that of the run.
    blocked : bool
        Of no meaning here, where there is one variable.

    Notes
    -----
    A draw that raises, lies outside the support or has no density ends the run with an error that has the finished
    draws. A variable that bounds of another depend on is refused. Statistics of each draw: lp, tune.

    Examples
    --------
    >>> import nbinfer as nb
    >>> def logp(p, d):
    ...     return -0.5 * p.x**2 - 0.5 * (p.y - p.x) ** 2
    >>> def draw_y(p, d, rng):
    ...     return rng.normal(p.x, 1.0)
    >>> model = nb.Model({"x": nb.real(), "y": nb.real()}, logp=logp)
    >>> trace = nb.sample(model, 1000, step=[nb.GibbsStep("y", draw_y), nb.NUTS("x")], random_seed=1)
    >>> trace["y"].shape
    (4, 1000)
    """

    draw: Callable[..., Any] | None = None
    model: Any = field(default=None, repr=False, compare=False)

    name = "gibbs"
    state = GIBBS
    function = step
    sees_all = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.vars, str | Support):
            raise TypeError(f"vars: GibbsStep takes the name of one variable, got {self.vars!r}: GibbsStep('z', draw).")
        if not callable(self.draw):
            raise TypeError(f"GibbsStep({self.vars!r}) needs a function draw(p, d, rng), got {self.draw!r}.")

    @staticmethod
    def competence(var: Any, has_grad: bool = True) -> Competence:
        """Tell how well this step samples a variable: it can if compiled draws can be brought to coordinates."""
        return Competence.COMPATIBLE if support_of(var).name in DRAWABLE else Competence.INCOMPATIBLE

    def check(self, site: Site) -> None:
        """Raise ValueError if the function, tried once, draws no value of the variable, or others move with it."""
        check_draw(site.bound.definition, site.names[0], self.draw)
        followers = _followers(site)
        if followers:
            raise ValueError(
                f"GibbsStep cannot draw {site.names[0]!r}: bounds of {', '.join(map(repr, followers))} depend on it, "
                "so that the draw would move more than this variable; let another step sample it."
            )

    def initialise(self, own: Memory, site: Site, tune: int, position: np.ndarray) -> None:
        """Write the settings."""
        own.n, own.n_discrete = _count(self, site), len(site.discrete)
        own.indices[:] = site.discrete if len(site.discrete) else site.coordinates
        own.lowest[:], own.highest[:] = site.lowest, site.highest

    def connect(self, own: Memory, around: Around, site: Site) -> None:
        """Write the function that draws, and what it is given."""
        own.draw = site.bound.draw(site.names[0], self.draw)
        own.given[:, 0], own.given[:, 1] = around.chain.record["words"], generator_functions()
        own.given[:, 2] = address_of_rows(own.out)

    def replay(self, definition: Any, position: np.ndarray, discrete: np.ndarray, rng: np.random.Generator) -> None:
        """Draw once more in plain Python, with the same random numbers."""
        call(self.draw, *definition.arguments(definition.constrain(position, discrete)), rng)


def _followers(site: Site) -> list[str]:
    """Name other variables whose values change with this one at the same coordinates, since their bounds do."""
    definition, rng = site.bound.definition, np.random.default_rng(0)
    suspects = [p.name for p in definition.layout.dependent if p.name not in site.names]
    found: set[str] = set()
    for _ in range(_LOOKS if suspects else 0):
        q, values = rng.normal(size=site.bound.dim), definition.layout.discrete_values({})
        with contextlib.suppress(BoundsError):  # bounds that leave nothing there tell nothing
            before = definition.constrain(q, values)
            q[site.coordinates] = rng.normal(size=len(site.coordinates))
            values[site.discrete] = rng.integers(site.lowest, site.highest, endpoint=True)
            after = definition.constrain(q, values)
            found |= {name for name in suspects if not np.array_equal(before[name], after[name])}
    return [name for name in suspects if name in found]
