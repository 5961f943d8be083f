"""H2 pulled apart: every bond length begins with the angles at which the one before ended: `python examples/bond_curve.py`."""

from __future__ import annotations

from collections.abc import Iterable

from thalweg import Client


def main(lengths: Iterable[float] = (0.735, 1.0, 1.4, 2.0, 2.8), steps: int = 40) -> None:
    client, start = Client(), {"hartree_fock": 0.0}
    for length in lengths:  # Å
        job = client.submit(
            {
                "name": f"H2 at {length} Å",
                "problem": {
                    "vqe": {
                        "hamiltonian": {"molecule": {"atoms": f"H 0 0 0; H 0 0 {length}"}},
                        "ansatz": {"uccsd": {}},
                        "estimator": {"shots": 1000},
                        "start": start,
                    }
                },
                "method": {"adam": {}},
                "plan": {"steps": steps, "replicas": 4, "seed": 7},
            }
        )
        job.wait()
        result = job.result()
        exact = result.observables["exact_energy"].value
        print(f"{length:5.3f} Å: {result.value:.4f} ± {result.standard_error:.4f} Ha, exactly {exact:.4f}")
        start = {"job": {"id": job.id}}  # the replica that ended lowest


if __name__ == "__main__":
    main()
