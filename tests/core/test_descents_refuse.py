"""Numbers by which a descent would overflow, or never come to its first step: refused in a sentence, or harmless."""

from __future__ import annotations

import pytest
import torch
from tests.core.components import Components

from thalweg_core.descent.lbfgs.lbfgs import Lbfgs
from thalweg_core.descent.lbfgs.textbook_lbfgs import TextbookLbfgs
from thalweg_core.descent.shot_frugal.icans import Icans
from thalweg_core.descent.shot_frugal.rosalin import Rosalin
from thalweg_core.descent.spsa.qn_spsa import QnSpsa
from thalweg_core.descent.spsa.spsa import Spsa
from thalweg_core.errors import BadInput
from thalweg_core.streams import Stream


@pytest.mark.parametrize(
    ("method", "field", "value", "sentence"),
    [
        *((method, field, 2**32 - 1, "wanted a whole number from 1 to 10000, got 4294967295")
          for method in (Spsa, QnSpsa) for field in ("calibration", "resamplings")),
        *((method, "perturbation", value, f"wanted a number from 0.0001 to 10000, got {value:g}")
          for method in (Spsa, QnSpsa) for value in (1e-300, 1e300)),
        (QnSpsa, "perturbation_decay", 1e300, "wanted a number from 0 to 1, got 1e+300"),
        (Spsa, "gain_decay", 2.0, "wanted a number from 0 to 1, got 2.0"),
        (Lbfgs, "memory", 2**32 - 1, "wanted a whole number from 0 to 1000, got 4294967295"),
        (TextbookLbfgs, "memory", 2**32 - 1, "wanted a whole number from 1 to 1000, got 4294967295"),
    ],
)  # fmt: skip
def test_a_number_that_would_break_the_walk_is_refused(method: type, field: str, value: float, sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        method(**{field: value})
    assert (refused.value.field, refused.value.sentence) == (field, sentence)


@pytest.mark.parametrize("method", [Icans(lipschitz=1e-300), Rosalin(lipschitz=1e-300)])
def test_a_tiny_lipschitz_constant_overflows_nothing_that_chooses_samples(method: Icans | Rosalin) -> None:
    place, rng = Components((0.5, 1.0), (1.0, 2.0)), Stream.of(1, 2)
    state = method.init(place, torch.ones(2, 2, dtype=torch.float64), rng)
    state, _ = method.step(place, state, rng.at(1))
    assert state.samples is not None and bool((state.samples >= 2).all())
