"""L-BFGS with exact looks against SciPy's, on the problems that users bring."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from thalweg_core.descent.lbfgs.lbfgs import Lbfgs
from thalweg_core.landscape import Landscape
from thalweg_core.streams import Stream
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.stopping import Stop
from thalweg_core.walking.walk import Position, Rules, begin, walk
from thalweg_physics.densities.logistic.logistic_regression import LogisticRegression
from thalweg_vqe.ansatze.excitations import Uccsd
from thalweg_vqe.ansatze.hamiltonian_variational import HamiltonianVariational
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.hamiltonians.spin_chains import TransverseFieldIsing
from thalweg_vqe.problem import Vqe
from thalweg_vqe.starts import Uniform

EXACT = Estimator(shots=0)
PROBLEMS: dict[str, tuple[Any, float]] = {
    "H2 by efficient_su2": (Vqe(Molecule("H 0 0 0; H 0 0 0.735"), EfficientSu2(3), EXACT, Uniform(0.3)), 1e-5),
    "H4 by UCCSD": (Vqe(Molecule("H 0 0 0; H 0 0 1; H 0 0 2; H 0 0 3"), Uccsd(), EXACT, Uniform(0.3)), 1e-5),
    "an Ising chain by its variational circuit": (
        Vqe(TransverseFieldIsing(6), HamiltonianVariational(6), EXACT, Uniform(0.3)),
        1e-3,  # later its soft valley magnifies the rounding of the first evaluations
    ),
    "a logistic regression": (LogisticRegression("breast_cancer"), 1e-4),
}


def walked(place: Landscape, x: Tensor, gradient: float) -> Position:
    rng, rules = Stream.of(0, len(x)), Rules(Stop(gradient_norm=gradient))
    position = begin(Lbfgs(), place, x, rng, rules)
    for frame in walk(Lbfgs(), place, position, rng, range(1, 2000), rules):
        position = frame.position
    return position


def scipys(place: Landscape, x: Tensor, gradient: float) -> Any:
    def look(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        seen = place.evaluate(torch.from_numpy(x)[None], Stream.of(0, 1))
        return float(seen.value), seen.grad[0].numpy()

    return minimize(look, x.numpy(), jac=True, method="L-BFGS-B", options={"ftol": 0, "gtol": gradient, "maxfun": 2000})


@pytest.mark.parametrize("name", PROBLEMS)
def test_it_takes_no_more_looks_than_scipy_to_the_same_energy(name: str) -> None:
    problem, gradient = PROBLEMS[name]
    if "by efficient_su2" in name or "UCCSD" in name:
        pytest.importorskip("pyscf")
    place = problem.open(torch.device("cpu"), torch.float64)
    x = problem.start(place, Stream.of(100, 3).named("start"))
    position = walked(place, x, gradient)
    theirs = [scipys(place, start, gradient) for start in x]
    assert set(position.outcome.tolist()) == {Outcome.GRADIENT}
    np.testing.assert_allclose(position.state.seen.value, [found.fun for found in theirs], atol=1e-4, rtol=0)
    assert int(position.spent.gradients.sum()) <= 1.1 * sum(found.nfev for found in theirs)  # a tenth for rounding's sake
