"""The engine without a service: the H2 job and the skyrmion of this folder, walked in this very process.

    python examples/in_process.py

The seeds and the numbers are those of examples/h2.toml and examples/skyrmion.toml, so the results
are too: a job draws its start, its walk and its last measurement from streams of these names.
"""

from __future__ import annotations

import torch

from thalweg_core.descent.adam.adam import Adam
from thalweg_core.streams import Stream
from thalweg_core.walking.account import Budget
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.stopping import Stop
from thalweg_core.walking.walk import Rules, begin, walk
from thalweg_physics.magnet.dynamics.llg import Llg
from thalweg_physics.magnet.problem import Grid, Magnet, Material, SkyrmionStart, UniaxialAnisotropy
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.problem import HartreeFock, Vqe

CPU, FLOAT64 = torch.device("cpu"), torch.float64


def h2(shots: int = 2_000_000) -> None:
    """The ground state of H2 from so many shots, four times over."""
    problem = Vqe(Molecule("H 0 0 0; H 0 0 0.735"), EfficientSu2(reps=3), Estimator(1000, "statevector"), HartreeFock(0.1))
    landscape, rng, method = problem.open(CPU, FLOAT64), Stream.of(seed=7, replicas=4), Adam()
    rules = Rules(budget=Budget(shots=shots), reserve=problem.final_shots(landscape))  # the last measurement is paid for as well
    position = begin(method, landscape, problem.start(landscape, rng.named("start")), rng.named("walk"), rules)
    for frame in walk(method, landscape, position, rng.named("walk"), range(1, 1_000_001), rules):
        position = frame.position
        if frame.step % 100 == 0:
            print(f"step {frame.step:4d}  energy {position.state.seen.value.median():.4f} Ha")
    energy = problem.final(landscape, method.answer(position.state), rng.named("final"))  # Adam's answer is an average
    for value, variance in zip(energy.value, energy.value_var, strict=True):
        print(f"H2: {value:.4f} ± {variance.sqrt():.4f} Ha, measured anew at the end")


def skyrmion(max_torque: float = 1e-3) -> None:
    """A Néel skyrmion that relaxes by Landau–Lifshitz–Gilbert dynamics without precession."""
    material = Material(580e3, 15e-12, 3e-3, UniaxialAnisotropy(588634, (0, 0, 1)))
    problem = Magnet(Grid((64, 64, 1), (1e-9, 1e-9, 0.4e-9), (True, True, False)), material, start=SkyrmionStart(10e-9, -1))
    landscape, rng, method = problem.open(CPU, FLOAT64), Stream.of(seed=0, replicas=1), Llg(damping=1.0, precession=False)
    rules = Rules(Stop(max_torque=max_torque))
    position = begin(method, landscape, problem.start(landscape, rng.named("start")), rng.named("walk"), rules)
    for frame in walk(method, landscape, position, rng.named("walk"), range(1, 1_000_001), rules):
        position = frame.position
    print(f"skyrmion: {Outcome(int(position.outcome[0])).sentence} after {int(position.stopped_at[0])} steps")
    for name, seen in problem.observe(landscape, position.state.x).items():
        print(f"  {name} = {seen.value[0]:.6g} {seen.unit}")


if __name__ == "__main__":
    h2()
    skyrmion()
