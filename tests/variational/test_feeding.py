"""Fits whose data come in batches: what an iteration sees, and what the fit finds."""

import itertools
import warnings
import weakref
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import nbinfer as nb
from nbinfer.errors import NbinferWarning, StreamingError
from tests.variational.streamed import (
    InPython,
    Y,
    advi,
    alike,
    columns,
    conjugate,
    first,
    regression,
    second,
    two_prior,
)

pytestmark = [pytest.mark.nojit, pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")]

STEPS = {"obj_optimizer": nb.adam(learning_rate=lambda i: 0.02 / (1.0 + i / 300.0)), "progressbar": False}


# ---- what a fit finds


@pytest.mark.nojit
def test_a_conjugate_mean():
    """Scaled by the number of batches the sd would be .0707, with the prior scaled, too, .0095, twice .0032."""
    approx = advi(conjugate(nb.Minibatch(Y, 10))).fit(30_000, **STEPS)
    assert approx.mean[0] == pytest.approx(0.455285, abs=0.01)
    assert approx.std[0] == pytest.approx(0.030151, rel=0.05)
    assert approx.hist[-10_000:].mean() == pytest.approx(1181.634, abs=10.0)  # all data, though batches have ten rows
    assert approx.elbo(4000) == pytest.approx(-1181.634, abs=0.2)


@pytest.mark.nojit
def test_without_total_size_it_is_the_posterior_of_a_batch():
    model = conjugate(nb.Minibatch(Y, 10), None)
    inference = advi(model)
    with pytest.warns(NbinferWarning, match="data 'y' come in batches, and no total_size"):
        approx = inference.fit(20_000, **STEPS)
    assert approx.std[0] == pytest.approx(0.095346, rel=0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("error", NbinferWarning)
        warnings.simplefilter("ignore", nb.errors.ConvergenceWarning)
        inference.refine(10, progressbar=False)


@pytest.mark.nojit
def test_two_total_sizes():
    """Twenty for both would give .0474, ten for both .0669, one common factor .0515, the first alone .0498."""
    data = {
        "y1": nb.Minibatch(1.0 + np.cos(np.arange(1.0, 401.0)), 20),
        "y2": nb.Minibatch(0.2 + 2.0 * np.sin(np.arange(1.0, 91.0)), 9),
    }
    terms = {"y1": first, "y2": second}
    model = nb.Model({"mu": nb.real()}, prior=two_prior, likelihood=terms, data=data, total_size={"y1": 400, "y2": 90})
    approx = advi(model).fit(150_000, **STEPS)
    assert approx.mean[0] == pytest.approx(0.953588, abs=0.01)
    assert approx.std[0] == pytest.approx(0.048593, rel=0.012)
    assert approx.symbolic_normalizing_constant == 20.0


# ---- what an iteration sees


def test_each_iteration_has_its_batch():
    """It is the fit of a model whose data a callback exchanges: loss, gradient and callbacks see the same rows."""
    batches, seen = nb.Minibatch(Y, 10), []

    def note(approx, losses, i):
        seen.append(approx.data["y"])

    def exchange(approx, losses, i):
        plain.set_data(y=batches.batch(i))

    one = advi(conjugate(batches)).fit(30, callbacks=[note], progressbar=False)
    plain = conjugate(batches.batch(0))
    other = advi(plain).fit(30, callbacks=[exchange], progressbar=False)
    alike(one, other)
    np.testing.assert_array_equal(seen, [batches.batch(k) for k in range(30)])
    assert len(set(one.hist)) == 30


def test_refine_goes_on_with_the_next_batch():
    whole = advi(conjugate(nb.Minibatch(Y, 10))).fit(40, progressbar=False)
    batches = nb.Minibatch(Y, 10)
    inference = advi(conjugate(batches))
    inference.fit(15, progressbar=False)
    batches.eval()  # is no iteration
    inference.approx.sample(3)
    inference.refine(25, progressbar=False)
    alike(whole, inference.approx)


def test_wherever_rows_lie_the_fit_is_the_same(tmp_path):
    h5py = pytest.importorskip("h5py")
    y = Y.astype(np.float32)
    y.tofile(tmp_path / "y")
    mapped = np.memmap(tmp_path / "y", np.float32, "r")
    expected = advi(conjugate(nb.Minibatch(y, 10))).fit(20, progressbar=False)
    with h5py.File(tmp_path / "y.h5", "w") as file:
        dataset = file.create_dataset("y", data=y)
        for source in (mapped, dataset, y.astype(">f4"), list(y)):
            alike(advi(conjugate(nb.Minibatch(source, 10))).fit(20, progressbar=False), expected)


def test_entries_of_every_kind_stay_together():
    data = columns()
    batches = {name: nb.Minibatch(values, 6, name=name) for name, values in data.items()}
    batches["group"] = nb.Minibatch(data["group"].astype(np.int16), 6)  # Python reads it

    def exchange(approx, losses, i):
        rows = batches["y"].indices(i)[0]
        plain.set_data(**{name: values[rows] for name, values in data.items()})

    one = advi(regression(batches)).fit(12, progressbar=False)
    rows = batches["y"].indices(0)[0]
    plain = regression({name: values[rows] for name, values in data.items()})
    alike(one, advi(plain).fit(12, callbacks=[exchange], progressbar=False))


def test_set_value_holds_from_the_next_iteration_on():
    batches = nb.Minibatch(Y, 10)

    def at_ten(approx, losses, i):
        if i == 10:
            batches.set_value(Y[:500] + 50.0)

    approx = advi(conjugate(batches)).fit(20, callbacks=[at_ten], progressbar=False)
    assert approx.hist[10:].min() > 1e5 > approx.hist[:10].max()
    np.testing.assert_array_equal(approx.data["y"], batches.batch(19))


def test_what_the_optimiser_gets_is_divided_and_losses_are_not():
    fits = []
    for scaled, rate in ((True, 1e-3), (False, 1e-5)):
        inference = advi(conjugate(nb.Minibatch(Y, 10)))
        assert inference.approx.scale_cost_to_minibatch
        inference.approx.scale_cost_to_minibatch = scaled
        assert inference.approx.symbolic_normalizing_constant == (100.0 if scaled else 1.0)
        fits.append(inference.fit(20, obj_optimizer=nb.sgd(learning_rate=rate), progressbar=False))
    np.testing.assert_allclose(fits[0].hist, fits[1].hist, rtol=1e-12)
    np.testing.assert_allclose(fits[0].mean, fits[1].mean, rtol=1e-10)
    for name in ("logp", "varlogp", "datalogp", "logq"):
        plain, divided = (getattr(fits[0], n)(9, random_seed=1) for n in (name, f"{name}_norm"))
        assert divided == pytest.approx(plain / 100.0, rel=1e-14)
        assert getattr(fits[1], f"{name}_norm")(9, random_seed=1) == getattr(fits[1], name)(9, random_seed=1)


def test_an_operator_in_python_sees_batches():
    batches = nb.Minibatch(Y, 10)
    inference = nb.Inference(InPython, nb.MeanField(model=conjugate(batches), random_seed=1))
    inference.fit(5, progressbar=False)
    np.testing.assert_array_equal(inference.objective.op.seen, [batches.batch(k) for k in range(5)])


def anonymous():
    """Return the bytes of this process that no file has."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("RssAnon:")[2].split()[0])


def big_prior(p, d):
    return -0.5 * np.sum(p.w**2)


def big_term(p, d):
    return -0.5 * (d.y - d.X @ p.w) ** 2


@pytest.mark.nojit
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is looked up in /proc")
def test_a_map_of_a_million_rows_stays_where_it_is(tmp_path):
    for name, width in (("X", 20), ("y", 1)):
        with open(tmp_path / name, "wb") as file:
            file.truncate(8_000_000 * width)
    X = np.memmap(tmp_path / "X", np.float64, "r", shape=(1_000_000, 20))
    y = np.memmap(tmp_path / "y", np.float64, "r")
    data = {"X": nb.Minibatch(X, 256), "y": nb.Minibatch(y, 256)}
    model = nb.Model(
        {"w": nb.real(20)}, prior=big_prior, likelihood={"y": big_term}, data=data, total_size={"y": len(y)}
    )
    inference = advi(model)
    inference.fit(100, progressbar=False)
    before = anonymous()
    inference.refine(3000, progressbar=False)
    assert anonymous() - before < 16e6  # of 168 MB
    rows = np.concatenate([data["X"].indices(k)[0] for k in range(1000)])
    assert stats.chisquare(np.bincount(rows // 10_000, minlength=100)).pvalue > 1e-4


# ---- generators


def batches_of(sizes, pulled=None):
    for k in itertools.count():
        if pulled is not None:
            pulled.append(k)
        yield Y[k : k + sizes[k % len(sizes)]]


def test_a_generator_is_asked_once_for_each_iteration():
    pulled = []
    data = nb.generator(batches_of([10], pulled))
    inference = advi(conjugate(data))
    assert pulled == [0]  # its shape must be known
    inference.fit(20, progressbar=False)
    inference.approx.elbo(50)
    assert pulled == list(range(20))
    np.testing.assert_array_equal(inference.approx.data["y"], Y[19:29])
    inference.refine(5, progressbar=False)
    assert pulled == list(range(25))


@pytest.mark.parametrize(("sizes", "beta"), [([10], 1.0), ([10, 3, 7], 1.0), ([10, 3, 7], 2.0)])
def test_batches_of_a_generator_count_by_their_own_length(sizes, beta):
    def exchange(approx, losses, i):
        plain.set_data(y=Y[i : i + sizes[i % len(sizes)]])

    plain = conjugate(Y[: sizes[0]])
    one, other = (
        nb.ADVI(model=model, random_seed=1, beta=beta).fit(20, callbacks=callbacks, progressbar=False)
        for model, callbacks in ((conjugate(nb.generator(batches_of(sizes))), []), (plain, [exchange]))
    )
    alike(one, other)
    assert one.varlogp(9, random_seed=1) == other.varlogp(9, random_seed=1)


def test_ragged_batches_average_to_all_data():
    parts = [Y[:300], Y[300:600], Y[600:900], Y[900:]]
    approx = nb.MeanField(model=conjugate(nb.generator(iter(parts))), random_seed=1)
    fitting, q, found = approx.fitting(), np.array([0.3]), []
    for number, part in enumerate(parts):
        fitting.fit.done = number
        fitting.ask()
        fitting.ask()  # an iteration that was not finished gets its batch again
        found.append(len(part) * (fitting.bound.value(q) - stats_prior(0.3)))
    whole = conjugate(Y).bind().value(q) - stats_prior(0.3)
    assert sum(found) / 1000.0 == pytest.approx(whole, rel=1e-9)


def stats_prior(mu):
    return -0.5 * (mu / 0.1) ** 2 - np.log(0.1) - 0.5 * np.log(2.0 * np.pi)


@pytest.mark.parametrize("form", [tuple, dict])
def test_one_generator_may_give_several_entries(form):
    """It is asked once for each iteration, and all entries are of one item; so is an entry by two names."""
    data, pulled = columns(), []

    def rows():
        for k in itertools.count():
            pulled.append(k)
            part = {name: values[k : k + 6] for name, values in data.items()}
            yield part if form is dict else tuple(part.values())

    source = nb.generator(rows())
    entries = {name: source[name if form is dict else k] for k, name in enumerate(data)}
    one = advi(regression(entries)).fit(12, progressbar=False)
    assert pulled == list(range(12))

    def exchange(approx, losses, i):
        plain.set_data(**{name: values[i : i + 6] for name, values in data.items()})

    plain = regression({name: values[:6] for name, values in data.items()})
    alike(one, advi(plain).fit(12, callbacks=[exchange], progressbar=False))
    twice = nb.generator(iter([1.0, 2.0, 3.0]))
    seen = []
    model = conjugate(Y[:10], 1000, sigma=twice, tau=twice)
    note = [lambda approx, losses, i: seen.append((approx.data["sigma"], approx.data["tau"]))]
    advi(model).fit(3, callbacks=note, progressbar=False)
    assert seen == [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]


def test_what_a_generator_raises_names_its_entry():
    def breaks():
        yield Y[:10]
        raise ZeroDivisionError("mine")

    inference = advi(conjugate(nb.generator(breaks())))
    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        inference.fit(5, progressbar=False)
    assert caught.value.__notes__ == ["raised by what gives the batches of data 'y'"]
    assert len(inference.approx.hist) == 1


def test_numbers_may_come_from_a_generator():
    model = conjugate(Y[:10], 1000, sigma=nb.generator(iter([1.0, 2.0, 4.0])))
    seen = []
    advi(model).fit(3, callbacks=[lambda approx, losses, i: seen.append(approx.data["sigma"])], progressbar=False)
    assert seen == [1.0, 2.0, 4.0]


def test_the_end_of_a_generator_ends_the_fit_and_keeps_the_last_step():
    data = nb.generator(iter([Y[:10]] * 7))
    inference = advi(conjugate(data))
    with pytest.raises(StreamingError, match="data 'y': the generator is exhausted"):
        inference.fit(20, progressbar=False)
    expected = advi(conjugate(nb.generator(iter([Y[:10]] * 7)))).fit(7, progressbar=False)
    alike(inference.approx, expected)
    data.set_default(Y[10:20])
    inference.refine(13, progressbar=False)
    assert len(inference.approx.hist) == 20
    assert np.isfinite(inference.approx.hist).all()


def test_rows_may_come_in_their_order():
    """Ten batches of a hundred go through all rows once."""
    data, seen = nb.generator(Y[k : k + 100] for k in range(0, 1000, 100)), []
    note = [lambda approx, losses, i: seen.append(approx.data["y"])]
    advi(conjugate(data)).fit(10, callbacks=note, progressbar=False)
    np.testing.assert_array_equal(np.concatenate(seen), Y)


def test_an_endless_generator_leaves_no_batches_behind():
    alive, most = [], [0]

    def endless():
        for k in itertools.count():
            batch = np.full(10, float(k % 3))
            alive.append(weakref.ref(batch))
            most[0] = max(most[0], sum(ref() is not None for ref in alive[-50:]))
            yield batch

    advi(conjugate(nb.generator(endless()))).fit(200, progressbar=False)
    assert len(alive) == 200
    assert most[0] < 10
