"""Numba's thread pool, which code compiled with ``parallel=True`` calls: brought along where an object needs it.

Numba chooses the pool, as ``NUMBA_THREADING_LAYER`` and ``NUMBA_NUM_THREADS`` say; nobody who needs none imports Numba.
Not every pool may be entered everywhere: "workqueue" ends the process when a second thread comes in, or a function in
the pool calls another one, and GNU OpenMP when it was started before a fork. So our objects enter through a gate. Where
the pool is not to be had, the gate does the work of all its threads, in the calling one, with the same result.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
import time
from collections.abc import Collection, Iterator
from typing import Any

from nbinfer.compile import numba_internals

#: Functions of the pool that the gate stands for: to enter it, and to ask which thread this is.
_ENTER, _WHO = "numba_parallel_for", "get_thread_id"
#: Functions of the pool that compiled code calls.
FUNCTIONS = {
    _ENTER,
    "do_scheduling_signed",
    "do_scheduling_unsigned",
    "allocate_sched",
    "deallocate_sched",
    "get_num_threads",
    "set_num_threads",
    _WHO,
    "get_sched_size",
    "get_parallel_chunksize",
    "set_parallel_chunksize",
}

# The arguments are those of Numba's own function: what to run; its arguments, their sizes and steps, and what is
# shared; numbers of sizes inside an element, of arguments, of threads. Each thread runs over a share of the first size,
# the last one over the rest, and asks which one it is: sums are kept apart by that.
_TEXT = """
define void @gate(ptr %run, ptr %arguments, ptr %sizes, ptr %steps, ptr %shared,
                  i64 %inner, i64 %count, i64 %threads) {{
    {look}
    br i1 %free, label %pool, label %here
pool:
    call void inttoptr (i64 {enter} to ptr)
        (ptr %run, ptr %arguments, ptr %sizes, ptr %steps, ptr %shared, i64 %inner, i64 %count, i64 %threads)
    {leave}
    ret void
here:
    %before = call ptr inttoptr (i64 {get} to ptr)(ptr inttoptr (i64 {key} to ptr))
    %all = load i64, ptr %sizes
    %share = udiv i64 %all, %threads
    %dims = add i64 %inner, 1
    %own_sizes = alloca i64, i64 %dims
    %own = alloca ptr, i64 %count
    %bytes = mul i64 %dims, 8
    call void @llvm.memcpy.p0.p0.i64(ptr %own_sizes, ptr %sizes, i64 %bytes, i1 false)
    br label %thread
thread:
    %t = phi i64 [ 0, %here ], [ %next, %work ]
    %next = add i64 %t, 1
    %id = inttoptr i64 %next to ptr
    call i32 inttoptr (i64 {set} to ptr)(ptr inttoptr (i64 {key} to ptr), ptr %id)
    %first = mul i64 %t, %share
    %rest = sub i64 %all, %first
    %last = icmp eq i64 %next, %threads
    %size = select i1 %last, i64 %rest, i64 %share
    store i64 %size, ptr %own_sizes
    br label %argument
argument:
    %k = phi i64 [ 0, %thread ], [ %k_next, %move ]
    %more = icmp ult i64 %k, %count
    br i1 %more, label %move, label %work
move:
    %from = getelementptr ptr, ptr %arguments, i64 %k
    %base = load ptr, ptr %from
    %step_at = getelementptr i64, ptr %steps, i64 %k
    %step = load i64, ptr %step_at
    %offset = mul i64 %step, %first
    %moved = getelementptr i8, ptr %base, i64 %offset
    %to = getelementptr ptr, ptr %own, i64 %k
    store ptr %moved, ptr %to
    %k_next = add i64 %k, 1
    br label %argument
work:
    call void %run(ptr %own, ptr %own_sizes, ptr %steps, ptr %shared)
    br i1 %last, label %done, label %thread
done:
    call i32 inttoptr (i64 {set} to ptr)(ptr inttoptr (i64 {key} to ptr), ptr %before)
    ret void
}}

define i64 @thread_id() {{
    %id = call ptr inttoptr (i64 {get} to ptr)(ptr inttoptr (i64 {key} to ptr))
    %here = icmp ne ptr %id, null
    br i1 %here, label %ours, label %theirs
ours:
    %number = ptrtoint ptr %id to i64
    %result = sub i64 %number, 1
    ret i64 %result
theirs:
    %found = call i64 inttoptr (i64 {thread_id} to ptr)()
    ret i64 %found
}}

