"""HRNet: sizes, counts, weights of other packages, and the switches that must not change the result."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import nn

from mtlbox.compat import ensure_torchvision
from mtlbox.models.backbones.hrnet import _PRESETS, HRNet, convert_official_keys
from mtlbox.registry import BACKBONES

TINY = dict(
    stage1=dict(num_modules=1, block='BOTTLENECK', num_blocks=(1,), num_channels=(4,)),
    stage2=dict(num_modules=1, block='BASIC', num_blocks=(1, 1), num_channels=(4, 6)),
    stage3=dict(num_modules=2, block='BASIC', num_blocks=(1, 1, 1), num_channels=(4, 6, 8)),
    stage4=dict(num_modules=1, block='BASIC', num_blocks=(1, 1, 1, 1), num_channels=(4, 6, 8, 10)),
)


def mmpretrain_hrnet(preset: str) -> nn.Module:
    pytest.importorskip('mmpretrain')
    ensure_torchvision()
    from mmpretrain.models.backbones import HRNet as MMPretrainHRNet

    extra = {
        f'stage{i}': dict(
            num_modules=stage.num_modules,
            num_branches=i,
            block=stage.block,
            num_blocks=stage.num_blocks,
            num_channels=stage.num_channels,
        )
        for i, stage in enumerate(_PRESETS[preset], start=1)
    }
    return MMPretrainHRNet(extra=extra)


def randomise_norms(model: nn.Module) -> None:
    """Give the norm layers values under which an exchanged or forgotten one shows."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.running_var):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.5 + 0.5)
            for tensor in (module.bias.data, module.running_mean):
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.1)


@pytest.mark.parametrize('preset', list(_PRESETS))
def test_mmpretrain_weights_load_strictly_and_give_equal_maps(preset: str) -> None:
    theirs = mmpretrain_hrnet(preset)
    randomise_norms(theirs)
    ours = HRNet(arch=preset, upsample='nearest')
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.double().eval()
    ours.double().eval()
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2)).double()
    with torch.no_grad():
        for a, b in zip(ours(image), theirs(image), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_timm_weights_with_the_official_names_load() -> None:
    pytest.importorskip('timm')
    ensure_torchvision()
    import timm

    for name, preset in (('hrnet_w18_small', 'w18-small-v1'), ('hrnet_w18_small_v2', 'w18-small-v2')):
        official = timm.create_model(name, pretrained=False)
        randomise_norms(official)
        state = official.state_dict()
        assert any(key.startswith('incre_modules.') for key in state)
        ours = HRNet(arch=preset, upsample='nearest')
        ours.load_state_dict(convert_official_keys(state), strict=True)
        image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2)).double()
        ours.double().eval()
        official.double().eval()
        with torch.no_grad():
            stem = official.act1(official.bn1(official.conv1(image)))
            stem = official.act2(official.bn2(official.conv2(stem)))
            for a, b in zip(ours(image), official.stages(stem), strict=True):
                torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_official_heads_are_dropped_by_the_conversion_and_at_loading() -> None:
    model = HRNet(arch=TINY)
    state = model.state_dict()
    heads = {f'{name}.0.weight': torch.zeros(1) for name in ('incre_modules', 'downsamp_modules', 'final_layer')}
    heads |= {'classifier.weight': torch.zeros(1)}
    wrapped = {f'module.model.{key}': value for key, value in {**state, **heads}.items()}
    assert list(convert_official_keys(wrapped)) == list(state)

    nested = nn.ModuleDict(dict(backbone=model))
    nested.load_state_dict(
        OrderedDict((f'backbone.{key}', value) for key, value in {**state, **heads}.items()), strict=True
    )
    with pytest.raises(RuntimeError, match=r'neck\.weight'):
        model.load_state_dict({**state, 'neck.weight': torch.zeros(1)}, strict=True)


def test_parameter_count_of_w18_small_v2() -> None:
    count = sum(p.numel() for p in HRNet(arch='w18-small-v2').parameters())
    assert round(count / 1e6, 3) == 3.861


