"""The scan for exported graphs gives what the definition gives, and exports without tricklab's own operators."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tricklab.ops.selective_scan import selective_scan
from tricklab.ops.selective_scan.exportable import exportable_scan
from tricklab.ops.selective_scan.reference import reference_scan

WALKS = ("row", "column", "row-reversed", "column-reversed")


@pytest.mark.parametrize(("size", "states"), [((1, 1), 1), ((3, 5), 2), ((4, 4), 1), ((7, 9), 1)])
@pytest.mark.parametrize("walks", [WALKS, ("row", "row"), ("column",)])
def test_it_is_the_definition(size: tuple[int, int], states: int, walks: tuple[str, ...]) -> None:
    generator = torch.Generator().manual_seed(1)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    length, groups, channels = size[0] * size[1], len(walks), 3 * len(walks)
    inputs = (
        drawn(2, length, channels), drawn(2, length, channels), -drawn(channels, states).exp(),
        drawn(2, length, groups, states), drawn(2, length, groups, states), drawn(channels), drawn(channels),
    )  # fmt: skip
    for softplus in (True, False):
        found = exportable_scan(*inputs, walks, size, softplus)
        torch.testing.assert_close(found, reference_scan(*inputs, walks, size, softplus), atol=1e-11, rtol=1e-11)


def test_exported_graphs_hold_no_operator_of_tricklab() -> None:
    class Scan(nn.Module):
        def forward(self, u: torch.Tensor) -> torch.Tensor:
            one = torch.ones(u.shape[0], 6, 2, 1)
            return selective_scan(u, u, -torch.ones(4, 1), one, one, directions=["column", "row-reversed"], size=(2, 3))

    u = torch.rand(2, 6, 4)
    program = torch.export.export(Scan(), (u,), dynamic_shapes=({0: torch.export.Dim("batch")},), strict=False)
    targets = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert targets
    assert not [target for target in targets if "tricklab" in target]
    more = torch.rand(5, 6, 4)
    torch.testing.assert_close(program.module()(more), Scan()(more))
