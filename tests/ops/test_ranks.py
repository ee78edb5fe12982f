"""Processes that work together say and compute what one process would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.ops.processes import on_ranks
from tricklab.ops.ranks import ALONE, Ranks, ranks, together
from tricklab.ops.whole_batch_norm import WholeBatchNorm

SIZES = [3, 5, 2]


def test_shares_are_neighbours_that_together_are_everything() -> None:
    for world in range(1, 6):
        for count in range(12):
            every = [Ranks(rank, world) for rank in range(world)]
            assert [item for one in every for item in range(count)[one.share(count)]] == list(range(count))
            assert [len(range(count)[one.share(count)]) for one in every] == Ranks(0, world).shares(count)


def test_one_process_is_everything() -> None:
    values = torch.randn(4, 2, requires_grad=True)
    assert ALONE.rows(values, [4]) is values
    assert ALONE.total(values) is values
    assert ALONE.tell({"a": 1}) == [{"a": 1}]
    assert ALONE.largest(7) == 7
    found = ALONE.over([1, 2], lambda n: {"main": torch.full((n, 1), float(n))})
    assert found["main"].tolist() == [[1.0], [2.0], [2.0]]
    assert ranks() is ALONE
    with together(Ranks(1, 2)) as inner:
        assert ranks() is inner
    assert ranks() is ALONE


def _rows(found: Ranks) -> dict[str, Any]:
    start = sum(SIZES[: found.rank])
    whole = torch.arange(20.0, dtype=torch.float64).reshape(10, 2)
    own = whole[start : start + SIZES[found.rank]].clone().requires_grad_()
    everything = found.rows(own, SIZES)
    (everything * torch.arange(1.0, 11.0).unsqueeze(1)).sum().backward()
    flags = found.rows(torch.arange(SIZES[found.rank]) % 2 == 0, SIZES)
    halves = found.rows(own.detach().to(torch.bfloat16), SIZES)
    parts = [1, 4, 2, 2, 5]
    computed: list[int] = []

    def compute(part: int) -> dict[str, Tensor]:
        computed.append(part)
        return {"main": torch.full((part, 3), float(part)), "flags": torch.ones(part, dtype=torch.bool)}

    over = found.over(parts, compute)
    few = found.over([7], compute)
    buffer = torch.full((3,), float(found.rank))
    whole_numbers = torch.tensor(1.0)
    found.average_([buffer, whole_numbers])
    found.wait()
    return {
        "rows": everything.detach().tolist(),
        "gradient": own.grad[:, 0].tolist() if own.grad is not None else None,
        "flags": flags.tolist(),
        "halves": str(halves.dtype),
        "over": over["main"][:, 0].tolist(),
        "few": few["main"].shape,
        "other": [len(over["flags"]), str(few["flags"].dtype)],
        "computed": len(computed),
        "buffer": buffer.tolist(),
        "told": found.tell({"rank": found.rank, "text": "ä" * found.rank}),
        "largest": found.largest(10 - found.rank),
    }


@pytest.mark.slow
def test_three_processes_have_the_rows_of_all(tmp_path: Path) -> None:
    found = on_ranks(3, _rows, tmp_path)
    for rank, one in enumerate(found):
        assert one["rows"] == torch.arange(20.0).reshape(10, 2).tolist()
        start = sum(SIZES[:rank])
        assert one["gradient"] == [float(n + 1) for n in range(start, start + SIZES[rank])]
        assert one["flags"] == [n % 2 == 0 for size in SIZES for n in range(size)]
        assert one["halves"] == "torch.bfloat16"
        assert one["over"] == [float(n) for n in [1, 4, 2, 2, 5] for _ in range(n)]
        assert one["few"] == (7, 3)
        assert one["other"] == [14, "torch.bool"]
        assert one["buffer"] == [1.0] * 3
        assert one["told"] == [{"rank": r, "text": "ä" * r} for r in range(3)]
        assert one["largest"] == 10
    assert sum(one["computed"] for one in found) == 6


class Head(nn.Module):
    """Two kinds of batch normalisation, both with weights that are not trivial."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.BatchNorm2d(3), nn.BatchNorm1d(4, momentum=None)
        self.project = nn.Linear(3 * 4, 4)
        with torch.no_grad():
            for part in (self.first, self.second):
                part.weight.uniform_(0.5, 2.0)
                part.bias.uniform_(-1.0, 1.0)
        self.double()

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.second(self.project(self.first(images).flatten(1)))
        return found


def _built() -> tuple[Head, Tensor, Tensor]:
    torch.manual_seed(3)
    return Head(), torch.randn(7, 3, 2, 2, dtype=torch.float64) * 3 + 1, torch.randn(7, 4, dtype=torch.float64)


def _normalised(found: Ranks, sizes: list[int]) -> dict[str, Any]:
    model, images, wanted = _built()
    start = sum(sizes[: found.rank])
    counted = sizes[found.rank] > 0
    own = images[start : start + sizes[found.rank]] if counted else images[:1]
    with WholeBatchNorm(found, counted):
        given = model(own)[: sizes[found.rank]]
    everything = found.rows(given, sizes)
    (everything - wanted).pow(2).mean().backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        torch.distributed.all_reduce(parameter.grad)
    return {
        "out": everything.detach(),
        "grads": {name: parameter.grad for name, parameter in model.named_parameters()},
        "buffers": dict(model.named_buffers()),
    }


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [[4, 3], [7, 0]])
def test_batch_normalisation_over_two_processes_is_that_of_one(sizes: list[int], tmp_path: Path) -> None:
    model, images, wanted = _built()
    out = model(images)
    (out - wanted).pow(2).mean().backward()
    for one in on_ranks(2, _normalised, tmp_path, sizes):
        np.testing.assert_allclose(one["out"], out.detach().numpy(), rtol=1e-12, atol=1e-12)
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None
            np.testing.assert_allclose(one["grads"][name], parameter.grad.numpy(), rtol=1e-10, atol=1e-12)
        for name, buffer in model.named_buffers():
            np.testing.assert_allclose(one["buffers"][name], buffer.numpy(), rtol=1e-12, atol=1e-12)


def test_evaluation_mode_and_one_value_a_channel_are_as_torch_has_them() -> None:
    model, images, _ = _built()
    model.eval()
    plain = model(images)
    with WholeBatchNorm(ALONE):
        assert torch.equal(model(images), plain)
    model.train()
    with pytest.raises(ValueError, match="more than 1 value per channel"), WholeBatchNorm(ALONE):
        model.second(torch.randn(1, 4, dtype=torch.float64))
