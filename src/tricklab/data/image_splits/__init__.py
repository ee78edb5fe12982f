"""Ways to divide labelled images into train, val and test. Each is a component of kind ``image_split``."""
