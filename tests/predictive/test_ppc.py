"""Predictions in one row of samples, of one model and of several by weight."""

import dataclasses

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import ModelError
from tests.predictive.small import Y, draws, regression


def test_without_a_number_it_is_every_draw_once():
    samples = nb.sample_ppc(draws(), model=regression(), random_seed=3)
    group = nb.sample_posterior_predictive(draws(), regression(), random_seed=3)
    assert set(samples) == {"y", "count"}
    for name, array in samples.items():
        np.testing.assert_array_equal(array, group[name].reshape(array.shape))


@pytest.mark.either
def test_samples_are_chosen_with_replacement_from_all_chains():
    chosen = nb.sample_ppc(draws(), 3000, regression(), vars="mean", random_seed=1)["mean"][:, 0]
    of_all = nb.sample_posterior_predictive(draws(), regression(), "mean")["mean"][..., 0].ravel()
    counts = np.array([(chosen == value).sum() for value in of_all])
    assert counts.sum() == 3000
    expected = 3000 / of_all.size
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert abs(chi_squared - 79.0) < 4.0 * np.sqrt(2.0 * 79.0)


def test_size_is_an_axis_of_its_own_and_repeats_are_independent():
    one = nb.sample_ppc(draws(), 50, regression(), random_seed=1)
    three = nb.sample_ppc(draws(), 50, regression(), size=3, random_seed=1)
    six = nb.sample_ppc(draws(), 50, regression(), "y", (3, 2), random_seed=1)
    shapes = {"three": three["y"].shape, "count": three["count"].shape, "six": six["y"].shape}
    assert shapes == {"three": (50, 3, 6), "count": (50, 3), "six": (50, 3, 2, 6)}
    np.testing.assert_array_equal(three["y"][:, 0], one["y"])
    np.testing.assert_array_equal(six["y"][:, 0], three["y"][:, :2])
    assert len(np.unique(six["y"])) == six["y"].size


def test_bad_arguments_are_told():
    with pytest.raises(ValueError, match="samples must be an int from 1"):
        nb.sample_ppc(draws(), 0, regression())
    with pytest.raises(ValueError, match="size must be an int from 1"):
        nb.sample_ppc(draws(), 5, regression(), size=0)
    with pytest.raises(ValueError, match="size must be 8388608 predictions from a draw at most"):
        nb.sample_ppc(draws(), 5, regression(), size=(2**12, 2**12))
    with pytest.raises(TypeError, match="progressbar must be True or False"):
        nb.sample_ppc(draws(), 5, regression(), progressbar=None)


# ---- several models


def constant(value, name):
    """A model that predicts one value."""
    return nb.Model(
        {"mu": nb.real()}, logp=logp, predict={"y": (one, two, three)[value - 1]}, data={"y": Y[:1]}, name=name
    )


def logp(p, d):
    return -(p.mu**2)


def one(p, d, rng):
    return np.full(1, 1.0 + 0.0 * p.mu)


def two(p, d, rng):
    return np.full(1, 2.0)


def three(p, d, rng):
    return np.array([3.0])


@pytest.fixture(scope="module")
def pair():
    trace = nb.Trace({"mu": np.linspace(0.0, 1.0, 30).reshape(2, 15)})
    return [trace, trace[:10]], [constant(1, "a"), constant(2, "b")]


@pytest.mark.either
@pytest.mark.parametrize("weights", [None, [1.0, 1.0], [0.0, 1.0], [1.0, 0.0], [1e-3, 0.999], [300, 100]])
def test_each_model_has_its_weight(pair, weights):
    traces, models = pair
    n = 4000
    y = nb.sample_ppc_w(traces, n, models, weights, random_seed=2)["y"]
    assert y.shape == (n, 1)
    share = np.mean(y == 1.0)
    expected = (np.array([1.0, 1.0]) if weights is None else np.array(weights)) / np.sum(weights or [1.0, 1.0])
    assert np.mean(y == 2.0) == pytest.approx(1.0 - share)
    if expected[0] in (0.0, 1.0):
        assert share == expected[0]
    assert abs(share - expected[0]) <= 4.0 * np.sqrt(expected[0] * (1.0 - expected[0]) / n)


@pytest.mark.nojit  # long as plain Python
def test_draws_of_each_trace_are_chosen_at_random():
    traces = [draws(seed=0), draws(seed=1)]
    models = [regression("first"), regression("second")]
    found = nb.sample_ppc_w(traces, 2000, models, random_seed=2)["y"]
    again = nb.sample_ppc_w(dict(zip("ab", traces, strict=True)), 2000, dict(zip("ab", models, strict=True)),
                            {"b": 1.0, "a": 1.0}, random_seed=2)["y"]  # fmt: skip
    np.testing.assert_array_equal(found, again)
    mixed = np.concatenate([nb.sample_ppc(t, 3000, m, random_seed=5)["y"] for t, m in zip(traces, models, strict=True)])
    error = mixed.std(axis=0) / np.sqrt(len(found))
    assert (abs(found.mean(axis=0) - mixed.mean(axis=0)) < 4.0 * error).all()


def test_as_many_samples_as_the_shortest_trace_has_draws(pair):
    assert nb.sample_ppc_w(*[pair[0], None, pair[1]], random_seed=1)["y"].shape == (20, 1)


def test_the_model_of_the_block_is_that_of_every_trace(pair):
    with pair[1][0]:
        assert (nb.sample_ppc_w(pair[0], 50, random_seed=1)["y"] == 1.0).all()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], "a weight for each of the 2 traces, got 2 models and weights of shape"),
        ([1.0, -0.5], "from 0 on, at least one above 0"),
        ([0.0, 0.0], "from 0 on, at least one above 0"),
        ([1.0, np.nan], "must be finite"),
    ],
)
def test_bad_weights_are_told(pair, weights, message):
    with pytest.raises(ValueError, match=message):
        nb.sample_ppc_w(pair[0], 10, pair[1], weights)


def test_models_that_do_not_go_together_are_told(pair):
    traces, (a, b) = pair

    def differing(**changes):
        return nb.Model.of(dataclasses.replace(b.definition, **changes))

    with pytest.raises(TypeError, match=r"no model given: pass models=\.\.\."):
        nb.sample_ppc_w(traces, 10)
    with pytest.raises(TypeError, match="models must be a mapping, as traces is, got list"):
        nb.sample_ppc_w({"a": traces[0], "b": traces[1]}, 10, [a, b])
    with pytest.raises(ValueError, match="got 1 models"):
        nb.sample_ppc_w(traces, 10, [a])
    with pytest.raises(ValueError, match="must predict the same variables, got y of model 'a' and z of model 'b'"):
        nb.sample_ppc_w(traces, 10, [a, differing(predict={"z": two})])
    other = nb.Model({"mu": nb.real()}, logp=logp, predict={"y": two}, data={"y": Y[:2]}, name="b")
    with pytest.raises(ValueError, match="must have the same data 'y', got different ones in model 'a' and model 'b'"):
        nb.sample_ppc_w(traces, 10, [a, other])
    with pytest.raises(ModelError, match=r"traces\[1\] must hold draws of all parameters of model 'b'; it lacks 'mu'"):
        nb.sample_ppc_w([traces[0], draws()], 10, [a, b])
    with pytest.raises(ValueError, match="weights must have the names of traces, a, b, got a"):
        nb.sample_ppc_w({"a": traces[0], "b": traces[1]}, 10, {"a": a, "b": b}, {"a": 1.0})
