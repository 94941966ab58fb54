"""Write the C functions of a model: they turn a context into arrays, call the kernels, and count failures."""

from __future__ import annotations

from collections.abc import Sequence

from nbinfer.model.code.plan import ARGUMENTS, Plan, constrain, function, loop, moved, slopes
from nbinfer.model.data import view_source
from nbinfer.model.layout import Layout

#: Signatures of the C functions of a model, in Numba's notation. ``value`` is the density without a thought of
#: gradients; where ``density`` is a written gradient alone, there is none.
SIGNATURES = {
    "density": "float64(int64, intp, intp, intp)",
    "value": "float64(int64, intp, intp, intp)",
    "record": "int64(int64, intp, intp, intp)",
}

# Words of a context row. Addresses first, then the lengths of what they point to: a literal length in the text would
# have Numba compile the view anew. STATUS counts evaluations that raised, FAILED is not 0 while FAILURE holds a point.
VERSION, STATUS, FAILED, FAILURE, DATA, WEIGHTS, CONSTANTS, DISCRETE, SCRATCH, COLUMNS = range(10)
N_DATA, N_WEIGHTS, N_CONSTANTS, N_DISCRETE, N_SCRATCH, N_COLUMNS, ROW_SIZE = range(10, 17)
CONTEXT_WORDS = 24
CONTEXT_VERSION = 1


#: Statements that clear the gradients by entries of the data.
_CLEARED = ["for i in range(slope.size):", "    slope[i] = 0.0"]

#: Arguments of the C function that writes a row.
_ROW = "n, q, out_row, context"


def c_functions(plan: Plan) -> list[str]:
    """Write the C functions of a module, and the kernels of rows."""
    functions = [_shell(plan, "density", _density(plan))]
    if plan.terms:
        functions.append(_shell(plan, "value", [f"total = log_density(position, {ARGUMENTS})"]))
    return [*functions, _stores(plan), _row(plan), _record(plan)]


def c_function(name: str, arguments: str, lines: Sequence[str]) -> str:
    """Write a function of addresses."""
    return f"def {name}({arguments}):\n" + "\n".join("    " + line for line in lines) + "\n"


def _density(plan: Plan) -> list[str]:
    """Write the statements that leave `total` and, unless `grad` is 0, the gradient."""
    call = f"(position, floats_at(grad, n), {ARGUMENTS}{', slopes' if plan.learnt else ''})"
    if plan.fuses:
        place = f"row[{SCRATCH}] + {8 * plan.layout.trial_start}"
        return ["if grad == 0:", f"    grad = {place}", f"total = fused{call}"]
    value = f"    total = log_density(position, {ARGUMENTS})"
    return ["if grad == 0:", value, "else:", f"    total = differences{call}"]


def _shell(plan: Plan, name: str, evaluate: Sequence[str]) -> str:
    gradient = ", its gradient to `grad` unless that is 0" if name == "density" else ""
    lines = [
        f'"""C function: the log density at `q`{gradient}; -inf if a function raised."""',
        *unpack(plan, ["t", "f", "weights", "constants", "z", "scratch"]),
        *data_lines(plan),
        *([*slopes(plan), *_CLEARED] if plan.learnt and name == "density" else []),
        "failed = False",
        "total = -np.inf",
        "try:",
        *("    " + line for line in evaluate),
        "except Exception:",
        "    failed = True",
        "if failed:",
        *("    " + line for line in note_failure(plan)),
        "    return -np.inf",
        "return total",
    ]
    return c_function(name, "n, q, grad, context", lines)


def note_failure(plan: Plan) -> list[str]:
    """Write statements that count an evaluation that raised, and keep the point of the first."""
    dim, discrete = plan.layout.dim, plan.layout.discrete
    return [
        f"row[{STATUS}] += 1",
        f"if row[{FAILED}] == 0:",
        f"    failure = floats_at(row[{FAILURE}], n + {discrete})",
        *("    " + line for line in loop("failure", 0, dim, "= position[i]")),
        *("    " + line for line in (loop("failure", dim, dim + discrete, "= z[j]", 0) if discrete else [])),
        f"    store_release(context + {8 * FAILED}, row[{STATUS}])",
    ]


def unpack(plan: Plan, names: Sequence[str]) -> list[str]:
    """Write statements that turn a context into arrays."""
    lines = [f"row = ints_at(context, {CONTEXT_WORDS} + 0 * n)"]
    for name in names:
        kind, address, length = {
            "t": ("ints_at", DATA, N_DATA),
            "f": ("floats_at", DATA, N_DATA),
            "weights": ("floats_at", WEIGHTS, N_WEIGHTS),
            "constants": ("floats_at", CONSTANTS, N_CONSTANTS),
            "z": ("ints_at", DISCRETE, N_DISCRETE),
            "scratch": ("floats_at", SCRATCH, N_SCRATCH),
            "columns": ("ints_at", COLUMNS, N_COLUMNS),
        }[name]
        lines.append(f"{name} = {kind}(row[{address}], row[{length}])")
    return [*lines, "position = floats_at(q, n)"]


