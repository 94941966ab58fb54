"""Maxima and curvatures against what paper says, and a search that comes to no good end says so."""

import functools
import math

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import ConvergenceWarning, ModelError, NbinferWarning, SamplingError
from nbinfer.optimize.find import METHODS
from tests.laws.targets import AR1_SCALES, ar1_covariance
from tests.mcmc.models import eight_schools

QUIET = {"progressbar": False}


def beta(p, d):
    return d.a * math.log(p.theta) + d.b * math.log(1.0 - p.theta)


def share(p, d):
    return 100.0 * p.theta


@functools.cache
def binomial():
    """61 of 100 with a Beta(2, 2) prior."""
    return nb.Model({"theta": nb.unit()}, logp=beta, data={"a": 62.0, "b": 40.0}, derived={"share": share})


def dirichlet(p, d):
    return np.sum(d.a * np.log(p.w)) + math.log(p.s) - p.s / 2.0


@functools.cache
def composition():
    return nb.Model({"w": nb.simplex(3), "s": nb.positive()}, logp=dirichlet, data={"a": np.array([1.0, 2.0, 5.0])})


def gaussian(p, d):
    return -0.5 * (p.x - d.mean) @ (d.precision @ (p.x - d.mean))


@functools.cache
def badly_scaled():
    scales = np.outer(AR1_SCALES, AR1_SCALES)
    data = {"precision": np.linalg.inv(ar1_covariance() / scales) / scales, "mean": 3.0 * AR1_SCALES}
    return nb.Model({"x": nb.real(5)}, logp=gaussian, data=data)


@pytest.mark.parametrize("method", METHODS)
def test_the_maximum_is_that_of_the_named_parameters(method):
    point = nb.find_map(binomial(), method=method, **QUIET)
    assert point["theta"] == pytest.approx(62 / 102, abs=2e-6)
    assert point["share"] == pytest.approx(100 * point["theta"])


def test_or_of_the_unconstrained_ones():
    assert nb.find_map(binomial(), include_jacobian=True, **QUIET)["theta"] == pytest.approx(63 / 104, abs=1e-7)


@pytest.mark.either
def test_every_kind_of_transform_is_taken_out():
    point = nb.find_map(composition(), **QUIET)
    np.testing.assert_allclose(point["w"], np.array([1, 2, 5]) / 8, atol=1e-6)
    assert point["s"] == pytest.approx(2.0, abs=1e-6)


def nested(p, d):
    return 4 * math.log(p.a) - p.a + 2 * math.log(p.b) + math.log(p.a - p.b) - 2 * p.b


def test_bounds_that_depend_on_other_parameters_are_taken_out_too():
    model = nb.Model({"a": nb.positive(), "b": nb.interval(0.0, lambda p, d: p.a)}, logp=nested)
    point = nb.find_map(model, **QUIET)
    a, b = point["a"], point["b"]
    np.testing.assert_allclose([4 / a - 1 + 1 / (a - b), 2 / b - 1 / (a - b) - 2], 0.0, atol=1e-5)


def test_scales_from_a_hundredth_to_a_hundred():
    x = nb.find_map(badly_scaled(), maxeval=20_000, **QUIET)["x"]
    np.testing.assert_allclose(x, 3.0 * AR1_SCALES, atol=1e-3 * AR1_SCALES.min())


def test_some_variables_move_and_the_others_stay():
    with composition():
        point = nb.find_map(start={"w": [0.2, 0.3, 0.5]}, vars="s", **QUIET)
    np.testing.assert_allclose(point["w"], [0.2, 0.3, 0.5], rtol=1e-12)
    assert point["s"] == pytest.approx(2.0, abs=1e-6)


def switched(p, d):
    return -0.5 * (p.x - 3.0 * p.z) ** 2


