from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROTOCOLS = {'semseg': 'pooled-absent-skipped', 'depth': 'pixel-pooled', 'normals': 'arccos'}
SCORES = {
    'semseg/mIoU': 52.0,
    'semseg/pixAcc': 75.0,
    'depth/rmse': 0.6,
    'depth/relErr': 0.15,
    'normals/mErr': 22.5,
    'delta_m': 1.0,
}
DATA = {'dataset': 'NYUv2', 'split': 'val', 'samples': 654, 'of': 654, 'replica': False}


@pytest.fixture
def write_result(tmp_path: Path) -> Callable[..., Path]:
    """Writes the ``result.json`` of a run on NYUv2, changed as asked, into a work directory, which it returns."""

    def write(name: str = 'run', /, **changes: Any) -> Path:
        result = {
            'config': 'configs/mtl/mine_hrnet18_nyuv2-13.py',
            'commit': 'abc123',
            'seed': 0,
            'data': DATA,
            'backbone': 'HRNet-W18-small-v2',
            'parameters': 4_086_457,
            'protocols': PROTOCOLS,
            'scores': SCORES,
            'baseline': None,
        } | changes
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / 'result.json').write_text(json.dumps({k: v for k, v in result.items() if v != 'ABSENT'}))
        return folder

    return write
