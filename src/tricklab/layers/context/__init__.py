"""Blocks that let every position see others. Each is a component of kind ``context``; shapes stay as they are."""
