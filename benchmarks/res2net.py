"""What Res2Net's split of a bottleneck costs: parameters and multiply-adds of backbones with and without it.

python benchmarks/res2net.py [--size 224]
"""

from __future__ import annotations

import argparse
from typing import Any

from tricklab import registry, seeds
from tricklab.models.insert import apply_inserts
from tricklab.models.multiplications import count_macs

PAPER = {"deep_stem": False, "avg_down": False}
SE = [{"type": "SE", "after": "layer?.*.bn3"}]
ROWS: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = [
    ("ResNet-50", {"type": "ResNet"}, []),
    ("ResNet-50 + SE", {"type": "ResNet"}, SE),
    ("ResNet-50, 4 scales of 26 (Res2Net)", {"type": "Res2Net", **PAPER}, []),
    ("ResNet-50, 4 scales of 26 + SE", {"type": "Res2Net", **PAPER}, SE),
    ("ResNet-50, 2 scales of 48", {"type": "ResNet", "scales": 2, "base_width": 48}, []),
    ("ResNet-50, 8 scales of 14", {"type": "ResNet", "scales": 8, "base_width": 14}, []),
    ("ResNet-50, 8 scales of 26", {"type": "ResNet", "scales": 8, "base_width": 26}, []),
    ("Res2Net-50 with deep stem (v1b)", {"type": "Res2Net"}, []),
    ("ResNeXt-50 32 x 4", {"type": "ResNeXt"}, []),
    ("ResNeXt-50 8 x 4, 4 scales", {"type": "ResNeXt", "groups": 8, "scales": 4}, []),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=224, help="height and width of the image")
    size = parser.parse_args().size
    print(f"backbones without classifier, one image of {size} x {size}")
    print(f"{'backbone':<40}{'parameters, M':>14}{'multiply-adds, G':>18}")
    for name, config, inserts in ROWS:
        model = registry.build("backbone", {"depth": 50, **config}, in_channels=3)
        apply_inserts(model, inserts, seeds.aside)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        print(f"{name:<40}{parameters / 1e6:>14.2f}{count_macs(model, 3, (size, size)) / 1e9:>18.2f}")


if __name__ == "__main__":
    main()
