"""Keys, value types and tasks of a working config, one thing wrong at a time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mmengine.config import Config

from mtlbox.config import ConfigError, load_config
from mtlbox.registry import UnknownComponentError

ROOMS = Path(__file__).parents[2] / 'configs/ctal/ctal_hrnet18_rooms.py'


def load(folder: Path, text: str) -> Config:
    path = folder / 'exp.py'
    path.write_text(f"_base_ = '{ROOMS}'\n{text}\n")
    return load_config(path, purpose='train')


@pytest.mark.parametrize(
    ('text', 'complaint'),
    [
        ("randomness = dict(seed='')", 'exp.py: randomness.seed must be '),
        (
            'default_hooks = dict(logger=[])',
            "exp.py: default_hooks.logger must be dict(type='...', ...), which names a hook, but is []",
        ),
        ('train_dataloader = dict(batchsize=2)', "train_dataloader has no key 'batchsize'. Did you mean 'batch_size'"),
        ('train_cfg = dict(max_epoch=2)', "train_cfg: EpochBasedTrainLoop has no argument 'max_epoch'"),
        ('val_cfg = dict(fp61=True)', "val_cfg: ValLoop has no argument 'fp61'. Did you mean 'fp16'"),
        ('visualizer = dict(nam=1)', "visualizer: Visualizer has no argument 'nam'. Did you mean 'name'"),
        ('log_processor = dict(windowsize=1)', "LogProcessor has no argument 'windowsize'"),
        ('randomness = dict(sed=1)', "randomness has no key 'sed'. Did you mean 'seed'"),
        ('optim_wrapper = dict(clip_grad=dict(max_nrm=1))', "'norm' has no argument 'max_nrm'"),
        ("optim_wrapper = dict(clip_grad=dict(type='both'))", "clip_grad.type must be 'norm' or 'value'"),
        ('optim_wrapper = dict(paramwise_cfg=dict(norm_mult=0))', "paramwise_cfg has no key 'norm_mult'"),
        ("model = dict(backbone=dict(norm_cfg=dict(type='BN', epsilon=1)))", "BN has no argument 'epsilon'"),
        ('env_cfg = dict(cudnn_benchmrk=True)', "env_cfg has no key 'cudnn_benchmrk'"),
        ('env_cfg = dict(mp_cfg=dict(foo=1))', "env_cfg.mp_cfg has no key 'foo'"),
        ('auto_scale_lr = dict(base_batchsize=1)', "auto_scale_lr has no key 'base_batchsize'"),
        ("default_hooks = dict(chekpoint=dict(type='CheckpointHook'))", "Did you mean 'checkpoint'"),
        ('model = dict(neck=dict(_delete_=True, gamma=1))', "model.neck has no 'type', which names the neck"),
        ('model = dict(neck=dict(new=dict(_delete_=True)))', "CTAL has no argument 'new'"),
        ("model = dict(neck=dict(gamma='much'))", "model.neck.gamma of CTAL must be a number, but is 'much'"),
        ('model = dict(neck=[])', 'model.neck of MultiTaskModel must be a dict or None, but is []'),
        ("model = dict(backbone='HRNet')", "model.backbone of MultiTaskModel must be a dict, but is 'HRNet'"),
        ("model = dict(neck=dict(fusion='sharde'))", "Did you mean 'shared'"),
        ('model = dict(heads=5)', 'model.heads of MultiTaskModel must be a dict, but is 5'),
        ('model = None', 'exp.py: model must be a dict, but is None'),
        ("train_dataloader = dict(batch_size='8')", "train_dataloader.batch_size must be a whole number or None"),
        ('train_dataloader = dict(sampler=None)', "train_dataloader has no 'sampler'"),
        ('train_dataloader = dict(dataset=dict(size=(48,)))', 'train_dataloader.dataset.size'),
        ('custom_hooks = 5', 'custom_hooks must be [dict('),
        ('custom_hooks = [None]', "custom_hooks.0 must be dict(type='...', ...), which names a hook"),
        ('param_scheduler = [5]', 'param_scheduler.0 must be'),
        ('randomness = None', 'randomness must be a dict, but is None'),
        ('resume = "yes"', "resume must be True or False, but is 'yes'"),
        ('val_cfg = None', "has no 'val_cfg' beside val_dataloader, val_evaluator"),
        ('optim_wrapper = dict(optimizer=None)', "optim_wrapper has no 'optimizer'"),
        # the tasks
        ("train_dataloader = dict(dataset=dict(tasks=dict(x=dict(type='Depth'))))", "has 'x', which is not a task"),
        ("tasks = dict(_delete_=True, depth=dict(type='Depth'))\nval_dataloader = dict(dataset=dict(tasks=tasks))",
         "val_dataloader.dataset.tasks lacks the task 'semseg' of the model"),
        ('train_dataloader = dict(dataset=dict(tasks=dict(semseg=dict(num_classes=40))))',
         'num_classes=40, but model.tasks.semseg has num_classes=13'),
        ('tasks = dict(semseg=dict(num_classes=40))\nmodel = dict(tasks=tasks)\n'
         'train_dataloader = dict(dataset=dict(tasks=tasks))',
         "The label 'semseg' of RoomsDataset has 13 classes, but the task 'semseg' has 40"),
        ("model = dict(losses=dict(semseg=dict(_delete_=True, type='L1Loss')))",
         "model.losses.semseg: L1Loss cannot train 'semseg': it compares each channel with a quantity, and a SemSeg "
         'has 13 channels for labels that are class numbers. Of the losses fit: CrossEntropyLoss.'),
        ("model = dict(losses=dict(depth=[dict(type='L1Loss'), dict(type='CosineLoss')]))",
         "model.losses.depth: CosineLoss cannot train 'depth': it compares directions"),
        ("train_dataloader = dict(dataset=dict(labels=['depth', 'normals']))",
         "train_dataloader: no data set has labels for the task 'semseg' of the model"),
        ("val_dataloader = dict(dataset=dict(labels=['depth', 'normals']))",
         "val_evaluator.metrics.0: SegMetric is for 'semseg', which the data set has no label for"),
        ("val_evaluator = dict(metrics=[dict(type='DepthMetric', task='depht', protocol='pixel-pooled')])",
         "DepthMetric is for 'depht', not a task of the model. Did you mean 'depth'"),
        ("val_evaluator = dict(metrics=[dict(type='NormalsMetric', task='depth', protocol='arccos')])",
         "NormalsMetric cannot score 'depth': it reads maps of 3 channels"),
        ("val_evaluator = dict(metrics=[dict(type='DepthMetric', task='semseg', protocol='pixel-pooled')])",
         "DepthMetric cannot score 'semseg': it reads quantities"),
        ("val_evaluator = dict(primary=dict(depht='rmse'))", "primary names 'depht', which no metric is for"),
        ("model = dict(tasks=dict(keys=dict(type='Depth')))", "key cannot be 'keys', which is a method of dicts"),
    ],
)  # fmt: skip
def test_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(complaint)) as caught:
        load(tmp_path, text)
    assert str(tmp_path / 'exp.py') in str(caught.value)


@pytest.mark.parametrize(
    'text',
    [
        'val_evaluator = [*_base_.metrics]',
        "val_evaluator = dict(_delete_=True, type='DepthMetric', task='depth', protocol='pixel-pooled')",
        'val_evaluator = dict(_delete_=True, metrics=_base_.metrics)',
        "custom_hooks = [dict(type='EMAHook', priority='LOW')]",
        'train_cfg = dict(_delete_=True, by_epoch=False, max_iters=3)',
        'val_dataloader = None\nval_cfg = None\nval_evaluator = None',
        "train_dataloader = dict(dataset=dict(_delete_=True, type='RepeatDataset', times=2, dataset=dict("
        "type='RoomsDataset', length=3, size=(48, 64), tasks=_base_.tasks, pipeline=_base_.train_pipeline)))",
        "train_dataloader = dict(collate_fn=dict(type='pseudo_collate'), num_workers=0)",
        'train_dataloader = dict(batch_size=8.0)',
        'default_hooks = dict(logger=None)',
    ],
)
def test_is_legal(tmp_path: Path, text: str) -> None:
    assert text.partition(' = ')[0] in load(tmp_path, text)


@pytest.mark.parametrize(
    ('text', 'near'),
    [
        ("train_cfg = dict(type='EpochTrainLoop')", "'EpochBasedTrainLoop' (in mtlbox.engine.loops)"),
        ("optim_wrapper = dict(optimizer=dict(type='AdmW'))", "'AdamW' (in torch.optim"),
        ("param_scheduler = [dict(type='CosineLR')]", "'CosineAnnealingLR' (in mmengine.optim"),
        ("custom_hooks = [dict(type='IterTimeHook')]", "'IterTimerHook' (in mmengine.hooks"),
    ],
)
def test_mmengines_own_components_are_near(tmp_path: Path, text: str, near: str) -> None:
    with pytest.raises(UnknownComponentError, match=re.escape(near)):
        load(tmp_path, text)
