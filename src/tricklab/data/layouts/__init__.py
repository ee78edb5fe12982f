"""Ways in which labelled image files are stored. Each is a component of kind ``layout``."""
