"""The multi-task gain delta_m."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def delta_m(scores: Mapping[str, float], baseline: Mapping[str, float], higher_is_better: Mapping[str, bool]) -> float:
    """Mean over tasks of the signed relative change against single-task baselines, in percent.

    delta_m = 100/T sum_t (-1)^{l_t} (M_t - B_t) / B_t, with l_t = 1 where a lower score is better (Vandenhende et al.,
    "Multi-Task Learning for Dense Prediction Tasks: A Survey", TPAMI 2021). It means something only if
    scores and baseline share backbone, data set and protocol, with one primary score a task.

    Args:
        scores: Primary score of each task.
        baseline: Single-task score of each task, same keys.
        higher_is_better: Direction of each task's score, same keys.

    Returns:
        The gain in percent, positive where multi-task learning helps. NaN if any score or baseline is NaN: a task
        without a score is never left out silently, for the mean over other tasks is another number.

    Raises:
        ValueError: If there is no task, the keys differ, or a baseline is not positive (no relative change is defined).
    """
    if not scores:
        raise ValueError('delta_m needs at least one task')
    for what, given in (('baseline', baseline), ('higher_is_better', higher_is_better)):
        if set(given) != set(scores):
            raise ValueError(
                f'delta_m: {what} is given for {sorted(given)} and scores for {sorted(scores)}: expected equal'
            )
    unusable = [task for task in scores if baseline[task] <= 0]
    if unusable:
        raise ValueError(f'delta_m: the baseline is not positive for {unusable}: no relative change is defined')
    changes = [(scores[t] - baseline[t]) / baseline[t] * (1.0 if higher_is_better[t] else -1.0) for t in scores]
    return float(100.0 * np.mean(changes))
