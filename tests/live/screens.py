"""What stands for a screen: a terminal that shows what was written to it, and a notebook."""

import contextlib
import os
import struct
import sys
import termios
import threading
import types
from fcntl import ioctl


class Screen:
    """The lines that a terminal shows, of what tqdm writes: text, and moves of the cursor."""

    def __init__(self, columns):
        self.columns, self.lines, self.row, self.column = columns, [""], 0, 0
        self.wrapped = 0

    def feed(self, text):
        for letter in text.replace("\x1b[A", "\v"):
            if letter == "\v":
                self.row = max(self.row - 1, 0)
            elif letter == "\r":
                self.column = 0
            elif letter == "\n":
                self.row += 1
                self.lines += [""] * (self.row + 1 - len(self.lines))
            else:
                self._put(letter)

    def _put(self, letter):
        if self.column >= self.columns:
            self.wrapped += 1
            self.feed("\n")
            self.column = 0
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + letter + line[self.column + 1 :]
        self.column += 1

    @property
    def shown(self):
        return [line.rstrip() for line in self.lines]


@contextlib.contextmanager
def terminal(columns, lines=40):
    """Have standard error be a terminal; yields its screen, which is complete after the block."""
    ours, theirs = os.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    screen, parts, before = Screen(columns), [], sys.stderr

    def read():
        with contextlib.suppress(OSError):  # nobody writes any more
            while part := os.read(ours, 1 << 16):
                parts.append(part)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    file = open(theirs, "w", encoding="utf-8", buffering=1)  # noqa: SIM115 - closed below
    sys.stderr = file
    try:
        yield screen
    finally:
        sys.stderr = before
        file.close()
        reader.join(10.0)
        os.close(ours)
        screen.feed(b"".join(parts).decode().replace("\r\n", "\n\r"))


class Notebook:
    """The display of IPython's, as a front end has it: outputs by their names, each the last that came."""

    def __init__(self, monkeypatch):
        self.outputs, self.updates, self.threads = {}, 0, set()
        package, module = types.ModuleType("IPython"), types.ModuleType("IPython.display")
        package.get_ipython, package.version_info, package.display = self._shell, (9, 0, 0), module
        module.display, module.update_display = self._display, self._update
        monkeypatch.setitem(sys.modules, "IPython", package)
        monkeypatch.setitem(sys.modules, "IPython.display", module)

    @staticmethod
    def _shell():
        return types.SimpleNamespace(kernel=object())

    def _display(self, shown, *, display_id):
        assert display_id not in self.outputs
        self._keep(shown, display_id)

    def _update(self, shown, *, display_id):
        assert display_id in self.outputs
        self.updates += 1
        self._keep(shown, display_id)

    def _keep(self, shown, display_id):
        self.threads.add(threading.current_thread())
        self.outputs[display_id] = {"text/plain": repr(shown), "image/png": shown._repr_png_()}
