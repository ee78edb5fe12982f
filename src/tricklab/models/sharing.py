"""Share the convolutions of overlapping windows: run them once over tiles, then cut the windows out of the features.

Convolutions without padding give the same features for a window wherever it is cut out, before or after. What that
saves depends on how much the windows overlap, so tiles are chosen by counting multiplications.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from tricklab.errors import UserError
from tricklab.layers.squeeze_excitation import SE
from tricklab.ops.windows import gather_features, gather_windows

GATHER_COST = 1.25
"""Sharing must save this factor of multiplications to be chosen. A training step's time falls by about the factor of
its multiplications (one AVX-512 core: 1.7 at 1.8, 3.1 at 2.9, 5.2 at 5.0); at 1.2, two threads gain nothing from it."""


@dataclass(frozen=True)
class WindowLinear:
    """A head that begins with one dense layer over a window of features, after gates that scale its channels.

    Attributes:
        weight_OCss: (O, C, s, s); bias_O: (O,).
        gates: squeeze-and-excitation blocks that act on the window first, in order.
        finish: the rest of the head, (n, O) → logits (n, K).
    """

    weight_OCss: torch.Tensor
    bias_O: torch.Tensor
    gates: tuple[SE, ...]
    finish: Callable[[torch.Tensor], torch.Tensor]


@runtime_checkable
class SharesConvolutions(Protocol):
    """What a model offers whose windows can share their convolutions."""

    window: int
    bands: int

    def features(self, x: torch.Tensor) -> torch.Tensor: ...
    def head(self, features_NCHW: torch.Tensor) -> torch.Tensor: ...
    def window_linear(self) -> WindowLinear | None: ...
    def sharing_obstacle(self) -> str | None: ...
    def trunk_macs(self, height: int, width: int) -> int: ...
    def trunk_bytes(self, height: int, width: int) -> int: ...


@dataclass(frozen=True)
class TilePlan:
    """Tiles of equal size that hold all windows.

    Attributes:
        height, width: window positions in a tile; its image is larger by window - 1.
        corners: upper left pixels of the tiles, int64 (T, 2).
        tile_of: the tile of each window, int64 (N,).
        macs: multiplications of the convolutions over all tiles.
        window_macs: multiplications of the convolutions window by window.
    """

    height: int
    width: int
    corners: np.ndarray
    tile_of: np.ndarray
    macs: int
    window_macs: int

    @property
    def pays(self) -> bool:
        """Whether tiles save enough multiplications to be faster than windows."""
        return self.macs * GATHER_COST < self.window_macs


def plan_tiles(
    model: SharesConvolutions,
    centres: np.ndarray,
    *,
    memory_limit: int | None = None,
    tile: int | None = None,
) -> TilePlan:
    """The tiles that need the fewest multiplications for these windows.

    Args:
        centres: corners of the windows in the padded image, int (N, 2), N ≥ 1; they may repeat.
        memory_limit: bytes that one tile may need; tiles that need more are not considered.
        tile: window positions along a tile's side; chosen if not given.

    Raises:
        UserError: no tile fits into the limit.
    """
    centres = np.asarray(centres, dtype=np.int64)
    low, high = centres.min(axis=0), centres.max(axis=0)
    box = high - low + 1
    sides = [tile] if tile is not None else [2**power for power in range(int(box.max()).bit_length() + 1)]
    reach = model.window - 1
    best: tuple[int, int, np.ndarray] | None = None
    smallest = 0
    for side in sides:
        size = np.minimum(side, box)
        needed = model.trunk_bytes(int(size[0]) + reach, int(size[1]) + reach)
        smallest = min(smallest or needed, needed)
        if memory_limit is not None and needed > memory_limit:
            continue
        cells = (centres - low) // size
        count = len(np.unique(cells[:, 0] * (box[1] + 1) + cells[:, 1]))
        macs = count * model.trunk_macs(int(size[0]) + reach, int(size[1]) + reach)
        if best is None or macs < best[0]:
            best = (macs, side, size)
    if best is None:
        raise UserError(
            f"the smallest tile needs {smallest / 2**20:.0f} MiB beside what is gathered",
            where="memory_limit",
            fix="raise the limit",
        )
    macs, _, size = best
    cells, tile_of = np.unique((centres - low) // size, axis=0, return_inverse=True)
    corners = np.minimum(low + cells * size, high + 1 - size)
    window_macs = len(centres) * model.trunk_macs(model.window, model.window)
    return TilePlan(int(size[0]), int(size[1]), corners, tile_of.reshape(-1), macs, window_macs)


def forward_windows(
    model: SharesConvolutions, cube_padded: torch.Tensor, centres: torch.Tensor | np.ndarray
) -> dict[str, torch.Tensor]:
    """Logits of windows given as places in a scene; gradients are those of ``model(windows)``.

    The convolutions run over tiles when that needs clearly fewer multiplications, else window by window.

    Args:
        cube_padded: float (bands, H + window - 1, W + window - 1) on the model's device.
        centres: rows and columns in the scene without its padding, int (N, 2).

    Returns:
        ``{"main": logits (N, classes)}`` in the order of the centres.

    Raises:
        UserError: a centre outside the scene.
    """
    places = centres.cpu().numpy() if isinstance(centres, torch.Tensor) else np.asarray(centres)
    height, width = (side - model.window + 1 for side in cube_padded.shape[1:])
    if len(places) and (places.min() < 0 or (places.max(axis=0) >= (height, width)).any()):
        raise UserError(
            f"a centre lies outside the scene of {height} × {width} pixels",
            fix="centres are rows and columns in the scene without its padding",
        )
    if model.sharing_obstacle() is None and len(places):
        plan = plan_tiles(model, places)
        if plan.pays:
            return {"main": _forward_tiles(model, cube_padded, places, plan)}
    assert isinstance(model, nn.Module)
    return model(gather_windows(cube_padded, torch.as_tensor(places), model.window))


def _forward_tiles(
    model: SharesConvolutions, cube_padded: torch.Tensor, places: np.ndarray, plan: TilePlan
) -> torch.Tensor:
    reach = model.window - 1
    size = (plan.height + reach, plan.width + reach)
    features = model.features(gather_windows(cube_padded, torch.from_numpy(plan.corners), size))
    inside = torch.from_numpy(places - plan.corners[plan.tile_of])
    side = features.shape[-1] - plan.width + 1
    return model.head(gather_features(features, torch.from_numpy(plan.tile_of), inside, side))
