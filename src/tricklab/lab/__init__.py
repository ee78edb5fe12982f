"""The laboratory: declares, runs and judges ablations of recipes, functions and command lines."""

from tricklab.lab.ablation import ablate as ablate
from tricklab.lab.ablation import resume as resume
from tricklab.lab.declaring import Command as Command
from tricklab.lab.result import Result as Result
from tricklab.lab.result import experiment_result as experiment_result
