"""Odd arguments: every public callable, each argument in turn, forty odd values; as a program, each in a child process.

``python -m tests.arguments`` prints crashes, hangs, and errors that do not name their argument; ``--plain`` without the
JIT, ``--only NAME`` for some callables, ``--all`` with what was accepted. A child may use so much memory and no more.
"""

import argparse
import collections
import decimal
import fractions
import functools
import inspect
import itertools
import json
import math
import os
import re
import select
import subprocess
import sys
import tempfile
import warnings

import numpy as np

import nbinfer as nb
from nbinfer import diagnostics as dg
from nbinfer.distributions import mvnormal, normal, truncated_normal
from nbinfer.engine.driver import run_here
from tests.arguments_of_comparison import comparing
from tests.arguments_of_fits import fits
from tests.arguments_of_predictions import predicting
from tests.mcmc.kept import Kept, begun

MEMORY = 6 << 30  # bytes of a child
PATIENCE = 60  # seconds for one call


class Words(str):
    """A str that is none quite."""


class NoArray:
    def __array__(self, *_, **__):
        raise RuntimeError("no array of mine")


class NoRepr:
    def __repr__(self):
        raise RuntimeError("no repr of mine")


class NoTruth:
    def __bool__(self):
        raise RuntimeError("no truth of mine")

    def __eq__(self, other):
        raise RuntimeError("no equality of mine")

    __hash__ = None


def endless():
    while True:
        yield 1.0


def itself():
    found = []
    found.append(found)
    return found


#: What comes from forms, files and bugs; each made anew.
VALUES = {
    "None": lambda: None, "NaN": lambda: math.nan, "inf": lambda: math.inf, "-inf": lambda: -math.inf,
    "0": lambda: 0, "-1": lambda: -1, "0.5": lambda: 0.5, "10**30": lambda: 10**30, "2**63": lambda: 2**63,
    "-2**63-1": lambda: -(2**63) - 1, "True": lambda: True, "np.bool": lambda: np.bool_(False), "1j": lambda: 1j,
    "float32": lambda: np.float32(1.5), "int8": lambda: np.int8(-3), "uint64": lambda: np.uint64(2**64 - 1),
    "Decimal": lambda: decimal.Decimal("1.5"), "Fraction": lambda: fractions.Fraction(1, 3),
    "empty str": lambda: "", "str": lambda: "a", "str subclass": lambda: Words("x"), "odd str": lambda: "ä\0\n",
    "bytes": lambda: b"", "[]": lambda: [], "()": lambda: (), "{}": lambda: {}, "set": lambda: {1, 2},
    "mapping of ints": lambda: {1: 2}, "mapping of None": lambda: {"x": None}, "[None]": lambda: [None],
    "ragged": lambda: [[1], [2, 3]], "list of itself": itself, "huge shape": lambda: (2**40, 2**40),
    "object": object, "a class": lambda: int, "a function": lambda: lambda *a, **k: None, "a module": lambda: math,
    "generator": lambda: iter([1.0, "a"]), "range": lambda: range(3), "zero-d": lambda: np.array(1.0),
    "empty array": lambda: np.zeros(0), "2x2": lambda: np.zeros((2, 2)), "NaN array": lambda: np.full(3, np.nan),
    "object array": lambda: np.array([None, "a"], object), "str array": lambda: np.array(["a", "b"]),
    "masked array": lambda: np.ma.masked_array([1.0, 2.0], [True, False]), "dates": lambda: np.array(["2020"], "M8"),
    "records": lambda: np.zeros(2, [("a", "f8")]), "big-endian": lambda: np.zeros(3, ">f8"),
    "no array": NoArray, "no repr": NoRepr, "no truth": NoTruth,
}  # fmt: skip


def logp(p, d):
    return -0.5 * np.sum(p.x**2) - 0.5 * p.y**2 + d.a


def logp_x(p, d):
    return -0.5 * p.x**2


def entries(d):
    return d.x @ d.x


def square(x):
    return np.sum(x**2)


def make():
    """Return what the calls need: a model, one with a discrete variable, a trace, a stepper, a generator."""
    model = nb.Model({"x": nb.real(2), "y": nb.positive()}, logp=logp, data={"a": 1.0})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trace = nb.sample(model, 5, 5, chains=2, random_seed=1, progressbar=False)
    return model, trace


def ended(model):
    """Return what a run in the middle of which it was ended has left."""
    sampling = begun(model, nb.NUTS(), tune=3, draws=5)
    run_here(sampling.chains, 4)
    return sampling.store.left()


