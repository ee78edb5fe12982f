"""Groups scanned in one pass against one mixer after the other, with more states and more paths than GroupMamba has."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.models.plain_groupmamba import loop_scan
from tricklab.layers import selective_scan_2d
from tricklab.layers.selective_scan_2d import SelectiveScan2d, scan_groups


def pixels_in_order(size: tuple[int, int], direction: str) -> list[int]:
    height, width = size
    order = [row * width + column for row in range(height) for column in range(width)]
    if direction.startswith("column"):
        order = [row * width + column for column in range(width) for row in range(height)]
    return order[::-1] if direction.endswith("reversed") else order


def plain_mixer(layer: SelectiveScan2d, x: Tensor, size: tuple[int, int], directions: Sequence[str]) -> Tensor:
    """The mixer pixel by pixel and path by path."""
    u, z = layer.in_proj(x).chunk(2, dim=-1)
    u = layer.conv2d(u.transpose(1, 2).unflatten(2, size)).flatten(2).transpose(1, 2)
    u = functional.silu(u)
    total = torch.zeros_like(u)
    A, D = -layer.A_logs.exp().unflatten(0, (layer.paths, -1)), layer.Ds.unflatten(0, (layer.paths, -1))
    for path, direction in enumerate(directions):
        order = pixels_in_order(size, direction)
        made = u @ layer.x_proj_weight[path].T
        delta, B, C = made.split([layer.rank, layer.states, layer.states], dim=-1)
        delta = delta @ layer.dt_projs_weight[path].T
        bias = layer.dt_projs_bias[path]
        y = loop_scan(u[:, order], delta[:, order], A[path], B[:, order], C[:, order], D[path], bias)
        total = total.index_add(1, torch.tensor(order), y)
    return layer.out_proj(layer.out_norm(total) * functional.silu(z))


def shaken(layer: SelectiveScan2d) -> SelectiveScan2d:
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return layer.double()


@pytest.mark.parametrize("size", [(3, 5), (4, 2), (1, 1)])
@pytest.mark.parametrize(
    ("count", "paths", "states", "directions"),
    [
        (4, 1, 1, ("row", "column", "row-reversed", "column-reversed")),
        (1, 4, 1, ("row", "column", "row-reversed", "column-reversed")),
        (2, 2, 3, ("row", "column", "column-reversed", "row-reversed")),
    ],
)
def test_groups_in_one_pass_are_the_mixers_one_by_one(
    count: int, paths: int, states: int, directions: tuple[str, ...], size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    groups = [shaken(SelectiveScan2d(17, paths=paths, states=states)) for _ in range(count)]
    x = torch.randn(2, size[0] * size[1], 17 * count, dtype=torch.float64, requires_grad=True)
    parameters = [parameter for group in groups for parameter in group.parameters()]
    ours = scan_groups(groups, x, size, directions)
    parts = zip(groups, x.chunk(count, dim=-1), range(0, count * paths, paths), strict=True)
    theirs = torch.cat(
        [plain_mixer(group, part, size, directions[first : first + paths]) for group, part, first in parts], dim=-1
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)
    towards = torch.randn_like(ours)
    for got, wanted in zip(
        torch.autograd.grad((ours * towards).sum(), [x, *parameters]),
        torch.autograd.grad((theirs * towards).sum(), [x, *parameters]),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted, rtol=1e-8, atol=1e-10)


def test_initial_scan_parameters_are_the_published_ones() -> None:
    torch.manual_seed(0)
    layer = SelectiveScan2d(200, paths=2, states=3)
    assert layer.rank == 13
    steps = functional.softplus(layer.dt_projs_bias)
    assert steps.min() >= 0.99e-3
    assert steps.max() <= 1.01e-1
    logs = steps.log10()
    assert abs(logs.mean() + 2) < 0.1
    assert torch.equal(layer.A_logs.exp().round(), torch.tensor([1.0, 2.0, 3.0]).expand(400, 3))
    assert torch.equal(layer.Ds, torch.ones(400))
    for weight, bound in ((layer.x_proj_weight, 200**-0.5), (layer.dt_projs_weight, 13**-0.5)):
        assert 0.95 * bound < weight.abs().max() <= bound
        assert abs(weight.std() - bound / 3**0.5) < 0.05 * bound


def test_the_scan_runs_in_float32_under_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = selective_scan_2d.selective_scan

    def watching(*tensors: Tensor, **options: object) -> Tensor:
        seen.extend(tensor.dtype for tensor in tensors)
        return real(*tensors, **options)

    monkeypatch.setattr(selective_scan_2d, "selective_scan", watching)
    torch.manual_seed(0)
    layer = SelectiveScan2d(16)
    x = torch.randn(2, 6, 16)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x, (2, 3), ("row",))
    assert found.dtype is torch.bfloat16
    assert set(seen) == {torch.float32}
    assert len(seen) == 7
    expected = layer(x, (2, 3), ("row",))
    assert (found.float() - expected).norm() < 0.05 * expected.norm()
