"""Machine code on disk: written by Numba once, loaded by llvmlite ever after.

A file holds one C function with everything it calls, compiled for one processor. Loading it takes llvmlite and a few
milliseconds; Numba is not imported.
"""

from __future__ import annotations

import ctypes
import json
import struct
from collections.abc import Collection
from typing import Any

from nbinfer.compile.forks import GATE
from nbinfer.compile.numba_internals import run_time_functions
from nbinfer.compile.pool import gate_for
from nbinfer.compile.store import Place

#: Engines own the memory of the code: they live as long as the process.
_ENGINES: list[Any] = []


def write(place: Place, symbol: str, code: bytes, externals: list[str]) -> None:
    """Store machine code."""
    head = json.dumps({"symbol": symbol, "externals": externals}).encode()
    place.write(struct.pack("<q", len(head)) + head + code)


def read(place: Place) -> tuple[str, bytes, list[str]] | None:
    """Return (symbol, machine code, external symbols), or None if nothing is there, or nothing that may be used."""
    body = place.read()
    if body is None:
        return None
    (size,) = struct.unpack_from("<q", body)
    head = json.loads(body[8 : 8 + size])
    return head["symbol"], body[8 + size :], head["externals"]


def load(symbol: str, code: bytes, externals: list[str]) -> int:
    """Bring machine code into this process and return the address of its C function."""
    import llvmlite.binding as llvm

    with GATE, gate_for(externals):
        _provide(externals)
        # One engine an object: functions of equal name in two objects never meet.
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())
        engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(code))
        engine.finalize_object()
        address = engine.get_function_address(symbol)
        if address == 0:
            raise RuntimeError(f"compiled code lacks its entry {symbol!r}")
        _ENGINES.append(engine)
        return int(address)


def load_text(symbol: str, text: str, externals: Collection[str]) -> int:
    """Bring code, as LLVM writes it, into this process and return the address of its C function."""
    import llvmlite.binding as llvm

    with GATE, gate_for(externals):
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(text), _target_machine())
        engine.finalize_object()
        _ENGINES.append(engine)
        return int(engine.get_function_address(symbol))


def _target_machine() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine()


def _provide(externals: list[str]) -> None:
    """Make Numba's run-time helpers known to LLVM, if the code needs them and Numba has not done so."""
    import llvmlite.binding as llvm

    missing = [name for name in externals if not _resolves(name)]
    if not missing:
        return
    for name, address in run_time_functions().items():
        llvm.add_symbol(name, address)
    missing = [name for name in externals if not _resolves(name)]
    if missing:
        raise RuntimeError(f"compiled code needs symbols this process lacks: {', '.join(missing)}")


def _resolves(name: str) -> bool:
    import llvmlite.binding as llvm

    if llvm.address_of_symbol(name):
        return True
    try:
        return bool(getattr(ctypes.pythonapi, name))
    except AttributeError:
        return False
