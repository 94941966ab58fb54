"""Laws of missing data: the density is that of the model in which someone wrote the missing values as parameters."""

import copy
import functools
import pickle

import numpy as np
import pytest

import nbinfer.model as nb
from nbinfer.compile import JIT
from nbinfer.distributions import (
    bernoulli,
    beta,
    binomial,
    cauchy,
    exponential,
    gamma,
    laplace,
    lognormal,
    negative_binomial,
    normal,
    pareto,
    poisson,
    student_t,
    uniform,
)
from nbinfer.errors import ModelError
from nbinfer.model.code import generate, plan
from nbinfer.model.missing import axes, observed_cells, without_missing
from tests.model.address import record, through_address

NAN = np.nan


def of_normal(y, a):
    return normal.logpdf(y, a, 1.5)


def of_student_t(y, a):
    return student_t.logpdf(y, 4.0, a, 1.5)


def of_cauchy(y, a):
    return cauchy.logpdf(y, a, 2.0)


def of_laplace(y, a):
    return laplace.logpdf(y, a, 2.0)


def of_gamma(y, a):
    return gamma.logpdf(y, 2.0 + a**2, 1.5)


def of_lognormal(y, a):
    return lognormal.logpdf(y, a, 0.7)


def of_exponential(y, a):
    return exponential.logpdf(y, np.exp(a))


def of_beta(y, a):
    return beta.logpdf(y, 2.0, 1.0 + a**2)


def of_pareto(y, a):
    return pareto.logpdf(y, 2.0 + a**2, 1.0)


def of_uniform(y, a):
    return uniform.logpdf(y, -2.0, 5.0) - 0.1 * (y - a) ** 2


def of_poisson(y, a):
    return poisson.logpmf(y, np.exp(a))


def of_binomial(y, a):
    return binomial.logpmf(y, 8, 1.0 / (1.0 + np.exp(-a)))


def of_negative_binomial(y, a):
    return negative_binomial.logpmf(y, np.exp(a), 2.0)


def of_bernoulli(y, a):
    return bernoulli.logpmf(y, 1.0 / (1.0 + np.exp(-a)))


#: By family its log density, the support of a missing value, and observed ones.
FAMILIES = {
    "normal": (of_normal, nb.real, [0.3, NAN, -1.2, NAN, 2.0]),
    "student_t": (of_student_t, nb.real, [NAN, 0.3, -1.2, 7.0, NAN]),
    "cauchy": (of_cauchy, nb.real, [0.3, -1.2, NAN]),
    "laplace": (of_laplace, nb.real, [NAN, -1.2, NAN, 3.0]),
    "gamma": (of_gamma, nb.positive, [0.3, NAN, 1.2, NAN]),
    "lognormal": (of_lognormal, nb.positive, [NAN, NAN, 1.2, 4.0]),
    "exponential": (of_exponential, nb.positive, [0.3, NAN, 1.2, NAN, 0.1]),
    "beta": (of_beta, nb.unit, [0.3, NAN, 0.9, NAN]),
    "pareto": (of_pareto, functools.partial(nb.lower, 1.0), [1.3, NAN, 4.0, NAN]),
    "uniform": (of_uniform, functools.partial(nb.interval, -2.0, 5.0), [NAN, 4.0, NAN]),
    "poisson": (of_poisson, functools.partial(nb.integer, 0, 50), [3, NAN, 0, NAN, 7]),
    "binomial": (of_binomial, functools.partial(nb.integer, 0, 8), [NAN, 8, 0, NAN]),
    "negative_binomial": (of_negative_binomial, functools.partial(nb.integer, 0, 99), [3, 1, NAN, NAN]),
    "bernoulli": (of_bernoulli, nb.binary, [1, 0, NAN, NAN, 1]),
}


def prior(p, d):
    return -0.5 * p.a**2


def of_whole(logpdf):
    def likelihood(p, d):
        return logpdf(d.y, p.a)

    return likelihood


def of_parts(logpdf):
    def likelihood(p, d):
        return np.sum(logpdf(d.y, p.a)) + np.sum(logpdf(p.y_missing, p.a))

    return likelihood


