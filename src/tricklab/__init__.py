"""tricklab: turn any vision training trick on with one line, and know honestly whether it helped."""

__version__ = "0.1.0"
