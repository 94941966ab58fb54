"""Models of rows with latent values, which tests of local groups share: x_i = z_i + noise, x_i = w z_i + noise."""

import numpy as np

import nbinfer as nb

LOG_TWO_PI = np.log(2.0 * np.pi)
FAST = nb.adam(learning_rate=0.01)

# ---- one factor: x_i = z_i + noise, whose exact q has slope .8 and standard deviation .4472

N = 60
ROW = np.arange(1, N + 1)
X = 1.2 * np.sin(1.7 * ROW) + 0.5 * np.cos(2.3 * ROW)
EVIDENCE = -82.16461878


def z_prior(p, d):
    return -0.5 * p.z**2 - 0.5 * LOG_TWO_PI


def x_given_z(p, d):
    return -0.5 * ((d.x - p.z) / 0.5) ** 2 - np.log(0.5) - 0.5 * LOG_TWO_PI


def to_mu(d):
    return d.a[0] * d.x


def to_rho(d):
    return d.a[1] + 0.0 * d.x


ENCODERS = {"mu": to_mu, "rho": to_rho}


def one_factor(batch=None, a=(0.1, -1.0), x=None, **more):
    if x is None:
        x = X if batch is None else nb.Minibatch(X, batch, random_seed=3)
    data = {"x": x, "a": np.array(a)} | more.pop("data", {})
    given = {"total_size": {"z": N, "x": N}, "prior": {"z": z_prior}} | more
    return nb.Model({"z": nb.real(batch or N)}, likelihood={"x": x_given_z}, data=data, **given)


def local(model, encoders=None, name="z", **options):
    return nb.Approximation(nb.Group([name], params=encoders or ENCODERS, local=True, model=model), model, **options)


def fitted(approx, n, **options):
    options = {"obj_optimizer": FAST, "more_obj_params": ["a"], "progressbar": False} | options
    return nb.KLqp(approx).fit(n, **options)


# ---- beside a parameter that all rows share


def w_prior(p, d):
    return -0.5 * p.w**2 - 0.5 * LOG_TWO_PI


def x_given_wz(p, d):
    return -0.5 * ((d.x - p.w * p.z) / 0.5) ** 2 - np.log(0.5) - 0.5 * LOG_TWO_PI


def slope_and_factor(batch):
    return nb.Model(
        {"w": nb.real(), "z": nb.real(batch)}, prior={"w": w_prior, "z": z_prior}, likelihood={"x": x_given_wz},
        data={"x": nb.Minibatch(X, batch, random_seed=3), "a": np.array([0.5, -0.5])}, total_size={"z": N, "x": N},
    )  # fmt: skip
