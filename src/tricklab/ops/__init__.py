"""Numerics without modules."""
