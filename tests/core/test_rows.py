"""Reductions and elementwise functions whose bits do not depend on the batch; landscapes looked at in chunks."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from thalweg_core.landscape import Cost, Evaluation
from thalweg_core.numbers.chunks import in_chunks
from thalweg_core.numbers.rows import per_row, row_dot, row_max, row_sum
from thalweg_core.numbers.trees import choose, put_rows, take_rows
from thalweg_core.streams import Stream


@pytest.mark.parametrize("width", [0, 1, 2, 3, 31, 64, 1000])
def test_a_row_sum_is_the_sum_and_does_not_see_its_neighbours(width: int) -> None:
    x = Stream.of(0, 33).normal((width,)) * 10.0 ** Stream.of(1, 33).normal((width,))
    total = row_sum(x)
    bound = math.ceil(math.log2(max(width, 2))) * 2**-53  # of pairwise summation, times the sum of sizes
    for row, found in zip(x.tolist(), total.tolist(), strict=True):
        assert abs(found - math.fsum(row)) <= bound * math.fsum(map(abs, row))
    for batch in (1, 2, 4, 32):
        assert torch.equal(row_sum(x[:batch].clone()), total[:batch])


def test_rows_of_any_shape_are_summed_multiplied_and_searched() -> None:
    x, y = Stream.of(0, 3).normal((2, 5)), Stream.of(1, 3).normal((2, 5))
    torch.testing.assert_close(row_dot(x, y), torch.einsum("bij,bij->b", x, y), rtol=1e-13, atol=1e-15)
    assert torch.equal(row_max(x), x.flatten(1).max(dim=1).values)
    assert per_row(torch.ones(3), x).shape == (3, 1, 1)


SAFE: dict[str, Callable[[Tensor], Tensor]] = {
    "exp": lambda x: torch.exp(-x),
    "log": torch.log,
    "log1p": torch.log1p,
    "expm1": torch.expm1,
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "sqrt": torch.sqrt,
    "cube": lambda x: x**3,
    "multiply and add": lambda x: torch.add(x, x * x, alpha=0.3),
}


@pytest.mark.parametrize("name", SAFE)
def test_what_the_core_computes_with_rounds_alike_wherever_a_number_lies(name: str) -> None:
    x = Stream.of(0, 1).uniform((1100,))[0] * 6 + 1e-3
    whole = SAFE[name](x)
    for length in (*range(1, 40), 127, 1000):
        for first in (0, 1, 2, 3, 5):
            assert torch.equal(SAFE[name](x[first : first + length].clone()), whole[first : first + length])


def test_a_matrix_product_in_chunks_does_not_see_how_many_rows_there_are() -> None:
    weights = Stream.of(0, 37).normal((211,))
    x = Stream.of(1, 70).normal((37,))
    looked_at: list[int] = []

    def look(rows: Tensor) -> tuple[Tensor, ...]:
        looked_at.append(len(rows))
        return rows @ weights, rows[:, 0]

    whole, first = in_chunks(look, x, 32)
    assert set(looked_at) == {32} and first.shape == (70,)
    torch.testing.assert_close(whole, x @ weights)
    for batch in (1, 4, 32, 33):
        assert torch.equal(in_chunks(look, x[:batch], 32)[0], whole[:batch])


def test_rows_of_a_tree_are_taken_put_back_and_chosen() -> None:
    old = Evaluation.exact(torch.arange(4.0), torch.arange(8.0).reshape(4, 2))
    new = Evaluation.exact(torch.arange(4.0) + 10, torch.arange(8.0).reshape(4, 2) + 10)
    index = torch.tensor([3, 1])
    mixed = put_rows(old, index, take_rows(new, index))
    assert mixed.value.tolist() == [0, 11, 2, 13]
    assert mixed.grad[:, 0].tolist() == [0, 12, 4, 16]
    assert old.value.tolist() == [0, 1, 2, 3]
    chosen = choose(torch.tensor([False, True, False, True]), new, old)
    assert torch.equal(chosen.value, mixed.value) and torch.equal(chosen.grad, mixed.grad)


def test_costs_add_and_multiply() -> None:
    x = torch.zeros(2, 3)
    cost = Cost.of(x, gradients=2, shots=5).plus(Cost.of(x, evaluations=1, gradients=1)).times(3)
    assert [t.tolist() for t in cost] == [[3, 3], [9, 9], [0, 0], [15, 15]]
