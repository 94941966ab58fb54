"""What every layer must obey: its log-determinant, its inverse, its pull-back."""

import numpy as np

from nbinfer.variational import pulling
from nbinfer.variational.flows import family as family_module
from nbinfer.variational.flows.stack import Stack
from tests.variational.families.laws import cubic, fitting_of


def family_of(*kinds, made_of=family_module, stack=Stack):
    """Return a family of these kinds of layers, which no formula need know."""

    class OfKinds(made_of.NormalizingFlowFamily):
        @property
        def stack(self):
            return stack(kinds)

    return OfKinds()


def logdet_by_differences(image, x, step=1e-3):
    """Return the log of the size of a map's determinant, by differences of fourth order."""
    columns = []
    for i in range(x.size):
        d = np.zeros(x.size)
        d[i] = step
        near, far = image(x + d) - image(x - d), image(x + 2 * d) - image(x - 2 * d)
        columns.append((8.0 * near - far) / (12.0 * step))
    return np.linalg.slogdet(np.array(columns).T)[1]


def check_logdets(family, rowwise=False, seed=0, draws=5):
    """The log density of draws is that of the noise less what the numerical determinant says; return that."""
    group, fitting = fitting_of(family, rowwise=rowwise, seed=seed)
    own = fitting.own(0)
    found = []

    def image(noise):
        return group.family.stack.passed(group.extent, group.values, noise[None])[0][0]

    for piece in range(draws):
        z = pulling.draw(fitting, piece, 1)[0][group.coordinates]
        noise = own.noise.copy()
        np.testing.assert_allclose(z, image(noise), rtol=1e-12)
        logdet = logdet_by_differences(image, noise)
        base = -0.5 * noise @ noise - 0.5 * noise.size * np.log(2.0 * np.pi)
        np.testing.assert_allclose(base - own.logq, logdet, rtol=1e-8, atol=1e-8)
        found.append(logdet)
    return np.array(found)


def check_all(family):
    """Both laws hold."""
    check_logdets(family, draws=2)
    check_pullback(family)


def check_pullback(family, estimator="plain", rowwise=False, seed=0, most=8):
    """A pull-back is the derivative, by differences, of log p less log q at the same noise; a few of each."""
    group, fitting = fitting_of(family, estimator, rowwise=rowwise, seed=seed)
    z = pulling.draw(fitting, 7, 1)[0]
    pulling.pull(fitting, 7, cubic(z)[1][None])
    found = fitting.fit.gradient[: sum(shared.size for shared in group.params)].copy()

    def value():
        logp = cubic(pulling.draw(fitting, 7, 1)[0])[0]
        return logp - (fitting.own(0).logq if estimator == "plain" else 0.0)

    expected, looked_at, start = [], [], 0
    for shared in group.params:
        x = shared.get_value(borrow=True).reshape(-1)
        chosen = np.unique(np.linspace(0, x.size - 1, most).astype(int))
        looked_at += list(start + chosen)
        start += x.size
        for i in chosen:
            old, step, sides = x[i], 1e-3, {}
            for k in (-2, -1, 1, 2):
                x[i] = old + k * step
                sides[k] = value()
            x[i] = old
            expected.append((8.0 * (sides[1] - sides[-1]) - (sides[2] - sides[-2])) / (12.0 * step))
    np.testing.assert_allclose(found[looked_at], expected, rtol=1e-7, atol=1e-8)