def saved(trace):
    """Return the path of a file that holds a trace."""
    path = os.path.join(tempfile.mkdtemp(), "trace.nc")
    trace.save(path)
    return path


def on_a_copy(trace, method, /, **given):
    """Call a method that changes a trace on a copy."""
    return getattr(trace.copy(), method)(**given)


def catalogue():
    """Return {name: (callable, valid arguments)}; every argument named here or in the signature is tried."""
    model, trace = make()
    point, few = {"x": [0.1, 0.2], "y": 1.0}, dict(draws=3, tune=3, chains=1, random_seed=1, progressbar=False)
    q, draws = np.array([0.1, 0.2, 0.3]), np.random.default_rng(1).normal(size=(2, 10))
    rng = np.random.default_rng(1)
    calls = {
        "Model": (nb.Model, {"parameters": {"x": nb.real()}, "logp": logp_x}),
        "Model.likelihood": (
            lambda prior, likelihood, total_size=None: nb.Model(
                {"x": nb.real()}, prior=prior, likelihood=likelihood, total_size=total_size
            ),
            {"prior": logp_x, "likelihood": logp_x},
        ),
        "Model.flat": (nb.Model.flat, {"f": square, "dim": 2}),
        "sample": (nb.sample, {"model": model, "superchains": 1, "backend": "cpu", **few}),
        "iter_sample": (
            lambda **given: next(nb.iter_sample(**given)),
            dict(draws=3, tune=3, model=model, step=None, start=None, trace=None, chain=0, random_seed=1),
        ),
        "resume": (
            lambda path, **given: nb.resume(path.left() if isinstance(path, Kept) else path, **given),
            dict(
                path=ended(model),
                model=model,
                draws=None,
                n=None,
                cores=None,
                step=None,
                method=None,
                obj_optimizer=None,
                callbacks=None,
                progressbar=False,
                max_seconds=None,
                max_evals=None,
            ),
        ),
        "HDF5": (nb.HDF5, {"path": "run.nc"}),
        "SQLite": (nb.SQLite, {"name": "run.sqlite"}),
        "Text": (nb.Text, {"name": "run"}),
        "load": (nb.load, {"path": saved(trace)}),
        "settled_step": (trace.settled_step, {"chain": None}),
        "find_map": (nb.find_map, {"model": model, "progressbar": False}),
        "find_hessian": (nb.find_hessian, {"point": point, "model": model}),
        "guess_scaling": (nb.guess_scaling, {"point": point, "model": model}),
        "init_nuts": (nb.init_nuts, {"model": model, "progressbar": False}),
        "get_data": (nb.get_data, {"filename": "eight_schools.csv"}),
        "merge_traces": (nb.merge_traces, {"traces": [trace]}),
        "trace_cov": (nb.trace_cov, {"trace": trace}),
        "quad_potential": (nb.quad_potential, {"C": np.ones(3), "is_cov": True}),
        "summary": (nb.summary, {"trace": trace}),
        "divergences": (nb.divergences, {"trace": trace}),
        "check": (dg.check, {"trace": trace}),
        "Trace": (nb.Trace, {"posterior": {"x": draws}}),
        "TraceGroup": (nb.TraceGroup, {"kind": "prior", "values": {"x": draws}}),
        "add_group": (trace.add_group, {"group": nb.TraceGroup("prior", {"x": draws}), "overwrite": True}),
        "from_arviz": (nb.from_arviz, {"source": trace}),
        "to_xarray": (trace.to_xarray, {"group": "posterior"}),
        "to_dataframe": (trace.to_dataframe, {"var_names": None, "statistics": False}),
        "grad": (lambda function, argnums, x: nb.grad(function, argnums)(x), dict(function=square, argnums=0, x=q)),
        "grad by entries": (
            lambda function, wrt, data: nb.grad(function, wrt=wrt)(data),
            {"function": entries, "wrt": "x", "data": collections.namedtuple("Data", ["x"])(q)},
        ),
        "check_grad": (nb.check_grad, {"function": square, "x": q}),
        "custom_vjp": (nb.custom_vjp, {"partials": lambda x: (2 * x,)}),
        "astep": (nb.Slice().on(model, random_seed=1).astep, {"q0": q}),
        "step": (nb.Slice().on(model, random_seed=1).step, {"point": point}),
        "on": (nb.Slice().on, {"model": model, "start": None, "tune": 5, "random_seed": 1}),
        "CompoundStep": (nb.CompoundStep, {"methods": [nb.NUTS()]}),
        "normal.random": (normal.random, {"rng": rng, "mu": 0.0, "sigma": 1.0, "size": None}),
        "mvnormal.random": (mvnormal.random, {"rng": rng, "mu": np.zeros(2), "cov": np.eye(2), "size": None}),
        "normal.check": (normal.check, {"mu": 0.0, "sigma": 1.0}),
        "mvnormal.check": (mvnormal.check, {"mu": np.zeros(2), "cov": np.eye(2)}),
        "truncated_normal.check": (truncated_normal.check, {"mu": 0.0, "sigma": 1.0, "lower": -1.0, "upper": 1.0}),
    }
    for name in ("unit", "real", "positive", "binary"):
        calls[name] = (getattr(nb, name), {"shape": 2})
    for name in ("simplex", "ordered", "positive_ordered", "cholesky_corr", "covariance", "unit_vector", "categorical"):
        calls[name] = (getattr(nb, name), {"k": 3, "shape": ()})
    calls |= {
        "integer": (nb.integer, {"lo": 0, "hi": 3, "shape": ()}),
        "interval": (nb.interval, {"a": 0.0, "b": 1.0}),
        "lower": (nb.lower, {"a": 0.0}),
        "upper": (nb.upper, {"b": 0.0}),
    }
    for name in [
        "NUTS",
        "HamiltonianMC",
        "Metropolis",
        "BinaryMetropolis",
        "BinaryGibbsMetropolis",
        "CategoricalGibbsMetropolis",
        "Slice",
        "EllipticalSlice",
        "DEMetropolis",
        "DEMetropolisZ",
        "StretchMove",
        "ChEES",
        "MAMS",
    ]:
        calls[name] = (getattr(nb, name), {"prior_cov": np.eye(3)} if name == "EllipticalSlice" else {})
    calls["GibbsStep"] = (nb.GibbsStep, {"vars": "y", "draw": lambda p, d, rng: 1.0})
    for name, valid in {
        "logp": {"point": point}, "logp_unconstrained": {"q": q}, "constrain": {"q": q},
        "unconstrain": {"point": point},
        "log_jacobian": {"q": q}, "derived_values": {"values": point}, "check_grad": {"point": point},
        "set_data": {"a": 1.0},
    }.items():  # fmt: skip
        calls[f"model.{name}"] = (getattr(model, name), valid)
    for name, valid in {
        "get_values": {"varname": "x"}, "get_sampler_stats": {"stat_name": "lp"}, "point": {"idx": 0}, "points": {},
        "__getitem__": {"key": "x"},
    }.items():  # fmt: skip
        calls[f"trace.{name}"] = (getattr(trace, name), valid)
    for name, valid in {
        "add_values": {"values": {"z": draws[:, :5]}, "overwrite": False},
        "append": {"other": trace},
        "remove_values": {"name": "y"},
    }.items():
        calls[f"trace.{name}"] = (functools.partial(on_a_copy, trace, name), valid)
    for name in [
        "ess_bulk",
        "ess_mean",
        "ess_tail",
        "mcse_mean",
        "mcse_sd",
        "rhat",
        "hdi",
        "ess_quantile",
        "mcse_quantile",
    ]:
        calls[name] = (getattr(dg, name), {"x": draws} | ({"p": 0.5} if "quantile" in name else {}))
    calls["bfmi"] = (dg.bfmi, {"energy": draws})
    return calls | fits(model, trace) | batches(draws) | comparing() | predicting()


