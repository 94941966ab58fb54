"""Where a method runs: a table of backends by name, which those who have one fill.

A backend other than the processor lives in a room that no method imports. Its entry names, for each job that it can do,
the module that does it, and that is imported when the job is asked for, not before.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from nbinfer.arguments import choice

#: Where everything runs unless something else is asked for.
CPU = "cpu"

#: The module that does a job, by backend and job.
BACKENDS: dict[str, dict[str, str]] = {CPU: {}}


def add_backend(name: str, jobs: Mapping[str, str]) -> None:
    """Have a backend do further jobs.

    Parameters
    ----------
    name : str
    jobs : mapping of str to str
        Dotted names of modules by job, such as ``{"particles": "nbinfer.cuda.particles"}``.
    """
    BACKENDS.setdefault(name, {}).update(jobs)


def check_backend(backend: Any) -> str:
    """Require the name of a backend.

    Raises
    ------
    ValueError
        If there is none of that name; it says which there are, and which was meant.
    """
    choice("backend", backend, tuple(BACKENDS))
    return str(backend)


def on_backend(backend: str, job: str) -> Any:
    """Return the module that does a job on a backend other than the processor.

    Parameters
    ----------
    backend : str
    job : str
        Such as "particles" or "chains".

    Raises
    ------
    ValueError
        If there is no such backend, or the job is none of its.
    """
    jobs = BACKENDS[check_backend(backend)]
    if job not in jobs:
        which = f"does {' and '.join(jobs)} alone" if jobs else "has no job of its own"
        raise ValueError(f"backend {backend!r} {which}, not {job}; leave backend out, or take {CPU!r}.")
    return importlib.import_module(jobs[job])
