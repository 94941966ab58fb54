"""Particles whose data come in batches: one for all of them in an iteration."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import ModelError, NbinferWarning, StreamingError
from nbinfer.variational.stein import rbf
from tests.variational.stein.targets import Linear, fitted
from tests.variational.streamed import Y, conjugate

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")

ADAM = nb.adam(learning_rate=0.01)


def svgd(model, cores=1, kernel=rbf):
    return nb.SVGD(6, 0.1, model=model, random_seed=1, kernel=kernel, cores=cores)


def exchanged(make, batch, n=8, **options):
    """Return a fit of a model whose data a callback exchanges before each iteration."""
    model = conjugate(batch(0))
    return fitted(make(model), n, ADAM, callbacks=[lambda approx, losses, i: model.set_data(y=batch(i))], **options)


@pytest.mark.parametrize("kernel", [rbf, Linear()], ids=lambda kernel: type(kernel).__name__)
def test_all_particles_see_the_batch_of_an_iteration(kernel):
    rows = nb.Minibatch(Y, 10)
    expected = exchanged(lambda model: svgd(model, kernel=kernel), rows.batch)
    for cores in (1, 2):
        found = fitted(svgd(conjugate(rows), cores, kernel), 8, ADAM)
        np.testing.assert_array_equal(found.histogram, expected.histogram)
        np.testing.assert_array_equal(found.data["y"], rows.batch(7))


@pytest.mark.nojit  # long as plain Python
def test_batches_that_python_reads(tmp_path):
    h5py = pytest.importorskip("h5py")
    rows = nb.Minibatch(Y, 10)
    expected = exchanged(svgd, rows.batch)
    with h5py.File(tmp_path / "y.h5", "w") as file:
        found = fitted(svgd(conjugate(nb.Minibatch(file.create_dataset("y", data=Y), 10))), 8, ADAM)
    np.testing.assert_array_equal(found.histogram, expected.histogram)
    parts = [Y[k : k + 3 + k % 4] for k in range(8)]  # each counts by its own length
    expected = exchanged(svgd, lambda i: parts[i % 8])
    found = fitted(svgd(conjugate(nb.generator(iter(parts)))), 8, ADAM)
    np.testing.assert_array_equal(found.histogram, expected.histogram)


@pytest.mark.nojit  # long as plain Python
def test_draws_of_an_approximation():
    rows = nb.Minibatch(Y, 10)

    def make(model):
        return nb.ImplicitGradient(nb.MeanField(model=model, random_seed=1), cores=1)

    expected = exchanged(make, rows.batch, obj_n_mc=5)
    found = fitted(make(conjugate(rows)), 8, ADAM, obj_n_mc=5)
    np.testing.assert_array_equal(found.mean, expected.mean)
    np.testing.assert_array_equal(found.std, expected.std)


@pytest.mark.nojit
def test_a_conjugate_mean():
    """Scores stand for all data: sd .0302, of which fifty particles show .968; of a batch alone it would be .082."""
    falling = nb.adam(learning_rate=lambda i: 0.02 / (1.0 + i / 300.0))
    inference = nb.SVGD(50, 0.1, model=conjugate(nb.Minibatch(Y, 50)), random_seed=1, cores=1)
    approx = fitted(inference, 8000, falling)
    assert approx.mean[0] == pytest.approx(0.455285, abs=0.012)
    assert approx.std[0] == pytest.approx(0.968 * 0.030151, rel=0.03)


@pytest.mark.nojit  # long as plain Python
def test_what_is_said_at_the_end_is_by_all_data():
    inference = svgd(conjugate(nb.Minibatch(Y, 10)))
    approx = fitted(inference, 8, ADAM)
    phi = nb.Stein(approx).grad * approx.symbolic_normalizing_constant
    assert approx.report.force == pytest.approx(np.abs(phi * approx.std).max(), rel=1e-9)
    np.testing.assert_array_equal(approx.data["y"], nb.Minibatch(Y, 10).batch(7))
    fitted_on = approx.histogram
    inference.refine(3, progressbar=False)
    whole = fitted(svgd(conjugate(nb.Minibatch(Y, 10))), 11, ADAM)
    np.testing.assert_array_equal(approx.histogram, whole.histogram)
    assert not np.array_equal(fitted_on, whole.histogram)


def test_by_batches_of_a_file_nothing_is_said_of_forces(tmp_path):
    Y.tofile(tmp_path / "y")
    rows = nb.Minibatch(np.memmap(tmp_path / "y", np.float64, "r"), 10)
    approx = fitted(svgd(conjugate(rows)), 8, ADAM)
    assert np.isnan(approx.report.force)
    assert approx.report.converged is None
    assert nb.Stein(approx).dlogp.shape == (6, 1)


@pytest.mark.nojit  # long as plain Python
def test_what_ends_a_fit(tmp_path):
    y = Y.copy()
    rows = nb.Minibatch(Y, 10)
    place = next(int(i) for i in rows.indices(3)[0] if all(i not in rows.indices(k)[0] for k in range(3)))
    y[place] = np.nan
    y.tofile(tmp_path / "y")
    for make in (svgd, lambda model: nb.ImplicitGradient(nb.MeanField(model=model), cores=1)):
        options = {} if make is svgd else {"obj_n_mc": 5}
        inference = make(conjugate(nb.Minibatch(np.memmap(tmp_path / "y", np.float64, "r"), 10)))
        with pytest.raises(
            ModelError, match=rf"data 'y' must not hold NaN, got \d, the first at index \({place},\) of"
        ):
            fitted(inference, 400, ADAM, **options)
        assert np.isfinite(inference.approx.mean).all()

    def cut(approx, losses, i):
        with open(tmp_path / "y", "r+b") as file:
            file.truncate(4096)

    Y.tofile(tmp_path / "y")
    inference = svgd(conjugate(nb.Minibatch(np.memmap(tmp_path / "y", np.float64, "r"), 10)))
    with pytest.raises(StreamingError, match=r"data 'y': the file of Minibatch, .*, lacks 3904 of the bytes"):
        fitted(inference, 8, ADAM, callbacks=[cut])
    assert len(inference.hist) == 1
    with pytest.warns(NbinferWarning, match="no total_size says"):
        fitted(svgd(conjugate(rows, None)), 1)
