"""FCIDUMP: what PySCF writes is read back to the same energies; what is no dump is refused."""

import pytest

from thalweg_core.errors import BadInput
from thalweg_vqe.hamiltonians.fcidump import Fcidump
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.hamiltonians.orbitals import ActiveSpace

pyscf = pytest.importorskip("pyscf")

HEADER = "&FCI NORB=2,NELEC=2,MS2=0,ORBSYM=1,1,ISYM=1,\n &END\n"


def written(atoms, path, **options):
    """A dump by PySCF's own pipeline."""
    from pyscf import gto, scf
    from pyscf.tools import fcidump

    field = scf.RHF(gto.M(atom=atoms, verbose=0, **options)).run(conv_tol=1e-12)
    fcidump.from_scf(field, str(path), tol=1e-15)
    return path.read_text(), field


@pytest.mark.parametrize("options", [{}, {"symmetry": True}])
@pytest.mark.parametrize("atoms", ["H 0 0 0; H 0 0 0.735", "H 0 0 0; H 0 0 1; H 0 0 2; H 0 0 3"])
def test_a_dump_of_pyscf_has_pyscfs_energies(atoms, options, tmp_path):
    text, field = written(atoms, tmp_path / "dump", **options)
    solved = Fcidump(text).solve()
    assert solved.hartree_fock_energy == pytest.approx(field.e_tot, abs=1e-9)
    assert solved.exact_energy == pytest.approx(pyscf.fci.FCI(field).kernel()[0], abs=1e-9)


def test_a_dump_of_a_radical_knows_its_spins(tmp_path):
    from pyscf import gto, mcscf, scf
    from pyscf.tools import fcidump

    field = scf.ROHF(gto.M(atom="H 0 0 0; H 0 0 1; H 0 0 2", spin=1, verbose=0)).run(conv_tol=1e-12)
    fcidump.from_mcscf(mcscf.CASCI(field, 3, (2, 1)), str(tmp_path / "dump"), tol=1e-15)
    dump = Fcidump((tmp_path / "dump").read_text(), mapping="parity", tapering="particles")
    solved, wanted = dump.solve(), Molecule("H 0 0 0; H 0 0 1; H 0 0 2", spin=1).solve()
    assert dump.system().qubits == solved.observable.qubits == 4
    assert solved.exact_energy == pytest.approx(wanted.exact_energy, abs=1e-9)
    assert solved.hartree_fock_energy == pytest.approx(wanted.hartree_fock_energy, abs=1e-9)


def test_an_active_space_dumped_by_pyscf_is_the_molecules_own(tmp_path):
    from pyscf import gto, mcscf, scf
    from pyscf.tools import fcidump

    atoms = "Li 0 0 0; H 0 0 1.595"
    field = scf.RHF(gto.M(atom=atoms, verbose=0)).run(conv_tol=1e-12)
    fcidump.from_mcscf(mcscf.CASCI(field, 3, 2), str(tmp_path / "dump"), tol=1e-15)
    solved = Fcidump((tmp_path / "dump").read_text()).solve()
    wanted = Molecule(atoms, active_space=ActiveSpace(2, 3)).solve()
    assert solved.exact_energy == pytest.approx(wanted.exact_energy, abs=1e-9)
    assert solved.hartree_fock_energy == pytest.approx(wanted.hartree_fock_energy, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "no such header"),
        ("0.5 1 1 1 1", "no such header"),
        ("&FCI NORB=2,MS2=0 &END", "gives no NELEC"),
        ("&FCI NORB=2,NELEC=2,MS2=1 &END", "cannot be together"),
        ("&FCI NORB=1,NELEC=4,MS2=0 &END", "cannot be together"),
        ("&FCI NORB=2,NELEC=2,MS2=0,IUHF=1 &END", "two sets of orbitals"),
        (HEADER + "0.5 1 1 1", 'line 3: wanted a real number and four orbitals, got "0.5 1 1 1"'),
        (HEADER + "0.5 1 1 1 1\n(0.5,0.1) 1 1 0 0", "line 4: wanted a real number"),
        (HEADER + "nan 1 1 0 0", "line 3: wanted a number from"),
        (HEADER + "0.5 3 1 0 0", "line 3: wanted orbitals up to NORB = 2"),
        (HEADER + "0.5 1 0 1 0", "line 3: wanted i j k l"),
    ],
)
def test_what_is_no_dump_is_refused_with_the_line(text, part):
    with pytest.raises(BadInput, match=part) as refused:
        Fcidump(text).solve()
    assert refused.value.field == "text"
