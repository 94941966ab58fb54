"""What every family must obey, and families with a fault in their text, which must not."""

import inspect
import sys
import types

import numpy as np
from scipy import stats

from nbinfer.compile import JIT, address_of
from nbinfer.variational import pulling
from nbinfer.variational.draws import draw
from nbinfer.variational.fitting import Fitting, Settings
from nbinfer.variational.group import Group
from nbinfer.variational.optimizers import sgd
from tests.variational.targets import gaussian, several

SEED = np.random.SeedSequence(5)


def faulty(module, *edits):
    """Return a module whose text is edited: for each pair, the first must stand in it."""
    source = inspect.getsource(module)
    for old, new in edits:
        assert old in source, old
        source = source.replace(old, new)
    made = types.ModuleType(f"faulty_{module.__name__.rpartition('.')[2]}_{abs(hash(edits)) % 10**8}")
    sys.modules[made.__name__] = made  # dataclasses look there
    exec(compile(source, made.__name__, "exec"), vars(made))
    return made


def scattered(group, rng):
    """Give the parameters of a group values that are nothing special."""
    for shared in group.params:
        shared.set_value(rng.normal(size=shared.shape) * 0.7)


def fitting_of(family, estimator="plain", model=None, rowwise=False, seed=0):
    """Return a group of a family with scattered parameters, and memory for it."""
    if model is None:
        model = several() if rowwise else gaussian(np.eye(4) + 0.3)
    group = Group.__new__(Group)
    group._given, group.family, group.rowwise, group.random_seed = {}, family, rowwise, None
    group._start = group._start_sigma = None
    names = ["m"] if rowwise else list(model.parameters)
    group.settle(model, names)
    groups = [group]
    if rowwise:
        groups.append(Group(None, "mean_field"))
        groups[1].settle(model, [name for name in model.parameters if name != "m"])
    rng = np.random.default_rng(seed)
    for each in groups:
        scattered(each, rng)
    return group, Fitting(model, groups, groups, SEED, Settings(sgd(), estimator=estimator))


def cubic(z):
    """Return a log density that is no Gaussian, and its gradient, at z of shape (n,)."""
    w = 0.3 + 0.1 * np.arange(z.size)
    return float(np.sum(w * np.sin(z)) - 0.25 * z @ z), w * np.cos(z) - 0.5 * z


def logq_of(group, z):
    return stats.multivariate_normal.logpdf(z, group.mean, group.cov)


def check_density(family, **options):
    """The density that a family states is that of a normal distribution with its mean and covariance."""
    group, fitting = fitting_of(family, **options)
    found = draw(fitting, np.array([1, 2], np.uint64), 0, 50)
    own = found.positions[:, group.coordinates]
    expected = logq_of(group, own)
    for other in fitting.groups:
        if other is not group:
            expected = expected + logq_of(other, found.positions[:, other.coordinates])
    np.testing.assert_allclose(found.logq, expected, rtol=1e-10, atol=1e-10)


def check_moments(family, count=20_000 if JIT else 2000, **options):
    """Draws have the mean and covariance that a family states, within four standard errors."""
    group, fitting = fitting_of(family, **options)
    z = draw(fitting, np.array([3, 4], np.uint64), 0, count).positions[:, group.coordinates]
    cov, n = group.cov, len(z)
    assert (np.abs(z.mean(axis=0) - group.mean) < 4.0 * np.sqrt(np.diag(cov) / n)).all()
    scale = np.sqrt((np.outer(np.diag(cov), np.diag(cov)) + cov**2) / n)
    assert (np.abs(np.cov(z.T) - cov) < 4.5 * scale).all()


def check_pull(family, estimator, **options):
    """A pull-back is the derivative, by differences, of what the estimator differentiates at the same noise."""
    group, fitting = fitting_of(family, estimator, **options)
    where = group.coordinates
    parameters = [(shared, i) for shared in group.params for i in range(shared.size)]
    held_mean, held_cov = group.mean.copy(), group.cov.copy()

    def value():
        z = pulling.draw(fitting, 7, 1)[0]
        logp = cubic(z)[0]
        if estimator == "none":
            return logp
        if estimator == "plain":
            return logp - logq_of(group, z[where])
        return logp - stats.multivariate_normal.logpdf(z[where], held_mean, held_cov)

    z = pulling.draw(fitting, 7, 1)[0]
    pulling.pull(fitting, 7, cubic(z)[1][None])
    start = int(fitting._starts[fitting.groups.index(group)])
    found = fitting.fit.gradient[start : start + len(parameters)].copy()
    expected = np.zeros(len(parameters))
    for k, (shared, i) in enumerate(parameters):
        x = shared.get_value(borrow=True).reshape(-1)
        old, step, sides = x[i], 1e-5, []
        for sign in (1.0, -1.0):
            x[i] = old + sign * step
            sides.append(value())
        x[i] = old
        expected[k] = (sides[0] - sides[1]) / (2.0 * step)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def address(fitting):
    return address_of(fitting.state)
