"""OVF 2.0, the file format that micromagnetic programs exchange magnetizations in.

Source: OOMMF User's Guide, "Data formats: OVF 2.0", NIST.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from thalweg_core.errors import BadInput

CHECK = 123456789012345.0
"""What every binary-8 segment starts with, so that a reader knows it took the bytes in the right order."""


class Ovf(NamedTuple):
    """A vector field on a regular grid."""

    values: Tensor  # (Nz, Ny, Nx, 3) float64
    cell_size: tuple[float, float, float]  # along x, y, z, in m
    title: str


def dumps(field: Ovf) -> bytes:
    """The file: a text header, then little-endian doubles, x fastest, then y, then z."""
    nz, ny, nx, _ = field.values.shape
    steps = field.cell_size
    header = [
        "OOMMF OVF 2.0",
        "Segment count: 1",
        "Begin: Segment",
        "Begin: Header",
        f"Title: {field.title}",
        "meshtype: rectangular",
        "meshunit: m",
        *(f"{axis}min: 0" for axis in "xyz"),
        *(f"{axis}max: {n * d!r}" for axis, n, d in zip("xyz", (nx, ny, nz), steps, strict=True)),
        "valuedim: 3",
        "valuelabels: m_x m_y m_z",
        "valueunits: 1 1 1",
        *(f"{axis}base: {d / 2!r}" for axis, d in zip("xyz", steps, strict=True)),
        *(f"{axis}nodes: {n}" for axis, n in zip("xyz", (nx, ny, nz), strict=True)),
        *(f"{axis}stepsize: {d!r}" for axis, d in zip("xyz", steps, strict=True)),
        "End: Header",
        "Begin: Data Binary 8",
    ]
    numbers = field.values.detach().cpu().to(torch.float64).flatten()
    data: bytes = np.concatenate([[CHECK], numbers.numpy()]).astype("<f8").tobytes()
    return "".join(f"# {line}\n" for line in header).encode() + data + b"\n# End: Data Binary 8\n# End: Segment\n"


def loads(content: bytes) -> Ovf:
    """The field of a file with one binary-8 segment.

    Raises:
        BadInput: not such a file, or torn.
    """
    head, mark, rest = content.partition(b"# Begin: Data Binary 8\n")
    if not head.lower().startswith(b"# oommf ovf 2.0") or not mark:
        raise BadInput("", "wanted an OVF 2.0 file with binary 8 data; convert other forms first")
    words = {k.lower(): v for k, v in re.findall(r"^# *(\w+): *(.*?) *$", head.decode(), flags=re.MULTILINE)}
    nx, ny, nz = (int(words[f"{axis}nodes"]) for axis in "xyz")
    length = 8 * (1 + 3 * nx * ny * nz)
    numbers = np.frombuffer(rest[:length] if len(rest) >= length else bytes(8), dtype="<f8")
    if numbers[0] != CHECK:
        raise BadInput("", "wanted the check value 123456789012345.0 and all cells after it; the file is torn or foreign")
    dx, dy, dz = (float(words[f"{axis}stepsize"]) for axis in "xyz")
    values = torch.from_numpy(numbers[1:].astype(np.float64).reshape(nz, ny, nx, 3))
    return Ovf(values, (dx, dy, dz), words.get("title", ""))
