"""What mixes the images of a batch with one another. Each is a component of kind ``batch_transform``."""
