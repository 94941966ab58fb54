"""Texts in a file, replaced as a whole.

There is room for them twice. New texts go where the older ones are, and count once they are there with their checksum:
whatever ends the process, one of the two can be read.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nbinfer.errors import BackendError

#: What precedes the bytes of the texts; `number` is that of their version, 0 if there is none.
Head = np.dtype([("number", "i8"), ("length", "i8"), ("checksum", "i8"), ("spare", "i8")])


def room_for(length: int) -> int:
    """Return the bytes that texts of so many bytes take in a file."""
    return 2 * (Head.itemsize + -(-length // 8) * 8)


def packed(notes: Mapping[str, str]) -> bytes:
    """Return the bytes that `write` writes."""
    return json.dumps(dict(notes)).encode()


def write(memory: NDArray[np.uint8], data: bytes) -> bool:
    """Write texts over the older ones; return False if they are too long."""
    slots = memory.reshape(2, -1)
    heads = [_head(slot) for slot in slots]
    place = 0 if heads[0]["number"] <= heads[1]["number"] else 1
    head, body = heads[place], slots[place, Head.itemsize :]
    if len(data) > len(body):
        return False
    number = int(heads[1 - place]["number"]) + 1
    head["number"] = 0
    body[: len(data)] = np.frombuffer(data, np.uint8)
    head["length"], head["checksum"] = len(data), zlib.crc32(data, number)
    head["number"] = number
    return True


def read(memory: NDArray[np.uint8], path: Path) -> dict[str, str]:
    """Return the newest texts that are whole; `path` is the file that they are in."""
    slots = memory.reshape(2, -1)
    for slot in sorted(slots, key=lambda slot: -int(_head(slot)["number"])):
        head = _head(slot)
        data = slot[Head.itemsize :][: max(int(head["length"]), 0)].tobytes()
        if head["number"] > 0 and zlib.crc32(data, int(head["number"])) == head["checksum"]:
            found: dict[str, str] = json.loads(data)
            return found
    raise BackendError(f"{path} is damaged: what it says about the run cannot be read.")


def _head(slot: NDArray[np.uint8]) -> np.void:
    head: np.void = slot[: Head.itemsize].view(Head)[0]
    return head
