"""Formulas, the registry of flows, and flows as objects."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import LocalGroupError, ParametrizationError
from nbinfer.variational.flows import (
    AbstractFlow,
    CouplingFlow,
    Formula,
    HouseholderFlow,
    LocFlow,
    NormalizingFlowFamily,
    PlanarFlow,
    PythonFlow,
    RadialFlow,
    ScaleFlow,
    flow_for_params,
    flow_for_short_name,
    register_flow,
    registry,
    seems_like_flow_params,
    seems_like_formula,
)
from tests.variational.flows.laws import check_logdets, check_pullback


def test_a_formula_is_read():
    assert Formula("scale-hh*4-loc").flows == (ScaleFlow, *4 * [HouseholderFlow], LocFlow)
    assert Formula(" Scale - HH * 2 - planar ").flows == (ScaleFlow, HouseholderFlow, HouseholderFlow, PlanarFlow)
    assert Formula("planar*10").flows == 10 * (PlanarFlow,)
    assert repr(Formula("LOC")) == "Formula('loc')"


WRONG = {
    "a*b*c": r"Wrong format of 'a\*b\*c'",
    "hh*2*3": r"Wrong format of 'hh\*2\*3'",
    "hh*0": "Wrong format",
    "hh*1001": "a number up to 1000",
    "hh*x": "Wrong format",
    "hh*-1": "Wrong format",
    "hh*²": "Wrong format",
    "*3": "Wrong format",
    "scale--loc": "Wrong format of ''",
    "scale-": "Wrong format of ''",
    "": "must name one of 'planar', .* at least, got an empty one",
    "  ": "got an empty one",
    "scale-plane": "unknown flow 'plane'; choose 'planar', 'radial', 'hh', 'loc', 'scale', 'coupling'",
}


@pytest.mark.parametrize("formula", WRONG)
def test_a_wrong_formula_is_refused(formula):
    with pytest.raises(ParametrizationError, match=WRONG[formula]):
        Formula(formula)
    with pytest.raises(ValueError, match=WRONG[formula]):
        nb.fit(1, method=f"nfvi={formula}", model=nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * p.x @ p.x))
    assert not seems_like_formula(formula)


def test_what_seems_like_a_formula():
    assert seems_like_formula("planar")
    assert seems_like_formula("scale-hh*4-loc")
    assert not seems_like_formula(3)
    assert not seems_like_formula("mean_field")
    with pytest.raises(TypeError, match="the formula of a flow must be a str such as 'scale-hh"):
        Formula(3)


def test_flows_are_found_by_name_and_by_parameters():
    kinds = [PlanarFlow, RadialFlow, LocFlow, ScaleFlow, HouseholderFlow, CouplingFlow]
    names = ["planar", "radial", "loc", "scale", "hh", "coupling"]
    assert [flow_for_short_name(name) for name in names] == kinds
    specs = ["u w b", "a b z_ref", "loc", "rho", "v", "w1 b1 w2 b2"]
    assert [flow_for_params(dict.fromkeys(spec.split(), 0.0)) for spec in specs] == kinds
    with pytest.raises(ParametrizationError, match=r"must be one of: u, w, b \(planar\); or .*; got u, w"):
        flow_for_params({"u": 0, "w": 0})
    for unknown in ("plane", 3, ["planar"]):
        with pytest.raises(ParametrizationError, match="unknown flow "):
            flow_for_short_name(unknown)


def test_what_seems_like_parameters_of_flows():
    assert seems_like_flow_params({0: {"loc": 1}, 1: {"rho": 2}})
    assert seems_like_flow_params({1: {}})
    assert not seems_like_flow_params({"mu": 0})
    assert not seems_like_flow_params({})
    assert not seems_like_flow_params(None)
    assert not seems_like_flow_params({True: 0})
    assert Formula.of_params({1: {"loc": 0}, 0: {"rho": 0}}).formula == "scale-loc"
    assert seems_like_flow_params({np.int64(0): {"loc": 1}})
    loc = {"loc": 0}
    for keys in ([0, 2], [1], [-1, 0], [-1], [0, 2**62], [], ["a"], [0.0], [0, "a"]):
        with pytest.raises(ParametrizationError, match=r"need the keys 0, 1, \.\.\., \d+, one for each layer; got"):
            Formula.of_params(dict.fromkeys(keys, loc))
    with pytest.raises(TypeError, match="params must be a mapping, got int"):
        Formula("scale")(dim=2, params=3)


def test_shapes_of_parameters():
    spec = Formula("scale-planar-radial-hh").get_param_spec_for(3)
    assert spec == {
        0: {"rho": (3,)},
        1: {"u": (3,), "w": (3,), "b": ()},
        2: {"a": (), "b": (), "z_ref": (3,)},
        3: {"v": (3,)},
    }
    assert Formula("planar").get_param_spec_for(3, 5)[0] == {"u": (5, 3), "w": (5, 3), "b": (5,)}
    with pytest.raises(ParametrizationError, match="coupling needs at least 2 coordinates, got 1"):
        Formula("scale-coupling").get_param_spec_for(1)
    with pytest.raises(ValueError, match="dim must be an int"):
        Formula("scale").get_param_spec_for(0)
    shapes = Formula("coupling*2").get_param_spec_for(3)
    assert [shapes[k]["w1"] for k in (0, 1)] == [(16, 2), (16, 1)]


def test_a_flow_stands_on_others():
    x = np.random.default_rng(1).normal(size=(7, 3))
    last = Formula("scale-planar-loc")(x, jitter=0.5, random_seed=1)
    middle, root = last.parent, last.root
    assert isinstance(last, AbstractFlow)
    assert last.formula == "scale-planar-loc"
    assert middle.formula == "scale-planar"
    assert (root.isroot, last.isroot, root.parent, last.is_local) == (True, False, None, False)
    assert middle.parent is root is root.root
    assert [p.shape for p in last.params] == [(3,)]
    assert [p.shape for p in last.all_params] == [(3,), (3,), (3,), (), (3,)]
    assert last.all_params[1] is middle.shared_params["u"]
    assert last.forward.shape == (7, 3)
    assert last.logdet.shape == last.sum_logdets.shape == (7,)
    np.testing.assert_allclose(last.sum_logdets, root.logdet + middle.logdet + last.logdet, rtol=1e-14)
    np.testing.assert_array_equal(last.logdet, 0.0)
    np.testing.assert_array_equal(last.forward_pass(x), last.forward)
    np.testing.assert_array_equal(last.forward_pass(x[2]), last.forward[2])
    assert "scale-planar-loc of 3 coordinates" in repr(last)
    assert Formula("scale-loc")(dim=2).forward.shape == (2,)
    by_row = Formula("scale-planar-loc")(np.zeros((4, 5, 3)), batch_size=5)
    assert by_row.forward.shape == (4, 5, 3)
    assert by_row.sum_logdets.shape == (4,)
    assert by_row.all_params[0].shape == (5, 3)
    np.testing.assert_array_equal(by_row.forward_pass(np.zeros((4, 15))), by_row.forward.reshape(4, 15))
    one_row = Formula("scale-loc")(np.zeros((4, 1, 3)), batch_size=1)
    assert one_row.sum_logdets.shape == one_row.logq(np.zeros((4, 1, 3))).shape == (4,)


def test_a_long_formula_is_no_deep_one():
    flow = Formula("planar*1000-loc*1000")(dim=1, jitter=0.01, random_seed=1)
    assert flow.root.short_name == "planar"
    assert len(flow.all_params) == 4000
    assert np.isfinite(flow.sum_logdets)


def test_first_values_are_drawn():
    first, again, other = (Formula("planar*2")(dim=50, jitter=2.0, random_seed=seed) for seed in (1, 1, 2))
    for a, b, c in zip(first.all_params, again.all_params, other.all_params, strict=True):
        np.testing.assert_array_equal(a.get_value(), b.get_value())
        assert (a.get_value() != c.get_value()).all()
    assert np.concatenate([p.get_value().ravel() for p in first.all_params]).std() == pytest.approx(2.0, rel=0.3)
    assert not np.array_equal(first.all_params[0].get_value(), first.all_params[3].get_value())


def test_flows_refuse_what_does_not_fit():
    with pytest.raises(ParametrizationError, match="params of planar must be u, w, b; got u"):
        PlanarFlow(dim=2, params={"u": [1.0, 2.0]})
    with pytest.raises(ParametrizationError, match=r"params\['loc'\] must have shape \(2,\), got \(3,\)"):
        LocFlow(dim=2, params={"loc": np.zeros(3)})
    with pytest.raises(ParametrizationError, match="params are those of 'loc', and the formula is 'scale'"):
        Formula("scale")(dim=2, params={0: {"loc": [0.0, 0.0]}})
    with pytest.raises(TypeError, match="a flow needs z0 or dim"):
        LocFlow()
    for options in ({}, {"batch_size": 3}, {"params": {"loc": [0.0, 0.0]}}):
        with pytest.raises(LocalGroupError, match="a local loc needs batch_size and params"):
            LocFlow(dim=2, local=True, **options)
    local = LocFlow(dim=2, local=True, batch_size=3, params={"loc": np.zeros((3, 2))})
    assert local.is_local
    assert LocFlow(local, params={"loc": np.zeros((3, 2))}).is_local
    two, rows = LocFlow(dim=2), LocFlow(dim=2, batch_size=3)
    for method, name in ((two.forward_pass, "z0"), (two.inverse_pass, "z"), (two.logq, "z")):
        for points in (np.zeros((4, 3)), np.zeros((4, 1)), 1.0):
            with pytest.raises(ValueError, match=rf"^{name} must have shape \(..., 2\), got \("):
                method(points)
    for points in (np.zeros((2, 3)), np.zeros(2), 1.0):
        with pytest.raises(ValueError, match=r"^z must have shape \(..., 3, 2\), got \("):
            rows.inverse_pass(points)
    with pytest.raises(ValueError, match=r"z0 must have shape \(..., 2\), got \(4, 3\)"):
        LocFlow(np.zeros((4, 3)), dim=2)
    with pytest.raises(ValueError, match=r"z0 must have shape \(..., dim\), got \(\)"):
        LocFlow(1.0)
    for options in ({"jitter": -1.0}, {"jitter": np.nan}, {"batch_size": 0}, {"batch_size": 1.5}, {"dim": -1}):
        with pytest.raises(ValueError, match=next(iter(options)) + " must be a"):
            PlanarFlow(**{"dim": 2} | options)
    for kind in (HouseholderFlow, CouplingFlow):
        with pytest.raises(ParametrizationError, match=f"{kind.short_name} needs at least 2 coordinates, got 1"):
            kind(dim=1)


class Cubic(PythonFlow):
    """``y = x + x^3 exp(c)``, coordinate by coordinate."""

    short_name = "cubic"

    @classmethod
    def shapes(cls, width, turn=0):
        return {"c": (width,)}

    @classmethod
    def transform(cls, x, parameters):
        k = np.exp(parameters["c"])
        return x + k * x**3, np.sum(np.log1p(3.0 * k * x**2))

    @classmethod
    def pull_back(cls, x, to_y, weight, parameters):
        k = np.exp(parameters["c"])
        slope = 1.0 + 3.0 * k * x**2
        to_c = k * (to_y * x**3 + weight * 3.0 * x**2 / slope)
        return to_y * slope + weight * 6.0 * k * x / slope, {"c": to_c}


@pytest.fixture
def registered():
    register_flow(Cubic)
    yield
    del registry._BY_NAME["cubic"], registry._BY_PARAMETERS[frozenset(["c"])]


@pytest.mark.usefixtures("registered")
def test_a_flow_of_ones_own():
    for rowwise in (False, True):
        assert np.abs(check_logdets(NormalizingFlowFamily("cubic-scale"), rowwise)).max() > 0.5
        check_pullback(NormalizingFlowFamily("scale-cubic-planar"), rowwise=rowwise)
    flow = Formula("cubic-loc")(dim=2)
    with pytest.raises(NotImplementedError, match=r"cubic has no inverse, .* give Cubic the method inverse"):
        flow.logq([0.0, 1.0])
    model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * p.x @ p.x)
    approx = nb.NFVI("cubic-scale-loc", model=model, random_seed=1).approx
    assert approx.flow.formula == "cubic-scale-loc"


class Failing(Cubic):
    """Fails."""

    short_name = "failing"

    @classmethod
    def shapes(cls, width, turn=0):
        return {"d": (width,)}

    @classmethod
    def transform(cls, x, parameters):
        raise RuntimeError("no way there")


def test_what_a_flow_raises_arrives():
    register_flow(Failing)
    try:
        with pytest.raises(RuntimeError, match="no way there"):
            Formula("failing")(dim=2).forward  # noqa: B018
        model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * p.x @ p.x)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="no way there"):
                nb.fit(2, method="nfvi=failing", model=model, progressbar=False)
    finally:
        del registry._BY_NAME["failing"], registry._BY_PARAMETERS[frozenset(["d"])]


def test_a_flow_is_registered_once():
    with pytest.raises(TypeError, match="flow must be a subclass of AbstractFlow, got 3"):
        register_flow(3)

    class Second(Cubic):
        short_name = "planar"

    with pytest.raises(ValueError, match="PlanarFlow has the name 'planar' already"):
        register_flow(Second)
    Second.short_name = "second"
    Second.shapes = LocFlow.shapes
    with pytest.raises(ValueError, match="LocFlow has the parameters loc already"):
        register_flow(Second)
    Second.short_name = "Two-fold"
    with pytest.raises(ValueError, match="short_name must be a word in lower case, got 'Two-fold'"):
        register_flow(Second)
