"""The short form of the campaign that kills trainings: really killed, in all its processes, by one and by two ranks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.dist
@pytest.mark.parametrize(('loop', 'ranks'), [('epoch', 1), ('iter', 1), ('epoch-iter', 2)])
def test_killed_runs_end_like_an_undisturbed_one(tmp_path: Path, loop: str, ranks: int) -> None:
    command = [sys.executable, str(ROOT / 'tools/benchmarks/kill_campaign.py'), '--out', str(tmp_path / 'out')]
    command += ['--loops', loop, '--ranks', str(ranks), '--kills', '2']
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(entry for entry in [str(ROOT), *sys.path] if entry)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    (report,) = json.loads((tmp_path / 'out' / 'campaign.json').read_text())
    assert report['different'] == [] and report['kills'] >= 2 and report['finished'] >= 1
