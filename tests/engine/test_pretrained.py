"""Weights of transformers from elsewhere: names, prefixes, tables of positions for another window or picture."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mtlbox.apis.complexity import build_for_counting
from mtlbox.engine import pretrained
from mtlbox.engine.checkpoint import CheckpointError
from mtlbox.engine.pretrained import PretrainedInit
from mtlbox.engine.weight_names import to_openmmlab
from mtlbox.registry import BACKBONES

ARCH = {'embed_dims': 8, 'depths': (2, 2), 'num_heads': (1, 2)}


@pytest.fixture
def said(monkeypatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr(pretrained, 'print_log', lambda message, **_: messages.append(message))
    return messages


def swin(window: int = 7) -> nn.Module:
    config = {'type': 'mmpretrain.SwinTransformer', 'arch': ARCH, 'out_indices': (0, 1), 'window_size': window}
    return BACKBONES.build({**config, 'pad_small_map': True})


def filled(module: nn.Module) -> dict[str, torch.Tensor]:
    """The module's state with random numbers in the place of its parameters."""
    own = dict(module.named_parameters())
    return {name: torch.rand_like(value) if name in own else value for name, value in module.state_dict().items()}


def test_backbone_of_a_segmentation_network(tmp_path: Path, said: list[str]) -> None:
    """UPerNet of mmsegmentation: the names of its Swin are those of mmpretrain, behind ``backbone.``."""
    weights = filled(swin())
    heads = {'decode_head.conv_seg.weight': torch.rand(2), 'auxiliary_head.conv_seg.weight': torch.rand(2)}
    torch.save(
        {'state_dict': {**{f'backbone.{name}': value for name, value in weights.items()}, **heads}}, tmp_path / 'a.pth'
    )
    module = swin()
    PretrainedInit(str(tmp_path / 'a.pth'), prefix='backbone')(module)
    assert all(value.equal(weights[name]) for name, value in module.state_dict().items())
    assert said == [f'SwinTransformer got {len(weights)} of its {len(weights)} tensors from {tmp_path}/a.pth.']


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_weights_that_are_not_finite_are_refused_by_name(tmp_path: Path, value: float) -> None:
    weights = filled(swin())
    weights['stages.0.blocks.0.norm1.weight'][0] = weights['stages.0.blocks.1.norm1.weight'][0] = value
    weights['norm1.bias'][0] = value
    torch.save(weights, tmp_path / 'a.pth')
    named = r'stages\.\*\.blocks\.\*\.norm1\.weight \(2\), norm1\.bias\. '
    with pytest.raises(CheckpointError, match=rf'3 of the {len(weights)} tensors of .*a\.pth are NaN .*: {named}'):
        PretrainedInit(str(tmp_path / 'a.pth'))(swin())


def test_a_mask_may_be_infinite(tmp_path: Path) -> None:
    module = nn.BatchNorm2d(2)
    module.register_buffer('mask', torch.tensor([0.0, -torch.inf]))
    torch.save(module.state_dict(), tmp_path / 'a.pth')
    PretrainedInit(str(tmp_path / 'a.pth'))(module)
    weights = {key: value.clone() for key, value in module.state_dict().items()}
    for value in (torch.nan, torch.inf):
        weights['running_var'][0] = value
        torch.save(weights, tmp_path / 'b.pth')
        PretrainedInit(str(tmp_path / 'a.pth'))(module)
        with pytest.raises(CheckpointError, match=r'1 of the .* in places: running_var\.'):
            PretrainedInit(str(tmp_path / 'b.pth'))(module)


def test_tables_of_another_window(tmp_path: Path, said: list[str]) -> None:
    weights = filled(swin(12))
    name = 'stages.0.blocks.0.attn.w_msa.relative_position_bias_table'
    weights[name] = torch.arange(23.0).repeat_interleave(23)[:, None]  # the bias grows with the distance in rows
    torch.save(weights, tmp_path / 'a.pth')
    module = swin(7)
    PretrainedInit(str(tmp_path / 'a.pth'))(module)
    table = module.state_dict()[name].reshape(13, 13)
    assert torch.allclose(table, table[:, :1].expand(13, 13), atol=1e-3)
    assert (table[:, 0].diff() > 0).all()
    assert table[6, 0] == pytest.approx(11, abs=1e-3)
    assert ' missing ' not in said[0] and 'shape' not in said[0]


