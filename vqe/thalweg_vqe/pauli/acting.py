"""How a Pauli word acts on a state vector, in torch: a signed permutation of its amplitudes.

Shapes: N = 2ⁿ; states (..., 2, N), real and imaginary part.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from thalweg_vqe.pauli.words import Word


def act(psi: Tensor, word: Word, quarters: int = 0) -> Tensor:
    """i^quarters P ψ, where (Pψ)(b) = i^|x∧z| (-1)^|z∧b'| ψ(b') with b' = b xor x: (…, 2, N) -> (…, 2, N)."""
    ys = (word.x & word.z).bit_count()
    turn = (ys + quarters) % 4
    sign = _signs(psi.shape[-1], word.z, psi.device) * (-1) ** (ys + (turn > 1))
    moved = flip(psi, word.x) * sign
    return torch.stack([-moved[..., 1, :], moved[..., 0, :]], dim=-2) if turn % 2 else moved


def flip(psi: Tensor, mask: int) -> Tensor:
    """ψ(b xor mask): a run of neighbouring qubits that are all flipped is an axis read backwards."""
    if mask == 0:
        return psi
    shape: list[int] = []
    backwards: list[int] = []
    above = -1
    for q in reversed(range((psi.shape[-1] - 1).bit_length())):
        bit = mask >> q & 1
        if bit != above:
            shape.append(1)
        shape[-1] *= 2
        if bit and bit != above:
            backwards.append(len(shape))
        above = bit
    lead = psi.dim() - 1
    return psi.reshape(*psi.shape[:-1], *shape).flip([lead - 1 + place for place in backwards]).reshape(psi.shape)


@lru_cache(maxsize=64)
def _signs(states: int, mask: int, device: torch.device) -> Tensor:
    """(-1) to the number of set bits under the mask, (N,)."""
    sign = torch.ones(states, dtype=torch.float64, device=device)
    for q in range(mask.bit_length()):
        if mask >> q & 1:
            sign.view(-1, 2, 1 << q)[:, 1] *= -1.0
    return sign
