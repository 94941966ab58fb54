"""Write the C functions of a model: they turn a context into arrays, call the kernels, and count failures."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nbinfer.model.code.places import minus, moved, plus, times
from nbinfer.model.code.plan import Plan, constrain, function, loop, slopes
from nbinfer.model.data import view_source

#: Signatures of the C functions of a model, in Numba's notation. ``value`` is the density without a thought of
#: gradients; where ``density`` is a written gradient alone, there is none.
SIGNATURES = {
    "density": "float64(int64, intp, intp, intp)",
    "value": "float64(int64, intp, intp, intp)",
    "record": "int64(int64, intp, intp, intp)",
}

# Words of a context row. Addresses first, then the lengths of what they point to: a literal length in the text would
# have Numba compile the view anew. Three are those of `nbinfer.model.code.failures`.
VERSION, _, _, _, DATA, WEIGHTS, CONSTANTS, DISCRETE, SCRATCH, COLUMNS = range(10)
N_DATA, N_WEIGHTS, N_CONSTANTS, N_DISCRETE, N_SCRATCH, N_COLUMNS, ROW_SIZE = range(10, 17)
PLACES, N_PLACES, ARENA = 19, 20, 21
CONTEXT_WORDS = 24
CONTEXT_VERSION = 1


#: The arrays that code finds by a context: how it views them, and the words of address and length.
_ARRAYS = {
    "t": ("ints_at", DATA, N_DATA),
    "f": ("floats_at", DATA, N_DATA),
    "weights": ("floats_at", WEIGHTS, N_WEIGHTS),
    "constants": ("floats_at", CONSTANTS, N_CONSTANTS),
    "z": ("ints_at", DISCRETE, N_DISCRETE),
    "scratch": ("floats_at", SCRATCH, N_SCRATCH),
    "columns": ("ints_at", COLUMNS, N_COLUMNS),
    "places": ("ints_at", PLACES, N_PLACES),
}

#: Statements that clear the gradients by entries of the data.
_CLEARED = ["for i in range(slope.size):", "    slope[i] = 0.0"]

#: Arguments of the C function that writes a row.
_ROW = "n, q, out_row, context"


def c_functions(plan: Plan) -> list[str]:
    """Write the C functions of a module, and the kernels of rows."""
    functions = [_shell(plan, "density", *_density(plan))]
    if plan.terms:
        functions.append(_shell(plan, "value", [], f"log_density(position, {plan.arguments})"))
    return [*functions, _stores(plan), _row(plan), _record(plan)]


def c_function(name: str, arguments: str, lines: Sequence[str]) -> str:
    """Write a function of addresses."""
    return f"def {name}({arguments}):\n" + "\n".join("    " + line for line in lines) + "\n"


def _density(plan: Plan) -> tuple[list[str], str]:
    """Write statements to begin with, and the expression of value and, unless `grad` is 0, the gradient."""
    call = f"(position, gradient, {plan.arguments}{', slopes' if plan.learnt else ''})"
    view = "gradient = floats_at(grad, n)"
    if plan.fuses:
        place = plus(f"read_at(row, {SCRATCH})", times("8", plan.places.number("trial")))
        return ["if grad == 0:", f"    grad = {place}", view], f"fused{call}"
    return [view], f"log_density(position, {plan.arguments}) if grad == 0 else differences{call}"


def _shell(plan: Plan, name: str, before: Sequence[str], evaluation: str) -> str:
    gradient = ", its gradient to `grad` unless that is 0" if name == "density" else ""
    first = [*slopes(plan), *_CLEARED] if plan.learnt and name == "density" else []
    lines = [
        f'"""C function: the log density at `q`{gradient}; -inf if a function raised."""',
        *unpack([*plan.arguments.split(", "), "position"], [*data_lines(plan), *first, *before]),
        *_tried(plan, "total", "-np.inf", evaluation),
        "if failed:",
        f"    {noted(plan)}",
        "    return -np.inf",
        "return total",
    ]
    return c_function(name, "n, q, grad, context", lines)


def _tried(plan: Plan, name: str, otherwise: str, evaluation: str) -> list[str]:
    """Write statements that leave the value of an expression under a name, and `failed`: whether it raised."""
    if plan.device:
        attempted = re.sub(r"(\w+)\(([^()]*)\)", r"attempt(\1, (\2,))", evaluation)
        return [f"raised, {name} = {attempted}", f"failed = raised{' or failed' if name == 'failed' else ''}"]
    begin = [] if name == "failed" else ["failed = False"]
    lines = [f"{name} = {otherwise}", "try:", f"    {name} = {evaluation}", "except Exception:", "    failed = True"]
    return [*begin, *lines]


def noted(plan: Plan) -> str:
    """Write the statement that counts an evaluation that raised, and keeps the point of the first."""
    z = "z" if plan.layout.discrete else "row"
    return f"note_failure(context, position, {z}, {plan.places.number('discrete')})"


def unpack(names: Sequence[str], lines: Sequence[str]) -> list[str]:
    """Write statements that turn a context into arrays: those of these names, and what else some lines need."""
    words = set(re.findall(r"\w+", " ".join(lines)))
    found = [f"row = ints_at(context, {CONTEXT_WORDS} + 0 * n)"]
    for name, (kind, address, length) in _ARRAYS.items():
        if name in names or name in words:
            found.append(f"{name} = {kind}(read_at(row, {address}), read_at(row, {length}))")
    if "arena" in names:
        found.append(f"arena = begin(read_at(row, {ARENA}))")
    return [*found, *(["position = floats_at(q, n)"] if "position" in names else []), *lines]


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
    lines = constrain(plan, jacobian=False, shown=bool(plan.derived))
    for array, source, start, count in _copies(plan):
        lines += loop("out", start, count, f"= {array}[j]", source)
    lines.append("failed = False")
    word = 0
    for derived in plan.derived:
        call = plan.call(derived.function, "p, readonly(data)")
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
    return function("fill_row", ", ".join(["q", "out", *_row_arguments(plan)]), [*lines, "return failed"], comment)


def _copies(plan: Plan) -> list[tuple[str, str, str, str]]:
    """Tell which pieces of which arrays make up the parameters of a row: array, start there, start here, and length."""
    at, parameters = plan.places, list(plan.layout.parameters.values())
    arrays = [("z", "z") if p.support.discrete else ("scratch", "x") if moved(p) else ("q", "q") for p in parameters]
    starts = [k for k in range(len(arrays)) if k == 0 or arrays[k] != arrays[k - 1]]  # others go on where one ends
    found = []
    for k, after in zip(starts, [*starts[1:], None], strict=True):
        here = at.number("row", parameters[k])
        stop = at.number("row") if after is None else at.number("row", parameters[after])
        found.append((arrays[k][0], at.number(arrays[k][1], parameters[k]), here, minus(stop, here)))
    return found


def _row_arguments(plan: Plan) -> list[str]:
    called = ["data"] if plan.derived or plan.layout.dependent or plan.missing else []
    unused = ("data", "weights", *(() if plan.stand_ins else ("arena",)))
    others = [name for name in plan.arguments.split(", ") if name not in unused]
    return [*called, *(["columns"] if plan.derived else []), *others]


def _record(plan: Plan) -> str:
    arguments = _row_arguments(plan)
    lines = ['"""C function: a row of parameters and derived quantities; 1 if a function raised or does not fit."""']
    call = f"fill_row({', '.join(['position', 'out', *arguments])})"
    out = f"out = floats_at(out_row, read_at(row, {ROW_SIZE}))"
    names = [*arguments, "position"]
    if "data" not in arguments:
        return c_function("record", _ROW, [*lines, *unpack(names, [out]), call, "return 0"])
    lines += [*unpack(names, [*data_lines(plan), out])]
    lines += [*_tried(plan, "failed", "False", call), "if failed:", f"    {noted(plan)}", "    return 1", "return 0"]
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
