"""Optimizers, learning-rate schedules and weight averaging."""

from tricklab.optim.averaging import Averaging as Averaging
from tricklab.optim.averaging import plain_state as plain_state
from tricklab.optim.clock import Clock as Clock
from tricklab.optim.clock import RunLength as RunLength
from tricklab.optim.layer_numbers import classifier_parameters as classifier_parameters
from tricklab.optim.layer_numbers import layer_numbers as layer_numbers
from tricklab.optim.optimizer import build_optimizer as build_optimizer
from tricklab.optim.parameter_groups import describe_groups as describe_groups
from tricklab.optim.parameter_groups import describe_layers as describe_layers
from tricklab.optim.parameter_groups import describe_rules as describe_rules
from tricklab.optim.parameter_groups import undecayed as undecayed
from tricklab.optim.parameter_groups import unmatched_parameters as unmatched_parameters
from tricklab.optim.schedule_list import Schedules as Schedules
from tricklab.optim.statistics_update import reestimate_statistics as reestimate_statistics
