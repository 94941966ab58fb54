"""Memory of the host on a device: copied there, with its addresses changed to those of the copies.

What kernels know by address on the host they know by address on a device: blocks of chains, contexts, tables of data. A
word that points into mirrored memory is an address. Nothing else is as large as one but the words of random streams,
which are left alone, and floating-point numbers, whose bits are of another size.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.cuda import backend

_ALIGNMENT = 256  # bytes; as of all memory that CUDA hands out


class Mirror:
    """Arrays of the host, and their copies in one piece of a device's memory.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Of 8-byte items, or of as many bytes as make whole words; C-contiguous, or of two axes with room between rows,
        which is not copied. Their memory must outlive this.
    functions : mapping of int to int
        From addresses of C functions to the numbers by which device functions are known.

    Attributes
    ----------
    nbytes : int
        What it takes of the device's memory.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], functions: Mapping[int, int]) -> None:
        self._arrays = {name: _words_of(array) for name, array in arrays.items() if array.size}
        known = sorted(functions)
        self._functions = np.array(known, np.int64), np.array([functions[address] for address in known], np.int64)
        regions, place = [], 0
        self._places: dict[str, int] = {}
        for name, words in self._arrays.items():
            self._places[name] = place
            row, room = 8 * words.shape[1], words.strides[0] if len(words) > 1 else 8 * words.shape[1]
            start = words.ctypes.data
            regions.append((start, start + (len(words) - 1) * room + row, room, row, place))
            place += -(-words.nbytes // _ALIGNMENT) * _ALIGNMENT
        self._regions = np.array(sorted(regions), np.int64).T
        self.nbytes = place

    def make(self, random: Mapping[str, Collection[int]]) -> None:
        """Take the memory, and fill it.

        Parameters
        ----------
        random : mapping of str to collection of int
            Indices, in each row, of words that are no addresses whatever they hold, by name of the array.
        """
        self._memory = backend.cuda.device_array(max(self.nbytes // 8, 1), np.int64)
        self._base = backend.address_of(self._memory)
        for name, words in self._arrays.items():
            copy = self._translated(words)
            kept = list(random.get(name, ()))
            copy[:, kept] = words[:, kept]
            self.put(name, copy)

    def _translated(self, words: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return words with addresses of the device in place of those of the host, and numbers of functions."""
        found = words.copy()
        starts, ends, rooms, rows, places = self._regions
        k = np.searchsorted(starts, words, "right") - 1
        inside = (k >= 0) & (words < ends[k])
        k, offset = k[inside], words[inside] - starts[k[inside]]
        found[inside] = self._base + places[k] + offset // rooms[k] * rows[k] + offset % rooms[k]
        known, numbers = self._functions
        if known.size:
            j = np.minimum(np.searchsorted(known, words), known.size - 1)
            same = known[j] == words
            found[same] = numbers[j[same]]
        return found

    def address(self, name: str) -> int:
        """Return where the copy of an array begins on the device, row after row without room between them."""
        return self._base + self._places[name]

    def bytes_of_row(self, name: str) -> int:
        """Return how many bytes each row of the copy of an array takes."""
        return 8 * int(self._arrays[name].shape[1])

    def put(self, name: str, words: NDArray[np.int64]) -> None:
        """Overwrite the copy of an array."""
        self._part(name).copy_to_device(np.ascontiguousarray(words).reshape(-1))

    def fetch(self, name: str) -> NDArray[np.int64]:
        """Return the words of an array as they are on the device, addresses and all, row by row."""
        found: NDArray[np.int64] = self._part(name).copy_to_host()
        return found.reshape(self._arrays[name].shape)

    def take(self, name: str, words: NDArray[np.int64]) -> None:
        """Overwrite an array of the host."""
        self._arrays[name][:] = words

    def _part(self, name: str) -> Any:
        first = self._places[name] // 8
        return self._memory[first : first + self._arrays[name].size]


def _words_of(array: NDArray[Any]) -> NDArray[np.int64]:
    """View an array as rows of words; one without room between rows, or of another number of axes, may be one row."""
    if array.ndim == 2 and array.itemsize == 8:
        return array.view(np.int64)
    return array.reshape(1, -1).view(np.int64)
