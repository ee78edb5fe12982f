"""What mixes the images and masks of a batch with one another. Each is a component of kind ``mask_batch_transform``."""
