"""Concat: each head reads the features of all tasks, its own first."""

from __future__ import annotations

import torch
from torch import Tensor

from mtlbox.models.necks import InitialConcat
from mtlbox.tasks import Task


def test_own_features_come_first(tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]) -> None:
    neck = InitialConcat(tasks=tasks, in_channels=in_channels, initial_channels=12, initial_mid_channels=4).eval()
    output = neck(pyramid)
    own = {key: x[:, :12] for key, x in output.features.items()}
    order = {'semseg': 'semseg depth normals', 'depth': 'depth semseg normals', 'normals': 'normals semseg depth'}
    for key, names in order.items():
        torch.testing.assert_close(output.features[key], torch.cat([own[name] for name in names.split()], 1))
    assert not torch.allclose(own['semseg'], own['depth'])
    for auxiliary in output.auxiliaries:  # the prediction is made of the task's own features
        predictor = neck.initial_predictors[auxiliary.task]
        torch.testing.assert_close(auxiliary.logits, predictor(own[auxiliary.task]))
    assert [a.task for a in output.auxiliaries] == list(tasks)
