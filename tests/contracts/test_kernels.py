"""What every method owes its callers. A new method is tested by being registered here."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.core.components import Components
from tests.core.valleys import Curved, NoisyNormal, Normal, NormalSlope, Qubits, SampledQubits, Sampling, Spins, spins
from tests.core.waves import SampledWaves, Waves
from torch import Tensor

from thalweg.server.spec import catalog
from thalweg_core.chains.warm_up import WarmUp
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
from thalweg_core.errors import BadInput
from thalweg_core.landscape import COMPONENTS, FLAT, GRADIENT, HARMONICS, LIPSCHITZ, METRIC, STATES, Landscape, Samples
from thalweg_core.method import Goal, Info, Method, state_numbers
from thalweg_core.numbers.trees import map_tensors, take_rows
from thalweg_core.sampling.hmc import Hmc
from thalweg_core.sampling.mala import Mala
from thalweg_core.sampling.ula import Ula
from thalweg_core.streams import Stream
from thalweg_core.walking import checkpoint
from thalweg_core.walking.account import Budget
from thalweg_core.walking.stopping import Stop
from thalweg_core.walking.walk import Position, Rules, begin, walk
from thalweg_physics.magnet.dynamics.llg import Llg
from thalweg_physics.magnet.dynamics.spins import PRECESSION
from thalweg_physics.magnet.landscape import MagnetLandscape
from thalweg_physics.magnet.problem import Grid, Magnet, Material

FLAT_LANDSCAPE = NormalSlope((0.5, 1.0, 2.0, 1.0, 1.5))
SPIN_CHAIN = Spins(field=0.7, coupling=1.3)
QUBITS = Qubits(((1.0, 0.2, 0.0), (0.0, 0.7, -0.4), (0.5, 0.0, 1.3)))
MAGNET = Magnet(
    grid=Grid(cells=(5, 4, 1), cell_size=(1e-9, 1e-9, 0.4e-9), periodic=(True, False, False)),
    material=Material(saturation_magnetization=580e3, exchange_stiffness=15e-12, interfacial_dmi=3e-3),
).open(torch.device("cpu"), torch.float64)


class Steep(Normal):
    """An exact valley that knows its largest second derivative."""

    offers = Normal.offers | {LIPSCHITZ}
    lipschitz = 4.0


KERNELS: dict[str, Method] = {
    "gradient descent": GradientDescent(learning_rate=0.05),
    "gradient descent by default": GradientDescent(),
    "adam": Adam(learning_rate=0.05),
    "adam that never forgets": Adam(learning_rate=0.05, amsgrad=True),
    "adam by default": Adam(),
    "adam without its remedies": Adam(
        pilot=False, growth=0, shrinking=0, max_step=0, allocation="equal", averaging=0, tempering=0
    ),
    "textbook adam": TextbookAdam(),
    "l-bfgs": Lbfgs(memory=3),
    "l-bfgs that takes every pair": Lbfgs(pair_test=0, filtering=False, curvature=False),
    "l-bfgs without its remedies": Lbfgs(
        memory=0, max_step=0, filtering=False, curvature=False, pilot=False, growth=0, allocation="equal", averaging=0
    ),
    "textbook l-bfgs": TextbookLbfgs(memory=3),
    "natural gradient": NaturalGradient(),
    "natural gradient in full": NaturalGradient(metric="full"),
    "natural gradient without its remedies": NaturalGradient(
        curvature=False,
        adapting=False,
        metric="diagonal",
        measured=False,
        damping=1e-3,
        noise_damping=0,
        noise_step=0,
        filtering=False,
        max_distance=0,
        max_step=0,
        pilot=False,
        growth=0,
        allocation="equal",
        averaging=0,
    ),
    "textbook natural gradient": TextbookNaturalGradient(damping=1e-3),
    "spsa": Spsa(),
    "spsa without its remedies": Spsa(max_step=0, blocking=0, growth=0, allocation="equal", averaging=0),
    "qn-spsa": QnSpsa(),
    "smo": Smo(),
    "smo without its remedies": Smo("cyclic", max_step=0, jump_test=0, growth=0, allocation="equal", averaging=0),
    "icans": Icans(),
    "cautious icans": Icans(variant=2),
    "gcans": Gcans(),
    "rosalin": Rosalin(),
    "ula": Ula(step_size=0.05),
    "mala": Mala(step_size=0.2),
    "hmc": Hmc(step_size=0.4, leapfrog_steps=5),
    "llg": Llg(damping=0.5, precession=True),
    "llg downhill": Llg(damping=1.0, precession=False),
    "warm-up of ula": WarmUp(Ula()),
    "warm-up of mala": WarmUp(Mala()),
    "warm-up of hmc": WarmUp(Hmc(leapfrog_steps=4)),
    "warm-up of a step size given": WarmUp(Mala(step_size=0.2)),
}


def places(method: Method) -> list[tuple[str, Landscape]]:
    """The landscapes that a method fits."""
    if PRECESSION in method.needs:
        return [("magnet", MAGNET)]
    if METRIC in method.needs or STATES in method.needs:
        return [("qubits", QUBITS), ("measured qubits", SampledQubits(QUBITS.mixing))]
    components = ("components", Components((0.5, 1.0, 2.0), (1.0, 2.0, 0.5)))
    if COMPONENTS in method.needs:
        return [components]
    if LIPSCHITZ in method.needs:
        return [("steep", Steep()), components]
    if HARMONICS in method.needs:
        return [("waves", Waves()), ("sampled waves", SampledWaves())]
    if FLAT in method.needs or isinstance(method, WarmUp):
        return [("flat", FLAT_LANDSCAPE)]
    if "exact values" in {need.name for need in method.needs}:
        return [("flat", FLAT_LANDSCAPE), ("spheres", SPIN_CHAIN)]
    noisy = [("noisy", NoisyNormal((0.5, 1.0, 2.0))), ("sampled", Sampling((0.5, 1.0, 2.0)))]
    if isinstance(method, Lbfgs):
        noisy.append(("curved", Curved((0.5, 1.0, 2.0))))
    return [("flat", FLAT_LANDSCAPE), ("spheres", SPIN_CHAIN), *noisy]


PAIRS = [
    pytest.param(method, place, id=f"{name} on {where}") for name, method in KERNELS.items() for where, place in places(method)
]
PANEL = 32  # rows that a warm-up pools, and so must always have


def start(place: Landscape, rows: int) -> Tensor:
    if isinstance(place, Spins):
        return spins(rows, 6)
    if isinstance(place, MagnetLandscape):
        return spins(rows, 20).reshape(rows, 1, 4, 5, 3)
    if isinstance(place, Waves):
        return Stream.of(7, rows).named("start").normal((len(place.bases),))
    assert isinstance(place, Normal | Qubits)
    coordinates = len(place.scales) if isinstance(place, Normal) else len(place.mixing[0])
    return Stream.of(7, rows).named("start").normal((coordinates,))


def steps(method: Method, place: Landscape, rows: int, count: int) -> tuple[Any, list[Info]]:
    rng = Stream.of(1, rows)
    state, infos = method.init(place, start(place, rows), rng.named("init")), []
    for step in range(1, count + 1):
        state, info = method.step(place, state, rng.at(step))
        infos.append(info)
    return state, infos


def tensors(tree: Any) -> dict[str, Tensor]:
    return checkpoint.flatten(tree)


def same(a: Any, b: Any) -> bool:
    left, right = tensors(a), tensors(b)
    return left.keys() == right.keys() and all(alike(left[name], right[name]) for name in left)


def alike(a: Tensor, b: Tensor) -> bool:
    """Equal to the bit, where what is not known counts as equal to itself."""
    return a.shape == b.shape and a.dtype == b.dtype and bool(((a == b) | (a.isnan() & b.isnan())).all())


@pytest.mark.parametrize(("method", "place"), PAIRS)
def test_every_tensor_of_a_state_and_an_info_leads_with_the_replicas(method: Method, place: Landscape) -> None:
    state, infos = steps(method, place, 3, 2)
    assert isinstance(state, method.State)
    assert all(t.shape[0] == 3 for tree in (state, *infos) for t in tensors(tree).values())
    x = start(place, 3)
    assert (state.x.shape, state.x.dtype) == (x.shape, x.dtype)
    assert (state.seen.value.shape, state.seen.grad.shape) == ((3,), x.shape)
    for info in infos:
        assert info.acceptance.shape == info.energy_error.shape == info.rejected_nan.shape == (3,)
        assert info.rejected_nan.dtype == torch.bool
        known = info.acceptance[~info.acceptance.isnan()]
        assert bool(((known >= 0) & (known <= 1)).all())
        assert len(known) == 3 or (isinstance(method, Ula) and place is not FLAT_LANDSCAPE)


@pytest.mark.parametrize(("method", "place"), PAIRS)
def test_what_a_state_has_seen_is_what_its_landscape_shows_there(method: Method, place: Landscape) -> None:
    if place.noisy:
        return
    state, _ = steps(method, place, 4, 5)
    again = place.evaluate(state.x, Stream.of(0, 4))
    assert torch.equal(state.seen.value, again.value)
    unknown = state.seen.grad.isnan() & state.seen.grad_var.isinf()
    assert torch.equal(state.seen.grad[~unknown], again.grad[~unknown])
    assert GRADIENT not in method.needs or not unknown.any()


@pytest.mark.parametrize(("method", "place"), PAIRS)
def test_a_step_depends_on_nothing_but_its_arguments(method: Method, place: Landscape) -> None:
    state, _ = steps(method, place, 4, 3)
    kept = map_tensors(torch.clone, state)  # a step may consume its state
    rng = Stream.of(1, 4).at(9)
    assert all(same(a, b) for a, b in zip(method.step(place, state, rng), method.step(place, kept, rng), strict=True))


@pytest.mark.parametrize(("method", "place"), PAIRS)
def test_replica_0_is_the_same_to_the_bit_in_a_batch_of_any_size(method: Method, place: Landscape) -> None:
    least = PANEL if isinstance(method, WarmUp) else 1
    alone, infos = steps(method, place, least, 6)
    some = torch.arange(least)
    for rows in {max(rows, least) for rows in (4, 33, 64)}:
        among, infos_among = steps(method, place, rows, 6)
        assert same(take_rows(among, some), alone)
        assert all(same(take_rows(a, some), b) for a, b in zip(infos_among, infos, strict=True))


@pytest.mark.parametrize(("method", "place"), [pair for pair in PAIRS if pair.values[0].goal is Goal.MINIMUM])
def test_each_replica_grows_and_stops_as_it_would_alone_and_within_its_budget(method: Method, place: Landscape) -> None:
    budget = Budget(shots=3000) if place.noisy else Budget(gradients=60)
    rules, everyone = Rules(stop=Stop(gradient_norm=0.05), budget=budget), torch.arange(3)

    def end(rows: Tensor) -> Position:
        rng = Stream.of(1, 3).take(rows)
        position = begin(method, place, start(place, 3)[rows], rng, rules)
        for frame in walk(method, place, position, rng, range(1, 100), rules):
            position = frame.position
        return position

    among = end(everyone)
    for row in everyone:
        assert same(take_rows(among, row[None]), end(row[None]))
    assert bool((among.spent.shots <= (budget.shots or 0)).all()) and bool(
        (among.spent.gradients <= (budget.gradients or 10**6)).all()
    )


@pytest.mark.parametrize(("method", "place"), PAIRS)
def test_single_precision_stays_single(method: Method, place: Landscape) -> None:
    if place is MAGNET:
        return  # opened in double precision, and stays so
    rng = Stream.of(1, 3)
    position = begin(method, place, start(place, 3).to(torch.float32), rng)
    for frame in walk(method, place, position, rng, range(1, 4)):
        state, info = frame.position.state, frame.info
    looked = (state.x, state.seen.value, state.seen.grad, info.acceptance, info.energy_error)
    assert {t.dtype for t in looked} == {torch.float32}


@pytest.mark.parametrize(("method", "place"), PAIRS)
def test_no_tape_is_kept(method: Method, place: Landscape) -> None:
    state, infos = steps(method, place, 2, 2)
    assert not any(t.requires_grad or t.grad_fn for tree in (state, *infos) for t in tensors(tree).values())


@pytest.mark.parametrize(("method", "place"), PAIRS)
def test_a_walk_resumed_from_a_checkpoint_equals_an_unbroken_one(method: Method, place: Landscape, tmp_path: Path) -> None:
    rng, rows = Stream.of(1, 5), 5
    position = begin(method, place, start(place, rows), rng)
    whole = [frame.position for frame in walk(method, place, position, rng, range(1, 13))]
    checkpoint.write(tmp_path / "here", tensors(whole[4]), {"step": "5"})
    read, words = checkpoint.read(tmp_path / "here")
    again = checkpoint.unflatten(Position, read, like=method.states("state"))
    assert isinstance(again.state, method.State) and same(again, whole[4])
    rest = [frame.position for frame in walk(method, place, again, rng, range(int(words["step"]) + 1, 13))]
    assert same(rest[-1], whole[-1])


@pytest.mark.parametrize(("method", "place"), PAIRS)
def test_a_state_holds_as_many_numbers_as_its_kernel_declares(method: Method, place: Landscape) -> None:
    rows = PANEL if isinstance(method, WarmUp) else 2
    state, _ = steps(method, place, rows, 4)
    held, declared = sum(t[0].numel() for t in tensors(state).values()), state_numbers(method, state.x[0].numel())
    assert held <= declared <= 2 * held  # parts that noise alone asks for are declared where a landscape is exact, too


def test_every_method_of_the_catalogue_is_held_to_this_contract() -> None:
    assert {catalog.load(entry.where) for entry in catalog.METHODS.values()} <= {type(method) for method in KERNELS.values()}


RESOLVING = [pair for pair in PAIRS if type(pair.values[0]).resolved is not Method.resolved]  # type: ignore[union-attr]


@pytest.mark.parametrize(("method", "place"), RESOLVING)
def test_a_resolved_method_leaves_nothing_open_and_walks_as_before_to_the_bit(method: Any, place: Landscape) -> None:
    settled = method.resolved(place)
    assert type(settled) is type(method) and settled.resolved(place) == settled
    assert None not in dataclasses.asdict(settled).values()
    (state, infos), (other, others) = (steps(k, place, 3, 6) for k in (method, settled))
    assert same(state, other) and all(same(a, b) for a, b in zip(infos, others, strict=True))


def test_what_a_landscape_settles_is_known_by_name() -> None:
    assert Adam().resolved(FLAT_LANDSCAPE).amsgrad is False and Adam().resolved(SPIN_CHAIN).amsgrad is True
    assert Llg().resolved(MAGNET).time_step == Llg().seconds(MAGNET)
    assert Llg(time_step=1e-15).resolved(MAGNET) == Llg(time_step=1e-15)


@pytest.mark.parametrize(("method", "place"), PAIRS)
def test_costs_add_up_to_what_was_looked_at(method: Method, place: Landscape, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = {"evaluations": 0, "gradients": 0}
    evaluate, gradient = type(place).evaluate, getattr(type(place), "gradient", None)
    components = getattr(type(place), "evaluate_components", None)
    inside = []  # a landscape may use its own gradient to evaluate

    def evaluate_counted(self: Any, x: Tensor, rng: Stream, samples: Samples | None = None) -> Any:
        looks["evaluations"] += len(x)
        looks["gradients"] += len(x)
        inside.append(1)
        seen = evaluate(self, x, rng, samples)
        inside.pop()
        return seen

    def gradient_counted(self: Any, x: Tensor) -> Tensor:
        looks["gradients"] += 0 if inside else len(x)
        assert gradient is not None
        return gradient(self, x)  # type: ignore[no-any-return]

    def components_counted(self: Any, x: Tensor, rng: Stream, samples: Tensor) -> Any:
        looks["evaluations"] += len(x)
        looks["gradients"] += len(x)
        assert components is not None
        return components(self, x, rng, samples)

    monkeypatch.setattr(type(place), "evaluate", evaluate_counted)
    if components is not None:
        monkeypatch.setattr(type(place), "evaluate_components", components_counted)
    if gradient is not None:
        monkeypatch.setattr(type(place), "gradient", gradient_counted)
    rng = Stream.of(1, 3)
    position = begin(method, place, start(place, 3), rng)
    for frame in walk(method, place, position, rng, range(1, 8)):
        position = frame.position
    assert int(position.spent.evaluations.sum()) == looks["evaluations"]
    assert int(position.spent.gradients.sum()) == looks["gradients"]


@pytest.mark.parametrize("name", KERNELS)
def test_every_field_is_explained_and_the_kernel_is_frozen(name: str) -> None:
    method = KERNELS[name]
    assert dataclasses.is_dataclass(method) and not isinstance(method, type)
    for field in dataclasses.fields(method):
        assert f"\n        {field.name}: " in (method.__doc__ or "")
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(method, field.name, 1)


WRONG = [
    (GradientDescent, {"learning_rate": 0.0}),
    (GradientDescent, {"learning_rate": float("nan")}),
    (Adam, {"learning_rate": -1.0}),
    (Adam, {"beta1": 1.0}),
    (Adam, {"beta2": -0.1}),
    (Adam, {"epsilon": 0.0}),
    (Adam, {"first_samples": 1}),
    (Adam, {"pilot_noise": 0.0}),
    (Adam, {"growth": -1.0}),
    (Adam, {"shrinking": float("nan")}),
    (Adam, {"max_step": -0.1}),
    (Adam, {"allocation": "measure"}),
    (Adam, {"averaging": 1.0}),
    (TextbookAdam, {"learning_rate": 0.0}),
    (TextbookAdam, {"beta1": 1.0}),
    (Lbfgs, {"memory": -1}),
    (Lbfgs, {"step_factor": 0.0}),
    (Lbfgs, {"max_step": float("inf")}),
    (Lbfgs, {"pair_test": -1.0}),
    (Lbfgs, {"first_samples": 1}),
    (Lbfgs, {"pilot_noise": 0.0}),
    (Lbfgs, {"growth": -0.5}),
    (Lbfgs, {"allocation": "neyman"}),
    (Lbfgs, {"averaging": 1.0}),
    (TextbookLbfgs, {"memory": 0}),
    (TextbookLbfgs, {"reduction": -1e-9}),
    (TextbookLbfgs, {"gradient": float("nan")}),
    (NaturalGradient, {"learning_rate": 0.0}),
    (NaturalGradient, {"metric": "blocks"}),
    (NaturalGradient, {"metric_share": 0.0}),
    (NaturalGradient, {"metric_memory": 1.0}),
    (NaturalGradient, {"damping": -0.1}),
    (NaturalGradient, {"noise_damping": float("inf")}),
    (NaturalGradient, {"noise_step": -0.1}),
    (NaturalGradient, {"max_distance": -1.0}),
    (NaturalGradient, {"max_step": float("nan")}),
    (NaturalGradient, {"first_samples": 1}),
    (NaturalGradient, {"pilot_noise": 0.0}),
    (NaturalGradient, {"growth": -1.0}),
    (NaturalGradient, {"allocation": "all"}),
    (NaturalGradient, {"averaging": 1.0}),
    (TextbookNaturalGradient, {"learning_rate": -0.1}),
    (TextbookNaturalGradient, {"metric": "Full"}),
    (TextbookNaturalGradient, {"damping": float("nan")}),
    *(
        (kind, {name: wrong})
        for kind in (Spsa, QnSpsa)
        for name, wrong in (
            ("first_step", 0.0),
            ("perturbation", -0.1),
            ("gain_decay", -1.0),
            ("perturbation_decay", float("inf")),
            ("stability", -1.0),
            ("resamplings", 0),
            ("calibration", 0),
            ("max_step", -0.1),
            ("blocking", float("nan")),
            ("first_samples", 1),
            ("growth", -1.0),
            ("allocation", "spread"),
            ("averaging", 1.0),
        )
    ),
    (QnSpsa, {"regularization": 0.0}),
    (Smo, {"order": "sorted"}),
    (Smo, {"max_step": -0.1}),
    (Smo, {"jump_test": float("nan")}),
    (Smo, {"first_samples": 1}),
    (Smo, {"growth": -1.0}),
    (Smo, {"allocation": "random"}),
    (Smo, {"averaging": 1.0}),
    (Icans, {"learning_rate": 2.0}),
    (Icans, {"lipschitz": 0.0}),
    (Icans, {"variant": 3}),
    (Icans, {"first_samples": 1}),
    (Icans, {"memory": 1.0}),
    (Icans, {"bias": 0.0}),
    (Icans, {"allocation": "random"}),
    (Gcans, {"learning_rate": 0.0}),
    (Gcans, {"lipschitz": -1.0}),
    (Gcans, {"first_samples": 1}),
    (Gcans, {"memory": -0.1}),
    (Gcans, {"allocation": "random"}),
    (Rosalin, {"learning_rate": 2.0}),
    (Rosalin, {"lipschitz": float("inf")}),
    (Rosalin, {"first_samples": 1}),
    (Rosalin, {"memory": 1.0}),
    (Rosalin, {"bias": -1e-6}),
    (Ula, {"step_size": 0.0}),
    (Ula, {"temperature": -1.0}),
    (Mala, {"step_size": float("inf")}),
    (Mala, {"temperature": 0.0}),
    (Mala, {"target_acceptance": 1.0}),
    (Hmc, {"step_size": -0.1}),
    (Hmc, {"leapfrog_steps": 0}),
    (Hmc, {"leapfrog_steps": 2.5}),
    (Hmc, {"leapfrog_steps": 2**31}),
    (Hmc, {"temperature": float("nan")}),
    (Hmc, {"target_acceptance": 0.0}),
]


@pytest.mark.parametrize(("kind", "fields"), WRONG)
def test_a_number_out_of_its_range_is_refused_by_name(kind: type, fields: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as refused:
        kind(**fields)
    ((name, value),) = fields.items()
    assert refused.value.field == name and str(value) in refused.value.sentence


@pytest.mark.parametrize("method", [Ula(), Mala(), Hmc()])
def test_a_sampler_without_a_step_size_says_so(method: Method) -> None:
    state = method.init(FLAT_LANDSCAPE, start(FLAT_LANDSCAPE, 2), Stream.of(0, 2))
    with pytest.raises(BadInput, match="step_size"):
        method.step(FLAT_LANDSCAPE, state, Stream.of(0, 2).at(1))
