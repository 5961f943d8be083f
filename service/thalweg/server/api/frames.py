"""Messages on a stream between the service and a checker: the number of bytes, 8 of them, big-endian, and then the bytes."""

from __future__ import annotations

import struct
from asyncio import StreamReader
from typing import BinaryIO

_LENGTH = struct.Struct("!Q")


def framed(*parts: bytes) -> bytes:
    """The bytes of these messages, one after the other."""
    return b"".join(_LENGTH.pack(len(part)) + part for part in parts)


async def heard(reader: StreamReader) -> bytes:
    """The next message.

    Raises:
        EOFError: the stream has ended.
    """
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return await reader.readexactly(length)


def read(file: BinaryIO) -> bytes:
    """The next message of a file that blocks.

    Raises:
        EOFError: the file has ended.
    """
    (length,) = _LENGTH.unpack(_exactly(file, _LENGTH.size))
    return _exactly(file, length)


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise EOFError("the stream has ended")
    return data
