"""Known public scenes: where they come from, fetching a file, checking a file."""
