"""TIF, multi-task learning free of task interaction. Reconstructed: no official code is public.

Task-Interaction-Free Multi-Task Learning with Efficient Hierarchical Feature Representation, ACM MM 2024,
https://doi.org/10.1145/3664647.3681183

The paper gives no channels, few kernels, no width of its feed-forward layers and heads. This neck was made from its
text and equations. What they leave open was chosen so that parameters and MACs come out near the published ones
(``tests/models/necks/test_published_sizes.py``); two numbers per backbone were fitted, ``channels`` and
``out_channels``. Whatever is reported of it should say "reconstructed".

What is our choice, not the paper's:

* Features of a task: a 1x1 convolution with norm and ReLU per task and scale, of the shared features.
* SAFF: maps are resized bilinearly; the other scales' 1x1 convolution has no norm; both inputs are concatenated before
  the two convolutions, 1x1 and 3x3; the depthwise convolution is 3x3; there is no residual around all of it.
* SFD: the paper's "flatten and normalise" is LayerNorm; the sum of keys has as many terms as there are tasks (indices
  in Equation 6 skip one); queries are made of the task's own tokens (Equation 7 prints those of index 0); scores are
  divided by the root of the channels; feed-forward layers are LayerNorm, a linear layer to twice the channels, GELU,
  and a linear layer back.
* Cross distillation: each task has one matrix for the keys it gives, the same for all that ask. Published are 0.22 M
  parameters less than for self distillation, here it is 0.19 M; a matrix for each pair of tasks would save nothing.
* LTHD: scores at 1/32 are resized bilinearly over keys, then over queries, and added before the softmax. Without SFD
  at 1/16 they are resized alone.
* The final 1x1 convolution has norm and ReLU. The head after it is ``FCNHead`` with as many channels as it is given.

The keys of self distillation are a sum of linear layers of the same tokens, which is one linear layer: the weights are
added before the product. This is the same function with the same gradients, at the cost of one layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, cast

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn
from torch.nn import functional as F

from mtlbox.models.layers import concat_pyramid, resize, to_map, to_tokens
from mtlbox.models.layers.checks import at_least, one_of, reject_changes
from mtlbox.models.layers.recompute import recompute
from mtlbox.models.layers.window_attention import mlp
from mtlbox.models.necks.base import TaskNeck
from mtlbox.registry import NECKS
from mtlbox.structures import MTLDataSample, NeckOutput
from mtlbox.tasks import Task

Distill = Literal['self', 'cross']
LTHD_SCALES, SFD_SCALES = (0, 1), (2, 3)


def feed_forward(channels: int, ratio: int) -> nn.Sequential:
    """Return LayerNorm, a linear layer to ``ratio`` times the channels, GELU, and a linear layer back."""
    return nn.Sequential(nn.LayerNorm(channels), *mlp(channels, ratio * channels, channels))


def resize_scores(scores: Tensor, size: Sequence[int], target: Sequence[int]) -> Tensor:
    """Resize attention scores bilinearly over the grid of keys, then over the grid of queries.

    Args:
        scores: ``(B, P, P)``, queries by keys, P = H * W.
        size: (H, W).
        target: (H', W').

    Returns:
        ``(B, P', P')``, P' = H' * W'.
    """
    for _ in range(2):
        over_keys = resize(scores.unflatten(2, tuple(size)), target).flatten(2)  # (B, queries, P')
        scores = over_keys.transpose(1, 2)  # the other axis is the last one now
    return scores


class SAFF(nn.Module):
    """Scale attentive-feature fusion: one scale's map with what the other scales add to it; shared by tasks.

    Args:
        in_channels: Channels of the backbone's maps.
        scale: Index of the map.
        channels: Channels d of the result.
        fuse: Whether the other scales take part; without, the map is only brought to d channels.
        norm_cfg: Norm layer.
    """

    def __init__(
        self, *, in_channels: Sequence[int], scale: int, channels: int, fuse: bool, norm_cfg: dict | None
    ) -> None:
        super().__init__()
        self.scale, self.fuse = scale, fuse
        self.align = ConvModule(in_channels[scale], channels, 1, norm_cfg=norm_cfg or {'type': 'BN'}, act_cfg=None)
        if not fuse:
            return
        self.others = nn.Conv2d(sum(in_channels) - in_channels[scale], channels, 1)
        self.mix = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 1), nn.ReLU(inplace=True), nn.Conv2d(channels, channels, 3, padding=1)
        )
        self.spatial = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.project = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """All maps ``(B, C_i, H_i, W_i)`` to ``(B, d, H, W)`` of this scale."""
        own = features[self.scale]
        aligned = self.align(own)
        if not self.fuse:
            return aligned
        others = [resize(x, own.shape[-2:]) for i, x in enumerate(features) if i != self.scale]
        joint = torch.cat([aligned, self.others(torch.cat(others, dim=1))], dim=1)  # (B, 2 d, H, W)
        return self.project(F.relu(self.spatial(self.mix(joint) + aligned)))


class SFD(nn.Module):
    """Self-feature distillation: attention of one task's tokens at one scale, whose scores are handed on.

    Keys are the values. Where the scores are handed on, attention is two products with a softmax between; else fused.

    Args:
        channels: Channels d of the tokens.
        num_terms: Matrices of the sum that makes keys of the task's tokens.
        ffn_ratio: Hidden channels of the feed-forward layers by d.
    """

    def __init__(self, *, channels: int, num_terms: int, ffn_ratio: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, channels, bias=False)
        self.terms = nn.ModuleList(nn.Linear(channels, channels, bias=False) for _ in range(num_terms))
        self.ffn = feed_forward(channels, ffn_ratio)

    def tokens(self, features: Tensor) -> Tensor:
        """Normalised tokens of a map: ``(B, d, H, W)`` to ``(B, H * W, d)``."""
        return self.norm(to_tokens(features))

    def keys(self, tokens: Tensor) -> Tensor:
        """Keys that the task's tokens give, ``(B, H * W, d)`` to the same shape."""
        return F.linear(tokens, torch.stack([term.weight for term in self.terms]).sum(0))

    def forward(
        self, features: Tensor, tokens: Tensor, keys: Tensor, *, with_scores: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return the task's map after attention, ``(B, d, H, W)``, and the scores ``(B, H * W, H * W)`` if asked.

        Args:
            features: The task's map.
            tokens: Its :meth:`tokens`.
            keys: Those to ask: the task's own, or the sum of all tasks'.
            with_scores: Whether the scores are needed.
        """
        query, scores = self.query(tokens), None
        if with_scores:
            scores = query @ keys.transpose(1, 2) * keys.shape[-1] ** -0.5
            attended = scores.softmax(-1) @ keys
        else:
            query, keys = query[:, None], keys[:, None]  # (B, 1, H * W, d): one head
            attended = F.scaled_dot_product_attention(query, keys, keys)[:, 0]
        attended = attended + to_tokens(features)
        return to_map(attended + self.ffn(attended), features.shape[-2:]), scores


class LTHD(nn.Module):
    """Low-to-high diffusion: a fine map of one task, pooled, spread by the coarse scales' attention, fused with itself.

    Args:
        channels: Channels d of the map.
        ffn_ratio: Hidden channels of the feed-forward layers by d.
        norm_cfg: Norm layer.
    """

    def __init__(self, *, channels: int, ffn_ratio: int, norm_cfg: dict | None) -> None:
        super().__init__()
        self.value = nn.Linear(channels, channels)
        self.ffn = feed_forward(channels, ffn_ratio)
        self.fuse = ConvModule(2 * channels, channels, 3, padding=1, norm_cfg=norm_cfg or {'type': 'BN'})

    def forward(self, features: Tensor, attention: Tensor, size: Sequence[int]) -> Tensor:
        """``(B, d, H, W)`` to the same shape.

        Args:
            features: The task's map.
            attention: Weights ``(B, P, P)``, queries by keys.
            size: (h, w) that the map is pooled to; P = h * w.
        """
        pooled = F.adaptive_avg_pool2d(features, (size[0], size[1]))
        spread = attention @ self.value(to_tokens(pooled))  # (B, P, d)
        spread = to_map(spread + self.ffn(spread), size)
        return self.fuse(torch.cat([resize(spread, features.shape[-2:]), features], dim=1))


class TaskDecoder(nn.Module):
    """What one task has of its own.

    Args:
        channels: Channels d at each scale.
        out_channels: Channels o of the result.
        sfd_scales: Scales with :class:`SFD`, finest first.
        lthd_scales: Scales with :class:`LTHD`.
        num_terms: As of :class:`SFD`.
        ffn_ratio: See there.
        norm_cfg: Norm layer.
    """

    def __init__(
        self,
        *,
        channels: int,
        out_channels: int,
        sfd_scales: Sequence[int],
        lthd_scales: Sequence[int],
        num_terms: int,
        ffn_ratio: int,
        norm_cfg: dict | None,
    ) -> None:
        super().__init__()
        norm_cfg = norm_cfg or {'type': 'BN'}
        self.project = nn.ModuleList(ConvModule(channels, channels, 1, norm_cfg=norm_cfg) for _ in range(4))
        self.sfd = nn.ModuleDict(
            {str(i): SFD(channels=channels, num_terms=num_terms, ffn_ratio=ffn_ratio) for i in sfd_scales}
        )
        self.lthd = nn.ModuleDict(
            {str(i): LTHD(channels=channels, ffn_ratio=ffn_ratio, norm_cfg=norm_cfg) for i in lthd_scales}
        )
        self.fuse = ConvModule(4 * channels, out_channels, 1, norm_cfg=norm_cfg)

    def start(self, shared: Sequence[Tensor]) -> tuple[list[Tensor], dict[str, Tensor], dict[str, Tensor]]:
        """Return the task's four maps ``(B, d, H_i, W_i)`` and, by scale of SFD, their tokens and keys."""
        maps = [project(x) for project, x in zip(self.project, shared, strict=True)]
        tokens, keys = {}, {}
        for scale, module in self.sfd.items():
            sfd = cast(SFD, module)
            tokens[scale] = sfd.tokens(maps[int(scale)])
            keys[scale] = sfd.keys(tokens[scale])
        return maps, tokens, keys

    def finish(self, maps: Sequence[Tensor], tokens: Mapping[str, Tensor], keys: Mapping[str, Tensor]) -> Tensor:
        """Return the task's features, ``(B, o, H/4, W/4)``.

        Args:
            maps: The task's four maps.
            tokens: Its tokens, as :meth:`start` gives them.
            keys: Keys to ask, by scale.
        """
        maps = list(maps)
        size = maps[SFD_SCALES[0]].shape[-2:]  # of what the fine maps are pooled to
        scores = []
        for scale, sfd in self.sfd.items():
            i = int(scale)
            maps[i], own = sfd(maps[i], tokens[scale], keys[scale], with_scores=bool(self.lthd))
            if own is not None:
                scores.append(resize_scores(own, maps[i].shape[-2:], size))
        if scores:
            attention = torch.stack(scores).sum(0).softmax(-1)  # (B, P, P)
            for scale, lthd in self.lthd.items():
                maps[int(scale)] = lthd(maps[int(scale)], attention, size)
        return self.fuse(concat_pyramid(maps))


@NECKS.register_module()
class TIF(TaskNeck):
    """TIF, reconstructed: scales fused for all tasks, then attention of each task to itself at the coarse scales alone.

    Attention at 1/16 and 1/32 is over all their pixels; the maps at 1/4 and 1/8 are pooled to 1/16 and borrow the
    weights of both. No matrix is larger than (pixels at 1/16) squared, and no task hears another.

    Args:
        tasks: The model's tasks by key; given by the model.
        in_channels: Channels of the backbone's four maps, finest first.
        channels: Channels d of a task's map at each scale. Fitted: 64 on HRNet-W18, 88 on Swin.
        out_channels: Channels o of a task's features. Fitted: 16 on HRNet-W18, 240 on Swin-T, 384 on Swin-L.
        saff: At how many scales, the coarsest ones, the others take part; 0 to 4.
        sfd: At how many scales each task attends to itself: 0, 1 (that at 1/32) or 2.
        lthd: Whether the fine maps borrow the attention; needs an SFD.
        distill: Whether a task asks itself (``'self'``, the method) or all tasks (``'cross'``, the paper's control).
        num_terms: Matrices in the sum of keys of ``'self'``; None: as many as tasks. They are one matrix in effect.
        ffn_ratio: Hidden channels of the feed-forward layers by d.
        with_cp: Recompute the activations of fusion and decoders in the backward pass instead of keeping them.
        norm_cfg: Norm layer of the convolutions.
        init_cfg: Initialisation as in mmengine.

    Raises:
        ValueError: If an argument is out of its range, or is for a part that another one leaves out.
    """

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task],
        in_channels: Sequence[int],
        channels: int = 88,
        out_channels: int = 240,
        saff: int = 4,
        sfd: int = 2,
        lthd: bool = True,
        distill: Distill = 'self',
        num_terms: int | None = None,
        ffn_ratio: int = 2,
        with_cp: bool = False,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(tasks=tasks, init_cfg=init_cfg)
        one_of('distill', distill, ('self', 'cross'))
        if len(in_channels) != 4:
            raise ValueError(f'in_channels: expected four, those of maps at 1/4 to 1/32, got {tuple(in_channels)}')
        at_least(1, channels=channels, out_channels=out_channels, ffn_ratio=ffn_ratio)
        for name, number, most in (('saff', saff, 4), ('sfd', sfd, len(SFD_SCALES))):
            if not 0 <= number <= most:
                raise ValueError(f'{name}: expected 0 to {most} scales, got {number}')
        if lthd and not sfd:
            raise ValueError('lthd=True borrows the attention of SFD, but sfd=0: set lthd=False, or sfd to 1 or 2')
        if not sfd:
            unused = {'distill': (distill, 'self'), 'num_terms': (num_terms, None)}
            reject_changes('sfd=1 or sfd=2, but that is 0', unused)
        if num_terms is not None and (distill == 'cross' or num_terms < 1):
            raise ValueError(f"num_terms: expected 1 or more, with distill='self', got {num_terms} with {distill!r}")
        self.cross, self.with_cp = distill == 'cross', with_cp
        self.fusion = nn.ModuleList(
            SAFF(in_channels=in_channels, scale=i, channels=channels, fuse=i >= 4 - saff, norm_cfg=norm_cfg)
            for i in range(4)
        )
        self.decoders = nn.ModuleDict(
            {
                key: TaskDecoder(
                    channels=channels,
                    out_channels=out_channels,
                    sfd_scales=SFD_SCALES[len(SFD_SCALES) - sfd :],
                    lthd_scales=LTHD_SCALES if lthd else (),
                    num_terms=1 if self.cross else num_terms or len(tasks),
                    ffn_ratio=ffn_ratio,
                    norm_cfg=norm_cfg,
                )
                for key in tasks
            }
        )

    def forward(self, features: Sequence[Tensor], data_samples: list[MTLDataSample] | None = None) -> NeckOutput:
        """Four maps to one ``(B, out_channels, H/4, W/4)`` per task."""
        shared = [self._run(fusion, partial(_fuse, fusion), *features) for fusion in self.fusion]
        decoders = {key: cast(TaskDecoder, self.decoders[key]) for key in self.tasks}  # maps are (B, d, H_i, W_i) each
        started = {key: decoder.start(shared) for key, decoder in decoders.items()}
        if self.cross:
            given = [keys for _, _, keys in started.values()]
            joint = {scale: torch.stack([keys[scale] for keys in given]).sum(0) for scale in given[0]}
            started = {key: (maps, tokens, joint) for key, (maps, tokens, _) in started.items()}
        finished = {}
        for key, (maps, tokens, keys) in started.items():
            finish = partial(_finish, decoders[key], tokens, keys)
            finished[key] = self._run(decoders[key], finish, *maps)
        return NeckOutput(features=finished)

    def _run(self, module: nn.Module, function: Callable[..., Tensor], *maps: Tensor) -> Tensor:
        return recompute(module, function, *maps, enabled=self.with_cp)


def _finish(decoder: TaskDecoder, tokens: Mapping[str, Tensor], keys: Mapping[str, Tensor], *maps: Tensor) -> Tensor:
    return decoder.finish(maps, tokens, keys)


def _fuse(fusion: nn.Module, *maps: Tensor) -> Tensor:
    return fusion(maps)