def batches(rows):
    """Return the calls of data that come in batches."""
    batch, slices = nb.Minibatch(rows, 2), {"size": 2, "seed": 1, "axis": 0, "number": 0}
    items = nb.generator(iter([rows]), rows)
    return {
        "Minibatch": (nb.Minibatch, {"data": rows, "batch_size": 2, "random_seed": 1}),
        "Minibatch.set_value": (batch.set_value, {"value": rows}),
        "Minibatch.rslice": (nb.Minibatch.rslice, {"total": 5, **slices}),
        "Minibatch.make_random_slices": (
            nb.Minibatch.make_random_slices,
            {"in_memory_shape": (5, 5), "batch_size": 2, "default_random_seed": 1, "number": 0},
        ),
        "Minibatch.make_static_slices": (nb.Minibatch.make_static_slices, {"user_size": 2}),
        "align_minibatches": (nb.align_minibatches, {"batches": [batch]}),
        "GeneratorAdapter": (nb.GeneratorAdapter, {"generator": itertools.repeat(rows)}),
        "generator": (
            lambda gen=None, default=None: nb.generator(iter([rows]) if gen is None else gen, default),
            {"default": None},
        ),
        "generator.set_gen": (items.set_gen, {"gen": itertools.repeat(rows)}),
        "generator.set_default": (items.set_default, {"value": rows}),
    }


