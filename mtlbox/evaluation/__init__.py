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
from mtlbox.evaluation.metrics import DepthMetric, DisparityMetric, NormalsMetric, SegMetric, TaskMetric
from mtlbox.evaluation.protocols import PROTOCOLS, Protocol, describe_protocols, get_protocol

__all__ = [
    'PROTOCOLS',
    'Baseline',
    'DepthMetric',
    'DisparityMetric',
    'MTLEvaluator',
    'NormalsMetric',
    'Protocol',
    'SegMetric',
    'TaskMetric',
    'describe_protocols',
    'find_baselines',
    'get_protocol',
    'list_baselines',
    'load_baseline',
    'published_baselines',
    'write_baseline',
]
