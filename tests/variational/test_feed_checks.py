"""What ends a fit on batches, or does not let it begin; and what is warned about."""

import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import NbinferWarning, StreamingError
from nbinfer.streaming.sources import extremes
from tests.variational.streamed import (
    InPython,
    Y,
    advi,
    alike,
    columns,
    conjugate,
    first,
    regression,
    regression_prior,
    second,
    two_prior,
)

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


# ---- what ends a fit, or does not begin one


def test_what_needs_all_data_says_so():
    model = conjugate(nb.Minibatch(Y, 10))
    calls = [
        lambda: nb.sample(model, 5, 5, progressbar=False),
        lambda: nb.init_nuts("advi", model=model, progressbar=False),
        lambda: nb.find_map(model, progressbar=False),
        *(lambda m=m: nb.fit(5, method=m, model=model, progressbar=False) for m in ("dadvi", "bam", "pathfinder")),
    ]
    for call in calls:
        with pytest.raises(nb.errors.ModelError, match=r"in batches, 'y': .* model.set_data\(y=y.shared\)"):
            call()


def flat(x, data):
    return -0.5 * np.sum((data - x[0]) ** 2) - 0.5 * x[0] ** 2


@pytest.mark.nojit  # long as plain Python
def test_a_flat_density_may_have_batches():
    batches = nb.Minibatch(Y, 10)
    inference = advi(nb.Model.flat(flat, 1, batches))
    with pytest.warns(NbinferWarning, match="Pass prior and likelihood, and total_size"):
        one = inference.fit(5, progressbar=False)
    plain = nb.Model.flat(flat, 1, batches.batch(0))

    def exchange(approx, losses, i):
        plain.set_data(data=batches.batch(i))

    alike(one, advi(plain).fit(5, callbacks=[exchange], progressbar=False))


@pytest.mark.nojit  # long as plain Python
def test_replacements_of_all_batches_do_for_those_who_need_all():
    model = conjugate(nb.Minibatch(Y, 10))
    given = {"model": model, "more_replacements": {"y": Y}, "progressbar": False}
    assert nb.fit(30, method="dadvi", random_seed=1, **given).std[0] == pytest.approx(0.030151, rel=1e-3)


@pytest.mark.either
def test_an_index_out_of_range_names_entry_and_row():
    data = columns()
    group = data["group"].copy()
    group[17] = 3
    batches = {name: nb.Minibatch(values, 6, name=name) for name, values in data.items()}
    with pytest.raises(IndexError, match="data 'group' holds 3 in row 17, which is out of range"):
        advi(regression(batches | {"group": nb.Minibatch(group, 6)})).fit(1, progressbar=False)
    group[17] = -4
    with pytest.raises(IndexError, match="data 'group' holds -4 in row 17, which is out of range"):
        advi(regression(batches | {"group": nb.Minibatch(group, 6)})).fit(1, progressbar=False)
    good, bad = np.zeros(6, int), np.array([0, 1, 2, 2, 7, 0])
    inference = advi(regression(batches | {"group": nb.generator(iter([good, good, bad]))}))
    with pytest.raises(IndexError, match="data 'group' holds 7 in row 4 of this batch"):
        inference.fit(5, progressbar=False)
    assert len(inference.approx.hist) == 2


def test_integers_are_looked_at_once(monkeypatch, tmp_path):
    """It takes all of them, and they may be many."""
    looked = []
    monkeypatch.setattr("nbinfer.streaming.minibatch.extremes", lambda source: looked.append(1) or extremes(source))
    batches = {name: nb.Minibatch(values, 6, name=name) for name, values in columns().items()}
    columns()["group"].tofile(tmp_path / "group")
    batches["group"] = nb.Minibatch(np.memmap(tmp_path / "group", np.int64, "r"), 6)
    inference = advi(regression(batches))
    inference.fit(3, progressbar=False)
    inference.refine(2, progressbar=False)
    inference.approx.elbo(5)
    assert looked == [1]
    other = columns()["group"]
    other[3] = 7

    def exchange(approx, losses, i):
        batches["group"].set_value(other)

    with pytest.raises(IndexError, match="data 'group' holds 7 in row 3, which is out of range"):
        advi(regression(batches)).fit(3, callbacks=[exchange], progressbar=False)


