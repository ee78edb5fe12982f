"""Where images and their masks come from. Each is a component of kind ``mask_layout``."""
