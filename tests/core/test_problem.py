"""Complaints that name what the user named, and methods held against what a landscape knows."""

from __future__ import annotations

import pytest

from thalweg_core.errors import BadInput, Mismatch
from thalweg_core.landscape import EXACT_VALUE, FLAT, GRADIENT, VALUE, Capability
from thalweg_core.problem import Traits, require
from thalweg_core.ranges import at_least, chosen, fraction, not_negative, positive, share
from thalweg_core.sampling.mala import Mala
from thalweg_core.sampling.ula import Ula

NOISY = Traits(
    knows=frozenset({VALUE, GRADIENT, FLAT}),
    dimension=3,
    memory=0,
    memory_per_replica=0,
    lacks={EXACT_VALUE: "with shots = 1000 is noisy"},
)


def test_a_method_that_does_not_fit_is_refused_in_a_sentence_that_names_both() -> None:
    with pytest.raises(Mismatch) as refused:
        require("mala", Mala(), "vqe", NOISY, ["ula", "adam"])
    assert refused.value.field == "method.mala"
    assert refused.value.sentence == (
        "compares energies exactly, but problem.vqe with shots = 1000 is noisy; use method.ula or method.adam"
    )


def test_a_method_that_fits_passes_and_one_without_alternative_says_so() -> None:
    require("ula", Ula(0.1), "vqe", NOISY, [])
    bare = Traits(knows=frozenset({GRADIENT, EXACT_VALUE}), dimension=1, memory=0, memory_per_replica=0)
    with pytest.raises(Mismatch, match="no method fits") as refused:
        require("mala", Mala(), "magnet", bare, [])
    assert "has no flat space" in refused.value.sentence
    spins = Capability("an effective field", "turns spins in an effective field")
    assert bare.why_not(spins) == "has no effective field"


def test_alternatives_are_joined_as_in_a_sentence() -> None:
    with pytest.raises(Mismatch, match=r"; use method\.ula, method\.adam or method\.gradient_descent$"):
        require("mala", Mala(), "vqe", NOISY, ["ula", "adam", "gradient_descent"])


def test_a_complaint_is_carried_up_with_its_path_and_its_kind() -> None:
    low = Mismatch("cells", "wanted three numbers, got two")
    high = low.under("grid").under("problem.magnet")
    assert isinstance(high, Mismatch) and high.field == "problem.magnet.grid.cells"
    assert str(high) == "problem.magnet.grid.cells: wanted three numbers, got two"
    assert BadInput("", "what").under("method.hmc").field == "method.hmc"


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (positive, (1e-300, 1, 2.5), (0, -1, float("inf"), float("nan"))),
        (not_negative, (0, 3), (-1e-9, float("nan"), float("inf"))),
        (fraction, (0.5, 1e-9), (0, 1, float("nan"))),
        (share, (0, 0.999), (1, -0.1, float("nan"))),
        (lambda field, n: at_least(field, n, 2), (2, 50), (1, 2.0, -3)),
        (lambda field, n: chosen(n), (0.5,), (None,)),
    ],
)
def test_numbers_in_their_ranges_pass_and_others_are_named(check, good, bad) -> None:  # type: ignore[no-untyped-def]
    for number in good:
        check("step_size", number)
    for number in bad:
        with pytest.raises(BadInput) as refused:
            check("step_size", number)
        assert refused.value.field == "step_size"
