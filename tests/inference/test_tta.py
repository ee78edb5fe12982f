"""Views of a scene are views of each window; the average of probabilities is what it says."""

import pytest
import torch

from tricklab import registry
from tricklab.inference.windows import predict_windows
from tricklab.observe import listening
from tricklab.ops.windows import gather_windows


@pytest.mark.parametrize(("group", "count"), [("dihedral", 8), ("rotations", 4), ("flips", 4)])
def test_each_view_moves_every_window_about_its_centre(group: str, count: int) -> None:
    tta = registry.build("postprocess", {"type": "FlipRotateTTA", "group": group})
    cube = torch.randn(3, 7 + 4, 5 + 4)
    centres = torch.tensor([[0, 0], [6, 4], [2, 3], [5, 0]])
    windows = gather_windows(cube, centres, 5)
    mirrors = {"dihedral": (False, True), "rotations": (False,), "flips": (False, True)}[group]
    turns = (0, 2) if group == "flips" else range(4)
    expected = [torch.rot90(windows.flip(3) if m else windows, k, (2, 3)) for m in mirrors for k in turns]
    got = [gather_windows(view, places, 5) for view, places in tta.moved(cube, centres, 5)]
    assert len(got) == count
    unmatched = [view for view in expected if not any(torch.equal(view, other) for other in got)]
    assert unmatched == []
    assert torch.equal(got[0], windows)
    # a transposed view gives the same windows five times slower
    assert all(view.is_contiguous() for view, _ in tta.moved(cube, centres, 5))


def test_the_average_of_probabilities() -> None:
    torch.manual_seed(0)
    model = registry.build("model", {"type": "HybridSN"}, bands=13, window=9, classes=4).eval()
    for parameter in model.parameters():
        parameter.data.mul_(2)
    cube = torch.randn(13, 6 + 8, 4 + 8)
    centres = torch.tensor([[0, 0], [5, 3], [2, 1]])
    tta = registry.build("postprocess", {"type": "FlipRotateTTA"})
    with listening() as listener:
        got = tta(lambda view, places: predict_windows(model, view, 9, places), cube, centres, 9)
    windows = gather_windows(cube, centres, 9)
    views = [torch.rot90(w, k, (2, 3)) for w in (windows, windows.flip(2)) for k in range(4)]
    with torch.no_grad():
        probabilities = torch.stack([torch.softmax(model(view)["main"], 1) for view in views])
    torch.testing.assert_close(got, probabilities.mean(0))
    seen = listener.drain()
    assert seen["tta/views"]["mean"] == 8
    spread = (probabilities - probabilities.mean(0)).abs().mean().item()
    assert seen["tta/spread"]["mean"] == pytest.approx(spread, rel=1e-4)
    assert spread > 0
