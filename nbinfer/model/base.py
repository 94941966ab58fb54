"""What every kind of model has: parameters, points, a place as the default model."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.model.layout import Layout, Parameter
from nbinfer.model.support.bounds import BoundsError

if TYPE_CHECKING:
    from nbinfer.autodiff.check import Check
    from nbinfer.model.bound import Bound
    from nbinfer.model.model import Model

_CONTEXT = threading.local()


def default_model() -> Model:
    """Return the model of the innermost ``with model:`` block of this thread.

    Raises
    ------
    TypeError
        If there is none.
    """
    stack = getattr(_CONTEXT, "stack", [])
    if not stack:
        raise TypeError("no model given: pass model=..., or call this inside a `with model:` block")
    return stack[-1]  # type: ignore[no-any-return]


class BaseModel:
    """Parameters and points; a subclass knows the density.

    Parameters
    ----------
    parameters : mapping of str to Support
        Names and supports.
    name : str, optional
        For messages.
    """

    def __init__(self, parameters: Mapping[str, Any], name: str | None) -> None:
        self.name = name
        self.layout = Layout(parameters)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled and copied: not what holds classes of named tuples, which is made anew."""
        return {name: value for name, value in vars(self).items() if name not in ("_data_tuple", "_gradient_class")}

    def bind(self, chains: int = 1) -> Bound:
        """Give the model memory for a number of chains, and machine code, which is made when first asked for."""
        raise NotImplementedError

    def density_of(self, values: Mapping[str, Any]) -> float:
        """Return the log density of checked constrained values, in plain Python."""
        raise NotImplementedError

    def _rows(self) -> list[tuple[str, str, str]]:
        return [(p.name, str(p.support), f"shape {p.shape}") for p in self.parameters.values()]

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Parameters by name."""
        return self.layout.parameters

    @property
    def dim(self) -> int:
        """Number of unconstrained coordinates."""
        return self.layout.dim

    @property
    def title(self) -> str:
        """How messages call the model."""
        return f"model {self.name!r}" if self.name else "the model"

    def __repr__(self) -> str:
        rows = self._rows()
        widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
        lines = [f"  {a:<{widths[0]}}  {b:<{widths[1]}}  {c}".rstrip() for a, b, c in rows]
        head = f"Model {self.name or ''}".rstrip() + f" ({self.dim} unconstrained coordinates)"
        return "\n".join([head, *lines])

    def _repr_html_(self) -> str:
        import html

        rows = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in self._rows())
        return f"<table><caption>{html.escape(repr(self).splitlines()[0])}</caption>{rows}</table>"

    def __enter__(self) -> BaseModel:
        if not hasattr(_CONTEXT, "stack"):
            _CONTEXT.stack = []
        _CONTEXT.stack.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        _CONTEXT.stack.pop()

    @property
    def _data_tuple(self) -> Any:
        """Data as the functions see them."""
        raise NotImplementedError

    def initial_point(self) -> dict[str, Any]:
        """Return the constrained values at unconstrained 0; of discrete parameters the lowest.

        Returns
        -------
        point : dict of str to (float, int or ndarray)

        Raises
        ------
        ValueError
            If a bound is a function, and nothing lies between the bounds there.
        """
        return self.constrain(np.zeros(self.dim))

    def unconstrain(self, point: Mapping[str, Any]) -> np.ndarray:
        """Map constrained values by name to an unconstrained position.

        Parameters
        ----------
        point : mapping of str to array_like
            May leave out parameters; those are at unconstrained 0.

        Returns
        -------
        q : ndarray, shape (dim,)

        Raises
        ------
        ValueError
            With all unknown names, wrong shapes and values outside their support.
        """
        return self.layout.unconstrain(point, self._data_tuple)

    def constrain(self, q: Any, discrete: np.ndarray | None = None) -> dict[str, Any]:
        """Map an unconstrained position to values by name.

        Parameters
        ----------
        q : array_like, shape (dim,)
            The position.
        discrete : ndarray, optional
            Values of discrete parameters, one after the other. Default: the lowest.

        Returns
        -------
        point : dict of str to (float, int or ndarray)

        Raises
        ------
        ValueError
            If `q` has another shape; or a bound is a function, and nothing lies between the bounds there.
        """
        return self.layout.image(q, self._data_tuple, discrete)[0]

    def logp(self, point: Mapping[str, Any]) -> float:
        """Return the log density of constrained values, without the Jacobian of the transforms.

        Parameters
        ----------
        point : mapping of str to array_like
            A value for each parameter.

        Returns
        -------
        logp : float
            Evaluated in plain Python: exceptions of the model's functions come out.
        """
        return self.density_of(self.layout.check(point, self._data_tuple, partial=False))

    def logp_unconstrained(self, q: Any) -> float:
        """Return the log density at an unconstrained position, with the Jacobian of the transforms.

        It is -inf where bounds that are functions leave nothing between them.
        """
        try:
            values, log_jacobian = self.layout.image(q, self._data_tuple)
        except BoundsError:
            return -np.inf
        return log_jacobian + self.density_of(values)

    def log_jacobian(self, q: Any, discrete: np.ndarray | None = None) -> float:
        """Return the log of the absolute Jacobian determinant of the transforms at an unconstrained position.

        It is -inf where bounds that are functions leave nothing between them.
        """
        try:
            return self.layout.image(q, self._data_tuple, discrete)[1]
        except BoundsError:
            return -np.inf

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
