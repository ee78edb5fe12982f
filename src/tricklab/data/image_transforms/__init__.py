"""Augmentations of whole batches of training images. Each is a component of kind ``image_transform``."""
