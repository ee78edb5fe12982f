"""Ways to divide the labelled pixels into train, val and test. Each is a component of kind ``split``."""
