"""Augmentations of whole batches of windows. Each is a component of kind ``transform``."""
