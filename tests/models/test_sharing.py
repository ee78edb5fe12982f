"""Sharing the convolutions of a batch's windows: the same logits and gradients as the windows themselves."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from tricklab import registry
from tricklab.errors import UserError
from tricklab.models.insert import apply_inserts
from tricklab.models.sharing import SharesConvolutions, plan_tiles
from tricklab.ops.windows import gather_windows
from tricklab.seeds import Seeds, aside


def build(inserts: list[dict[str, object]], dropout: float = 0.4):
    with Seeds(0, 0).initialising():
        config = {"type": "HybridSN", "dropout": dropout}
        model = registry.build("model", config, bands=14, window=11, classes=5)
        apply_inserts(model, inserts, aside)
    return model.double()


def places(count: int, height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(count)
    return np.stack([rng.integers(0, height, count), rng.integers(0, width, count)], axis=1)


@pytest.mark.parametrize("inserts", [[], [{"type": "SE", "after": "conv2d", "reduction": 8}]])
@pytest.mark.parametrize(("count", "shape"), [(60, (9, 14)), (40, (60, 7))])
def test_logits_and_gradients_are_those_of_the_windows(
    inserts: list[dict[str, object]], count: int, shape: tuple[int, int]
) -> None:
    model = build(inserts)
    torch.manual_seed(1)
    cube = torch.randn(14, shape[0] + 10, shape[1] + 10, dtype=torch.float64)
    centres = places(count, *shape)
    assert plan_tiles(model, centres).pays
    target = torch.arange(count) % 5
    results = []
    for forward in (
        lambda: model(gather_windows(cube, torch.from_numpy(centres), 11)),
        lambda: model.forward_windows(cube, centres),
    ):
        model.zero_grad()
        torch.manual_seed(7)  # the same dropout mask: it is drawn in the order of the batch in both ways
        logits = forward()["main"]
        functional.cross_entropy(logits, target).backward()
        results.append((logits, {name: parameter.grad for name, parameter in model.named_parameters()}))
    (logits, gradients), (shared_logits, shared_gradients) = results
    torch.testing.assert_close(shared_logits, logits, rtol=1e-11, atol=1e-13)
    for name, gradient in gradients.items():
        assert gradient.abs().max() > 0, name
        torch.testing.assert_close(shared_gradients[name], gradient, rtol=1e-9, atol=1e-12, msg=name)


def test_few_scattered_windows_are_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build([], dropout=0.0)
    cube = torch.randn(14, 110, 110, dtype=torch.float64)
    centres = np.array([[0, 0], [99, 99], [50, 3]])
    plan = plan_tiles(model, centres)
    assert not plan.pays
    assert plan.macs == plan.window_macs == 3 * model.trunk_macs(11, 11)
    monkeypatch.setattr(type(model), "features", lambda *_: pytest.fail("shared"))
    expected = model(gather_windows(cube, torch.from_numpy(centres), 11))["main"]
    assert torch.equal(model.forward_windows(cube, torch.from_numpy(centres))["main"], expected)


@pytest.mark.parametrize("centre", [[-1, 0], [0, -1], [10, 0], [0, 7]])
@pytest.mark.parametrize("others", [0, 60])
def test_a_centre_outside_the_scene_is_refused(centre: list[int], others: int) -> None:
    model = build([])
    centres = np.concatenate([places(others, 10, 7), [centre]])
    with pytest.raises(UserError, match="outside the scene of 10 × 7"):
        model.forward_windows(torch.zeros(14, 20, 17, dtype=torch.float64), centres)


def test_a_block_inside_the_convolutions_is_never_shared() -> None:
    model = build([{"type": "SE", "after": "conv1", "reduction": 4}], dropout=0.0)
    cube = torch.randn(14, 20, 20, dtype=torch.float64)
    centres = places(80, 10, 10)
    expected = model(gather_windows(cube, torch.from_numpy(centres), 11))["main"]
    assert torch.equal(model.forward_windows(cube, centres)["main"], expected)
    with pytest.raises(UserError, match="inside the convolutions"):
        model.features(cube[None])


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 1)), (5, (100, 100)), (200, (30, 40)), (50, (1, 90))])
def test_every_window_lies_in_its_tile_and_tiles_lie_in_the_scene(count: int, shape: tuple[int, int]) -> None:
    model = build([])
    centres = places(count, *shape)
    for tile in (None, 1, 4, 16, 1000):
        plan = plan_tiles(model, centres, tile=tile)
        inside = centres - plan.corners[plan.tile_of]
        assert (inside >= 0).all()
        assert (inside < (plan.height, plan.width)).all()
        assert (plan.corners >= 0).all()
        assert (plan.corners <= np.subtract(shape, (plan.height, plan.width))).all()
        image = (plan.height + 10, plan.width + 10)
        assert plan.macs == len(plan.corners) * model.trunk_macs(*image)
    assert plan_tiles(model, centres).macs <= min(plan_tiles(model, centres, tile=side).macs for side in (1, 4, 16, 64))


@pytest.mark.parametrize("height", [9, 10, 11, 16, 17])
def test_the_features_of_one_image_are_those_it_has_in_a_batch(height: int) -> None:
    model = build([])
    images = torch.randn(2, 14, height, 12, dtype=torch.float64)
    torch.testing.assert_close(model.features(images[:1]), model.features(images)[:1], rtol=1e-12, atol=1e-13)


def test_multiplications_are_the_published_ones() -> None:
    model = registry.build("model", {"type": "HybridSN"}, bands=30, window=25, classes=16)
    dense = sum(layer.weight.numel() for layer in (model.fc1, model.fc2, model.out))
    assert model.trunk_macs(25, 25) + dense == pytest.approx(247.7e6, rel=2e-4)
    assert isinstance(model, SharesConvolutions)
