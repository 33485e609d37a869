"""What the tests of whole models share: every method's model on rooms, with a backbone that is quick to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch import nn

from mtlbox.config import laid_out, load_config
from mtlbox.registry import DATASETS, MODELS

ROOT = Path(__file__).parents[2]
CHANNELS = (18, 36, 72, 144)
BACKBONE = dict(type='mmpretrain.ResNet', depth=18, base_channels=18, stem_channels=18, out_indices=(0, 1, 2, 3))
"""What stands for a backbone in tests of the rest: with maps of HRNet-W18's channels, in less time."""
SIZE = (24, 32)
METHODS = {
    'CTAL': 'ctal/ctal_hrnet18_rooms.py',
    'CTAL multi-scale': 'ctal/ctal-ms_hrnet18_rooms.py',
    'DeMT': 'demt/demt_hrnet18_rooms.py',
    'MTFormer': 'mtformer/mtformer_swin-t_rooms.py',
    'MTI-Net': 'mti_net/mti_net_hrnet18_rooms.py',
    'MTL': 'mtl/mtl_hrnet18_rooms.py',
    'PAD-Net': 'pad_net/pad_net_hrnet18_rooms.py',
    'PAP-Net': 'pap_net/pap_net_hrnet18_rooms.py',
    'STL': 'stl/stl_hrnet18_rooms.py',
    'TIF': 'tif/tif_hrnet18_rooms.py',
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes ``method_config`` with the config of every method."""
    if 'method_config' in metafunc.fixturenames:
        metafunc.parametrize('method_config', list(METHODS.values()), ids=list(METHODS))


@pytest.fixture
def make_small(method_config: str) -> Callable[..., tuple[nn.Module, dict[str, Any]]]:
    """Build the method's model, the same weights each time, and a batch of as many rooms as are asked for.

    The second argument is options of the config, as of ``--cfg-options``.
    """

    def make(images: int, options: Mapping[str, Any] | None = None) -> tuple[nn.Module, dict[str, Any]]:
        torch.manual_seed(0)
        cfg = load_config(ROOT / 'configs' / method_config, options)
        cfg.model.backbone = BACKBONE
        neck = cfg.model.neck
        if 'in_channels' in neck:
            neck.in_channels = CHANNELS
        if 'feature_size' in neck:
            neck.feature_size = (SIZE[0] // 4, SIZE[1] // 4)
        model = MODELS.build(laid_out(cfg.model, cfg))
        pipeline = [dict(type='PackMultiTaskInputs')]
        rooms = DATASETS.build(
            dict(type='RoomsDataset', length=images, size=SIZE, tasks=model.tasks, pipeline=pipeline)
        )
        return model, model.data_preprocessor(pseudo_collate([rooms[i] for i in range(images)]), training=True)

    return make
