"""MTI-Net.

S. Vandenhende, S. Georgoulis, L. Van Gool: MTI-Net: Multi-Scale Task Interaction Networks for Multi-Task Learning, ECCV
2020. Official repository: https://github.com/SimonVandenhende/Multi-Task-Learning-PyTorch

As CTAL's authors compare with it (https://github.com/Armanfard-Lab/CTAL), whose published size and MACs it reproduces:

* All tasks of the model are predicted and supervised at all scales; the paper also trains with auxiliary tasks that
  only make initial predictions.
* Open: whether what follows reads the features of a scale before or after they were propagated to the next finer
  one; sizes and MACs are the same. Here: before.
* The initial losses of the scales are averaged; the official code adds them: ``initial_reduction='sum'``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from mtlbox.models.layers import MessagePassing, concat_pyramid
from mtlbox.models.necks.multi_scale import MultiScaleNeck
from mtlbox.registry import NECKS
from mtlbox.structures import MTLDataSample, NeckOutput
from mtlbox.tasks import Task


@NECKS.register_module()
class MTINet(MultiScaleNeck):
    """MTI-Net: initial predictions and message passing at every scale; the scales meet in the head.

    Args:
        tasks: The model's tasks by key; given by the model.
        in_channels: Channels of the backbone's maps, finest first.
        feature_propagation: Whether a scale reads the next coarser one's task features.
        initial_reduction: Whether the initial losses of the scales are averaged (``'mean'``) or added (``'sum'``).
        with_cp: Recompute the activations of the parts before the heads in the backward pass instead of keeping them.
        norm_cfg: Norm layer.
        init_cfg: Initialisation as in mmengine.
    """

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task],
        in_channels: Sequence[int],
        feature_propagation: bool = True,
        initial_reduction: str = 'mean',
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
        self.distillation = nn.ModuleList(
            MessagePassing(tasks=tuple(tasks), channels=channels, with_cp=with_cp) for channels in in_channels
        )

    def forward(self, features: Sequence[Tensor], data_samples: list[MTLDataSample] | None = None) -> NeckOutput:
        """Four maps to one ``(B, sum of C_i, H/4, W/4)`` per task, and initial predictions at each scale."""
        scales, auxiliaries = self.initial(features)
        distilled = [distil(scale) for distil, scale in zip(self.distillation, scales)]  # (B, C_i, H_i, W_i) per task
        return NeckOutput(
            features={key: concat_pyramid([scale[key] for scale in distilled]) for key in self.tasks},
            auxiliaries=auxiliaries,
        )