#: Calls that mean something, and in which a function complains about what it gets.
MEANT = {
    ("find_map", "callback", "a class"),
    ("check_grad", "x", "huge shape"),
    ("approx.sample_node", "node", "a class"),
}


def plan(only=None):
    """Return (name, argument, label) of every call."""
    found = []
    for name, (function, valid) in catalogue().items():
        if only and name not in only:
            continue
        try:
            kinds = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            kinds = ()
        names = [p.name for p in kinds if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name != "name"]
        for argument in dict.fromkeys([*valid, *names]):
            found += [(name, argument, label) for label in VALUES if (name, argument, label) not in MEANT]
    return found


#: A message about an entry of a mapping names that entry, one about a function the function.
ENTRIES = {
    "point": r"parameter|missing|x: |y: ",
    "parameters": r"parameter",
    "start": r"parameter|missing|x: |y: ",
    "groups": "no group has",
    "values": r"parameter|missing|x: |y: |overwrite",
    "nuts_kwargs": "NUTS has no option",
    "key": "a trace is indexed by|the trace has no|idx",
    "trace": r"must have shape \(draw,\)",
    "x": "argument 0",
    "function": "<lambda>",
    "q0": "the point to step from",
    "name": "unknown flow",
    "formula": "unknown flow",
}


def named(argument, message):
    """Tell whether a message names an argument."""
    if message.endswith("of mine"):  # what an object of the user's raises reaches the user as it is
        return True
    pattern = rf"(?<![A-Za-z]){re.escape(argument)}(?![A-Za-z])"
    return re.search(f"{pattern}|{ENTRIES.get(argument, pattern)}", message) is not None


def attempt(function, valid, argument, label):
    """Return what came of a call: 'accepted', 'named', or the error that does not name the argument."""
    try:
        found = function(**{**valid, argument: VALUES[label]()})
        if inspect.isgenerator(found):
            next(found, None)
    except Exception as error:
        text = str(error)
        return "named" if named(argument, text) else f"{type(error).__name__}: {text[:200]!r}"
    return "accepted"


def child(only, begin):
    """Make the calls from one on, and say so before and after each."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "w", buffering=1)
    calls, planned = catalogue(), plan(only)
    for i, call in list(enumerate(planned))[begin:]:
        print(json.dumps(["begin", i, len(planned), call, None]), file=out)
        print(json.dumps(["end", i, len(planned), call, attempt(*calls[call[0]], *call[1:])]), file=out)


def run(only=None, plain=False):
    """Make all calls in child processes; return {(name, argument, label): outcome}."""
    found, begin, total = {}, 0, 1
    environment = os.environ | ({"NUMBA_DISABLE_JIT": "1"} if plain else {})
    while begin < total:
        command = [sys.executable, "-m", "tests.arguments", "--child", str(begin), *(only or ())]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            last = _follow(process, found)
        if last is None:
            raise RuntimeError(f"the child ended before a call, with status {process.returncode}")
        kind, i, total, call, _ = last
        if kind == "begin":
            found[tuple(call)] = f"hangs, or ended with status {process.returncode}"
        begin = i + 1
    return found


def _follow(process, found):
    """Read what a child says until it ends or hangs; return the last of it."""
    last, rest = None, b""
    while select.select([process.stdout], [], [], 10 * PATIENCE if last is None else PATIENCE)[0]:
        read = os.read(process.stdout.fileno(), 1 << 16)
        if not read:
            break
        *lines, rest = (rest + read).split(b"\n")
        for line in lines:
            last = json.loads(line)
            if last[0] == "end":
                found[tuple(last[3])] = last[4]
    else:
        process.kill()
    process.wait()
    return last


def main():
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--child", type=int)
    options = parser.parse_args()
    if options.child is not None:
        child(options.only, options.child)
        return 0
    found = run(options.only, options.plain)
    counts = collections.Counter(o if o in ("accepted", "named") else o.split(":")[0] for o in found.values())
    for call, outcome in found.items():
        if outcome != "named" and (options.all or outcome != "accepted"):
            print(*call, "->", outcome, sep="  ")
    print(dict(counts), len(found), "calls")
    return int(set(counts) > {"accepted", "named"})


if __name__ == "__main__":
    sys.exit(main())
