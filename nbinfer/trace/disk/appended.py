"""Groups that are added to a finished file."""

from __future__ import annotations

from nbinfer.trace.groups import TraceGroup


class GroupFile:
    """A file that takes groups."""

    def add(self, group: TraceGroup, overwrite: bool) -> TraceGroup:
        """Append a group."""
        raise NotImplementedError
