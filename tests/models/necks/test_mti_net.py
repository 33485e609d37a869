"""MTI-Net: feature propagation against the definition, initial losses over scales, deep supervision."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtlbox.models import MultiTaskModel
from mtlbox.models.layers.multi_scale import FeaturePropagation
from mtlbox.models.necks import MTINet
from mtlbox.structures import MTLDataSample
from mtlbox.tasks import Task


def test_propagation_gates_over_tasks_and_excites_per_task() -> None:
    torch.manual_seed(0)
    names = ('semseg', 'depth')
    module = FeaturePropagation(tasks=names, channels=16).eval()
    features = {name: torch.randn(2, 16, 3, 4) for name in names}
    raw = module.gate(torch.cat(list(features.values()), 1))  # (B, 2 * 16, H, W)
    share = 1 / (1 + torch.exp(raw[:, 16:] - raw[:, :16]))  # softmax over two tasks, channel by channel
    shared = module.shared(torch.cat([features['semseg'] * share, features['depth'] * (1 - share)], 1))
    for name, out in module(features).items():
        squeeze = module.excite[name].gate
        inner = (shared.mean((2, 3)) @ squeeze[0].weight.t()).clamp(min=0)
        gate = 1 / (1 + torch.exp(-inner @ squeeze[2].weight.t()))
        torch.testing.assert_close(out, features[name] + shared * gate[:, :, None, None])


def test_coarser_scales_feed_finer_ones_only_with_propagation(
    tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    changed = [*pyramid[:3], pyramid[3] + 1]
    for propagation in (True, False):
        neck = MTINet(tasks=tasks, in_channels=in_channels, feature_propagation=propagation).eval()
        with torch.no_grad():
            one, other = neck(pyramid).auxiliaries, neck(changed).auxiliaries
        moved = {a.name for a, b in zip(one, other, strict=True) if not torch.equal(a.logits, b.logits)}
        assert moved == ({'initial_0', 'initial_1', 'initial_2', 'initial_3'} if propagation else {'initial_3'})
        for a in one:
            level = int(a.name[-1])
            assert a.logits.shape == (2, tasks[a.task].channels, 16 >> level, 24 >> level)


def test_coarse_features_of_a_task_reach_the_finer_ones_of_all(
    tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    torch.manual_seed(3)
    for propagation in (True, False):
        neck = MTINet(tasks=tasks, in_channels=in_channels, feature_propagation=propagation).eval()
        with torch.no_grad():
            before = neck(pyramid).auxiliaries
            changed = [v for n, v in neck.named_parameters() if n.startswith('multi_scale.scales.3') and '.depth.' in n]
            assert changed
            for value in changed:
                value.add_(torch.randn_like(value))
            after = neck(pyramid).auxiliaries
        moved = {(a.task, a.name) for a, b in zip(before, after, strict=True) if not torch.equal(a.logits, b.logits)}
        finer = {(key, f'initial_{level}') for key in tasks for level in range(3)}
        assert moved == ({('depth', 'initial_3')} | finer if propagation else {('depth', 'initial_3')})


def model_of(reduction: str) -> MultiTaskModel:
    torch.manual_seed(0)
    return MultiTaskModel(
        tasks={'depth': {'type': 'Depth'}, 'normals': {'type': 'Normals'}},
        backbone={'type': 'HRNet', 'arch': 'w18-small-v2'},
        neck={'type': 'MTINet', 'in_channels': (18, 36, 72, 144), 'initial_reduction': reduction},
        heads={'type': 'HighResolutionHead', 'in_channels': 270},
        losses={'depth': {'type': 'L1Loss'}, 'normals': {'type': 'CosineLoss'}},
    ).eval()


def test_initial_losses_are_averaged_over_four_scales() -> None:
    images = torch.randn(1, 3, 64, 64)
    sample = MTLDataSample(metainfo={'img_shape': (64, 64), 'ori_shape': (64, 64)})
    sample.set_maps('gt', {'depth': torch.rand(1, 64, 64) + 1, 'normals': torch.ones(3, 64, 64) / 3**0.5})
    averaged, summed = model_of('mean'), model_of('sum')
    with torch.no_grad():
        output = averaged.extract(images, [sample])
        mean, total = averaged.loss(images, [sample]), summed.loss(images, [sample])
    for task, loss in (('depth', 'l1'), ('normals', None)):
        names = sorted(name for name in mean if name.startswith(f'{task}/loss_initial_'))
        assert len(names) == 4
        assert sum(mean[name] for name in names) == pytest.approx(sum(total[name] for name in names) / 4)
        if loss:
            target = sample.map('gt', task)[None]
            by_hand = [
                (torch.nn.functional.interpolate(a.logits, size=(64, 64), mode='bilinear') - target).abs().mean()
                for a in output.auxiliaries
                if a.task == task
            ]
            assert sum(mean[name] for name in names).item() == pytest.approx(sum(by_hand).item() / 4, rel=1e-5)


def test_deep_supervision_reaches_every_scale(
    tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    neck = MTINet(tasks=tasks, in_channels=in_channels)
    output = neck(pyramid)
    torch.stack([a.logits.square().sum() for a in output.auxiliaries if a.task == 'normals']).sum().backward()
    for level, scale in enumerate(neck.multi_scale.scales):
        gradient = scale.blocks['normals'][0].conv1.conv.weight.grad
        assert gradient is not None and gradient.any(), level
        assert scale.predictors['normals'].weight.grad.any()
        assert scale.predictors['depth'].weight.grad is None
    assert all(x.grad is None for x in neck.distillation.parameters())


def test_reduction_is_checked(tasks: dict[str, Task], in_channels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"initial_reduction: .*got 'means'; meant 'mean'"):
        MTINet(tasks=tasks, in_channels=in_channels, initial_reduction='means')
