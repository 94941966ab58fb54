"""What autodiff refuses, and what it warns about."""

from __future__ import annotations

from typing import NamedTuple

from nbinfer.errors import NbinferError, NbinferWarning


class Place(NamedTuple):
    """A line of a user's source: where a message points to.

    Attributes
    ----------
    file : str
        Path of the source file.
    line : int
        Number of the line in that file, from 1.
    function : str
        Name of the function around it.
    text : str
        The line itself, without its indentation.
    """

    file: str
    line: int
    function: str
    text: str

    def __str__(self) -> str:
        where = f'File "{self.file}", line {self.line}, in {self.function}'
        return f"  {where}\n    {self.text}" if self.text else where


def placed(message: str, place: Place | None) -> str:
    """Return a message with the lines that show its place; in one line where there is no text to show."""
    if place is None:
        return message
    return f"{message}\n{place}" if place.text else f"{message} ({place})"


class ADError(NbinferError, TypeError):
    """A function lies outside the subset that can be differentiated.

    Attributes
    ----------
    message : str
        What is not supported, and what to write instead.
    place : Place or None
        Where it stands; None if there is no source.
    """

    def __init__(self, message: str, place: Place | None = None) -> None:
        self.message = message
        self.place = place
        super().__init__(placed(message, place))

    @property
    def file(self) -> str | None:
        """Path of the source file."""
        return self.place.file if self.place else None

    @property
    def line(self) -> int | None:
        """Number of the line in the file."""
        return self.place.line if self.place else None

    @property
    def source_line(self) -> str | None:
        """The line itself."""
        return self.place.text if self.place else None


class DerivativeWarning(NbinferWarning):
    """A derivative is zero where the value depends on a parameter."""


class Notice(NamedTuple):
    """A warning that belongs to a line of the user's source."""

    message: str
    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f'{self.message}\n  File "{self.file}", line {self.line}\n    {self.text}'