def test_discrete_variables_stay_where_they_start():
    model = nb.Model({"x": nb.real(), "z": nb.binary()}, logp=switched)
    assert nb.find_map(model, **QUIET) == {"x": pytest.approx(0.0, abs=1e-6), "z": 0}
    assert nb.find_map(model, {"z": 1}, **QUIET) == {"x": pytest.approx(3.0), "z": 1}
    np.testing.assert_allclose(nb.find_hessian({"z": 1}, model=model), [[1.0]], rtol=1e-6)
    with pytest.raises(ValueError, match="vars names 'z', which is discrete; choose among x"):
        nb.find_map(model, vars=["x", "z"], **QUIET)


def walled(p, d):
    return math.log(p.x) - p.x if p.x > 0.0 else -math.inf


def test_a_search_finds_its_way_back_from_where_there_is_no_density():
    model = nb.Model({"x": nb.real()}, logp=walled)
    assert nb.find_map(model, {"x": 40.0}, **QUIET)["x"] == pytest.approx(1.0, abs=1e-6)


def test_the_callback_sees_the_search_and_may_end_it():
    seen = []

    def callback(point, logp):
        seen.append((float(point["theta"]), logp))
        if len(seen) == 2:
            raise StopIteration

    point = nb.find_map(binomial(), {"theta": 0.01}, callback=callback, **QUIET)
    assert len(seen) == 2
    assert seen[0][1] < seen[1][1]
    assert point["theta"] == seen[1][0]


def test_scipys_result_on_request():
    point, raw = nb.find_map(binomial(), return_raw=True, **QUIET)
    assert raw.success
    assert 1 / (1 + math.exp(-raw.x[0])) == pytest.approx(point["theta"])


@pytest.mark.parametrize("method", ["L-BFGS-B", "Nelder-Mead"])
def test_too_few_evaluations_are_told(method):
    with pytest.warns(ConvergenceWarning, match=r"best point of 3 evaluations.*maxeval=3 evaluations were not enough"):
        point = nb.find_map(eight_schools(), maxeval=3, method=method, **QUIET)
    assert np.isfinite(point["theta"]).all()


def rising(p, d):
    return p.x


def test_a_density_without_maximum_is_told():
    model = nb.Model({"x": nb.real()}, logp=rising)
    with pytest.warns(ConvergenceWarning, match="largest slope of the log density is 1"):
        nb.find_map(model, method="CG", maxeval=200, **QUIET)


@pytest.mark.parametrize(
    ("parameters", "logp", "words"),
    [
        ({"x": nb.real()}, rising, "it rises on and on in x and seems to have no maximum"),
        ({"x": nb.positive()}, lambda p, d: -2.0 * np.log(p.x), "it rises on and on in x and seems to have no maximum"),
        (
            {"x": nb.real()},
            lambda p, d: -np.sqrt(abs(p.x - 0.3)),
            "There is a kink, or the gradient is another function's",
        ),
        ({"x": nb.real()}, lambda p, d: 0.0 * p.x, "did not move: .* in x the density does not fall from there"),
        ({"x": nb.real()}, lambda p, d: p.x**2, "did not move: the slope is zero where it began, and in x"),
    ],
    ids=["a line", "a pole", "a kink", "flat", "a minimum"],
)
def test_where_there_is_no_maximum_it_says_why(parameters, logp, words):
    with pytest.warns(ConvergenceWarning, match=words):
        nb.find_map(nb.Model(parameters, logp=logp), **QUIET)


def test_ctrl_c_keeps_the_best():
    def callback(point, logp):
        raise KeyboardInterrupt

    with pytest.warns(ConvergenceWarning, match="interrupted"):
        point = nb.find_map(binomial(), {"theta": 0.01}, callback=callback, **QUIET)
    assert point["theta"] > 0.01


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "Newton"}, ValueError, "unknown method 'newton'; choose 'l-bfgs-b'"),
        ({"maxeval": 0}, ValueError, "maxeval must be an int from 1"),
        ({"vars": "y"}, ValueError, "vars names 'y', which is no variable of the model; choose among theta"),
        ({"vars": []}, ValueError, "vars must name a continuous variable to move"),
        ({"start": {"theta": 2.0}}, ModelError, "start does not fit the model: theta"),
        ({"start": {"eta": 2.0}}, ModelError, "'eta' is no parameter"),
    ],
)
def test_bad_arguments_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        nb.find_map(binomial(), **options, **QUIET)


