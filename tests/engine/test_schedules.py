"""Schedules of the configs follow the length of the training."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlbox.config import load_config
from mtlbox.engine import build_runner

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize('epochs', [1, 3])
def test_the_rate_falls_to_zero_once_whatever_the_number_of_epochs(epochs: int, tmp_path: Path) -> None:
    cfg = load_config(
        ROOT / 'configs/mtl/mtl_hrnet18_rooms.py',
        {
            'train_cfg.max_epochs': epochs,
            'train_cfg.val_interval': 10,
            'param_scheduler.0.end': 2,
            'train_dataloader.dataset.length': 8,
            'train_dataloader.dataset.size': (32, 64),
            'train_dataloader.batch_size': 2,
            'val_dataloader.dataset.length': 1,
        },
    )
    cfg.work_dir, cfg.experiment_name, cfg.visualizer = str(tmp_path), f'{tmp_path.name}_{epochs}', None
    runner = build_runner(cfg)
    runner.train()
    rates = runner.message_hub.get_scalar('train/lr').data[0].tolist()
    assert len(rates) == 4 * epochs
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] < 0.2 * max(rates)


@pytest.mark.parametrize('path', sorted(ROOT.glob('configs/*/*_nyuv2-13.py')), ids=lambda path: path.stem)
def test_no_config_states_its_length_twice(path: Path) -> None:
    assert [step.get('T_max') for step in load_config(path).param_scheduler] == [None]
