"""A pyramid from one map: what each of its maps sees."""

from __future__ import annotations

import torch
from torch import nn

from mtlbox.models.backbones import SimplePyramid
from mtlbox.registry import BACKBONES

VIT = {'embed_dims': 8, 'num_layers': 1, 'num_heads': 2, 'feedforward_channels': 16}


class Passing(nn.Module):
    """Two maps, of which the last is the input."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return x.new_zeros(1), x


def test_maps_come_from_the_last_one() -> None:
    torch.manual_seed(0)
    pyramid = SimplePyramid(backbone={'type': 'HRNet'}, in_channels=4).eval()
    pyramid.backbone = Passing()
    x = torch.randn(1, 4, 5, 3)
    with torch.no_grad():
        fine, double, same, half = pyramid(x)
        assert same is x
        assert (fine.shape, double.shape, half.shape) == ((1, 4, 20, 12), (1, 4, 10, 6), (1, 4, 3, 2))
        x[:, :, 2, 1] += 1
        changed = [
            (after - before).abs().sum(1)[0] > 0 for after, before in zip(pyramid(x), (fine, double, same, half))
        ]
    assert changed[0].nonzero()[:, 0].unique().tolist() == [8, 9, 10, 11]
    assert changed[0].nonzero()[:, 1].unique().tolist() == [4, 5, 6, 7]
    assert changed[1].sum() == 4 and changed[1][4:6, 2:4].all()
    # Row 2 is the middle of what row 1 sees; column 1 is at the border of what both columns see.
    assert changed[3].sum() == 2 and changed[3][1, :].all()


def test_of_a_transformer_at_a_size_that_is_no_multiple() -> None:
    vit = {'type': 'mmpretrain.VisionTransformer', 'arch': VIT, 'img_size': 64, 'out_type': 'featmap'}
    pyramid = BACKBONES.build({'type': 'SimplePyramid', 'in_channels': 8, 'backbone': {**vit, 'out_indices': (0,)}})
    maps = pyramid(torch.rand(2, 3, 70, 64))
    assert [tuple(x.shape) for x in maps] == [(2, 8, 20, 16), (2, 8, 10, 8), (2, 8, 5, 4), (2, 8, 3, 2)]
    sum(x.sum() for x in maps).backward()
    assert all(p.grad is not None for p in pyramid.by_four.parameters())