def data_lines(plan: Plan) -> list[str]:
    """Write the statements that leave `data`."""
    views, start = [], 0
    for datum in plan.data:
        expression, start = view_source(datum, start)
        views.append(expression)
    if plan.bare_data:
        return [f"data = {views[0]}"]
    if not views:
        return ["data = Data()"] if not plan.flat else ["data = ()"]
    return ["data = Data(", *(f"    {view}," for view in views), ")"]


def _row(plan: Plan) -> str:
    """Write the kernel that fills a row; in the shell's ``try``, loops are more than Numba can digest."""
    layout = plan.layout
    lines = constrain(plan, jacobian=False)
    if not plan.derived and not plan.missing:
        lines = [line for line in lines if not line.startswith("p = ")]
    for array, source, start, stop in _copies(layout):
        lines += loop("out", start, stop, f"= {array}[j]", source)
    lines.append("failed = False")
    word = 0
    for derived in plan.derived:
        call = f"{derived.function}(p, readonly(data))"
        if derived.ndim == 0 and derived.kind == "float64":
            lines.append(f"out[columns[{word}]] = {call}")
        elif derived.ndim == 0:
            lines.append(f"{derived.function}_now = {call}")
            lines.append(f"failed |= not fits_{derived.kind}({derived.function}_now)")
            lines.append(f"out[columns[{word}]] = {derived.function}_now")
        else:
            store = f"store_array_of_{derived.kind}"
            lines.append(f"failed |= {store}({call}, out, columns[{word}:{word + 1 + derived.ndim}])")
        word += 1 + derived.ndim
    comment = "Write parameters and derived quantities; tell whether one of these does not fit its columns."
    return function("fill_row", f"q, out, {_row_arguments(plan)}", [*lines, "return failed"], comment)


def _copies(layout: Layout) -> list[tuple[str, int, int, int]]:
    """Tell which pieces of which arrays make up the parameters of a row, as array, start there, start and stop here."""
    found: list[tuple[str, int, int, int]] = []
    here = 0
    for p in layout.parameters.values():
        array, place = ("z", p.z) if p.support.discrete else ("scratch", p.x) if moved(p) else ("q", p.q)
        before = found[-1] if found else ("", 0, 0, 0)
        if before[0] == array and place.start - before[1] == here - before[2]:
            found[-1] = (array, before[1], before[2], here + p.elements)  # goes on where that one ends
        else:
            found.append((array, place.start, here, here + p.elements))
        here += p.elements
    return found


def _row_arguments(plan: Plan) -> str:
    called = ["data"] if plan.derived or plan.layout.dependent or plan.missing else []
    return ", ".join([*called, *(["columns"] if plan.derived else []), "constants", "z", "scratch"])


def _record(plan: Plan) -> str:
    arguments = _row_arguments(plan)
    lines = ['"""C function: a row of parameters and derived quantities; 1 if a function raised or does not fit."""']
    names = [name for name in arguments.split(", ") if name != "data"]
    call = f"fill_row(position, out, {arguments})"
    out = f"out = floats_at(out_row, row[{ROW_SIZE}])"
    if "data" not in arguments:
        return c_function("record", _ROW, [*lines, *unpack(plan, names), out, call, "return 0"])
    lines += [*unpack(plan, ["t", "f", *names]), *data_lines(plan), out]
    lines += ["failed = False", "try:", f"    failed = {call}", "except Exception:", "    failed = True"]
    lines += ["if failed:", *("    " + line for line in note_failure(plan)), "    return 1", "return 0"]
    return c_function("record", _ROW, lines)


#: What a row, which is made of floats, holds exactly of other types. With the JIT off anything may come.
_FITS = {
    "int64": f"-{2**53} <= value <= {2**53} and value == int(value)",
    "bool": "value == 0 or value == 1",
}


def _stores(plan: Plan) -> str:
    """Write the kernels that check and store derived quantities."""
    found = []
    for kind in sorted({d.kind for d in plan.derived if d.kind in _FITS}):
        comment = f"Tell whether a row holds a value of dtype {kind} as it is."
        found.append(function(f"fits_{kind}", "value", [f"return {_FITS[kind]}"], comment))
    for kind in sorted({d.kind for d in plan.derived if d.ndim}):
        check = [f"    failed |= not fits_{kind}(element)"] if kind in _FITS else []
        lines = [
            "for i in range(value.ndim):",
            "    if value.shape[i] != column[1 + i]:",
            "        return True",
            "i, failed = column[0], False",
            "for element in value.flat:",
            *check,
            "    out[i] = element",
            "    i += 1",
            "return failed",
        ]
        comment = "Write an array to its columns; tell whether its shape has changed, or a value does not fit."
        found.append(function(f"store_array_of_{kind}", "value, out, column", lines, comment))
    return "\n\n".join(found)
