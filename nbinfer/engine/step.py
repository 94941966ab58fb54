"""What every step method has: variables, a place in a model, state, competence.

A step method is a small configuration object in the file of its kernel, which reads as: declaration of its state,
kernel, options. The engine finds memory for what is declared, has the step write its settings there, and then knows it
by the address of its C function ``int64 step(intp chain, intp own)`` alone. The next step method touches one file, its
test and one export: subclass `StepMethod` and, if variables are to be assigned to it automatically, name it in
`nbinfer.mcmc.assign`.
"""

from __future__ import annotations

import enum
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import flag
from nbinfer.compile import Entry
from nbinfer.compile.forks import cached_property
from nbinfer.engine.python_entry import PythonEntry
from nbinfer.engine.state import Memory, State
from nbinfer.errors import NbinferWarning, calls_above
from nbinfer.spelling import public

if TYPE_CHECKING:
    from nbinfer.model.support.support import Support


class Competence(enum.IntEnum):
    """How well a step method samples a variable."""

    INCOMPATIBLE = 0
    COMPATIBLE = 1
    PREFERRED = 2
    IDEAL = 3


class Site(NamedTuple):
    """Where a step acts.

    Attributes
    ----------
    bound : Bound
        The model's memory and machine code.
    names : tuple of str
        Variables that the step moves.
    coordinates : ndarray of int64, shape (n,)
        Their unconstrained coordinates, as indices into the position.
    discrete : ndarray of int64, shape (k,)
        Their discrete values, as indices among all discrete values.
    lowest, highest : ndarray of int64, shape (k,)
        The range of each of those.
    sees_all : bool
        Whether the step is given the whole chain although it moves part of the coordinates.
    tune : int
        Draws of warm-up that it is to learn from.
    settles : bool
        Whether warm-up ends as soon as it has settled.
    """

    bound: Any
    names: tuple[str, ...]
    coordinates: NDArray[np.int64]
    discrete: NDArray[np.int64]
    lowest: NDArray[np.int64]
    highest: NDArray[np.int64]
    sees_all: bool = False
    tune: int = 0
    settles: bool = False

    @property
    def n(self) -> int:
        """Number of coordinates that the step sees: the chain it is given has so many."""
        return len(self.coordinates) if self.is_part else int(self.bound.dim)

    @property
    def is_part(self) -> bool:
        """Whether the step sees some of the coordinates, but not all."""
        return 0 < len(self.coordinates) < int(self.bound.dim) and not self.sees_all


def site_of(bound: Any, names: Sequence[str], sees_all: bool = False) -> Site:
    """Return where a step on these variables acts."""
    layout = bound.definition.layout
    chosen = [layout.parameters[name] for name in names]

    def indices(places: Sequence[slice]) -> NDArray[np.int64]:
        return np.concatenate([np.arange(p.start, p.stop) for p in places] or [np.zeros(0)]).astype(np.int64)

    discrete = [p for p in chosen if p.support.discrete]
    limits = [p.support.constants.reshape(2, -1) for p in discrete]
    lowest, highest = np.concatenate([np.zeros((2, 0)), *limits], axis=1).astype(np.int64)
    coordinates = indices([p.q for p in chosen if not p.support.discrete])
    return Site(bound, tuple(names), coordinates, indices([p.z for p in discrete]), lowest, highest, sees_all)


class Peers(NamedTuple):
    """Whom a step looks at; of all chains at once.

    Attributes
    ----------
    where : int or ndarray
        Address of the addresses of the positions that this step sees in each of them.
    count : int or ndarray
        How many they are.
    own : int or ndarray
        Which of them the chain is itself; -1: none.
    """

    where: Any
    count: Any
    own: Any


class Around(NamedTuple):
    """What a step is told of the run around it.

    Attributes
    ----------
    chain : Memory
        The headers of all chains' blocks, or what stands for them where the step sees part of the coordinates.
    peers : Peers
        Other chains of the run.
    conditional : int
        Address of a C function that stands for the model's `conditional` where the step sees part of the coordinates;
        else 0.
    """

    chain: Memory
    peers: Peers
    conditional: int = 0


def pair_per_coordinate(owner: Any, site: Site) -> int:
    """Size of a table of (function, index) for each coordinate that a step sees."""
    return 2 * site.n


def pair_per_discrete(owner: Any, site: Site) -> int:
    """Size of a table of (function, index) for each discrete value that a step moves."""
    return 2 * len(site.discrete)


def fill_conditionals(table: NDArray[np.int64], around: Around, site: Site) -> None:
    """Write which function gives the log density of what depends on one coordinate, and the index that it takes.

    Parameters
    ----------
    table : ndarray of int64, shape (2 n,) or (chains, 2 n)
        Overwritten; the function is 0 where the model has none.
    around : Around
    site : Site
        The step's; its coordinates count.
    """
    pairs = site.bound.conditionals(site.names, False)
    if around.conditional:
        pairs[:, 1] = np.arange(len(pairs))
        pairs[pairs[:, 0] != 0, 0] = around.conditional
    table[:] = pairs.ravel()


def _name(var: Any) -> Any:
    """Return the name of a variable that stands for it; anything else as it is."""
    return var.name if hasattr(var, "support") else var


#: What puts methods to work draw by draw. It knows all of them, so that they cannot import it: it comes here by itself.
STEPPER: list[Callable[..., Any]] = []


