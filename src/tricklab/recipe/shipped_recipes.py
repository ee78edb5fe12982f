"""The recipes that come with tricklab: beside the source in a checkout, inside the package once installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def folder() -> Path | None:
    """The folder of the shipped recipes; None where neither place has one."""
    installed = _PACKAGE / "_recipes"
    checkout = _PACKAGE.parents[1] / "recipes"
    return next((place for place in (installed, checkout) if place.is_dir()), None)


def shipped() -> dict[str, Path]:
    """Name to file of every shipped recipe, sorted by name."""
    place = folder()
    return {path.stem: path for path in sorted(place.glob("*.yaml"))} if place else {}


def summary(path: Path) -> str:
    """What a recipe file says about itself in its first comment line."""
    with path.open(encoding="utf-8") as file:
        first = file.readline().strip()
    return first.lstrip("# ").strip() if first.startswith("#") else ""
