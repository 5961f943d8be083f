"""Energy and exact gradient of the skyrmion film beside one plain copy of its magnetization: how far from the floor.

Nothing that reads every spin and writes every field can be faster than a copy, so the ratio here is below one by nature;
its inverse is the cost in copies.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch

from benchmarks.harness import Effort, Row, race
from thalweg_core.streams import Stream
from thalweg_physics.magnet.problem import Grid, Magnet, Material, SkyrmionStart, UniaxialAnisotropy

NAME = "magnet_gradient"
FILM = Material(580e3, 15e-12, 3e-3, UniaxialAnisotropy(588634, (0, 0, 1)))


def rows(effort: Effort, edges: tuple[int, ...] = (64, 256, 512)) -> Iterator[Row]:
    """Cells a second for square films of these numbers of cells along an edge."""
    torch.set_num_threads(1)
    for edge in edges[:2] if effort.small else edges:
        problem = Magnet(Grid((edge, edge, 1), (1e-9, 1e-9, 0.4e-9), (True, True, False)), FILM, start=SkyrmionStart(10e-9, -1))
        landscape = problem.open(torch.device("cpu"), torch.float64)
        rng = Stream.of(0, 1)
        m = problem.start(landscape, rng)
        target = torch.empty_like(m)
        look, copy = partial(landscape.evaluate, m, rng), partial(target.copy_, m)
        yield from race(
            NAME, f"{edge} × {edge} cells", "copy in memory", look, copy, effort.repeats, work=edge**2, unit="cells/s"
        )
