"""Pure metric functions: NumPy arrays or tensors in, plain numbers or small arrays out.

Each task has a statistic of one image, which adds up over images, and a finaliser from the sum to the scores.
"""

from mtlbox.evaluation.functional.boundary import (
    boundary_counts,
    boundary_curve,
    boundary_scores,
    boundary_statistic,
)
from mtlbox.evaluation.functional.boundary_loss import balanced_loss
from mtlbox.evaluation.functional.delta_m import delta_m
from mtlbox.evaluation.functional.depth import depth_errors, depth_scores, depth_statistic
from mtlbox.evaluation.functional.edge import edge_f1, edge_scores, edge_statistic
from mtlbox.evaluation.functional.normals import angular_error, normal_errors, normal_scores, normal_statistic
from mtlbox.evaluation.functional.saliency import saliency_scores, saliency_statistic
from mtlbox.evaluation.functional.segmentation import (
    class_iou,
    confusion_matrix,
    mean_iou,
    pixel_accuracy,
    segmentation_scores,
)

__all__ = [
    'angular_error',
    'balanced_loss',
    'boundary_counts',
    'boundary_curve',
    'boundary_scores',
    'boundary_statistic',
    'class_iou',
    'confusion_matrix',
    'delta_m',
    'depth_errors',
    'depth_scores',
    'depth_statistic',
    'edge_f1',
    'edge_scores',
    'edge_statistic',
    'mean_iou',
    'normal_errors',
    'normal_scores',
    'normal_statistic',
    'pixel_accuracy',
    'saliency_scores',
    'saliency_statistic',
    'segmentation_scores',
]
