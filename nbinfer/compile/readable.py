"""Turn what Numba says about a user's function into one readable message."""

from __future__ import annotations

import linecache
import re
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbinfer.compile.numba_internals import is_error
from nbinfer.compile.python_functions import python_function
from nbinfer.spelling import meant

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_PLACES = re.compile(
    r" (?:at|from) (?P<path>\S[^\n]*?) \((?P<line>\d+)\)|File \"(?P<file>[^\"\n]+)\", line (?P<number>\d+)"
)
_NOISE = re.compile(r"^(Failed in nopython mode pipeline|Failed in \w+ mode pipeline|\s*$|-+$|- Resolution failure)")
_END = re.compile(r"^\s*(During:|File \"|There (are|is) \d+ candidate|This error |\[\d\] During|raised from)")
_TAIL = re.compile(r" *[Rr]aised from [^\n]* \(\d+\)$")
_MODULE_NAMES = re.compile(r"\b(prior|logp_grad|logp|gradient|likelihood_\w+|derived_\w+|bound_\w+)\(")

_NO_NUMBA = (
    "Decorate {0} with numba.njit, if it is yours; what it does in another library is written with loops and NumPy, "
    "or the density runs as Model.flat(f, dim, compile=False)."
)
_REMEDIES = (
    (r"<module 'scipy", "Compiled code knows nothing of SciPy: use nbinfer.vectormath, nbinfer.distributions or math."),
    (r"Untyped global name '(\w+)'.*<class 'function'>", _NO_NUMBA),
    (
        r"Untyped global name '(\w+)'.*<class '[\w.]*DataFrame'>",
        "Pass {0} as data: with data={0} each column is an entry, and d.y is column y.",
    ),
    (r"Untyped global name '(\w+)'.*<class '[\w.]*Series'>", "Pass {0} as data: data={{'{0}': {0}}}, and read d.{0}."),
    (
        r"STORE_GLOBAL|STORE_DEREF",
        "Compiled code cannot change what is outside of it: what is to be kept is derived=.",
    ),
    (r"Untyped global name '(\w+)'.*<class 'dict'>", "Pass what is in {0} as data: data={0}, and d.y is {0}['y']."),
    (
        r"Untyped global name '(\w+)'.*<class 'numpy.ufunc'>",
        "Numba does not know the ufunc {0}, maybe SciPy's: use nbinfer.vectormath, nbinfer.distributions or math.",
    ),
    (
        r"reflected (?:list|set)\(.*assigned to variable '(\w+)'",
        "Pass {0} as data: data={{'{0}': {0}}}, and read d.{0}.",
    ),
    (r"Untyped global name '(\w+)'", "Pass {0} as data, or make it a number, an array or a compiled function."),
    (r"Invalid use of Module\(<module '([\w.]+)'", "{0} is a module; call a function of it, such as logpdf."),
    (r"NameError: name '(\w+)'|name '(\w+)' is not defined", "Define {0} before the model is used."),
    (r"Unknown attribute '(\w+)' of type (Parameters|Data|Gradients|Before_\w+)", "{1} has no field {0}; {fields}"),
    (
        r"NumPyRandomGeneratorType_(\w+)",
        "Compiled, rng.{0} takes numbers; families take arrays, for example normal.random(rng, mu, sigma).",
    ),
    (r"Cannot unify", "Give the variable one type on all paths, for example 0.0 instead of 0."),
    (r"[Uu]nsupported|not supported|No implementation of function|Unknown attribute", None),
)
#: What NumPy and Numba say of a write to what is read-only.
_READ_ONLY = re.compile(
    r"read-only|Cannot modify readonly|No conversion from readonly|"
    r"(setitem|run_quicksort|arr_fill|shuffle)\(readonly|\w+\([^()]*readonly[^()]*\)[^()]*, readonly"
)
_WRITTEN = (
    "writes to parameters or data, which are read-only: their memory is the chain's own position and the model's data. "
    "Write to a copy: x = p.x.copy()"
)
_OTHERWISE = (
    "Use what Numba supports of Python and NumPy, loops included; a density that cannot be compiled runs as "
    "Model.flat(f, dim, compile=False)."
)


def readable(
    error: BaseException,
    labelled: Sequence[tuple[str, Any]],
    fields: Mapping[str, Sequence[str]],
    otherwise: str = _OTHERWISE,
) -> str | None:
    """Describe an error of Numba's.

    Parameters
    ----------
    error : BaseException
        What compiling raised.
    labelled : sequence of (str, function)
        The user's functions and how messages call them.
    fields : dict
        Field names of "Parameters", "Data", "Gradients", and of "Before_x" for a bound of x.
    otherwise : str
        What to do where nothing better is known.

    Returns
    -------
    message : str or None
        Which function, where, why, and what to do; None if the error is not Numba's.
    """
    in_module = _lacking(error)
    if not is_error(error) and in_module is None:
        return None
    text = _ANSI.sub("", str(error))
    places = [(m["path"] or m["file"], int(m["line"] or m["number"])) for m in _PLACES.finditer(text)]
    if not any(_is_users(path) for path, _ in places):  # numba-cuda tells none
        places = [*_places_of_inference(error), *places]
    if in_module is not None:
        places, otherwise = _places_of_inference(error), in_module
    label, path, line = _locate(places, labelled)
    reason = _reason(text)
    where = f" ({path}, line {line})" if path else ""
    source = linecache.getline(path, line).strip() if path else ""
    shown = f"\n    {source}" if source else ""
    return f"Numba cannot compile {label}{where}:{shown}\n{reason}\n{_remedy(reason, fields) or otherwise}"


