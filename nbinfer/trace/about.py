"""What a trace knows beside its arrays, as text and back."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.diagnostics.measure import Measure
from nbinfer.diagnostics.problem import Kind, Problem
from nbinfer.diagnostics.quantities import Measured
from nbinfer.diagnostics.report import Report
from nbinfer.trace.metric import Metric

if TYPE_CHECKING:
    from nbinfer.trace.trace import Trace

_ARRAY = "base64 of"  # how an array is told from any other mapping


def text_of(trace: Trace) -> str:
    """Return what a trace knows beside its arrays."""
    metric = trace.metric
    steps = metric if isinstance(metric, tuple) else () if metric is None else (metric,)
    return to_text(
        {
            "attrs": trace.attrs,
            "chain_ids": trace.chain_ids,
            "tune_done": trace.tune_done.tolist(),
            "draws_done": trace.draws_done.tolist(),
            "interrupted": trace.interrupted,
            "dims": trace.dims,
            "coords": trace.coords,
            "metrics": None if metric is None else [_of_metric(step) for step in steps],
            "one_metric": not isinstance(metric, tuple),
            "report": None if trace.report is None else _of_report(trace.report),
        }
    )


def arguments_of(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a `Trace` is made with, from what `text_of` was given."""
    names = ("attrs", "chain_ids", "interrupted", "dims", "coords")
    found = {name: about[name] for name in names if name in about}
    metrics = about.get("metrics")
    if metrics is not None:
        made = tuple(_metric(step) for step in metrics)
        found["metric"] = made[0] if about["one_metric"] else made
    return found


def report_of(about: Mapping[str, Any], trace: Trace) -> Report | None:
    """Return the report of a trace."""
    given = about.get("report")
    if given is None:
        return None
    problems = [
        Problem(Kind(kind), count, tuple(chains), message) for kind, count, chains, message in given["problems"]
    ]
    measured = {
        name: Measured(
            trace.posterior[name], None if m["done"] is None else tuple(m["done"]), m["prob"], m["checksum"],
            _records(m["records"]), m["chains"], m["every"],
        )
        for name, m in given["measured"].items()
        if name in trace.posterior
    }  # fmt: skip
    return Report(problems, given["notes"], given["verdict"], measured)


def _of_report(report: Report) -> dict[str, Any]:
    problems = [(p.kind.value, p.count, p.chains, p.message) for p in report.problems]
    measured = {name: _of_measured(m) for name, m in report.measured.items()}
    return {"problems": problems, "notes": report.notes, "verdict": report.verdict, "measured": measured}


def _of_measured(m: Measured) -> dict[str, Any]:
    numbers = np.asarray(m.records)[..., None].view(np.float64)  # all fields are
    return {
        "done": m.done,
        "prob": m.prob,
        "checksum": m.checksum,
        "records": numbers,
        "chains": m.chains,
        "every": m.every,
    }


def _records(numbers: np.ndarray) -> np.ndarray:
    return numbers.view(Measure)[..., 0]


def _of_metric(metric: Metric) -> dict[str, Any]:
    parts = {"scale": metric.scale, "chain_ids": metric.chain_ids, "variables": metric.shapes}
    parts |= {"capacity": metric.capacity, "is_learnt": metric.is_learnt, "matrix": metric.matrix}
    if metric.matrix is None:
        parts |= {"directions": metric.directions, "eigenvalues": metric.eigenvalues}
    return parts


def _metric(parts: Mapping[str, Any]) -> Metric:
    variables = {name: (tuple(shape), size) for name, (shape, size) in parts["variables"].items()}
    return Metric(
        parts["scale"], parts.get("directions", ()), parts.get("eigenvalues", ()), variables, parts["chain_ids"],
        parts["capacity"], parts["is_learnt"], parts["matrix"],
    )  # fmt: skip


def to_text(value: Any) -> str:
    """Return JSON; arrays bit for bit, and what JSON and NumPy do not know as its ``str``."""
    return json.dumps(value, default=_plain, separators=(",", ":"))


def from_text(text: str) -> Any:
    """Return what `to_text` was given; tuples come back as lists."""
    return json.loads(text, object_hook=_arrays)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufcUM":
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {_ARRAY: value.dtype.str, "shape": value.shape, "data": data}
    if isinstance(value, np.ndarray | set | frozenset):
        return list(value)
    if isinstance(value, np.generic):
        return value.item()
    return str(value)


def _arrays(mapping: dict[str, Any]) -> Any:
    if _ARRAY not in mapping:
        return mapping
    data = np.frombuffer(base64.b64decode(mapping["data"]), mapping[_ARRAY])
    return data.reshape(mapping["shape"]).copy()
