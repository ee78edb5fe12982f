"""How to decide whether a trick helped: pure functions on arrays (numpy and scipy only)."""

from tricklab.statistics.contrasts import DESIGNS, Contrast, contrasts_for, default_cell_name, design_cells
from tricklab.statistics.images import OtherImages, survives_other_images
from tricklab.statistics.judge import judge_experiment
from tricklab.statistics.judgement import ArmSummary, Judgement, TrickJudgement
from tricklab.statistics.lists import judge_lists
from tricklab.statistics.looks import level_for
from tricklab.statistics.power import blocks_for, smallest_detectable
from tricklab.statistics.tiers import tier
from tricklab.statistics.verdict import VERDICTS

__all__ = [
    "DESIGNS",
    "VERDICTS",
    "ArmSummary",
    "Contrast",
    "Judgement",
    "OtherImages",
    "TrickJudgement",
    "blocks_for",
    "contrasts_for",
    "default_cell_name",
    "design_cells",
    "judge_experiment",
    "judge_lists",
    "level_for",
    "smallest_detectable",
    "survives_other_images",
    "tier",
]
