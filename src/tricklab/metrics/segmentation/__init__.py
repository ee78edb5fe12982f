"""Metrics of masks. A folder of its own, so that ``metric_code`` of other tasks stays what it is."""

from tricklab.metrics.segmentation.boundary import TOLERANCE as TOLERANCE
from tricklab.metrics.segmentation.boundary import boundary_counts as boundary_counts
from tricklab.metrics.segmentation.boundary import boundary_f as boundary_f
from tricklab.metrics.segmentation.boundary import reach as reach
from tricklab.metrics.segmentation.identity import mask_metric_code as mask_metric_code
from tricklab.metrics.segmentation.regions import constant_scores as constant_scores
from tricklab.metrics.segmentation.regions import left_out as left_out
from tricklab.metrics.segmentation.regions import mask_confusion as mask_confusion
from tricklab.metrics.segmentation.regions import mask_report as mask_report
from tricklab.metrics.segmentation.regions import mask_scores as mask_scores
from tricklab.metrics.segmentation.regions import per_image_scores as per_image_scores
from tricklab.metrics.segmentation.spread import image_standard_errors as image_standard_errors
from tricklab.metrics.segmentation.stream import MASK_METRICS as MASK_METRICS
from tricklab.metrics.segmentation.stream import MaskScores as MaskScores
