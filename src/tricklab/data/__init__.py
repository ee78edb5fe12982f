"""Hyperspectral scenes: readers, splits, statistics, windows, loaders. Import from the submodules."""
