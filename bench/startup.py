"""From the start of the process to the printed summary: ``python -m bench.startup``.

Each measurement is a process of its own, ``python script.py``, as a user would run it: eight schools, 4 x (1000 + 1000)
on all cores. Its cache of compiled code is in a folder made for the purpose. A new model is the script with another
constant in its prior.

A second table has what a gradient costs that an earlier process derived and compiled: its first call, beside the first
call of an empty function of that cache, both in one process.

A third has the whole first ``nb.sample`` of models of 50, 100 and 200 named parameters, new each time, where the engine
has been compiled before; and that of a model whose arrays alone have other lengths, which compiles nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.common import as_installed, heading, spread, table

# Written as the README writes it; `lap` notes the time, which costs microseconds.
SCRIPT = """
import time, json, os, sys
laps = {"start": time.perf_counter()}
def lap(name): laps[name] = time.perf_counter()

import numpy as np
lap("import numpy")
import nbinfer as nb
from nbinfer.distributions import half_cauchy, normal
lap("import nbinfer")

def prior(p, d):
    return PRIOR

def likelihood(p, d):
    return normal.logpdf(d.y, p.mu + p.tau * p.eta, d.sigma)

model = nb.Model(
    parameters=PARAMETERS,
    prior=prior,
    likelihood=likelihood,
    data={
        "y": np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]),
        "sigma": np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]),
    },
)
lap("model")
trace = nb.sample(model, draws=1000, tune=1000, chains=4, random_seed=1, progressbar=False)
lap("sample")
text = str(nb.summary(trace))
lap("summary")
print(text)
print(trace.report)
sys.stdout.flush()
lap("print")
laps["run"] = trace.attrs["sampling_time"]
laps["numba"] = "numba" in sys.modules
print("LAPS " + json.dumps(laps), file=sys.stderr)
"""


# What a process pays for the machinery, and then for the gradient.
GRADIENT_SCRIPT = """
import json, sys, time
import numpy as np
import nbinfer as nb
from nbinfer.compile import entry
from nbinfer.distributions import half_cauchy, normal

@entry("int64(int64)")
def nothing(x):
    return x

def prior(p, d):
    return normal.logpdf(p.mu, 0.0, 5.0) + half_cauchy.logpdf(p.tau, 5.0) + np.sum(normal.logpdf(p.eta, 0.0, 1.0))

def likelihood(p, d):
    return normal.logpdf(d.y, p.mu + p.tau * p.eta, d.sigma)

def logp(x, y, sigma):
    mu, tau, eta = x[0], np.exp(x[1]), x[2:]
    value = normal.logpdf(mu, 0.0, 5.0) + half_cauchy.logpdf(tau, 5.0) + x[1] + np.sum(normal.logpdf(eta, 0.0, 1.0))
    return value + np.sum(normal.logpdf(y, mu + tau * eta, sigma))

y = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
sigma = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
model = nb.Model(
    parameters={"mu": nb.real(), "tau": nb.positive(), "eta": nb.real(8)},
    prior=prior,
    likelihood=likelihood,
    data={"y": y, "sigma": sigma},
)
both = nb.value_and_grad(logp)
begun = time.perf_counter()
nothing(0)
ready = time.perf_counter()
CALL
ended = time.perf_counter()
laps = {"empty": ready - begun, "gradient": ended - ready, "numba": "numba" in sys.modules}
print("LAPS " + json.dumps(laps), file=sys.stderr)
"""

# Named parameters, each with a term of its own; and a regression whose code is there for any number of coefficients.
NAMED_SCRIPT = """
import json, sys, time
import numpy as np
import nbinfer as nb
from nbinfer.compile import Entry
from nbinfer.distributions import normal

def logp(p, d):
    s = 0.0
TERMS
    return s

