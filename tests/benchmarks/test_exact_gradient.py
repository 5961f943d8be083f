"""The benchmark of exact gradients in miniature: both of a pair compute the same thing, elsewhere too."""

from __future__ import annotations

import mmap

import numpy as np
import pytest
from benchmarks.elsewhere import elsewhere, peak
from benchmarks.exact_gradient import Case, coupled_cluster, efficient_su2, variational
from benchmarks.harness import Row

from thalweg_vqe.engines.noiseless_torch import TorchNoiseless

CASES = {"efficient_su2": efficient_su2(3), "UCCSD": coupled_cluster(3), "variational": variational(4)}


def same(case: Case, gradient: object) -> None:
    theta = case.theta[:1]
    value, grad = TorchNoiseless(case.program, case.observable).gradients(theta)
    assert callable(gradient)
    energy, slopes = gradient(theta[0].numpy())
    assert energy == pytest.approx(value.item(), abs=1e-11)
    np.testing.assert_allclose(slopes, grad[0].numpy(), atol=1e-11)


@pytest.mark.parametrize("ladders", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_qulacs_differentiates_the_same_energy(name: str, ladders: bool):
    pytest.importorskip("qulacs")
    from benchmarks.peers import qulacs_backprop

    case = CASES[name]
    same(case, qulacs_backprop(case.program, case.observable, ladders))


@pytest.mark.parametrize("name", CASES)
def test_lightning_differentiates_the_same_energy(name: str):
    pytest.importorskip("pennylane_lightning")
    from benchmarks.peers import lightning_adjoint

    case = CASES[name]
    same(case, lightning_adjoint(case.program, case.observable))


def test_excitation_gates_of_lightning_are_those_of_coupled_cluster_and_of_nothing_else():
    pytest.importorskip("pennylane_lightning")
    from benchmarks.peers import lightning_adjoint

    case = CASES["UCCSD"]
    same(case, lightning_adjoint(case.program, case.observable, excitations=True))
    other = CASES["variational"]
    assert lightning_adjoint(other.program, other.observable, excitations=True) is None


def test_a_process_of_its_own_has_its_own_threads():
    assert elsewhere("elsewhere:threads", threads=2) == 2
    assert elsewhere("elsewhere:threads", threads=1) == 1


def test_rows_from_elsewhere_are_rows():
    found = [Row(*given) for given in elsewhere("exact_gradient:two_threads", 3, 1, threads=2)]
    assert all(row.figure.endswith("2 threads") and row.ours > 0 for row in found)


def test_the_peak_of_memory_is_what_was_allocated():
    """To a MiB, since Linux counts pages in batches, for each processor."""
    size, batches = 64 * 2**20, 2**20
    seen = peak(lambda: np.frombuffer(mmap.mmap(-1, size), dtype=np.uint8).fill(1))  # fresh pages, whatever is free
    assert size - batches < seen < size + 16 * 2**20


def test_a_gradient_on_16_qubits_needs_little_more_than_its_states():
    """Ket, bra and one to move them to, each two rows of real numbers."""
    states = 6 * 8 * 2**16
    assert states <= elsewhere("exact_gradient:memory", "ours", 16) < 4 * states
