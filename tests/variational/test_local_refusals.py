"""What cannot be local, what encoders may not return, and what is said of it."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.autodiff import ADError
from nbinfer.compile import JIT
from nbinfer.errors import (
    AEVBInferenceError,
    CompileError,
    FitError,
    LocalGroupError,
    ModelError,
    NbinferWarning,
    ParametrizationError,
    StreamingError,
)
from tests.variational.local_models import (
    ENCODERS,
    N,
    X,
    fitted,
    local,
    one_factor,
    slope_and_factor,
    to_mu,
    to_rho,
    z_prior,
)


def short(d):
    return d.x[:3]


def column(d):
    return d.x.reshape(-1, 1) * np.ones((1, 2))


def number(d):
    return 0.5


def looked_up(d):
    return d.a[d.k[0]] * d.x


def no_derivative(d):
    return np.median(d.a) * d.x


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"params": {"mu": short, "rho": to_rho}}, r"'rho' \(to_rho\) must return shape \(3,\) for these data"),
        ({"params": {"mu": short, "rho": short}}, r"'mu' \(short\) must return shape \(6,\), a row for each of z, got"),
        ({"params": {"mu": column, "rho": to_rho}}, r"of z for 'mu' \(column\) must return shape \(6,\) for"),
        ({"params": {"mu": number, "rho": to_rho}}, r"'mu' \(number\) must return an array of numbers, one row"),
        ({"params": {"mu": np.zeros(6), "rho": to_rho}}, r"params\['mu'\] of a local group must be a function f\(d\)"),
        ({"local": False}, r"params\['mu'\] is a function: those of the data are encoders of a local group"),
        ({"rowwise": True}, "a local group has its rows from encoders already; leave out rowwise"),
        ({"params": {"histogram": to_mu}}, "empirical cannot be local: it approximates no rows each for itself"),
        ({"params": {"mu": to_mu, "rho": to_rho, "U": to_mu}}, "low_rank cannot be local"),
        ({"params": None, "vfam": "mf"}, "a local group has encoders in the place of vfam='mf'"),
        ({"group": None}, "a local group names its one parameter, got None"),
        ({"group": ["z", "w"]}, r"a local group names its one parameter, got \['z', 'w'\]"),
        ({"group": ["w"]}, "local takes one parameter that has rows, got w, which is a number"),
    ],
)  # fmt: skip
def test_groups_that_cannot_be_local(change, text):
    options = {"group": ["z"], "params": ENCODERS, "local": True, "model": slope_and_factor(6)} | change
    with pytest.raises(LocalGroupError, match=text):
        nb.Group(**options)


def test_a_parameter_of_batches_must_be_local():
    m = slope_and_factor(6)
    text = r"z is in the group <Group mean_field: w, z>, which is not local, and stands for 60.0 of its kind"
    with pytest.raises(LocalGroupError, match=text):
        nb.fit(3, model=m, progressbar=False)
    with pytest.raises(LocalGroupError, match="z is in the group"):
        nb.Pathfinder(model=one_factor(total_size={"z": 2 * N}))
    with pytest.raises(LocalGroupError, match="z is in the group"):
        nb.KLqp(nb.Approximation([nb.Group("w", "mf", model=m), nb.Group("z", "fr", model=m)], m)).fit(3)


def test_a_local_parameter_without_total_size_is_warned_about():
    m = one_factor(6, total_size={"x": N}, prior=z_prior_sum)
    with pytest.warns(NbinferWarning, match="z is local, and no total_size says how many of it there are"):
        fitted(local(m), 1)


def z_prior_sum(p, d):
    return -0.5 * np.sum(p.z**2)


@pytest.mark.filterwarnings("ignore:ASVGD is experimental")
@pytest.mark.parametrize("kind", [nb.SVGD, nb.ASVGD, nb.DADVI, nb.BaM, nb.Pathfinder])
def test_methods_that_know_no_local_parameters(kind):
    with pytest.raises(AEVBInferenceError):
        kind(local_rv={"z": ENCODERS}, model=one_factor(None))


def test_operators_and_draws_that_know_no_local_parameters():
    approx = local(one_factor(None))
    with pytest.raises(AEVBInferenceError, match="KSD knows no gradient by the data"):
        nb.ImplicitGradient(approx)
    assert nb.KL(approx).supports_aevb
    with pytest.raises(LocalGroupError, match="an empirical approximation has no local parameters"):
        nb.Empirical(size=3, local_rv={"z": ENCODERS}, model=one_factor(None))


def test_encoders_without_anything_to_learn():
    with pytest.raises(ValueError, match="of encoders the names of the entries of the data that are their weights"):
        fitted(local(one_factor(None)), 3, more_obj_params=None)


def numbered():
    for k in (0, 1, 1, 2, 0):
        yield np.array([k])


@pytest.mark.either
def test_what_an_encoder_raises_comes_out():
    m = one_factor(data={"k": nb.generator(numbered())})
    approx = local(m, {"mu": looked_up, "rho": to_rho})
    with pytest.raises(IndexError, match="index 2 is out of bounds"):
        fitted(approx, 9)
    assert len(approx.hist) == 3
    assert np.isfinite(approx.data["a"]).all()


def test_encoders_that_cannot_be_differentiated():
    with pytest.raises(ADError, match="median"):
        fitted(local(one_factor(6), {"mu": no_derivative, "rho": to_rho}), 3)


def formatted(d):
    return np.array([float(format(x)) for x in d.x])


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_encoders_that_cannot_be_compiled():
    m = slope_and_factor(6)
    groups = [nb.Group(["z"], params={"mu": formatted, "rho": to_rho}, local=True, model=m), nb.Group(None, "mf")]
    with pytest.raises(CompileError, match=r"cannot compile the encoder of z for 'mu'(.|\n)*float\(format\(x\)\)"):
        nb.KLqp(nb.Approximation(groups, m)).fit(3, progressbar=False)


# ---- mistakes of newcomers, and what would mend them


def endless(d):
    return d.a[0] * d.x / (0.0 * d.a[1])


@pytest.mark.either
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_an_encoder_that_gives_what_is_not_finite_is_named_with_the_row():
    approx = local(one_factor(6), {"mu": endless, "rho": to_rho})
    with pytest.raises(FitError, match=r"the encoder of z for 'mu' \(endless\) gives -?inf for row 0 of the data"):
        fitted(approx, 3)
    assert len(approx.hist) == 0


def root(d):
    return np.sqrt(d.a[0] - 0.1) * d.x


@pytest.mark.either
@pytest.mark.filterwarnings("ignore:invalid value")
def test_an_encoder_that_leaves_its_domain_during_a_fit_is_named():
    """The weight begins at the end of its domain and is pushed out of it: what is said is not about the density."""
    approx = local(one_factor(6, a=(0.2, -1.0)), {"mu": root, "rho": to_rho})
    approx_of = {"obj_optimizer": nb.sgd(learning_rate=1.0), "callbacks": [push]}
    with pytest.raises(FitError, match=r"the encoder of z for 'mu' \(root\) gives nan for row 0 of the data"):
        fitted(approx, 200, **approx_of)


def push(approx, losses, i):
    next(shared for shared in approx.params if shared.name == "a").set_value([0.0, -1.0])


def lacking(d):
    return d.weights[0] * d.x


def truths(d):
    return d.x > 0.0


def none_left(d):
    return d.x[:0]


@pytest.mark.parametrize(
    ("mu", "error", "text"),
    [
        (truths, LocalGroupError, "must return an array of numbers, one row for each of z, got dtype bool"),
        (none_left, LocalGroupError, r"must return at least one row, got shape \(0,\); pass data with rows"),
        (lambda d: 1.0 * d.x.shape[0], LocalGroupError, "must return an array of numbers.* got float"),
        (lambda p, d: d.x, ModelError, r"params\['mu'\] must take 1 arguments, f\(d\), got <lambda>\(p, d\)"),
    ],
)
def test_what_encoders_may_not_return(mu, error, text):
    with pytest.raises(error, match=text):
        local(one_factor(6), {"mu": mu, "rho": to_rho})


def test_an_encoder_that_raises_is_named():
    with pytest.raises(AttributeError) as caught:
        local(one_factor(6), {"mu": lacking, "rho": to_rho})
    assert "the encoder of z for 'mu' (lacking), which is given the data x, a" in caught.value.__notes__[-1]


@pytest.mark.either
def test_encoders_that_nobody_trains_are_warned_about():
    m = slope_and_factor(6)
    approx = nb.Approximation([nb.Group("z", params=ENCODERS, local=True, model=m), nb.Group(None, "mf")], m)
    with pytest.warns(NbinferWarning, match=r"encoders of z stay as they are.* more_obj_params=\[\.\.\.\]"):
        fitted(approx, 1, more_obj_params=None)
    fitted(approx, 1, more_obj_params=[])  # so it is meant
    fitted(approx, 1)
    fitted(approx, 1, more_obj_params=None)  # they were trained before


def test_names_that_are_something_else():
    with pytest.raises(ParametrizationError, match="more_obj_params names 'z', a parameter, which a group of the"):
        fitted(local(one_factor(6)), 1, more_obj_params=["z"])
    text = r"total_size names 'z', which is no term.*terms: x; name its prior, prior=\{'z': f, \.\.\.\}"
    with pytest.raises(ModelError, match=text):
        one_factor(6, prior=z_prior)


@pytest.mark.either
def test_a_fit_that_cannot_begin_has_learnt_nothing():
    m = one_factor(6)
    approx = local(m, {"mu": no_derivative, "rho": to_rho})
    with pytest.raises(ADError):
        fitted(approx, 3)
    assert approx.params == []
    m.set_data(a=np.array([5.0, 5.0]))
    np.testing.assert_array_equal(approx.data["a"], [5.0, 5.0])


def test_rows_that_are_in_a_file(tmp_path):
    rows = np.memmap(tmp_path / "x", np.float64, "w+", shape=N)
    rows[:] = X
    approx = fitted(local(one_factor(6, x=nb.Minibatch(rows, 6, random_seed=3)), random_seed=1), 3)
    for ask in (lambda: approx.mean, lambda: approx.logq(3), lambda: approx.sample_node("z"), lambda: approx.elbo(3)):
        with pytest.raises(StreamingError, match=r"local parameters have a value for each row.*more_replacements"):
            ask()
    assert approx.sample_node("z", 2, more_replacements={"x": X}).shape == (2, N)
    other = fitted(local(one_factor(6), random_seed=1), 3)  # the same rows in memory
    np.testing.assert_array_equal(approx.hist, other.hist)


def of_site(d):
    return d.a[d.site] * d.x


@pytest.mark.either
@pytest.mark.parametrize("wrong", [2, -3])
def test_indices_that_encoders_take_are_looked_at_before_the_fit(wrong):
    site = np.arange(N) % 2
    site[12] = wrong
    batches = nb.Minibatch(site, 6, random_seed=3)
    approx = local(one_factor(6, data={"site": batches}), {"mu": of_site, "rho": to_rho})
    text = f"data 'site' holds {wrong} in row 12, which is out of range where the model takes it for an index"
    with pytest.raises(IndexError, match=text):
        fitted(approx, 50)
    assert len(approx.hist) == 0
    batches.set_value(np.arange(N) % 2)
    assert len(fitted(approx, 3).hist) == 3
