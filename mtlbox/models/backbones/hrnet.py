"""HRNet: parallel branches at strides 4, 8, 16 and 32 that exchange their maps again and again.

Sun et al., "High-Resolution Representations for Labeling Pixels and Regions", arXiv 1904.04514; Wang et al., "Deep
High-Resolution Representation Learning for Visual Recognition", TPAMI 2020. Official repositories:
https://github.com/HRNet/HRNet-Image-Classification and https://github.com/HRNet/HRNet-Semantic-Segmentation.

The names of parameters and buffers are those of the official code and of OpenMMLab's, so both kinds of weights fit.

Intended deviations:

* Coarser maps are upsampled to the size of the map they are added to, so that any image size works (425×560); factors
  of two, as in the official code, need multiples of 32. Where the size is a multiple of 32 both agree.
* The official classification code upsamples ``nearest`` and the official segmentation code ``bilinear``; here it is a
  switch, bilinear by default.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mtlbox.models.layers.recompute import recompute
from mtlbox.registry import BACKBONES, did_you_mean

UPSAMPLE_MODES = ('bilinear', 'nearest')
_OFFICIAL_HEADS = ('incre_modules.', 'downsamp_modules.', 'final_layer.', 'last_layer.', 'classifier.')


def convert_official_keys(state_dict: Mapping[str, Tensor]) -> OrderedDict[str, Tensor]:
    """Turn the weights of the official HRNet repositories into weights of :class:`HRNet`.

    The prefix of a wrapper (``module.``, ``model.``, ``backbone.``) that all entries share is removed, and what
    follows the backbone (``incre_modules``, ``downsamp_modules``, ``final_layer``, ``last_layer``, ``classifier``)
    is dropped. All other names are the same.
    """
    converted = OrderedDict(state_dict)
    stripped = True
    while stripped and converted:
        stripped = False
        for prefix in ('module.', 'model.', 'backbone.'):
            if all(key.startswith(prefix) for key in converted):
                converted = OrderedDict((key[len(prefix) :], value) for key, value in converted.items())
                stripped = True
    return OrderedDict((key, value) for key, value in converted.items() if not key.startswith(_OFFICIAL_HEADS))


@dataclass(frozen=True)
class _Stage:
    """Settings of one stage: modules in a row, and per branch its blocks per module and its base channels."""

    num_modules: int
    block: str
    num_blocks: tuple[int, ...]
    num_channels: tuple[int, ...]

    @property
    def out_channels(self) -> tuple[int, ...]:
        return tuple(channels * _BLOCKS[self.block].expansion for channels in self.num_channels)


def _preset(width: int, stem: tuple[int, int], blocks: int, modules: tuple[int, int, int]) -> tuple[_Stage, ...]:
    """Stages of width ``width``; ``stem`` is (blocks, channels) of stage 1, ``modules`` counts stages 2 to 4."""
    stages = [_Stage(1, 'BOTTLENECK', (stem[0],), (stem[1],))]
    for branches, num_modules in enumerate(modules, start=2):
        channels = tuple(width * 2**i for i in range(branches))
        stages.append(_Stage(num_modules, 'BASIC', (blocks,) * branches, channels))
    return tuple(stages)


_PRESETS: dict[str, tuple[_Stage, ...]] = {
    'w18-small-v1': _preset(16, (1, 32), 2, (1, 1, 1)),
    'w18-small-v2': _preset(18, (2, 64), 2, (1, 3, 2)),
    'w18': _preset(18, (4, 64), 4, (1, 4, 3)),
    'w32': _preset(32, (4, 64), 4, (1, 4, 3)),
    'w48': _preset(48, (4, 64), 4, (1, 4, 3)),
}


def _parse_arch(arch: str | Mapping[str, Mapping[str, Any]]) -> tuple[_Stage, ...]:
    """Return the settings of the four stages, or raise ``ValueError`` that names what is wrong."""
    if isinstance(arch, str):
        if arch not in _PRESETS:
            raise ValueError(f'arch={arch!r} is not a preset of HRNet.{did_you_mean(arch, _PRESETS)}')
        return _PRESETS[arch]
    names = [f'stage{i}' for i in range(1, 5)]
    if sorted(arch) != names:
        raise ValueError(f'arch, as a dict, needs exactly the keys {names}, and has {sorted(arch)}.')
    stages = []
    for branches, name in enumerate(names, start=1):
        given = dict(arch[name])
        stated = given.pop('num_branches', branches)
        try:
            stage = _Stage(**given)
        except TypeError as error:
            expected = [*_Stage.__dataclass_fields__, 'num_branches (optional)']
            raise ValueError(f'arch[{name!r}] has the keys {sorted(arch[name])}; expected {expected}.') from error
        if stage.block not in _BLOCKS:
            raise ValueError(f'arch[{name!r}]: block={stage.block!r} is unknown.{did_you_mean(stage.block, _BLOCKS)}')
        if not stated == len(stage.num_blocks) == len(stage.num_channels) == branches:
            raise ValueError(
                f'arch[{name!r}] must have {branches} branches; given num_branches={stated}, '
                f'{len(stage.num_blocks)} entries in num_blocks and {len(stage.num_channels)} in num_channels.'
            )
        stages.append(_Stage(stage.num_modules, stage.block, tuple(stage.num_blocks), tuple(stage.num_channels)))
    return tuple(stages)


def _conv_norm(
    norm_cfg: dict, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1
) -> list[nn.Module]:
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=False)
    return [conv, build_norm_layer(norm_cfg, out_channels)[1]]


class _Block(nn.Module):
    """A residual block; subclasses list the kernel sizes of its convolutions.

    Args:
        in_channels: Channels of the input.
        channels: Base channels; the output has ``expansion`` times as many.
        norm_cfg: Normalisation layer, mmcv's ``norm_cfg``.
        with_cp: Recompute activations in the backward pass instead of keeping them.
    """

    expansion: int
    kernel_sizes: tuple[int, ...]

    def __init__(self, *, in_channels: int, channels: int, norm_cfg: dict, with_cp: bool) -> None:
        super().__init__()
        self.with_cp = with_cp
        out_channels = channels * self.expansion
        widths = [in_channels, *[channels] * (len(self.kernel_sizes) - 1), out_channels]
        self.norm_names: list[str] = []
        for i, kernel_size in enumerate(self.kernel_sizes):
            name, norm = build_norm_layer(norm_cfg, widths[i + 1], postfix=i + 1)
            conv = nn.Conv2d(widths[i], widths[i + 1], kernel_size, padding=kernel_size // 2, bias=False)
            self.add_module(f'conv{i + 1}', conv)
            self.add_module(name, norm)
            self.norm_names.append(name)
        self.downsample = None
        if in_channels != out_channels:
            self.downsample = nn.Sequential(*_conv_norm(norm_cfg, in_channels, out_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, in_channels, H, W)`` to ``(B, channels * expansion, H, W)``."""
        return recompute(self, self._forward, x, enabled=self.with_cp)

    def _forward(self, x: Tensor) -> Tensor:
        out = x
        for i, name in enumerate(self.norm_names, start=1):
            if i > 1:
                out = F.relu(out, inplace=True)
            out = getattr(self, name)(getattr(self, f'conv{i}')(out))
        # Fresh from the norm layer, which keeps its input and not its output: it may be added to in place.
        out += x if self.downsample is None else self.downsample(x)
        return F.relu(out, inplace=True)