@pytest.mark.parametrize('size', [(64, 64), (425, 560), (97, 33), (32, 1)])
@pytest.mark.parametrize('upsample', ['bilinear', 'nearest'])
def test_any_image_size(size: tuple[int, int], upsample: str) -> None:
    model = HRNet(arch=TINY, upsample=upsample).eval()
    with torch.no_grad():
        maps = model(torch.randn(1, 3, *size))
    expected = [
        (1, channels, *(-(-length // 2 ** (i + 2)) for length in size)) for i, channels in enumerate((4, 6, 8, 10))
    ]
    assert [tuple(x.shape) for x in maps] == expected


def test_default_channels_and_strides() -> None:
    model = BACKBONES.build(dict(type='HRNet')).eval()
    with torch.no_grad():
        maps = model(torch.randn(2, 3, 64, 96))
    assert model.channels == model.out_channels == (18, 36, 72, 144)
    assert [tuple(x.shape) for x in maps] == [(2, 18, 16, 24), (2, 36, 8, 12), (2, 72, 4, 6), (2, 144, 2, 3)]


def test_bilinear_and_nearest_differ() -> None:
    bilinear, nearest = HRNet(arch=TINY).eval(), HRNet(arch=TINY, upsample='nearest').eval()
    nearest.load_state_dict(bilinear.state_dict())
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert not torch.allclose(bilinear(image)[0], nearest(image)[0], atol=1e-4)


def test_fused_maps_and_gradients_equal_the_sum_written_out() -> None:
    """In-place sums must neither change a value nor spoil a gradient."""
    torch.manual_seed(0)
    module = HRNet(arch=TINY).stage4[0].double()
    maps = [
        torch.randn(2, c, 9 // 2**i + 1, 13 // 2**i + 1, dtype=torch.double, requires_grad=True)
        for i, c in enumerate((4, 6, 8, 10))
    ]

    def written_out() -> list[torch.Tensor]:
        branches = [branch(x) for branch, x in zip(module.branches, maps)]
        outputs = []
        for i in range(4):
            terms = [module.fuse_layers[i][j](x) for j, x in enumerate(branches)]
            size = branches[i].shape[2:]
            terms = [
                nn.functional.interpolate(t, size=size, mode='bilinear', align_corners=False) if j > i else t
                for j, t in enumerate(terms)
            ]
            outputs.append(sum(terms).relu())
        return outputs

    def gradients(outputs: list[torch.Tensor]) -> list[torch.Tensor]:
        loss = sum((x * torch.linspace(-1, 1, x.numel(), dtype=x.dtype).view_as(x)).sum() for x in outputs)
        return list(torch.autograd.grad(loss, [*maps, *module.parameters()]))

    ours, reference = module(maps), written_out()
    for a, b in zip([*ours, *gradients(ours)], [*reference, *gradients(reference)], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def step(model: HRNet, image: torch.Tensor) -> dict[str, torch.Tensor]:
    """One forward and backward pass; gradients and buffers afterwards."""
    sum((x.square()).mean() for x in model(image)).backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {**gradients, **{f'buffer {name}': b for name, b in model.named_buffers()}}


def test_recomputed_activations_change_neither_gradients_nor_statistics() -> None:
    plain = HRNet(arch=TINY)
    plain.init_weights()
    recomputing = HRNet(arch=TINY, with_cp=True)
    recomputing.load_state_dict(plain.state_dict())
    image = torch.randn(2, 3, 64, 64, requires_grad=True)
    a, b = step(plain, image), step(recomputing, image)
    assert a.keys() == b.keys()
    assert a['buffer bn1.num_batches_tracked'] == b['buffer layer1.0.bn1.num_batches_tracked'] == 1
    for name in a:
        torch.testing.assert_close(a[name], b[name], msg=lambda text, name=name: f'{name}: {text}')


def test_recomputation_really_happens() -> None:
    calls: list[str] = []
    model = HRNet(arch=TINY, with_cp=True)
    model.layer1[0].conv1.register_forward_hook(lambda *_: calls.append('conv1'))
    step(model, torch.randn(1, 3, 64, 64, requires_grad=True))
    assert len(calls) == 2


def test_channels_last_is_kept_and_gives_the_same_maps() -> None:
    model = HRNet(arch=TINY).eval()
    image = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        expected = model(image)
        last = copy.deepcopy(model).to(memory_format=torch.channels_last)
        maps = last(image.to(memory_format=torch.channels_last))
    for a, b in zip(maps, expected, strict=True):
        assert a.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('norm', [dict(type='GN', num_groups=2), dict(type='SyncBN'), dict(type='BN', eps=1e-3)])
def test_norm_layers(norm: dict[str, Any]) -> None:
    model = HRNet(arch=TINY, norm_cfg=norm).eval()
    norms = [m for m in model.modules() if isinstance(m, (nn.GroupNorm, nn.modules.batchnorm._BatchNorm))]
    expected = {'GN': nn.GroupNorm, 'SyncBN': nn.SyncBatchNorm, 'BN': nn.BatchNorm2d}[norm['type']]
    assert norms
    assert all(isinstance(m, expected) for m in norms)
    assert norms[0].eps == norm.get('eps', 1e-5)
    if norm['type'] == 'GN':
        assert 'gn1.weight' in model.state_dict()
        assert torch.isfinite(model(torch.randn(1, 3, 32, 32))[3]).all()


def test_norm_eval_keeps_statistics_and_train_returns_self() -> None:
    model = HRNet(arch=TINY, norm_eval=True)
    assert model.train() is model
    assert model.training
    before = model.bn1.running_mean.clone()
    model(torch.randn(2, 3, 32, 32))
    torch.testing.assert_close(model.bn1.running_mean, before)
    assert model.train(False) is model

    live = HRNet(arch=TINY).train()
    live(torch.randn(2, 3, 32, 32))
    assert not torch.equal(live.bn1.running_mean, before)


def test_frozen_stages() -> None:
    model = HRNet(arch=TINY, frozen_stages=2).train()
    frozen = {name.split('.')[0] for name, p in model.named_parameters() if not p.requires_grad}
    trained = {name.split('.')[0] for name, p in model.named_parameters() if p.requires_grad}
    assert frozen == {'conv1', 'bn1', 'conv2', 'bn2', 'layer1', 'transition1', 'stage2'}
    assert trained == {'transition2', 'stage3', 'transition3', 'stage4'}
    assert not model.stage2[0].branches[0][0].bn1.training
    assert model.stage3[0].branches[0][0].bn1.training


def test_every_parameter_gets_a_gradient() -> None:
    model = HRNet(arch=TINY)
    step(model, torch.randn(1, 3, 64, 64))
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_out_indices() -> None:
    full, some = HRNet(arch=TINY).eval(), HRNet(arch=TINY, out_indices=(0, 3)).eval()
    some.load_state_dict(full.state_dict())
    assert some.channels == (4, 10)
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected, maps = full(image), some(image)
    assert len(maps) == 2
    torch.testing.assert_close(maps[0], expected[0])
    torch.testing.assert_close(maps[1], expected[3])


def test_default_initialisation() -> None:
    model = HRNet(arch=TINY, norm_cfg=dict(type='GN', num_groups=2))
    nn.init.zeros_(model.gn1.weight)
    nn.init.zeros_(model.stage4[0].branches[3][0].conv1.weight)
    model.init_weights()
    assert torch.equal(model.gn1.weight, torch.ones(64))
    weight = model.stage4[0].branches[3][0].conv1.weight
    assert weight.std().item() == pytest.approx((2 / (10 * 9)) ** 0.5, rel=0.15)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(arch='w18-smal-v2'), "Did you mean 'w18-small-v2'"),
        (dict(arch=dict(stage1=TINY['stage1'])), 'exactly the keys'),
        (dict(arch={**TINY, 'stage2': {**TINY['stage2'], 'num_blocks': (1,)}}), r'stage2.*2 branches'),
        (dict(arch={**TINY, 'stage2': {**TINY['stage2'], 'block': 'BASICS'}}), "Did you mean 'BASIC'"),
        (dict(arch={**TINY, 'stage2': {**TINY['stage2'], 'channels': 3}}), 'expected'),
        (dict(upsample='bilinaer'), "Did you mean 'bilinear'"),
        (dict(frozen_stages=5), 'frozen_stages'),
        (dict(out_indices=(0, 4)), 'out_indices'),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HRNet(**arguments)