@pytest.mark.parametrize("inference", [nb.ADVI, lambda **given: nb.Inference(InPython, nb.MeanField(**given))])
def test_nan_in_a_file_ends_the_fit_and_is_told_by_its_place(tmp_path, inference):
    """Nobody has looked at all of it before, and a batch that holds it would be passed over as one without density."""
    h5py = pytest.importorskip("h5py")
    y = Y.copy()
    rows = nb.Minibatch(Y, 10)
    place = next(int(i) for i in rows.indices(4)[0] if all(i not in rows.indices(k)[0] for k in range(4)))
    y[place] = np.nan
    y.tofile(tmp_path / "y")
    message = rf"data 'y' must not hold NaN, got \d, the first at index \({place},\) of all\. Remove"
    with h5py.File(tmp_path / "y.h5", "w") as file:
        for source in (np.memmap(tmp_path / "y", np.float64, "r"), file.create_dataset("y", data=y)):
            fit = inference(model=conjugate(nb.Minibatch(source, 10)), random_seed=1)
            with pytest.raises(nb.errors.ModelError, match=message):
                fit.fit(50, obj_n_mc=3, progressbar=False)
            four = inference(model=conjugate(rows), random_seed=1)
            four.begin(obj_n_mc=3)
            four.run(4, False, judged=False)
            np.testing.assert_array_equal(fit.approx.mean, four.approx.mean)
            np.testing.assert_array_equal(fit.approx.std, four.approx.std)
    y[place], y[rows.indices(0)[0][3]] = 0.0, np.nan
    y.tofile(tmp_path / "y")
    with pytest.raises(nb.errors.ModelError, match=rf"the first at index \({rows.indices(0)[0][3]},\) of all"):
        conjugate(nb.Minibatch(np.memmap(tmp_path / "y", np.float64, "r"), 10))
    with pytest.raises(nb.errors.ModelError, match=r"the first at index \(2,\) of a batch"):
        advi(conjugate(nb.generator(iter([Y[:4], [1.0, 2.0, np.nan]])))).fit(5, progressbar=False)


def test_a_file_that_is_closed_ends_the_fit(tmp_path):
    h5py = pytest.importorskip("h5py")
    file = h5py.File(tmp_path / "y.h5", "w")
    rows = nb.Minibatch(file.create_dataset("y", data=Y), 10)
    model = conjugate(rows)
    inference = advi(model)
    message = "data 'y': the file of Minibatch was closed; keep it open"
    with pytest.raises(StreamingError, match=message):
        inference.fit(20, callbacks=[lambda approx, losses, i: file.close() if i == 3 else None], progressbar=False)
    assert len(inference.approx.hist) == 3
    for late in (lambda: advi(model).fit(5, progressbar=False), lambda: conjugate(rows)):
        with pytest.raises(StreamingError, match=message):
            late()


def test_a_source_that_shrinks_ends_the_fit(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "y.h5", "w") as file:
        dataset = file.create_dataset("y", data=Y, maxshape=(None,))
        inference = advi(conjugate(nb.Minibatch(dataset, 10)))
        with pytest.raises(StreamingError, match=r"data 'y': the data of Minibatch have shrunk from shape \(1000,\)"):
            inference.fit(20, callbacks=[lambda approx, losses, i: dataset.resize((900,))], progressbar=False)
    Y.tofile(tmp_path / "y")
    inference = advi(conjugate(nb.Minibatch(np.memmap(tmp_path / "y", np.float64, "r"), 10)))

    def cut(approx, losses, i):
        with open(tmp_path / "y", "r+b") as file:
            file.truncate(4096)

    with pytest.raises(StreamingError, match=r"data 'y': the file of Minibatch, .*, lacks 3904 of the bytes"):
        inference.fit(20, callbacks=[cut], progressbar=False)


