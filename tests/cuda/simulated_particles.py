"""Fits with particles on a GPU: those of the processor, come up for air when Python looks, and fail as these do."""

import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.cuda import particles
from nbinfer.errors import ConvergenceWarning, CudaError, FitError, ParametrizationError, PerformanceWarning
from tests.cuda.swarms import CUTS, scores

# Python says of scalars what a device, or compiled code, does not.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


class ByHand:
    def __call__(self, x, g, logps):
        scores(x, g, logps)

    def check(self):
        pass


@pytest.fixture(autouse=True)
def written_by_hand(monkeypatch):
    """Have the density be a kernel written by hand, and tiles small."""
    monkeypatch.setattr(particles, "scores_for", lambda fitting, n: ByHand())
    monkeypatch.setattr("nbinfer.cuda.swarm.cut_for", lambda dim, dtype: CUTS[dim])


@pytest.fixture(scope="module")
def model():
    def logp(p, d):
        return -0.5 * (p.x[0] ** 2 + 2.0 * p.x[1] ** 2)

    return nb.Model({"x": nb.real(2)}, logp=logp)


def svgd(model, n=6, **options):
    return nb.SVGD(n, model=model, random_seed=3, **{"backend": "cuda"} | options)


def fitted(inference, n=3, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return inference.fit(n, progressbar=False, **{"obj_optimizer": nb.adam(learning_rate=0.1)} | options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kernel": nb.IMQ()},
        {"temperature": 3.0, "annealing": nb.CyclicAnnealing(2, 1)},
        {"n": 1, "kernel": nb.RBF(1.0)},
    ],
    ids=str,
)
def test_they_go_where_those_of_the_processor_go(model, options):
    found = fitted(svgd(model, **options))
    wanted = fitted(svgd(model, backend="cpu", **options))
    np.testing.assert_allclose(found.histogram, wanted.histogram, rtol=1e-12, atol=1e-12)
    assert found.report.force == pytest.approx(wanted.report.force, rel=1e-9)


@pytest.mark.parametrize(
    "options",
    [{"dtype": "float32"}, {"kernel": nb.RBF(pairs=9)}, {"kernel": nb.RBF(pairs=9), "dtype": "float32"}],
    ids=str,
)
def test_where_sums_or_distances_are_in_single_precision_they_go_near(model, options):
    found, wanted = (fitted(svgd(model, **options, backend=backend)) for backend in ("cuda", "cpu"))
    np.testing.assert_allclose(found.histogram, wanted.histogram, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"obj_optimizer": nb.adam(learning_rate=lambda i: 0.1 / (1 + i))},
        {"total_grad_norm_constraint": 0.1},
        {"obj_optimizer": nb.apply_momentum(nb.adagrad_window(learning_rate=0.1))},
    ],
    ids=("rate", "norm", "momentum"),
)
def test_optimisers_are_those_of_the_processor(model, options):
    found, wanted = (
        fitted(svgd(model, backend=backend, kernel=nb.RBF(1.0)), n=2, **options) for backend in ("cuda", "cpu")
    )
    np.testing.assert_allclose(found.histogram, wanted.histogram, rtol=1e-12, atol=1e-12)


