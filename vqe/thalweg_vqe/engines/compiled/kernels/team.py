"""Two threads that work on one state: each waits at a gate until the other has come."""

from __future__ import annotations

import os
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

PATIENCE = 400
"""Looks before a member lets other processes run (arbitrary: some microseconds)."""

ROW = 8
"""Integers of a cache line: members do not write into each other's."""

if os.name == "posix":
    vqe_yield = types.ExternalFunction("sched_yield", types.int32())
else:

    @njit
    def vqe_yield() -> int:
        return 0


def _place(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """The address of a[index]."""
    kind = signature.args[0]
    array = context.make_array(kind)(context, builder, arguments[0])
    return cgutils.get_item_pointer(context, builder, kind, array, [arguments[1]])


@intrinsic
def vqe_read(typing_context: Any, a: Any, index: Any) -> Any:
    """a[index] as another thread has written it last."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_place(context, builder, signature, arguments), "acquire", 8)

    return types.int64(a, types.int64), code


@intrinsic
def vqe_write(typing_context: Any, a: Any, index: Any, value: Any) -> Any:
    """a[index] = value, with all that was written before, for other threads to read."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store_atomic(arguments[2], _place(context, builder, signature, arguments), "release", 8)
        return ir.Constant(ir.IntType(64), 0)

    return types.int64(a, types.int64, types.int64), code


@njit(error_model="numpy")
def vqe_gate(at_gate, member, members, gate):
    """Wait until both members have come as often as this one; how often that is."""
    gate += 1
    if members == 1:
        return gate
    vqe_write(at_gate, member * ROW, gate)
    looks = 0
    while vqe_read(at_gate, (1 - member) * ROW) < gate:
        looks += 1
        if looks > PATIENCE:
            vqe_yield()
    return gate
