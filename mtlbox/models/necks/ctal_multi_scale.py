"""CTAL, the multi-scale cross-task affinity neck.

D. Sinodinos, N. Armanfard: Cross-Task Affinity Learning for Multitask Dense Scene Predictions, WACV 2025 (preprint
name: EMA-Net). Official repository: https://github.com/Armanfard-Lab/CTAL

Where the sources differ:

* The paper predicts at four scales, upsamples and fuses. The released code keeps MTI-Net's feature propagation between
  the scales, and only that gives the published size (0.944 of STL); the paper's wording is
  ``feature_propagation=False``.
* Open: whether what follows reads the features of a scale before or after they were propagated to the next finer
  one; sizes and MACs are the same. Here: before.
* Who owns the grouped convolution, and the affinity's scale: as in :mod:`mtlbox.models.necks.ctal`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor

from mtlbox.models.layers.affinity_refinement import affinity_refinement, refine
from mtlbox.models.layers.multi_scale import CrossScaleFusion
from mtlbox.models.necks.multi_scale import MultiScaleNeck
from mtlbox.registry import NECKS
from mtlbox.structures import MTLDataSample, NeckOutput
from mtlbox.tasks import Task


@NECKS.register_module()
class CTALMultiScale(MultiScaleNeck):
    """CTAL at four scales: initial predictions at each, fusion over scales, joint affinity of all tasks, diffusion.

    Args:
        tasks: The model's tasks by key; given by the model.
        in_channels: Channels of the backbone's maps, finest first.
        feature_size: (H, W) of the finest map, i.e. the input size divided by 4; the network is tied to it.
        affinity_stride: The affinity runs at 1/affinity_stride of the input, 4 or more; features are resampled
            bilinearly before and after it unless it is 4.
        channels: Channels C of the features that the affinity compares.
        gamma: Share of the diffused features in the refined ones.
        kernel_size: Size f of the grouped convolution's kernel.
        fusion: Whether the tasks share the grouped convolution (``'shared'``) or have one each (``'per_task'``).
        impl: How the affinity is computed: ``'dense'``, ``'factored'``, or ``'auto'`` for the cheaper.
        on_size_mismatch: What to do with a checkpoint of another feature size: ``'error'`` or ``'interpolate'``.
        feature_propagation: Whether a scale reads the next coarser one's task features.
        initial_reduction: Whether the initial losses of the scales are averaged (``'mean'``) or added (``'sum'``).
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
        affinity_stride: int = 4,
        channels: int = 128,
        gamma: float = 0.05,
        kernel_size: int = 3,
        fusion: Literal['shared', 'per_task'] = 'shared',
        impl: Literal['auto', 'dense', 'factored'] = 'auto',
        on_size_mismatch: Literal['error', 'interpolate'] = 'error',
        feature_propagation: bool = True,
        initial_reduction: Literal['mean', 'sum'] = 'mean',
        with_cp: bool = False,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            tasks=tasks,
            in_channels=in_channels,
            feature_propagation=feature_propagation,
            initial_reduction=initial_reduction,
            with_cp=with_cp,
            norm_cfg=norm_cfg,
            init_cfg=init_cfg,
        )
        self.fuse = CrossScaleFusion(tasks=tuple(tasks), in_channels=in_channels, norm_cfg=norm_cfg)
        self.reduce, self.affinity, self.post = affinity_refinement(
            tasks=tuple(tasks),
            in_channels=sum(in_channels),
            channels=channels,
            feature_size=feature_size,
            affinity_stride=affinity_stride,
            kernel_size=kernel_size,
            gamma=gamma,
            fusion=fusion,
            impl=impl,
            on_size_mismatch=on_size_mismatch,
            norm_cfg=norm_cfg,
        )
        self.feature_size = (int(feature_size[0]), int(feature_size[1]))

    def forward(self, features: Sequence[Tensor], data_samples: list[MTLDataSample] | None = None) -> NeckOutput:
        """Four maps to one ``(B, channels, H/2, W/2)`` per task, and initial predictions at each scale."""
        scales, auxiliaries = self.initial(features)
        return NeckOutput(
            features=refine(
                self.fuse(scales),
                reduce=self.reduce,
                affinity=self.affinity,
                post=self.post,
                feature_size=self.feature_size,
                with_cp=self.with_cp,
            ),
            auxiliaries=auxiliaries,
        )
