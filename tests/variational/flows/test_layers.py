"""Layers: log-determinants, inverses and pull-backs; and what happens where these have a fault."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.variational import pulling
from nbinfer.variational.families.family import inverse_softplus
from nbinfer.variational.flows import (
    CouplingFlow,
    Formula,
    HouseholderFlow,
    LocFlow,
    PlanarFlow,
    RadialFlow,
    ScaleFlow,
    affine,
    coupling,
    family,
    householder,
    planar,
    radial,
    stack,
)
from nbinfer.variational.flows.family import NormalizingFlowFamily
from tests.variational.families.laws import faulty, fitting_of
from tests.variational.flows.laws import check_all, check_logdets, check_pullback, family_of

FORMULAS = ["scale", "planar", "radial", "coupling*3", "scale-hh*2-planar-radial-coupling-loc"]
each_formula = pytest.mark.parametrize("formula", FORMULAS)
each_extent = pytest.mark.parametrize("rowwise", [False, True], ids=["whole", "by row"])


@pytest.mark.nojit  # long as plain Python
@each_formula
@each_extent
def test_the_log_determinant_is_that_of_the_map(formula, rowwise):
    logdets = [check_logdets(NormalizingFlowFamily(formula), rowwise, seed) for seed in range(3)]
    assert np.abs(logdets).max() > 0.5  # of what is near 0 the sign would not matter


@pytest.mark.parametrize("kind", [HouseholderFlow, LocFlow])
def test_what_keeps_volumes_says_so(kind):
    assert np.abs(check_logdets(family_of(kind))).max() < 1e-10
    assert np.abs(check_logdets(family_of(ScaleFlow, kind, kind))).max() > 0.5


@pytest.mark.nojit  # long as plain Python
@each_formula
@each_extent
@pytest.mark.parametrize("estimator", ["plain", "none"])
def test_a_pullback_is_a_derivative(formula, rowwise, estimator):
    check_pullback(NormalizingFlowFamily(formula), estimator, rowwise)


@pytest.mark.parametrize("kind", [HouseholderFlow, LocFlow])
def test_pullbacks_of_what_keeps_volumes_are_derivatives(kind):
    check_pullback(family_of(kind, ScaleFlow, kind, PlanarFlow))


def scattered(formula, dim=3, seed=0, **options):
    flow = Formula(formula)(dim=dim, random_seed=1, **options)
    rng = np.random.default_rng(seed)
    for shared in flow.all_params:
        shared.set_value(rng.normal(size=shared.shape))
    return flow


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("formula", ["loc", "hh", *FORMULAS])
@pytest.mark.parametrize("rows", [None, 4])
def test_there_is_a_way_back(formula, rows):
    for seed in range(3):
        flow = scattered(formula, seed=seed, batch_size=rows)
        z0 = np.random.default_rng(9).normal(size=(20, 3) if rows is None else (20, rows, 3)) * 2.0
        np.testing.assert_allclose(flow.inverse_pass(flow.forward_pass(z0)), z0, rtol=1e-8, atol=1e-8)


def objective(u, w, b, a, c, centre, v, rho, w1, b1, w2, b2, x, weights):
    """Return the objective of one draw, all in the formulas of the papers."""
    along, square = w @ u, w @ w
    bent = u + (np.log1p(np.exp(along)) - 1.0 - along) * w / square
    t = np.tanh(w @ x + b)
    logdet = np.log(1.0 + (1.0 - t * t) * (w @ bent))
    x = x + bent * t
    alpha = np.exp(a)
    beta = np.log1p(np.exp(c)) - alpha
    r = np.sqrt(np.sum((x - centre) ** 2))
    h = 1.0 / (alpha + r)
    logdet += np.log(1.0 + beta * h) + np.log(1.0 + beta * h - beta * h * h * r)
    x = x + beta * h * (x - centre)
    x = x - 2.0 * v * (v @ x) / (v @ v)
    x = x * np.log1p(np.exp(rho))
    logdet += np.sum(np.log(np.log1p(np.exp(rho))))
    units = np.tanh(w1[:, 0] * x[0] + b1)
    s = 2.0 * np.tanh(0.5 * (w2[0] @ units + b2[0]))
    z = x[1] * np.exp(s) + w2[1] @ units + b2[1]
    return weights[0] * np.sin(x[0]) + weights[1] * np.sin(z) - 0.25 * (x[0] ** 2 + z**2) + logdet + s


@pytest.mark.either
def test_pullbacks_are_those_of_derived_gradients():
    model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * p.x @ p.x)
    group, fitting = fitting_of(NormalizingFlowFamily("planar-radial-hh-scale-coupling"), "plain", model)
    z = pulling.draw(fitting, 3, 1)[0]
    weights = np.array([0.3, 0.4])
    pulling.pull(fitting, 3, (weights * np.cos(z) - 0.5 * z)[None])
    values = [shared.get_value() for shared in group.params]
    values = [v.item() if v.ndim == 0 else v for v in values[:-2]] + [values[-2][:, 0].copy(), values[-1][:, 0].copy()]
    names = tuple(range(len(values)))
    expected = nb.grad(objective, names)(*values, fitting.own(0).noise.copy(), weights)
    np.testing.assert_allclose(fitting.fit.gradient, np.concatenate([np.ravel(e) for e in expected]), rtol=1e-11)


#: A fault by its name: the module, what stands there, and what stands there in its stead.
MUTANTS = {
    "norm not squared": (planar, "(one_more - 1.0 - along) / square", "(one_more - 1.0 - along) / math.sqrt(square)"),
    "u that is not bent": (planar, "one_more - 1.0 - along) / square", "one_more - 1.0 - along) / square * 0.0"),
    "sign of planar": (planar, "own.logdet += math.log", "own.logdet -= math.log"),
    "sign of radial": (radial, "own.logdet += (", "own.logdet -= ("),
    "sign of scale": (affine, "own.logdet += log", "own.logdet -= log"),
    "sign of coupling": (coupling, "own.logdet += logs", "own.logdet -= logs"),
    "dimensions of radial": (radial, "(width - 1) * math.log", "width * math.log"),
    "slope of tanh": (planar, "2.0 * t * s * (one_more", "0.0 * t * s * (one_more"),
    "bend of u": (planar, "(bend - 1.0)", "bend"),
    "norm of w": (planar, "to_w[i] -= 2.0 * moved", "to_w[i] -= moved"),
    "centre of radial": (radial, "to_centre[i] -= apart", "to_centre[i] += apart"),
    "distance of radial": (radial, "outwards = to_r / r", "outwards = to_r"),
    "norm of v": (householder, "4.0 * along * slope * v[i]", "0.0 * v[i]"),
    "reflection of a gradient": (householder, "to_y[i] -= 2.0 * slope * v[i]", "to_y[i] -= slope * v[i]"),
    "stretch of a gradient": (affine, "to_y[i] *= scale", "to_y[i] *= 1.0"),
    "entropy of a stretch": (coupling, "* stretch + own.weight", "* stretch"),
    "bound of a stretch": (coupling, "(1.0 - tilt * tilt)", "1.0"),
    "way through the net": (coupling, "+= to_kept[k]", "+= 0.0 * to_kept[k]"),
}
KINDS = {
    planar: ["PlanarFlow"],
    radial: ["RadialFlow"],
    affine: ["ScaleFlow", "LocFlow"],
    householder: ["HouseholderFlow"],
    coupling: ["CouplingFlow"],
}

#: The text is the same, and each would be compiled anew.
in_python = pytest.mark.skipif(JIT, reason="faults are looked for in plain Python")


@pytest.mark.nojit  # long as plain Python
@in_python
@pytest.mark.parametrize("fault", sorted(MUTANTS))
def test_a_fault_in_a_layer_is_found(fault):
    module, old, new = MUTANTS[fault]
    made = faulty(module, (old, new))
    kinds = [getattr(made, name) for name in KINDS[module]]
    with pytest.raises(AssertionError):
        check_all(family_of(PlanarFlow, *kinds, *kinds))  # turns are taken, and gradients go on to the first


STACK_MUTANTS = {
    "a layer left out of the sum": ("stack.logdet += record", "stack.logdet = record"),
    "a layer left out of the push": ("for k in range(stack.n_layers):", "for k in range(1, stack.n_layers):"),
    "a layer left out of the pull": ("range(stack.n_layers - 1, -1, -1)", "range(stack.n_layers - 1, 0, -1)"),
    "log-determinants left out of the pull": ("layer.weight = weight", "layer.weight = 0.0"),
}


@in_python
@pytest.mark.parametrize("fault", sorted(STACK_MUTANTS))
def test_a_fault_in_a_stack_is_found(fault):
    made = faulty(stack, STACK_MUTANTS[fault])
    of_it = faulty(family, (f"from {stack.__name__} import", f"from {made.__name__} import"))
    with pytest.raises(AssertionError):
        check_all(family_of(ScaleFlow, RadialFlow, made_of=of_it, stack=made.Stack))


def logdet_of(kind, x, **params):
    return float(kind([x], params=params).logdet[0])


def test_planar_is_bent_to_be_invertible():
    """A slip that divides by the norm gives -3.99954."""
    w, u = np.array([0.3, 0.4]), np.array([-10.0, -10.0])
    flow = PlanarFlow([[0.0, 0.0]], params={"u": u, "w": w, "b": 0.0})
    assert np.exp(float(flow.logdet[0])) - 1.0 == pytest.approx(-0.99908854, abs=1e-8)
    step = flow.forward_pass(w / (w @ w) * 1e-6) - w / (w @ w) * 1e-6
    assert w @ step / 1e-6 == pytest.approx(-0.99908854, abs=1e-5)


@pytest.mark.parametrize("norm", [0.0, 1e-200, 1e-146, 1e-100, 1e-12, 1e-3])
def test_planar_with_hardly_any_w(norm):
    """Where w is 0, or its square is lost, u is as it is."""
    w, u, x = norm * np.array([0.6, 0.8]), np.array([1.0, -2.0]), np.array([0.5, 0.3])
    flow = PlanarFlow([x], params={"u": u, "w": w, "b": 0.4})
    z, logdet = flow.forward[0], float(flow.logdet[0])
    t = np.tanh(0.4 + w @ x)
    if norm < 1e-145:
        np.testing.assert_allclose(z, x + u * t, rtol=1e-14)
        assert logdet == pytest.approx(0.0, abs=1e-15)
        np.testing.assert_allclose(flow.inverse_pass(z), x, rtol=1e-14)
    else:
        bent = np.log1p(np.exp(w @ u)) - 1.0
        assert w @ (z - x) == pytest.approx(t * bent, rel=1e-10)
        assert logdet == pytest.approx(np.log(1.0 + (1.0 - t * t) * bent), rel=1e-10)


def test_planar_stays_invertible_far_out():
    """Also where tanh has become 1, and where u leans as far back as it can."""
    for scale in (1.0, 100.0, 1e5):
        assert np.isfinite(logdet_of(PlanarFlow, [3.0 * scale, 1.0], u=[-3.0, 1.0], w=[2.0, 2.0], b=0.1))
    for lean in (10.0, 100.0, 300.0):
        found = logdet_of(PlanarFlow, [0.0, 0.0], u=[-lean, 0.0], w=[1.0, 0.0], b=0.0)
        assert found == pytest.approx(-lean, rel=1e-4)


def test_a_reflection_without_a_direction_is_none():
    x = np.array([[0.5, -1.0]])
    for v in (0.0, 1e-200):
        flow = HouseholderFlow(x, params={"v": [v, v]})
        np.testing.assert_array_equal(flow.forward, x)
        np.testing.assert_array_equal(flow.inverse_pass(x), x)


def test_log_determinants_are_summed_as_logs():
    """Their product would be 0."""
    flow = Formula("scale*64")(z0=np.ones((1, 2)))
    for shared in flow.all_params:
        shared.set_value(inverse_softplus([1e-8, 1e-8]))
    assert float(flow.sum_logdets[0]) == pytest.approx(2 * 64 * np.log(1e-8), rel=1e-12)
    assert float(flow.sum_logdets[0]) / 2 == pytest.approx(-1178.9, abs=0.1)


def test_radial_draws_in_and_pushes_out():
    x = np.array([[2.0, 0.0]])
    near = RadialFlow(x, params={"a": 0.0, "b": -3.0, "z_ref": [0.0, 0.0]}).forward
    far = RadialFlow(x, params={"a": 0.0, "b": 3.0, "z_ref": [0.0, 0.0]}).forward
    assert near[0, 0] < 2.0 < far[0, 0]
    flow = RadialFlow(np.zeros((1, 2)), params={"a": 0.3, "b": 0.2, "z_ref": [0.0, 0.0]})
    np.testing.assert_array_equal(flow.forward, 0.0)  # the centre itself
    assert float(flow.logdet[0]) == pytest.approx(2.0 * np.log(np.log1p(np.exp(0.2)) / np.exp(0.3)))


@pytest.mark.parametrize("width", [2, 3, 5, 8])
def test_couplings_change_every_coordinate_and_have_any_two_meet(width):
    turns = range(2 * int(np.ceil(np.log2(width))))
    levels = [coupling.level_of.py_func(t, width) for t in turns]
    kept = np.array([[not coupling.is_changed.py_func(i, t, levels[t]) for i in range(width)] for t in turns])
    assert (~kept).any(axis=0).all()
    assert kept.any(axis=1).all()
    assert (~kept).any(axis=1).all()
    for i in range(width):
        for j in range(width):
            assert i == j or (kept[:, i] & ~kept[:, j]).any()
    for turn in turns:
        assert CouplingFlow.shapes(width, turn)["w1"][1] == kept[turn].sum()


def test_a_coupling_is_nothing_at_first():
    flow = Formula("coupling*2")(z0=np.random.default_rng(1).normal(size=(5, 3)), random_seed=1)
    np.testing.assert_array_equal(flow.forward, flow.root.z0)
    np.testing.assert_array_equal(flow.sum_logdets, 0.0)
    assert flow.params[0].get_value().std() > 0.1
