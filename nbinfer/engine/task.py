"""Work that Ctrl-C cannot take away: done in a thread of its own, while the thread that asked for it only waits.

Python raises KeyboardInterrupt in the main thread and in no other, between any two of its instructions. Code that has
something to lose must therefore not run there. A `Task` does its work in another thread and keeps what comes of it;
`finished` waits for it, in the few lines that an interruption may still hit: each of them may be repeated. Nothing is
set up for that, no signal handler and no mask. What another handler of the caller's raises, that of SIGALRM perhaps,
ends the work in the same way and is raised at its end, with the result as its attribute ``trace``.
"""

from __future__ import annotations

import contextvars
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from nbinfer.errors import calls_above, unseen

_POLL = 0.05  # seconds between two looks at what there is to say
_LEVELS = 3

Result = TypeVar("Result")


def finished(task: Task[Result], level: int = _LEVELS) -> Result:
    """Start a task, wait for it, and return its result or raise its error.

    An interruption of `Task.await_result` is noted, and the waiting goes on. One that comes while it is noted is noted
    by the level above. A person cannot press so fast that all levels are hit; a test can.

    Parameters
    ----------
    task : Task
    level : int
        How many more levels there are.

    Returns
    -------
    result : object
    """
    while True:
        try:
            return finished(task, level - 1) if level else task.await_result()
        except BaseException as press:
            if not task.notes(press):
                raise


class Task(Generic[Result]):
    """Work in a thread of its own.

    A subclass says what the work is, how it is stopped, and what it is worth if nobody waits for its end.

    Attributes
    ----------
    result : object or None
        What to return, set by the work as soon as it is worth returning.
    error : BaseException or None
        What to raise instead; it gets `result` as its attribute ``trace``.
    left : bool
        Whether nobody waits any more.
    meanwhile : callable
        What the waiting thread does besides, now and then, and once when the work is done.
    """

    def __init__(self) -> None:
        self.result: Result | None = None
        self.error: BaseException | None = None
        self.left = False
        self._done = self._asked = False
        self.meanwhile: Callable[[], None] = lambda: None
        self._messages: list[tuple[str, type[Warning]]] = []
        self._said = 0
        self._place = place_above()
        self._wake = threading.Lock()
        self._wake.acquire()
        context = contextvars.copy_context()  # np.errstate is one
        self._thread = threading.Thread(target=context.run, args=(self._run,), name="nbinfer-run", daemon=True)

    def work(self) -> None:
        """Do it, and set `result`, or `error`."""
        raise NotImplementedError

    def stop(self) -> None:
        """Ask the work to end."""
        raise NotImplementedError

    def leave(self) -> None:
        """Set what is missing of result and error while the work goes on, or after it failed; may be repeated."""
        raise NotImplementedError

    def tell(self, error: BaseException) -> None:
        """Let an error that is raised have the result, where it is worth having."""
        error.__dict__["trace"] = self.result

    def say(self, message: str, category: type[Warning]) -> None:
        """Have the waiting thread issue a warning, once."""
        if (message, category) not in self._messages:
            self._messages.append((message, category))

    def _run(self) -> None:
        try:
            self.work()
        except BaseException as error:  # it goes to the thread that waits
            self.error = self.error or error
        finally:
            self._done = True
            self._wake.release()

    def await_result(self) -> Result:
        """Return the result once there is one, or raise the error; every line may be repeated."""
        if self._thread.ident is None:
            self._thread.start()
        while not (self._done or self.left):
            self._wake.acquire(timeout=_POLL)
            self.meanwhile()
            self._issue_warnings()
        if self._done:
            self._thread.join()
        if not self.left:
            self.meanwhile()
        if self.result is None or not self._done:
            self.leave()
        self._issue_warnings()
        if self.error is not None:
            self.tell(self.error)
            raise self.error
        assert self.result is not None
        return self.result

    def notes(self, press: BaseException) -> bool:
        """Note an interruption: the first one asks the work to end, another one does not wait for that.

        Returns
        -------
        noted : bool
            False if it has to go its way: the task's own error, or one that came before the start.
        """
        again = self._asked or self.result is not None
        self._asked = True
        self.stop()
        if press is self.error or self._thread.ident is None:
            return False
        if not isinstance(press, KeyboardInterrupt):
            if self.error is not None:  # one error is raised at the end, others now
                self.tell(press)
                return False
            self.error = press
        self.left = self.left or again
        return True

    def _issue_warnings(self) -> None:
        filename, line, module, registry = self._place
        while self._said < len(self._messages):
            message, category = self._messages[self._said]
            self._said += 1
            try:
                with unseen():
                    warnings.warn_explicit(message, category, filename, line, module, registry)
            except Warning as warning:  # turned into an error by a filter
                self.error = self.error or warning
                self.stop()


def place_above() -> tuple[str, int, str, dict[Any, Any]]:
    """Return what `warnings.warn` finds out about the user's line."""
    frame = sys._getframe(calls_above() - 1)
    names = frame.f_globals
    registry = names.setdefault("__warningregistry__", {})
    return frame.f_code.co_filename, frame.f_lineno, names.get("__name__", "<string>"), registry