# ---- what does not belong together


@pytest.mark.nojit  # long as plain Python
def test_rows_that_are_drawn_apart_are_warned_about():
    """Where a term takes both: by another seed, or along another axis, rows of X are not those of y."""
    data = columns(40)

    def fit(**batches):
        given = {name: nb.Minibatch(values, 6) for name, values in data.items()} | batches
        advi(regression(given)).fit(1, progressbar=False)

    with pytest.warns(NbinferWarning, match="data 'X' and 'y', which a likelihood term takes together, draw different"):
        fit(y=nb.Minibatch(data["y"], 6, random_seed=1))
    with warnings.catch_warnings():
        warnings.simplefilter("error", NbinferWarning)
        warnings.simplefilter("ignore", nb.errors.ConvergenceWarning)
        fit(y=nb.Minibatch(data["y"], 6, random_seed=42))
        fit(y=nb.generator(iter([data["y"][:6]] * 2)))
        one, other = nb.Minibatch(Y, 10), nb.Minibatch(Y, 5, random_seed=1)
        terms = {"y1": first, "y2": second}
        sizes = {"y1": 1000, "y2": 1000}
        both = {"mu": nb.real()}
        model = nb.Model(both, prior=two_prior, likelihood=terms, data={"y1": one, "y2": other}, total_size=sizes)
        advi(model).fit(1, progressbar=False)


def lengthwise(p, d):
    return -0.5 * (d.y - p.w @ d.X) ** 2


@pytest.mark.nojit  # long as plain Python
def test_rows_along_another_axis_are_others():
    data = columns(40)
    batches = {"X": nb.Minibatch(data["X"].T.copy(), [None, 6]), "y": nb.Minibatch(data["y"], 6)}
    model = nb.Model(
        {"w": nb.real(2)}, prior=regression_prior, likelihood={"y": lengthwise}, data=batches, total_size={"y": 40}
    )
    with pytest.warns(NbinferWarning, match="data 'X' and 'y', .* draw different indices of 40"):
        advi(model).fit(1, progressbar=False)


def test_shapes_that_do_not_fit_are_told():
    data = columns(40)
    batches = {name: nb.Minibatch(values, 6) for name, values in data.items()}
    with pytest.raises(ValueError, match="broadcast") as caught:
        advi(regression(batches | {"y": data["y"]})).fit(1, progressbar=False)
    note = "data come in batches, X, group, keep; here arrays are X (6, 2), group (6,), keep (6,), y (40,)"
    assert note in caught.value.__notes__
    shorter = {"y": nb.Minibatch(data["y"][:30], 6)}
    inference = advi(regression(batches | shorter))
    with pytest.raises(ValueError, match="broadcast") as caught:  # before it begins: batches fit, and rows do not
        inference.fit(1, progressbar=False)
    assert "X (40, 2), group (40,), keep (40,), y (30,)" in caught.value.__notes__[0]
    assert len(inference.approx.hist) == 0
    rows = [data["X"][:6], data["X"][:5]]
    with pytest.raises(ValueError, match="broadcast") as caught:
        advi(regression(batches | {"X": nb.generator(iter(rows))})).fit(2, progressbar=False)
    assert "here arrays are X (5, 2), group (6,), keep (6,), y (6,)" in caught.value.__notes__[-1]


def test_what_does_not_fit_since_a_callback_loses_no_fit():
    batches = {name: nb.Minibatch(values, 6) for name, values in columns(40).items()}

    def shorten(approx, losses, i):
        if i == 3:
            batches["X"].set_value(batches["X"].shared[:30])

    inference = advi(regression(batches))
    with pytest.warns(
        nb.errors.ConvergenceWarning, match="is not known, for by all data .* the model raises ValueError"
    ):
        approx = inference.fit(6, callbacks=[shorten], progressbar=False)
    assert len(approx.hist) == 6
    assert np.isnan(approx.report.khat)
    assert not approx.report.interrupted
    with pytest.raises(ValueError, match="broadcast"):
        approx.elbo(5)
