"""Every public name says what it takes, what it gives and what it raises."""

import inspect

import pytest
from numpydoc.validate import validate

import nbinfer
from nbinfer import mcmc
from nbinfer.engine.step import StepMethod

#: No summary, no summary line, parameters that are missing, unknown or out of order, an undocumented return.
ASKED = {"GL08", "SS01", "SS03", "SS04", "SS06", "PR01", "PR02", "PR03", "PR04", "RT01", "YD01"}

PUBLIC = [name for name in getattr(nbinfer, "__all__", []) if not inspect.ismodule(getattr(nbinfer, name))]


def test_all_names_exist():
    assert PUBLIC
    assert sorted(set(nbinfer.__all__)) == sorted(nbinfer.__all__)


@pytest.mark.parametrize("name", [n for n in PUBLIC if callable(getattr(nbinfer, n))])
def test_docstring_is_complete(name):
    faults = [error for error in validate(f"nbinfer.{name}")["errors"] if error[0] in ASKED]
    assert faults == []


@pytest.mark.parametrize("name", [n for n in PUBLIC if inspect.isclass(getattr(nbinfer, n))])
def test_methods_say_what_they_do(name):
    own = {m: value for m, value in vars(getattr(nbinfer, name)).items() if not m.startswith("_")}
    silent = [m for m, value in own.items() if inspect.isfunction(value) and not inspect.getdoc(value)]
    assert silent == []


#: Steps that are nobody's paper: flips, sweeps of them, a user's own draw, steps in turn.
OURS = {"BinaryMetropolis", "BinaryGibbsMetropolis", "GibbsStep", "CompoundStep"}


def test_a_step_cites_its_paper():
    classes = {name: getattr(mcmc, name) for name in mcmc.__all__ if inspect.isclass(getattr(mcmc, name))}
    steps = {name for name, value in classes.items() if issubclass(value, StepMethod)}
    cited = {name for name in steps if ".. [1] " in inspect.getdoc(classes[name]) and "[1]_" in classes[name].__doc__}
    assert len(cited) > 7
    assert steps - cited == steps & OURS
