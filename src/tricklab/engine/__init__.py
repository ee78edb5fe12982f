"""Trains, resumes and evaluates what a run folder declares."""

from tricklab.engine.execute import execute as execute
