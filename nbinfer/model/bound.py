"""A model bound to memory and machine code: what samplers run."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbinfer.autodiff.check import Check, Comparison, compare_all, directional_excess
from nbinfer.compile import address_of, aligned
from nbinfer.errors import ModelError

if TYPE_CHECKING:
    from nbinfer.model.definition import Definition


class Quantity(NamedTuple):
    """A parameter or derived quantity, and its place in the flat row of a draw.

    Attributes
    ----------
    name : str
        Of the parameter or derived quantity.
    offset, size : int
        First element, number of elements.
    shape : tuple of int
        Shape of the value.
    dtype : str
        "float64", "int64" or "bool"; in the row everything is float64.
    kind : str
        "parameter" or "derived".
    """

    name: str
    offset: int
    size: int
    shape: tuple[int, ...]
    dtype: str
    kind: str


class Bound:
    """Memory and machine code of a run.

    Attributes
    ----------
    definition : Definition
        What was bound; it keeps its data, whatever the model is given later.
    dim, n_discrete, chains : int
        Number of coordinates, of discrete values, and of chains.
    row_size : int
        Number of float64 in the row that `record` writes.
    columns : list of Quantity
        What the row holds.
    serial : bool
        Whether the density is a Python callable, which needs the GIL and one core.
    has_gradient : str
        "written", "derived" or "finite differences".
    weights : ndarray, shape (contexts, terms)
        Of each context, the weights of the prior and of each likelihood term; no terms where no weight is known.
    tables : ndarray of int64, shape (contexts, words)
        Of each context, where its data are: the words of a `Table`.

    Notes
    -----
    There is a context for each chain, and one more, the last, for Python's own calls. What is written to its row of
    `weights` and `tables`, whose addresses never change, is so from its next evaluation on, and for no other context.
    A written gradient and conditionals heed no weights of terms: a model that has them is bound with `weighted` where
    weights will change.
    """

    serial = False
    has_gradient: str

    def __init__(self, definition: Definition, chains: int) -> None:
        self.definition = definition
        self.dim = definition.dim
        self.n_discrete = definition.layout.discrete
        self.chains = chains
        self._lowest = definition.layout.discrete_values({})[: self.n_discrete]
        # One context more than chains: Python's own calls must not meet a running chain's scratch memory.
        self._failures = aligned(chains + 1, self.dim + self.n_discrete)
        self._lock = threading.Lock()
        self.weights = np.ones((chains + 1, 0))
        self.tables = np.zeros((chains + 1, 0), np.int64)
        self.columns: list[Quantity] = []
        for p in definition.parameters.values():
            self._add_column(p.name, p.shape, "int64" if p.support.discrete else "float64", "parameter")

    def _add_column(self, name: str, shape: tuple[int, ...], dtype: str, kind: str) -> None:
        self.columns.append(Quantity(name, self.row_size, int(np.prod(shape, dtype=np.int64)), shape, dtype, kind))

    @property
    def row_size(self) -> int:
        return self.columns[-1].offset + self.columns[-1].size if self.columns else 0

    @property
    def density(self) -> int:
        """Address of ``double density(int64 n, intp q, intp grad, intp context)``.

        It is the same whatever the weights are. A gradient that the user wrote is that of the whole, and at weights of
        one: where weights will change, bind with `weighted`, which leaves it out, or take `density_by_terms`.
        """
        raise NotImplementedError

    @property
    def density_by_terms(self) -> int:
        """Address of the density whose gradient is right at any weights; the same signature."""
        return self.density

    @property
    def value_density(self) -> int:
        """Address of the C function for samplers that never ask for a gradient; the same signature."""
        return self.density

    @property
    def record(self) -> int:
        """Address of ``int64 record(int64 n, intp q, intp row, intp context)``."""
        raise NotImplementedError

    def context(self, chain: int) -> int:
        """Return the context address of a chain."""
        raise NotImplementedError

    def status(self, chain: int) -> int:
        """Return the address of a chain's status word: the number of its evaluations that raised."""
        raise NotImplementedError

    @property
    def failed_chains(self) -> list[int]:
        """Chains of which a position is kept at which an evaluation raised."""
        raise NotImplementedError

    def failure(self, chain: int) -> np.ndarray | None:
        """Return a copy of the first position at which an evaluation raised, or None."""
        raise NotImplementedError

    def clear_failure(self, chain: int) -> None:
        """Forget the failing position, so that the next one is kept."""
        raise NotImplementedError

    @property
    def derivative_warnings(self) -> tuple[str, ...]:
        """Derivatives that vanish silently, each with its place."""
        return ()

    @property
    def underivable(self) -> str:
        """Why the gradient is not derived, if that was tried."""
        return ""

    #: Whether the gradient of the whole is of no use, since its terms have weights other than one.
    _weighs_terms = False

    @property
    def gradient_warning(self) -> str:
        """What to warn about before a run that uses gradients; '' if there is nothing."""
        if self.has_gradient != "finite differences":
            return ""
        why = f"its gradient cannot be derived: {self.underivable}" if self.underivable else "it has no logp_grad"
        if self.definition.is_written and self._weighs_terms:
            written = self.definition.written
            why = f"its terms have weights other than one (total_size), which {written} cannot know, and {why}"
        return (
            f"{self.definition.title} is differentiated by central differences, {2 * self.dim} evaluations of the "
            f"density for each gradient and fewer digits, because {why}"
        )

    @property
    def unused_gradient(self) -> str:
        """What to say of a written gradient that a run leaves aside; '' if there is none."""
        if not (self.definition.is_written and self._weighs_terms and self.has_gradient == "derived"):
            return ""
        written = self.definition.written
        return (
            f"{written} of {self.definition.title} is not used: total_size gives terms weights other than one, which "
            f"{written} cannot know, and the gradient is derived instead. Leave {written} out."
        )

    @property
    def arena_words(self) -> int:
        """How many words of 8 bytes an evaluation of `density` takes from a context's arena, as far as is known.

        It is found out by evaluations at a few points. Where memory cannot grow, as on a device, a context's arena must
        have that many; one that goes other ways, such as more turns of a ``while`` loop, may need more.
        """
        return 0

    def value_and_grad(self, q: Any, discrete: np.ndarray | None = None) -> tuple[float, np.ndarray]:
        """Return the log density with its Jacobian, and its gradient.

        Parameters
        ----------
        q : array_like, shape (dim,)
            The position.
        discrete : ndarray of int64, shape (n_discrete,), optional
            Values of discrete parameters, one after the other. Default: the lowest.

        Returns
        -------
        logp : float
        grad : ndarray, shape (dim,)
        """
        grad = np.full(self.dim, np.nan)
        return self._call(q, discrete, grad), grad

    def value(self, q: Any, discrete: np.ndarray | None = None) -> float:
        """Return the log density with its Jacobian; arguments as those of `value_and_grad`."""
        return self._call(q, discrete, None)

    def _call(self, q: Any, discrete: np.ndarray | None, grad: np.ndarray | None) -> float:
        position = self.definition.layout.position(q)
        with self._lock:
            if self.n_discrete:
                self.discrete(self.chains)[:] = self._lowest if discrete is None else discrete
            where = 0 if grad is None else address_of(grad)
            return float(self._density(self.dim, address_of(position), where, self.context(self.chains)))

    def _density(self, *args: int) -> float:
        raise NotImplementedError

    def values_and_grads(self, positions: np.ndarray, gradient: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        """Return what `value_and_grad`, or `value`, returns at each of several positions; for continuous models.

        Parameters
        ----------
        positions : ndarray, shape (k, dim)
        gradient : bool
            Whether gradients are wanted.

        Returns
        -------
        logp : ndarray, shape (k,)
        grad : ndarray, shape (k, dim), or None
        """
        count = len(positions)
        grad = np.full((count, self.dim), np.nan) if gradient else None
        logp, size = np.zeros(count), 8 * self.dim
        where, to, context = address_of(positions), 0 if grad is None else address_of(grad), self.context(self.chains)
        with self._lock:
            for i in range(count):  # in Python: between two evaluations there may be Ctrl-C
                logp[i] = self._density(self.dim, where + i * size, to + i * size if to else 0, context)
        return logp, grad

    def failed_discrete(self, chain: int) -> np.ndarray:
        """Return the discrete values at which that evaluation raised."""
        return self._failures[chain, self.dim : self.dim + self.n_discrete].astype(np.int64)

    def replay(self, q: Any, discrete: np.ndarray | None = None) -> float:
        """Evaluate everything at a position in plain Python; the user's own exception comes out."""
        return self.definition.evaluate(q, discrete)

    def discrete(self, chain: int) -> np.ndarray:
        """Return the discrete values of a chain, one after the other; may be written to."""
        return np.zeros(0, np.int64)

    def conditional(self, name: str) -> int:
        """Return the address of ``double f(int64 n, intp q, intp i, intp context)``, or 0 if there is none.

        It gives the log density of what depends on element i of a variable, up to what does not.
        """
        return 0

    def draw(self, name: str, function: Any) -> int:
        """Return the address of a C function that draws a variable, see `nbinfer.model.code.extras.draw_entry`."""
        raise NotImplementedError

    def conditionals(self, names: Sequence[str], discrete: bool) -> np.ndarray:
        """Return what `conditional` takes for each element of some variables.

        Parameters
        ----------
        names : sequence of str
            Variables; those of the other kind do not count.
        discrete : bool
            Whether the discrete or the continuous ones count.

        Returns
        -------
        pairs : ndarray of int64, shape (k, 2)
            Address, 0 if there is none, and index within its variable of each discrete value or coordinate.
        """
        pairs = []
        for p in (self.definition.layout.parameters[name] for name in names):
            if p.support.discrete == discrete:
                address = self.conditional(p.name)
                pairs += [(address, i) for i in range(p.elements if discrete else p.size)]
        return np.array(pairs, np.int64).reshape(-1, 2)

    def place_discrete(self, chain: int, values: np.ndarray) -> None:
        """Let the chain's functions read its discrete values from this memory, which must outlive them."""

    def explain(self, q: Any, discrete: np.ndarray | None = None, gradient: bool = True) -> str:
        """Name the first piece of the density, or coordinate of the gradient, that is not finite; '' if all is well."""
        reason = self.definition.explain(q, discrete)
        if reason:
            return reason
        if not gradient:
            return f"the log density is {self.value(q, discrete)}"
        logp, grad = self.value_and_grad(q, discrete)
        bad = np.flatnonzero(~np.isfinite(grad))
        if bad.size:
            # Bounds pass a bad gradient on to the parameters they depend on, which were declared before.
            places = [p.q for p in reversed(self.definition.layout.dependent)]
            culprits = [i for place in places for i in bad if place.start <= i < place.stop]
            first = int((culprits or bad)[0])
            return f"the gradient is {grad[first]} for {self.definition.layout.coordinate_name(first)}"
        return "" if np.isfinite(logp) else f"the log density is {logp}"

    def describe(self, q: Any, discrete: np.ndarray | None = None) -> str:
        """Write a position as constrained values: ``mu = 0.1, tau = 2``."""
        written = []
        # A bound that raises has said so already: the parameters before it are what there is to say.
        with contextlib.suppress(Exception):
            walk = self.definition.layout.walk(q, self.definition.data_tuple, discrete)
            for name, value, _ in walk:
                written.append(f"{name} = {np.array2string(np.asarray(value), precision=6, threshold=8)}")
        return ", ".join(written)

    def check_gradient(self, q: Any, discrete: np.ndarray | None = None) -> None:
        """Compare a written gradient with central differences, at a position and away from it.

        It takes two directional derivatives, five evaluations each; on failure every coordinate. Away from the
        position, since a wrong term may vanish where a run starts: at the mode, or where coordinates are 0. What
        disagrees there only, as at a kink, is no mistake: it must disagree next to it, too.

        Raises
        ------
        ModelError
            If a coordinate disagrees; it names the worst.
        """
        if self.has_gradient != "written":
            return
        position = self.definition.layout.position(q)
        for at, beside in ((position, _moved(position, 1e-3)), (_moved(position, 0.25), None)):
            worst = self.disagreement(at, discrete)
            if worst is None or (beside is not None and self._agrees(beside, discrete)):
                continue
            added = "Gradients are added into grad (+=), on the constrained scale, without the Jacobian"
            raise ModelError(
                f"{self.definition.written or 'the gradient'} of {self.definition.title} is wrong for {worst.name}: "
                f"it wrote {worst.gradient:.10g}, central differences give {worst.difference:.10g}. "
                f"{added if self.definition.is_named else 'It fills grad'}; model.check_grad() lists every coordinate."
            )

    def disagreement(self, position: np.ndarray, discrete: np.ndarray | None) -> Comparison | None:
        """Return the coordinate of the gradient that is wrong most of all, None if none is, or nothing can be said."""
        value = functools.partial(self.value, discrete=discrete)
        excess = directional_excess(value, functools.partial(self.value_and_grad, discrete=discrete), position)
        if excess is None or excess <= 1.0:
            return None
        worst = self.compare(position, discrete).worst
        return worst if worst is not None and worst.excess > 1.0 else None

    def _agrees(self, position: np.ndarray, discrete: np.ndarray | None) -> bool:
        """Tell whether the density is finite at a position, and no coordinate of its gradient wrong."""
        return bool(np.isfinite(self.value(position, discrete))) and self.disagreement(position, discrete) is None

    def compare(self, q: Any, discrete: np.ndarray | None = None) -> Check:
        """Compare each coordinate of the gradient with central differences."""
        names = [self.definition.layout.coordinate_name(i) for i in range(self.dim)]
        position = self.definition.layout.position(q)
        value = functools.partial(self.value, discrete=discrete)
        return compare_all(value, self.value_and_grad(position, discrete)[1], position, names)


def _moved(position: np.ndarray, by: float) -> np.ndarray:
    """Return a position that lies off another one in every coordinate, by some fraction of its size or of 1."""
    part = np.random.Generator(np.random.Philox(key=4)).uniform(-1.0, 1.0, position.size)
    return np.asarray(position + by * (part + np.copysign(0.5, part)) * np.maximum(1.0, np.abs(position)))
