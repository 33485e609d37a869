"""Boundaries: suppression, one-to-one matching, counts and the scores from them."""

from mtlbox.evaluation.functional.boundary.counts import boundary_counts
from mtlbox.evaluation.functional.boundary.scores import (
    boundary_curve,
    boundary_scores,
    boundary_statistic,
    statistic_scores,
)

__all__ = ['boundary_counts', 'boundary_curve', 'boundary_scores', 'boundary_statistic', 'statistic_scores']