class _BasicBlock(_Block):
    expansion = 1
    kernel_sizes = (3, 3)


class _Bottleneck(_Block):
    expansion = 4
    kernel_sizes = (1, 3, 1)


_BLOCKS: dict[str, type[_Block]] = {'BASIC': _BasicBlock, 'BOTTLENECK': _Bottleneck}


def _branch(
    block: str, num_blocks: int, in_channels: int, channels: int, norm_cfg: dict, with_cp: bool
) -> nn.Sequential:
    cls = _BLOCKS[block]
    inputs = [in_channels, *[channels * cls.expansion] * (num_blocks - 1)]
    return nn.Sequential(*(cls(in_channels=c, channels=channels, norm_cfg=norm_cfg, with_cp=with_cp) for c in inputs))


def _downsampler(in_channels: int, out_channels: int, steps: int, norm_cfg: dict, last_relu: bool) -> nn.Sequential:
    """``steps`` 3×3 convolutions of stride 2; the last one changes the number of channels."""
    layers = []
    for k in range(steps):
        last = k == steps - 1
        layer = _conv_norm(norm_cfg, in_channels, out_channels if last else in_channels, 3, stride=2)
        layers.append(nn.Sequential(*layer, *([] if last and not last_relu else [nn.ReLU(inplace=True)])))
    return nn.Sequential(*layers)


