"""Groups: what they hold, how they divide a model, what they refuse."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import (
    BatchedGroupError,
    GroupError,
    LocalGroupError,
    NbinferError,
    ParametrizationError,
    VariationalInferenceError,
)
from nbinfer.variational.families.full_rank import FullRankFamily
from nbinfer.variational.families.mean_field import MeanFieldFamily
from tests.variational.targets import several

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


def group(*args, **options):
    return nb.Group(*args, model=several(), **options)


def test_a_list_with_a_family():
    found = group(["x", "a"], vfam="mf")
    assert (found.ndim, found.ddim, found.bdim, found.short_name) == (3, 3, 1, "mean_field")
    assert {name: shared.shape for name, shared in found.params_dict.items()} == {"mu": (3,), "rho": (3,)}
    assert found.params == list(found.params_dict.values())
    assert (found.has_logq, found.supports_batched, found.alias_names) == (True, True, ("mf",))


def test_a_list_with_parameters():
    found = group(["x"], params={"mu": [1.0, 2.0], "rho": nb.shared([0.0, 0.0])})
    np.testing.assert_array_equal(found.mean, [1.0, 2.0])
    np.testing.assert_allclose(found.std, np.log(2.0))
    np.testing.assert_allclose(found.cov, np.eye(2) * np.log(2.0) ** 2)
    found = group(["x"], params={"mu": [1.0, 2.0], "L_tril": [1.0, 0.5, -2.0]})
    np.testing.assert_allclose(found.cov, [[1.0, 0.5], [0.5, 4.25]])
    found = group(["x"], params={"histogram": np.zeros((7, 2))})
    assert (found.short_name, found.has_logq) == ("empirical", False)


def test_full_rank_row_by_row():
    found = group("m", vfam="fr", rowwise=True)
    assert (found.ndim, found.ddim, found.bdim) == (6, 2, 3)
    assert found.params_dict["L_tril"].shape == (3, 3)
    found.params_dict["L_tril"].set_value([[1, 0.5, 1], [2, 0, 1], [1, -1, 1]])
    expected = np.zeros((6, 6))
    for row, block in enumerate(([[1, 0.5], [0.5, 1.25]], [[4, 0], [0, 1]], [[1, -1], [-1, 2]])):
        expected[2 * row : 2 * row + 2, 2 * row : 2 * row + 2] = block
    np.testing.assert_allclose(found.cov, expected)


def test_one_group_may_take_what_is_left():
    rest = nb.Group(None, "fr")
    assert rest.is_delayed
    with several():
        approx = nb.Approximation([nb.Group("m", "mf"), rest])
    assert rest.names == ("x", "a", "s")
    assert approx.ndim == 10
    assert approx.collect("ndim") == [6, 4]
    assert approx.collect("short_name", "batched") == []
    assert approx.collect("short_name", "local") == []
    with pytest.raises(ValueError, match="unknown part 'all'"):
        approx.collect("ndim", "all")


@pytest.mark.nojit  # long as plain Python
def test_moments_are_in_the_order_of_the_model():
    """Whatever the order of the groups."""
    last, first = group(["m", "a"], "fr", start={"a": 5.0, "m": np.arange(6.0).reshape(3, 2)}), group(["s", "x"], "mf")
    approx = nb.Approximation([last, first], several())
    np.testing.assert_allclose(approx.mean, [0, 0, 5, 0, 0, 1, 2, 3, 4, 5])
    means = approx.mean_data
    np.testing.assert_array_equal(np.asarray(means["m"]), np.arange(6.0).reshape(3, 2))
    assert float(means["a"]) == 5.0
    assert np.asarray(means["x"]).shape == (2,)
    np.testing.assert_allclose(np.asarray(approx.std_data["m"]), 0.1)
    np.testing.assert_allclose(np.diag(approx.cov), approx.std**2)
    z = approx.draw(4000, random_seed=1).positions
    np.testing.assert_allclose(z.mean(axis=0), approx.mean, atol=0.01)
    with pytest.raises(ValueError, match=r"flat must have shape \(10,\), got \(3,\)"):
        approx.var_to_data(np.zeros(3))


def test_a_family_or_parameters():
    with pytest.raises(TypeError, match="pass vfam or params, not both"):
        group("x", "mf", {"mu": 0, "rho": 0})
    with pytest.raises(TypeError, match="pass vfam or params, got neither"):
        group("x")
    with pytest.raises(ParametrizationError, match="unknown vfam 'mean'"):
        group("x", "mean")
    with pytest.raises(ParametrizationError, match=r"params must be one of: mu, rho; or mu, L_tril; .*; got mu"):
        group("x", params={"mu": np.zeros(2)})
    for bad in (np.nan, np.inf):
        with pytest.raises(ParametrizationError, match=r"params\['mu'\] must be finite"):
            group("a", params={"mu": [bad], "rho": [0.0]})
    for bad in ({"rho": [-800.0]}, {"L_tril": [0.0]}):
        with pytest.raises(ParametrizationError, match="params of a mean standard deviations that are not positive"):
            group("a", params={"mu": [0.0]} | bad)
    with pytest.raises(ParametrizationError, match=r"params\['rho'\] must have shape \(2,\) for x, got \(3,\)"):
        group("x", params={"mu": np.zeros(2), "rho": np.zeros(3)})


def test_what_a_group_may_hold():
    with pytest.raises(GroupError, match="a group needs at least one parameter"):
        group([], "mf")
    with pytest.raises(GroupError, match="group names 'y', which the model lacks; it has x, a, s, m"):
        group(["x", "y"], "mf")
    with pytest.raises(GroupError, match="group names a parameter twice: x, x"):
        group(["x", "x"], "mf")
    for names in ("a", ["x", "m"]):
        with pytest.raises(BatchedGroupError, match="rowwise takes one parameter that has rows"):
            group(names, "fr", rowwise=True)
    with pytest.raises(BatchedGroupError, match="empirical cannot approximate row by row"):
        group("m", params={"histogram": np.zeros((3, 6))}, rowwise=True)
    with pytest.raises(LocalGroupError, match="a local group has encoders in the place of vfam='mf'"):
        group("x", "mf", local=True)


def test_each_parameter_is_in_one_group():
    x, a = group("x", "mf"), group(["a", "x"], "mf")
    with pytest.raises(GroupError, match="x is in two groups"):
        nb.Approximation([x, a], several())
    with pytest.raises(GroupError, match="no group has a, s, m; add"):
        nb.Approximation(x, several())
    with pytest.raises(GroupError, match="one group may take what is left over, got 2"):
        nb.Approximation([nb.Group(None, "mf"), nb.Group(None, "fr")], several())
    everything = group(["x", "a", "s", "m"], "mf")
    with pytest.raises(GroupError, match="nothing is"):
        nb.Approximation([everything, nb.Group(None, "mf")], several())
    with pytest.raises(TypeError, match=r"groups\[0\] must be a Group"):
        nb.Approximation(["x"], several())


def test_errors_have_one_base():
    assert issubclass(VariationalInferenceError, NbinferError)
    for kind in (GroupError, ParametrizationError, BatchedGroupError):
        assert issubclass(kind, VariationalInferenceError)


def test_families_are_found_by_a_group():
    assert nb.Group.group_for_short_name("mf") is MeanFieldFamily
    assert nb.Group.group_for_params({"mu": 0, "L_tril": 0}) is FullRankFamily
    assert nb.Group.get_param_spec_for("fr", 3) == {"mu": (3,), "L_tril": (6,)}
    assert nb.Group.get_param_spec_for("fr", 6, rows=3) == {"mu": (3, 2), "L_tril": (3, 3)}
    assert nb.Group.get_param_spec_for("low_rank", 4, rank=2)["U"] == (4, 2)


@pytest.mark.nojit  # long as plain Python
def test_given_parameters_stay_unless_they_are_to_move():
    mu, rho = nb.shared(np.zeros(2)), np.zeros(2)
    with several() as model:
        approx = nb.Approximation([nb.Group("x", params={"mu": mu, "rho": rho}), nb.Group(None, "mf")], model, 1)
    nb.KLqp(approx).fit(20, progressbar=False)
    np.testing.assert_array_equal(mu.get_value(), 0.0)
    moved = approx.groups[1].mean.copy()
    nb.KLqp(approx).fit(20, progressbar=False, more_obj_params=[mu, rho])
    assert (mu.get_value() != 0.0).all()
    assert (approx.groups[1].mean != moved).any()
    assert len(approx.hist) == 40
    with pytest.raises(ParametrizationError, match=r"more_obj_params\[0\] is no parameter of a group"):
        nb.KLqp(approx).fit(1, more_obj_params=[nb.shared(1.0)])


def test_all_given_is_nothing_to_fit():
    model = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2)
    approx = nb.Approximation(nb.Group("x", params={"mu": [0.0], "rho": [0.0]}, model=model), model)
    with pytest.raises(ParametrizationError, match="no group has parameters to fit"):
        nb.KLqp(approx).fit(1)


@pytest.mark.nojit  # long as plain Python
def test_several_groups_fit_as_one_does():
    """Two groups of independent numbers are one, but for the noise."""
    with several() as model:
        approx = nb.Approximation([nb.Group(["s", "x"], "mf"), nb.Group(None, "mf")], model, 1)
    nb.KLqp(approx).fit(10, progressbar=False)
    assert approx.report.family == "mean_field"
    assert np.isfinite(approx.hist).all()
    assert (approx.mean != 0.0).all()


def test_parameters_may_be_given_to_two_approximations():
    """Each of them sees what they are at the moment."""
    mu = nb.shared(np.zeros(2))
    model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * np.sum(p.x**2))
    first, second = (
        nb.Approximation(nb.Group("x", params={"mu": mu, "rho": [-30.0, -30.0]}, model=model), model) for _ in range(2)
    )
    for value, approx in ((1.0, first), (2.0, second), (3.0, first)):
        mu.set_value([value, value])
        np.testing.assert_allclose(approx.draw(2).positions, value)


def rows_logp(p, d):
    total = -0.5 * p.a**2 / 0.25
    for i in range(3):
        x = p.m[i] - d.mean[i]
        total -= 0.5 * x @ (d.precision[i] @ x)
    return total


@pytest.mark.nojit
def test_rows_are_fitted_each_for_itself():
    """What is exact: blocks of their own where the posterior has them, one width for the rest."""
    covariance = np.array([[[1.0, 0.6], [0.6, 1.0]], [[2.0, -1.0], [-1.0, 1.0]], [[0.5, 0.0], [0.0, 0.3]]])
    mean = np.array([[1.0, 0.0], [-1.0, 0.5], [0.0, 2.0]])
    data = {"mean": mean, "precision": np.linalg.inv(covariance)}
    model = nb.Model({"m": nb.real((3, 2)), "a": nb.real()}, logp=rows_logp, data=data)
    approx = nb.Approximation([nb.Group("m", "fr", model=model, rowwise=True), nb.Group(None, "mf")], model, 1)
    optimizer = nb.adam(learning_rate=lambda i: 5e-3 / (1 + i / 5000))
    nb.KLqp(approx).fit(30_000, obj_optimizer=optimizer, progressbar=False)
    expected = np.zeros((7, 7))
    for i in range(3):
        expected[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = covariance[i]
    expected[6, 6] = 0.25
    np.testing.assert_allclose(approx.cov, expected, atol=2e-3)
    np.testing.assert_allclose(approx.mean, [*mean.ravel(), 0.0], atol=2e-3)
    assert approx.khat < 0.3


def test_directions_are_as_many_as_fit():
    assert nb.LowRank(model=several()).params_dict["U"].shape == (10, 5)
    assert nb.LowRank(model=nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * np.sum(p.x**2))).ndim == 2
    assert nb.LowRank(model=several(), rank=7).params_dict["U"].shape == (10, 7)
    with pytest.raises(ParametrizationError, match="rank must be at most 10"):
        nb.LowRank(model=several(), rank=11)
