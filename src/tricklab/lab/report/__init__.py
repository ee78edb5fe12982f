"""Reports of experiments, figures of runs, and the almanac."""

from tricklab.lab.report.almanac import write_almanac as write_almanac
from tricklab.lab.report.figures import fold_of as fold_of
from tricklab.lab.report.figures import run_figures as run_figures
from tricklab.lab.report.map_figures import class_map_figure as class_map_figure
from tricklab.lab.report.map_figures import split_figure as split_figure
from tricklab.lab.report.writing import write as write
