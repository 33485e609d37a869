"""One result from the results of several seeds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtlbox.leaderboard.results import expect, expect_scores, read_result

_SHARED = (
    'config',
    'model',
    'backbone',
    'parameters',
    'macs',
    'data',
    'protocols',
    'primary',
    'baseline',
    'trained_on',
    'versions',
    'world_size',
)
_MUST_AGREE = ('config', 'backbone', 'data', 'trained_on', 'protocols', 'world_size', 'model', 'parameters', 'baseline')


def combine_seeds(results: Mapping[int, str | Path]) -> dict[str, Any]:
    """Mean and standard deviation of the scores of runs that differ in their seed.

    Args:
        results: ``result.json`` by seed.

    Returns:
        What a ``result.json`` holds that the runs share, and ``seeds``, ``scores`` (means), ``std`` (of a sample, with
        n - 1; null for one seed) and ``runs``, what each seed gave. A score that is null in a run is null. ``commit``
        is a list where the runs were made by several.

    Raises:
        FileNotFoundError: One is not there.
        ValueError: There is none, one is no result or of another seed, or two differ in more than the seed; the message
            names the files.
    """
    if not results:
        raise ValueError('there is no result to combine')
    contents = {seed: _read(Path(path)) for seed, path in results.items()}
    first, head = next(iter(contents.items()))
    for seed, content in contents.items():
        if content.get('seed') != seed:
            raise ValueError(f'{results[seed]} is of the seed {content.get("seed")!r}, not {seed}')
        for key in _MUST_AGREE:
            if content.get(key) != head.get(key):
                raise ValueError(
                    f'{results[first]} and {results[seed]} differ in {key!r} ({head.get(key)!r} and '
                    f'{content.get(key)!r}): they are not runs of one experiment'
                )
        if set(content['scores']) != set(head['scores']):
            raise ValueError(
                f'{results[first]} and {results[seed]} have different scores: {sorted(head["scores"])} and '
                f'{sorted(content["scores"])}'
            )
    means: dict[str, float | None] = {}
    deviations: dict[str, float | None] = {}
    for name in head['scores']:
        values = [content['scores'][name] for content in contents.values()]
        known = all(value is not None for value in values)
        means[name] = statistics.fmean(values) if known else None
        deviations[name] = statistics.stdev(values) if known and len(values) > 1 else None
    iterations = {content.get('iter') for content in contents.values()}
    commits = list(dict.fromkeys(content.get('commit') for content in contents.values()))
    return {
        **{key: head[key] for key in _SHARED if key in head},
        'iter': iterations.pop() if len(iterations) == 1 else None,
        'commit': commits[0] if len(commits) == 1 else commits,
        'seeds': list(contents),
        'scores': means,
        'std': deviations,
        'runs': [
            {
                'seed': seed,
                'result': str(results[seed]),
                **{key: content[key] for key in ('commit', 'config_hash', 'device', 'scores') if key in content},
            }
            for seed, content in contents.items()
        ],
    }


def _read(path: Path) -> dict[str, Any]:
    content = read_result(path)
    if not content.get('scores'):
        raise ValueError(f'{path} has no scores: expected the result.json of a finished run')
    expect(content, 'commit', str, str(path))
    expect(content, 'iter', int, str(path))
    return {**content, 'scores': expect_scores(content, 'scores', str(path))}
