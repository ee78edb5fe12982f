import subprocess
import sys

import torch

from tricklab.ops.host_memory import keep_freed_memory
from tricklab.ops.windows import gather_features, gather_windows


def test_windows_are_slices_on_both_paths() -> None:
    image = torch.randn(3, 9, 11)
    corners = torch.tensor([[0, 0], [5, 7], [2, 3], [2, 3]])
    expected = torch.stack([image[:, r : r + 4, c : c + 2] for r, c in corners.tolist()])
    assert torch.equal(gather_windows(image, corners, (4, 2)), expected)
    assert torch.equal(gather_windows(image.requires_grad_(), corners, (4, 2)), expected)


def test_any_dtype_is_copied() -> None:
    corners = torch.tensor([[1, 2], [0, 0]])
    image = torch.arange(60).reshape(3, 4, 5)
    expected = gather_windows(image, corners, 2)
    for dtype in (torch.bfloat16, torch.float16, torch.uint8, torch.float64):
        found = gather_windows(image.to(dtype), corners, 2)
        assert found.dtype == dtype
        assert torch.equal(found.long(), expected)


def test_gradients_of_overlapping_feature_windows_add_up() -> None:
    features = torch.randn(2, 3, 6, 5, dtype=torch.float64, requires_grad=True)
    tiles, corners = torch.tensor([0, 1, 1, 0]), torch.tensor([[0, 0], [3, 2], [2, 1], [0, 0]])
    got = gather_features(features, tiles, corners, 3)
    spots = zip(tiles.tolist(), corners.tolist(), strict=True)
    expected = torch.stack([features[t, :, r : r + 3, c : c + 3] for t, (r, c) in spots])
    assert torch.equal(got, expected)
    weight = torch.randn_like(got)
    found = torch.autograd.grad((got * weight).sum(), features)[0]
    torch.testing.assert_close(found, torch.autograd.grad((expected * weight).sum(), features)[0])


def test_freed_memory_stays_in_the_process() -> None:
    code = (
        "import resource, numpy as np; from tricklab.ops.host_memory import keep_freed_memory; import sys\n"
        "on = keep_freed_memory() if sys.argv[1] == 'on' else True\n"
        "np.ones(2**23)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(5): np.ones(2**23)\n"
        "print(on, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)"
    )
    faults = {}
    for mode in ("on", "off"):
        out = subprocess.run([sys.executable, "-c", code, mode], capture_output=True, text=True, check=True).stdout
        taken, faults[mode] = out.split()
        if taken != "True":
            assert keep_freed_memory() is False
            return
    assert int(faults["on"]) * 10 < int(faults["off"])
