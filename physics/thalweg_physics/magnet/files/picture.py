"""A magnetization as a picture: hue is the angle of its in-plane part, lightness is m_z."""

from __future__ import annotations

import math
import struct
import zlib

import torch
from torch import Tensor

SMALLEST = 480
"""Pixels along the longer edge, at least (arbitrary): cells become squares large enough to see."""


def colours(m: Tensor) -> Tensor:
    """(…, 3) unit vectors -> (…, 3) red, green, blue in [0, 1]: white is up, black is down, +x is red, +y a yellow-green.

    HSL with saturation 1: L = (1 + m_z) / 2, and a chroma of 1 - |2L - 1|.
    """
    x, y, z = m.unbind(-1)
    hue = torch.atan2(y, x) * (6 / (2 * math.pi))  # in sixths of the circle
    lightness = (0.5 * (1 + z)).clamp(0, 1)
    chroma = 1 - (2 * lightness - 1).abs()
    thirds = torch.tensor([0.0, 2.0, 4.0], dtype=m.dtype, device=m.device)  # of red, green, blue
    distance = (hue.unsqueeze(-1) - thirds + 3) % 6 - 3
    ramp = (2 - distance.abs()).clamp(0, 1)
    return ((lightness - chroma / 2).unsqueeze(-1) + chroma.unsqueeze(-1) * ramp).clamp(0, 1)


def picture(m: Tensor) -> bytes:
    """A layer (Ny, Nx, 3) as a PNG, y upwards."""
    rgb = (colours(m).flip(0) * 255).round().to(torch.uint8).cpu()
    scale = max(1, -(-SMALLEST // max(rgb.shape[:2])))
    return _png(rgb.repeat_interleave(scale, 0).repeat_interleave(scale, 1))


def _png(rgb: Tensor) -> bytes:
    """8-bit RGB (H, W, 3) as PNG. Source: W3C Recommendation, Portable Network Graphics, 2003."""
    height, width, _ = rgb.shape
    lines = torch.cat([torch.zeros(height, 1, dtype=torch.uint8), rgb.reshape(height, -1)], dim=1)  # filter 0 before each line
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(lines.numpy().tobytes(), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
