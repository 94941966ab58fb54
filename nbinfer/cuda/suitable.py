"""What chains on a GPU can be: what is wrong with a model or its steps is said before anything starts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from nbinfer.compile.readable import readable
from nbinfer.cuda import backend
from nbinfer.engine.step import StepMethod
from nbinfer.errors import CompileError, ModelError, PerformanceWarning, calls_above
from nbinfer.mcmc.ensemble.chees import ChEES
from nbinfer.mcmc.ensemble.mams import MAMS
from nbinfer.mcmc.hamiltonian.hmc import HamiltonianMC
from nbinfer.mcmc.hamiltonian.nuts import NUTS
from nbinfer.mcmc.metric.kernel import FUNCTIONS
from nbinfer.mcmc.walks.metropolis import Metropolis
from nbinfer.mcmc.walks.proposals import USERS, proposal_for
from nbinfer.mcmc.walks.slice import Slice
from nbinfer.model import Model
from nbinfer.model.definition import CompiledDefinition

#: Steps that run on a GPU.
STEPS = (NUTS, HamiltonianMC, Slice, Metropolis, ChEES, MAMS)

#: Chains below which the processor is probably sooner done.
FEW = 1000

_OR_ELSE = "leave backend out to run on the processor"


def check(model: Model, methods: Sequence[StepMethod], chains: int, executor: Any = None) -> None:
    """Require that chains can run on the GPU.

    Parameters
    ----------
    model : Model
    methods : sequence of StepMethod
        All steps of the run.
    chains : int
    executor : object
        What is to draw the chains in other processes; None: nothing.

    Raises
    ------
    CudaError
        If there is no GPU, or what it needs is not installed.
    ModelError
        If the model has discrete variables, or a density that is not compiled.
    ValueError
        If a step is one that runs on the processor alone, or chains are to be drawn in other processes.

    Warns
    -----
    PerformanceWarning
        If there are so few chains that the processor is probably faster.
    """
    backend.require()
    if executor is not None:
        raise ValueError(f'backend="cuda" and executor both say where chains are drawn; pass one, or {_OR_ELSE}.')
    check_model(model)
    for method in methods:
        reason = _reason(method)
        if reason:
            raise ValueError(f"{type(method).__name__} cannot run on a GPU: {reason}; or {_OR_ELSE}.")
        if model.conditional and not method.uses_gradient:
            raise ModelError(
                f"backend='cuda' knows no conditional, which {type(method).__name__} would ask: make the model without "
                f"it, or {_OR_ELSE}."
            )
    if chains < FEW:
        said = (
            f"{chains} chains keep few of the threads of a GPU busy: below {FEW}, the processor is probably faster. "
            f"Take more chains, or {_OR_ELSE}."
        )
        warnings.warn(said, PerformanceWarning, calls_above())


def check_model(model: Model) -> None:
    """Raise ModelError if the density of a model is none that a GPU can have."""
    definition = model.definition
    discrete = [name for name, p in definition.parameters.items() if p.support.discrete]
    if discrete:
        raise ModelError(
            f"backend='cuda' knows continuous variables alone, and {', '.join(discrete)} "
            f"{'is' if len(discrete) == 1 else 'are'} discrete: sum over their values in the density, or {_OR_ELSE}."
        )
    if not isinstance(definition, CompiledDefinition):
        raise ModelError(
            "backend='cuda' compiles the density, and that of this model is plain Python, or comes from elsewhere: "
            f"write it with what Numba supports, or {_OR_ELSE}."
        )


def _reason(method: StepMethod) -> str:
    """Say what of a step the GPU cannot do, and what to do; '' if it can do all."""
    if not isinstance(method, STEPS):
        alone = "its chains look at each other while they move; " if method.population else ""
        return f"{alone}take one of {', '.join(step.__name__ for step in STEPS)}"
    if method.timed:
        return "it has no clock that timed=True could read; leave timed out"
    if method.serial:
        return "functions in plain Python, for a step size or a metric, run on the processor; leave them out"
    if isinstance(method, NUTS | HamiltonianMC) and method.kinetic.dense == FUNCTIONS:
        return "a metric of functions is not compiled for it; take one with a name, or a matrix"
    if isinstance(method, Metropolis) and proposal_for(method.proposal_dist, method.S).kind == USERS:
        return "a proposal of one's own is not compiled for it; take one with a name"
    return ""


def explained(error: Exception, definition: CompiledDefinition) -> Exception:
    """Return what to raise where the compiler refuses code: it names the line, and what to do.

    Parameters
    ----------
    error : Exception
        The compiler's.
    definition : CompiledDefinition
        Whose functions were compiled.
    """
    from nbinfer.compile.cuda_lowered import Refused  # imports Numba

    reason = error.__cause__ if isinstance(error, Refused) and error.__cause__ is not None else error
    fields = {"Parameters": list(definition.parameters), "Data": list(definition.data)}
    fields["Gradients"] = [p.name for p in definition.layout.continuous]
    remedy = (
        "A GPU has no memory to allocate from: write it with loops over numbers, and without arrays of its own. A "
        f"gradient that is derived allocates nothing, so leave logp_grad and gradient out; or {_OR_ELSE}."
    )
    message = readable(reason, definition.functions, fields, remedy)
    if message is None:
        return error
    return CompileError(message.replace("Numba cannot compile", "Numba cannot compile for a GPU", 1))
