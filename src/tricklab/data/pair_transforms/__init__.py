"""Geometry of images and their masks together. Each is a component of kind ``pair_transform``."""
