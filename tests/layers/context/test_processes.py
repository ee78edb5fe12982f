"""Two processes: what EMANet's bases and GCU's centres become is the same in both."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import distributed, multiprocessing

from tests.layers.context.test_contract import build


def one_step(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    try:
        stored = {}
        for name in ("EMAttention", "GCU"):
            block = build(name).train()
            block(torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(rank)))
            stored[name] = block.state_dict()
        torch.save(stored, f"{folder}/{rank}.pt")
    finally:
        distributed.destroy_process_group()


@pytest.mark.slow
def test_both_have_the_same_bases_and_centres(tmp_path: Path) -> None:
    multiprocessing.spawn(one_step, args=(str(tmp_path),), nprocs=2)
    one, other = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert torch.equal(one["EMAttention"]["mu"], other["EMAttention"]["mu"])
    centres = [key for key in one["GCU"] if key.startswith("units") and "graph" not in key and "sigma" not in key]
    assert centres
    assert all(torch.equal(one["GCU"][key], other["GCU"][key]) for key in centres)
    # one image in each of two processes moves the bases as a batch of both does
    block = build("EMAttention").train()
    images = [torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(rank)) for rank in range(2)]
    block(torch.cat(images))
    torch.testing.assert_close(one["EMAttention"]["mu"], block.mu, rtol=1e-4, atol=1e-5)