def written(error: BaseException) -> str | None:
    """Say where a user's function writes to parameters or data, if that is what an exception is about; else None."""
    places = _inference(error)
    if is_error(error):
        text = _ANSI.sub("", str(error))
        if not _READ_ONLY.search(text):
            return None
        places = [(m["path"] or m["file"], int(m["line"] or m["number"])) for m in _PLACES.finditer(text)]
    elif isinstance(error, ValueError) and _READ_ONLY.search(str(error)):
        places = [(f.filename, f.lineno or 0) for f in reversed(traceback.extract_tb(error.__traceback__))]
    elif not (isinstance(error, AttributeError) and places):
        return None
    path, line = next(((path, line) for path, line in places if _is_users(path)), ("", 0))
    source = linecache.getline(path, line).strip() if path else ""
    where = f"{path}, line {line}" if path else "a function of the model"
    return f"{where} {_WRITTEN}" + (f"\n    {source}" if source else "")


def _inference(error: BaseException) -> list[tuple[str, int]]:
    """Return the lines that Numba was at, innermost first, when it met ``x -= y`` with an x that is read-only.

    It then stumbles over an attribute of None, and only the frames of its type inference know the line.
    """
    return _places_of_inference(error) if _raised_in(error) == "npydecl.py" else []


def _lacking(error: BaseException) -> str | None:
    """Say what a module has that lacks what is asked of it, if that is what stops Numba; it knows no such error."""
    if not isinstance(error, AttributeError) or _raised_in(error) != "context.py":
        return None
    known = [name for name in getattr(error.obj, "__dict__", {}) if not name.startswith("_")]
    return f"Name something that {getattr(error.obj, '__name__', error.obj)} has.{meant(error.name, known)}"


def _raised_in(error: BaseException) -> str:
    """Return the name of the file that raised an exception."""
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    return Path(files[-1]).name if files else ""


def _places_of_inference(error: BaseException) -> list[tuple[str, int]]:
    """Return the lines that type inference was at when it failed, innermost first."""
    found: list[tuple[str, int]] = []
    for frame, _ in traceback.walk_tb(error.__traceback__):
        place = getattr(frame.f_locals.get("self"), "loc", None)
        if place is not None:
            found.insert(0, (place.filename, place.line))
    return found


def _locate(places: Sequence[tuple[str, int]], labelled: Sequence[tuple[str, Any]]) -> tuple[str, str, int]:
    """Find the innermost place in the user's own text, and the function of the model that leads there."""
    spans = []
    for label, function in labelled:
        code = python_function(function).__code__
        lines = [line for *_, line in code.co_lines() if line is not None]
        spans.append((label, code.co_filename, min(lines, default=0), max(lines, default=0)))
    own = next(((path, line) for path, line in places if _is_users(path)), ("", 0))
    for path, line in places:
        for label, file, first, last in spans:
            if Path(path).name == Path(file).name and first <= line <= last:
                full = file if Path(own[0]).name == Path(file).name else own[0]
                inside = first <= own[1] <= last and full == file
                return (label if inside else f"a function that {label} calls"), full, own[1]
    for path, line in places:  # only our text: the line says whose value does not fit
        if match := _MODULE_NAMES.search(linecache.getline(path, line)):
            return match[1], "", 0
    return "the model", *own


def _is_users(path: str) -> bool:
    parts = Path(path).parts
    ours = str(Path(__file__).resolve().parent.parent)
    generated = Path(path).name == "model.py" and "models" in parts
    return not (
        path.startswith(ours) or {"numba", "numpy"} & set(parts) or generated or path in ("unknown", "<numerous>")
    )


def _reason(text: str) -> str:
    kept: list[str] = []
    for line in text.splitlines():
        if _NOISE.match(line):
            continue
        if _END.match(line):
            break
        kept.append(line.strip().removeprefix(">>> "))
        if len(kept) == 3:
            break
    reason = " ".join(kept) or text.strip().splitlines()[0]
    reason = _TAIL.sub("", reason)
    reason = re.sub(r"(<module '[\w.]+') from '[^']*'>", r"\1>", reason)
    reason = re.sub(r"(Parameters|Data|Gradients|Before_\w+)\([^()]*(\([^()]*\)[^()]*)*\)", r"\1", reason)
    return reason if len(reason) <= 300 else reason[:297] + "..."


def _remedy(reason: str, fields: Mapping[str, Sequence[str]]) -> str | None:
    for pattern, remedy in _REMEDIES:
        if match := re.search(pattern, reason):
            if remedy is None:
                break
            groups = [g for g in match.groups() if g]
            names = fields.get(groups[1], ()) if len(groups) > 1 else ()
            near = meant(groups[0], names) if names else ""
            return remedy.format(*groups, fields=f"it has {', '.join(names) or 'none'}.{near}")
    return None
