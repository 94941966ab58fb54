"""The inferences by Stein gradients: of particles, and of draws of any approximation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nbinfer.arguments import MOST, count, flag, from_zero, mapping
from nbinfer.engine.backends import CPU, check_backend
from nbinfer.errors import AEVBInferenceError, NbinferWarning, ParametrizationError, calls_above, unseen
from nbinfer.model import Model
from nbinfer.model.default import is_model
from nbinfer.spelling import public, public_by_kind
from nbinfer.variational.approximation import Approximation
from nbinfer.variational.inference import Inference
from nbinfer.variational.operators import Operator
from nbinfer.variational.single_group import Empirical, FullRank
from nbinfer.variational.stein.kernels import rbf
from nbinfer.variational.stein.operator import KSD

#: Draws of an iteration of ASVGD.
DRAWS = 500


@public
class ImplicitGradient(Inference):
    """Fit any approximation by the Stein gradient at its draws, which needs no density of theirs [1]_.

    Parameters
    ----------
    approx : Approximation or type
        What is fitted.
    estimator : type
        The operator.
    kernel : Kernel or callable
        How much draws count for each other.
    **kwargs : object
        Options of the operator: temperature, cores, dtype.

    References
    ----------
    .. [1] D. Wang and Q. Liu, "Learning to draw samples: with application to amortized MLE for generative adversarial
       learning", arXiv:1611.01722 (2016).
    """

    def __init__(self, approx: Any, estimator: Any = KSD, kernel: Any = rbf, **kwargs: Any) -> None:
        is_class = isinstance(estimator, type)
        if not is_class or not issubclass(estimator, Operator) or not estimator.has_test_function:
            got = estimator.__name__ if is_class else type(estimator).__name__
            raise TypeError(
                f"estimator must be a subclass of Operator that is applied to a kernel, such as nb.KSD, got {got}."
            )
        if isinstance(kernel, type) or not callable(kernel):
            got = f"the class {kernel.__name__}" if isinstance(kernel, type) else repr(kernel)
            raise TypeError(f"kernel must be an object, such as nb.RBF(), or a function of points, got {got}.")
        super().__init__(estimator, approx, kernel, **kwargs)


@public
class SVGD(ImplicitGradient):
    """Stein variational gradient descent: particles that climb the density and keep apart [1]_.

    The particles are the rows of ``approx.histogram``. There is no loss, and ``hist`` is NaN; the report tells the
    largest force on a particle at the end, and whether the particles have collapsed: with the kernel of the documents
    their variance is .96 of the posterior's with one coordinate, .42 with ten, .09 with fifty.

    Parameters
    ----------
    n_particles : int
        How many.
    jitter : float
        Standard deviation, on the unconstrained scale, of where they begin around the start.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    start : mapping of str to array_like, optional
        Constrained values to begin around. Default: unconstrained 0.
    random_seed : None, int, SeedSequence or Generator
        Of the jitter, of noise, of the pairs whose median gives the bandwidth if it is not that of all, and of draws
        afterwards.
    estimator : type
        The operator.
    kernel : Kernel or callable
        How much particles count for each other. Default: `RBF`, with the documents' bandwidth.
    temperature : float
        See `KSD`.
    noisy : bool
        Whether particles get noise besides, whose covariance is the kernel's [2]_: they are then a Markov chain of the
        posterior, all together, and keep their spread in many dimensions. They never rest: keep those of several
        iterations, `ParticleHistory`. It takes ``obj_optimizer=nb.sgd(learning_rate=...)``, for noise belongs to steps
        of a length that is known. Begin with a tenth of the variance of the narrowest coordinate; where coordinates are
        many, and particles hardly see each other, with that times their number. At h times the variance in the place
        of a tenth, variances are too large by about h / 2; the report says if particles are thrown about. An iteration
        factors a table of n² numbers: some hundred particles, 2000 at most. With a bandwidth that is given the chain is
        exact but for h; with that of the documents' rule, which follows the particles, nearly so.
    annealing : callable, optional
        ``factor(i)`` of the iteration i = 0, 1, ..., from 0 to 1, by which the density part is multiplied [3]_, such as
        `CyclicAnnealing`: particles spread out while it is small, and find modes far from where they began.
    metric : {'diag', 'dense'} or array_like, shape (dim,) or (dim, dim), optional
        The metric of kernel and forces [4]_, a precision on the unconstrained scale: distances are taken in it, and
        its inverse makes all coordinates move alike. 'diag' and 'dense' find it anew in each iteration by positions and
        gradients of the particles, which of a normal posterior gives its precision wherever these are; 'dense' needs
        two particles more than there are coordinates. Steps then have no unit: a learning rate of 1 with `sgd` is one
        to begin with. Default: none.
    cores : int, optional
        Threads; default: all. The result does not depend on it, bit for bit.
    dtype : {'float64', 'float32'} or dtype
        Of the sums over pairs. In float32 these take half the time, and forces are off by a few millionths of the
        largest; gradients, particles and what the optimiser keeps are float64 all the same.
    local_rv : mapping, optional
        None: particles know no local parameters.
    start_sigma : None
        What the other methods have for `jitter`.
    backend : {'cpu', 'cuda'}
        Where iterations are made. With 'cuda' particles live on an NVIDIA GPU, and forces, bandwidth, densities and
        optimiser are kernels there; see docs/cuda.md for what that needs.

    Raises
    ------
    AEVBInferenceError
        If parameters are to be local.
    CudaError
        If there is no GPU, something that it needs is missing, or its memory is too small; said before anything starts.
    ParametrizationError
        If all particles are equal, or there are fewer than two and their median distance is asked for; if `metric` is
        none, or there are too few particles to find it; if `noisy` is set and the optimiser is another than `sgd`.
    FitError
        If density or gradient of a particle is not finite; it says of which.

    References
    ----------
    .. [1] Q. Liu and D. Wang, "Stein variational gradient descent: a general purpose Bayesian inference algorithm",
       NeurIPS (2016).
    .. [2] V. Priser, P. Bianchi and A. Salim, "Long-time asymptotics of noisy SVGD outside the population limit",
       arXiv:2406.11929 (2024).
    .. [3] F. D'Angelo and V. Fortuin, "Annealed Stein variational gradient descent", arXiv:2101.09815 (2021).
    .. [4] D. Wang, Z. Tang, C. Bajaj and Q. Liu, "Stein variational gradient descent with matrix-valued kernels",
       arXiv:1910.12794 (2019).

    Examples
    --------
    >>> import nbinfer as nb
    >>> model = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * (p.x - 1.0) ** 2 / 0.25)
    >>> inference = nb.SVGD(50, model=model, random_seed=1)
    >>> falling = nb.adam(learning_rate=lambda i: 0.1 / (1 + i / 100))
    >>> approx = inference.fit(1000, obj_optimizer=falling, progressbar=False)
    >>> float(approx.mean[0].round(2)), float(approx.std[0].round(2))
    (1.0, 0.48)
    """

    @public_by_kind(model=is_model)
    def __init__(
        self,
        n_particles: int = 100,
        jitter: float = 1.0,
        model: Model | None = None,
        start: Mapping[str, Any] | None = None,
        random_seed: Any = None,
        estimator: Any = KSD,
        kernel: Any = rbf,
        *,
        temperature: float = 1.0,
        noisy: bool = False,
        annealing: Callable[[int], float] | None = None,
        metric: Any = None,
        cores: int | None = None,
        dtype: Any = "float64",
        local_rv: Any = None,
        start_sigma: Any = None,
        backend: str = "cpu",
    ) -> None:
        if mapping("local_rv", local_rv):
            raise AEVBInferenceError(
                "local_rv: particles have no local parameters; take nb.ADVI or another family for these."
            )
        if start_sigma is not None:
            raise ParametrizationError("start_sigma means nothing to particles; jitter says how far apart they begin.")
        count("n_particles", n_particles, 1, MOST)
        from_zero("jitter", jitter)
        flag("noisy", noisy)
        approx = Empirical(size=n_particles, jitter=jitter, start=start, model=model, random_seed=random_seed)
        given: dict[str, Any] = {"noisy": noisy or None, "annealing": annealing, "metric": metric}
        given["backend"] = backend if check_backend(backend) != CPU else None
        more = {name: value for name, value in given.items() if value is not None}
        super().__init__(approx, estimator, kernel, temperature=temperature, cores=cores, dtype=dtype, **more)


@public
class ASVGD(ImplicitGradient):
    """Amortised Stein variational gradient descent: the gradient of SVGD, at draws of an approximation [1]_.

    Experimental, and it says so. Each iteration takes many draws, `obj_n_mc` of them, 500 by default: how far apart
    draws come to lie depends on their number.

    Parameters
    ----------
    approx : Approximation or type, optional
        What is fitted. Default: `FullRank`.
    estimator : type
        The operator.
    kernel : Kernel or callable
        How much draws count for each other.
    local_rv : mapping, optional
        None: the method knows no local parameters.
    model : Model, optional
        Default: that of `approx`, or of the enclosing ``with`` block.
    random_seed : None, int, SeedSequence or Generator
        Of fits and draws.
    start : mapping of str to array_like, optional
        Constrained values to begin the means at. Default: unconstrained 0.
    start_sigma : float or mapping of str to array_like, optional
        Standard deviations of the unconstrained coordinates to begin with. Default 0.1.
    temperature : float
        See `KSD`.
    cores : int, optional
        Threads; default: all. The result does not depend on it.

    Raises
    ------
    TypeError
        If `approx` is given and what it has already is given besides.

    Warns
    -----
    NbinferWarning
        That it is experimental.

    References
    ----------
    .. [1] Y. Feng, D. Wang and Q. Liu, "Learning to draw samples with amortized Stein variational gradient descent",
       UAI (2017).
    """

    @public_by_kind(model=is_model)
    def __init__(
        self,
        approx: Any = None,
        estimator: Any = KSD,
        kernel: Any = rbf,
        *,
        local_rv: Any = None,
        model: Model | None = None,
        random_seed: Any = None,
        start: Mapping[str, Any] | None = None,
        start_sigma: float | Mapping[str, Any] | None = None,
        temperature: float = 1.0,
        cores: int | None = None,
    ) -> None:
        with unseen():
            warnings.warn(
                "ASVGD is experimental: what it finds depends on obj_n_mc, on the kernel and on temperature, and "
                "standard deviations tend to be too small. Look at approx.khat.",
                NbinferWarning,
                calls_above(),
            )
        given = {"local_rv": local_rv, "random_seed": random_seed, "start": start, "start_sigma": start_sigma}
        if approx is None:
            approx = FullRank(model=model, **given)
        else:
            used = [name for name, value in given.items() if value is not None]
            if isinstance(approx, Approximation) and model is not None and approx.model is not model:
                used.append("model")
            if used:
                raise TypeError(f"approx has {', '.join(used)} already; give them to the approximation.")
        super().__init__(approx, estimator, kernel, temperature=temperature, cores=cores)

    def begin(
        self, score: bool | None = None, callbacks: Sequence[Callable[..., Any]] | None = None, **kwargs: Any
    ) -> None:
        if not self.approx.all_histograms:
            kwargs.setdefault("obj_n_mc", DRAWS)
        super().begin(score, callbacks, **kwargs)
