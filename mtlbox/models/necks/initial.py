"""The base of necks that make an initial prediction per task at one scale and refine the features behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from mtlbox.models.layers import bottlenecks, concat_pyramid, conv_norm_relu
from mtlbox.models.layers.recompute import recompute
from mtlbox.models.necks.base import TaskNeck
from mtlbox.structures import Auxiliary
from mtlbox.tasks import Task


class InitialPredictionNeck(TaskNeck):
    """Fuses the pyramid at its finest size and makes each task's initial features and supervised prediction.

    Args:
        tasks: The model's tasks by key; given by the model.
        in_channels: Channels of the backbone's maps, finest first.
        initial_channels: Channels of the initial task features.
        initial_mid_channels: Channels inside the initial heads' two bottlenecks.
        fuse: Whether a 1x1 convolution with norm and ReLU mixes the pyramid before them. The transformer half of CTAL,
            which reads one map, is without.
        with_cp: Recompute the activations of the initial heads in the backward pass instead of keeping them.
        norm_cfg: Norm layer.
        init_cfg: Initialisation as in mmengine.
    """

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task],
        in_channels: Sequence[int],
        initial_channels: int = 256,
        initial_mid_channels: int = 64,
        fuse: bool = True,
        with_cp: bool = False,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(tasks=tasks, init_cfg=init_cfg)
        self.with_cp = with_cp
        fused = sum(in_channels)
        self.fuse = conv_norm_relu(nn.Conv2d(fused, fused, 1), norm_cfg) if fuse else nn.Identity()
        self.initial_blocks = nn.ModuleDict(
            {
                key: bottlenecks(
                    in_channels=fused,
                    mid_channels=initial_mid_channels,
                    out_channels=initial_channels,
                    num_blocks=2,
                    norm_cfg=norm_cfg,
                )
                for key in tasks
            }
        )
        self.initial_predictors = nn.ModuleDict(
            {key: nn.Conv2d(initial_channels, task.channels, 1) for key, task in tasks.items()}
        )

    def initial(self, features: Sequence[Tensor]) -> tuple[dict[str, Tensor], list[Auxiliary]]:
        """Return each task's features, ``(B, initial_channels, H, W)`` of the finest map, and the predictions of them.

        Args:
            features: The backbone's maps ``(B, C_i, H_i, W_i)``, finest first.
        """
        shared = self.fuse(concat_pyramid(features))  # (B, sum of C_i, H, W)
        initial = {
            key: recompute(blocks, blocks, shared, enabled=self.with_cp) for key, blocks in self.initial_blocks.items()
        }
        auxiliaries = [
            Auxiliary(task=key, name='initial', logits=self.initial_predictors[key](x)) for key, x in initial.items()
        ]
        return initial, auxiliaries
