"""Cross-task affinity: the interaction operator of CTAL, in a dense and in a factored form.

Paper: CTAL (WACV 2025; preprint name EMA-Net), the cross-task affinity module. Official code: Armanfard-Lab/CTAL.

With ``f_t`` the features of task t, L2-normalised over channels, ``V_d`` the values of target task d, ``w`` and ``b``
the grouped convolution, p and q running over the ``P = H * W`` pixels and delta over the offsets of its ``k * k``
kernel (``f_t`` is zero outside the map)::

    A_t[p, q] = <f_t[:, p], f_t[:, q]>                                 cosine affinity
    G[p, q]   = sum_{t, delta} w[p, t, delta] A_t[p, q + delta] + b[p]    joint affinity
    F_d[:, p] = sum_q V_d[:, q] G[p, q]                                diffusion

**Dense** computes it in this order, with several P x P maps. Nothing between the affinity and the diffusion is
nonlinear, so **factored** changes the order of summation and never makes a P x P map; it is the same function exactly::

    K_d[t, delta] = sum_q V_d[:, q] f_t(q + delta)^T                       (C, C)
    F_d[:, p]     = sum_{t, delta} w[p, t, delta] K_d[t, delta] f_t[:, p] + b[p] sum_q V_d[:, q]

Deviations from the released code: none in the result. The released code owns one grouped convolution for all tasks
(``fusion='shared'``, which the published parameter count confirms); the paper's text and Fig. 2 show one per task
(``fusion='per_task'``). Both are here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtlbox.models.layers.checks import one_of
from mtlbox.models.layers.factored_affinity import FactoredAffinity, autocast_off


def cross_task_affinity_dense(
    features: Tensor | Sequence[Tensor], values: Tensor | Sequence[Tensor], weight: Tensor, bias: Tensor
) -> tuple[Tensor, ...]:
    """Cross-task affinity in the order of the paper, with P x P maps (P = H * W).

    The grouped convolution with N inputs per group is computed as the sum of N depthwise ones, one for each task's
    affinity, which is faster and leaner than interleaving the affinities into one (N * P, H, W) map. With one set of
    weights for all targets the joint affinity is computed once.

    Products run in the dtype of ``values`` (float16 in float32, for its range) whatever autocast says; the
    normalisation runs in float32 or better.

    Args:
        features: One map per source task, ``(N, B, C, H, W)`` or a sequence of ``(B, C, H, W)``, not normalised.
        values: One map per target task, ``(D, B, Cv, H, W)`` or a sequence of ``(B, Cv, H, W)``.
        weight: Grouped convolution's weight, ``(P, N, k, k)`` for all targets or ``(D, P, N, k, k)``; k is odd.
        bias: Its bias, ``(P,)`` or ``(D, P)``.

    Returns:
        One map ``(B, Cv, H, W)`` per target task.

    Raises:
        ValueError: If the shapes do not fit each other.
    """
    f, v, w, b = _prepare(features, values, weight, bias)
    with autocast_off(f):
        if w.dim() == 4:
            return _diffuse(v, _joint(map(_affinity, f), w, b)).unbind(0)
        affinities = [_affinity(f_t) for f_t in f]
        return tuple(
            _diffuse(v_d[None], _joint(affinities, w_d, b_d))[0] for v_d, w_d, b_d in zip(v, w, b, strict=True)
        )


def cross_task_affinity_factored(
    features: Tensor | Sequence[Tensor], values: Tensor | Sequence[Tensor], weight: Tensor, bias: Tensor
) -> tuple[Tensor, ...]:
    """Cross-task affinity without any P x P map: the same function as :func:`cross_task_affinity_dense`.

    Time grows linearly with the number of pixels; working memory is two blocks of fixed size besides a few maps of the
    size of the inputs. The backward pass recomputes what it needs and supports first derivatives only.

    Arguments, result, dtypes and errors are those of :func:`cross_task_affinity_dense`. Sums over blocks are kept in
    float32 when products run in bfloat16. On CUDA the float32 convolutions inside follow
    ``torch.backends.cudnn.allow_tf32`` and the matrix products ``torch.backends.cuda.matmul.allow_tf32``.
    """
    f, v, w, b = _prepare(features, values, weight, bias)
    if w.dim() == 4:
        return FactoredAffinity.apply(f, v, w, b).unbind(0)
    return tuple(FactoredAffinity.apply(f, v[d : d + 1], w[d], b[d])[0] for d in range(len(v)))


def _prepare(
    features: Tensor | Sequence[Tensor], values: Tensor | Sequence[Tensor], weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Check shapes; return normalised features, values, weight and bias in the dtype of the products."""
    f = features if isinstance(features, Tensor) else torch.stack(tuple(features))
    v = values if isinstance(values, Tensor) else torch.stack(tuple(values))
    if f.dim() != 5 or v.dim() != 5 or f.shape[1] != v.shape[1] or f.shape[3:] != v.shape[3:]:
        raise ValueError(
            'expected features (N, B, C, H, W) and values (D, B, Cv, H, W) of one batch and map size, '
            f'got {tuple(f.shape)} and {tuple(v.shape)}'
        )
    n, targets, pixels, k = f.shape[0], v.shape[0], f.shape[3] * f.shape[4], weight.shape[-1]
    shared = (pixels, n, k, k)
    if tuple(weight.shape) not in (shared, (targets, *shared)) or k % 2 == 0:
        raise ValueError(
            f'expected a weight (P, N, k, k) = ({pixels}, {n}, k, k) or (D, P, N, k, k) = '
            f'({targets}, {pixels}, {n}, k, k) '
            f'with odd k for {n} source tasks, {targets} targets and P = {f.shape[3]} * {f.shape[4]} pixels, '
            f'got {tuple(weight.shape)}'
        )
    if bias.shape != weight.shape[:-3]:
        raise ValueError(f'expected a bias {tuple(weight.shape[:-3])} beside this weight, got {tuple(bias.shape)}')
    dtype = torch.float32 if v.dtype == torch.float16 else v.dtype
    f = F.normalize(f.to(torch.promote_types(f.dtype, torch.float32)), dim=2)
    return f.to(dtype), v.to(dtype), weight.to(dtype), bias.to(dtype)


