"""Likelihoods that cannot be turned round, each with its reason; and data of other lengths."""

import numpy as np
import pytest

from nbinfer.distributions import flat, mvnormal, normal
from nbinfer.errors import ModelError
from nbinfer.model.generative.predictions import how_to_predict, placeholder_shape
from tests.model.generative.turned import compiled, found, model, plain

# ---- refused, with a reason


def early(p, d):
    if p.sigma > 10.0:
        return -np.inf
    return np.sum(normal.logpdf(d.y, p.mu, p.sigma))


def looped(p, d):
    total = 0.0
    for i in range(d.y.size):
        total += normal.logpdf(d.y[i], p.mu, p.sigma)
    return total


def centred(p, d):
    shift = np.mean(d.y)
    return normal.logpdf(d.y, p.mu + shift, p.sigma)


def own_helper(p, d):
    return d.y - p.mu


def in_helper(p, d):
    return normal.logpdf(d.y, own_helper(p, d), p.sigma)


def total_size(data):
    return sum(np.size(x) for x in data)


def handed_over(p, d):
    return normal.logpdf(d.y, total_size(d), p.sigma)


def twice(p, d):
    return normal.logpdf(d.y, p.mu, p.sigma) + normal.logpdf(d.y, 0.0, 1.0)


def again(p, d):
    lp = normal.logpdf(d.y, p.mu, p.sigma)
    return lp + lp


REFUSED = {
    "weights": (lambda p, d: d.weights * normal.logpdf(d.y, p.mu, p.sigma), "depends on d.y and is no plain call"),
    "by hand": (lambda p, d: -0.5 * ((d.y - p.mu) / p.sigma) ** 2, "depends on d.y and is no plain call"),
    "returns": (early, "does not return once, at its end"),
    "loop": (looped, "depends on d.y and is no plain call"),
    "own mean": (centred, "a parameter of normal depends on the values of d.y itself"),
    "in a helper": (in_helper, "a parameter of normal depends on the values of d.y itself"),
    "all data": (handed_over, "depends, for all that can be told, on the values of d.y"),
    "changed": (lambda p, d: normal.logpdf(np.log(d.weights + d.y**2), p.mu, p.sigma), "depends on d.y"),
    "other way round": (lambda p, d: normal.logpdf(p.mu, d.y, p.sigma), "depends on d.y"),
    "two densities": (twice, "two densities"),
    "one density twice": (again, "two densities"),
    "flat": (lambda p, d: flat.logpdf(d.y), "flat knows nothing that draws"),
    "stars": (lambda p, d: normal.logpdf(d.y, *p.b), "arguments with a star"),
    "tail": (lambda p, d: normal.logsf(d.y, p.mu, p.sigma), "depends on d.y"),
    "counted for each": (lambda p, d: normal.logpdf(d.one, p.mu, p.sigma) + 0.0 * d.weights, "counts for each"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_plain_sum_is_refused_with_its_line(case):
    likelihood, reason = REFUSED[case]
    name = "one" if case == "counted for each" else "y"
    why = found({name: likelihood}, name)
    assert isinstance(why, str)
    assert reason in why
    assert f'File "{__file__}", line ' in why


def test_nothing_is_known_of_a_likelihood_without_data_or_source():
    assert "first argument" in found(lambda p, d: normal.logpdf(p.mu, 0.0, 1.0), "likelihood")
    names = {"normal": normal}
    exec("def f(p, d):\n    return normal.logpdf(d.y, p.mu, p.sigma)", names)
    assert "the source of 'f' is kept nowhere" in found({"y": names["f"]})


def test_two_terms_for_one_entry_are_two_densities():
    terms = {"y": plain, "more": plain}
    assert "two terms" in found(terms)


def test_the_message_has_the_function_to_write():
    m = model({"y": early})
    text = how_to_predict(m.definition, "y", found({"y": early}))
    assert "def replicate_y(p, d, rng):" in text
    assert 'predict={"y": replicate_y}' in text
    assert "since likelihood 'y' cannot be turned round: it does not return once" in text


# ---- new data


def shape_for(likelihood, name="y", **new):
    before = model(likelihood)
    now = model(likelihood)
    now.set_data(**new)
    return placeholder_shape(before.definition, now.definition, name)


@pytest.mark.parametrize("rows", [1, 4, 6, 9])
def test_a_response_follows_its_predictors(rows):
    assert shape_for({"y": lambda p, d: normal.logpdf(d.y, d.X @ p.b, p.sigma)}, X=np.ones((rows, 2))) == (rows,)
    assert shape_for({"y": compiled}, group=np.zeros(rows, int)) == (rows,)


def test_an_axis_that_no_parameter_has_keeps_its_length():
    assert shape_for({"y": plain}, X=np.ones((9, 2))) == (6,)
    rows = {"rows": lambda p, d: normal.logpdf(d.rows, p.b, p.sigma)}
    assert shape_for(rows, "rows", X=np.ones((9, 2))) == (6, 2)
    assert shape_for({"one": lambda p, d: normal.logpdf(d.one, p.mu, p.sigma)}, "one", X=np.ones((9, 2))) == ()
    vectors = {"rows": lambda p, d: mvnormal.logpdf_chol(d.rows, d.X, d.L)}
    assert shape_for(vectors, "rows", X=np.ones((9, 2))) == (9, 2)


def test_a_response_is_to_be_given_where_its_length_is_part_of_the_model():
    with pytest.raises(ModelError, match="give 'y' with the new data"):
        shape_for({"y": early}, X=np.ones((9, 2)))
    with pytest.raises(ModelError, match="give 'y' with the new data"):
        shape_for({"y": by_length}, X=np.ones((9, 2)))


def by_length(p, d):
    eta = np.zeros(d.y.size) + d.X @ p.b
    return normal.logpdf(d.y, eta, p.sigma)


def test_a_likelihood_without_a_family_call_is_not_run():
    calls = []

    def likelihood(p, d):
        calls.append(p)
        return -0.5 * ((d.y - p.mu) / p.sigma) ** 2

    assert isinstance(found({"y": likelihood}), str)
    assert not calls
