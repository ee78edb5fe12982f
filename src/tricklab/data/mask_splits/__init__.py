"""Ways to divide images with masks into train, val and test. Each is a component of kind ``mask_split``."""
