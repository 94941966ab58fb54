"""What a model says to misspelt names, and to what cannot be called or assigned."""

import re
import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer import distributions
from nbinfer.distributions import mvnormal, normal, poisson, truncated
from nbinfer.errors import CompileError, ModelError, NbinferWarning

Y = np.array([0.5, 1.5])


def misspelt_parameter(p, d):
    return -(p.sgima**2)


def misspelt_data(p, d):
    return -((p.sigma - d.yy) ** 2).sum()


def misspelt_where_nothing_looks(p, d):
    if p.sigma > 1e6:
        return p.sgima
    return -(p.sigma**2)


def calls_a_module(p, d):
    return normal(p.sigma, 0.0, 1.0)


def calls_a_module_where_nothing_looks(p, d):
    if p.sigma > 1e6:
        return normal(p.sigma, 0.0, 1.0)
    return -(p.sigma**2)


def misspelt_function(p, d):
    if p.sigma > 1e6:
        return normal.logpdff(p.sigma, 0.0, 1.0)
    return -(p.sigma**2)


def adds_to_a_number(p, d, grad):
    grad.sigma += -p.sigma
    return -0.5 * p.sigma**2


def assigns_an_array(p, d, grad):
    grad.b = -p.b
    return -0.5 * (p.b**2).sum()


def term(p, d):
    return normal.logpdf(d.y, p.sigma, 1.0)


def model(logp):
    return nb.Model({"mu": nb.real(), "sigma": nb.real()}, logp=logp, data={"y": Y})


@pytest.mark.parametrize(
    ("logp", "kind", "message"),
    [
        (misspelt_parameter, AttributeError, r"'sgima'\nParameters has mu, sigma\. Did you mean 'sigma'\?"),
        (misspelt_data, AttributeError, r"'yy'\nData has y\. Did you mean 'y'\?"),
        (calls_a_module, TypeError, r"normal is a module, which cannot be called; write normal.logpdf\(x, mu, sigma\)"),
    ],
)
def test_misspelt_where_the_model_looks(logp, kind, message):
    with pytest.raises(kind) as caught:
        nb.sample(model(logp), 10, progressbar=False)
    assert re.search(message, "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])]))


@pytest.mark.nojit
@pytest.mark.parametrize(
    ("logp", "message"),
    [
        (misspelt_where_nothing_looks, r"Parameters has no field sgima; it has mu, sigma\. Did you mean 'sigma'\?"),
        (calls_a_module_where_nothing_looks, "nbinfer.distributions.normal is a module; call a function of it"),
        (misspelt_function, r"line \d+\):\n.*normal.logpdff.*\n.*\nName something .* has\. Did you mean 'logpdf'\?"),
    ],
)
def test_misspelt_where_only_compilation_looks(logp, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(CompileError, match=message):
            nb.sample(model(logp), 10, progressbar=False)


@pytest.mark.parametrize(
    ("parameters", "logp_grad", "message"),
    [
        ({"sigma": nb.real()}, adds_to_a_number, r"grad.sigma cannot be assigned, .*: grad.sigma\[\(\)\] \+= "),
        ({"b": nb.real(3)}, assigns_an_array, r"grad.b cannot be assigned, .*: grad.b\[:\] \+= "),
    ],
)
def test_gradients_are_written_into(parameters, logp_grad, message):
    with pytest.raises(AttributeError, match=message):
        nb.sample(nb.Model(parameters, logp_grad=logp_grad), 10, progressbar=False)


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (normal, r"normal.logpdf\(x, mu, sigma\) or normal.random\(rng, mu, sigma, size\)"),
        (poisson, r"poisson is a module, .* poisson.logpmf\(k, "),
        (mvnormal, r"mvnormal.logpdf\("),
        (truncated(normal), r"truncated\(normal\) is a module"),
    ],
)
def test_families_are_no_functions(family, message):
    with pytest.raises(TypeError, match=message):
        family(0.0, 1.0)


def test_families_by_other_names():
    with pytest.raises(AttributeError, match=r"no attribute 'nrmal'\. Did you mean 'normal'\?"):
        distributions.nrmal  # noqa: B018
    with pytest.raises(AttributeError, match=r"from nbinfer\.distributions import half_normal"):
        nb.HalfNormal  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'smple'\. Did you mean 'sample'\?"):
        nb.smple  # noqa: B018


def test_a_likelihood_named_almost_as_data():
    parameters, data = {"sigma": nb.real()}, {"scores": Y, "y": Y}
    with pytest.warns(NbinferWarning, match=r"'score' is no name of data, so that 'scores' is not predicted") as caught:
        nb.Model(parameters, likelihood={"score": term, "y": term}, data=data)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nb.Model(parameters, likelihood={"scores": term, "y": term, "score": term}, data=data)
        nb.Model(parameters, likelihood={"y1": term, "y2": term}, data={"y": Y})  # several, so that they are meant
        nb.Model(parameters, likelihood=term, data={"y": Y, "likelihoods": Y})


def test_names_of_data():
    there = nb.Model({"sigma": nb.real()}, logp=misspelt_data, data={"y": Y})
    with pytest.raises(ModelError, match=r"set_data got unknown names \['Y'\]; data are \['y'\]\. Did you mean 'y'\?"):
        there.set_data(Y=Y)
    labelled = nb.Model(
        {"sigma": nb.real()}, likelihood={"y": term}, data={"y": Y}, dims={"y": "n"}, coords={"n": ["a", "b"]}
    )
    with pytest.raises(ModelError, match=r"'y' has 3; pass as many labels, or leave coords\['n'\] out"):
        labelled.set_data(y=np.zeros(3))


def test_flat_takes_its_density_by_its_name():
    def logp(x):
        return -0.5 * (x**2).sum()

    for made in (nb.Model.flat(logp=logp, dim=2), nb.Model.flat(2, logp=logp), nb.Model.flat(2, logp)):
        assert made.logp({"x": np.ones(2)}) == nb.Model.flat(logp, 2).logp({"x": np.ones(2)}) == -1.0
    with pytest.raises(TypeError, match="f and logp are the same argument"):
        nb.Model.flat(logp, 2, logp=logp)
    with pytest.raises(ModelError, match="dim must be an integer, got None"):
        nb.Model.flat(logp)