class _HRModule(nn.Module):
    """Blocks on every branch, then every branch receives the sum of all of them.

    Args:
        stage: Settings of the stage.
        norm_cfg: Normalisation layer, mmcv's ``norm_cfg``.
        upsample: How coarser maps are enlarged, one of :data:`UPSAMPLE_MODES`.
        with_cp: See :class:`HRNet`.
    """

    def __init__(self, *, stage: _Stage, norm_cfg: dict, upsample: str, with_cp: bool) -> None:
        super().__init__()
        self.upsample = upsample
        channels = stage.out_channels
        self.branches = nn.ModuleList(
            _branch(stage.block, stage.num_blocks[i], channels[i], stage.num_channels[i], norm_cfg, with_cp)
            for i in range(len(channels))
        )
        self.fuse_layers = nn.ModuleList()
        for i, target in enumerate(channels):
            row = nn.ModuleList()
            for j, source in enumerate(channels):
                if j > i:
                    row.append(nn.Sequential(*_conv_norm(norm_cfg, source, target, 1)))
                elif j < i:
                    row.append(_downsampler(source, target, i - j, norm_cfg, last_relu=False))
                else:
                    row.append(nn.Identity())
            self.fuse_layers.append(row)

    def forward(self, maps: Sequence[Tensor], wanted: Sequence[int] | None = None) -> list[Tensor]:
        """Map the branches ``(B, C_i, H_i, W_i)`` to the fused ones, of the same shapes.

        Args:
            maps: One map per branch.
            wanted: Branches to return, all by default.
        """
        maps = [branch(x) for branch, x in zip(self.branches, maps)]
        return [self._fuse(i, maps) for i in (range(len(maps)) if wanted is None else wanted)]

    def _fuse(self, i: int, maps: list[Tensor]) -> Tensor:
        total: Tensor | None = None
        for j, x in enumerate(maps):
            if j == i:
                continue
            term = self.fuse_layers[i][j](x)  # type: ignore[index]
            if j > i:
                align_corners = None if self.upsample == 'nearest' else False
                term = F.interpolate(term, size=maps[i].shape[2:], mode=self.upsample, align_corners=align_corners)
            # Every term is fresh and nothing keeps it for the backward pass: the sum grows in the first one.
            total = term if total is None else total.add_(term)
        if total is None:
            raise RuntimeError('A module of HRNet has at least two branches.')
        return F.relu(total.add_(maps[i]), inplace=True)


