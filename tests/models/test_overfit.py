"""Every method's rooms config learns four images by heart: what it has can represent them, and gradients arrive."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.dataset import pseudo_collate

from mtlbox.config import load_config
from mtlbox.registry import DATASETS, MODELS

ROOT = Path(__file__).parents[2]
STEPS = 110


@pytest.mark.slow
@pytest.mark.parametrize('config', ['demt/demt_hrnet18_rooms.py'])
def test_four_images_are_learnt_by_heart(config: str) -> None:
    torch.manual_seed(0)
    cfg = load_config(ROOT / 'configs' / config)
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    rooms = DATASETS.build(
        dict(
            type='RoomsDataset',
            length=4,
            size=cfg.input_size,
            tasks=model.tasks,
            pipeline=[dict(type='PackMultiTaskInputs')],
        )
    )
    data = model.data_preprocessor(pseudo_collate([rooms[i] for i in range(4)]), training=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=STEPS)
    history = []
    for _ in range(STEPS):
        total, logs = model.parse_losses(model(**data, mode='loss'))
        history.append({name: value.item() for name, value in logs.items() if '/loss_' in name})
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 35.0)
        optimizer.step()
        schedule.step()
    first, last = history[0], history[-1]
    assert all(last[name] < 0.3 * first[name] for name in first), f'{first} became {last}'
