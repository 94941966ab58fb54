"""The table of backends: who is there, who does what, and that nobody is imported before."""

import subprocess
import sys

import pytest

from nbinfer.engine.backends import BACKENDS, add_backend, check_backend, on_backend


def test_the_package_has_two_and_imports_none_of_cuda():
    code = (
        "import sys, nbinfer; from nbinfer.engine.backends import BACKENDS\n"
        "print(sorted(BACKENDS), [name for name in sys.modules if 'cuda' in name])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == (
        "['cpu', 'cuda'] []\n"
    )


@pytest.mark.parametrize(
    ("given", "hint"), [("gpu", " Did you mean 'cuda'?"), ("cdua", " Did you mean 'cuda'?"), (3, "")]
)
def test_an_unknown_one_is_refused_with_the_names(given, hint):
    with pytest.raises(ValueError, match="unknown backend") as caught:
        check_backend(given)
    assert "choose 'cpu', 'cuda'." in str(caught.value)
    assert str(caught.value).endswith(f".{hint}")


def test_a_job_is_a_module_that_is_imported_when_asked_for(monkeypatch):
    monkeypatch.setitem(BACKENDS, "other", {})
    add_backend("other", {"letters": "string"})
    assert on_backend("other", "letters").ascii_lowercase.startswith("abc")
    with pytest.raises(ValueError, match="backend 'other' does letters alone, not chains"):
        on_backend("other", "chains")
    with pytest.raises(ValueError, match="backend 'cpu' has no job of its own, not chains"):
        on_backend("cpu", "chains")
