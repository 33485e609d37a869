"""CTAL at several scales of prediction, and at other scales of the affinity."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from mtlbox.models.necks import CTAL, CTALMultiScale
from mtlbox.tasks import Task


def test_affinity_at_another_scale_is_resampling_around_it(
    tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    """Exactly what the docstring says, with torch's own resampling."""
    neck = CTAL(
        tasks=tasks,
        in_channels=in_channels,
        feature_size=(16, 24),
        affinity_stride=8,
        channels=8,
        initial_channels=12,
        initial_mid_channels=4,
        gamma=0.5,
    ).eval()
    assert neck.affinity.size == (8, 12)
    initial, _ = neck.initial(pyramid)
    small = {
        key: interpolate(neck.reduce[key](x), size=(8, 12), mode='bilinear', align_corners=False)
        for key, x in initial.items()
    }
    for key, x in neck.affinity(small).items():
        expected = neck.post[key](interpolate(x, size=(16, 24), mode='bilinear', align_corners=False))
        torch.testing.assert_close(neck(pyramid).features[key], expected)
        assert expected.shape == (2, 8, 32, 48)


def test_deep_supervision_at_four_scales_and_the_fusion_of_them(
    tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    neck = CTALMultiScale(tasks=tasks, in_channels=in_channels, feature_size=(16, 24), channels=8)
    output = neck(pyramid)
    assert [a.weight for a in output.auxiliaries] == [0.25] * 12
    assert len({(a.task, a.name) for a in output.auxiliaries}) == 12
    torch.stack([a.logits.square().sum() for a in output.auxiliaries if a.task == 'depth']).sum().backward()
    for scale in neck.multi_scale.scales:
        assert scale.blocks['depth'][1].conv2.conv.weight.grad.any()
        assert scale.predictors['semseg'].weight.grad is None
    assert all(x.grad is None for x in [*neck.affinity.parameters(), *neck.fuse.parameters()])
    neck(pyramid).features['depth'].square().sum().backward()
    fused = neck.fuse.fuse['depth'][0].weight.grad.squeeze(-1).squeeze(-1)  # (sum of C_i, sum of C_i)
    assert all(part.any() for part in fused.split(in_channels, dim=1))  # each scale is read


def test_wrong_sizes_and_strides(tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]) -> None:
    neck = CTALMultiScale(tasks=tasks, in_channels=in_channels, feature_size=(16, 20), channels=8)
    advice = r'16x24: .* --cfg-options model.neck.feature_size=16,24'
    with pytest.raises(ValueError, match=rf'feature_size=\(16, 20\), images of 64x80, .*{advice}'):
        neck(pyramid)
    with pytest.raises(ValueError, match=r'affinity_stride: expected 4 .* or more, got 2'):
        CTALMultiScale(tasks=tasks, in_channels=in_channels, feature_size=(16, 20), affinity_stride=2)
