"""PAP-Net.

Z. Zhang, Z. Cui, C. Xu, Y. Yan, N. Sebe, J. Yang: Pattern-Affinitive Propagation across Depth, Surface Normal and
Semantic Segmentation, CVPR 2019. Nothing official is public; this follows the re-implementation that CTAL's authors
compare with, https://github.com/Armanfard-Lab/CTAL, whose published size it reproduces.

Where the sources differ:

* ``iterations``: that code's config says 1, the published MACs are those of 2; the default is 2.
* ``normalise_over``: the code normalises features over all positions (``'positions'``, the default), where a cosine
  affinity, which the name and the paper suggest, would be over ``'channels'``.
* ``divide``: the code divides an affinity by the sums of its columns (``'columns'``, the default), where the paper's
  normalisation makes rows sum to one (``'rows'``).
* The paper's loss on pairs of pixels is in neither that code nor here.

Ours: ``impl='factored'`` computes the same function without P x P matrices (see
:mod:`mtlbox.models.layers.pattern_affinity`), and sums are kept away from zero before the division by them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mtlbox.models.layers.checks import one_of
from mtlbox.models.layers.factored_affinity import autocast_off
from mtlbox.models.layers.pattern_affinity import diffuse_dense, diffuse_factored, normalise_features
from mtlbox.models.necks.initial import InitialPredictionNeck
from mtlbox.registry import NECKS
from mtlbox.structures import MTLDataSample, NeckOutput
from mtlbox.tasks import Task


@NECKS.register_module()
class PAPNet(InitialPredictionNeck):
    """PAP-Net at one scale: initial predictions, affinity within each task, diffusion along their mix.

    Args:
        tasks: The model's tasks by key; given by the model.
        in_channels: Channels of the backbone's maps, finest first.
        channels: Channels of the features that the affinities compare, and of what the heads read.
        initial_channels: Channels of the initial task features.
        initial_mid_channels: Channels inside the initial heads' bottlenecks.
        fuse: Whether the backbone's maps are mixed before them, as of ``InitialPredictionNeck``.
        beta: Share of the diffused features in each step, from 0 to 1.
        iterations: Steps of the diffusion, at least 1.
        normalise_over: What the features' L2 norm is taken over: ``'positions'`` or ``'channels'``.
        divide: Whether ``'columns'`` or ``'rows'`` of an affinity are divided by their sum.
        impl: ``'dense'``, ``'factored'``, or ``'auto'`` for the one with fewer MACs at the image's size.
        with_cp: Recompute the activations of the initial heads in the backward pass instead of keeping them.
        norm_cfg: Norm layer.
        init_cfg: Initialisation as in mmengine.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task],
        in_channels: Sequence[int],
        channels: int = 128,
        initial_channels: int = 256,
        initial_mid_channels: int = 64,
        fuse: bool = True,
        beta: float = 0.05,
        iterations: int = 2,
        normalise_over: str = 'positions',
        divide: str = 'columns',
        impl: str = 'auto',
        with_cp: bool = False,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            tasks=tasks,
            in_channels=in_channels,
            initial_channels=initial_channels,
            initial_mid_channels=initial_mid_channels,
            fuse=fuse,
            with_cp=with_cp,
            norm_cfg=norm_cfg,
            init_cfg=init_cfg,
        )
        if not 0 <= beta <= 1:
            raise ValueError(f'beta: expected a number from 0 to 1, got {beta}')
        if iterations < 1:
            raise ValueError(f'iterations: expected 1 or more, got {iterations}')
        one_of('normalise_over', normalise_over, ('positions', 'channels'))
        one_of('divide', divide, ('columns', 'rows'))
        one_of('impl', impl, ('auto', 'dense', 'factored'))
        self.beta, self.iterations = float(beta), iterations
        self.normalise_over, self.divide, self.impl = normalise_over, divide, impl
        self.reduce = nn.ModuleDict({key: nn.Conv2d(initial_channels, channels, 1) for key in tasks})
        self.mix = nn.Parameter(torch.zeros(len(tasks), len(tasks)))  # a row per target, before the softmax

    def forward(self, features: Sequence[Tensor], data_samples: list[MTLDataSample] | None = None) -> NeckOutput:
        """Maps, finest first, to one ``(B, channels, H, W)`` per task, and the initial predictions."""
        initial, auxiliaries = self.initial(features)
        maps = [self.reduce[key](initial[key]) for key in self.tasks]  # (B, C, h, w)
        flat = [x.flatten(2).transpose(1, 2) for x in maps]  # (B, P, C)
        diffuse = diffuse_factored if self._factored(*flat[0].shape[1:]) else diffuse_dense
        wide = torch.promote_types(flat[0].dtype, torch.float32)
        with autocast_off(maps[0]):  # sums over all positions outgrow half precision
            diffused = diffuse(
                [normalise_features(x.to(wide), self.normalise_over) for x in flat],
                [x.to(wide) for x in flat],
                self.mix.softmax(1),
                divide=self.divide,
                beta=self.beta,
                iterations=self.iterations,
            )
        return NeckOutput(
            features={key: x.transpose(1, 2).reshape(maps[0].shape) for key, x in zip(self.tasks, diffused)},
            auxiliaries=auxiliaries,
        )

    def _factored(self, pixels: int, channels: int) -> bool:
        """Per target: a step is P^2 C and the share of the affinities P^2 C; factored, a step is 2 N P C^2."""
        if self.impl != 'auto':
            return self.impl == 'factored'
        steps = self.iterations
        return 2 * steps * len(self.tasks) * channels < (steps + 1) * pixels
