"""A C function that evaluates functions of parameters and data, maybe random, at the values that a trace holds.

It knows nothing of coordinates: a draw comes as a row of constrained values, 8 bytes for each, discrete ones as int64.
What it returns goes straight to the memory it is told, so that nothing is copied twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import Entry, address_of
from nbinfer.compile.arena import Arenas
from nbinfer.compile.files import file_digest
from nbinfer.compile.fingerprint import fingerprint
from nbinfer.compile.keys import sources
from nbinfer.compile.modules import generated_module
from nbinfer.compile.python_functions import python_function
from nbinfer.compile.users import compilable
from nbinfer.errors import ModelError
from nbinfer.model.code import generate, shells
from nbinfer.model.code.derived import Derivation, units_key
from nbinfer.model.code.kinds import kind_at_every_point
from nbinfer.model.code.places import words
from nbinfer.model.code.plan import Plan, fill, function
from nbinfer.model.code.stand_ins import called_with, loaded
from nbinfer.model.definition import Definition
from nbinfer.model.evaluate import call, describe_derived
from nbinfer.model.layout import Parameter
from nbinfer.model.missing import tables_of

#: ``int64 f(int64 n, intp values, intp given, intp context)``, as what writes rows. It returns `RAISED` if a function
#: raised, and `OTHER` if it returned another shape or dtype than was found.
SIGNATURE = shells.SIGNATURES["record"]
RAISED, OTHER = 1, 2

_OTHERWISE = (
    "Use what Numba supports of Python and NumPy, loops included; or compute it after the run, of the trace's arrays."
)

#: Words of `given`: the stream, the functions of its generator, and which function is under way; then those of each
#: function: where in the stream its numbers begin, where its value goes, and the lengths of that value.
STREAM, GENERATOR, CURRENT, FIRST = range(4)


class Output(NamedTuple):
    """A function of draws, and what it returns.

    Attributes
    ----------
    name : str
    function : callable
        ``f(p, d)`` or ``f(p, d, rng)``.
    label : str
        How messages call it.
    shape : tuple of int
        Of its value.
    kind : str
        "float64", "int64" or "bool".
    """

    name: str
    function: Any
    label: str
    shape: tuple[int, ...]
    kind: str

    @property
    def is_random(self) -> bool:
        """Whether it takes a generator of random numbers."""
        return takes_generator(self.function)


def takes_generator(f: Any) -> bool:
    """Tell whether a function takes ``(p, d, rng)``, and not ``(p, d)`` alone, or with a default of another name."""
    code, defaults = python_function(f).__code__, python_function(f).__defaults__ or ()
    return bool(code.co_argcount - len(defaults) > 2 or code.co_varnames[2 : code.co_argcount][:1] == ("rng",))


def words_of(outputs: Sequence[Output]) -> list[int]:
    """Return where in `given` the words of each function begin; at last, where they end."""
    starts = [FIRST]
    for output in outputs:
        starts.append(starts[-1] + 2 + len(output.shape))
    return starts


def observe(
    definition: Definition, values: Mapping[str, Any], name: str, f: Any, label: str, rng: np.random.Generator
) -> Output:
    """Run a function once in plain Python, at constrained values, and tell what it returns.

    Raises
    ------
    ModelError
        If that is no number and no array of numbers, or made from ``np.random``.
    """
    random = takes_generator(f)
    arguments = (*definition.arguments(values), rng)[: 3 if random else 2]
    shape, kind = describe_derived(called(f, arguments, label), label)
    keys = [[d.key for d in definition.data.values()], list(definition.layout.keys())]
    key = file_digest(fingerprint(f, *keys), sources("nbinfer.model.code.kinds"))
    how = called_with(definition, "function", label, f, rng=random)
    return Output(name, f, label, shape, kind_at_every_point(how, kind, key))


def called(f: Any, arguments: Sequence[Any], label: str) -> Any:
    """Call a function in plain Python, and require that no randomness of its own comes in."""
    before = _hidden()
    value = call(f, *arguments)
    if _hidden() != before:
        raise ModelError(
            f"{label} must draw from rng, the third argument of f(p, d, rng), got numbers of np.random: they follow no "
            "seed. Write rng.normal(...) instead of np.random.normal(...)"
        )
    return value


def _hidden() -> tuple[int, int, bytes]:
    """Return the state that ``np.random.normal`` and the like share."""
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    return state["has_gauss"], state["state"]["pos"], state["state"]["key"].tobytes()


class Contexts:
    """What the C function reads beside a draw, for workers: data, which may be others than those of the model.

    Parameters
    ----------
    definition : Definition
        With these data.
    workers : int
        Each has gaps of the data to fill for itself.

    Attributes
    ----------
    addresses : ndarray of int64, shape (workers,)
    """

    def __init__(self, definition: Definition, workers: int) -> None:
        self._tables = tables_of(definition, workers)
        self._rows = np.zeros((workers, shells.CONTEXT_WORDS), np.int64)
        self._rows[:, shells.VERSION] = shells.CONTEXT_VERSION
        self._rows[:, shells.DATA] = [address_of(table.words) for table in self._tables]
        self._rows[:, shells.N_DATA] = len(self._tables[0].words)
        self._places = words(definition.layout)
        self._rows[:, shells.PLACES] = address_of(self._places)
        self._rows[:, shells.N_PLACES] = len(self._places)
        self._arenas = Arenas(workers)
        self._rows[:, shells.ARENA] = self._arenas.addresses
        self.addresses = address_of(self._rows) + self._rows.strides[0] * np.arange(workers)


def functions_of_draws(definition: Definition, outputs: Sequence[Output]) -> Entry:
    """Return ``int64 f(int64 n, intp values, intp given, intp context)``, which evaluates all functions at one draw.

    Parameters
    ----------
    definition : Definition
        Of named parameters; of its data only names and types count.
    outputs : sequence of Output

    Raises
    ------
    CompileError
        If one of them cannot be compiled.
    """
    whole = Plan(definition.layout, list(definition.data.values()), [], "", [], missing=tuple(definition.missing))
    seen: dict[int, Any] = {}
    names = {
        f"user_{k}": compilable(output.function, data=definition.steady, seen=seen) for k, output in enumerate(outputs)
    }
    kinds = [(len(output.shape), output.kind, output.is_random) for output in outputs]
    data = definition.data.values()
    functions, varying = [o.function for o in outputs], list(definition.active)
    content = fingerprint(
        functions, kinds, list(definition.layout.keys()), [d.key for d in data], units_key(data), varying
    )

    def build(stand_ins: Derivation) -> Entry:
        plan = whole._replace(stand_ins=stand_ins.source)
        parts = [generate.head(plan), stand_ins.source, *_stores(outputs), _evaluate(plan, outputs), _shell(plan)]
        source = "\n\n".join(part.strip("\n") + "\n" for part in parts if part)
        source = source.replace("import note_failure\n", "import note_failure\nfrom nbinfer.random import enter\n", 1)
        own = names | (stand_ins.names or {})
        module = generated_module(source, file_digest(content, stand_ins.content), own, {"of_draws": SIGNATURE})
        return module.entry("of_draws")

    calls = [
        called_with(definition, f"user_{k}", output.label, output.function, rng=output.is_random)
        for k, output in enumerate(outputs)
    ]
    fields = {"Parameters": list(definition.parameters), "Data": list(definition.data)}
    labelled = [(output.label, output.function) for output in outputs]
    return loaded(build, calls, content, labelled, fields, otherwise=_OTHERWISE)


def offsets(definition: Definition) -> NDArray[np.int64]:
    """Return where in a row of values each parameter begins; at last, where the row ends."""
    return np.cumsum([0, *(p.elements for p in definition.parameters.values())])


def _stores(outputs: Sequence[Output]) -> list[str]:
    """Write the kernels that take a value to its memory; True if it has another shape, or would be cut."""
    found = []
    for ndim, kind in dict.fromkeys((len(output.shape), output.kind) for output in outputs):
        at = {"float64": "floats_at", "int64": "ints_at", "bool": "bytes_at"}[kind]
        exact = "" if kind == "float64" else "or target[{i}] != {value} "
        if not ndim:
            differs = exact.format(i=0, value="value").removeprefix("or ").strip() or "False"
            lines = [f"target = {at}(out, 1)", "target[0] = value", f"return {differs}"]
        else:
            wrong = " or ".join(f"value.shape[{axis}] != lengths[{axis}]" for axis in range(ndim))
            differs = f"differs = differs {exact.format(i='i', value='element')}".strip()
            lines = [
                f"if value.ndim != {ndim} or {wrong}:",
                "    return True",
                f"target = {at}(out, value.size)",
                "i, differs = 0, False",
                "for element in value.flat:",
                "    target[i] = element",
                *([f"    {differs}"] if exact else []),
                "    i += 1",
                "return differs",
            ]
        comment = "Write a value; tell whether it has another shape, or is no such number."
        found.append(function(f"store_{kind}_{ndim}", "value, out, lengths", lines, comment))
    return found


def _evaluate(plan: Plan, outputs: Sequence[Output]) -> str:
    lines = []
    for k, (output, at) in enumerate(zip(outputs, words_of(outputs), strict=False)):
        ndim = len(output.shape)
        rng = ", rng" if output.is_random else ""
        lines.append(f"given[{CURRENT}] = {k}")
        if rng:
            lines += [
                f"enter(given[{STREAM}], given[{at}])",
                f"rng = generator_at(given[{STREAM}], given[{GENERATOR}])",
            ]
        lines += [
            f"value_{k} = {plan.call(f'user_{k}', f'p, data{rng}')}",
            f"if store_{output.kind}_{ndim}(value_{k}, given[{at + 1}], given[{at + 2} : {at + 2 + ndim}]):",
            f"    return {OTHER}",
        ]
    comment = "Evaluate each function, and store its value."
    return function("evaluate", "arena, p, data, given", [*lines, "return 0"], comment)


def _shell(plan: Plan) -> str:
    at = plan.places

    def value(p: Parameter) -> str:
        return at.view("integers" if p.support.discrete else "floats", "row", p)

    needed = [*at.read.split(", "), plan.arena]
    fields, size = map(value, plan.layout.parameters.values()), at.number("row")
    lines = [
        '"""C function: evaluate functions at a draw."""',
        *shells.unpack([name for name in needed if name in ("places", "arena")], shells.data_lines(plan)),
        f"floats, integers = floats_at(values, {size} + 0 * n), ints_at(values, {size} + 0 * n)",
        "words = ints_at(given, n)",
        f"p = readonly(Parameters({', '.join(fields)}))",
        *fill(plan, value),
        f"status = {RAISED}",
        "try:",
        f"    status = evaluate({plan.arena}, p, readonly(data), words)",
        "except Exception:",
        f"    status = {RAISED}",
        "return status",
    ]
    return shells.c_function("of_draws", "n, values, given, context", lines)
