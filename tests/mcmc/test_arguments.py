"""What `sample` refuses, with a remedy, before anything starts."""

import numpy as np
import pytest

import nbinfer as nb
from tests.mcmc.models import run


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"draws": 0}, ValueError, "draws must be at least 1, got 0"),
        ({"draws": 2.5}, TypeError, "draws must be an int or 'auto', got 2.5"),
        ({"tune": -1}, ValueError, "tune must be at least 0, got -1"),
        ({"chains": 0}, ValueError, "chains must be at least 1, got 0"),
        ({"chains": True}, TypeError, "chains must be an int"),
        ({"cores": 0}, ValueError, "cores must be an int from 1"),
        ({"cores": 1, "njobs": 1}, ValueError, "same option"),
        ({"chain_idx": -1}, ValueError, "chain_idx"),
        ({"init": "advi_nap"}, NotImplementedError, "init='advi_nap' is not known; choose 'auto'"),
        ({"init": "best"}, NotImplementedError, "is not known; choose 'auto'"),
        ({"init": 3}, TypeError, "init must be a str"),
        ({"nuts_kwargs": {"target_accept": 1.0}}, ValueError, "target_accept must lie between 0 and 1, got 1.0"),
        ({"nuts_kwargs": {"target_accept": "high"}}, ValueError, "target_accept"),
        ({"nuts_kwargs": {"metric": "full"}}, ValueError, "unknown metric 'full'; choose 'fisher'"),
        ({"nuts_kwargs": {"integrator": "euler"}}, ValueError, "unknown integrator"),
        ({"nuts_kwargs": {"max_treedepth": 0}}, ValueError, "max_treedepth must be an int from 1"),
        ({"nuts_kwargs": {"k": 0.4}}, ValueError, r"k must lie in \(0.5, 1\]"),
        ({"nuts_kwargs": {"step_rand": 1.5}}, ValueError, "step_rand"),
        ({"nuts_kwargs": {"on_error": "shout"}}, ValueError, "unknown on_error"),
        ({"nuts_kwargs": {"speed": 2}}, TypeError, "speed"),
        ({"nuts_kwargs": {}, "step_kwargs": {}}, ValueError, "not both"),
        ({"step_kwargs": {"slice": {}}}, ValueError, "options for 'slice'"),
        ({"step": "nuts"}, TypeError, "step must be a configured step method or several of them, got str"),
        ({"step": nb.NUTS(), "nuts_kwargs": {"k": 0.9}}, ValueError, "set them on the steps that you pass"),
        ({"trace": ["nu"]}, ValueError, "trace names 'nu', which the model lacks; it has mu, tau, eta, theta"),
        ({"trace": "mu"}, TypeError, "trace must be a list of names"),
        ({"start": {"nu": 1.0}}, ValueError, "nu"),
        ({"start": {"eta": np.zeros(3)}}, ValueError, "eta"),
        ({"start": {"tau": -1.0}}, ValueError, "tau"),
        ({"start": [{}]}, ValueError, r"one per chain \(4\), got 1"),
        ({"start": 3.0}, TypeError, "start must be a mapping"),
        ({"start": np.zeros(10)}, TypeError, r"such as {'mu': ...}, or a list of them, one per chain, got ndarray"),
        ({"random_seed": "x"}, TypeError, "random_seed"),
    ],
)
def test_bad_arguments_are_refused_with_a_remedy(options, error, message):
    with pytest.raises(error, match=message):
        run(**options)


def test_something_that_is_no_model_is_refused():
    with pytest.raises(TypeError, match=r"model must be an nbinfer\.Model, got function"):
        nb.sample(lambda x: x)


def test_no_model_at_all_is_refused():
    with pytest.raises(TypeError, match="model"):
        nb.sample(draws=10)
