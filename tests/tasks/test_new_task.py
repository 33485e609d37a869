"""A task and a data set that the package does not know, made outside of it and trained."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from torch import nn
from torch.utils.data import DataLoader

from mtlbox.config import check_config
from mtlbox.datasets import MultiTaskDataset
from mtlbox.engine import build_runner
from mtlbox.models.heads import TaskHead
from mtlbox.registry import BACKBONES, DATASETS, HEADS, MODELS, TASKS
from mtlbox.tasks import Task

SIZE = (16, 20)


@TASKS.register_module()
class OpticalFlow(Task):
    """Optical flow: displacement (x, y) in pixels; a pixel that moves by 1000 is unknown."""

    channels = 2
    gt_channels = 2
    ignore_value = 1000.0
    primary_score = 'epe'
    higher_is_better = False

    def __init__(self, *, key='flow'):
        super().__init__(key=key)

    def hflip(self, gt):
        flipped = super().hflip(gt)
        return np.where(flipped == self.ignore_value, flipped, flipped * np.float32([-1, 1]))

    def draw(self, prediction, reference=None):
        return super().draw(np.linalg.norm(prediction, axis=-1))


@DATASETS.register_module()
class FlowDataset(MultiTaskDataset):
    """Images whose red and green are the flow; the last one has no label."""

    METAINFO: ClassVar[dict] = {'labels': ('flow', 'depth')}

    def load_data_list(self):
        return [{'number': i} for i in range(6)]

    def load_image(self, info):
        coarse = np.random.default_rng(info['number']).uniform(0, 255, (4, 5, 3))
        return coarse.repeat(4, 0).repeat(4, 1).astype(np.float32)

    def load_label(self, info, name):
        image = self.load_image(info) / 255
        if name == 'depth':
            return 1 + image[..., 2]
        return None if info['number'] == 5 else 2 * image[..., :2]


@BACKBONES.register_module()
class NewTaskBackbone(nn.Module):
    """One map at full size."""

    def __init__(self):
        super().__init__()
        self.convs = nn.Sequential(nn.Conv2d(3, 16, 1), nn.ReLU(), nn.Conv2d(16, 16, 1), nn.ReLU())

    def forward(self, x):
        return (self.convs(x),)


@HEADS.register_module()
class NewTaskHead(TaskHead):
    """One 1x1 convolution."""

    def __init__(self, *, task, losses):
        super().__init__(task=task, losses=losses)
        self.predictor = nn.Conv2d(16, task.channels, 1)

    def forward(self, features):
        return self.predictor(features)


TASK_CONFIGS = {'flow': {'type': 'OpticalFlow'}, 'depth': {'type': 'Depth'}}
MODEL = {
    'type': 'MultiTaskModel',
    'tasks': TASK_CONFIGS,
    'data_preprocessor': {'mean': (0, 0, 0), 'std': (255, 255, 255)},
    'backbone': {'type': 'NewTaskBackbone'},
    'neck': {'type': 'PyramidConcat'},
    'heads': {'type': 'NewTaskHead'},
    'losses': {'flow': {'type': 'L1Loss'}, 'depth': {'type': 'L1Loss'}},
    'weighting': {'type': 'UncertaintyWeighting'},
}
DATASET = {
    'type': 'FlowDataset',
    'tasks': TASK_CONFIGS,
    'pipeline': [
        {'type': 'RandomScale', 'scale': (1.0, 1.3)},
        {'type': 'RandomCrop', 'size': SIZE},
        {'type': 'PackMultiTaskInputs'},
    ],
}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 (mmengine seeds it so)


def test_loss_falls_by_train_steps():
    dataset = DATASETS.build({**DATASET, 'pipeline': [{'type': 'PackMultiTaskInputs'}]})
    batch = {
        'inputs': [dataset[i]['inputs'] for i in range(len(dataset))],
        'data_samples': [dataset[i]['data_samples'] for i in range(len(dataset))],
    }
    model = MODELS.build(MODEL)
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), lr=0.03))
    logs = [model.train_step(batch, wrapper) for _ in range(20)]
    assert logs[-1]['flow/loss_l1'] < 0.6 * logs[0]['flow/loss_l1']
    assert logs[-1]['loss'] < 0.8 * logs[0]['loss']


def test_trains_by_the_runner(tmp_path):
    steps = []

    cfg = Config(
        {
            'default_scope': 'mtlbox',
            'work_dir': str(tmp_path),
            'model': MODEL,
            'train_dataloader': {
                'batch_size': 3,
                'num_workers': 0,
                'sampler': {'type': 'DefaultSampler', 'shuffle': True},
                'dataset': DATASET,
            },
            'optim_wrapper': {'type': 'OptimWrapper', 'optimizer': {'type': 'Adam', 'lr': 0.03}},
            'train_cfg': {'type': 'EpochBasedTrainLoop', 'max_epochs': 12},
            'default_hooks': {'checkpoint': None, 'logger': None},
            'randomness': {'seed': 0},
            'log_level': 'ERROR',
            'experiment_name': 'new-task',
        }
    )
    check_config(cfg, 'new_task.py')
    runner = build_runner(cfg)
    step = runner.model.train_step
    runner.model.train_step = lambda *args, **kwargs: steps.append(step(*args, **kwargs)) or steps[-1]
    runner.train()
    assert len(steps) == 24
    first, last = (sum(logs['flow/loss_l1'].item() for logs in part) for part in (steps[:4], steps[-4:]))
    assert last < 0.6 * first


def test_geometry_and_packing_follow_the_task():
    dataset = DATASETS.build({**DATASET, 'pipeline': [{'type': 'RandomFlip', 'prob': 1.0}]})
    plain = dataset.load_sample(0)['gt']['flow']
    flipped = dataset[0]['gt']['flow']
    np.testing.assert_allclose(flipped, plain[:, ::-1] * np.float32([-1, 1]))
    sample = DATASETS.build(DATASET)[5]['data_samples']
    assert sample.gt.flow.labelled is False
    assert sample.gt.flow.data.shape == (2, *SIZE) and (sample.gt.flow.data == 1000).all()


def test_predicts_and_draws():
    dataset = DATASETS.build({**DATASET, 'pipeline': [{'type': 'PackMultiTaskInputs'}]})
    model = MODELS.build(MODEL).eval()
    loader = DataLoader(
        dataset, batch_size=2, collate_fn=lambda items: {k: [item[k] for item in items] for k in items[0]}
    )
    samples = model.val_step(next(iter(loader)))
    task = model.tasks['flow']
    assert samples[0].map('pred', 'flow').shape == (2, *SIZE)
    assert task.draw(task.unpack(samples[0].map('pred', 'flow'))).shape == (*SIZE, 3)
