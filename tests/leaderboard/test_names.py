from __future__ import annotations

from pathlib import Path

import pytest

from mtlbox.config import load_config
from mtlbox.leaderboard import backbone_of, canonical_backbone, canonical_dataset

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.mark.parametrize(
    ('given', 'name'),
    [
        ('HRNet18', 'HRNet-W18-small-v2'),
        ('hrnet-w18-small-v2', 'HRNet-W18-small-v2'),
        ('swin_t', 'Swin-T'),
        ('MyNet', 'MyNet'),
    ],
)
def test_backbones_have_one_name(given: str, name: str) -> None:
    assert canonical_backbone(given) == name


@pytest.mark.parametrize(('given', 'name'), [('NYUv2', 'nyuv2-13'), ('NYUD_MT', 'nyud-40'), ('Mine', 'Mine')])
def test_data_sets_have_one_name(given: str, name: str) -> None:
    assert canonical_dataset(given) == name


def test_backbone_of_a_config() -> None:
    assert backbone_of(load_config(CONFIGS / 'stl' / 'stl_hrnet18_rooms.py').model) == 'HRNet-W18-small-v2'
    assert backbone_of({'backbone': {'type': 'mmpretrain.SwinTransformer', 'arch': 'tiny'}}) == 'Swin-T'
    plain = {'type': 'mmpretrain.SwinTransformerV2', 'arch': 'small'}
    assert backbone_of({'backbone': {'type': 'Adapters', 'backbone': plain}}) == 'SwinV2-S'
    assert backbone_of({'backbone': {'type': 'Mine', 'arch': {'depth': 3}}}) == 'Mine'
    assert backbone_of({'backbone': {'type': 'mmpretrain.ResNet', 'depth': 50}}) == 'ResNet-50'
    assert backbone_of({'type': 'Constant'}) is None
