"""Settings of the whole suite."""

import gc
import os
import signal
from pathlib import Path

import pytest

# Compiled code of the tests stays in the checkout: warm from one run to the next, and away from the user's own.
os.environ.setdefault("NBINFER_CACHE_DIR", str(Path(__file__).parent.parent / ".cache" / "nbinfer"))

# Numba makes many objects that live. To look through them less often spares a tenth of the time.
gc.set_threshold(100_000, 20, 100)

NO_JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def pytest_collection_modifyitems(config, items):
    """Leave out what the marks say, unless ``-m`` asks for it."""
    asked = config.getoption("-m")
    left_out = {mark for mark in ("slow", "gpu") if mark not in asked}
    if NO_JIT:
        left_out.add("nojit")
    kept = [item for item in items if not any(item.get_closest_marker(mark) for mark in left_out)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture
def listening():
    """Have Ctrl-C raise, also where the tests run in the background: a shell has it ignored there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
