"""One rule a file; found by scanning this folder."""
