"""A trace on one screen, as text and as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from nbinfer import html

if TYPE_CHECKING:
    from nbinfer.trace.trace import Trace

_MOST_VARIABLES = 20
_MOST_CHAINS = 8


def _plural(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _headline(trace: Trace) -> str:
    name, draws, tune = type(trace).__name__, trace.draws_done, trace.tune_done
    numbers = "" if trace.chains == list(range(trace.nchains)) else f" (numbers {_some(trace.chains)})"
    most = _plural(int(draws.max()), "draw")
    size = f"{_plural(trace.nchains, 'chain')}{numbers} × {most if draws.min() == draws.max() else 'up to ' + most}"
    if not tune.any():
        return f"{name}: {size}"
    kept = "kept" if trace.warmup_posterior else "not kept"
    least = "" if trace.interrupted or tune.min() == tune.max() else f"{int(tune.min())} to "
    return f"{name}: {size}, after {least}{int(tune.max())} of warm-up ({kept})"


def _some(numbers: list[int]) -> str:
    shown = [str(number) for number in numbers[:_MOST_CHAINS]]
    return ", ".join(shown + ["…"] * (len(numbers) > _MOST_CHAINS))


def _lengths(trace: Trace) -> str | None:
    """Say how long each chain is, if the run was stopped or the chains differ."""
    draws = trace.draws_done
    if not trace.interrupted and draws.min() == draws.max():
        return None
    if not draws.any() and trace.tune_done.any():
        phase, done = "warm-up iterations", trace.tune_done
    else:
        phase, done = "draws", draws
    if trace.nchains > _MOST_CHAINS:
        counts = f"between {int(done.min())} and {int(done.max())} {phase} a chain"
    else:
        counts = f"{phase} " + ", ".join(
            f"{int(n)} (chain {chain})" for chain, n in zip(trace.chains, done, strict=True)
        )
    return f"{'Interrupted' if trace.interrupted else 'Unequal chains'}: {counts}"


def _groups(trace: Trace) -> str | None:
    """Say what was added to the draws."""
    found = [f"{kind} ({', '.join(list(group)[:_MOST_CHAINS])})" for kind, group in trace.groups.items()]
    return f"Groups: {', '.join(found)}" if found else None


def _verdict(trace: Trace) -> list[str]:
    """Return the first line of the report, and its problems."""
    if trace.report is None:
        return []
    first, *rest = str(trace.report).strip().splitlines() or [""]
    return [first, *(line for line in rest if line.startswith("- "))]


def _variables(group: Mapping[str, NDArray[Any]]) -> tuple[list[tuple[str, str, str]], str | None]:
    """Return rows of name, shape and type, and a line about those left out."""
    names = list(group)
    rows = [
        (name, "scalar" if group[name].ndim == 2 else str(group[name].shape[2:]), str(group[name].dtype))
        for name in names[:_MOST_VARIABLES]
    ]
    rest = len(names) - len(rows)
    return rows, f"… and {_plural(rest, 'more variable')}" if rest else None


def as_text(trace: Trace) -> str:
    """Return the trace on one screen."""
    from textwrap import fill

    rows, rest = _variables(trace.posterior)
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(2)]
    lines: list[str | None] = [_headline(trace)]
    lines += [f"  {name:<{widths[0]}}  {shape:<{widths[1]}}  {dtype}" for name, shape, dtype in rows]
    lines += [f"  {rest}" if rest else None]
    if trace.sample_stats:
        lines += [fill("Statistics: " + ", ".join(trace.sample_stats), 100, subsequent_indent="  ")]
    lines += [_groups(trace), _lengths(trace), *(fill(line, 100, subsequent_indent="  ") for line in _verdict(trace))]
    return "\n".join(line for line in lines if line)


def as_html(trace: Trace) -> str:
    """Return the trace on one screen of a notebook."""
    head, *problems = _verdict(trace) or [""]
    found = html.verdict(not problems, head, (line.removeprefix("- ") for line in problems)) if head else ""
    statistics = f"Statistics: {', '.join(trace.sample_stats)}" if trace.sample_stats else None
    after = html.lines([statistics, _groups(trace), _lengths(trace)])
    return html.block(html.headline(_headline(trace)), found, variables_as_html(trace.posterior), after)


def variables_as_html(group: Mapping[str, NDArray[Any]]) -> str:
    """Return a table of arrays (chain, draw, ...) by name, without a look at what is in them."""
    rows, rest = _variables(group)
    return html.table(("variable", "shape", "type"), [*rows, rest] if rest else rows)
