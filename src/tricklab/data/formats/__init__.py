"""Readers and writers of real scene files, and the synthetic scene. Each reader is a component of kind ``scene``."""
