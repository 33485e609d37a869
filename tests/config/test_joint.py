"""The tasks of several data sets and their evaluators agree, or an error says where they do not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mmengine.config import Config

from mtlbox.config import ConfigError, load_config

JOINT = Path(__file__).parents[2] / 'configs/mtl/mtl_hrnet18_rooms_joint.py'


def load(folder: Path, text: str) -> Config:
    path = folder / 'exp.py'
    path.write_text(f"_base_ = '{JOINT}'\n{text}\n")
    return load_config(path, purpose='train')


@pytest.mark.parametrize(
    ('text', 'complaint'),
    [
        (
            "train_dataloader = dict(dataset=dict(datasets=dict(people=dict(labels=['saliencyy', 'normals']))))",
            "train_dataloader.dataset.datasets.people: RoomsDataset has no label 'saliencyy'",
        ),
        (
            "train_dataloader = dict(dataset=dict(datasets=dict(people=dict(labels=['saliency']))))",
            "no data set has labels for the task 'human_parts' of the model",
        ),
        (
            "val_dataloader = dict(dataset=dict(datasets=dict(people=dict(labels=['normals']))))",
            "evaluators.people.metrics.0: SegMetric is for 'human_parts', which the data set has no label",
        ),
        (
            'val_evaluator = dict(evaluators=dict(peopel=dict(type="MTLEvaluator", metrics=_base_.metrics)))',
            "val_evaluator.evaluators.peopel is for no data set of val_dataloader. Did you mean 'people'",
        ),
        (
            'val_evaluator = dict(evaluators=dict(people=dict(metrics=None)))',
            "val_evaluator.evaluators.people has no 'metrics'",
        ),
        (
            'train_dataloader = dict(dataset=dict(datasets=dict(people=dict(lenth=3))))',
            "train_dataloader.dataset.datasets.people: RoomsDataset has no argument 'lenth'. Did you mean 'length'",
        ),
        (
            'train_dataloader = dict(batch_sampler=dict(ratio=dict(scenes=1)))',
            "train_dataloader.batch_sampler: JointBatchSampler has no argument 'ratio'. Did you mean 'ratios'",
        ),
        ('val_evaluator = dict(evaluators=5)', 'val_evaluator.evaluators of JointEvaluator must be a dict, but is 5'),
        ('model = dict(skip_unlabelled="often")', 'model.skip_unlabelled of MultiTaskModel must be True or False'),
    ],
)
def test_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(complaint)):
        load(tmp_path, text)


def test_unlabelled_images_of_a_domain(tmp_path: Path) -> None:
    text = (
        "everything = ['semseg', 'depth', 'normals', 'human_parts', 'saliency']\n"
        'train_dataloader = dict(dataset=dict(datasets=dict(scenes=dict(labels=everything), people=dict(labels=[]))))'
    )
    assert load(tmp_path, text).train_dataloader.dataset.datasets.people.labels == []
