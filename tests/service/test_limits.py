"""A worker that takes far more memory than was estimated meets an error of its own, and knows it for one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from thalweg.server import machine
from thalweg.server.limits import limit_memory, limited, out_of_memory
from thalweg_core.errors import BadInput

LINUX = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux counts the data of a process")
TAKE = {
    "torch": "import torch; torch.zeros(2**40, dtype=torch.uint8)",
    "many tensors": "import torch\nkept = []\nwhile True: kept.append(torch.empty(2**26))",
    "numpy": "import numpy; numpy.ones(2**37)",
    "python": "bytearray(2**40)",
    "many arrays": "import numpy\nkept = []\nwhile True: kept.append(numpy.zeros(2**25))",
    "the system": "import mmap; mmap.mmap(-1, 2**40, flags=mmap.MAP_PRIVATE)",
    "numba": "import numba, numpy\n@numba.njit\ndef make(n): return numpy.zeros(n).sum()\nmake(2**37)",
    "pyscf": (
        "import pyscf\natoms = '; '.join(f'C 0 0 {i}' for i in range(40))\n"
        "pyscf.gto.M(atom=atoms, basis='cc-pvdz', verbose=0).intor('int2e')"
    ),
    "aer": (
        "import qiskit, qiskit_aer\nc = qiskit.QuantumCircuit(30)\nc.h(range(30))\nc.measure_all()\n"
        "qiskit_aer.AerSimulator(method='statevector', max_memory_mb=2**20).run(c, shots=1).result().get_counts()"
    ),
}
CODE = """
from thalweg.server.limits import limit_data, limit_memory, limited, out_of_memory
try:
    limit_memory(2**20)
    before = limited()
    exec({code!r}, {{}})
except Exception as error:
    limit_data(None)
    print(before, limited(), type(error).__name__, out_of_memory(error))
"""


def run(code: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()[-1]


@LINUX
@pytest.mark.parametrize("name", TAKE)
def test_whoever_meets_the_limit_gets_an_error_that_is_known_to_be_of_memory(name: str) -> None:
    for package in ("numba", "pyscf"):
        if package == name:
            pytest.importorskip(package)
    before, after, _, known = run(CODE.format(code=TAKE[name])).split()
    assert (before, after, known) == ("True", "False", "True")


@LINUX
def test_the_limit_stands_above_what_the_process_has_and_leaves_a_margin() -> None:
    code = (
        "from resource import RLIMIT_DATA, getrlimit; from thalweg.server import limits, machine;"
        "has = machine.data_bytes(); limits.limit_memory({}); print(getrlimit(RLIMIT_DATA)[0] - has)"
    )
    assert int(run(code.format(0))) >= 2**30
    assert int(run(code.format(2**36))) == pytest.approx(2 * 2**36, rel=1e-3)


def test_where_the_system_does_not_count_there_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "data_bytes", lambda: None)
    limit_memory(1)
    assert not limited()


def test_errors_of_memory_are_told_from_others_and_found_behind_them() -> None:
    assert out_of_memory(MemoryError()) and out_of_memory(RuntimeError("std::bad_alloc"))
    assert not out_of_memory(RuntimeError("a bolt is loose")) and not out_of_memory(OSError(28, "No space left on device"))
    behind = ValueError("the engine failed")
    behind.__cause__ = MemoryError()
    assert out_of_memory(behind)
    meant = BadInput("field", "wanted another number")
    meant.__context__, meant.__suppress_context__ = MemoryError(), True
    assert not out_of_memory(meant)
