"""Groups: parameters of a model that are approximated together, by one family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import MOST, count, flag, is_number, mapping, numbers, words
from nbinfer.errors import BatchedGroupError, GroupError, ParametrizationError
from nbinfer.model import Model
from nbinfer.model.default import the_model
from nbinfer.random import generator, key_of
from nbinfer.variational.families import registry
from nbinfer.variational.families.family import Extent, Family
from nbinfer.variational.flows.family import NormalizingFlowFamily
from nbinfer.variational.flows.flow import AbstractFlow
from nbinfer.variational.labels import Labelled
from nbinfer.variational.values import Shared, given_value

Floats = NDArray[np.float64]

#: Standard deviation of every coordinate where a fit begins.
START_SIGMA = 0.1


class Group(Labelled):
    """Parameters of a model that one family approximates.

    Parameters
    ----------
    group : str or sequence of str, optional
        Names of the parameters. Default: all that no other group of the approximation has.
    vfam : str, optional
        The family: 'mean_field' ('mf'), 'full_rank' ('fr'), 'low_rank' ('lr') or 'empirical'; or a formula of flows
        such as 'scale-hh*4-loc'.
    params : mapping of str to array_like or Shared, optional
        Parameters of the family instead, whose names say which one it is: mu and rho; mu and L_tril; mu, rho and U;
        histogram; or those of each layer of a flow, ``{0: {'rho': ...}, 1: {'loc': ...}}``. No fit changes them unless
        it is told to by `more_obj_params`.
    random_seed : None, int, SeedSequence or Generator, optional
        Seed of the approximation that the group becomes part of, if that has none of its own.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    local : bool
        Comes with streaming data.
    rowwise : bool
        Whether each row of the one parameter of the group is approximated for itself.
    options : mapping, optional
        Of the family: ``{'rank': 5}`` of low_rank, ``{'jitter': 0.1}`` of flows.
    start : mapping of str to array_like, optional
        Constrained values to begin the means at. Default: unconstrained 0.
    start_sigma : float or mapping of str to array_like, optional
        Standard deviations of the unconstrained coordinates to begin with. Default 0.1.

    Raises
    ------
    TypeError
        If both or neither of `vfam` and `params` are given; or something with `params` that goes with `vfam`.
    ParametrizationError
        If names, shapes or starts do not fit.
    GroupError
        If the group is empty or names what is no parameter.
    BatchedGroupError
        If it cannot be approximated row by row.

    See Also
    --------
    Approximation : Several groups.

    Examples
    --------
    >>> import nbinfer as nb
    >>> model = nb.Model({"a": nb.real(3), "b": nb.positive()}, logp=lambda p, d: -0.5 * p.a @ p.a - p.b)
    >>> group = nb.Group(["a"], vfam="full_rank", model=model)
    >>> group.ddim, group.params_dict["L_tril"].shape
    (3, (6,))
    """

    def __init__(
        self,
        group: str | Sequence[str] | None = None,
        vfam: str | None = None,
        params: Mapping[str, Any] | None = None,
        random_seed: Any = None,
        model: Model | None = None,
        *,
        local: bool = False,
        rowwise: bool = False,
        options: Mapping[str, Any] | None = None,
        start: Mapping[str, Any] | None = None,
        start_sigma: float | Mapping[str, Any] | None = None,
    ) -> None:
        if (vfam is None) == (params is None):
            raise TypeError(f"pass vfam or params, {'not both' if params is not None else 'got neither'}.")
        for name, beside in (("options", options), ("start", start), ("start_sigma", start_sigma)):
            if params is not None and beside is not None:
                raise TypeError(f"{name} goes with vfam, and params has all values already; leave it out.")
        if flag("local", local):
            raise NotImplementedError("local groups come with streaming data; all groups are global.")
        self._given = dict(mapping("params", params))
        if vfam is not None:
            self.family: Family = registry.made(vfam, options)
        else:
            self.family = registry.by_parameters(self._given).of_parameters(self._given)
            self._given = self.family.flattened(self._given)
        self.rowwise, self.random_seed = flag("rowwise", rowwise), random_seed
        self._start, self._start_sigma = start, start_sigma
        self.names: tuple[str, ...] | None = None if group is None else tuple(words("group", group))
        self.params_dict: dict[str, Shared] = {}
        self._model = model
        if self.names is not None:
            self.settle(the_model(model), self.names)

    # ---- the families there are

    register = staticmethod(registry.register)

    @staticmethod
    def get_param_spec_for(vfam: str, n: int, rows: int = 1, **options: Any) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of a family's parameters.

        Parameters
        ----------
        vfam : str
            The family.
        n : int
            Number of unconstrained coordinates.
        rows : int
            Of how many rows.
        **options : object
            Of the family.

        Returns
        -------
        shapes : dict of str to tuple of int
        """
        count("n", n, 1, MOST)
        count("rows", rows, 1, n)
        return registry.made(vfam, options).specification(Extent(n, rows))

    @staticmethod
    def group_for_params(params: Mapping[str, Any]) -> type[Family]:
        """Return the family whose parameters have these names."""
        return registry.by_parameters(mapping("params", params))

    @staticmethod
    def group_for_short_name(name: str) -> type[Family]:
        """Return the family of a name."""
        return registry.by_name(name)

    # ---- its place in a model

    @property
    def is_delayed(self) -> bool:
        """Whether it is still to be said what the group holds."""
        return self.names is None

    def settle(self, model: Model, names: Sequence[str]) -> None:
        """Give the group its parameters of the model, and make those of the family.

        Parameters
        ----------
        model : Model
        names : sequence of str
            Of the parameters.
        """
        self._model, self.names = model, tuple(names)
        if not self.names:
            raise GroupError("a group needs at least one parameter, got none.")
        unknown = [name for name in self.names if name not in model.parameters]
        if unknown:
            raise GroupError(
                f"group names {unknown[0]!r}, which the model lacks; it has {', '.join(model.parameters)}."
            )
        if len(set(self.names)) < len(self.names):
            raise GroupError(f"group names a parameter twice: {', '.join(self.names)}.")
        refuse_discrete(model, self.names)
        places = [model.parameters[name].q for name in self.names]
        self.coordinates: NDArray[np.int64] = np.concatenate([np.arange(p.start, p.stop) for p in places])
        self.extent = Extent(len(self.coordinates), self._rows(model))
        self.family.check(self.extent)
        self.family = self.family.spanning(self.extent)
        self._make_parameters(model)

    def _rows(self, model: Model) -> int:
        assert self.names is not None
        if not self.rowwise:
            return 1
        parameter = model.parameters[self.names[0]]
        if len(self.names) != 1 or not parameter.shape:
            raise BatchedGroupError(
                f"rowwise takes one parameter that has rows, got {', '.join(self.names)}"
                f"{'' if parameter.shape else ', which is a number'}."
            )
        if parameter.size % parameter.shape[0]:
            raise BatchedGroupError(f"{self.names[0]} has {parameter.size} coordinates in {parameter.shape[0]} rows.")
        return parameter.shape[0]

    def _make_parameters(self, model: Model) -> None:
        shapes = self.family.shapes(self.extent)
        if self._given:
            values = {name: self._given_value(name, shape) for name, shape in shapes.items()}
        else:
            self.family.check_start(bool(mapping("start", self._start)), self._start_sigma is not None)
            mean, sigma = first_moments(model, self._start, self._start_sigma)
            first = self.family.first_values(self.extent, mean[self.coordinates], sigma[self.coordinates])
            values = {name: Shared(np.reshape(first[name], shape), name) for name, shape in shapes.items()}
        self.params_dict = values
        flaw = self.family.flaw(self.values) if self._given and self.has_logq else ""
        if flaw:
            raise ParametrizationError(f"params of {', '.join(self.names or ())} {flaw}.")

    def begin(self, sequence: np.random.SeedSequence) -> None:
        """Draw those first values that a family wants drawn; what has been changed since it was made stays."""
        drawn = {} if self._given else self.family.drawn_values(self.extent, generator(key_of(sequence)))
        for name, value in drawn.items():
            if not self.params_dict[name].get_value(borrow=True).any():
                self.params_dict[name].set_value(value)

    def _given_value(self, name: str, shape: tuple[int, ...]) -> Shared:
        found = given_value(name, self._given[name], shape, f" for {', '.join(self.names or ())}")
        if not np.isfinite(found.get_value(borrow=True)).all():
            raise ParametrizationError(f"params[{name!r}] must be finite.")
        return found

    # ---- what is known of it

    @property
    def is_given(self) -> bool:
        """Whether the user gave the parameters, so that no fit changes them unless it is told to."""
        return bool(self._given)

    @property
    def given_arrays(self) -> list[Any]:
        """What the user gave as parameters."""
        return list(self._given.values())

    @property
    def params(self) -> list[Shared]:
        """Parameters of the family."""
        return list(self.params_dict.values())

    shared_params = params

    @property
    def values(self) -> dict[str, Floats]:
        """Values of the parameters, which may change later."""
        return {name: shared.get_value(borrow=True) for name, shared in self.params_dict.items()}

    @property
    def model(self) -> Model:
        """The model whose parameters these are."""
        assert self._model is not None
        return self._model

    @property
    def short_name(self) -> str:
        """Name of the family."""
        return self.family.short_name

    @property
    def alias_names(self) -> tuple[str, ...]:
        """Other names of it."""
        return self.family.names[1:]

    @property
    def has_logq(self) -> bool:
        """Whether the density of draws is known."""
        return self.family.has_logq

    @property
    def supports_batched(self) -> bool:
        """Whether the family approximates rows each for itself."""
        return self.family.supports_batched

    @property
    def ddim(self) -> int:
        """Unconstrained coordinates of one row; of all, unless `rowwise`."""
        return self.extent.width

    @property
    def bdim(self) -> int:
        """Number of rows that are approximated each for itself."""
        return self.extent.rows

    @property
    def ndim(self) -> int:
        """Number of unconstrained coordinates."""
        return self.extent.n

    @property
    def flow(self) -> AbstractFlow:
        """The flow with these parameters, if the family is one of flows."""
        if not isinstance(self.family, NormalizingFlowFamily):
            raise AttributeError(f"{self.short_name} has no flow.")
        return self.family.flow_of(self.params_dict)

    @property
    def centre(self) -> Floats:
        """Unconstrained coordinates of the draw whose noise is 0, shape (ndim,)."""
        return self.family.centre(self.values)

    @property
    def mean(self) -> Floats:
        """Means of the unconstrained coordinates, shape (ndim,)."""
        return self.family.mean(self.values)

    @property
    def cov(self) -> Floats:
        """Their covariance, shape (ndim, ndim)."""
        return self.family.cov(self.values)

    @property
    def std(self) -> Floats:
        """Their standard deviations, shape (ndim,)."""
        return self.family.std(self.values)

    def _labels(self) -> tuple[Model, Sequence[str]]:
        return self.model, self.names or ()

    def __repr__(self) -> str:
        held = "what is left over" if self.names is None else ", ".join(self.names)
        return f"<Group {self.short_name}: {held}>"


