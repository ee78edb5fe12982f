"""Small components, so that the recipe's own rules are tested apart from the real ones."""

from __future__ import annotations

from typing import Annotated, Any

from tricklab.registry import Kind, component


@component("scene")
class ToyScene:
    """A scene."""

    def __init__(self, file: str, key: str | None = None) -> None: ...


@component("data", name="toy")
class ToyData:
    """Data of a task called toy."""

    def __init__(
        self,
        scene: Annotated[dict[str, Any], Kind("scene")],
        root: str | None = None,
        window: int = 25,
        share: float = 0.1,
        class_names: dict[str, str] | None = None,
    ) -> None: ...


@component("model")
class ToyNet:
    """A network."""

    def __init__(self, dropout: float = 0.4, layers: tuple[int, ...] = (2, 2), act: bool = True) -> None: ...


@component("model")
class ToyTree:
    """Another model."""

    def __init__(self, depth: int = 3) -> None: ...


TREE: dict[str, Any] = {
    "task": "toy",
    "data": {"scene": {"type": "ToyScene", "file": "a.mat"}},
    "model": {"type": "ToyNet"},
}
TEXT = """\
task: toy
data:
  scene: {type: ToyScene, file: a.mat}
  window: 9
model:
  type: ToyNet
  dropout: 0.2
optimizer: {type: Adam, lr: 1e-3}
train:
  epochs: 5
"""
