"""Flows that are fitted: groups, starts, moments, densities, and how near they come to what is not normal."""

import pickle
import tracemalloc

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.errors import BatchedGroupError, ExplicitInferenceError, FitError, ParametrizationError
from nbinfer.variational.families.family import Extent, inverse_softplus
from nbinfer.variational.flows import NormalizingFlowFamily, PythonFlow, register_flow, registry
from tests.variational.targets import SIGMA, gaussian, several

pytestmark = [pytest.mark.nojit, pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")]

#: The evidence lower bound of the best normal distribution for the banana.
BEST_GAUSSIAN = -0.5606594427


def banana_logp(p, d):
    x, y = p.x[0], p.x[1]
    return -0.5 * x**2 - 0.5 * (y - x**2) ** 2 / 0.25 - 1.8378770664093453 - np.log(0.5)


@pytest.fixture(scope="module")
def banana():
    return nb.Model({"x": nb.real(2)}, logp=banana_logp)


def fitted(inference, *parts, **options):
    """Fit in so many iterations, one after the other, and look for no k-hat."""
    inference.begin(**options)
    for n in parts:
        inference.run(n, progressbar=False, judged=False)
    return inference.approx


class Parabola(PythonFlow):
    """``y = (x0, x1 + k x0^2)``."""

    short_name = "parabola"

    @classmethod
    def shapes(cls, width, turn=0):
        return {"k": ()}

    @classmethod
    def transform(cls, x, parameters):
        return np.array([x[0], x[1] + parameters["k"] * x[0] ** 2]), 0.0

    @classmethod
    def pull_back(cls, x, to_y, weight, parameters):
        return np.array([to_y[0] + 2.0 * parameters["k"] * x[0] * to_y[1], to_y[1]]), {"k": to_y[1] * x[0] ** 2}


@pytest.fixture
def parabola():
    register_flow(Parabola)
    yield
    del registry._BY_NAME["parabola"], registry._BY_PARAMETERS[frozenset(["k"])]


@pytest.mark.slow
@pytest.mark.usefixtures("parabola")
def test_the_exact_map_is_exact_for_every_draw(banana):
    params = {0: {"rho": inverse_softplus([1.0, 0.5])}, 1: {"k": nb.shared(1.0)}}
    approx = nb.Approximation(nb.Group("x", params=params, model=banana), banana, random_seed=1)
    np.testing.assert_allclose(approx.log_weights(200), 0.0, atol=1e-13)
    assert approx.khat == -np.inf
    assert approx.mean == pytest.approx([0.0, 1.0], abs=0.03)
    inference = nb.KLqp(approx)
    fitted(inference, 2, more_obj_params=[params[1]["k"]])
    assert params[1]["k"].get_value() != 1.0
    assert inference.objective.op.estimator == "plain"


@pytest.mark.nojit
@pytest.mark.parametrize("formula", ["planar*8-scale-loc", "radial*6-scale-loc", "coupling*4-scale-loc"])
def test_a_flow_lands_between_the_best_gaussian_and_the_exact_map(banana, formula):
    optimizer = nb.adam(learning_rate=lambda i: 0.01 / (1 + i / 1000))
    approx = nb.fit(4000, method=f"nfvi={formula}", model=banana, random_seed=1, start_sigma=0.5, obj_n_mc=8,
                    obj_optimizer=optimizer, progressbar=False)  # fmt: skip
    weights = approx.log_weights(20_000, random_seed=2)
    error = weights.std() / np.sqrt(weights.size)
    assert BEST_GAUSSIAN + 0.2 < weights.mean() < 4.0 * error
    assert approx.report.estimator == "plain"
    z0 = np.random.default_rng(1).normal(size=(10_000, 2))
    z = approx.flow.forward_pass(z0)
    np.testing.assert_allclose(approx.flow.inverse_pass(z), z0, atol=1e-6)  # every layer is invertible after the fit
    assert np.isfinite(approx.flow.logq(z)).all()


@pytest.mark.nojit
def test_an_affine_flow_is_a_normal_distribution():
    """Reflections and stretches have the correlation that independent numbers lack."""
    model = gaussian(SIGMA[:2, :2])
    optimizer = nb.adam(learning_rate=lambda i: 0.02 / (1 + i / 500))
    approx = nb.fit(6000, method="nfvi=scale-hh*2-loc", model=model, random_seed=1, obj_n_mc=4,
                    obj_optimizer=optimizer, progressbar=False)  # fmt: skip
    np.testing.assert_allclose(approx.cov, SIGMA[:2, :2], rtol=0.05)
    assert approx.elbo(1000) == pytest.approx(0.0, abs=2e-3)
    assert approx.khat < 0.5


DENSITIES = ["scale-hh-loc", "planar*2-scale", "scale-radial", "scale-coupling*2"]


@pytest.mark.parametrize("formula", DENSITIES)
def test_a_density_integrates_to_one_and_is_that_of_draws(formula):
    model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * p.x @ p.x)
    approx = nb.NormalizingFlow(formula, model=model, random_seed=1)
    rng = np.random.default_rng(2)
    for shared in approx.params:
        shared.set_value(0.6 * rng.normal(size=shared.shape))
    draws = approx.draw(200, random_seed=3)
    np.testing.assert_allclose(approx.flow.logq(draws.positions), draws.logq, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(approx.logq(200, random_seed=3), draws.logq.mean(), rtol=1e-12)
    points, end = (161, 8.0) if JIT else (61, 6.0)
    line, step = np.linspace(-end, end, points, retstep=True)
    grid = np.stack(np.meshgrid(line, line), axis=-1)
    density = np.exp(approx.flow.logq(grid))
    assert density.shape == (points, points)
    assert density.sum() * step**2 == pytest.approx(1.0, abs=1e-3 if JIT else 3e-3)


# ---- groups


def test_groups_of_flows():
    group = nb.Group(["x", "a"], vfam="scale-hh*5-radial*4-loc", model=several())
    assert (group.ndim, group.short_name, group.has_logq, group.bdim) == (3, "normalizing_flow", True, 1)
    assert list(group.params_dict)[:3] == ["0.rho", "1.v", "2.v"]
    assert group.flow.formula == "scale" + 5 * "-hh" + 4 * "-radial" + "-loc"
    assert group.flow.params[0] is group.params_dict["10.loc"]
    with pytest.raises(AttributeError, match="mean_field has no flow"):
        nb.Group("x", "mf", model=several()).flow  # noqa: B018
    spec = nb.Group.get_param_spec_for("scale-planar", 4)
    assert spec == {0: {"rho": (4,)}, 1: {"u": (4,), "w": (4,), "b": ()}}
    assert nb.Group.group_for_short_name("planar*3") is NormalizingFlowFamily
    assert nb.Group.group_for_params({0: {"loc": 0}}) is NormalizingFlowFamily


def test_rows_have_flows_of_their_own():
    group = nb.Group("m", vfam="scale-hh*2-radial-loc", rowwise=True, model=several())
    assert (group.ddim, group.bdim) == (2, 3)
    assert group.params_dict["3.a"].shape == (3,)
    approx = nb.Approximation([group, nb.Group(None, "mf")], several(), random_seed=1)
    before = group.centre
    group.params_dict["4.loc"].set_value([[0.0, 0.0], [5.0, -5.0], [0.0, 0.0]])
    np.testing.assert_allclose(group.centre - before, [0, 0, 5, -5, 0, 0], atol=1e-12)
    found = approx.draw(10)
    rest = approx.groups[1]
    own = group.flow.logq(found.positions[:, group.coordinates].reshape(10, 3, 2))
    z = (found.positions[:, rest.coordinates] - rest.mean) / rest.std
    other = -0.5 * np.sum(z**2, axis=1) - np.sum(np.log(rest.std)) - 2.0 * np.log(2.0 * np.pi)
    np.testing.assert_allclose(found.logq, own + other, rtol=1e-10)
    assert np.isfinite(fitted(nb.KLqp(approx), 5).hist).all()


def five(n):
    rng = np.random.default_rng(1)
    return {
        0: dict(u=rng.normal(size=n), w=rng.normal(size=n), b=0.5),
        1: dict(a=0.1, b=0.2, z_ref=rng.normal(size=n)),
        2: dict(loc=rng.normal(size=n)),
        3: dict(rho=rng.normal(size=n)),
        4: dict(v=rng.normal(size=n)),
    }


def test_parameters_of_five_flows():
    params = five(2)
    group = nb.Group("x", params=params, model=several())
    assert group.flow.formula == "planar-radial-loc-scale-hh"
    assert group.is_given
    approx = nb.Approximation([group, nb.Group(None, "mf")], several(), random_seed=1)
    inference = nb.KLqp(approx)
    fitted(inference, 3)
    np.testing.assert_array_equal(group.params_dict["0.u"].get_value(), params[0]["u"])
    fitted(inference, 3, more_obj_params=[params[0]["u"]])
    for name, old in (("0.u", params[0]["u"]), ("1.z_ref", params[1]["z_ref"]), ("3.rho", params[3]["rho"])):
        assert (group.params_dict[name].get_value() != old).all()


def test_parameters_that_do_not_fit_are_refused():
    def group(params, **options):
        return nb.Group("x", params=params, model=several(), **options)

    partial = five(2)
    del partial[2]
    with pytest.raises(ParametrizationError, match=r"need the keys 0, 1, \.\.\., 4, .*; got 0, 1, 3, 4"):
        group(partial)
    del partial[0]["w"]
    with pytest.raises(ParametrizationError, match=r"must be one of: u, w, b .*; got u, b"):
        group({0: partial[0]})
    with pytest.raises(ParametrizationError, match=r"params\['0.loc'\] must have shape \(2,\) for x, got \(3,\)"):
        group({0: {"loc": np.zeros(3)}})
    for names, shape, options in (("m", (2, 3), {"rowwise": True}), ("m", (3, 2), {}), ("x", (1, 3), {})):
        with pytest.raises(ParametrizationError, match=r"params\['0.loc'\] must have shape .* for ., got \("):
            nb.Group(names, params={0: {"loc": np.zeros(shape)}}, model=several(), **options)
    assert group({0: {"loc": np.zeros((1, 2))}}).flow.formula == "loc"
    for beside in ({"options": {"jitter": 0.1}}, {"start": {"x": [0.0, 0.0]}}, {"start_sigma": 0.1}):
        with pytest.raises(TypeError, match=f"{next(iter(beside))} goes with vfam, and params .* leave it out"):
            group({0: {"loc": np.zeros(2)}}, **beside)
    with pytest.raises(ParametrizationError, match=r"params must be one of: .*\{0: \{\.\.\.\}, .*; got 0, mu"):
        group({0: {"loc": np.zeros(2)}, "mu": 0})
    with pytest.raises(ParametrizationError, match="params of x make layer 0, scale, no map"):
        group({0: {"rho": [-800.0, 0.0]}})
    with pytest.raises(TypeError, match="pass vfam or params, not both"):
        group({0: {"loc": np.zeros(2)}}, vfam="scale")
    with pytest.raises(TypeError, match="params must be a mapping, got int"):
        group({0: 3})


def test_names_that_do_not_fit_are_refused():
    def group(vfam, names="x", **options):
        return nb.Group(names, vfam, model=several(), **options)

    with pytest.raises(ParametrizationError, match=r"unknown vfam 'plane'; .* of the flows 'planar', 'radial'"):
        group("plane")
    with pytest.raises(ParametrizationError, match="unknown flow 'plane'"):
        group("plane*2")
    for vfam in ("hh", "scale-coupling*2-loc"):
        with pytest.raises(ParametrizationError, match="needs at least 2 coordinates, got 1; take planar"):
            group(vfam, "a")
    with pytest.raises(ParametrizationError, match="options names 'rank', which normalizing_flow lacks; it has flow"):
        group("planar", options={"rank": 2})
    with pytest.raises(ParametrizationError, match="options names the flow 'scale', and vfam is the formula 'planar'"):
        group("planar", options={"flow": "scale"})
    with pytest.raises(ValueError, match="jitter must be a finite number from 0 on"):
        group("planar", options={"jitter": -1.0})
    assert group("normalizing_flow", options={"flow": "planar"}).flow.formula == "planar"
    with pytest.raises(BatchedGroupError, match="rowwise takes one parameter that has rows"):
        group("planar", ["x", "m"], rowwise=True)


# ---- starts and estimators


def test_flows_begin_where_they_are_told_to():
    start, sigma = {"a": 2.0, "s": 3.0}, {"x": 0.5, "m": 0.2}
    mean, std = [0, 0, 2.0, np.log(3.0)] + [0] * 6, [0.5, 0.5, 0.1, 0.1] + [0.2] * 6
    for formula in ("scale-loc", "loc-scale", "scale-scale-loc"):
        approx = nb.NormalizingFlow(formula, model=several(), start=start, start_sigma=sigma)
        np.testing.assert_allclose(approx.mean, mean, atol=1e-12)
        np.testing.assert_allclose(approx.std, std, rtol=1e-12)
    approx = nb.NFVI(model=several(), start=start).approx
    assert approx.flow.formula == "scale-loc"
    np.testing.assert_allclose(approx.std, 0.1, rtol=1e-12)
    with pytest.raises(
        ParametrizationError, match="start has no place in 'scale', which has no loc; add one, 'scale-loc'"
    ):
        nb.NormalizingFlow("scale", model=several(), start=start)
    with pytest.raises(ParametrizationError, match=r"start_sigma has no place in 'planar\*2', which has no scale"):
        nb.fit(1, method="nfvi=planar*2", model=several(), start_sigma=0.5)


def test_first_values_follow_from_the_seed():
    def values(seed, **options):
        approx = nb.NormalizingFlow("planar-scale-loc", model=several(), random_seed=seed, **options)
        return {name: shared.get_value() for name, shared in approx.params_dict.items()}

    first, again, other, small = values(1), values(1), values(2), values(1, jitter=0.1)
    for name in ("0.u", "0.w", "0.b"):
        np.testing.assert_array_equal(first[name], again[name])
        assert (first[name] != other[name]).all()
        np.testing.assert_allclose(small[name], 0.1 * first[name])
    assert (values(1, jitter=0.0)["0.u"] == 0.0).all()


def test_what_a_group_has_learnt_goes_with_it():
    """Into another approximation."""
    group = nb.Group("x", "planar", model=several())
    first = nb.Approximation([group, nb.Group(None, "mf")], several(), random_seed=1)
    drawn = group.params_dict["0.u"].get_value()
    assert drawn.all()
    nb.Approximation([group, nb.Group(None, "mf")], several(), random_seed=2)
    np.testing.assert_array_equal(group.params_dict["0.u"].get_value(), drawn)
    assert first.groups[0] is group


def test_estimators_are_as_good_as_families_have_them():
    flow, normal = nb.Group("x", "planar", model=several()), nb.Group(None, "mf")
    approx = nb.Approximation([flow, normal], several(), random_seed=1)
    op = nb.KL(approx)
    assert op.estimator == "stl"
    fitting = op().updates().fitting
    assert [int(fitting.own(k).entropy) for k in range(2)] == [1, 2]
    assert nb.KL(nb.NormalizingFlow("planar", model=several())).estimator == "plain"
    assert nb.KL(nb.MeanField(model=several())).estimator == "stl"
    for each in (approx, nb.NormalizingFlow("scale-loc", model=several())):
        with pytest.raises(ParametrizationError, match=r"'stl' needs the path derivative .* normalizing_flow lacks"):
            nb.KLqp(each, estimator="stl")
    with pytest.raises(
        ExplicitInferenceError, match=r"KL needs the density .* take mean_field, full_rank, low_rank or a"
    ):
        nb.KL(nb.Empirical(size=3, model=several()))


# ---- what comes back


def test_moments_of_affine_flows_are_exact():
    approx = nb.NormalizingFlow("scale-hh*2-loc", model=several(), random_seed=1)
    rng = np.random.default_rng(1)
    for shared in approx.params:
        shared.set_value(rng.normal(size=shared.shape))
    linear = approx.flow.forward_pass(np.eye(10)) - approx.centre
    np.testing.assert_allclose(approx.cov, linear.T @ linear, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(approx.mean, approx.params_dict["3.loc"].get_value(), atol=1e-12)
    np.testing.assert_allclose(approx.std, np.sqrt(np.diag(approx.cov)))


def test_moments_of_many_coordinates_take_little_memory():
    model = gaussian(np.eye(2000))
    approx = nb.NormalizingFlow("scale-loc", model=model, start={"x": np.full(2000, 3.0)})
    tracemalloc.start()
    try:
        assert (approx.mean == 3.0).all()
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()
    pieces = list(NormalizingFlowFamily("scale-loc", extent=Extent(600)).noise_of_moments())
    assert max(map(len, pieces)) == 512
    noise = np.concatenate(pieces)
    np.testing.assert_allclose(noise.T @ noise / len(noise), np.eye(600), atol=1e-12)


def test_moments_are_those_of_draws():
    approx = nb.NormalizingFlow("scale-planar*2-loc", model=gaussian(np.eye(2)), random_seed=3, start_sigma=1.0)
    z = approx.draw(4000, random_seed=1).positions
    np.testing.assert_allclose(approx.mean, z.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(approx.cov, np.cov(z.T), rtol=0.15, atol=0.1)
    np.testing.assert_allclose(approx.std, np.sqrt(np.diag(approx.cov)), rtol=1e-10)
    node = approx.sample_node("x", 3, deterministic=True)
    np.testing.assert_allclose(node, np.tile(approx.flow.forward_pass(np.zeros(2)), (3, 1)))


def test_the_same_seed_gives_the_same_fit():
    formula = "scale-hh*2-radial-coupling*2-loc"

    def begun():
        return nb.NFVI(formula, model=several(), random_seed=1)

    adam = nb.adam(learning_rate=0.01)
    whole = fitted(begun(), 20, obj_optimizer=adam)
    parts = fitted(begun(), 10, 10, obj_optimizer=adam, callbacks=[lambda approx, losses, i: None])
    np.testing.assert_array_equal(whole.hist, parts.hist)
    for a, b in zip(whole.params, parts.params, strict=True):
        np.testing.assert_array_equal(a.get_value(), b.get_value())
    moved = begun().approx.params
    assert all((a.get_value() != b.get_value()).any() for a, b in zip(whole.params, moved, strict=True))
    copied = pickle.loads(pickle.dumps(whole))
    np.testing.assert_array_equal(copied.draw(3, random_seed=1).positions, whole.draw(3, random_seed=1).positions)
    assert copied.flow.formula == whole.flow.formula


def test_methods_by_name():
    model = gaussian(np.eye(3))
    for method, formula in (("nfvi", "scale-loc"), (" NFVI = Scale - HH * 2 -loc", "scale-hh-hh-loc")):
        approx = nb.fit(0, method=method, model=model, random_seed=1, progressbar=False)
        assert isinstance(approx, nb.NormalizingFlow)
        assert approx.flow.formula == formula
    assert approx.sample(5, random_seed=1)["x"].shape == (1, 5, 3)
    for method in ("nfvi-scale", "scale-loc", "nvfi=scale", "advi=scale", "pathfinder="):
        with pytest.raises(ValueError, match=f"unknown method '{method}'; choose 'advi', .* or 'nfvi=' and a formula"):
            nb.fit(2, method=method, model=model)
    with pytest.raises(TypeError, match="inf_kwargs names a flow, and so does method='nfvi=planar'"):
        nb.fit(2, method="nfvi=planar", model=model, inf_kwargs={"flow": "scale"})


def test_a_flow_that_has_collapsed_says_so():
    """The density of the model is finite all the while."""
    model = gaussian(np.eye(2))
    with pytest.raises(FitError, match=r"have no density, .* \(that of the approximation is not finite: lower the le"):
        nb.fit(200, method="nfvi=scale-loc", model=model, random_seed=1, obj_optimizer=nb.sgd(learning_rate=1e3),
               progressbar=False)  # fmt: skip


def test_a_bad_parameter_is_named():
    approx = nb.NormalizingFlow("scale-planar", model=several(), random_seed=1)
    approx.params_dict["1.b"].set_value(np.nan)
    with pytest.raises(FitError, match="not finite"):
        nb.KLqp(approx).fit(3, progressbar=False)
    fitting = approx.fitting()
    assert fitting.name_of_parameter(10 + 20) == "1.b of x, a, s, m"
