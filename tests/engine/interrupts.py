"""Ctrl-C at every line: a tracer that knows where a run is, and presses there."""

import collections
import signal
import sys
import threading
import time
from pathlib import Path

import nbinfer

#: Source of a finder that presses when a module is looked for, once.
PRESS = """
class Press:
    def __init__(self, at):
        self.at = at

    def find_spec(self, name, path, target=None):
        if name == self.at:
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)
"""

PACKAGE = str(Path(nbinfer.__file__).parent)


class Presses:
    """Press Ctrl-C when a line of the package is first reached after a run has begun.

    Lines of the main thread and of the thread that does the work are watched, in every file of the package. In the main
    thread a press raises right there; further presses hit the lines that follow it, `gap` lines apart. In the other
    thread all presses reach the main thread while the worker stands at the line.
    """

    def __init__(self, at=None, presses=1, gap=1):
        self.at, self.left, self.gap = at, presses, gap
        self.places = collections.OrderedDict()
        self.hit, self.begun, self._wait = False, False, 0
        self.threads = set()

    def __enter__(self):
        # Threads change where they wait, and nowhere else: the main thread is where it was when it was looked at.
        self._interval = sys.getswitchinterval()
        sys.setswitchinterval(10.0)
        threading.settrace(self._called)
        sys.setprofile(self._profiled if self.left > 1 else None)
        sys.settrace(self._called)
        return self

    def __exit__(self, *_):
        sys.settrace(None)
        sys.setprofile(None)
        threading.settrace(None)
        self.at = None
        for thread in self.threads:
            thread.join()
        sys.setswitchinterval(self._interval)

    def _called(self, frame, event, arg):
        return self._line if frame.f_code.co_filename.startswith(PACKAGE) else None

    def _line(self, frame, event, arg):
        if event == "line":
            thread = threading.current_thread()
            main = thread is threading.main_thread()
            if main and not self.begun:
                self.begun = any(t.name.startswith("nbinfer-") for t in threading.enumerate())
            if (main and self.begun) or thread.name == "nbinfer-run":
                name = frame.f_code.co_filename.removeprefix(PACKAGE)
                self._at((main, f"{name}:{frame.f_lineno} {frame.f_code.co_name}"), thread)
        return self._line

    def _at(self, place, thread):
        main = place[0]
        if not main:
            self.threads.add(thread)
        self.places.setdefault(place)
        if self.hit and main and self.left:
            self._wait -= 1
            if self._wait <= 0:
                self._press_here()
        elif not self.hit and place == self.at:
            self.hit = True
            if main:
                self._press_here()
            while self.left and self._waits():
                self.left -= 1
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                time.sleep(0.001)  # the main thread goes on

    def _waits(self):
        """Tell whether the main thread is still at it: what is pressed later belongs to somebody else."""
        frame = sys._current_frames()[threading.main_thread().ident]
        while frame is not None and frame.f_code.co_name != "await_result":
            frame = frame.f_back
        return frame is not None

    def _press_here(self):
        self.left, self._wait = self.left - 1, self.gap
        signal.raise_signal(signal.SIGINT)

    def _profiled(self, frame, event, arg):
        """Trace again: Python stops tracing when a tracer raises."""
        if self.hit and self.left and sys.gettrace() is None and event == "return":
            above = frame.f_back
            while above is not None:
                above.f_trace = self._called(above, "call", None)
                above = above.f_back
            sys.settrace(self._called)
