"""Machine code for a GPU that is not there: what kernels cost, in registers, memory and instructions.

The compiler needs no driver, and the assembler is a library of the same package (nvJitLink), so that what a processor
of a compute capability would run can be read anywhere. Instructions are read from nvdisasm, which
``pip install nvidia-cuda-nvdisasm`` brings.
"""

from __future__ import annotations

import collections
import functools
import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from nbinfer.cuda.backend import pretending
from nbinfer.errors import CudaError

#: Hopper, the H100 and H200.
HOPPER = (9, 0)

_REGISTERS = re.compile(r"Used (\d+) registers")
#: What the linker says of a kernel together with the functions that it calls.
_WHOLE = re.compile(r"used (\d+) registers.*?(\d+) stack")
_FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
#: What a kernel declares; the assembler adds what the processor keeps for itself.
_SHARED = re.compile(r"^[.\w ]*\.shared .*?\.b8 \S+\[(\d+)\]", re.MULTILINE)
#: An instruction of PTX on float64; moves and conversions of addresses have other types.
_DOUBLE = re.compile(r"^\s*(?:@%\w+\s+)?[a-z][\w.]*\.f64\b", re.MULTILINE)


class MachineCode(NamedTuple):
    """A kernel as a GPU would run it.

    Attributes
    ----------
    registers : int
        Of a thread, of 32 bits, with those of the functions that the kernel calls; 255 at most.
    stack : int
        Bytes of a thread's local memory, which lies in that of the device: arrays that are indexed by what is not
        known when compiling, and what is kept across calls, of all functions that call one another.
    spills : int
        Bytes stored there for want of registers, and loaded again.
    shared : int
        Bytes of a block's shared memory that the kernel declares.
    doubles : int
        Instructions on float64 in the PTX.
    ptx : str
    cubin : bytes
    """

    registers: int
    stack: int
    spills: int
    shared: int
    doubles: int
    ptx: str
    cubin: bytes


def assemble(
    function: Callable[..., Any],
    signature: Any,
    *,
    fastmath: bool = False,
    max_registers: int | None = None,
    capability: tuple[int, int] = HOPPER,
) -> MachineCode:
    """Compile a kernel for a GPU, without one.

    Parameters
    ----------
    function : callable
        As `nbinfer.cuda.backend.compiled` takes it.
    signature : object
        Numba's: ``types.void(...)``.
    fastmath : bool
        As there.
    max_registers : int, optional
        As there.
    capability : tuple of int
        Compute capability of the GPU.

    Raises
    ------
    CudaError
        If the package is not installed.
    """
    with pretending(capability) as cuda:
        ptx, _ = cuda.compile(
            function, signature, device=False, abi="numba", output="ptx", cc=capability, fastmath=fastmath
        )
    text = ptx if isinstance(ptx, str) else ptx.decode()
    cubin, log = _link(text, capability, max_registers)
    registers, whole = _REGISTERS.search(log), _WHOLE.search(log)
    assert registers is not None, log
    stack, stored, loaded = _frame_of(log)
    return MachineCode(
        registers=int(whole[1] if whole else registers[1]),
        stack=int(whole[2]) if whole else stack,
        spills=stored + loaded,
        shared=sum(map(int, _SHARED.findall(text))),
        doubles=len(_DOUBLE.findall(text)),
        ptx=text,
        cubin=cubin,
    )


def _frame_of(log: str) -> tuple[int, int, int]:
    """Return the largest stack frame of all functions, and how much they spill together."""
    found = [tuple(map(int, each)) for each in _FRAME.findall(log)]
    return max(f[0] for f in found), sum(f[1] for f in found), sum(f[2] for f in found)


def _link(ptx: str, capability: tuple[int, int], max_registers: int | None) -> tuple[bytes, str]:
    """Return machine code, and what the assembler says of it."""
    from cuda.bindings import nvjitlink

    options = [f"-arch=sm_{capability[0]}{capability[1]}", "-verbose", "-O3"]
    options += [] if max_registers is None else [f"-maxrregcount={max_registers}"]
    linker, data = nvjitlink.create(len(options), options), ptx.encode()
    try:
        nvjitlink.add_data(linker, nvjitlink.InputType.PTX, data, len(data), "kernel")
        nvjitlink.complete(linker)
        cubin = bytearray(nvjitlink.get_linked_cubin_size(linker))
        nvjitlink.get_linked_cubin(linker, cubin)
        log = bytearray(nvjitlink.get_info_log_size(linker))
        nvjitlink.get_info_log(linker, log)
    finally:
        nvjitlink.destroy(linker)
    return bytes(cubin), bytes(log).decode()


@functools.cache
def _disassembler() -> str:
    """Return the path of nvdisasm: of a wheel, or of a toolkit."""
    spec = importlib.util.find_spec("nvidia")
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        for found in Path(folder).glob("cu*/bin/nvdisasm*"):
            return str(found)
    found_there = shutil.which("nvdisasm")
    if found_there is None:
        raise CudaError("package", "machine code is read by nvdisasm. pip install nvidia-cuda-nvdisasm.")
    return found_there


class Loop(NamedTuple):
    """A loop of machine code without another one inside.

    Attributes
    ----------
    instructions : int
        In one turn.
    counts : Counter of str
        How many there are of each operation, without modifiers: FFMA, MUFU, LDS, ....
    """

    instructions: int
    counts: collections.Counter[str]


def inner_loops(cubin: bytes, operation: str = "") -> list[Loop]:
    """Return the innermost loops of machine code, the longest first.

    Parameters
    ----------
    cubin : bytes
    operation : str
        Those with the most of these first instead.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(cubin)
        text = subprocess.run([_disassembler(), "-c", path], capture_output=True, text=True, check=True).stdout
    found = loops_of(text)
    return sorted(found, key=lambda loop: -loop.counts[operation]) if operation else found


def loops_of(listing: str) -> list[Loop]:
    """Return the innermost loops of what nvdisasm prints: from a label to a branch back to it.

    Parameters
    ----------
    listing : str
    """
    labels: dict[str, int] = {}
    code: list[str] = []
    for line in listing.splitlines():
        label = re.match(r"\s*(\.L_x_\d+):", line)
        if label:
            labels[label[1]] = len(code)
        instruction = re.search(r"/\*[0-9a-f]{4,}\*/\s+(.*?);", line)
        if instruction:
            code.append(instruction[1].strip())
    spans = []
    for i, text in enumerate(code):
        target = re.search(r"\bBRA\b.*?`\((\.L_x_\d+)\)", text)
        if target and labels.get(target[1], len(code)) < i:
            spans.append((labels[target[1]], i))
    inner = [s for s in spans if not any(o != s and s[0] <= o[0] and o[1] <= s[1] for o in spans)]
    found = [Loop(b - a + 1, collections.Counter(map(_operation, code[a : b + 1]))) for a, b in inner]
    return sorted(found, key=lambda loop: -loop.instructions)


def _operation(text: str) -> str:
    """Return the name of an instruction without predicate and modifiers."""
    return re.sub(r"^@!?U?P\w+\s+", "", text).split()[0].partition(".")[0]
