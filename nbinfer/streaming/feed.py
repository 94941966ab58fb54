"""What models and fits know of data that come in batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.streaming.gather import Gather


class Feed:
    """Data that come in batches: an entry of a model's data.

    Attributes
    ----------
    version : int
        Counts up when the data behind it are others.
    """

    version = 0

    @property
    def example(self) -> np.ndarray:
        """A batch, which is not used up: the first."""
        raise NotImplementedError

    @property
    def whole(self) -> np.ndarray | None:
        """All data, if they are in memory."""
        return None

    @property
    def shape_of_all(self) -> tuple[int, ...] | None:
        """Shape of all data, if it is known."""
        return None

    @property
    def source(self) -> Feed:
        """What is asked for batches: itself, or what it is a part of."""
        return self

    def part_of(self, batch: Any) -> np.ndarray:
        """Return its own part of a batch of the source.

        Parameters
        ----------
        batch : ndarray or object
        """
        return batch  # type: ignore[no-any-return]

    def batch(self, number: int) -> np.ndarray:
        """Return the batch of an iteration.

        Parameters
        ----------
        number : int
            The iteration.
        """
        raise NotImplementedError

    def place(self, index: tuple[int, ...], number: int) -> str:
        """Return in words where an element of a batch is.

        Parameters
        ----------
        index : tuple of int
            In the batch.
        number : int
            Of the batch.
        """
        return f"index {index} of a batch"

    def check(self) -> None:
        """Raise StreamingError if what the batches are taken from is no longer there."""

    def gather(self, target: np.ndarray) -> Gather | None:
        """Return what compiled code needs to write batches to some memory; None if Python must read them.

        Parameters
        ----------
        target : ndarray of float64, int64 or bool
            C-contiguous, of the shape of a batch.
        """
        return None

    def describe(self) -> dict[str, Any]:
        """Return words for messages: what it is, and what takes its place where all data are needed."""
        raise NotImplementedError
