"""Trains, resumes and evaluates what a run folder declares; loads what is finished."""

from tricklab.engine.execution import execute as execute
from tricklab.engine.load import LoadedRun as LoadedRun
from tricklab.engine.load import load_run as load_run
