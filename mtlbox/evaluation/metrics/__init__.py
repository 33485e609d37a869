"""Metrics that mmengine's evaluator runs: one task, one protocol, one statistic per image."""

from mtlbox.evaluation.metrics.base import TaskMetric
from mtlbox.evaluation.metrics.boundary import BoundaryMetric
from mtlbox.evaluation.metrics.boundary_loss import BoundaryLossMetric
from mtlbox.evaluation.metrics.depth import DepthMetric, DisparityMetric
from mtlbox.evaluation.metrics.edge import EdgeMetric
from mtlbox.evaluation.metrics.normals import NormalsMetric
from mtlbox.evaluation.metrics.saliency import SaliencyMetric
from mtlbox.evaluation.metrics.segmentation import SegMetric

__all__ = [
    'BoundaryLossMetric',
    'BoundaryMetric',
    'DepthMetric',
    'DisparityMetric',
    'EdgeMetric',
    'NormalsMetric',
    'SaliencyMetric',
    'SegMetric',
    'TaskMetric',
]
