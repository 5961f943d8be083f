"""NamedTuples of tensors that all lead with the replicas' axis B: states, evaluations, costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from thalweg_core.numbers.rows import per_row

T = TypeVar("T")


def map_tensors(f: Callable[[Tensor], Tensor], tree: T) -> T:
    """f on every tensor of a NamedTuple of tensors and NamedTuples; None stays None."""
    if isinstance(tree, Tensor):
        return f(tree)  # type: ignore[return-value]
    if tree is None:
        return tree
    return type(tree)(*(map_tensors(f, leaf) for leaf in tree))  # type: ignore[attr-defined]


def take_rows(tree: T, index: Tensor) -> T:
    """The rows of some replicas."""
    return map_tensors(lambda t: t[index], tree)


def put_rows(tree: T, index: Tensor, rows: T) -> T:
    """The tree with the rows of some replicas replaced."""
    if isinstance(tree, Tensor):
        return tree.index_copy(0, index, rows)  # type: ignore[arg-type, return-value]
    if tree is None:
        return tree
    return type(tree)(*(put_rows(a, index, b) for a, b in zip(tree, rows, strict=True)))  # type: ignore[call-overload]


def choose(mask: Tensor, yes: T, no: T) -> T:
    """Row by row the one tree or the other: mask (B,) bool."""
    if isinstance(yes, Tensor):
        return yes if yes is no else torch.where(per_row(mask, yes), yes, no)  # type: ignore[call-overload]
    if yes is None:
        return yes
    return type(yes)(*(choose(mask, a, b) for a, b in zip(yes, no, strict=True)))  # type: ignore[call-overload]