@BACKBONES.register_module()
class HRNet(BaseModule):
    """HRNet with presets W18-small-v1/v2, W18, W32, W48; four maps at strides 4, 8, 16, 32, for any image size.

    Args:
        arch: A preset, or settings ``dict(stage1=..., ..., stage4=...)`` where each stage is a dict with
            ``num_modules``, ``block`` (``'BASIC'`` or ``'BOTTLENECK'``), ``num_blocks`` and ``num_channels`` (one
            entry per branch; stage ``i`` has ``i`` branches).
        in_channels: Channels of the image.
        norm_cfg: Normalisation layer, mmcv's ``norm_cfg``, by default ``dict(type='BN')``; ``SyncBN``, ``GN``, ...
        norm_eval: Keep batch normalisation in evaluation mode (stored statistics) while training.
        frozen_stages: Stages without gradient: none (-1), the stem (0), stage 1 too (1), up to all (4).
        with_cp: Recompute the activations inside blocks in the backward pass: less memory, more time, same result.
        upsample: How coarser maps are enlarged before they are added: ``'bilinear'`` (segmentation) or ``'nearest'``
            (the official classification code).
        out_indices: Which of the four maps are returned. The layers that only serve other maps of the last module
            are not run and get no gradient.
        init_cfg: Initialisation, mmengine's ``init_cfg``; by default Kaiming for convolutions, ones for norms.

    Attributes:
        channels: Channels of the returned maps.
        out_channels: The same, under the name that OpenMMLab's necks look for.

    Raises:
        ValueError: ``arch``, ``upsample``, ``frozen_stages`` or ``out_indices`` is not as described.
    """

    def __init__(
        self,
        *,
        arch: str | Mapping[str, Mapping[str, Any]] = 'w18-small-v2',
        in_channels: int = 3,
        norm_cfg: dict | None = None,
        norm_eval: bool = False,
        frozen_stages: int = -1,
        with_cp: bool = False,
        upsample: str = 'bilinear',
        out_indices: Sequence[int] = (0, 1, 2, 3),
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if init_cfg is None:
            init_cfg = [
                dict(type='Kaiming', layer='Conv2d'),
                dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm']),
            ]
        super().__init__(init_cfg)
        if upsample not in UPSAMPLE_MODES:
            raise ValueError(f'upsample={upsample!r} is unknown.{did_you_mean(str(upsample), UPSAMPLE_MODES)}')
        if frozen_stages not in range(-1, 5):
            raise ValueError(f'frozen_stages must be -1 (none) to 4 (all), and is {frozen_stages}.')
        if not out_indices or any(i not in range(4) for i in out_indices):
            raise ValueError(f'out_indices must be some of 0, 1, 2, 3, and is {tuple(out_indices)}.')
        stages = _parse_arch(arch)
        norm_cfg = dict(type='BN') if norm_cfg is None else norm_cfg
        self.norm_eval = norm_eval
        self.frozen_stages = frozen_stages
        self.out_indices = tuple(out_indices)
        self.channels: tuple[int, ...] = tuple(stages[-1].out_channels[i] for i in self.out_indices)
        self.out_channels = self.channels

        self.norm_names: list[str] = []
        for i, channels in enumerate((in_channels, 64), start=1):
            self.add_module(f'conv{i}', nn.Conv2d(channels, 64, 3, stride=2, padding=1, bias=False))
            name, norm = build_norm_layer(norm_cfg, 64, postfix=i)
            self.add_module(name, norm)
            self.norm_names.append(name)
        first = stages[0]
        self.layer1 = _branch(first.block, first.num_blocks[0], 64, first.num_channels[0], norm_cfg, with_cp)
        for i, (before, stage) in enumerate(pairwise(stages), start=1):
            self.add_module(f'transition{i}', _transition(before.out_channels, stage.out_channels, norm_cfg))
            modules = [
                _HRModule(stage=stage, norm_cfg=norm_cfg, upsample=upsample, with_cp=with_cp)
                for _ in range(stage.num_modules)
            ]
            self.add_module(f'stage{i + 1}', nn.ModuleList(modules))
        self._freeze()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map images ``(B, in_channels, H, W)`` to maps ``(B, channels[i], ~H/2^(i+2), ~W/2^(i+2))``.

        Sizes are rounded up at each halving: 425×560 gives 107×140, 54×70, 27×35, 14×18.
        """
        for i, name in enumerate(self.norm_names, start=1):
            x = F.relu(getattr(self, name)(getattr(self, f'conv{i}')(x)), inplace=True)
        maps: list[Tensor] = [self.layer1(x)]
        for i in range(1, 4):
            transition, modules = getattr(self, f'transition{i}'), getattr(self, f'stage{i + 1}')
            maps = [layer(maps[min(j, len(maps) - 1)]) for j, layer in enumerate(transition)]
            for k, module in enumerate(modules):
                last = i == 3 and k == len(modules) - 1
                maps = module(maps, self.out_indices if last else None)
        return tuple(maps)

    def train(self, mode: bool = True) -> HRNet:
        """Set training mode, but for the norm layers that ``norm_eval`` and ``frozen_stages`` keep; return ``self``."""
        super().train(mode)
        if mode:
            kept: list[nn.Module] = [self] if self.norm_eval else self._frozen_modules()
            for parent in kept:
                for module in parent.modules():
                    if isinstance(module, _BatchNorm):
                        module.eval()
        return self

    def _frozen_modules(self) -> list[nn.Module]:
        names = []
        if self.frozen_stages >= 0:
            names += ['conv1', 'conv2', *self.norm_names]
        if self.frozen_stages >= 1:
            names += ['layer1']
        for i in range(2, self.frozen_stages + 1):
            names += [f'transition{i - 1}', f'stage{i}']
        return [getattr(self, name) for name in names]

    def _freeze(self) -> None:
        for module in self._frozen_modules():
            module.requires_grad_(False)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        # The official ImageNet weights end in a classifier, which a backbone has no use for.
        for key in [key for key in state_dict if key.startswith(tuple(prefix + head for head in _OFFICIAL_HEADS))]:
            del state_dict[key]
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _transition(before: tuple[int, ...], after: tuple[int, ...], norm_cfg: dict) -> nn.ModuleList:
    """From the branches of one stage to those of the next, one more: its map comes from the coarsest one so far."""
    layers: list[nn.Module] = [
        nn.Identity() if source == target else nn.Sequential(*_conv_norm(norm_cfg, source, target, 3), nn.ReLU(True))
        for source, target in zip(before, after)
    ]
    layers.append(_downsampler(before[-1], after[-1], len(after) - len(before), norm_cfg, last_relu=True))
    return nn.ModuleList(layers)
