"""Groups: parameters of a model that are approximated together, by one family."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import MOST, count, flag, mapping, words
from nbinfer.engine.state import Memory
from nbinfer.errors import BatchedGroupError, GroupError, LocalGroupError, ParametrizationError
from nbinfer.model import Model
from nbinfer.model.default import the_model
from nbinfer.random import generator, key_of
from nbinfer.spelling import meant, public
from nbinfer.variational.densities import Densities
from nbinfer.variational.families import registry
from nbinfer.variational.families.family import Extent, Family
from nbinfer.variational.flows.family import NormalizingFlowFamily
from nbinfer.variational.flows.flow import AbstractFlow
from nbinfer.variational.labels import Labelled
from nbinfer.variational.local import Encoded, check_encoders, check_local, check_rows, encoded
from nbinfer.variational.starts import first_moments, refuse_discrete
from nbinfer.variational.values import Shared, given_value

Floats = NDArray[np.float64]


@public
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
        it is told to by `more_obj_params`. Of a local group they are encoders: functions ``f(d)`` of the data.
    random_seed : None, int, SeedSequence or Generator, optional
        Seed of the approximation that the group becomes part of, if that has none of its own.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    local : bool
        Whether the one parameter of the group has a row for each row of a batch, and encoders give the parameters of
        its family for these: amortised inference. Each encoder returns an array whose first axis is that of rows;
        `more_obj_params` names the entries of the data that are their weights.
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
    LocalGroupError
        If it cannot be local, or an encoder returns another shape than the family needs.

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

    #: Whether encoders give the parameters of the family, row by row of a batch.
    is_local = False
    #: How many groups like this one it stands for, see `total_size`.
    weight = 1.0

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
        _check_beside(vfam, params, {"options": options, "start": start, "start_sigma": start_sigma})
        self.params_given = dict(mapping("params", params))
        self._given: dict[str, Any] = self.params_given
        self.rowwise, self.random_seed, self.is_local = flag("rowwise", rowwise), random_seed, flag("local", local)
        if vfam is not None:
            self.family: Family = registry.made(vfam, options)
        else:
            kind = registry.by_parameters(self._given)
            if self.is_local:
                check_local(group, kind, self.rowwise)
            self.family = kind.of_parameters(self._given)
            self._given = self.family.flattened(self._given)
        if self.is_local and vfam is not None:
            raise LocalGroupError(
                f"a local group has encoders in the place of vfam={vfam!r}: functions of the data for each parameter "
                "of the family, params={'mu': f, 'rho': g}."
            )
        check_encoders(self._given, self.is_local)
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
            near = meant(unknown[0], model.parameters)
            raise GroupError(
                f"group names {unknown[0]!r}, which the model lacks; it has {', '.join(model.parameters)}.{near}"
            )
        if len(set(self.names)) < len(self.names):
            raise GroupError(f"group names a parameter twice: {', '.join(self.names)}.")
        refuse_discrete(model, self.names)
        self.coordinates = self._places(model)
        self.extent = Extent(len(self.coordinates), self._rows(model))
        self.family.check(self.extent)
        self.family = self.family.spanning(self.extent)
        if self.is_local:
            check_rows(self, model)
        else:
            self._make_parameters(model)

    def _places(self, model: Model) -> NDArray[np.int64]:
        """Return the coordinates of the group among those of a model."""
        places = [model.parameters[name].q for name in self.names or ()]
        return np.concatenate([np.arange(p.start, p.stop) for p in places])

    def _rows(self, model: Model) -> int:
        assert self.names is not None
        if not self.rowwise and not self.is_local:
            return 1
        parameter = model.parameters[self.names[0]]
        if len(self.names) != 1 or not parameter.shape:
            kind = LocalGroupError if self.is_local else BatchedGroupError
            raise kind(
                f"{'local' if self.is_local else 'rowwise'} takes one parameter that has rows, got "
                f"{', '.join(self.names)}{'' if parameter.shape else ', which is a number'}."
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

    def over(self, model: Model, found: Encoded | None = None) -> Group:
        """Return the group as it is in a model that has other numbers of rows.

        Parameters
        ----------
        model : Model
        found : Encoded, optional
            What the encoders of a local group give there, which are the parameters of the group then.
        """
        group = copy.copy(self)
        group._model = model
        group.coordinates = self._places(model)
        if found is not None:
            group.extent = Extent(len(group.coordinates), found.rows)
            group.family = self.family.spanning(group.extent)
            group.is_local, group.rowwise = False, True
            group.weight = model.definition.scales.get((self.names or ("",))[0], 1.0)
            shapes = group.family.shapes(group.extent)
            group.params_dict = {n: Shared(np.reshape(v, shapes[n]), n) for n, v in found.values.items()}
        return group

    @property
    def encoders(self) -> dict[str, Callable[..., Any]]:
        """Functions of the data by parameter of the family, if the group is local."""
        return dict(self._given) if self.is_local else {}

    @property
    def label(self) -> str:
        """How messages call the encoders."""
        return f"the encoder of {', '.join(self.names or ())} for"

    def encoded(self, model: Model) -> Encoded:
        """Return what the encoders give for the data of a model."""
        return encoded(self, model)

    def shape_of(self, name: str, rows: int) -> tuple[int, ...]:
        """Return the shape of one of the family's parameters, where there are so many rows."""
        shape = self.family.shapes(Extent(2 * self.extent.width, 2))[name][1:]
        assert self.names is not None
        flat = shape == (1,) and len(self.model.parameters[self.names[0]].shape) == 1
        return (rows,) if flat else (rows, *shape)

    def connect(self, own: Memory, densities: Densities) -> None:
        """Write addresses of what does not lie in the block of a fit."""
        self.family.connect(own)

    # ---- what is known of it

    @property
    def is_given(self) -> bool:
        """Whether the user gave the parameters, so that no fit changes them unless it is told to."""
        return bool(self._given)

    @property
    def given_arrays(self) -> list[Any]:
        """What the user gave as parameters, unless it is encoders."""
        return [] if self.is_local else list(self._given.values())

    @property
    def params(self) -> list[Shared]:
        """Parameters of the family."""
        return list(self.params_dict.values())

    shared_params = params

    @property
    def values(self) -> dict[str, Floats]:
        """Values of the parameters, which may change later; of a local group those for the model's data."""
        if self.is_local:
            return self.over(self.model, self.encoded(self.model)).values
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


def _check_beside(vfam: Any, params: Any, others: Mapping[str, Any]) -> None:
    """Raise TypeError unless one of a family and its parameters is given, and what goes with the one alone."""
    if (vfam is None) == (params is None):
        raise TypeError(f"pass vfam or params, {'not both' if params is not None else 'got neither'}.")
    for name, beside in others.items():
        if params is not None and beside is not None:
            raise TypeError(f"{name} goes with vfam, and params has all values already; leave it out.")