model = nb.Model(SUPPORTS, logp=logp)
begun, busy = time.perf_counter(), time.process_time()
nb.sample(model, 50, 50, chains=2, random_seed=1, progressbar=False)
laps = {"whole": time.perf_counter() - begun, "processor": time.process_time() - busy, "compiled": len(Entry.compiled)}
print("LAPS " + json.dumps(laps), file=sys.stderr)
"""

#: Bounds: seconds of the whole call with 200 names, and its ratio to that with 50.
MOST_NAMED, MOST_RATIO = 5.0, 6.0


def named_script(names: int, shift: float) -> str:
    """Return the text of a model of so many named numbers; `shift` makes it a new one."""
    terms = "\n".join(f"    s += normal.logpdf(p.a{i}, {shift + i}, 1.0)" for i in range(names))
    supports = "{" + ", ".join(f'"a{i}": nb.real()' for i in range(names)) + "}"
    return NAMED_SCRIPT.replace("TERMS", terms).replace("SUPPORTS", supports)


def sized_script(coefficients: int) -> str:
    """Return the text of a model of two arrays."""
    terms = "    s += np.sum(normal.logpdf(p.a, 0.0, 1.0)) + np.sum(normal.logpdf(p.b, p.a, 2.0))"
    supports = f'{{"a": nb.real({coefficients}), "b": nb.positive({coefficients})}}'
    return NAMED_SCRIPT.replace("TERMS", terms).replace("SUPPORTS", supports)


#: Ways to a gradient, and how to call it.
CALLS = {
    "of a model": "model.bind(1).value_and_grad(np.zeros(10))",
    "nb.value_and_grad": "both(np.zeros(10), y, sigma)",
}


def script(scale: float, extra: int) -> str:
    """Return the text of a model: `scale` makes it a new one, `extra` adds parameters with names of their own."""
    names = [f"x{i}" for i in range(extra)]
    parameters = '{"mu": nb.real(), "tau": nb.positive(), "eta": nb.real(8)'
    parameters += "".join(f', "{n}": nb.real()' for n in names) + "}"
    prior = "normal.logpdf(p.mu, 0.0, 5.0) + half_cauchy.logpdf(p.tau, SCALE) + np.sum(normal.logpdf(p.eta, 0.0, 1.0))"
    prior += "".join(f" + normal.logpdf(p.{n}, 0.0, 1.0)" for n in names)
    text = SCRIPT
    for word, value in (("PRIOR", prior), ("PARAMETERS", parameters), ("SCALE", repr(scale))):
        text = text.replace(word, value)
    return text


def process(text: str, folder: Path) -> tuple[dict[str, Any], str]:
    """Run a script in a process of its own; return what it says of its time, and all it says on its error output."""
    path = folder / "script.py"
    path.write_text(text)
    environment = as_installed(folder) | {"NBINFER_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run([sys.executable, str(path)], env=environment, capture_output=True, text=True, check=False)
    line = next((x for x in done.stderr.splitlines() if x.startswith("LAPS ")), None)
    if done.returncode or line is None:
        raise RuntimeError(f"the script failed:\n{done.stderr}")
    return json.loads(line[5:]), done.stderr


def run(text: str, folder: Path) -> dict[str, Any]:
    """Run a script in a process of its own and return its seconds, part by part."""
    begun = time.perf_counter()
    laps, errors = process(text, folder)
    ended = time.perf_counter()
    sampling = laps["run"]
    return {
        "total": laps["print"] - begun,
        "python": laps["start"] - begun,
        "numpy": laps["import numpy"] - laps["start"],
        "nbinfer": laps["import nbinfer"] - laps["import numpy"],
        "model": laps["model"] - laps["import nbinfer"],
        "prepare": laps["sample"] - laps["model"] - sampling,
        "run": sampling,
        "summary": laps["print"] - laps["sample"],
        "exit": ended - laps["print"],
        "numba": laps["numba"],
        "told": "compiling the engine" in errors,
    }


#: Columns of the breakdown, and what they hold.
PARTS = ("python", "numpy", "nbinfer", "model", "prepare", "run", "summary", "exit")
LEGEND = """\
python: until the first line of the script; numpy, nbinfer: their imports; model: nb.Model; prepare: of nb.sample, code
of the model and its starting points before the run, diagnostics after it; run: the chains, with loading or compiling
their code; summary: summary and report, printed; exit: not part of the total."""


def gradients(folder: Path, repeats: int) -> str:
    """Measure first calls of gradients that an earlier process has made; return the table."""
    (folder / "cache").mkdir(mode=0o700, parents=True)
    limit = 30.0
    rows = []
    for name, call in CALLS.items():
        text = GRADIENT_SCRIPT.replace("CALL", call)
        process(text, folder)
        found = [process(text, folder)[0] for _ in range(repeats)]
        empty, gradient = ([1e3 * laps[part] for laps in found] for part in ("empty", "gradient"))
        verdict = "holds" if float(np.median(gradient)) <= limit else "MISSED"
        numba = "yes" if any(laps["numba"] for laps in found) else "no"
        rows.append([name, spread(empty), spread(gradient), f"{limit:g}", verdict, numba])
    return table(["", "empty function", "the gradient", "bound", "", "imports Numba"], rows)


def first_samples(folder: Path, repeats: int) -> str:
    """Measure the first `nb.sample` of models of many names, and of other lengths; return the table."""
    rows, medians = [], {}
    process(sized_script(5), folder)  # compiles the engine, and the code of the last row
    for names in (50, 100, 200):
        found = [process(named_script(names, 0.5 + k), folder)[0] for k in range(repeats)]
        medians[names] = float(np.median([laps["whole"] for laps in found]))
        bound = MOST_NAMED if names == 200 else None
        verdict = "" if bound is None else "holds" if medians[names] <= bound else "MISSED"
        whole, busy = ([laps[part] for laps in found] for part in ("whole", "processor"))
        rows.append([f"{names} names", spread(whole), spread(busy), "" if bound is None else f"{bound:g}", verdict])
    ratio = medians[200] / medians[50]
    rows.append(["200 to 50", f"{ratio:.2g}", "", f"{MOST_RATIO:g}", "holds" if ratio <= MOST_RATIO else "MISSED"])
    found = [process(sized_script(6 + k), folder)[0] for k in range(repeats)]
    verdict = "MISSED" if any(laps["compiled"] for laps in found) else "holds"
    whole, busy = ([laps[part] for laps in found] for part in ("whole", "processor"))
    rows.append(["another length", spread(whole), spread(busy), "compiles nothing", verdict])
    return table(["", "whole call, s", "processor, s", "bound", ""], rows)


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.startup", description="Process start to printed summary.")
    parser.add_argument("--first", type=int, default=1, help="first runs ever, which take long (%(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="runs of each other kind (%(default)s)")
    options = parser.parse_args()
    print(heading("Eight schools, 4 x (1000 + 1000), process start to printed summary, seconds: median (least..most)"))
    kinds: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(prefix="nbinfer-bench-") as name:
        folder, scale = Path(name), 5.0
        for i in range(options.first):
            base = folder / f"first-{i}"
            (base / "cache").mkdir(mode=0o700, parents=True)
            kinds.setdefault("first run ever", []).append(run(script(scale, 0), base))
        base.mkdir(exist_ok=True)
        for i in range(options.repeats):
            scale = 5.0 + 0.001 * (i + 1)
            kinds.setdefault("new model", []).append(run(script(scale, 0), base))
            kinds.setdefault("second run", []).append(run(script(scale, 0), base))
            kinds.setdefault("new model, 30 coordinates", []).append(run(script(scale, 20), base))
            kinds.setdefault("second run of it", []).append(run(script(scale, 20), base))
        first_calls = gradients(folder / "gradients", options.repeats)
        of_names = first_samples(base, options.repeats)
    limits = {"first run ever": 40.0, "new model": 2.0, "second run": 0.6, "new model, 30 coordinates": 2.0}
    rows = []
    for kind, runs in kinds.items():
        totals = [r["total"] for r in runs]
        limit = limits.get(kind)
        verdict = (
            ["", ""] if limit is None else [f"{limit:g}", "holds" if float(np.median(totals)) <= limit else "MISSED"]
        )
        rows.append([kind, spread(totals), *verdict, "yes" if any(r["numba"] for r in runs) else "no"])
    print(table(["", "total", "bound", "", "imports Numba"], rows))
    rows = [[k, *(f"{1e3 * np.median([r[p] for r in runs]):.0f}" for p in PARTS)] for k, runs in kinds.items()]
    print("\nMedian milliseconds of the parts\n" + table(["", *PARTS], rows) + "\n" + LEGEND)
    if not all(r["told"] for r in kinds.get("first run ever", [])):
        print("The first run did NOT say that it compiles.")
    print("\nFirst calls in a process that finds everything in the cache, milliseconds\n" + first_calls)
    print("\nThe whole first nb.sample, 2 x (50 + 50), of a new model\n" + of_names)


if __name__ == "__main__":
    main()
