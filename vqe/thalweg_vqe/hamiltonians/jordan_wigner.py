"""Electrons on qubits by the Jordan-Wigner map: qubit q is 1 where spin orbital q is filled.

    a_q = Z_0 ⋯ Z_{q-1} (X_q + i Y_q) / 2

Source: Jordan & Wigner, Z. Phys. 47 (1928) 631.
"""

from __future__ import annotations

from itertools import product as pairs

import numpy as np
from numpy.typing import NDArray

from thalweg_vqe.pauli.words import IDENTITY, Observable, Word, product, total


def electrons(one: NDArray[np.float64], two: NDArray[np.float64], constant: float) -> Observable:
    """The electronic Hamiltonian on 2m qubits, spin-up orbitals first:

        H = constant + Σ_pq t_pq E_pq + ½ Σ_pqrs (pq|rs) E_pq E_rs,   E_pq = Σ_σ a†_pσ a_qσ,   t_pq = h_pq - ½ Σ_r (pr|rq)

    Args:
        one: (m, m) h_pq (Ha).
        two: (m, m, m, m) integrals (pq|rs) in chemists' order (Ha).
        constant: the nuclei's repulsion (Ha).

    Source: Helgaker, Jørgensen & Olsen, Molecular Electronic-Structure Theory (2000), eq. 1.4.39 and 2.2.
    """
    m = len(one)
    hop = {(p, q): total(term for s in (0, m) for term in _hop(p + s, q + s).items()) for p, q in pairs(range(m), repeat=2)}
    corrected = one - 0.5 * np.einsum("prrq->pq", two)
    terms: list[tuple[Word, complex]] = [(IDENTITY, constant)]
    for pq, e_pq in hop.items():
        partner = total((w, 0.5 * two[pq][rs] * c) for rs, e_rs in hop.items() for w, c in e_rs.items())
        terms += [(word, corrected[pq] * c) for word, c in e_pq.items()]
        terms += product(e_pq, partner).items()
    return Observable.of(2 * m, total(terms))


def number(orbitals: int) -> Observable:
    """N = Σ_q a†_q a_q on so many spin orbitals."""
    return Observable.of(orbitals, total(term for q in range(orbitals) for term in _hop(q, q).items()))


def lower(q: int) -> dict[Word, complex]:
    """a_q: empties spin orbital q."""
    before = (1 << q) - 1
    return {Word(1 << q, before): 0.5, Word(1 << q, before | 1 << q): 0.5j}


def raise_(q: int) -> dict[Word, complex]:
    """a†_q: fills spin orbital q."""
    return {word: complex(c).conjugate() for word, c in lower(q).items()}


def _hop(p: int, q: int) -> dict[Word, complex]:
    """a†_p a_q."""
    return product(raise_(p), lower(q))