define i64 @take() {{
    %pair = cmpxchg ptr inttoptr (i64 {word} to ptr), i64 0, i64 1 acq_rel acquire
    %free = extractvalue {{i64, i1}} %pair, 1
    %result = zext i1 %free to i64
    ret i64 %result
}}

define void @give() {{
    store atomic i64 0, ptr inttoptr (i64 {word} to ptr) release, align 8
    ret void
}}

declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
"""
#: How to look whether the pool is to be had: taking it, where it holds one thread at a time.
_TAKE = "%taken = call i64 @take()\n    %free = icmp eq i64 %taken, 1"
_READ = "%seen = load atomic i64, ptr inttoptr (i64 {word} to ptr) acquire, align 8\n    %free = icmp eq i64 %seen, 0"


class _Gate:
    """The gate to the pool of this process.

    Attributes
    ----------
    single : bool
        Whether one thread at a time may be in the pool.
    """

    def __init__(self) -> None:
        import llvmlite.binding as llvm

        numba_internals.imported().get_num_threads()  # starts the pool and tells LLVM where its functions are
        self.single = is_crowded()
        self._word = ctypes.c_int64(0)  # not 0 while the pool is not to be had
        self._lock, self._depth = threading.RLock(), 0
        self._raw = {name: llvm.address_of_symbol(name) for name in (_ENTER, _WHO)}
        python: Any = ctypes.pythonapi
        python.PyThread_tss_alloc.restype = ctypes.c_void_p
        key = python.PyThread_tss_alloc()
        python.PyThread_tss_create(ctypes.c_void_p(key))
        word = ctypes.addressof(self._word)
        names = {"get": python.PyThread_tss_get, "set": python.PyThread_tss_set}
        text = _TEXT.format(
            look=(_TAKE if self.single else _READ).format(word=word),
            leave="call void @give()" if self.single else "",
            enter=self._raw[_ENTER],
            thread_id=self._raw[_WHO],
            word=word,
            key=key,
            **{name: ctypes.cast(f, ctypes.c_void_p).value for name, f in names.items()},
        )
        machine = llvm.Target.from_default_triple().create_target_machine()
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(text), machine)
        self._engine.finalize_object()
        address = self._engine.get_function_address
        self._own = {_ENTER: address("gate"), _WHO: address("thread_id")}
        self._take, self._give = (
            ctypes.CFUNCTYPE(ctypes.c_int64)(address("take")),
            ctypes.CFUNCTYPE(None)(address("give")),
        )

    def close(self) -> None:
        """Leave the pool alone for good: its threads stayed in the parent."""
        self._word.value = 1
        self.single = False

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """Let objects that are loaded meanwhile find the gate where Numba's own code finds the pool."""
        import llvmlite.binding as llvm

        for name, address in self._own.items():
            llvm.add_symbol(name, address)
        try:
            yield
        finally:
            for name, address in self._raw.items():
                llvm.add_symbol(name, address)

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Keep others out, who then do their work themselves."""
        with self._lock:
            while self._depth == 0 and not self._take():
                time.sleep(1e-5)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0 and self.single:
                    self._give()


_gate: _Gate | None = None
#: Whether this process has a pool whose threads stayed in its parent.
_stale = False


def gate_for(externals: Collection[str]) -> Any:
    """Return the context in which to load code that refers to these symbols; one thread at a time."""
    global _gate
    if FUNCTIONS.isdisjoint(externals):
        return contextlib.nullcontext()
    if _gate is None:
        _gate = _Gate()
        if _stale:
            _gate.close()
    return _gate.named()


def enters(text: str) -> bool:
    """Tell whether code, as LLVM writes it, enters the pool."""
    return f"@{_ENTER}(" in text


def is_crowded() -> bool:
    """Tell whether Numba has started a pool that holds one thread at a time: what has no gate enters it regardless."""
    return _layer() == "workqueue"


def _layer() -> str:
    """Return Numba's name of the pool that this process has; '' if it has none."""
    with contextlib.suppress(AttributeError, ValueError):  # there is no Numba yet, or no pool
        numba: Any = sys.modules.get("numba")
        return str(numba.threading_layer())
    return ""


def turn() -> Any:
    """Return the context in which Python may call Numba's own dispatchers while chains run."""
    return _gate.taken() if _gate is not None and _gate.single else contextlib.nullcontext()


def _after_fork() -> None:
    """Notice that the pool was left behind; TBB starts another one itself."""
    global _stale
    if _layer() not in ("", "tbb"):
        _stale = True
        if _gate is not None:
            _gate.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
