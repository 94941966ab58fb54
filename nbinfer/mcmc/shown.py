"""What a live view shows of a run."""

from __future__ import annotations

from collections.abc import Collection

from nbinfer.engine.progress import Display
from nbinfer.live.asked import Asked, chosen
from nbinfer.live.display import Live
from nbinfer.live.draws import LP, Draws
from nbinfer.live.watched import watched
from nbinfer.mcmc.sampling import Sampling
from nbinfer.model import Model


def names_shown(model: Model, kept: Collection[str] | None) -> list[str]:
    """Return the variables that a run keeps."""
    return [name for name in (*model.parameters, *model.derived) if kept is None or name in kept]


def check_shown(asked: Asked, model: Model, kept: Collection[str] | None) -> None:
    """Raise ValueError if something is to be shown that the run does not keep."""
    names = [LP, *names_shown(model, kept)]
    chosen(asked, names, names, "the run")


def view_of(sampling: Sampling, display: Display, asked: Asked) -> Live:
    """Return the display of a run with a view."""
    names = list(sampling.store.groups["posterior"])
    source = Draws(lambda: sampling.store, names, sampling.numbers, sampling.model, asked)
    return watched(display, source, asked)
