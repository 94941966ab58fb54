"""LOO, WAIC and comparison from traces: whose log likelihoods they take, what is said, what cannot be compared."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.distributions import normal
from nbinfer.errors import ComparisonWarning, ModelError
from nbinfer.trace.groups import TraceGroup

N, CHAINS, DRAWS = 6, 4, 400
X = np.array([-1.0, 0.0, 0.5, 1.0, 1.5, 2.5])
Y = np.array([-1.2, 0.3, 0.2, 1.4, 1.3, 2.1])
Z = np.array([0.3, -0.1, 0.8, 0.1, -0.6, 0.4])


def mean(p, d):
    return normal.logpdf(d.y, p.mu, 1.0)


def line(p, d):
    return normal.logpdf(d.y, p.mu + p.slope * d.x, 1.0)


def other(p, d):
    return normal.logpdf(d.z, p.mu, 1.0)


@pytest.fixture(scope="module")
def flat():
    return nb.Model({"mu": nb.real()}, likelihood={"y": mean}, data={"y": Y})


@pytest.fixture(scope="module")
def sloped():
    return nb.Model({"mu": nb.real(), "slope": nb.real()}, likelihood={"y": line}, data={"y": Y, "x": X})


@pytest.fixture(scope="module")
def both():
    return nb.Model({"mu": nb.real()}, likelihood={"y": mean, "z": other}, data={"y": Y, "z": Z})


@pytest.fixture(scope="module")
def trace():
    rng, shape = np.random.default_rng(0), (CHAINS, DRAWS)
    return nb.Trace({"mu": rng.normal(0.2, 0.2, shape), "slope": rng.normal(1.0, 0.1, shape)}, chain_ids=[3, 1, 0, 2])


@pytest.mark.nojit  # long as plain Python
def test_the_same_from_trace_and_model_from_a_group_and_from_arrays(trace, flat):
    group = nb.compute_log_likelihood(trace, flat, progressbar=False)
    first = nb.loo(trace, flat, progressbar=False)
    assert first.name == "y"
    assert (first.n, first.n_draws) == (N, CHAINS * DRAWS)
    np.testing.assert_array_equal(first.observed, Y)
    for given in (group, {"y": group["y"]}):
        np.testing.assert_array_equal(nb.loo(given).pointwise, first.pointwise)
        np.testing.assert_array_equal(nb.waic(given).pointwise, nb.waic(trace, flat, progressbar=False).pointwise)
    with flat:
        assert nb.loo(trace, progressbar=False).elpd == first.elpd


@pytest.mark.nojit  # long as plain Python
def test_the_group_of_a_trace_is_taken_unless_a_model_is_given(trace, flat, sloped):
    with_group = trace.copy()
    with_group.groups = {"log_likelihood": nb.compute_log_likelihood(trace, flat, progressbar=False)}
    assert nb.loo(with_group).elpd == nb.loo(trace, flat, progressbar=False).elpd
    assert nb.loo(with_group, sloped, progressbar=False).elpd == nb.loo(trace, sloped, progressbar=False).elpd
    with pytest.raises(TypeError, match="no model given"):
        nb.loo(trace)


def test_loo_of_a_tree_is_arviz_s(trace, flat):
    arviz, base = pytest.importorskip("arviz_stats.loo"), pytest.importorskip("arviz_base")
    group = nb.compute_log_likelihood(trace, flat, progressbar=False)
    tree = base.from_dict({"posterior": {"mu": trace["mu"]}, "log_likelihood": dict(group)})
    theirs, ours = arviz.loo(tree, pointwise=True, reff=0.7), nb.loo(group, reff=0.7)
    assert ours.elpd == pytest.approx(float(theirs.elpd), abs=1e-8)
    assert ours.se == pytest.approx(float(theirs.se), abs=1e-8)
    assert ours.p == pytest.approx(float(theirs.p), abs=1e-8)
    assert ours.good_k == pytest.approx(theirs.good_k)
    np.testing.assert_allclose(ours.pareto_k, theirs.pareto_k.values, atol=1e-8)


@pytest.mark.parametrize("chains", [CHAINS, 1])
def test_the_default_of_arviz_is_had_as_the_docstring_says(trace, flat, chains):
    arviz = pytest.importorskip("arviz_stats.loo")
    some = nb.Trace({name: values[:chains] for name, values in trace.posterior.items()})
    some.add_group(nb.compute_log_likelihood(some, flat, progressbar=False))
    ess = [np.ravel(nb.diagnostics.ess_mean(values)) for values in some.posterior.values()]
    reff = np.concatenate(ess).mean() / (chains * DRAWS) if chains > 1 else 1.0
    theirs, ours = arviz.loo(some.to_arviz(), pointwise=True), nb.loo(some, reff=reff)
    assert ours.elpd == pytest.approx(float(theirs.elpd), abs=1e-8)
    assert ours.se == pytest.approx(float(theirs.se), abs=1e-8)
    np.testing.assert_allclose(ours.pointwise, theirs.elpd_i.values, atol=1e-8)
    np.testing.assert_allclose(ours.pareto_k, theirs.pareto_k.values, atol=1e-8)
    assert nb.loo(some).elpd == pytest.approx(float(theirs.elpd), abs=1e-2)


@pytest.mark.nojit  # long as plain Python
def test_a_group_of_chains_of_unequal_length_is_taken_as_its_trace_is(trace, flat):
    done = np.array([DRAWS, 0, DRAWS - 7, DRAWS - 3])
    values = {name: array.copy() for name, array in trace.posterior.items()}
    ragged = nb.Trace(values, draws_done=done, chain_ids=[3, 1, 0, 2], interrupted=True)
    group = nb.compute_log_likelihood(ragged, flat, progressbar=False)
    found = nb.loo(ragged, flat, progressbar=False)
    assert found.n_draws == 3 * (DRAWS - 7)
    np.testing.assert_array_equal(nb.loo(group).pointwise, found.pointwise)
    group["y"][3, 5, 2] = np.nan
    with pytest.raises(ValueError, match=r"y\[2\] at 1 draw, first at draw 5 of chain 2"):
        nb.loo(group)


def test_a_model_without_likelihood_terms_is_told(trace):
    whole = nb.Model({"mu": nb.real()}, logp=lambda p, d: -(p.mu**2))
    for estimate in (nb.loo, nb.waic):
        with pytest.raises(ModelError, match=r"no likelihood terms of the model: give it .*instead of one function"):
            estimate(trace, whole)


@pytest.mark.nojit  # long as plain Python
def test_several_observed_variables(trace, both, flat):
    with pytest.raises(ValueError, match=r"several observed variables, y, z: choose one, var_name='y', or add up"):
        nb.loo(trace, both)
    assert nb.loo(trace, both, "y", progressbar=False).elpd == nb.loo(trace, flat, progressbar=False).elpd
    group = nb.compute_log_likelihood(trace, both, progressbar=False)
    joint = nb.loo(trace, both, ["y", "z"], progressbar=False)
    assert joint.name == "y + z"
    assert joint.n == N
    assert joint.elpd == nb.loo({"both": group["y"] + group["z"]}).elpd
    np.testing.assert_array_equal(joint.observed, [Y, Z])
    with pytest.raises(ValueError, match="var_name must name variables of the trace, y, z; got 'x'"):
        nb.loo(trace, both, "x")
    with pytest.raises(ValueError, match=r"different shapes, y \(6,\), z \(5,\)"):
        nb.loo({"y": group["y"], "z": group["z"][..., 1:]}, None, ["y", "z"])


@pytest.mark.nojit  # long as plain Python
def test_a_model_without_terms_and_a_trace_without_model_are_told_what_helps(trace, flat):
    fused = nb.Model({"mu": nb.real()}, logp=lambda p, d: -(p.mu**2))
    with pytest.raises(ModelError, match=r"there are no likelihood terms.*: give it prior=\.\.\. and likelihood="):
        nb.loo(trace, fused)
    with pytest.raises(TypeError, match="no model given") as caught:
        nb.loo(trace)
    assert "add_group(nb.compute_log_likelihood(trace, model))" in caught.value.__notes__[0]
    with pytest.raises(TypeError, match=r"models\['b'\] is a trace without log likelihoods; pass it with its model"):
        nb.compare({"a": (trace, flat), "b": trace}, progressbar=False)
    with flat:
        assert len(nb.compare({"a": (trace, flat), "b": trace}, progressbar=False).rows) == 2


@pytest.mark.nojit  # long as plain Python
def test_only_draws_that_all_chains_have_count(trace, flat):
    done = [DRAWS, 300, 2, DRAWS]  # the third chain is too short to count
    ragged = nb.Trace({"mu": trace["mu"]}, draws_done=done, interrupted=True)
    found = nb.loo(ragged, flat, progressbar=False)
    expected = nb.loo(nb.Trace({"mu": trace["mu"][[0, 1, 3], :300]}), flat, progressbar=False)
    assert found.n_draws == 900
    np.testing.assert_array_equal(found.pointwise, expected.pointwise)


@pytest.mark.nojit  # long as plain Python
def test_observed_values_of_gaps_are_left_out(trace, flat):
    group = nb.compute_log_likelihood(trace, flat, progressbar=False)
    with_gap = nb.Trace({"mu": trace["mu"]}, observed_data={"y": np.where(X > 2, np.nan, Y)})
    with_gap.groups = {"log_likelihood": TraceGroup("log_likelihood", {"y": group["y"][..., X <= 2]})}
    found = nb.loo(with_gap)
    assert found.n == N - 1
    np.testing.assert_array_equal(found.observed, Y[X <= 2])
    with pytest.raises(ValueError, match="5 of 'gap' and 6 of 'whole'"):
        nb.compare({"gap": with_gap, "whole": nb.loo(trace, flat, progressbar=False)})


@pytest.mark.nojit  # long as plain Python
def test_comparing(trace, flat, sloped):
    table = nb.compare({"flat": (trace, flat), "sloped": (trace, sloped)}, progressbar=False)
    assert table.rows == ("sloped", "flat")
    given = {"flat": nb.loo(trace, flat, progressbar=False), "sloped": nb.loo(trace, sloped, progressbar=False)}
    assert nb.compare(given).to_dict() == table.to_dict()
    assert table["elpd_diff", "flat"] == pytest.approx(given["sloped"].elpd - given["flat"].elpd)


@pytest.mark.either
def test_other_responses_cannot_be_compared(trace, flat, both):
    moved = nb.Model({"mu": nb.real()}, likelihood={"y": mean}, data={"y": np.exp(Y)})
    with pytest.raises(ValueError, match=r"others at 6 of 6 observations, first at y\[0\]: -1.2 of 'a', 0.301194 of"):
        nb.compare({"a": (trace, flat), "b": (trace, moved)}, progressbar=False)
    with pytest.raises(ValueError, match=r"first at y\[0\]: -1.2 of 'a', 0.3 of 'b'"):
        nb.compare({"a": (trace, flat), "b": nb.loo(trace, both, "z", progressbar=False)}, progressbar=False)


def test_what_is_not_to_be_trusted_is_a_warning(trace):
    far = {"y": normal.logpdf(np.array([0.0, 30.0]), trace["mu"][..., None], 0.5)}
    with pytest.warns(ComparisonWarning, match="Pareto k is above 0.69 for 1 of 2 observations of y") as seen:
        found = nb.loo(far)
    assert seen[0].filename == __file__
    assert "very bad  (1, inf)" in repr(found)
    with pytest.warns(ComparisonWarning, match="p_waic is above 0.4 for 1 of 2 observations of y"):
        nb.waic(far)
    with pytest.warns(ComparisonWarning, match="^a: Pareto k") as seen:
        nb.compare({"a": far, "b": far})
    assert len(seen) == 1
    assert seen[0].filename == __file__


@pytest.mark.nojit  # long as plain Python
def test_errors_name_what_is_wrong(trace, flat, sloped):
    with pytest.raises(TypeError, match=r"trace must be a Trace, or a mapping .*, got int"):
        nb.loo(3)
    short = nb.Trace({"mu": trace["mu"]})
    with pytest.raises(ModelError, match="lacks 'slope'") as error:
        nb.compare({"flat": (short, flat), "sloped": (short, sloped)}, progressbar=False)
    assert error.value.__notes__ == ["in model 'sloped'"]
    values = nb.compute_log_likelihood(trace, flat, progressbar=False)["y"].copy()
    values[1, 5, 2] = np.nan
    with pytest.raises(ValueError, match=r"y\[2\] at 1 draw, first at draw 5 of chain 1 \(nan\)"):
        nb.loo(TraceGroup("log_likelihood", {"y": values}, chain_ids=trace.chain_ids))
