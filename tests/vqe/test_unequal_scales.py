"""One parameter that turns gates by unequal scales: every descent goes down where looks do not show its second derivative.

ry(a) on qubit 0, CX, ry(2a) on qubit 1, and H = Z Z + X I / 2, have the energy  U(a) = cos 2a + sin a cos² a.
"""

import math

import numpy as np
import pytest
import torch

from thalweg_core.descent.adam.adam import Adam
from thalweg_core.descent.adam.textbook_adam import TextbookAdam
from thalweg_core.descent.gradient_descent import GradientDescent
from thalweg_core.descent.lbfgs.lbfgs import Lbfgs
from thalweg_core.descent.lbfgs.textbook_lbfgs import TextbookLbfgs
from thalweg_core.descent.natural_gradient.natural_gradient import NaturalGradient
from thalweg_core.descent.natural_gradient.textbook_natural_gradient import TextbookNaturalGradient
from thalweg_core.descent.shot_frugal.gcans import Gcans
from thalweg_core.descent.shot_frugal.icans import Icans
from thalweg_core.descent.shot_frugal.rosalin import Rosalin
from thalweg_core.descent.smo.smo import Smo
from thalweg_core.descent.spsa.qn_spsa import QnSpsa
from thalweg_core.descent.spsa.spsa import Spsa
from thalweg_core.streams import Stream
from thalweg_core.walking.walk import begin, walk
from thalweg_vqe.ansatze.user.open_qasm import OpenQasm
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.hamiltonians.pauli_sum import PauliSum, PauliTerm
from thalweg_vqe.problem import Vqe
from thalweg_vqe.starts import ParameterValues

CPU, FLOAT64 = torch.device("cpu"), torch.float64
CIRCUIT = OpenQasm('include "stdgates.inc"; input float a; qubit[2] q; ry(a) q[0]; cx q[0], q[1]; ry(2*a) q[1];')
OPERATOR = PauliSum((PauliTerm("ZZ", 1.0), PauliTerm("XI", 0.5)))
ENGINES = ("statevector", "aer")
DESCENTS = (
    *(Lbfgs(), NaturalGradient(), Adam(), GradientDescent(), Icans(), Gcans(), Rosalin(), Smo(), Spsa(), QnSpsa()),
    *(TextbookAdam(), TextbookLbfgs(), TextbookNaturalGradient()),
)


def energy(a):
    return np.cos(2 * a) + np.sin(a) * np.cos(a) ** 2


GRID = np.linspace(-math.pi, math.pi, 200_001)
LOWEST = energy(GRID).min()


def opened(engine, start=1.0, hamiltonian=OPERATOR, ansatz=CIRCUIT, shots=200):
    problem = Vqe(hamiltonian, ansatz, Estimator(shots, engine), ParameterValues((start,)))
    return problem, problem.open(CPU, FLOAT64)


def ends(method, landscape, x, steps, seed=3):
    """Every point of a walk, and what it reports."""
    rng = Stream.of(seed, len(x))
    method = method.resolved(landscape)
    position = begin(method, landscape, x, rng)
    points = [position.state.x]
    for frame in walk(method, landscape, position, rng, range(1, steps + 1)):
        position = frame.position
        points.append(position.state.x)
    return torch.stack(points), method.answer(position.state)


def test_the_energy_is_the_closed_form():
    _, landscape = opened("statevector", shots=0)
    x = torch.linspace(-3, 3, 7, dtype=FLOAT64)[:, None]
    np.testing.assert_allclose(landscape.expectation(landscape.observable, x).numpy(), energy(x[:, 0].numpy()), atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("method", DESCENTS, ids=lambda method: type(method).__name__)
def test_no_descent_loses_its_angles(method, engine):
    problem, landscape = opened(engine)
    points, last = ends(method, landscape, problem.start(landscape, Stream.of(3, 2)), 12)
    assert points.isfinite().all()
    assert last.isfinite().all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("method", [Lbfgs(), NaturalGradient(), Adam()], ids=lambda method: type(method).__name__)
def test_the_answer_is_the_minimum_within_its_error(method, engine):
    problem, landscape = opened(engine)
    x = problem.start(landscape, Stream.of(5, 4))
    _, last = ends(method, landscape, x, 80, seed=5)
    final = problem.final(landscape, last, Stream.of(5, 4))
    off = (final.value - LOWEST) / final.value_var.sqrt()
    assert (off.abs() < 5).all()


FLAT = ("rz(a) q[0];", "rz(a) q[0]; rz(2*a) q[1];", "rz(a) q[0]; ry(b) q[1];")


@pytest.mark.parametrize("gates", FLAT, ids=["one scale", "two scales", "beside a slope"])
@pytest.mark.parametrize("method", DESCENTS, ids=lambda method: type(method).__name__)
def test_a_slope_of_exactly_zero_moves_nothing_out_of_the_numbers(method, gates):
    """Turns about Z of a state that Z does not change: every shot says that nothing slopes and nothing bends."""
    inputs = "input float a; input float b;" if "b" in gates else "input float a;"
    circuit = OpenQasm(f'include "stdgates.inc"; {inputs} qubit[2] q; {gates}')
    start = ParameterValues((0.3, 1.0) if "b" in gates else (0.3,))
    problem = Vqe(PauliSum((PauliTerm("ZZ", 1.0),)), circuit, Estimator(100), start)
    landscape = problem.open(CPU, FLOAT64)
    points, last = ends(method, landscape, problem.start(landscape, Stream.of(3, 2)), 12)
    assert points.isfinite().all()
    assert last.isfinite().all()
