"""Groups that a run computes at its end are those that one computes of its trace."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.distributions import normal
from nbinfer.errors import ModelError, NbinferWarning
from nbinfer.mcmc import groups

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


def prior(p, d):
    return normal.logpdf(p.mu, 0.0, 2.0)


def likelihood(p, d):
    return normal.logpdf(d.y, p.mu, 1.0)


def total(p, d):
    return np.sum(normal.logpdf(d.y, p.mu, 1.0))


def model(term=likelihood):
    return nb.Model({"mu": nb.real()}, prior=prior, likelihood={"y": term}, data={"y": np.arange(3.0)})


def run(of=None, **options):
    return nb.sample(model() if of is None else of, 20, 30, chains=2, random_seed=1, progressbar=False, **options)


def test_they_are_those_that_are_computed_afterwards(tmp_path):
    plain = run()
    trace = run(groups=["log_likelihood", "log_prior", "posterior_predictive"], trace=tmp_path / "run.nc")
    assert trace["mu"].tobytes() == plain["mu"].tobytes()
    assert not plain.groups
    expected = {
        "log_likelihood": nb.compute_log_likelihood(plain, model(), progressbar=False)["y"],
        "log_prior": nb.compute_log_prior(plain, model(), progressbar=False)["prior"],
    }
    for found in (trace, nb.load(tmp_path / "run.nc")):
        assert set(found.groups) == {"log_likelihood", "log_prior", "posterior_predictive"}
        for kind, values in expected.items():
            np.testing.assert_array_equal(*found.groups[kind].values(), values)
        assert found.groups["posterior_predictive"]["y"].shape == (2, 20, 3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"groups": "loo"}, ValueError, "unknown groups 'loo'; choose 'log_likelihood'"),
        ({"groups": 3}, TypeError, "groups must be"),
        ({"groups": "log_prior", "trace": []}, ValueError, "groups are computed of all parameters, .* leaves out 'mu'"),
        ({"groups": "log_likelihood", "of": model(total)}, ModelError, "return one value per observation"),
    ],
)
def test_what_cannot_be_is_refused_before_the_run(options, error, message, monkeypatch):
    monkeypatch.setattr(groups, "with_groups", None)
    with pytest.raises(error, match=message):
        run(**options)


@pytest.mark.nojit  # long as plain Python
def test_nothing_that_goes_wrong_loses_the_trace(monkeypatch):
    def failing(error):
        def compute(kind, trace, model, **options):
            raise error

        monkeypatch.setattr(groups, "COMPUTING", [(lambda *_: None, compute)])
        return run(groups="log_prior")

    with pytest.warns(NbinferWarning, match="interrupted: the trace has no group 'log_prior'"):
        assert failing(KeyboardInterrupt())["mu"].shape == (2, 20)
    with pytest.raises(OSError, match="no room") as failed:
        failing(OSError("no room"))
    assert failed.value.trace["mu"].shape == (2, 20)
