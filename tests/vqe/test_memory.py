"""What a search will take is told before: what cannot fit is refused, and nothing takes more than it said."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from thalweg_core.errors import BadInput
from thalweg_vqe.engines import choosing
from thalweg_vqe.hamiltonians.hamiltonian import Register
from thalweg_vqe.memory import Circuit, needed
from thalweg_vqe.problem import (
    ActiveSpace,
    EfficientSu2,
    Estimator,
    HeisenbergXxz,
    Molecule,
    TransverseFieldIsing,
    Uccsd,
    Uniform,
    Vqe,
)

NITROGEN = Molecule("N 0 0 0; N 0 0 1.1", basis="6-31g", active_space=ActiveSpace(10, 10))
SMALL = {
    "ising, exact": (TransverseFieldIsing(14), EfficientSu2(2), Estimator(0)),
    "ising, shots": (TransverseFieldIsing(12), EfficientSu2(2), Estimator(100)),
    "heisenberg, exact": (HeisenbergXxz(14), EfficientSu2(1), Estimator(0)),
    "coupled cluster, exact": (Molecule("Li 0 0 0; H 0 0 1.595", active_space=ActiveSpace(4, 5)), Uccsd(), Estimator(0)),
    "coupled cluster, shots": (Molecule("Li 0 0 0; H 0 0 1.595", active_space=ActiveSpace(2, 4)), Uccsd(), Estimator(100)),
}


@pytest.mark.parametrize("estimator", [Estimator(0), Estimator(1000)])
def test_more_qubits_than_memory_holds_are_refused(estimator):
    """38 qubits have 4 TiB of amplitudes."""
    with pytest.raises(BadInput, match=r"too many qubits: 38 qubits need about .*, and this machine has .*; use fewer sites"):
        Vqe(TransverseFieldIsing(38), EfficientSu2(), estimator, Uniform()).traits()


def test_a_circuit_that_keeps_its_electrons_is_told_to_take_less():
    """252² = 63504 of 2²⁰ states: what fits for coupled cluster does not for rotations of single qubits."""
    pytest.importorskip("numba")
    system, program = NITROGEN.system(), Uccsd().program(Register(20, NITROGEN))
    kept, free = (needed(system, Circuit.of(program, len(program.turned), keeps), "statevector", 0) for keeps in (True, False))
    assert kept < 4 * 2**30 < 16 * 2**30 < free


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak since a moment")
@pytest.mark.parametrize("name", SMALL)
def test_no_job_takes_more_than_was_told(name):
    """One replica opened, evaluated and observed in a process of its own, on top of what all workers have loaded."""
    told = Vqe(*SMALL[name], Uniform()).traits()
    choosing.compiled_sampler()  # the kernels may have to be compiled, which takes more, once for each version
    code = f"from test_memory import grown; print(grown({name!r}))"
    paths = os.pathsep.join([str(Path(__file__).parent), *(path for path in sys.path if path)])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    grown_by = int(done.stdout.split()[-1])
    assert 2**20 < grown_by <= told.memory + told.memory_per_replica


def grown(name: str) -> int:
    """Bytes."""
    import torch

    from thalweg_core.streams import Stream

    problem, rng = Vqe(*SMALL[name], Uniform()), Stream.of(1, 1)
    if "coupled" in name:
        import pyscf.fci
        import pyscf.scf  # noqa: F401  the fork server has them
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    landscape = problem.open(torch.device("cpu"), torch.float64)
    x = problem.start(landscape, rng)
    landscape.evaluate(x, rng)
    problem.observe(landscape, x)
    list(problem.files(landscape, x, x))
    return _resident("VmHWM") - before


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))