def test_callbacks_see_particles_and_may_move_them(model):
    def followed(backend):
        seen = []

        def note(approx, losses, i):
            seen.append(approx.histogram.copy())
            if i == 2:
                approx.params[0].set_value(approx.histogram + 1.0)

        fitted(svgd(model, backend=backend, kernel=nb.RBF(1.0)), callbacks=[note])
        return seen

    for found, wanted in zip(followed("cuda"), followed("cpu"), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def test_a_fit_goes_on_as_if_it_had_not_ended(model):
    whole = fitted(svgd(model, kernel=nb.RBF(1.0)), n=3)
    parts = svgd(model, kernel=nb.RBF(1.0))
    fitted(parts, n=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts.refine(1, progressbar=False)
    assert (parts.approx.histogram == whole.histogram).all()


def test_a_fit_of_a_file_goes_on_bit_for_bit(model, tmp_path):
    path, options = (
        tmp_path / "fit.nc",
        {"inf_kwargs": {"n_particles": 6, "kernel": nb.RBF(1.0)}, "random_seed": 3, "progressbar": False},
    )
    whole = fitted(svgd(model, kernel=nb.RBF(1.0)), n=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        rule = nb.adam(learning_rate=0.1)
        nb.fit(2, method="svgd", model=model, backend="cuda", checkpoint=path, obj_optimizer=rule, **options)
        found = nb.resume(path, model=model, n=3, progressbar=False)
    assert (found.histogram == whole.histogram).all()


def test_particles_without_a_density_are_named(model):
    inference = svgd(model, kernel=nb.RBF(1.0))
    histogram = inference.approx.histogram.copy()
    histogram[3:5] = [[1e200], [-1e200]]
    inference.approx.params[0].set_value(histogram)
    with pytest.raises(
        FitError, match=r"gradient of 2 of 6 particles is not finite in iteration 0: particles 3, 4, the"
    ):
        fitted(inference)
    assert (inference.approx.histogram == histogram).all()


def test_particles_that_come_together_are_refused(model):
    inference = svgd(model, n=8)
    histogram = np.zeros((8, 2))
    histogram[0] = 1.0
    inference.approx.params[0].set_value(histogram)
    with pytest.raises(FitError, match="the median distance of the particles is 0 in iteration 0"):
        fitted(inference)


def test_a_step_too_long_leaves_particles_as_they_were(model):
    inference = svgd(model, jitter=1000.0)
    before = inference.approx.histogram.copy()
    with pytest.raises(FitError, match=r"histogram.* is not finite after iteration 0; it is as it was before"):
        fitted(inference, obj_optimizer=nb.sgd(learning_rate=1e308))
    assert (inference.approx.histogram == before).all()


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"n": 1}, ParametrizationError, "n_particles must be at least 2"),
        ({"jitter": 0.0}, ParametrizationError, "particles are equal"),
        ({"kernel": lambda z: None}, ParametrizationError, 'has no form for backend="cuda"; take nb.RBF or nb.IMQ'),
        ({"metric": "diag"}, ParametrizationError, 'backend="cuda" knows no metric; leave that or backend out'),
        ({"noisy": True}, ParametrizationError, 'backend="cuda" knows no noisy; leave that or backend out'),
        ({"annealing": lambda i: 2.0}, ValueError, r"annealing\(0\) must be a number from 0 to 1, got 2.0"),
        ({"backend": "gpu"}, ValueError, "unknown backend 'gpu'.*Did you mean 'cuda'"),
    ],
    ids=("n", "jitter", "kernel", "metric", "noisy", "annealing", "backend"),
)
def test_what_cannot_be_is_refused_before_anything_starts(model, options, error, says):
    with pytest.raises(error, match=says):
        fitted(svgd(model, **options))


def test_other_methods_do_not_know_the_backend(model):
    with pytest.raises(ValueError, match="backend 'cuda' knows method 'svgd' alone, not 'advi'"):
        nb.fit(1, model=model, backend="cuda")
    with pytest.raises(ParametrizationError, match='backend="cuda" moves particles'):
        fitted(nb.ImplicitGradient(nb.MeanField(model=model), kernel=nb.RBF(1.0), backend="cuda"))


def test_few_are_said_to_be_faster_elsewhere(model, monkeypatch):
    monkeypatch.setattr(particles, "simulated", lambda: False)
    with pytest.warns(PerformanceWarning, match=r"6 particles leave most of a GPU idle"):
        fitted(svgd(model, kernel=nb.RBF(1.0)), n=1)


def test_data_in_batches_are_refused(model):
    def logp(p, d):
        return -0.5 * (d.y - p.m) @ (d.y - p.m)

    batches = nb.Model({"m": nb.real()}, logp=logp, data={"y": nb.Minibatch(np.arange(10.0), batch_size=2)})
    with pytest.raises(ParametrizationError, match='backend="cuda" takes no data in batches; leave backend out'):
        fitted(svgd(batches, kernel=nb.RBF(1.0)))


def test_too_many_for_the_memory_are_refused_before_anything_is_there(model, monkeypatch):
    context = type("Context", (), {"get_memory_info": staticmethod(lambda: (1000, 10**9))})
    monkeypatch.setattr("nbinfer.cuda.backend.require", lambda: type("Cuda", (), {"current_context": context}))
    with pytest.raises(CudaError, match=r"6 particles of 2 numbers, with what a fit needs for them, take 0\.00 GiB"):
        fitted(svgd(model))
