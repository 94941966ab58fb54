"""`Model`: what users make, ask for points and pass on."""

from __future__ import annotations

import dataclasses
import operator
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.arguments import is_number, words
from nbinfer.errors import ModelError, NbinferWarning, calls_above
from nbinfer.model.axes import Axes
from nbinfer.model.bound import Bound
from nbinfer.model.code.extras import conditionals
from nbinfer.model.data import check_name
from nbinfer.model.default import Default
from nbinfer.model.definition import DRAWING, Definition
from nbinfer.model.evaluate import check_arguments
from nbinfer.model.gaps import shown
from nbinfer.model.layout import Layout
from nbinfer.model.missing import laid_out, with_data
from nbinfer.model.named import NamedDefinition
from nbinfer.model.points import Points
from nbinfer.model.support.support import Support
from nbinfer.model.total_size import checked
from nbinfer.spelling import meant, nearest, public, public_by_kind

if TYPE_CHECKING:
    from nbinfer.autodiff.check import Check


def _given(name: str, doc: str) -> Any:
    """Make an attribute of what the model was given."""
    return property(operator.attrgetter(f"definition.{name}"), doc=doc)


@public
class Model(Points, Default):
    """A Bayesian model: a log density over named parameters.

    Functions may not write to ``p`` and ``d``: they are read-only, compiled or not. An index that leaves its array
    raises IndexError, as in plain Python.

    Parameters
    ----------
    parameters : mapping of str to Support
        Names and supports: ``{"mu": nb.real(), "tau": nb.positive(), "eta": nb.real(8)}``. Bounds may be functions of
        the parameters that stand before.
    prior : callable or mapping of str to callable, optional
        ``prior(p, d) -> float``: log prior density. ``p`` and ``d`` are named tuples of parameters and data. A mapping
        names several terms, each a number or an array, which is summed; one may have the name of a parameter.
    likelihood : callable or mapping of str to callable, optional
        ``likelihood(p, d)``: log likelihood, a number or an array with one term per observation, which is summed. A
        mapping names several; a name that is also a data name makes that entry observed data, and the term may have no
        more values than these along any axis.
    logp : callable, optional
        ``logp(p, d) -> float``: log density, instead of prior and likelihood.
    logp_grad : callable, optional
        ``logp_grad(p, d, grad) -> float``: log density; adds its gradient into ``grad``, a named tuple of arrays (of
        shape () for numbers: ``grad.mu[()] += ...``), on the constrained scale, without Jacobians. It is that of the
        whole at weights of one: with `total_size` the gradient is derived, and this one is not used.
    grad : callable, optional
        ``grad(p, d, grad)``: the gradient in a function of its own, beside logp or prior and likelihood. It adds into
        ``grad`` as `logp_grad` does, which it replaces, and returns nothing. It is called where the density is finite.
    data : mapping of str to array_like, or DataFrame, optional
        Arrays and numbers; of a table the columns. `Minibatch` and `generator` for data of which each iteration of a
        fit sees a batch.
    derived : mapping of str to callable, optional
        ``f(p, d)``: quantities stored with the draws. What is an integer or a truth value at every point, as Numba
        infers it, is stored as int64 or bool; everything else as float64.
    predict : mapping of str to callable, optional
        ``f(p, d, rng)``: draws of observed data given parameters. They are derived where a likelihood term is a sum of
        calls such as ``normal.logpdf(d.y, ...)``.
    prior_draw : mapping of str to callable, optional
        By parameter, ``f(p, d, rng)``: a draw of it from the prior. Its ``p`` has a meaning for other parameters only,
        which are drawn before it as far as it reads them. They are derived where the prior is a sum of calls such as
        ``normal.logpdf(p.mu, ...)``, one for each parameter.
    total_size : mapping of str to float or list, optional
        For a likelihood term over a sample of the data, the number of observations it stands for: that of rows, or a
        list with one for each leading axis, where None is for an axis that is whole, and what follows an Ellipsis is of
        trailing axes. The term is multiplied by the product of total over length of these axes; lengths are those of
        the data that the term is named after, else those of its values. A prior term may have one, too: named after a
        parameter, it has the lengths of that, and the log Jacobian of the parameter is multiplied likewise.
    conditional : callable or mapping of str to callable, optional
        By variable, ``f(p, d, i) -> float``: the log density of what depends on element i (counted through all axes) of
        that variable, up to what does not. Steps that move single elements then need not pay for the whole density. A
        function alone is that of the only variable.
    allow_nan : collection of str
        Data entries that may hold NaN.
    missing : mapping of str to Support, optional
        Data entries that may have gaps, and what a missing value may be: ``{"y": nb.positive()}``. Gaps are NaN, None,
        and what the mask of a masked array hides. What ``y`` lacks is the parameter ``y_missing``, one value for each
        gap, and ``d.y_missing_index`` has their places, counted through all axes; functions see ``d.y`` whole. The
        support says the type of the entry: a discrete one makes it int64, any other float64. Without gaps there are
        none of these. Bounds that are functions see NaN, or the least integer, in the gaps.
    dims : mapping of str to sequence of str, optional
        Names of the axes of parameters, derived quantities, predictions and data: ``{"theta": ["school"]}``. Axes of
        one name have one length.
    coords : mapping of str to array_like, optional
        Labels along axes, by their names: numbers, texts or dates, all different. Traces, tables and files have them;
        the functions do not see them. An axis without any is numbered from 0.
    name : str, optional
        For messages.

    Attributes
    ----------
    parameters : dict of str to Parameter
        With ``shape``, ``support`` and ``size``, the number of unconstrained coordinates.
    dim : int
        Number of unconstrained coordinates.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any],
        *,
        prior: Callable[..., Any] | Mapping[str, Callable[..., Any]] | None = None,
        likelihood: Callable[..., Any] | Mapping[str, Callable[..., Any]] | None = None,
        logp: Callable[..., Any] | None = None,
        logp_grad: Callable[..., Any] | None = None,
        grad: Callable[..., Any] | None = None,
        data: Mapping[str, Any] | None = None,
        derived: Mapping[str, Callable[..., Any]] | None = None,
        predict: Mapping[str, Callable[..., Any]] | None = None,
        prior_draw: Mapping[str, Callable[..., Any]] | None = None,
        total_size: Mapping[str, Any] | float | list[Any] | None = None,
        conditional: Callable[..., Any] | Mapping[str, Callable[..., Any]] | None = None,
        allow_nan: Collection[str] = (),
        missing: Mapping[str, Support] | None = None,
        dims: Mapping[str, str | Sequence[str]] | None = None,
        coords: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        allowed = tuple(words("allow_nan", allow_nan))
        layout, entries, imputed = laid_out(Layout(parameters), data, allowed, missing)
        terms = {"likelihood": likelihood} if callable(likelihood) else likelihood
        definition = NamedDefinition(
            name=name,
            layout=layout,
            data=entries,
            prior=prior if prior is None or callable(prior) else _functions(prior, "prior"),
            logp_function=logp,
            logp_grad=logp_grad,
            grad=grad,
            allow_nan=allowed,
            imputed=imputed,
            **_mappings(likelihood=terms, derived=derived, predict=predict, prior_draw=prior_draw),
        )
        self.definition: Definition = _completed(definition, conditional, total_size, dims, coords)

    @classmethod
    def of(cls, definition: Definition) -> Model:
        """Make the model of a definition, which has been checked."""
        model = cls.__new__(cls)
        model.definition = definition
        return model

    @staticmethod
    @public_by_kind(dim=is_number)
    def flat(
        f: Any = None,
        dim: int | None = None,
        data: Any = None,
        *,
        logp: Any = None,
        grad: Any = None,
        context: Any = None,
        compile: bool = True,
        name: str | None = None,
    ) -> Model:
        """Make a model of a function of a flat position, whose one parameter ``x`` has shape (dim,).

        Parameters
        ----------
        f : callable or C function
            ``logp_grad(x, grad, data) -> float`` fills ``grad``; of ``logp(x, data) -> float`` the gradient is derived,
            unless `grad` is given; ``data`` may be left out if there is none. Plain and njit functions are compiled. A
            C function, as `numba.cfunc`, ctypes or cffi pointer or `scipy.LowLevelCallable`, is ``double f(int64_t n,
            const double *q, double *grad, void *context)``, where a null ``grad`` asks for the value only.
        dim : int
            Number of coordinates.
        data : mapping, array or number, optional
            A mapping arrives as a named tuple, an array as it is.
        logp : callable or C function, optional
            Another name of `f`.
        grad : callable, optional
            ``grad(x, grad, data)`` fills ``grad`` with the gradient of ``logp(x, data)`` and returns nothing. It is
            called where the density is finite.
        context : int, ctypes pointer, array or list of these, optional
            For C functions: what they get as ``context``; a list has one for each chain.
        compile : bool
            False: call ``f`` and `grad` as Python callables, which may be anything; serial and slow. They get a copy of
            the position, and `data` itself, which they may change.
        name : str, optional
            For messages.
        """
        from nbinfer.model.foreign.define import flat_definition  # most scripts do without

        if logp is not None and f is not None:
            raise TypeError("f and logp are the same argument; pass one of them.")
        f = logp if f is None else f
        return Model.of(flat_definition(f, dim, data, grad=grad, context=context, compile=compile, name=name))

    name = _given("name", "Name, for messages.")
    title = _given("title", "How messages call the model.")
    layout = _given("layout", "Where each parameter lies.")
    data_tuple = _given("data_tuple", "Data as the functions see them.")
    prior = _given("prior", "Log prior density, if there is one.")
    likelihood = _given("likelihood", "Terms of the log likelihood by name.")
    logp_function = _given("logp_function", "Log density in one function, if it was given so.")
    logp_grad = _given("logp_grad", "Log density with its gradient, if it was written.")
    grad = _given("grad", "The gradient in a function of its own, if it was written so.")
    derived = _given("derived", "Functions of derived quantities by name.")
    predict = _given("predict", "Functions that draw observed data, by name.")
    prior_draw = _given("prior_draw", "Functions that draw parameters from the prior, by name.")
    conditional = _given("conditional", "Log densities of what depends on one element, by variable.")
    total_size = _given("total_size", "Number of observations that likelihood terms stand for, by term.")
    allow_nan = _given("allow_nan", "Data entries that may hold NaN.")
    missing = _given("missing", "Of data entries with gaps, where these are, counted through all axes.")
    dims = _given("named_axes.dims", "Names of axes, by parameter, derived quantity, prediction or data entry.")
    coords = _given("named_axes.coords", "Labels along axes, by their names.")

    @property
    def data(self) -> dict[str, Any]:
        """Data as the functions see them, arrays and numbers by name; of those that come in batches, the first."""
        return {name: datum.value for name, datum in self.definition.data.items()}

    @property
    def observed(self) -> dict[str, np.ndarray]:
        """Data entries that a likelihood term or a prediction is named after; NaN, also among integers, for a gap."""
        names = [name for name in self.definition.data if name in self.likelihood or name in self.predict]
        return {name: shown(self.definition, name) for name in names}

    @property
    def shown(self) -> dict[str, Any]:
        """What its traces know beside draws: data, and names of axes; arguments of a `Trace`."""
        whole = {name: datum for name, datum in self.definition.data.items() if datum.feed is None}
        axes = self.definition.named_axes.of(
            n for n in self.definition.names_of_arrays if n in whole or n not in self.data
        )
        observed = self.observed
        constant = {name: datum.array for name, datum in whole.items() if name not in observed}
        return {"observed_data": observed, "constant_data": constant, "dims": axes.dims, "coords": axes.coords}

    def set_data(self, **new: Any) -> None:
        """Exchange data for others of the same dtypes and numbers of dimensions; nothing is compiled anew.

        Parameters
        ----------
        **new : array_like, Minibatch or generator
            New values by name. Runs that have begun keep the old ones, but for fits, which take them at the next
            iteration after a callback.
        """
        definition = with_data(self.definition, new)
        definition.check_sizes()
        self.definition = definition

    def bind(self, chains: int = 1, weighted: bool = False) -> Bound:
        """Give the model memory for a number of chains, and machine code, which is made when first asked for.

        Parameters
        ----------
        chains : int
            Contexts beside the one for Python's own calls.
        weighted : bool
            Whether somebody will change weights: gradients are then made of the terms, and a term of weight 0 counts
            for nothing in them even where it is not finite.
        """
        return self.definition.bind(chains, weighted)

    @property
    def scales(self) -> Mapping[str, float]:
        return self.definition.scales

    def gradient_by(self, wrt: str | Sequence[str]) -> Callable[..., Any]:
        """Return the gradient of the log density by entries of the data; `nb.grad` asks for it.

        Parameters
        ----------
        wrt : str or sequence of str
            Names of entries.

        Returns
        -------
        gradient : callable
            Takes constrained values of all parameters.
        """
        from nbinfer.model.gradients import GradientByEntries  # most scripts do without

        return GradientByEntries(self, wrt)

    def density_of(self, values: Mapping[str, Any]) -> float:
        return self.definition.density_of(values)

    def density_at(self, values: Mapping[str, Any]) -> float:
        return self.definition.density_at(values)

    def logp(self, point: Mapping[str, Any]) -> float:
        return self.definition.logp(point)

    def derived_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return self.definition.derived_values(values)

    def check_grad(self, point: Mapping[str, Any] | None = None) -> Check:
        """Compare every coordinate of the unconstrained gradient with central differences.

        Parameters
        ----------
        point : mapping, optional
            Constrained values, maybe some; default: a point off the initial one, where few derivatives vanish.

        Returns
        -------
        comparison : Check
            With ``ok``, ``worst`` and ``coordinates``; nothing is raised.
        """
        if point is None:
            q = np.random.Generator(np.random.Philox(key=3)).uniform(-0.5, 0.5, self.dim)
        else:
            q = self.unconstrain(point)
        return self.bind(1).compare(q, self.layout.discrete_values(point or {}))

    def __repr__(self) -> str:
        rows = self.definition.rows
        widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
        lines = [f"  {a:<{widths[0]}}  {b:<{widths[1]}}  {c}".rstrip() for a, b, c in rows]
        head = f"Model {self.name or ''}".rstrip() + f" ({self.dim} unconstrained coordinates)"
        return "\n".join([head, *lines])

    def _repr_html_(self) -> str:
        import html

        cells = ("".join(f"<td>{html.escape(c)}</td>" for c in row) for row in self.definition.rows)
        rows = "".join(f"<tr>{row}</tr>" for row in cells)
        return f"<table><caption>{html.escape(repr(self).splitlines()[0])}</caption>{rows}</table>"


def _completed(definition: Definition, conditional: Any, total_size: Any, dims: Any, coords: Any) -> Definition:
    """Check what was given, and return the definition with what speaks of its parameters, data and functions."""
    _check_functions(definition)
    found = dataclasses.replace(
        definition,
        conditional=conditionals(definition.parameters, conditional),
        total_size=checked(total_size, definition.terms, definition.likelihood, definition.parameters),
        axes=Axes.given(dims, coords, definition.names_of_arrays),
    )
    found.check_sizes()
    _warn_of_terms(found)
    return found


def _warn_of_terms(definition: Definition) -> None:
    """Warn of a likelihood term whose name may be a misspelt one of data, which then nothing observes."""
    free = [name for name in definition.data if name not in definition.terms and name not in definition.predict]
    loose = [name for name in definition.likelihood if name not in (*definition.data, "likelihood")]
    for name in loose:
        near = nearest(name, free)
        if near is not None and [nearest(other, free) for other in loose].count(near) == 1:
            warnings.warn(
                f"likelihood {name!r} is no name of data, so that {near!r} is not predicted.{meant(name, free)}",
                NbinferWarning,
                calls_above(),
            )


def _mappings(**given: Any) -> dict[str, Any]:
    return {what: _functions(functions, what) for what, functions in given.items()}


def _functions(functions: Any, what: str) -> dict[str, Any]:
    if functions is None:
        return {}
    if not isinstance(functions, Mapping):
        raise ModelError(f"{what} must map names to functions, got {type(functions).__name__}")
    return dict(functions)


def _check_functions(definition: Definition) -> None:
    if isinstance(definition.prior, Mapping) and not definition.prior:
        raise ModelError("prior must map names to functions, got none; leave it out")
    twice = [name for name in definition.named_prior if name in definition.likelihood]
    if twice:
        raise ModelError(f"prior and likelihood both have a term {twice[0]!r}; call one of them otherwise")
    pieces = definition.prior is not None or bool(definition.likelihood)
    if definition.logp_function is not None and pieces:
        raise ModelError("a model has either logp or prior and likelihood, got both; put everything into one")
    if definition.logp_grad is not None and definition.grad is not None:
        raise ModelError("a model has either logp_grad or grad, got both; grad goes with logp, or prior and likelihood")
    if not definition.has_terms and definition.grad is not None:
        raise ModelError("grad needs the density beside it: pass logp, or prior and likelihood; or both as logp_grad")
    if not definition.has_terms and definition.logp_grad is None:
        raise ModelError("a model needs a density: pass prior and likelihood, or logp, or logp_grad")
    for label, function in definition.labelled:
        third = ("grad",) if label in ("logp_grad", "grad") else ("rng",) if label.startswith(DRAWING) else ()
        check_arguments(function, label, ("p", "d", *third))
    for name in definition.likelihood:
        check_name(name, "the likelihood name")
    for name in definition.named_prior:
        check_name(name, "the name of a prior term")
    for name in definition.prior_draw:
        if name not in definition.parameters:
            parameters = ", ".join(definition.parameters)
            raise ModelError(f"prior_draw names {name!r}, which is no parameter; they are {parameters}")
    for name in definition.derived:
        check_name(name, "the derived quantity")
        if name in definition.parameters:
            raise ModelError(f"derived {name!r} has the name of a parameter; call it otherwise")