def test_a_start_without_density_and_no_model_are_refused():
    with pytest.raises(SamplingError, match="logp is not finite at the starting point"):
        nb.find_map(nb.Model({"x": nb.real()}, logp=walled), **QUIET)
    with pytest.raises(TypeError, match=r"model must be an nbinfer\.Model, got dict"):
        nb.find_map({"x": 1.0})
    with pytest.raises(TypeError, match="no model given"):
        nb.find_hessian({})


def test_the_hessian_is_the_precision_whatever_the_scales():
    model = badly_scaled()
    precision = model.data["precision"]
    scale = np.sqrt(np.diag(precision))
    found = nb.find_hessian({"x": np.full(5, 0.1)}, model=model)
    np.testing.assert_allclose(found / np.outer(scale, scale), precision / np.outer(scale, scale), atol=1e-7)
    np.testing.assert_allclose(nb.guess_scaling({}, model=model), np.diag(precision), rtol=1e-6)


def test_the_hessian_is_on_the_unconstrained_scale_with_the_jacobian():
    found = nb.find_hessian({"theta": 0.3}, model=binomial())
    np.testing.assert_allclose(found, [[(62 + 40 + 2) * 0.3 * 0.7]], rtol=1e-6)


def test_rows_of_some_variables():
    whole = nb.find_hessian({"s": 3.0}, model=composition())
    assert whole.shape == (3, 3)
    np.testing.assert_allclose(nb.find_hessian({"s": 3.0}, vars=["s"], model=composition()), whole[2:, 2:], rtol=1e-9)


def peaked(p, d):
    return 0.5e20 * p.x**2 - 0.5e-20 * p.y**2


def test_a_scaling_is_positive_and_bounded():
    model = nb.Model({"x": nb.real(), "y": nb.real()}, logp=peaked)
    np.testing.assert_allclose(nb.guess_scaling({}, model=model), [1e16, 1e-16], rtol=1e-9)
    np.testing.assert_allclose(nb.guess_scaling({}, model=model, scaling_bound=1e-2), [1e4, 1e-4], rtol=1e-9)
    with pytest.raises(ValueError, match=r"scaling_bound must lie in \(0, 1\], got 2"):
        nb.guess_scaling({}, model=model, scaling_bound=2)


@pytest.mark.either
@pytest.mark.parametrize(
    "logp",
    [lambda p, d: -(p.x**4) - p.y**2, lambda p, d: -abs(p.x) - p.y**2, lambda p, d: p.x - p.y**2],
    ids=["x**4", "a kink", "a line"],
)
def test_no_curvature_is_told(logp):
    model = nb.Model({"x": nb.real(), "y": nb.real()}, logp=logp)
    with pytest.warns(NbinferWarning, match="no curvature in x at this point"):
        found = nb.find_hessian({}, model=model)
    assert found[1] == pytest.approx([0.0, 2.0])
    with pytest.warns(NbinferWarning, match="no curvature in x at this point"):
        nb.guess_scaling({}, model=model)


def test_a_curvature_of_zero_is_not_that_of_a_distance():
    with pytest.warns(NbinferWarning, match="no curvature"):
        found = nb.find_hessian({}, model=nb.Model({"x": nb.real()}, logp=lambda p, d: -(p.x**4)))
    assert abs(found[0, 0]) < 1e-8


def test_a_gradient_that_is_not_finite_nearby_is_told():
    with pytest.raises(
        ModelError, match="the density or its gradient is not finite next to this point, 6e-06 away in x"
    ):
        nb.find_hessian({"x": 1e-9}, model=nb.Model({"x": nb.real()}, logp=walled))
