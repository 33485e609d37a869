"""Metrics that mmengine's evaluator runs: one task, one protocol, one statistic per image."""

from mtlbox.evaluation.metrics.base import TaskMetric
from mtlbox.evaluation.metrics.depth import DepthMetric, DisparityMetric
from mtlbox.evaluation.metrics.normals import NormalsMetric
from mtlbox.evaluation.metrics.segmentation import SegMetric

__all__ = ['DepthMetric', 'DisparityMetric', 'NormalsMetric', 'SegMetric', 'TaskMetric']
