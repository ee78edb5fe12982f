"""The selective scan of state space models, over an image's pixels in four directions."""

from tricklab.ops.selective_scan.scan import BACKENDS, DIRECTIONS, selective_scan

__all__ = ["BACKENDS", "DIRECTIONS", "selective_scan"]
