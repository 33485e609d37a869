"""Heads whose logits are enlarged, against the written-out layers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mtlbox.models.heads import DeepLabHead, HighResolutionHead, NarrowingHead
from mtlbox.structures import MTLDataSample
from mtlbox.tasks import build_tasks

TASKS = build_tasks({'semseg': {'type': 'SemSeg', 'num_classes': 5}, 'depth': {'type': 'Depth'}})


def enlarged(x: Tensor) -> Tensor:
    """Twice the size with corners aligned: output i lies at i * (h - 1) / (2h - 1)."""
    for dim in (2, 3):
        old = x.shape[dim]
        place = torch.arange(2 * old) * (old - 1) / (2 * old - 1)
        low = place.floor().long().clamp(max=old - 2)
        share = (place - low).reshape(-1, *[1] * (3 - dim))
        x = x.index_select(dim, low) * (1 - share) + x.index_select(dim, low + 1) * share
    return x


def test_classes_are_predicted_small_and_enlarged() -> None:
    torch.manual_seed(0)
    head = HighResolutionHead(task=TASKS['semseg'], losses=[], in_channels=8, bias=False, upsample=2).eval()
    assert {name for name, _ in head.named_parameters()} == {
        *('fuse.0.weight', 'fuse.1.weight', 'fuse.1.bias', 'predictor.weight', 'predictor.bias')
    }
    x = torch.randn(2, 8, 3, 4)
    with torch.no_grad():
        torch.testing.assert_close(head(x), enlarged(head.predictor(head.fuse(x))), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('positive', [True, False])
def test_depth_is_narrowed_with_the_enlargement_after_the_first_convolution(positive: bool) -> None:
    torch.manual_seed(0)
    head = NarrowingHead(
        task=TASKS['depth'], losses=[], in_channels=8, mid_channels=(6, 4), upsample=2, positive=positive
    )
    assert sum(p.numel() for p in head.parameters()) == 8 * 6 + 6 + 6 * 4 + 4 + 4 + 1
    x = 3 * torch.randn(2, 8, 3, 4)
    with torch.no_grad():
        head.predictor.bias.zero_()
        first = enlarged(F.conv2d(x, head.enter.weight, head.enter.bias))
        second = F.conv2d(first, head.narrow.weight, head.narrow.bias).clamp(min=0)
        expected = F.conv2d(second, head.predictor.weight, head.predictor.bias)
        assert (expected < 0).any()
        expected = expected.clamp(min=0) if positive else expected
        torch.testing.assert_close(head(x), expected, rtol=1e-4, atol=1e-5)


def test_a_positive_head_starts_with_a_gradient() -> None:
    for seed in range(20):
        torch.manual_seed(seed)
        head = NarrowingHead(task=TASKS['depth'], losses=[], in_channels=256)
        head(torch.randn(1, 256, 4, 4)).sum().backward()
        assert head.enter.weight.grad.any(), seed


@pytest.mark.parametrize('key', ['semseg', 'depth'])
def test_a_nan_names_its_image(key: str) -> None:
    head = HighResolutionHead(task=TASKS[key], losses=[], in_channels=8)
    logits = torch.zeros(2, TASKS[key].channels, 2, 3)
    logits[1, 0, 0, 0] = float('nan')
    samples = [
        MTLDataSample(metainfo={'sample_id': name, 'img_shape': (4, 6), 'ori_shape': (4, 6)})
        for name in ('good', 'bad')
    ]
    assert len(head.predict_by_feat(logits[:1], samples[:1])) == 1
    with pytest.raises(ValueError, match=f'{key} of image bad: the prediction has NaN'):
        head.predict_by_feat(logits, samples)


def test_deeplab_reads_one_map_at_several_rates() -> None:
    """Against the written-out layers; a branch of rate r sees pixels r apart, and the mean sees all."""
    torch.manual_seed(0)
    head = DeepLabHead(task=TASKS['semseg'], losses=[], in_channels=6, channels=4, rates=(2, 3)).eval()
    x = torch.randn(2, 6, 9, 7)

    def layer(module: torch.nn.Module, x: Tensor, rate: int = 1) -> Tensor:
        weight = module.conv.weight
        return F.relu(module.bn(F.conv2d(x, weight, padding=rate * (weight.shape[-1] // 2), dilation=rate)))

    with torch.no_grad():
        aspp = head.aspp
        parts = [layer(branch, x, rate) for branch, rate in zip(aspp.branches, (1, 2, 3), strict=True)]
        parts.append(layer(aspp.mean, F.adaptive_avg_pool2d(x, 1)).expand(-1, -1, 9, 7))
        expected = head.predictor(layer(head.conv, layer(aspp.project, torch.cat(parts, dim=1))))
        torch.testing.assert_close(head(x), expected, rtol=1e-4, atol=1e-5)
        assert head(x).shape == (2, 5, 9, 7)