def _affinity(f: Tensor) -> Tensor:
    """Normalised features (B, C, H, W) → cosine affinities (B, P, H, W)."""
    flat = f.flatten(2)  # (B, C, P)
    return torch.bmm(flat.transpose(1, 2), flat).view(len(f), -1, *f.shape[2:])


def _joint(affinities: Iterable[Tensor], w: Tensor, b: Tensor) -> Tensor:
    """Grouped convolution of the N affinities with w (P, N, k, k), b (P,) → (B, P, P)."""
    joint = w.new_zeros(())
    for t, affinity in enumerate(affinities):
        fused = F.conv2d(affinity, w[:, t : t + 1], b if t == 0 else None, padding=w.shape[-1] // 2, groups=len(w))
        joint = fused if t == 0 else joint.add_(fused)
    return joint.flatten(2)


def _diffuse(v: Tensor, joint: Tensor) -> Tensor:
    """Values (D, B, Cv, H, W) and joint affinity (B, P, P) → like the values."""
    stacked = v.transpose(0, 1).reshape(v.shape[1], -1, joint.shape[1])  # (B, D * Cv, P)
    out = torch.bmm(stacked, joint.transpose(1, 2))
    return out.view(v.shape[1], len(v), *v.shape[2:]).transpose(0, 1)


def prefer_factored(*, height: int, width: int, channels: int, num_tasks: int, kernel_size: int) -> bool:
    """The rule of ``impl='auto'``: the factored form if ``N k^2 C <= 2 P``, or if P >= 4096.

    The first bound is where both take about the same time on two CPU cores; there the factored form needs less memory
    already. From 4096 pixels on a P x P map fills 64 MB and more, the dense form holds 2 N + 1 of them, and filling
    them costs it more than the products that it saves with large kernels. Evidence: ``python
    tools/benchmarks/ctal_affinity.py --sizes 18x24 24x32 36x48 48x64 72x96`` with ``--kernel-size`` 1, 3, 5 and 7 and
    other ``--channels`` and ``--tasks``. Not measured on a GPU.
    """
    pixels = height * width
    return num_tasks * kernel_size**2 * channels <= 2 * pixels or pixels >= 4096


class CrossTaskAffinity(nn.Module):
    """Cross-task affinity with its value and grouped convolutions: ``gamma * F_d + (1 - gamma) * F``.

    The grouped convolution has one weight per output pixel and so ties the module to one feature size. Its parameters
    have the layout of ``nn.Conv2d(N * P, P, kernel_size, padding=kernel_size // 2, groups=P)``, under ``fuse`` with
    ``fusion='shared'`` and under ``fuse.<task>`` with ``'per_task'``; the N inputs of a group are the tasks in the
    order of ``tasks``. The buffer ``feature_size`` keeps the size in checkpoints.

    Args:
        tasks: Task keys; their order is that of the weights.
        channels: Channels C of every task's feature map.
        feature_size: (H, W) of the feature maps.
        kernel_size: Odd kernel size of the grouped convolution.
        gamma: Weight of the diffused features, in [0, 1].
        fusion: ``'shared'``, one grouped convolution for all target tasks (released code, the published size), or
            ``'per_task'``, one for each (paper's text and Fig. 2).
        impl: ``'dense'``, ``'factored'``, or ``'auto'`` for the faster by :func:`prefer_factored`.
        on_size_mismatch: What loading a checkpoint of another feature size does: ``'error'`` refuses,
            ``'interpolate'`` resamples the grouped convolution over the grid of output pixels (bilinear). The values
            are not rescaled, though the diffusion sums over H * W pixels.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self,
        *,
        tasks: Sequence[str],
        feature_size: tuple[int, int],
        channels: int = 128,
        kernel_size: int = 3,
        gamma: float = 0.05,
        fusion: str = 'shared',
        impl: str = 'auto',
        on_size_mismatch: str = 'error',
    ) -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        if not self.tasks or len(set(self.tasks)) != len(self.tasks):
            raise ValueError(f'tasks: expected one or more distinct task keys, got {list(self.tasks)}')
        if len(feature_size) != 2 or min(feature_size) < 1:
            raise ValueError(f'feature_size: expected (height, width), both positive, got {feature_size}')
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f'kernel_size: expected a positive odd number, got {kernel_size}')
        if not 0 <= gamma <= 1:
            raise ValueError(f'gamma: expected a number from 0 to 1, got {gamma}')
        one_of('fusion', fusion, ('shared', 'per_task'))
        one_of('impl', impl, ('auto', 'dense', 'factored'))
        one_of('on_size_mismatch', on_size_mismatch, ('error', 'interpolate'))
        self.channels, self.gamma = channels, float(gamma)
        self.fusion, self.impl, self.on_size_mismatch = fusion, impl, on_size_mismatch
        self.size = (int(feature_size[0]), int(feature_size[1]))
        self.value = nn.ModuleDict({task: nn.Conv2d(channels, channels, 3, padding=1) for task in self.tasks})

        def grouped() -> nn.Conv2d:
            pixels = self.size[0] * self.size[1]
            return nn.Conv2d(len(self.tasks) * pixels, pixels, kernel_size, padding=kernel_size // 2, groups=pixels)

        self.fuse = grouped() if fusion == 'shared' else nn.ModuleDict({task: grouped() for task in self.tasks})
        factored = prefer_factored(
            height=self.size[0],
            width=self.size[1],
            channels=channels,
            num_tasks=len(self.tasks),
            kernel_size=kernel_size,
        )
        self.factored = impl == 'factored' or (impl == 'auto' and factored)
        self.register_buffer('feature_size', torch.tensor(self.size))

    def forward(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Exchange features between the tasks.

        Args:
            features: One map ``(B, C, H, W)`` for each task.

        Returns:
            ``gamma * F_d + (1 - gamma) * F``, ``(B, C, H, W)``, for each task.

        Raises:
            ValueError: If tasks are missing or unknown, or a map has other channels or another size.
        """
        self._check(features)
        weight: Tensor
        bias: Tensor
        maps = [features[task] for task in self.tasks]
        values = [self.value[task](x) for task, x in zip(self.tasks, maps, strict=True)]
        if isinstance(self.fuse, nn.Conv2d):
            weight, bias = self.fuse.parameters()
        else:
            convs = [self.fuse[task] for task in self.tasks]
            weight = torch.stack([conv.weight for conv in convs])
            bias = torch.stack([conv.bias for conv in convs])
        function = cross_task_affinity_factored if self.factored else cross_task_affinity_dense
        diffused = function(maps, values, weight, bias)
        return {
            task: self.gamma * d + (1 - self.gamma) * x for task, d, x in zip(self.tasks, diffused, maps, strict=True)
        }

    def extra_repr(self) -> str:
        """Arguments that the parameters do not show."""
        return (
            f'tasks={self.tasks}, feature_size={self.size}, gamma={self.gamma}, fusion={self.fusion}, impl={self.impl}'
        )

    def _check(self, features: Mapping[str, Tensor]) -> None:
        if set(features) != set(self.tasks):
            raise ValueError(f'expected features of the tasks {list(self.tasks)}, got {list(features)}')
        for task, x in features.items():
            if x.dim() != 4 or x.shape[1] != self.channels:
                raise ValueError(f'expected (B, {self.channels}, H, W) for task {task!r}, got {tuple(x.shape)}')
            if tuple(x.shape[2:]) != self.size:
                given, expected = tuple(x.shape[2:]), self.size
                raise ValueError(
                    f'the feature map of task {task!r} is {given[0]}x{given[1]}, but the cross-task affinity was built '
                    f'for {expected[0]}x{expected[1]} and has one weight per pixel. Feed images of the size it '
                    f'was built for, or build it with feature_size={given}'
                )

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        own = {f'{prefix}fuse.{name}': parameter for name, parameter in self.fuse.named_parameters()}
        given = {key: state_dict[key] for key in own if key in state_dict}
        if given:
            source = self._source_size(state_dict.get(f'{prefix}feature_size'), prefix, given)
            if source != self.size:
                if self.on_size_mismatch == 'error':
                    raise RuntimeError(
                        f'the checkpoint has a cross-task affinity ({prefix}fuse) for feature maps of '
                        f'{source[0]}x{source[1]}, the model one for {self.size[0]}x{self.size[1]}. Build the model '
                        f"with feature_size={source}, or set on_size_mismatch='interpolate' to resample the weights"
                    )
                state_dict.update({key: _resample(x, source, self.size) for key, x in given.items()})
            # the buffer describes the weights as they are now, also where the checkpoint had none
            state_dict[f'{prefix}feature_size'] = torch.tensor(self.size)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _source_size(self, stored: Tensor | None, prefix: str, given: Mapping[str, Tensor]) -> tuple[int, int]:
        """Feature size of the checkpoint: as stored, else the only one of the model's aspect ratio."""
        pixels = len(next(iter(given.values())))
        height, width = self.size
        if stored is not None:
            source = (int(stored[0]), int(stored[1]))
        else:
            scaled = math.isqrt(pixels * height // width)
            source = (scaled, pixels // max(scaled, 1))
            if source[0] * width != source[1] * height or source[0] * source[1] != pixels:
                raise RuntimeError(
                    f'the checkpoint has a cross-task affinity ({prefix}fuse) for {pixels} pixels and does not say of '
                    f'which feature size; no size of the aspect ratio of {height}x{width} has so many. Add '
                    f"'{prefix}feature_size': torch.tensor([height, width]) to its state dict"
                )
        if any(len(x) != source[0] * source[1] for x in given.values()):
            shapes = {key: tuple(x.shape) for key, x in given.items()}
            raise RuntimeError(f'the checkpoint says {prefix}feature_size={source}, but its weights are {shapes}')
        return source


def _resample(x: Tensor, source: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Resample (P, ...) over the H x W grid of its first axis, bilinear."""
    grid = x.reshape(*source, -1).permute(2, 0, 1)[None].float()  # (1, values per pixel, H, W)
    grid = F.interpolate(grid, size=size, mode='bilinear', align_corners=False)
    return grid[0].permute(1, 2, 0).reshape(-1, *x.shape[1:]).to(x.dtype)