def test_embeddings_of_another_picture(tmp_path: Path, said: list[str]) -> None:
    arch = {'embed_dims': 8, 'num_layers': 1, 'num_heads': 2, 'feedforward_channels': 16}
    config = {'type': 'mmpretrain.VisionTransformer', 'arch': arch, 'out_type': 'featmap', 'out_indices': (0,)}
    weights = filled(BACKBONES.build({**config, 'img_size': 64}))
    weights['pos_embed'] = torch.cat([torch.zeros(1, 1, 8), torch.ones(1, 16, 8)], dim=1)
    torch.save({'state_dict': {f'backbone.{name}': value for name, value in weights.items()}}, tmp_path / 'a.pth')
    module = BACKBONES.build({**config, 'img_size': 96})
    PretrainedInit(str(tmp_path / 'a.pth'), prefix='backbone')(module)
    assert torch.allclose(module.state_dict()['pos_embed'][0, 1:], torch.ones(36, 8), atol=1e-5)
    assert not module.state_dict()['pos_embed'][0, 0].any()
    assert said[0].endswith(f'of its {len(weights)} tensors from {tmp_path}/a.pth.')


def merge_officially(x: torch.Tensor, norm: nn.LayerNorm, reduction: nn.Linear) -> torch.Tensor:
    """The published way to merge patches: four strided maps ``(B, H/2, W/2, C)`` side by side, norm, linear map."""
    parts = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
    return reduction(norm(torch.cat(parts, dim=-1)))


def test_official_names(tmp_path: Path, said: list[str]) -> None:
    """The other names, and merged patches that come out the same though they are gathered in another order."""
    names = {
        'patch_embed.projection.': 'patch_embed.proj.',
        'stages.': 'layers.',
        '.attn.w_msa.': '.attn.',
        '.ffn.layers.0.0.': '.mlp.fc1.',
        '.ffn.layers.1.': '.mlp.fc2.',
        'norm1.': 'norm.',  # of the last stage
    }
    module = swin()
    weights = {}
    for name, value in filled(module).items():
        for ours, theirs in names.items():
            if ours != 'norm1.' or name.startswith('norm1.'):
                name = name.replace(ours, theirs)
        weights[name] = value
    torch.save({'model': weights, 'state_dict': weights}, tmp_path / 'a.pth')
    PretrainedInit(str(tmp_path / 'a.pth'))(module)
    assert said[0].startswith(f'SwinTransformer got {len(weights)} of its {len(weights)} tensors')
    norm, reduction = nn.LayerNorm(32), nn.Linear(32, 16, bias=False)
    norm.load_state_dict({key: weights[f'layers.0.downsample.norm.{key}'] for key in ('weight', 'bias')})
    reduction.load_state_dict({'weight': weights['layers.0.downsample.reduction.weight']})
    x = torch.rand(2, 6, 4, 8)
    ours, size = module.stages[0].downsample(x.flatten(1, 2), (6, 4))
    assert torch.allclose(ours, merge_officially(x, norm, reduction).flatten(1, 2), atol=1e-5)
    assert size == (3, 2)


def test_other_weights_keep_their_names() -> None:
    weights = {'layers.0.blocks.0.attn.qkv.weight': torch.rand(1), 'head.weight': torch.rand(1)}
    assert to_openmmlab(weights, {'layers.0.blocks.0.attn.qkv.weight'}) == weights


@pytest.mark.parametrize(
    ('name', 'millions', 'coarsest'),
    [
        ('vit-l', 325.717, (14, 18)),
        ('vit-b', 98.481, (14, 18)),
        ('swinv2-s', 48.959, (14, 18)),
        ('swin-l_imagenet', 194.998, (14, 18)),
        ('resnet50_dilated', 23.508, (54, 70)),
    ],
)
def test_backbones_build(name: str, millions: float, coarsest: tuple[int, int]) -> None:
    """As many parameters as the config says, and maps of the channels that it says, at a size that is no multiple."""
    path = f'configs/_base_/backbones/{name}.py'
    config = Config.fromfile(path)
    module = build_for_counting(config.backbone)
    assert next(module.parameters()).is_meta
    maps = module(torch.empty(1, 3, 425, 560, device='meta'))
    assert sum(parameter.numel() for parameter in module.parameters()) / 1e6 == pytest.approx(millions, abs=6e-4)
    assert f'{millions:.3f} M parameters' in Path(path).read_text()
    assert tuple(x.shape[1] for x in maps) == tuple(config.backbone_channels)
    assert tuple(maps[-1].shape[2:]) == coarsest
