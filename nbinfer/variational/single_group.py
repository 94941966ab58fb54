"""Approximations of one group, by the name of its family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import MOST, count, fits, from_zero, mapping
from nbinfer.errors import LocalGroupError, ParametrizationError
from nbinfer.model import Model
from nbinfer.model.default import the_model
from nbinfer.random import Purpose, generator, key_of, seed_sequences
from nbinfer.spelling import public
from nbinfer.variational import nodes
from nbinfer.variational.approximation import Approximation
from nbinfer.variational.families import registry
from nbinfer.variational.group import Group

Floats = NDArray[np.float64]


def local_groups(local_rv: Any, model: Model) -> list[Group]:
    """Return the local groups that `local_rv` asks for.

    Parameters
    ----------
    local_rv : mapping of str to mapping, or None
        Encoders by parameter of the family, by local parameter.
    model : Model
    """
    given = mapping("local_rv", local_rv)
    for name, params in given.items():
        if not isinstance(params, Mapping):
            raise TypeError(
                f"local_rv[{name!r}] must map parameters of a family to encoders, {{'mu': f, 'rho': g}}, got "
                f"{type(params).__name__}."
            )
    return [Group(name, params=params, model=model, local=True) for name, params in given.items()]


def refuse_local(local_rv: Any, who: str) -> None:
    """Raise LocalGroupError if parameters are to be local, where none can be."""
    if mapping("local_rv", local_rv):
        raise LocalGroupError(f"local_rv: {who} has no local parameters; take nb.ADVI or another fit of KL for these.")


@public
class SingleGroupApproximation(Approximation):
    """An approximation of one group, whose attributes it has, too.

    Parameters
    ----------
    local_rv : mapping, optional
        Encoders of local parameters by name, ``{"z": {"mu": f, "rho": g}}``: each becomes a local group, see `Group`.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    random_seed : None, int, SeedSequence or Generator
        Of fits and draws.
    start : mapping of str to array_like, optional
        Constrained values to begin the means at. Default: unconstrained 0.
    start_sigma : float or mapping of str to array_like, optional
        Standard deviations of the unconstrained coordinates to begin with. Default 0.1.
    **options : object
        Of the family.
    """

    vfam: ClassVar[str]

    def __init__(
        self,
        local_rv: Any = None,
        model: Model | None = None,
        random_seed: Any = None,
        start: Mapping[str, Any] | None = None,
        start_sigma: float | Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        model = the_model(model)
        local = local_groups(local_rv, model)
        group = Group(None, self.vfam, options=options, start=start, start_sigma=start_sigma)
        left = len(local) < len(model.parameters)
        super().__init__([group, *local] if left or not local else local, model, random_seed)

    def __getattr__(self, name: str) -> Any:
        if hasattr(type(self), name):  # a property that failed: its own error comes out
            return object.__getattribute__(self, name)
        groups = vars(self).get("groups")
        if groups and not name.startswith("_") and hasattr(groups[0], name):
            return getattr(groups[0], name)
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")


@public
class MeanField(SingleGroupApproximation):  # numpydoc ignore=PR02
    """Independent normal numbers on the unconstrained scale [1]_.

    Parameters
    ----------
    local_rv : mapping, optional
        Encoders of local parameters by name, ``{"z": {"mu": f, "rho": g}}``: each becomes a local group, see `Group`.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    random_seed : None, int, SeedSequence or Generator
        Of fits and draws.
    start : mapping of str to array_like, optional
        Constrained values to begin the means at. Default: unconstrained 0.
    start_sigma : float or mapping of str to array_like, optional
        Standard deviations of the unconstrained coordinates to begin with. Default 0.1.
    **options : object
        None.

    References
    ----------
    .. [1] A. Kucukelbir et al., "Automatic differentiation variational inference", JMLR 18 (2017).
    """

    vfam = "mean_field"


@public
class FullRank(SingleGroupApproximation):  # numpydoc ignore=PR02
    """One normal distribution with any covariance on the unconstrained scale [1]_.

    Parameters
    ----------
    local_rv : mapping, optional
        Encoders of local parameters by name, ``{"z": {"mu": f, "rho": g}}``: each becomes a local group, see `Group`.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    random_seed : None, int, SeedSequence or Generator
        Of fits and draws.
    start : mapping of str to array_like, optional
        Constrained values to begin the means at. Default: unconstrained 0.
    start_sigma : float or mapping of str to array_like, optional
        Standard deviations of the unconstrained coordinates to begin with. Default 0.1.
    **options : object
        None.

    References
    ----------
    .. [1] A. Kucukelbir et al., "Automatic differentiation variational inference", JMLR 18 (2017).
    """

    vfam = "full_rank"


@public
class LowRank(SingleGroupApproximation):  # numpydoc ignore=PR02
    """A normal distribution whose covariance is a diagonal and a few directions [1]_.

    Parameters
    ----------
    local_rv : mapping, optional
        Encoders of local parameters by name, ``{"z": {"mu": f, "rho": g}}``: each becomes a local group, see `Group`.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    random_seed : None, int, SeedSequence or Generator
        Of fits and draws.
    start : mapping of str to array_like, optional
        Constrained values to begin the means at. Default: unconstrained 0.
    start_sigma : float or mapping of str to array_like, optional
        Standard deviations of the unconstrained coordinates to begin with. Default 0.1.
    **options : object
        ``rank``, the number of directions. Default: 5, or as many as there are coordinates.

    References
    ----------
    .. [1] V. M.-H. Ong, D. J. Nott and M. S. Smith, "Gaussian variational approximation with a factor covariance
       structure", J. Comput. Graph. Stat. 27 (2018).
    """

    vfam = "low_rank"


@public
class NormalizingFlow(SingleGroupApproximation):
    """Standard normal numbers, pushed through the layers of a formula [1]_.

    Parameters
    ----------
    flow : str
        The formula, such as ``'scale-hh*4-loc'``, of the words planar, radial, hh, loc, scale and coupling.
    local_rv : mapping, optional
        Encoders of local parameters by name, ``{"z": {"mu": f, "rho": g}}``: each becomes a local group, see `Group`.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    random_seed : None, int, SeedSequence or Generator
        Of first values, fits and draws.
    start : mapping of str to array_like, optional
        Constrained values that the last loc begins at; refused where there is none. Default: unconstrained 0.
    start_sigma : float or mapping of str to array_like, optional
        What the last scale begins at; refused where there is none. Default 0.1.
    jitter : float
        Standard deviation of first values of the other layers.

    Raises
    ------
    ParametrizationError
        If the formula is wrong, or a layer needs more coordinates than there are.

    References
    ----------
    .. [1] D. J. Rezende and S. Mohamed, "Variational inference with normalizing flows", ICML (2015).
    """

    vfam = "normalizing_flow"

    def __init__(
        self,
        flow: str = "scale-loc",
        local_rv: Any = None,
        model: Model | None = None,
        random_seed: Any = None,
        start: Mapping[str, Any] | None = None,
        start_sigma: float | Mapping[str, Any] | None = None,
        jitter: float = 1.0,
    ) -> None:
        super().__init__(local_rv, model, random_seed, start, start_sigma, flow=flow, jitter=jitter)


def of_family(vfam: Any, choices: Sequence[str], rank: int | None, *given: Any) -> SingleGroupApproximation:
    """Return an approximation by the name of its family.

    Parameters
    ----------
    vfam : str
        The name, or another one of the same family.
    choices : sequence of str
        Families that may be asked for.
    rank : int, optional
        Of low_rank.
    *given : object
        As `SingleGroupApproximation` takes them.

    Raises
    ------
    ParametrizationError
        If there is no family of this name, it is none of the choices, or it has no rank.
    """
    name = registry.by_name(vfam).names[0]
    if name not in choices:
        raise ParametrizationError(f"vfam must be one of {', '.join(map(repr, choices))} here, got {vfam!r}.")
    kinds: dict[str, type[SingleGroupApproximation]] = {kind.vfam: kind for kind in (MeanField, FullRank, LowRank)}
    options: dict[str, Any] = {} if rank is None else {"rank": rank}
    return kinds[name](*given, **options)


@public
class Empirical(SingleGroupApproximation):
    """Draws that there are already, each as likely as any other.

    Parameters
    ----------
    trace : Trace, optional
        All draws of all chains; its values are the constrained ones.
    size : int, optional
        So many copies of the start instead, jittered.
    local_rv : mapping, optional
        Not with draws.
    jitter : float
        Standard deviation of the jitter.
    start : mapping of str to array_like, optional
        Constrained values to begin at. Default: unconstrained 0.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    random_seed : None, int, SeedSequence or Generator
        Of jitter and draws.

    Raises
    ------
    ParametrizationError
        If neither trace nor size is given.
    ValueError
        If the trace lacks a parameter.
    """

    vfam = "empirical"

    def __init__(
        self,
        trace: Any = None,
        size: int | None = None,
        local_rv: Any = None,
        *,
        jitter: float = 1.0,
        start: Mapping[str, Any] | None = None,
        model: Model | None = None,
        random_seed: Any = None,
    ) -> None:
        refuse_local(local_rv, "an empirical approximation")
        model = the_model(model)
        if (trace is None) == (size is None):
            raise ParametrizationError(f"pass trace or size, {'not both' if size is not None else 'got neither'}.")
        from_zero("jitter", jitter)
        sequence = seed_sequences(random_seed, 1)[0]
        if size is not None:
            count("size", size, 1, MOST)
            fits(2.0 * 8 * size * model.dim, f"{size} particles", "take fewer")
            rng = generator(key_of(sequence), 0, 0, Purpose.START)
            histogram = model.unconstrain(mapping("start", start)) + jitter * rng.standard_normal((size, model.dim))
        else:
            histogram = _positions(model, trace)
        group = Group(None, params={"histogram": histogram})
        Approximation.__init__(self, group, model, sequence)

    @property
    def histogram(self) -> Floats:
        """The draws on the unconstrained scale, shape (draws, ndim)."""
        return self.groups[0].params_dict["histogram"].get_value()

    def randidx(self, size: int | None = None, random_seed: Any = None) -> Any:
        """Return indices of draws, each as likely as any other.

        Parameters
        ----------
        size : int, optional
            How many. Default: one, as an int.
        random_seed : None, int, SeedSequence or Generator
            Default: fresh.

        Returns
        -------
        indices : int or ndarray
        """
        rng = generator(key_of(seed_sequences(random_seed, 1)[0]))
        found = rng.integers(len(self.histogram), size=size)
        return int(found) if size is None else found

    def evaluate_over_trace(self, node: Any) -> NDArray[Any]:
        """Evaluate a function at each of the draws.

        Parameters
        ----------
        node : callable or str
            ``f(p, d)``, or the name of a parameter or derived quantity.

        Returns
        -------
        values : ndarray, shape (draws, ...)
            In the order of the draws.
        """
        return nodes.evaluated(self.model, nodes.function_of(self.model, node), self.histogram, None)


def _positions(model: Model, trace: Any) -> Floats:
    """Return all draws of a trace on the unconstrained scale, chain by chain."""
    posterior = getattr(trace, "posterior", trace)
    if isinstance(posterior, str | bytes) or not hasattr(posterior, "keys"):
        raise TypeError(f"trace must be a Trace, or what ArviZ makes of one, got {type(trace).__name__}.")
    missing = [name for name in model.parameters if name not in posterior]
    if missing:
        raise ValueError(f"trace lacks {', '.join(missing)}; an empirical approximation needs all parameters.")
    values = {name: np.asarray(posterior[name]) for name in model.parameters}
    chains, draws = next(iter(values.values())).shape[:2]
    done = getattr(trace, "draws_done", np.full(chains, draws))
    rows = [
        model.unconstrain({name: value[c, i] for name, value in values.items()})
        for c in range(chains)
        for i in range(int(done[c]))
    ]
    return np.array(rows).reshape(len(rows), model.dim)
