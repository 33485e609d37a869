"""Schedules of the configs follow the length of the training."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from mtlbox.config import load_config
from mtlbox.engine import build_runner
from mtlbox.engine.schedulers import CosineWarmRestartsLR, cycle_lengths
from mtlbox.registry import PARAM_SCHEDULERS

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


PUBLISHED = [path for name in ('nyuv2-13', 'cityscapes') for path in sorted(ROOT.glob(f'configs/*/*_{name}.py'))]


@pytest.mark.parametrize('path', PUBLISHED, ids=lambda path: path.stem)
def test_no_config_states_its_length_twice(path: Path) -> None:
    (step,) = load_config(path).param_scheduler
    assert not {'T_max', 'periods', 'end', 'begin'} & set(step)
    multi_scale = path.stem.startswith(('mti_net', 'ctal-ms')) and path.stem.endswith('cityscapes')
    assert step.type == ('CosineWarmRestartsLR' if multi_scale else 'CosineAnnealingLR')


def rates(scheduler: dict, epochs: int, per_epoch: int = 1) -> list[float]:
    """Return the rate at the start of each step of a training by the Runner's own way to build a schedule."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    options = {'end': epochs, **scheduler}
    if options.pop('convert_to_iter_based', False):
        built = CosineWarmRestartsLR.build_iter_from_epoch(
            optimizer, **{k: v for k, v in options.items() if k != 'type'}, epoch_length=per_epoch
        )
    else:
        built = PARAM_SCHEDULERS.build(options, default_args={'optimizer': optimizer})
    found = []
    for _ in range(epochs * per_epoch if not built.by_epoch else epochs):
        found.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        built.step()
    return found


RESTARTS = {'type': 'CosineWarmRestartsLR', 'cycles': 2, 'growth': 2, 'eta_min': 0.0}


def test_warm_restarts_of_75_epochs_are_those_of_25_and_50() -> None:
    found = rates(RESTARTS, 75)
    expected = [0.5 * (1 + math.cos(math.pi * i / 25)) for i in range(25)]
    expected += [0.5 * (1 + math.cos(math.pi * i / 50)) for i in range(50)]
    assert found == pytest.approx(expected, abs=1e-9)
    assert found[25] == 1.0


@pytest.mark.parametrize(('epochs', 'lengths'), [(1, [1]), (2, [2]), (3, [1, 2]), (10, [3, 7]), (76, [25, 51])])
def test_warm_restarts_fill_a_training_of_any_length(epochs: int, lengths: list[int]) -> None:
    assert cycle_lengths(epochs, 2, 2) == lengths
    found = rates(RESTARTS, epochs)
    assert [i for i, rate in enumerate(found) if rate == 1.0] == [0, *lengths[:-1]]
    assert found[-1] < 0.2 or epochs < 5


def test_warm_restarts_by_iteration() -> None:
    found = rates({**RESTARTS, 'convert_to_iter_based': True, 'by_epoch': True}, 3, per_epoch=10)
    assert [i for i, rate in enumerate(found) if rate == 1.0] == [0, 10]
    assert found[10:] == sorted(found[10:], reverse=True) and found[-1] < 0.01


@pytest.mark.parametrize('epochs', [1, 100])
def test_mtformer_trains_in_its_last_epoch(epochs: int) -> None:
    (step,) = load_config(ROOT / 'configs/mtformer/mtformer_swin-s_nyud.py').param_scheduler
    assert rates(dict(step), epochs) == pytest.approx([(1 - i / epochs) ** 0.9 for i in range(epochs)])


def test_warm_restarts_refuse_no_cycle() -> None:
    with pytest.raises(ValueError, match='must be at least 1, but are 0 and 2'):
        rates({**RESTARTS, 'cycles': 0}, 3)
