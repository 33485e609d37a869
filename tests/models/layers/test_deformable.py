"""Deformable 1x1 convolution: against a loop over pixels, against shifts, and against mmcv's operator."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mtlbox.models.layers.deformable import DeformableConv1x1, sample_at_offsets
from mtlbox.models.layers.deformable_mixer import DeformableMixerBlock, MixerOffsets


def by_definition(features: Tensor, offsets: Tensor) -> Tensor:
    """The four neighbours of each sampled place, one by one; those outside of the map count 0."""
    batch, channels, height, width = features.shape
    out = torch.zeros_like(features)
    for b, c, y, x in itertools.product(*map(range, (batch, channels, height, width))):
        down, right = y + offsets[b, 2 * c, y, x].item(), x + offsets[b, 2 * c + 1, y, x].item()
        top, left = math.floor(down), math.floor(right)
        for i, j in itertools.product((top, top + 1), (left, left + 1)):
            if 0 <= i < height and 0 <= j < width:
                out[b, c, y, x] += (1 - abs(down - i)) * (1 - abs(right - j)) * features[b, c, i, j]
    return out


def case(size: tuple[int, int] = (5, 7), dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 3, *size, generator=generator, dtype=dtype)
    return features, 2.5 * torch.randn(2, 6, *size, generator=generator, dtype=dtype)


@pytest.mark.parametrize('size', [(5, 7), (1, 4), (1, 1)])
def test_sampling_is_a_loop_over_pixels(size: tuple[int, int]) -> None:
    features, offsets = case(size)
    torch.testing.assert_close(sample_at_offsets(features, offsets), by_definition(features, offsets))


def test_a_whole_step_is_a_shift_of_its_channel_alone() -> None:
    features, offsets = case()
    offsets.zero_()
    offsets[:, 2] = 1  # channel 1 is read one row below
    offsets[:, 5] = -2  # channel 2 two columns to the left
    expected = features.clone()
    expected[:, 1] = F.pad(features[:, 1, 1:], (0, 0, 0, 1))
    expected[:, 2] = F.pad(features[:, 2, :, :-2], (2, 0))
    torch.testing.assert_close(sample_at_offsets(features, offsets), expected)


def test_gradients_of_the_offsets() -> None:
    features, offsets = case((3, 4))
    assert torch.autograd.gradcheck(sample_at_offsets, (features.requires_grad_(), offsets.requires_grad_()))


def test_offsets_of_another_shape_are_refused() -> None:
    features, offsets = case()
    with pytest.raises(ValueError, match=r'expected offsets \(B, 2 \* C, H, W\) = \(2, 6, 5, 7\).*got \(2, 3, 5, 7\)'):
        sample_at_offsets(features, offsets[:, :3])


def test_the_layer_samples_and_convolves() -> None:
    features, offsets = case()
    layer = DeformableConv1x1(channels=3, impl='torch').double()
    expected = torch.einsum('oc,bchw->bohw', layer.conv.weight[..., 0, 0], by_definition(features, offsets))
    torch.testing.assert_close(layer(features, offsets), expected + layer.conv.bias[:, None, None])


def test_an_unknown_impl_is_refused() -> None:
    with pytest.raises(ValueError, match=r"impl: expected one of .*got 'torhc'; meant 'torch'\?"):
        DeformableConv1x1(channels=3, impl='torhc')


def has_compiled_operators() -> bool:
    try:
        import mmcv.ops  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.mark.skipif(has_compiled_operators(), reason='mmcv has compiled operators')
def test_a_missing_operator_is_named() -> None:
    with pytest.raises(ImportError, match=r"pip install -e .\[ops\].*impl='torch', which gives the same"):
        DeformableConv1x1(channels=3, impl='mmcv')
    assert DeformableConv1x1(channels=3, impl='auto').op is None


@pytest.mark.skipif(not has_compiled_operators(), reason='mmcv has no compiled operators')
def test_the_compiled_operator_is_the_same_function() -> None:
    layers = [DeformableConv1x1(channels=3, impl=impl) for impl in ('torch', 'mmcv')]
    layers[1].load_state_dict(layers[0].state_dict())
    results = []
    for layer in layers:
        inputs = [x.requires_grad_() for x in case(dtype=torch.float32)]
        out = layer(*inputs)
        results.append([out.detach(), *torch.autograd.grad(out.cos().sum(), [*inputs, *layer.parameters()])])
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def places(height: int, width: int, absolute: bool) -> Tensor:
    """The 18 channels by their definition: rows and then columns of a 3x3 neighbourhood."""
    out = torch.zeros(18, height, width)
    for i, (down, right) in enumerate(itertools.product((-1, 0, 1), (-1, 0, 1))):
        for y, x in itertools.product(range(height), range(width)):
            out[i, y, x] = down + (1 + y if absolute else 0)
            out[9 + i, y, x] = right + (1 + x if absolute else 0)
    return out


@pytest.mark.parametrize('absolute', [True, False])
def test_offsets_are_two_convolutions_with_places_between(absolute: bool) -> None:
    torch.manual_seed(0)
    offsets = MixerOffsets(channels=4, absolute_coords=absolute)
    assert not offsets.points.weight.any() and offsets.points.bias.any()
    torch.nn.init.normal_(offsets.points.weight)
    x = torch.randn(2, 4, 5, 6)
    between = F.conv2d(x, offsets.points.weight, offsets.points.bias, padding=1) + places(5, 6, absolute)
    weight, bias = offsets.spread.weight, offsets.spread.bias
    halves = [
        F.conv2d(between[:, half * 9 : half * 9 + 9], weight[half * 4 : half * 4 + 4], bias[half * 4 : half * 4 + 4],
                 padding=1)
        for half in (0, 1)
    ]  # fmt: skip
    torch.testing.assert_close(offsets(x), torch.cat(halves, dim=1))


def test_offsets_keep_float32_under_autocast() -> None:
    torch.manual_seed(0)
    offsets = MixerOffsets(channels=4, absolute_coords=True)
    x = torch.randn(1, 4, 5, 200)
    expected = offsets(x)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(offsets(x), expected)


@pytest.mark.parametrize('order', ['code', 'paper'])
def test_order_of_the_mixer(order: str) -> None:
    torch.manual_seed(0)
    block = DeformableMixerBlock(channels=4, order=order).eval()
    x = torch.randn(2, 4, 5, 6)

    def plain(y: Tensor) -> Tensor:
        return block.mix_channels[2](F.gelu(block.mix_channels[0](y)))

    def deformable(y: Tensor) -> Tensor:
        return y + block.after_deform[1](F.gelu(block.deform(y, block.offsets(y))))

    expected = deformable(plain(x)) if order == 'code' else plain(deformable(x))
    torch.testing.assert_close(block(x), expected)
    assert not torch.allclose(expected, plain(deformable(x)) if order == 'code' else deformable(plain(x)))
