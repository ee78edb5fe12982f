"""Metrics of classification and of training curves."""

from tricklab.metrics.average_meter import AverageMeter as AverageMeter
from tricklab.metrics.classification import average_accuracy as average_accuracy
from tricklab.metrics.classification import binomial_standard_error as binomial_standard_error
from tricklab.metrics.classification import confusion_matrix as confusion_matrix
from tricklab.metrics.classification import kappa as kappa
from tricklab.metrics.classification import overall_accuracy as overall_accuracy
from tricklab.metrics.classification import per_class_report as per_class_report
from tricklab.metrics.classification import trivial_scores as trivial_scores
from tricklab.metrics.identity import metric_code as metric_code
from tricklab.metrics.steadiness import oscillation as oscillation
from tricklab.metrics.steadiness import samples_to_loss as samples_to_loss
