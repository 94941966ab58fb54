"""How many observations a likelihood term stands for: by what it is multiplied, and what does not fit."""

import itertools

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.distributions import normal
from nbinfer.model.total_size import checked, factor

FACTORS = {
    "rows": (100, (40,), 2.5),
    "rows of several axes": (1000, (10, 7), 100.0),
    "one observation": (30, (), 30.0),
    "both axes": ([1000, 50], (10, 5), 1000.0),
    "the documents' example": ((100, 100), (10, 10), 100.0),
    "first axis alone": ([100], (10, 7), 10.0),
    "None is skipped": ([100, None, 8], (10, 7, 4), 20.0),
    "trailing": ([..., 8], (10, 7, 4), 2.0),
    "both ends": ([100, ..., 8], (10, 7, 4), 20.0),
    "Ellipsis for nothing": ([100, ..., 14], (10, 7), 20.0),
    "nothing": ([], (10,), 1.0),
    "all": (10, (10,), 1.0),
}


@pytest.mark.parametrize("name", FACTORS)
def test_factors(name):
    total, shape, wanted = FACTORS[name]
    assert factor("y", checked({"y": total}, {"y": None})["y"], shape) == wanted


WRONG = {
    "two Ellipses": ([..., 3, ...], (10,), ValueError, "may have one Ellipsis"),
    "too many": ([100, 100], (10,), ValueError, "2 entries, and there are 1 axes"),
    "less than there is": (9, (10,), ValueError, "at least the number of observations that there are, 10, got 9"),
    "less along the second axis": ([100, 4], (10, 5), ValueError, "there are, 5, got 4"),
    "zero": ([0], (10,), ValueError, "must be a positive number, got 0"),
    "str": ("10", (10,), TypeError, "must be a number, or a list of numbers"),
    "str inside": (["10"], (10,), TypeError, r"total_size\['y'\] must be a number, or a list"),
    "bool": (True, (10,), TypeError, "must be a number"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_said(name):
    total, shape, error, message = WRONG[name]
    with pytest.raises(error, match=message):
        factor("y", checked({"y": total}, {"y": None})["y"], shape)


def prior(p, d):
    return -0.5 * p.mu**2


def likelihood(p, d):
    return normal.logpdf(d.y, p.mu, 1.0)


def model_of(y, **given):
    return nb.Model({"mu": nb.real()}, prior=prior, likelihood={"y": likelihood}, data={"y": y}, **given)


def test_it_is_looked_at_when_a_model_is_made():
    with pytest.raises(ValueError, match="there are, 4, got 3"):
        model_of(np.zeros(4), total_size=3)
    with pytest.raises(ValueError, match="there are, 40, got 30"):  # all rows, not those of a batch
        model_of(nb.Minibatch(np.zeros(40), 4), total_size=30)
    model = model_of(np.zeros(4), total_size=4)
    with pytest.raises(ValueError, match="there are, 5, got 4"):
        model.set_data(y=np.zeros(5))
    assert len(model.data["y"]) == 4


def test_a_batch_may_have_more_rows_than_there_are():
    """Rows that are drawn several times count for fewer observations each, not for more of them."""
    with pytest.warns(nb.errors.NbinferWarning, match="draws 40 indices, with replacement, of 10"):
        batches = nb.Minibatch(np.zeros(10), 40)
    model = model_of(batches, total_size=10)
    assert nb.MeanField(model=model).fitting().bound.weights[0, 1] == 0.25
    with pytest.raises(ValueError, match="there are, 10, got 9"):
        model_of(batches, total_size=9)


@pytest.mark.nojit  # long as plain Python
def test_batches_average_to_all_data():
    """The mean of the gradient over all batches of 3 of 8 rows is that of all rows; the prior counts once."""
    y = np.sin(np.arange(8.0))
    whole, batch = model_of(y), model_of(y[:3], total_size=8)
    q = np.array([0.7])
    value, grad = whole.bind().value_and_grad(q)
    found = []
    for rows in itertools.combinations(range(8), 3):
        batch.set_data(y=y[list(rows)])
        found.append(batch.bind().value_and_grad(q))
    assert len(found) == 56
    np.testing.assert_allclose(np.mean([one for one, _ in found]), value, rtol=1e-12)
    np.testing.assert_allclose(np.mean([one for _, one in found], axis=0), grad, rtol=1e-12)


def test_pieces_are_never_scaled():
    y = np.sin(np.arange(3.0))
    scaled, plain = (model_of(y, **given) for given in ({"total_size": 8}, {}))
    values = {"mu": np.float64(0.3)}
    for one, other in zip(scaled.definition.pieces(values), plain.definition.pieces(values), strict=True):
        np.testing.assert_array_equal(one[1], other[1])
    assert scaled.density_of(values) != plain.density_of(values)


def scaled_normal(p, d):
    return -0.5 * np.sum(((d.y - p.mu) @ d.R) ** 2, axis=1)


def test_an_event_is_no_batch_axis():
    """Ten rows of two numbers each, out of 1000: a factor of 100."""
    data = {"y": np.ones((10, 2)), "R": np.eye(2)}
    model = nb.Model(
        {"mu": nb.real(2)}, prior=lambda p, d: 0.0, likelihood={"y": scaled_normal}, data=data, total_size={"y": 1000}
    )
    np.testing.assert_array_equal(model.definition.weights(), [1.0, 100.0])
