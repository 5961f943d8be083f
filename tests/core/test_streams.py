"""Random numbers: known answers, independence of the batch, and the laws they claim to follow."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from thalweg_core.numbers.philox import WORD, array_rows, philox4x32, tensor_rows
from thalweg_core.streams import EVERYONE, Stream

KNOWN = [  # Random123 1.14, kat_vectors, philox4x32 with ten rounds
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((WORD, WORD, WORD, WORD), (WORD, WORD), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_philox_gives_the_known_answers(counter: tuple[int, ...], key: tuple[int, int], answer: tuple[int, ...]) -> None:
    words = philox4x32(tuple(torch.tensor([c]) for c in counter), key)  # type: ignore[arg-type]
    assert tuple(int(w) for w in words) == answer
    assert philox4x32(counter, key) == answer  # type: ignore[type-var, arg-type]


@pytest.mark.parametrize("seed", [0, 5, 2**63 + 7, -3])
def test_both_bodies_give_the_same_words(seed: int) -> None:
    rows, key = torch.tensor([0, 1, 77, EVERYONE]), (seed & WORD, (seed >> 32) & WORD)
    readable = tensor_rows(5, rows, 2**31, WORD, key)
    fast = array_rows(5, rows.numpy(), 2**31, WORD, key)
    np.testing.assert_array_equal(readable.numpy(), fast.astype(np.int64))
    few = array_rows(2, rows.numpy(), 2**31, WORD, key)  # by plain integers
    np.testing.assert_array_equal(fast[:, :8], few)


def test_the_counter_is_block_row_step_purpose() -> None:
    rng = Stream(seed=(0x299F31D0 << 32) | 0xA4093822, rows=torch.tensor([0x85A308D3]), step=0x13198A2E, purpose=0x03707344)
    direct = philox4x32(tuple(torch.tensor([c]) for c in (1, *KNOWN[2][0][1:])), KNOWN[2][1])  # type: ignore[arg-type]
    assert rng.words(8)[0, 4:].tolist() == [int(w) for w in direct]


@pytest.mark.parametrize("batch", [1, 4, 32, 1000])
def test_a_replica_sees_the_same_numbers_whatever_runs_beside_it(batch: int) -> None:
    alone, among = Stream.of(3, 1).at(9).named("kick"), Stream.of(3, batch).at(9).named("kick")
    for shape in ((), (1,), (7,), (5, 3)):
        assert torch.equal(alone.normal(shape)[0], among.normal(shape)[0])
        assert torch.equal(alone.uniform(shape)[0], among.uniform(shape)[0])
    some = torch.tensor([batch - 1, 0])
    assert torch.equal(among.take(some).normal((7,)), among.normal((7,))[some])


def test_seed_step_purpose_and_replica_each_change_every_number() -> None:
    rng = Stream.of(1, 2)
    others = (Stream.of(2, 2), rng.at(1), rng.named("a"), rng.named("a", 1), rng.named("a").named("a"), rng.named("b"))
    seen = [stream.uniform((50,)) for stream in (rng, *others)]
    flat = torch.cat([s.flatten() for s in seen])
    assert len(flat.unique()) == len(flat)


def test_what_is_shared_is_one_row_for_all() -> None:
    assert torch.equal(Stream.of(1, 4).shared().uniform((3,)), Stream.of(1, 99).shared().uniform((3,)))
    assert Stream.of(1, 4).shared().uniform((3,)).shape == (1, 3)


def test_uniform_numbers_are_uniform() -> None:
    u = Stream.of(11, 200).uniform((500,)).flatten().numpy()
    assert u.min() >= 0 and u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > 1e-4


def test_normal_numbers_are_normal_and_independent() -> None:
    z = Stream.of(12, 200).normal((501,))
    assert stats.kstest(z.flatten().numpy(), "norm").pvalue > 1e-4
    n = z.numel()
    moments = {1: (0, 1), 2: (1, 2), 3: (0, 15), 4: (3, 96)}  # of z^k: mean and variance
    for power, (mean, variance) in moments.items():
        assert abs(float((z**power).mean()) - mean) < 4 * math.sqrt(variance / n)
    later = Stream.of(12, 200).at(1).normal((501,))
    for a, b in ((z[:, 1:], z[:, :-1]), (z[1:], z[:-1]), (z, later), (z[:, :250], z[:, 251:])):
        for f in (lambda t: t, lambda t: t.square() - 1):
            assert abs(float((f(a) * f(b)).mean())) < 4 * float((f(a) * f(b)).std()) / math.sqrt(a.numel())


def test_seeds_for_foreign_generators_fit_31_bits_and_differ() -> None:
    seeds = Stream.of(5, 100).seeds(10)
    assert int(seeds.min()) >= 0 and int(seeds.max()) < 2**31
    assert len(seeds.unique()) == 1000


class Topmost(Stream):
    """The stream that drew the largest words there are."""

    def words(self, count: int) -> torch.Tensor:
        return torch.full((len(self.rows), count), WORD)


def test_the_largest_uniform_number_lies_below_one_in_every_precision() -> None:
    rng = Topmost.of(0, 1)
    assert float(rng.uniform()) == 1 - 2**-53 and float(rng.uniform(dtype=torch.float32)) == 1 - 2**-24
    assert bool(rng.normal((4,)).isfinite().all())


def test_numbers_come_in_the_type_asked_for_and_carry_no_tape() -> None:
    x = torch.zeros(3, 2, dtype=torch.float32, requires_grad=True)
    z = Stream.of(1, 3).normal_like(x)
    assert (z.dtype, z.shape, z.requires_grad) == (torch.float32, (3, 2), False)
    assert Stream.of(1, 3).uniform((0,)).shape == (3, 0)