def support_of(var: Any) -> Support:
    """Return the support of a variable, or of what may be one.

    Raises
    ------
    TypeError
        If it is neither an entry of ``model.parameters`` nor a support.
    """
    support: Support = getattr(var, "support", var)
    if not hasattr(support, "discrete"):  # steps are compiled with all that they import, and models are not for them
        raise TypeError(f"var must be a variable, model.parameters['x'], or a support, nb.real(), got {var!r}.")
    return support


@public
@dataclass(frozen=True)
class StepMethod:  # numpydoc ignore=PR02
    """Base of the step methods.

    Parameters
    ----------
    vars : str, variable or sequence of them, optional
        Names of the variables to sample; or these themselves, ``model.parameters["x"]`` or the object, ``nb.real()``,
        that the model was made of. Default: all that no other step samples and this one can.
    blocked : bool
        Whether one step moves all its variables together; else there is one for each variable.

    Attributes
    ----------
    model : Model or None
        The model that the variables are of. None: that of the run.
    """

    vars: Any = None
    _: KW_ONLY
    blocked: bool = True

    timed = False
    model = cast(Any, None)  # no field here: each step has its own place for it

    #: Lower-case name, as `step_kwargs` has it.
    name: ClassVar[str]
    #: The C function ``int64 step(intp chain, intp own)``; `own` is the address of the record that `state` declares.
    function: ClassVar[Entry]
    #: What the step keeps.
    state: ClassVar[State]
    #: Name and dtype of what the step writes for each draw, in the order of its row: those of its state.
    statistics: ClassVar[Mapping[str, str]]
    #: Whether the step asks for gradients.
    uses_gradient: ClassVar[bool] = False
    #: Whether the step is given the whole chain, even if it moves part of it.
    sees_all: ClassVar[bool] = False
    #: Whether all chains form one unit, whose members look at each other.
    population: ClassVar[bool] = False
    #: Draws of warm-up where nothing is said.
    usual_tune: ClassVar[int] = 1000
    #: What the chains of a population do after each draw of warm-up, in this order, instead of looking at each other
    #: while they move: C functions ``int64 phase(intp members, int64 row, int64 piece)`` of what each of them keeps,
    #: see `nbinfer.engine.team.blocks_of`, and whether a row is a block; else there is one row. Workers of the
    #: processor go through them after warm-up, too, and they must have nothing to do then.
    together: ClassVar[tuple[tuple[Entry, bool], ...]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "state" in vars(cls):
            cls.statistics = cls.state.statistics

    def __post_init__(self) -> None:
        flag("blocked", self.blocked)
        if self.model is not None and not hasattr(self.model, "definition"):
            raise TypeError(f"model must be a Model, got {type(self.model).__name__}.")
        if getattr(self, "mode", None) is not None:
            text = "mode is ignored: it chose Theano's way to compile, and Numba compiles every step; leave it out."
            warnings.warn(text, NbinferWarning, stacklevel=calls_above())
            object.__setattr__(self, "mode", None)  # copies of the step need not say so again
        several = isinstance(self.vars, tuple | list) and not hasattr(self.vars, "support")
        names = type(self.vars)(map(_name, self.vars)) if several else _name(self.vars)
        object.__setattr__(self, "vars", names)

    @staticmethod
    def competence(var: Any, has_grad: bool = True) -> Competence:
        """Tell how well this method samples a variable.

        Parameters
        ----------
        var : Parameter or Support
            An entry of ``model.parameters``, or what a parameter is made of, such as ``nb.real()``.
        has_grad : bool
            Whether the model's density has a gradient.

        Returns
        -------
        competence : Competence

        Raises
        ------
        TypeError
            If it is no variable.
        """
        raise NotImplementedError

    def on(self, model: Any = None, **options: Any) -> Any:
        """Put this method to work on one chain of a model, draw by draw.

        Parameters
        ----------
        model : Model, optional
            Default: that of the step, or of the enclosing ``with`` block.
        **options
            ``start``, ``tune`` and ``random_seed`` of `Stepper`.

        Returns
        -------
        stepper : Stepper
            With ``astep``, ``step``, ``stop_tuning``, ``reset_tuning``.
        """
        return STEPPER[0](self, model, **options)

    @cached_property
    def called(self) -> list[PythonEntry]:
        """C functions in plain Python that this step has handed out; they live as long as it does."""
        return []

    @property
    def serial(self) -> bool:
        """Whether the step calls functions in plain Python: its chains then run one after the other."""
        return False

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "called"}

    @property
    def settles(self) -> bool:
        """Whether the step can tell when it needs no more warm-up; it then sets the chain's `settled`."""
        return False

    def check(self, site: Site) -> None:
        """Raise ValueError if the settings do not fit the place."""

    def check_starts(self, site: Site, positions: np.ndarray) -> None:
        """Raise ValueError if chains cannot begin at these positions, shape (chains, site.n)."""

    def initialise(self, own: Memory, site: Site, tune: int, position: np.ndarray) -> None:
        """Write settings and first state of chains that begin at `position`; all is 0 before.

        Parameters
        ----------
        own : Memory
            Of one chain or of all.
        site : Site
        tune : int
            Iterations of warm-up.
        position : ndarray, shape (site.n,) or (chains, site.n)
        """
        raise NotImplementedError

    def connect(self, own: Memory, around: Around, site: Site) -> None:
        """Write into all chains the addresses of what is not theirs: functions, other chains."""

    def replay(self, definition: Any, position: np.ndarray, discrete: np.ndarray, rng: np.random.Generator) -> None:
        """Run what the user gave to this step once more in plain Python, so that its own exception comes out.

        Parameters
        ----------
        definition : Definition
            The model's.
        position, discrete : ndarray
            Where the compiled form failed.
        rng : Generator
            At the numbers that the step began with there.
        """
