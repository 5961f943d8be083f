"""Whether the compiled engines say what the readable ones say: looked at before they are used."""

from __future__ import annotations

from functools import cache

import torch

from thalweg_core.streams import Stream
from thalweg_vqe.engines.compiled import compiling
from thalweg_vqe.engines.compiled.engine import CompiledSampler
from thalweg_vqe.engines.compiled.exact import CompiledExact
from thalweg_vqe.engines.noiseless_torch import TorchNoiseless
from thalweg_vqe.engines.sampler import shifted_angles
from thalweg_vqe.engines.statevector import Statevector
from thalweg_vqe.pauli.program import Cx, Program, Rotation, rx, ry, rz
from thalweg_vqe.pauli.words import Observable, Word

_SHOTS = 4000
_ROUNDING = 1e-11


@cache
def fault() -> str | None:
    """What is wrong with the compiled engines without noise on this machine, in words; None where nothing is."""
    with compiling("exact energies", "vqe_tangent_rows"):
        return _compare()


@cache
def fault_of_shots() -> str | None:
    """The same of the compiled sampler."""
    with compiling("shots", "vqe_shifted_shots"):
        return _compare_shots()


def _compare() -> str | None:
    for program in (_PROGRAM, _FEW):
        ours, theirs = CompiledExact(program, _OBSERVABLE), TorchNoiseless(program, _OBSERVABLE)
        theta = 6 * Stream.of(1, 2).uniform((program.parameters,)) - 3
        exact = theirs.gradients(theta)
        for name, a, b in (
            ("energies", ours.energies(theta), exact[0]),
            ("energies", ours.gradients(theta)[0], exact[0]),
            ("gradients", ours.gradients(theta)[1], exact[1]),
            ("metrics", ours.metric(theta), theirs.metric(theta)),
        ):
            if not (a - b).abs().max() < _ROUNDING:
                return f"{name} differ by {(a - b).abs().max():.1e}"
    return None


def _compare_shots() -> str | None:
    angles = 6 * Stream.of(1, 2).uniform((len(_PROGRAM.turned),)) - 3
    theirs = Statevector(_PROGRAM, _OBSERVABLE)
    sampler = CompiledSampler.of(_PROGRAM, _OBSERVABLE)
    points = shifted_angles(angles)
    shots = torch.full((*points.shape[:2], sampler.groups), _SHOTS)
    truth = theirs.energies(points.flatten(0, 1)).reshape(points.shape[:2]) - _OBSERVABLE.constant
    for looks in (sampler.points(points, shots, Stream.of(1, 2)), sampler.shifted(angles, shots, Stream.of(1, 2))):
        off, error = (looks.mean.sum(dim=2) - truth).abs(), looks.variance.sum(dim=2).sqrt()
        if not (off < 7 * error + 1e-9).all():
            return "means of shots lie more than seven standard errors away"
    return None


_PROGRAM = Program(
    4,
    5,
    (
        *(ry(q, q) for q in range(4)),
        *(rz(q, 4 - q) for q in range(4)),
        *(Cx(q, q + 1) for q in range(3)),
        Rotation(Word.parse("XYZX"), 0, 0.5),
        Rotation(Word.parse("YXIY"), 1, -1.0, 0.3),
        Rotation(Word.parse("ZIIZ"), 2),
        Rotation(Word.parse("ZZII"), 3),
        rx(2, None, offset=0.4),
        *(ry(q, 4, 2.0) for q in (3, 0, 2)),
    ),
    start=5,
)
_FEW = Program(
    4,
    3,
    (
        *(Rotation(Word.parse(letters), 0, scale) for letters, scale in (("IXIY", 0.5), ("IYIX", -0.5))),
        *(Rotation(Word.parse(letters), 1, 0.7, 0.2) for letters in ("XXII", "YYII")),
        Cx(0, 1),
        rz(2, 2, 1.5),
        Rotation(Word.parse("ZIZI"), 1),
        *(Rotation(Word.parse(letters), 2, 0.3) for letters in ("IIXY", "IIYX")),
    ),
    start=4,
)
"""Reaches 7 of 16 states: the way over few of them."""

_TERMS = {"IIII": 0.3, "ZZII": 0.7, "IZXY": -0.4, "XXXX": 0.5, "YYZI": 0.2, "IIIX": -0.9, "ZIIZ": 0.6}
_OBSERVABLE = Observable.of(4, {Word.parse(letters): coefficient for letters, coefficient in _TERMS.items()})
