"""Scores that commands show and no run records; they are no part of ``metric_code``."""
