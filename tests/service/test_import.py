"""What `import thalweg` costs."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

HEAVY = {"torch", "qiskit", "qiskit_aer", "scipy", "numpy", "sklearn", "pyscf", "matplotlib", "thalweg_core", "thalweg_vqe"}


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after `code`."""
    probe = f"{code}\nimport sys, json; print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    return set(json.loads(subprocess.run([sys.executable, "-c", probe], capture_output=True, check=True, text=True).stdout))


@pytest.mark.parametrize(
    "code",
    [
        "import thalweg",
        "from thalweg import Client, errors; Client('localhost:1')",
        "from thalweg.cli.arguments import parser; parser()",
        "from thalweg import specs; specs.load({'problem': {'density': {'double_well': {}}}, 'method': {'adam': {}}})",
    ],
)
def test_what_users_import_loads_nothing_that_computes(code):
    assert not loaded_by(code) & HEAVY


def test_import_thalweg_alone_does_not_even_load_grpc():
    assert "grpc" not in loaded_by("import thalweg")


def test_import_thalweg_takes_less_than_half_a_second():
    def seconds(code: str) -> float:
        """Of processor time: the wall clock of a busy machine says nothing about the import."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds("from thalweg import Client") for _ in range(3)) < 0.5


def test_thalweg_names_what_it_does_not_have():
    import thalweg

    assert {"Client", "errors"} <= set(dir(thalweg))
    with pytest.raises(AttributeError, match="no attribute 'Cleint'"):
        thalweg.Cleint  # noqa: B018
