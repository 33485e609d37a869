"""Evaluation: pure metric functions, metrics with a protocol, and the evaluator that adds delta_m."""

from mtlbox.evaluation.delta_m import (
    Baseline,
    find_baselines,
    list_baselines,
    load_baseline,
    published_baselines,
    write_baseline,
)
from mtlbox.evaluation.evaluator import MTLEvaluator
from mtlbox.evaluation.joint import JointEvaluator
from mtlbox.evaluation.metrics import (
    BoundaryLossMetric,
    BoundaryMetric,
    DepthMetric,
    DisparityMetric,
    EdgeMetric,
    NormalsMetric,
    SaliencyMetric,
    SegMetric,
    TaskMetric,
)
from mtlbox.evaluation.protocols import PROTOCOLS, Protocol, canonical_name, describe_protocols, get_protocol

__all__ = [
    'PROTOCOLS',
    'Baseline',
    'BoundaryLossMetric',
    'BoundaryMetric',
    'DepthMetric',
    'DisparityMetric',
    'EdgeMetric',
    'JointEvaluator',
    'MTLEvaluator',
    'NormalsMetric',
    'Protocol',
    'SaliencyMetric',
    'SegMetric',
    'TaskMetric',
    'canonical_name',
    'describe_protocols',
    'find_baselines',
    'get_protocol',
    'list_baselines',
    'load_baseline',
    'published_baselines',
    'write_baseline',
]
