"""What tests of this room share."""

import signal

import pytest


@pytest.fixture
def listening():
    """Have Ctrl-C raise, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
