"""Backbones of the package timm, by name: their maps at several strides, and weights by our own loader.

R. Wightman, PyTorch Image Models, https://github.com/huggingface/pytorch-image-models
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from mtlbox.compat import ensure_torchvision
from mtlbox.registry import BACKBONES, did_you_mean

_PARTS = {
    '_conv_stem': 'conv_stem',
    '_bn0': 'bn1',
    '_conv_head': 'conv_head',
    '_bn1': 'bn2',
    '_fc': 'classifier',
}
_PARTS_OF_A_BLOCK = {
    '_expand_conv': 'conv_pw',
    '_bn0': 'bn1',
    '_depthwise_conv': 'conv_dw',
    '_bn1': 'bn2',
    '_project_conv': 'conv_pwl',
    '_bn2': 'bn3',
}
_PARTS_OF_AN_UNEXPANDED_BLOCK = {
    '_depthwise_conv': 'conv_dw',
    '_bn1': 'bn1',
    '_project_conv': 'conv_pw',
    '_bn2': 'bn2',
}
"""Names of EfficientNet-PyTorch, https://github.com/lukemelas/EfficientNet-PyTorch, and timm's for the same."""
_OURS = {
    'pretrained': 'weights come by init_cfg',
    'features_only': 'only maps are returned',
    'out_indices': 'give out_indices itself',
    'in_chans': 'give in_channels',
}
"""Arguments of ``timm.create_model`` that are no options, and why."""


@BACKBONES.register_module()
class TimmBackbone(BaseModule):
    """A model of timm without its classifier, that returns its maps.

    Weights come by ``init_cfg=dict(type='Pretrained', checkpoint=...)``: a file or address of whole models of timm (the
    classifier is left out), or of EfficientNet-PyTorch. Nothing is downloaded otherwise.

    Args:
        arch: Name of a model in timm, such as ``'tf_efficientnet_lite0'`` or ``'convnext_tiny'``.
        out_indices: Which of the model's maps are returned, finest first, each once; -1 is the last. Most convolutional
            models have five, at strides 2 to 32.
        in_channels: Channels of the image.
        options: Further arguments of the model, as ``timm.create_model`` takes them (``drop_path_rate``,
            ``img_size``, ...).
        with_cp: Recompute activations in the backward pass instead of keeping them, as timm does it: most models do,
            some (HRNet, PiT) cannot. The running statistics of batch norms in it take each batch twice.
        init_cfg: Initialisation as in mmengine; timm's own where not given.

    Attributes:
        channels: Channels of the returned maps.
        strides: Pixels of the image by which two neighbours in a map are apart, for each map.

    Raises:
        ImportError: timm is not installed.
        ValueError: timm has no such model, the model has no such maps or cannot recompute, or an option is an argument
            of this class.
    """

    def __init__(
        self,
        *,
        arch: str,
        out_indices: Sequence[int] = (1, 2, 3, 4),
        in_channels: int = 3,
        options: Mapping[str, Any] | None = None,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        options, indices = options or {}, tuple(out_indices)
        for name in options:
            if name in _OURS:
                raise ValueError(f'options: {name!r} cannot be set here: {_OURS[name]}')
        in_order = f'out_indices: expected maps from the finest to the coarsest, each once, got {indices}'
        if not indices or len(set(indices)) < len(indices):
            raise ValueError(in_order)
        ensure_torchvision()
        try:
            import timm
        except ImportError as error:
            raise ImportError(
                f"TimmBackbone(arch={arch!r}) needs the package timm: pip install 'mtlbox[timm]' ({error})"
            ) from error
        if not timm.is_model(arch):
            raise ValueError(f'timm {timm.__version__} has no model {arch!r}.{did_you_mean(arch, timm.list_models())}')
        try:
            self.model: nn.Module = timm.create_model(
                arch,
                pretrained=False,
                features_only=True,
                out_indices=indices,
                in_chans=in_channels,
                **options,
            )
        except (IndexError, AssertionError) as error:
            raise ValueError(f'{arch!r} has no maps out_indices={indices}: {error}') from error
        info: Any = self.model.feature_info
        places = [index % len(info) for index in indices]
        if places != sorted(set(places)):
            raise ValueError(in_order)
        if with_cp:
            self._recompute(arch)
        self.channels: tuple[int, ...] = tuple(info.channels())
        self.out_channels = self.channels
        self.strides: tuple[int, ...] = tuple(info.reduction())
        self.channels_come_last = getattr(self.model, 'output_fmt', 'NCHW') == 'NHWC'  # as in timm's Swin

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Images ``(B, in_channels, H, W)`` to maps ``(B, channels[i], ~H/strides[i], ~W/strides[i])``."""
        maps = self.model(x)  # (B, C, H, W) each, or (B, H, W, C)
        return tuple(x.permute(0, 3, 1, 2) for x in maps) if self.channels_come_last else tuple(maps)

    def convert_weights(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights of a whole model under this backbone's names; see ``PretrainedInit``."""
        own = self.state_dict()
        depths = [len(stage) for stage in getattr(self.model, 'blocks', ()) if isinstance(stage, nn.Sequential)]
        kept = self._kept_whole()
        within = f'model.{kept}.' if kept else 'model.'
        converted = {}
        for name, value in weights.items():
            base = _from_efficientnet(name, depths)
            ours = (f'model.{self._own_name(base)}', f'{within}{base}')
            converted[next((one for one in ours if one in own), name)] = value
        return converted

    def _kept_whole(self) -> str | None:
        """Return the name of the model within timm's wrapper, where that keeps it whole, as of most transformers."""
        names = [name for name, _ in self.model.named_children()]
        return names[0] if len(names) == 1 else None

    def _recompute(self, arch: str) -> None:
        kept = self._kept_whole()
        model: Any = getattr(self.model, kept) if kept else self.model
        try:
            model.set_grad_checkpointing(True)
        except (AttributeError, AssertionError) as error:
            raise ValueError(f'with_cp=True: {arch!r} of timm cannot recompute activations ({error})') from error

    def _own_name(self, name: str) -> str:
        """Undo what ``features_only`` does to names in some models: ``stages.0.norm`` is ``stages_0.norm`` there."""
        joined = re.sub(r'^(\w+?)\.(\w+)\.', r'\1_\2.', name)
        return joined if hasattr(self.model, joined.partition('.')[0]) else name


def _from_efficientnet(name: str, depths: Sequence[int]) -> str:
    """Return timm's name of a tensor of EfficientNet-PyTorch; any other name as it is.

    Args:
        name: Such as ``_blocks.3._expand_conv.weight``, where blocks are numbered through all stages.
        depths: Blocks of each stage.
    """
    first, _, rest = name.partition('.')
    if first in _PARTS:
        return f'{_PARTS[first]}.{rest}'
    block = re.match(r'_blocks\.(\d+)\.(\w+)\.(\w+)$', name)
    if block is None or not depths:
        return name
    stage, index = 0, int(block[1])
    parts = _PARTS_OF_AN_UNEXPANDED_BLOCK if index < depths[0] else _PARTS_OF_A_BLOCK
    while stage < len(depths) - 1 and index >= depths[stage]:
        index -= depths[stage]
        stage += 1
    return f'blocks.{stage}.{index}.{parts.get(block[2], block[2])}.{block[3]}'
