"""What CTAL does with each task's features, at one scale and at several: reduction, affinity, twice the resolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from mtlbox.models.layers.blocks import conv_norm_relu
from mtlbox.models.layers.cross_task_affinity import CrossTaskAffinity
from mtlbox.models.layers.recompute import recompute
from mtlbox.models.layers.resize import resize


def affinity_refinement(
    *,
    tasks: Sequence[str],
    in_channels: int,
    channels: int,
    feature_size: Sequence[int],
    feature_stride: int = 4,
    affinity_stride: int | None = None,
    reduce_norm: bool = False,
    kernel_size: int,
    gamma: float,
    fusion: str,
    impl: str,
    on_size_mismatch: str,
    norm_cfg: dict | None,
) -> tuple[nn.ModuleDict, CrossTaskAffinity, nn.ModuleDict]:
    """Return the reduction and post-processing of each task and the affinity, for :func:`refine`.

    They are three, not one module, so that each neck holds them under the names that its checkpoints have.

    Args:
        tasks: Task keys.
        in_channels: Channels of each task's features.
        channels: Channels that the affinity compares, and of the result.
        feature_size: (H, W) of the features.
        feature_stride: Their scale is 1 / feature_stride of the input.
        affinity_stride: The affinity's scale is 1 / affinity_stride of the input, at least ``feature_stride``; that
            where not given.
        reduce_norm: Whether norm and ReLU follow the reduction.
        kernel_size: As of :class:`CrossTaskAffinity`, like the next four.
        gamma: See there.
        fusion: See there.
        impl: See there.
        on_size_mismatch: See there.
        norm_cfg: Norm layer.

    Raises:
        ValueError: If an argument is out of its range.
    """
    stride = feature_stride if affinity_stride is None else affinity_stride
    if stride < feature_stride:
        raise ValueError(
            f"affinity_stride: expected {feature_stride} (the features' own scale) or more, got {affinity_stride}"
        )
    height, width = (max(1, int(size) * feature_stride // stride) for size in feature_size)
    convs = {task: nn.Conv2d(in_channels, channels, 1) for task in tasks}
    reduce = nn.ModuleDict(
        {task: conv_norm_relu(conv, norm_cfg) if reduce_norm else conv for task, conv in convs.items()}
    )
    affinity = CrossTaskAffinity(
        tasks=tasks,
        channels=channels,
        feature_size=(height, width),
        kernel_size=kernel_size,
        gamma=gamma,
        fusion=fusion,
        impl=impl,
        on_size_mismatch=on_size_mismatch,
    )
    return reduce, affinity, nn.ModuleDict({task: _post(channels, norm_cfg) for task in tasks})


def refine(
    features: Mapping[str, Tensor],
    *,
    reduce: nn.ModuleDict,
    affinity: CrossTaskAffinity,
    post: nn.ModuleDict,
    feature_size: tuple[int, int],
    feature_stride: int = 4,
    with_cp: bool = False,
) -> dict[str, Tensor]:
    """Return each task's features after the exchange, ``(B, channels, 2 H, 2 W)``.

    Args:
        features: One map ``(B, in_channels, H, W)`` per task.
        reduce: 1x1 convolution of each task.
        affinity: The exchange; features are resampled to its size and back where that is not (H, W).
        post: Post-processing of each task, to twice the resolution.
        feature_size: The (H, W) that the network was built for.
        feature_stride: By what the image's (H, W) are larger.
        with_cp: Recompute the activations of the post-processing in the backward pass instead of keeping them.

    Raises:
        ValueError: If the features have another size.
    """
    size = next(iter(features.values())).shape[-2:]
    if tuple(size) != feature_size:
        height, width = size
        raise ValueError(
            f'the network was built for feature_size={feature_size}, images of '
            f'{feature_size[0] * feature_stride}x{feature_size[1] * feature_stride}, but was given features of '
            f'{height}x{width}: it has one weight per position. Feed images of its size, or build it for this one: '
            f'--cfg-options model.neck.feature_size={height},{width}, with model.neck.on_size_mismatch=interpolate for '
            'a checkpoint of another size'
        )
    reduced = {task: resize(reduce[task](x), affinity.size) for task, x in features.items()}
    refined = {task: resize(x, size) for task, x in affinity(reduced).items()}
    return {task: recompute(post[task], post[task], x, enabled=with_cp) for task, x in refined.items()}


def _post(channels: int, norm_cfg: dict | None) -> nn.Sequential:
    """Twice the resolution: transposed 2x2 convolution, norm, ReLU, 3x3 convolution."""
    return nn.Sequential(
        conv_norm_relu(nn.ConvTranspose2d(channels, channels, 2, stride=2), norm_cfg),
        nn.Conv2d(channels, channels, 3, padding=1),
    )
