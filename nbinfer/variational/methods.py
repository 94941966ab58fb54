"""`fit`: from a model to an approximation."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from nbinfer.arguments import MOST, count, instance, is_number, mapping
from nbinfer.engine.backends import CPU, check_backend
from nbinfer.engine.written import text_of
from nbinfer.model import Model
from nbinfer.model.default import is_model, the_model
from nbinfer.spelling import check_options, meant, public, public_by_kind, shown
from nbinfer.variational.advi import ADVI, NFVI, FullRankADVI, LowRankADVI
from nbinfer.variational.approximation import Approximation
from nbinfer.variational.bam import BaM
from nbinfer.variational.dadvi import DADVI
from nbinfer.variational.inference import Inference
from nbinfer.variational.objective import ObjectiveFunction
from nbinfer.variational.pathfinder.method import Pathfinder
from nbinfer.variational.stein.methods import ASVGD, SVGD

#: Methods by name.
METHODS: dict[str, type[Inference]] = {
    "advi": ADVI,
    "fullrank_advi": FullRankADVI,
    "low_rank_advi": LowRankADVI,
    "pathfinder": Pathfinder,
    "nfvi": NFVI,
    "dadvi": DADVI,
    "bam": BaM,
    "svgd": SVGD,
    "asvgd": ASVGD,
}
_IN_TURN = "advi->fullrank_advi"

#: Options of `Inference.fit` that two fits in turn have no use for.
_OF_ONE_FIT = ("checkpoint", "max_seconds", "executor")

#: Options of it that are about what is shown, and not of how the fit is set up.
_SHOWN = ("progressbar", "live_plot", "live_plot_kwargs")


def _is_method(value: Any) -> bool:
    return isinstance(value, str | Inference) or (isinstance(value, type) and issubclass(value, Inference))


@public_by_kind(model=is_model, n=is_number, method=_is_method)
def fit(
    n: int = 10_000,
    local_rv: Any = None,
    method: Any = "advi",
    model: Model | None = None,
    random_seed: Any = None,
    start: Mapping[str, Any] | None = None,
    start_sigma: float | Mapping[str, Any] | None = None,
    inf_kwargs: Mapping[str, Any] | None = None,
    backend: str | None = None,
    **kwargs: Any,
) -> Approximation:
    """Fit an approximation to the posterior of a model.

    Parameters
    ----------
    n : int
        Iterations.
    local_rv : mapping, optional
        Encoders of local parameters by name, ``{"z": {"mu": f, "rho": g}}``: each becomes a local group, see `Group`.
    method : str, type or Inference
        'advi' (independent normal numbers), 'fullrank_advi', 'low_rank_advi', 'nfvi' (flows; 'nfvi=scale-hh*4-loc' has
        the formula behind the sign), 'dadvi' (by L-BFGS, at noise that stays the same), 'bam' (batch and match),
        'pathfinder', 'svgd' (particles), 'asvgd' (experimental), or 'advi->fullrank_advi', whose second half begins
        where the first ends; a class such as `ADVI`; or an inference object, which has model, seed and start already.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    random_seed : None, int, SeedSequence or Generator
        The same seed gives the same fit, bit for bit.
    start : mapping of str to array_like, optional
        Constrained values to begin the means at. Default: unconstrained 0.
    start_sigma : float or mapping of str to array_like, optional
        Standard deviations of the unconstrained coordinates to begin with. Default 0.1.
    inf_kwargs : mapping, optional
        Options of the class of the method, such as `beta`.
    backend : {'cpu', 'cuda'}, optional
        Where iterations are made; 'cuda', on a GPU, knows method 'svgd', see `SVGD`. Default: the processor.
    **kwargs : object
        Options of `Inference.fit`: callbacks, progressbar, convergence, obj_n_mc, obj_optimizer, checkpoint,
        max_seconds, executor, live_plot, ....

    Returns
    -------
    approx : Approximation
        With ``mean``, ``std``, ``cov``, ``sample``, ``hist``, ``khat`` and ``report``.

    Raises
    ------
    ValueError
        If there is no method of this name, or no such backend, or the backend does not know the method.
    TypeError
        If `method` is something else, or an object that has what is given besides.
    ParametrizationError
        If a parameter is discrete.
    FitError
        See `Inference.fit`.

    Warns
    -----
    ConvergenceWarning
        If the fit is not to be relied on; with a remedy.

    Examples
    --------
    >>> import nbinfer as nb
    >>> model = nb.Model({"x": nb.real()}, logp=lambda p, d: -2.0 * (p.x - 1.0) ** 2)
    >>> approx = nb.fit(1500, model=model, random_seed=1, obj_optimizer=nb.adam(learning_rate=0.01), progressbar=False)
    >>> trace = approx.sample(1000, random_seed=2)
    >>> trace["x"].shape
    (1, 1000)
    >>> float(trace["x"].mean().round(1)), float(trace["x"].std().round(1))
    (1.0, 0.5)
    """
    count("n", n, 0, MOST)
    if isinstance(method, str):
        check_options("fit()", kwargs, fit, Inference.fit, ObjectiveFunction.updates)
    given = {"local_rv": local_rv, "model": model, "random_seed": random_seed, "start": start}
    given["start_sigma"] = start_sigma
    options = dict(mapping("inf_kwargs", inf_kwargs)) | _backend(method, backend)
    if isinstance(method, Inference):
        used = [name for name, value in (given | options).items() if value is not None]
        if used:
            raise TypeError(f"the inference object has {', '.join(used)} already; pass a name or a class instead.")
        return method.fit(n, **kwargs)
    twice = [name for name in options if name in given]
    if twice:
        raise TypeError(f"inf_kwargs names {twice[0]!r}, an argument of fit; pass it there.")
    model, seed = the_model(given.pop("model")), given.pop("random_seed")
    if isinstance(method, str) and _checked(method)[0] == _IN_TURN:
        return _in_turn(n, model, seed, given, options, kwargs)
    inference = made(method, model, seed, given, options)
    if "checkpoint" in kwargs:
        whole = given | {"inf_kwargs": options}
        inference.asked = {"method": text_of(method)} | {name: text_of(value) for name, value in whole.items()}
    return inference.fit(n, **kwargs)


def _backend(method: Any, backend: Any) -> dict[str, str]:
    """Return the option that says where a method runs; none where that is the processor."""
    if backend is None or check_backend(backend) == CPU:
        return {}
    kind = METHODS.get(method.lower()) if isinstance(method, str) else method
    if not isinstance(kind, type) or "backend" not in inspect.signature(kind).parameters:
        name = method if isinstance(method, str) else getattr(kind, "__name__", type(kind).__name__)
        raise ValueError(
            f"backend {backend!r} knows method 'svgd' alone, not {name!r}; leave backend out, or give an inference "
            "object its own."
        )
    return {"backend": backend}


def made(
    method: Any, model: Model, random_seed: Any, given: Mapping[str, Any], options: Mapping[str, Any]
) -> Inference:
    """Return the inference that a name or a class means.

    Parameters
    ----------
    method : str or type
    model : Model
    random_seed : object
    given : mapping
        local_rv, start and start_sigma.
    options : mapping
        `inf_kwargs`.
    """
    given = {"model": model, "random_seed": random_seed} | dict(given)
    if isinstance(method, type) and issubclass(method, Inference):
        return method(**given, **options)
    name, formula = _checked(method)
    if formula is not None:
        if "flow" in options:
            raise TypeError(f"inf_kwargs names a flow, and so does method={method!r}; leave one of them out.")
        options = {**options, "flow": formula}
    if name == _IN_TURN:
        raise ValueError(f"method: {name!r} is two fits, one after the other, and no single one.")
    _check_options(options, [METHODS[name]], given)
    return METHODS[name](**given, **options)


def _in_turn(
    n: int, model: Model, seed: Any, given: Mapping[str, Any], options: Mapping[str, Any], kwargs: Mapping[str, Any]
) -> Approximation:
    """Fit independent numbers, and then, from there, one distribution of all."""
    given = {"model": model, "random_seed": seed} | dict(given)
    _check_options(options, [ADVI, FullRankADVI], given)
    for name in _OF_ONE_FIT:
        if kwargs.get(name) is not None:
            raise ValueError(
                f"{name} is of one fit, and {_IN_TURN!r} is two; fit 'advi', and then "
                "nb.FullRankADVI.from_mean_field(approx), either with its own."
            )
    first = ADVI(**given, **options)
    first.begin(**{name: v for name, v in kwargs.items() if name not in (*_SHOWN, "fn_kwargs", *_OF_ONE_FIT)})
    first.run(n // 2, kwargs.get("progressbar", True), judged=False)
    return FullRankADVI.from_mean_field(first.approx, **options).fit(n - n // 2, **kwargs)


def _check_options(options: Mapping[str, Any], classes: Sequence[type[Inference]], given: Mapping[str, Any]) -> None:
    for kind in classes:
        known = [name for name in inspect.signature(kind).parameters if name not in given]
        for name in options:
            if name not in known:
                raise TypeError(
                    f"inf_kwargs names {name!r}; {kind.__name__} takes {', '.join(known)}.{meant(name, known)}"
                )


def _checked(method: Any) -> tuple[str, str | None]:
    """Return the name of a method, and the formula behind it, if there is one."""
    if not isinstance(method, str):
        raise TypeError(f"method must be a name, a class or an Inference object, got {type(method).__name__}.")
    name, sign, formula = (part.strip() for part in method.lower().partition("="))
    if name not in (*METHODS, _IN_TURN) or (sign and name != "nfvi"):
        known = (*METHODS, _IN_TURN)
        raise ValueError(
            f"unknown method {shown(method)}; choose {', '.join(map(repr, known))}, or 'nfvi=' and a formula of flows."
            f"{meant(name, known)}"
        )
    return name, formula if sign else None


@public
def sample_approx(approx: Approximation, draws: int = 100, include_transformed: bool = True, **kwargs: Any) -> Any:
    """Draw parameters and derived quantities from an approximation.

    Parameters
    ----------
    approx : Approximation
        Fitted.
    draws : int
        How many.
    include_transformed : bool
        Whether unconstrained coordinates are kept, too.
    **kwargs : object
        Further options of `Approximation.sample`.

    Returns
    -------
    trace : Trace
    """
    instance("approx", approx, Approximation, "an Approximation")
    check_options("sample_approx()", kwargs, sample_approx, Approximation.sample)
    return approx.sample(draws, include_transformed, **kwargs)