def refuse_discrete(model: Model, names: Sequence[str]) -> None:
    """Raise an error if some parameters are discrete."""
    discrete = [name for name in names if model.parameters[name].support.discrete]
    if discrete:
        raise ParametrizationError(
            f"{', '.join(discrete)} {'is' if len(discrete) == 1 else 'are'} discrete, and variational inference "
            "approximates continuous parameters; sum over the values in the density, or sample with nb.sample."
        )


def first_moments(model: Model, start: Any, start_sigma: Any) -> tuple[Floats, Floats]:
    """Return means and standard deviations of all unconstrained coordinates to begin with.

    Parameters
    ----------
    model : Model
    start : mapping or None
        Constrained values by name.
    start_sigma : float, mapping or None
        Standard deviations by name.

    Returns
    -------
    mean, sigma : ndarray, shape (dim,)
    """
    mean = model.unconstrain(mapping("start", start))
    sigma = np.full(model.dim, START_SIGMA)
    if is_number(start_sigma):
        start_sigma = dict.fromkeys((name for name, p in model.parameters.items() if p.size), start_sigma)
    for name, value in mapping("start_sigma", start_sigma).items():
        if name not in model.parameters:
            raise ParametrizationError(
                f"start_sigma names {name!r}, which the model lacks; it has {', '.join(model.parameters)}."
            )
        parameter = model.parameters[name]
        given = numbers(f"start_sigma[{name!r}]", value)
        if not (given > 0.0).all() or not np.isfinite(given).all():
            raise ParametrizationError(f"start_sigma[{name!r}] must be positive and finite, got {value!r}.")
        if given.size not in (1, parameter.size):
            raise ParametrizationError(
                f"start_sigma[{name!r}] must be a number, or one for each of {parameter.size} unconstrained "
                f"coordinates, got shape {given.shape}."
            )
        sigma[parameter.q] = np.ravel(given)
    return mean, sigma
