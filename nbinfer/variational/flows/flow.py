"""Flows: layers with parameters, each of which may stand on another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nbinfer.arguments import flag, from_zero, mapping, numbers
from nbinfer.errors import LocalGroupError, ParametrizationError
from nbinfer.random import generator, key_of, seed_sequences
from nbinfer.variational.families.family import HALF_LOG_TWO_PI
from nbinfer.variational.flows.layer import Floats, Layer, extent_of, refuse_too_few, rows_of
from nbinfer.variational.flows.stack import Stack
from nbinfer.variational.values import Shared, given_value


class AbstractFlow(Layer):
    """Base of the flows: a kind of layer, and as an object one with parameters, on top of what it stands on.

    Parameters
    ----------
    z0 : AbstractFlow or array_like, optional
        The flow that it stands on; or points, shape (..., dim), or (..., batch_size, dim). Default: the point 0.
    dim : int, optional
        Coordinates of a row. Default: those of `z0`.
    jitter : float
        Standard deviation of first values, where `params` is not given.
    params : mapping of str to array_like or Shared, optional
        The parameters.
    batch_size : int, optional
        Number of rows that have parameters of their own; these are then the first axis of every parameter.
    local : bool
        Whether the rows are those of a batch, and `params` what encoders give for them: both are needed then.
    random_seed : None, int, SeedSequence or Generator
        Of first values.

    Raises
    ------
    ParametrizationError
        If names or shapes of `params` are others, or `dim` is too small.

    See Also
    --------
    Formula : Several on top of each other.

    Notes
    -----
    A kind of one's own is a subclass with `short_name`, `shapes` and the two kernels of
    `nbinfer.variational.flows.layer`, or one of `PythonFlow`; formulas know it after `register_flow`.

    Examples
    --------
    >>> from nbinfer.variational.flows import LocFlow, ScaleFlow
    >>> scale = ScaleFlow([[1.0, -1.0]], params={"rho": [0.0, 0.0]})
    >>> LocFlow(scale, params={"loc": [1.0, 2.0]}).forward.round(4)
    array([[1.6931, 1.3069]])
    """

    def __init__(
        self,
        z0: AbstractFlow | ArrayLike | None = None,
        dim: int | None = None,
        jitter: float = 1.0,
        params: Mapping[str, Any] | None = None,
        batch_size: int | None = None,
        local: bool = False,
        random_seed: Any = None,
    ) -> None:
        self.is_local: bool = flag("local", local) or (isinstance(z0, AbstractFlow) and z0.is_local)
        if local and (params is None or (batch_size is None and not isinstance(z0, AbstractFlow))):
            raise LocalGroupError(
                f"a local {self.short_name} needs batch_size and params: what encoders give for each row of a batch. "
                "In a fit that is nb.Group(..., params={0: {...}}, local=True)."
            )
        self.parent = z0 if isinstance(z0, AbstractFlow) else None
        self.z0 = None if z0 is None or self.parent is not None else numbers("z0", z0)
        if self.parent is not None:
            dim, batch_size = self.parent.dim, self.parent.batch_size
        elif dim is None:
            if self.z0 is None:
                raise TypeError("a flow needs z0 or dim to know its number of coordinates.")
            if not self.z0.ndim:
                raise ValueError("z0 must have shape (..., dim), got ().")
            dim = self.z0.shape[-1]
        self.extent = extent_of(dim, batch_size)
        self.dim: int = dim
        self.batch_size: int | None = batch_size
        if self.z0 is not None:
            self._leading("z0", self.z0)
        self.turn = sum(type(flow) is type(self) for flow in self._below())
        refuse_too_few(type(self), dim)
        from_zero("jitter", jitter)
        self.shared_params = self._made(mapping("params", params), jitter, random_seed)

    def _made(self, given: Mapping[str, Any], jitter: float, random_seed: Any) -> dict[str, Shared]:
        shapes = {name: rows_of(s, self.extent.rows) for name, s in self.shapes(self.dim, self.turn).items()}
        if given and set(given) != set(shapes):
            raise ParametrizationError(
                f"params of {self.short_name} must be {', '.join(shapes)}; got {', '.join(map(str, given))}."
            )
        spread = self.spread(self.dim, self.turn)
        rng = None if given else generator(key_of(seed_sequences(random_seed, 1)[0]))
        found = {}
        for name, shape in shapes.items():
            if rng is None:
                found[name] = given_value(name, given[name], shape)
            else:
                found[name] = Shared(jitter * spread.get(name, 0.0) * rng.standard_normal(shape), name)
        return found

    def _below(self) -> list[AbstractFlow]:
        """Return the flows that it stands on, the first one first."""
        found, flow = [], self.parent
        while flow is not None:  # by recursion, a long formula would be too deep
            found.append(flow)
            flow = flow.parent
        return found[::-1]

    # ---- what it stands on

    @property
    def isroot(self) -> bool:
        """Whether it stands on no other."""
        return self.parent is None

    @property
    def root(self) -> AbstractFlow:
        """The lowest flow."""
        return next(iter(self._below()), self)

    @property
    def formula(self) -> str:
        """The formula of all flows from the lowest to this one."""
        return "-".join(flow.short_name for flow in (*self._below(), self))

    @property
    def params(self) -> list[Shared]:
        """Its own parameters."""
        return list(self.shared_params.values())

    @property
    def all_params(self) -> list[Shared]:
        """Those of the flows below it, the lowest first, and its own."""
        return [shared for flow in (*self._below(), self) for shared in flow.params]

    # ---- points

    @property
    def forward(self) -> Floats:
        """Images of the root's `z0`, of its shape."""
        return self.forward_pass(self._start)

    @property
    def logdet(self) -> Floats:
        """Log of the size of its own determinant at these points, summed over rows, shape (...)."""
        found: Floats = self._pass(self._start)[1][-1]
        return found

    @property
    def sum_logdets(self) -> Floats:
        """That of all flows together."""
        found: Floats = self._pass(self._start)[1].sum(axis=0)
        return found

    @property
    def _start(self) -> Floats:
        z0 = self.root.z0
        return np.zeros(self.extent.n) if z0 is None else z0

    def _leading(self, name: str, points: Floats) -> tuple[int, ...]:
        """Return the axes of points that come before those of one of them: ``(batch_size, dim)``, or all in a row."""
        one = (self.dim,) if self.batch_size is None else (self.batch_size, self.dim)
        for last in (one, (self.extent.n,)):
            if points.shape[-len(last) :] == last:
                return points.shape[: points.ndim - len(last)]
        raise ValueError(f"{name} must have shape (..., {', '.join(map(str, one))}), got {points.shape}.")

    def _pass(self, z0: ArrayLike) -> tuple[Floats, Floats]:
        """Return images, shape (..., n), and log-determinants of each layer, shape (layers, ...)."""
        points = numbers("z0", z0)
        n, lead = self.extent.n, self._leading("z0", points)
        flows = (*self._below(), self)
        values = {f"{k}.{name}": s.get_value(True) for k, f in enumerate(flows) for name, s in f.shared_params.items()}
        images, logdets = Stack([type(f) for f in flows]).passed(self.extent, values, points.reshape(-1, n))
        return images.reshape(points.shape), logdets.reshape(len(flows), *lead)

    def forward_pass(self, z0: ArrayLike) -> Floats:
        """Return images of points under all flows from the lowest to this one.

        Parameters
        ----------
        z0 : array_like, shape (..., dim) or (..., batch_size, dim)

        Returns
        -------
        z : ndarray
            Of the same shape.
        """
        return self._pass(z0)[0]

    def inverse_pass(self, z: ArrayLike) -> Floats:
        """Return the points whose images under all flows are given.

        Parameters
        ----------
        z : array_like, shape (..., dim) or (..., batch_size, dim)

        Returns
        -------
        z0 : ndarray
            Of the same shape.

        Raises
        ------
        NotImplementedError
            If one of the flows knows no way back.
        """
        points = numbers("z", z)
        self._leading("z", points)
        found = points.reshape(-1, self.extent.rows, self.dim)
        for flow in (self, *reversed(self._below())):
            rows = range(self.extent.rows)
            found = np.stack([flow.inverse(found[:, row], flow._of_row(row), flow.turn) for row in rows], axis=1)
        return found.reshape(points.shape)

    def _of_row(self, row: int) -> dict[str, Any]:
        """Return the numbers of its parameters that belong to one row."""
        shapes, rows = self.shapes(self.dim, self.turn), self.extent.rows
        return {name: self.shared_params[name].get_value(True).reshape(rows, *shapes[name])[row] for name in shapes}

    def logq(self, z: ArrayLike) -> Floats:
        """Return the log density at points, wherever they are, of what the flows make of standard normal numbers.

        Parameters
        ----------
        z : array_like, shape (..., dim) or (..., batch_size, dim)

        Returns
        -------
        logq : ndarray, shape (...)

        Raises
        ------
        NotImplementedError
            If one of the flows knows no way back.
        """
        z0 = self.inverse_pass(z)
        logdets = self._pass(z0)[1].sum(axis=0)
        squares = np.sum(z0.reshape(*logdets.shape, -1) ** 2, axis=-1)
        found: Floats = -0.5 * squares - self.extent.n * HALF_LOG_TWO_PI - logdets
        return found

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.formula} of {self.dim} coordinates>"