def parts_of(names):
    """Return, by name, which values are missing, and the others in the type that the support asks for."""
    values = {name: np.array(FAMILIES[name][2]) for name in names}
    gaps = {name: np.isnan(y) for name, y in values.items()}
    kinds = {name: np.int64 if FAMILIES[name][1]().discrete else np.float64 for name in names}
    return gaps, {name: values[name][~gap].astype(kinds[name]) for name, gap in gaps.items()}


def imputing(name):
    """Return a model that imputes."""
    logpdf, support, y = FAMILIES[name]
    return nb.Model({"a": nb.real()}, prior=prior, likelihood={"y": of_whole(logpdf)}, data={"y": y},
                    missing={"y": support()})  # fmt: skip


def by_hand(name):
    """Return the same with the missing values written as parameters."""
    logpdf, support, _ = FAMILIES[name]
    gaps, there = parts_of([name])
    supports = {"a": nb.real(), "y_missing": support(shape=int(gaps[name].sum()))}
    return nb.Model(supports, prior=prior, likelihood={"y": of_parts(logpdf)}, data={"y": there[name]})


def agree(one, other, seed):
    """Compare two models, compiled."""
    q, z = a_place(one.definition, seed)
    wanted, grad = other.value_and_grad(q, z)
    found = one.value_and_grad(q, z)
    np.testing.assert_allclose(found[0], wanted, rtol=1e-12)
    np.testing.assert_allclose(found[1], grad, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(one.value(q, z), wanted, rtol=1e-12)


def a_place(model, seed=0):
    """Return coordinates and discrete values that are nothing special."""
    rng = np.random.default_rng(seed)
    discrete = [
        rng.integers(*p.support.constants[[0, -1]].astype(int), p.elements, endpoint=True)
        for p in model.parameters.values()
        if p.support.discrete
    ]
    return rng.normal(size=model.dim), np.concatenate([np.zeros(0, np.int64), *discrete])


@pytest.mark.parametrize("name", FAMILIES)
def test_the_density_is_that_of_the_model_written_by_hand(name):
    one, other = imputing(name), by_hand(name)
    assert list(one.parameters) == list(other.parameters)
    assert one.parameters["y_missing"].support == other.parameters["y_missing"].support
    assert one.data["y"].dtype == (np.int64 if FAMILIES[name][1]().discrete else np.float64)
    for seed in range(3):
        q, z = a_place(one, seed)
        assert np.isfinite(other.logp_unconstrained(q, z))
        np.testing.assert_allclose(one.logp_unconstrained(q, z), other.logp_unconstrained(q, z), rtol=1e-12)
        np.testing.assert_allclose(one.log_jacobian(q, z), other.log_jacobian(q, z), rtol=1e-12)

    if not JIT:  # compiled, this is done for some
        assert one.bind(1).has_gradient == "derived"
        agree(one.bind(1), other.bind(1), 1)


def of_some(p, d):
    return np.sum(of_normal(d.normal, p.a)) + np.sum(of_beta(d.beta, p.a)) + np.sum(of_poisson(d.poisson, p.a))


def of_some_by_hand(p, d):
    more = np.sum(of_normal(p.normal_missing, p.a)) + np.sum(of_beta(p.beta_missing, p.a))
    return of_some(p, d) + more + np.sum(of_poisson(p.poisson_missing, p.a))


def test_value_and_gradient_of_some_are_those_of_the_model_written_by_hand():
    names = ["normal", "beta", "poisson"]
    gaps, there = parts_of(names)
    one = nb.Model({"a": nb.real()}, prior=prior, likelihood=of_some, data={n: FAMILIES[n][2] for n in names},
                   missing={n: FAMILIES[n][1]() for n in names})  # fmt: skip
    supports = {f"{n}_missing": FAMILIES[n][1](shape=int(gap.sum())) for n, gap in gaps.items()}
    other = nb.Model({"a": nb.real()} | supports, prior=prior, likelihood=of_some_by_hand, data=there)
    assert one.bind(1).has_gradient == "derived"
    for seed in range(3):
        agree(one.bind(1), other.bind(1), seed)


def y_whole(p, d):
    return d.y


def likelihood(p, d):
    return normal.logpdf(d.y, p.mu, p.s)


def log_prior(p, d):
    return normal.logpdf(p.mu, 0.0, 5.0) - p.s


Y = np.array([[1.0, NAN, 0.5], [2.5, -0.7, NAN]])


@functools.cache
def small(**more):
    return nb.Model(
        {"mu": nb.real(), "s": nb.positive()}, prior=log_prior, likelihood={"y": likelihood}, data={"y": Y},
        missing={"y": nb.real()}, derived={"whole": y_whole}, name="small", **more,
    )  # fmt: skip


def exact(q):
    """Return density and gradient of `small`, by calculus."""
    mu, log_s, *gaps = q
    s, y = np.exp(log_s), np.array([1.0, gaps[0], 0.5, 2.5, -0.7, gaps[1]])
    z = (y - mu) / s
    value = (
        -0.5 * (mu / 5.0) ** 2 - np.log(5.0) - s + log_s - 0.5 * np.sum(z**2) - 6.0 * log_s - 3.5 * np.log(2 * np.pi)
    )
    return value, np.array([-mu / 25.0 + z.sum() / s, -s + 1.0 + np.sum(z**2) - 6.0, -z[1] / s, -z[5] / s])


PLACE = np.array([0.4, -0.2, 1.7, -2.1])


def follows_calculus(model):
    value, grad = model.bind(1).value_and_grad(PLACE)
    wanted = exact(PLACE)
    return np.isclose(value, wanted[0], rtol=1e-12) and np.allclose(grad, wanted[1], rtol=1e-11)


def test_density_and_gradient_follow_calculus():
    assert follows_calculus(small())
    assert small().check_grad().ok


def misplaced(write):
    """Have statements about gaps be about the first elements."""
    return lambda p: [line.replace("y[data.y_missing_index[i]]", "y[i]") for line in write(p)]


MUTANTS = {
    "no slopes": (generate, "from_gaps", lambda p: []),
    "slopes of the first elements": (generate, "from_gaps", misplaced(plan.from_gaps)),
    "filled from the front": (plan, "fill", misplaced(plan.fill)),
    "not filled": (plan, "fill", lambda p: []),
}


@pytest.mark.skipif(JIT, reason="plain Python runs the same text")
@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_fail_calculus(name, monkeypatch):
    monkeypatch.setattr(*MUTANTS[name])
    assert not follows_calculus(copy.copy(small()))


@pytest.mark.skipif(JIT, reason="plain Python runs the same text")
def test_a_jacobian_that_is_left_out_is_seen(monkeypatch):
    constrain = generate.constrain

    def without(p, **more):
        return [line.replace("log_jacobian += forward_y_missing", "forward_y_missing") for line in constrain(p, **more)]

    q, z = a_place(by_hand("beta"))
    wanted = by_hand("beta").logp_unconstrained(q, z)
    assert np.isclose(imputing("beta").bind(1).value_and_grad(q, z)[0], wanted, rtol=1e-12)
    monkeypatch.setattr(generate, "constrain", without)
    assert not np.isclose(imputing("beta").bind(1).value_and_grad(q, z)[0], wanted, rtol=1e-3)


def test_rows_hold_the_missing_values_and_what_is_made_of_whole_data():
    values = record(small().bind(1), PLACE)[1]
    np.testing.assert_array_equal(values["y_missing"], PLACE[2:])
    np.testing.assert_array_equal(values["whole"], [[1.0, 1.7, 0.5], [2.5, -0.7, -2.1]])


def test_each_chain_fills_memory_of_its_own():
    bound = small().bind(2)
    other = PLACE + 1.0
    first = through_address(bound, PLACE, 0)
    through_address(bound, other, 1)
    assert through_address(bound, PLACE, 0)[0] == first[0]
    addresses = {int(row[0]) for row in bound.tables}
    assert len(addresses) == 3
    assert np.isnan(small().data["y"]).sum() == 2  # the model's own stay as they are


FILLS = {
    "NaN": Y,
    "masked, huge": np.ma.masked_array(np.where(np.isnan(Y), 1e20, Y), np.isnan(Y)),
    "masked, NaN": np.ma.masked_invalid(Y),
    "masked, and NaN beside": np.ma.masked_array(Y, [[False, True, False], [False] * 3]),
    "None": [[1.0, None, 0.5], [2.5, -0.7, None]],
}


@pytest.mark.parametrize("name", FILLS)
def test_what_lies_in_a_gap_never_matters(name):
    model = nb.Model(
        {"mu": nb.real(), "s": nb.positive()}, prior=log_prior, likelihood={"y": likelihood}, data={"y": FILLS[name]},
        missing={"y": nb.real()},
    )  # fmt: skip
    np.testing.assert_array_equal(model.definition.data["y"].array, small().definition.data["y"].array)
    np.testing.assert_array_equal(model.missing["y"], [1, 5])
    assert model.logp_unconstrained(PLACE) == small().logp_unconstrained(PLACE)


def test_pandas_gaps():
    pandas = pytest.importorskip("pandas")
    for series in (pandas.Series([3, None, 5], dtype="Int64"), pandas.Series([3.0, NAN, 5.0])):
        model = nb.Model(
            {"a": nb.real()}, prior=prior, likelihood={"y": lambda p, d: poisson.logpmf(d.y, np.exp(p.a))},
            data={"y": series}, missing={"y": nb.integer(0, 9)},
        )  # fmt: skip
        assert model.data["y"].dtype == np.int64
        assert list(model.missing["y"]) == [1]


@pytest.mark.parametrize(
    "y", [np.nan_to_num(Y), np.ma.masked_array(np.nan_to_num(Y)), np.ma.masked_invalid(np.zeros(3))]
)
def test_without_gaps_it_is_the_plain_model(y):
    arguments = {"prior": log_prior, "likelihood": {"y": likelihood}, "data": {"y": y}}
    supports = {"mu": nb.real(), "s": nb.positive()}
    model, plain = nb.Model(supports, missing={"y": nb.real()}, **arguments), nb.Model(supports, **arguments)
    assert (list(model.parameters), list(model.data), model.missing) == (["mu", "s"], ["y"], {})
    assert model.definition.content(False) == plain.definition.content(False)
    assert model.logp_unconstrained(PLACE[:2]) == plain.logp_unconstrained(PLACE[:2])


KINDS = {
    "masked integers": np.ma.masked_array([2, 7, 0], [False, True, False]),
    "objects": np.array([2, None, 0], object),
    "floats": [2.0, NAN, 0.0],
}


@pytest.mark.parametrize("name", KINDS)
def test_discrete_data_stay_integers_and_index(name):
    def logp(p, d):
        return np.sum(np.log(d.weights[d.y])) - 0.5 * p.a**2

    weights = np.array([0.2, 0.3, 0.5])
    model = nb.Model(
        {"a": nb.real()}, logp=logp, data={"y": KINDS[name], "weights": weights}, missing={"y": nb.categorical(3)}
    )
    assert model.data["y"].dtype == np.int64
    assert model.parameters["y_missing"].support.discrete
    for k in range(3):
        value = model.logp({"a": 0.0, "y_missing": [k]})
        np.testing.assert_allclose(value, np.log(weights[[2, k, 0]]).sum(), rtol=1e-12)
    if name == "floats":
        bound = model.bind(1)
        np.testing.assert_allclose(bound.value_and_grad([0.0], np.array([1]))[0], np.log(weights[[2, 1, 0]]).sum())
    np.testing.assert_array_equal(nb.Model.of(model.definition).missing["y"], [1])


def of_index(p, d):
    return d.a[d.g[0]] - 0.5 * p.x**2


@pytest.mark.parametrize("which", ["value_density", "density"])
def test_an_imputed_index_that_leaves_its_array_is_an_error_and_no_memory_of_others(which):
    model = nb.Model(
        {"x": nb.real()},
        logp=of_index,
        data={"g": [NAN, 0.0], "a": np.arange(3.0)},
        missing={"g": nb.integer(0, 10**9)},
    )
    bound = model.bind(1)
    bound.discrete(0)[:] = 2
    assert through_address(bound, np.zeros(1), 0, density=getattr(bound, which))[0] == 2.0
    bound.discrete(0)[:] = 10**9
    assert through_address(bound, np.zeros(1), 0, density=getattr(bound, which))[0] == -np.inf
    assert bound.failed_chains == [0]
    with pytest.raises(IndexError):
        bound.replay(np.zeros(1), np.array([10**9]))


def test_one_support_for_each_element():
    above = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    model = nb.Model({"mu": nb.real()}, logp=lambda p, d: -np.sum((d.y - p.mu) ** 2), data={"y": Y},
                     missing={"y": nb.lower(above)})  # fmt: skip
    assert model.parameters["y_missing"].support == nb.lower([1.0, 5.0])


def limit(p, d):
    return p.top + 0.0 * np.nanmax(d.y)


def truncated(p, d):
    return -np.sum((d.y - 1.0) ** 2) - 0.5 * (p.top - 4.0) ** 2


def test_bounds_may_be_functions_and_see_gaps():
    model = nb.Model({"top": nb.lower(3.0)}, logp=truncated, data={"y": Y}, missing={"y": nb.upper(limit)})
    q = np.array([0.1, 0.5, -0.3])
    values = model.constrain(q)
    assert np.all(values["y_missing"] < values["top"])
    bound = model.bind(1)
    for _ in range(2):  # what was filled in before is not seen
        np.testing.assert_allclose(bound.value(q), model.logp_unconstrained(q), rtol=1e-12)
        np.testing.assert_allclose(bound.value_and_grad(q)[0], model.logp_unconstrained(q), rtol=1e-12)


def written(p, d, grad):
    total = 0.0
    flat = d.y.ravel()
    for i in range(flat.size):
        z = (flat[i] - p.mu) / p.s
        total -= 0.5 * z * z + np.log(p.s) + 0.5 * np.log(2.0 * np.pi)
        grad.mu[()] += z / p.s
        grad.s[()] += (z * z - 1.0) / p.s
    for k in range(d.y_missing_index.size):
        grad.y_missing[k] -= (flat[d.y_missing_index[k]] - p.mu) / p.s**2
    grad.mu[()] -= p.mu / 25.0
    grad.s[()] -= 1.0
    return total - 0.5 * (p.mu / 5.0) ** 2 - np.log(5.0) - 0.5 * np.log(2.0 * np.pi) - p.s


def forgetful(p, d, grad):
    k = grad.y_missing.copy()
    value = written(p, d, grad)
    grad.y_missing[:] = k
    return value


def test_a_written_gradient_writes_that_of_missing_values():
    supports = {"mu": nb.real(), "s": nb.positive()}
    model = nb.Model(supports, logp_grad=written, data={"y": Y}, missing={"y": nb.real()})
    assert model.bind(1).has_gradient == "written"
    assert follows_calculus(model)
    wrong = nb.Model(supports, logp_grad=forgetful, data={"y": Y}, missing={"y": nb.real()})
    with pytest.raises(ModelError, match=r"logp_grad of the model is wrong for y_missing\[\d\]"):
        wrong.bind(1).check_gradient(PLACE)


def underivable(p, d):
    table = {0: p.mu}
    return -0.5 * ((d.y - table[0]) / p.s) ** 2 - np.log(p.s)


@pytest.mark.nojit
def test_differences_will_do():
    model = nb.Model({"mu": nb.real(), "s": nb.positive()}, prior=log_prior, likelihood={"y": underivable},
                     data={"y": Y}, missing={"y": nb.real()})  # fmt: skip
    bound = model.bind(1)
    assert bound.has_gradient == "finite differences"
    np.testing.assert_allclose(bound.value_and_grad(PLACE)[1], exact(PLACE)[1], rtol=1e-6)


def test_conditionals_see_whole_data():
    def of_gap(p, d, i):
        return normal.logpdf(d.y.ravel()[d.y_missing_index[i]], p.mu, p.s)

    model = nb.Model({"mu": nb.real(), "s": nb.positive()}, prior=log_prior, likelihood={"y": likelihood},
                     data={"y": Y}, missing={"y": nb.real()}, conditional={"y_missing": of_gap})  # fmt: skip
    from nbinfer.model.code.extras import check_conditionals

    check_conditionals(model.definition, PLACE, np.zeros(0, np.int64))


def test_new_data_have_gaps_of_their_own():
    model = copy.copy(small())
    before = model.definition
    model.set_data(y=[[1.0, 2.0, NAN], [NAN, NAN, 0.5]])
    np.testing.assert_array_equal(model.missing["y"], [2, 3, 4])
    assert model.parameters["y_missing"].shape == (3,)
    np.testing.assert_array_equal(before.missing["y"], [1, 5])
    model.set_data(y=np.zeros((4, 3)))
    assert (list(model.parameters), list(model.data)) == (["mu", "s"], ["y"])
    model.set_data(y=Y)
    assert follows_calculus(model)
    with pytest.raises(ModelError, match="unknown names"):
        model.set_data(y_missing_index=[3, 4])
    with pytest.raises(ModelError, match="must stay a 2-dimensional float64 array"):
        model.set_data(y=[1.0, NAN])


def test_copies_and_pickles():
    for model in (copy.deepcopy(small()), pickle.loads(pickle.dumps(nb.Model.of(small().definition)))):
        assert model.logp_unconstrained(PLACE) == small().logp_unconstrained(PLACE)
        np.testing.assert_array_equal(model.missing["y"], [1, 5])


def test_what_others_ask_of_gaps():
    definition = small().definition
    np.testing.assert_array_equal(observed_cells(definition, "y"), ~np.isnan(Y))
    assert observed_cells(definition, "mu") is None
    dims, coords = axes(definition)
    assert dims == {"y_missing": ["y_missing_at"]}
    assert list(coords["y_missing_at"]) == ["(0, 1)", "(1, 2)"]
    plain = without_missing(definition)
    assert (list(plain.parameters), list(plain.data), plain.missing) == (["mu", "s"], ["y"], {})
    np.testing.assert_array_equal(np.isfinite(plain.data["y"].array), np.ones(Y.shape))
    assert without_missing(plain) is plain
    counts = imputing("poisson")
    np.testing.assert_array_equal(counts.observed["y"], [3, NAN, 0, NAN, 7])
    np.testing.assert_array_equal(axes(counts.definition)[1]["y_missing_at"], [1, 3])


def refused(match, y=Y, *, data=None, supports=None, **arguments):
    with pytest.raises(ModelError, match=match):
        nb.Model(supports or {"mu": nb.real(), "s": nb.positive()}, prior=log_prior, likelihood={"y": likelihood},
                 data=data or {"y": y}, **arguments)  # fmt: skip


def test_gaps_are_refused_by_any_route():
    remedy = r"missing=\{'y': nb.real\(\)\}"
    refused(rf"data 'y' must not hold NaN, got 2, the first at index \(0, 1\).*{remedy}")
    refused(rf"data 'y' must not be masked, got 2 masked elements, the first at index \(0, 1\).*{remedy}",
            np.ma.masked_invalid(Y))  # fmt: skip
    model = nb.Model({"mu": nb.real(), "s": nb.positive()}, prior=log_prior, likelihood={"y": likelihood},
                     data={"y": np.zeros((2, 3))})  # fmt: skip
    with pytest.raises(ModelError, match=remedy):
        model.set_data(y=Y)
    with pytest.raises(ModelError, match=remedy):
        model.set_data(y=np.ma.masked_invalid(Y))


def test_what_cannot_be_imputed_is_refused():
    real = {"y": nb.real()}
    refused(r"missing names 'x', which is no data; there are y", missing={"x": nb.real()})
    refused(r"missing\['y'\] must be a support.*call it: real\(\)", missing={"y": nb.real})
    refused(r"missing\['y'\] must be the support of single numbers.*got simplex\(3\)", missing={"y": nb.simplex(3)})
    refused(r"missing\['y'\] must be the support of one value, or have the shape of its data, \(2, 3\)",
            missing={"y": nb.real(2)})  # fmt: skip
    refused(r"has a bound that is a function", missing={"y": nb.upper(limit, shape=(2, 3))})
    refused(r"must be whole numbers, for missing\['y'\] is integer\(0, 9\), got 0.5 at index \(0, 2\)",
            missing={"y": nb.integer(0, 9)})  # fmt: skip
    refused(r"missing and allow_nan both name 'y'", missing=real, allow_nan=["y"])
    refused(r"missing names 'y', which is a number", NAN, missing=real)
    refused(r"the parameter name 'y_missing' is that of what 'y' lacks", missing=real,
            supports={"mu": nb.real(), "s": nb.positive(), "y_missing": nb.real(2)})  # fmt: skip
    refused(r"the data name 'y_missing_index' is that of what 'y' lacks", missing=real,
            data={"y": Y, "y_missing_index": [1]})  # fmt: skip
    refused(r"total_size\['y'\] scales a term in which values of 'y' are missing", missing=real, total_size=100)
    refused(r"must be real numbers, integers or booleans", np.array([["a", None, "b"]], object), missing=real)


def test_batches_are_refused():
    from nbinfer.streaming import Minibatch

    refused("missing names 'y', which comes in batches", Minibatch(np.zeros((9, 2)), 3), missing={"y": nb.real()})
