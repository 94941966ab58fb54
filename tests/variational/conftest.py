"""What tests of this room share."""

import pytest

from nbinfer.compile import JIT
from nbinfer.variational import dadvi, scored


@pytest.fixture
def few_draws_to_judge(monkeypatch):
    """Have plain Python, where draws are slow, judge fits by few; their number changes no fit."""
    if not JIT:
        for name in ("KHAT_DRAWS", "ALARM_DRAWS", "DOUBT_DRAWS"):
            monkeypatch.setattr(scored, name, 200)
        monkeypatch.setattr(dadvi, "FRESH", 200)
