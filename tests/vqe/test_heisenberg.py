import numpy as np
import pytest
import torch

from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines.statevector import Statevector
from thalweg_vqe.hamiltonians.hamiltonian import Register
from thalweg_vqe.pauli.heisenberg import frequencies, reached
from thalweg_vqe.pauli.program import Cx, Program, Rotation
from thalweg_vqe.pauli.words import Observable, Word
from thalweg_vqe.problem import (
    FermiHubbard,
    HamiltonianVariational,
    HeisenbergXxz,
    Molecule,
    TransverseFieldIsing,
    Uccsd,
)

HYDROGEN = Molecule("H 0 0 0; H 0 0 0.735")

CASES = [
    (TransverseFieldIsing(5), HamiltonianVariational(3)),
    (HeisenbergXxz(4, anisotropy=0.5), HamiltonianVariational(2)),
    (FermiHubbard(3), HamiltonianVariational(2)),
    (HYDROGEN, Uccsd()),
    (HYDROGEN, EfficientSu2(2)),
]


def allowed(program: Program, observable: Observable) -> list[list[float]]:
    """The frequencies of every parameter, whose rotations stand together."""
    seen = reached(program, observable)
    out = []
    for parameter in range(program.parameters):
        places = [j for j, gate in enumerate(program.gates) if isinstance(gate, Rotation) and gate.parameter == parameter]
        after = seen[places[-1]]
        assert after is not None
        turns = [program.gates[j] for j in places]
        words, scales = tuple(turn.word for turn in turns), tuple(turn.scale for turn in turns)  # type: ignore[union-attr]
        out.append(frequencies(words, scales, after, program.qubits))
    return out


@pytest.mark.parametrize(("hamiltonian", "ansatz"), CASES, ids=lambda case: type(case).__name__)
def test_a_scan_of_the_energy_holds_no_other_frequencies(hamiltonian, ansatz):
    observable = hamiltonian.solve().observable
    program = ansatz.program(Register(observable.qubits, hamiltonian))
    theta = torch.from_numpy(np.random.default_rng(1).uniform(-1, 1, program.parameters))
    points = 128  # up to frequency 63 in a period of 2 π
    for parameter, found in enumerate(allowed(program, observable)):
        scan = theta.repeat(points, 1)
        scan[:, parameter] += torch.arange(points, dtype=torch.float64) * (2 * np.pi / points)
        energies = Statevector(program, observable).energies(program.angles(scan)).numpy()
        heights = np.abs(np.fft.rfft(energies)) / points
        seen = set(np.flatnonzero(heights > 1e-9)) - {0}
        assert seen <= set(found)


def test_an_ising_chain_has_the_harmonics_of_free_fermions():
    chain = TransverseFieldIsing(6)
    program = HamiltonianVariational(4).program(Register(6, chain))
    assert allowed(program, chain.solve().observable) == [[2.0, 4.0], [4.0]] * 4


def test_a_word_outside_the_light_cone_counts_for_nothing():
    x = [Word(1 << q, 0) for q in range(3)]
    gates = (*(Rotation(word, 0) for word in x), Cx(0, 1))
    seen = reached(Program(3, 1, gates), Observable.of(3, {Word(0, 2): 1.0}))  # CX makes Z₁ into Z₀ Z₁
    assert seen[2] is not None
    assert seen[2].tolist() == [0b011]
    assert frequencies(tuple(x), (1.0, 1.0, 1.0), seen[2], 3) == [2.0]
    assert frequencies(tuple(x), (1.0, 0.5, 1.0), seen[2], 3) == [0.5, 1.5]
