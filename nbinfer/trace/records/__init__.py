"""Back ends that are handed draws row by row, while the run writes to memory: text, SQLite, a user's own object."""

from nbinfer.trace.records.recorded import Handed
from nbinfer.trace.records.sqlite import SQLite
from nbinfer.trace.records.text import Text

__all__ = ["Handed", "SQLite", "Text"]
