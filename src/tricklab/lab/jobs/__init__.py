"""What a fresh process does for one run: a recipe, a Python function or a command line."""
