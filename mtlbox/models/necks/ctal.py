"""CTAL, the single-scale cross-task affinity neck.

D. Sinodinos, N. Armanfard: Cross-Task Affinity Learning for Multitask Dense Scene Predictions, WACV 2025 (preprint
name: EMA-Net). Official repository: https://github.com/Armanfard-Lab/CTAL

Where the sources differ:

* The paper and its Figure 2 give each task a grouped convolution of its own. The released code shares one, and only
  that gives the published size (0.513 of STL; per task it would be 0.546): ``fusion='shared'`` is the default,
  ``'per_task'`` the paper's wording.

* Nothing says how features get to the scales 1/6 and 1/8 of the paper's Table 5 and back; ``affinity_stride`` does it
  bilinearly, around reduction and post-processing at 1/4. The published sizes are reproduced.

Ours, without changing the result: ``impl='factored'`` computes the same function without the P x P joint affinity
(see :mod:`mtlbox.models.layers.cross_task_affinity`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor

from mtlbox.models.layers.affinity_refinement import affinity_refinement, refine
from mtlbox.models.necks.initial import InitialPredictionNeck
from mtlbox.registry import NECKS
from mtlbox.structures import MTLDataSample, NeckOutput
from mtlbox.tasks import Task


@NECKS.register_module()
class CTAL(InitialPredictionNeck):
    """CTAL at one scale: initial predictions, joint affinity of all tasks, diffusion.

    Args:
        tasks: The model's tasks by key; given by the model.
        in_channels: Channels of the backbone's maps, finest first.
        feature_size: (H, W) of the finest map: the input size divided by ``feature_stride``. The grouped convolution
            has a filter per position, so the network is tied to it.
        feature_stride: Scale of the finest map: 4 for CNNs; 32 for the paper's transformers, whose last map alone is
            read.
        affinity_stride: The affinity runs at 1/affinity_stride of the input; features are resampled bilinearly before
            and after it where that is not their own scale. Their own where not given.
        channels: Channels C of the features that the affinity compares.
        initial_channels: Channels of the initial task features.
        initial_mid_channels: Channels inside the initial heads' bottlenecks.
        fuse: Whether the backbone's maps are mixed before them, as of ``InitialPredictionNeck``.
        gamma: Share of the diffused features in the refined ones.
        kernel_size: Size f of the grouped convolution's kernel.
        fusion: Whether the tasks share the grouped convolution (``'shared'``) or have one each (``'per_task'``).
        impl: How the affinity is computed: ``'dense'``, ``'factored'``, or ``'auto'`` for the cheaper.
        reduce_norm: Whether norm and ReLU follow the reduction to ``channels``, as in the code of the transformer half.
        on_size_mismatch: What to do with a checkpoint of another feature size: ``'error'`` or ``'interpolate'``.
        with_cp: Recompute the activations of initial heads and post-processing in the backward pass instead of keeping
            them.
        norm_cfg: Norm layer.
        init_cfg: Initialisation as in mmengine.
    """

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task],
        in_channels: Sequence[int],
        feature_size: Sequence[int],
        feature_stride: int = 4,
        affinity_stride: int | None = None,
        channels: int = 128,
        initial_channels: int = 256,
        initial_mid_channels: int = 64,
        fuse: bool = True,
        gamma: float = 0.05,
        kernel_size: int = 3,
        fusion: Literal['shared', 'per_task'] = 'shared',
        impl: Literal['auto', 'dense', 'factored'] = 'auto',
        reduce_norm: bool = False,
        on_size_mismatch: Literal['error', 'interpolate'] = 'error',
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
        self.reduce, self.affinity, self.post = affinity_refinement(
            tasks=tuple(tasks),
            in_channels=initial_channels,
            channels=channels,
            feature_size=feature_size,
            feature_stride=feature_stride,
            affinity_stride=affinity_stride,
            reduce_norm=reduce_norm,
            kernel_size=kernel_size,
            gamma=gamma,
            fusion=fusion,
            impl=impl,
            on_size_mismatch=on_size_mismatch,
            norm_cfg=norm_cfg,
        )
        self.feature_size = (int(feature_size[0]), int(feature_size[1]))
        self.feature_stride = feature_stride

    def forward(self, features: Sequence[Tensor], data_samples: list[MTLDataSample] | None = None) -> NeckOutput:
        """Maps, finest first, to one ``(B, channels, 2 H, 2 W)`` per task, and the initial predictions."""
        initial, auxiliaries = self.initial(features)  # (B, initial_channels, H, W)
        return NeckOutput(
            features=refine(
                initial,
                reduce=self.reduce,
                affinity=self.affinity,
                post=self.post,
                feature_size=self.feature_size,
                feature_stride=self.feature_stride,
                with_cp=self.with_cp,
            ),
            auxiliaries=auxiliaries,
        )
