"""Small jobs of every kind: each problem, engine, method and way of the service that has numbers of its own."""

from __future__ import annotations

from typing import Any

Spec = dict[str, Any]

_H2 = {"molecule": {"atoms": "H 0 0 0; H 0 0 0.735"}}
_H2_PARITY = {"molecule": {"atoms": "H 0 0 0; H 0 0 0.735", "mapping": "parity", "tapering": "particles"}}
_ISING = {"transverse_field_ising": {"sites": 4}}
_SU2 = {"efficient_su2": {"reps": 2}}
_FILM = {
    "grid": {"cells": [16, 16, 1], "cell_size": [1e-9, 1e-9, 0.4e-9], "periodic": [True, True, False]},
    "material": {
        "saturation_magnetization": 580e3,
        "exchange_stiffness": 15e-12,
        "interfacial_dmi": 3e-3,
        "uniaxial_anisotropy": {"constant": 588634, "axis": [0, 0, 1]},
    },
}
_SKYRMION = {"magnet": {**_FILM, "start": {"skyrmion": {"radius": 4e-9, "polarity": -1}}}}
_RANDOM_FILM = {"magnet": {**_FILM, "external_field": [0, 0, 0.1], "start": {"random": {}}}}
_GAUSSIAN = {"density": {"gaussian": {"scales": [0.1, 1.0, 3.0], "correlation": 0.5}}}
_LOGISTIC = {"density": {"logistic_regression": {"dataset": "breast_cancer"}}}
_MINI_BATCHES = {"density": {"logistic_regression": {"dataset": "breast_cancer", "batch_size": 32}}}

_BUDGET = {"budget": {"shots": 100_000}, "replicas": 2, "seed": 11}
_STEPS = {"steps": 12, "replicas": 2, "seed": 11}
_NOISY = ("adam", "lbfgs", "natural_gradient", "smo", "icans", "gcans", "rosalin", "spsa", "qn_spsa")
_FIXED = ("gradient_descent", "textbook_adam", "textbook_lbfgs", "textbook_natural_gradient")
_EXACT = ("adam", "lbfgs", "natural_gradient", "smo", "gradient_descent", "textbook_lbfgs")


def _vqe(hamiltonian: Spec, ansatz: Spec, start: Spec, **more: Any) -> Spec:
    return {"vqe": {"hamiltonian": hamiltonian, "ansatz": ansatz, "start": start, **more}}


def _shots(shots: int, **more: Any) -> Spec:
    return {"estimator": {"shots": shots, "engine": "statevector", **more}}


def _jobs() -> dict[str, Spec]:
    start = {"hartree_fock": 0.1}
    noisy_h2 = _vqe(_H2, _SU2, start, **_shots(200))
    exact_ising = _vqe(_ISING, _SU2, {"uniform": 1.0}, **_shots(0))
    grown = {"adapt": {"operators": 2, "steps_per_operator": 5}}
    aer = {"shots": 100, "engine": "aer"}
    device = {"one_qubit_error": 3e-4, "two_qubit_error": 8e-3, "t1": 1e-4, "t2": 8e-5, "false_one": 0.01, "false_zero": 0.03}
    textbook: Spec = {"textbook_adam": {}}
    jobs: dict[str, Spec] = {
        **{f"h2-{method}": {"problem": noisy_h2, "method": {method: {}}, "plan": _BUDGET} for method in _NOISY},
        **{f"h2-{method}": {"problem": noisy_h2, "method": {method: {}}, "plan": _STEPS} for method in _FIXED},
        **{f"ising-exact-{method}": {"problem": exact_ising, "method": {method: {}}, "plan": _STEPS} for method in _EXACT},
        "h2-uccsd-random": {
            "problem": _vqe(_H2, {"uccsd": {}}, start, **_shots(100, allocation="random")),
            "method": {"adam": {}},
            "plan": _BUDGET,
        },
        "h2-adapt-exact": {"problem": _vqe(_H2, grown, {"zeros": {}}, **_shots(0)), "method": {"adam": {}}, "plan": _STEPS},
        "h2-adapt-shots": {"problem": _vqe(_H2, grown, {"zeros": {}}, **_shots(100)), "method": {"lbfgs": {}}, "plan": _BUDGET},
        "h2-vqd": {
            "problem": _vqe(
                _H2_PARITY, {"real_amplitudes": {"reps": 1}}, start, **_shots(100), deflation=[{"angles": [0.1] * 4}]
            ),
            "method": {"adam": {}},
            "plan": _BUDGET,
        },
        "h2-k-up": {"problem": _vqe(_H2, {"k_up_ccgsd": {}}, start, **_shots(0)), "method": {"lbfgs": {}}, "plan": _STEPS},
        "xxz-excitation": {
            "problem": _vqe({"heisenberg_xxz": {"sites": 4}}, {"excitation_preserving": {}}, {"uniform": 1.0}, **_shots(50)),
            "method": textbook,
            "plan": _STEPS,
        },
        "hubbard-hva": {
            "problem": _vqe({"fermi_hubbard": {"columns": 2}}, {"hamiltonian_variational": {}}, {"uniform": 1.0}, **_shots(50)),
            "method": {"natural_gradient": {}},
            "plan": _BUDGET,
        },
        "h2-aer": {"problem": _vqe(_H2_PARITY, _SU2, start, estimator=aer), "method": textbook, "plan": _STEPS},
        "h2-aer-noise": {
            "problem": _vqe(_H2_PARITY, _SU2, start, estimator={**aer, "noise": device, "readout_mitigation": True}),
            "method": textbook,
            "plan": _STEPS,
        },
        "skyrmion-march": {"problem": _SKYRMION, "method": {"llg": {"precession": False}}, "plan": {"steps": 100, "seed": 3}},
        "film-precession": {"problem": _RANDOM_FILM, "method": {"llg": {"damping": 0.5}}, "plan": {**_STEPS, "steps": 100}},
        **{f"skyrmion-{name}": {"problem": _SKYRMION, "method": {name: {}}, "plan": _STEPS} for name in ("adam", "lbfgs")},
        **{
            f"gaussian-{name}": {"problem": _GAUSSIAN, "method": {name: {}}, "plan": {"replicas": 4, "warmup": 60, "steps": 100}}
            for name in ("ula", "mala", "hmc")
        },
        "well-hmc": {
            "problem": {"density": {"double_well": {}}},
            "method": {"hmc": {"step_size": 0.3}},
            "plan": {"replicas": 4, "steps": 100},
        },
        "posterior-hmc": {"problem": _LOGISTIC, "method": {"hmc": {}}, "plan": {"replicas": 4, "warmup": 40, "steps": 40}},
        **{
            f"mode-{name}": {"problem": _LOGISTIC, "method": {name: {}}, "plan": _STEPS} for name in ("natural_gradient", "lbfgs")
        },
        **{f"batches-{name}": {"problem": _MINI_BATCHES, "method": {name: {}}, "plan": _STEPS} for name in ("adam", "lbfgs")},
    }
    return {name: {"name": name, **spec} for name, spec in jobs.items()}


JOBS = _jobs()
