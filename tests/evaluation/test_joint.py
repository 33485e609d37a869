"""Several data sets, each scored by an evaluator of its own."""

import json
import math

import pytest
import torch

from mtlbox.evaluation import JointEvaluator, MTLEvaluator, write_baseline
from mtlbox.registry import EVALUATORS
from mtlbox.structures import MTLDataSample
from mtlbox.tasks import build_tasks

TASKS = build_tasks({'semseg': {'type': 'SemSeg', 'num_classes': 3}, 'depth': {'type': 'Depth'}})
SEG = {'type': 'SegMetric', 'task': 'semseg', 'protocol': 'pooled-absent-zero'}
DEPTH = {'type': 'DepthMetric', 'task': 'depth', 'protocol': 'pixel-pooled'}
METRICS = {'near': [SEG, DEPTH], 'far': [{**DEPTH, 'protocol': 'image-mean'}]}
META = {
    'tasks': TASKS,
    'datasets': {
        name: {'tasks': TASKS, 'dataset': name, 'origin': {'dataset': name, 'samples': n, 'of': None, 'replica': False}}
        for name, n in (('near', 3), ('far', 4))
    },
}


def sample(index, domain):
    generator = torch.Generator().manual_seed(index)
    made = MTLDataSample(metainfo={'sample_idx': index, 'domain': domain})
    truth = {
        'semseg': torch.randint(0, 3, (1, 4, 4), generator=generator),
        'depth': 1 + torch.rand(1, 4, 4, generator=generator),
    }
    made.set_maps('gt', truth, {'semseg': domain == 'near', 'depth': True})
    made.set_maps('pred', {'semseg': truth['semseg'].flip(1), 'depth': truth['depth'] * (1 + index / 10)})
    return made


SAMPLES = [sample(index, 'near' if index < 3 else 'far') for index in range(7)]


def make(**evaluators):
    evaluators = evaluators or {name: {'metrics': metrics} for name, metrics in METRICS.items()}
    evaluator = EVALUATORS.build({'type': 'JointEvaluator', 'evaluators': evaluators})
    evaluator.dataset_meta = META
    return evaluator


def test_scores_are_those_of_each_data_set_alone():
    evaluator = make()
    for start in range(0, 7, 2):
        evaluator.process(SAMPLES[start : start + 2], None)
    scores = evaluator.evaluate(7)
    expected = {}
    for name, metrics in METRICS.items():
        alone = MTLEvaluator(metrics=metrics)
        alone.dataset_meta = META['datasets'][name]
        own = [sample for sample in SAMPLES if sample.domain == name]
        alone.process(own)
        expected |= {f'{name}/{key}': value for key, value in alone.evaluate(len(own)).items()}
    assert scores == expected
    assert scores['near/depth/rmse'] != scores['far/depth/rmse'], 'one task, two data sets'
    assert list(scores) == evaluator.score_names()


def test_copies_of_a_sampler_are_dropped():
    """A distributed sampler fills up with the first samples, of the first data set."""
    plain, padded = make(), make()
    plain.process(SAMPLES)
    padded.process([*SAMPLES, *SAMPLES[:2]])
    assert padded.evaluate(7) == plain.evaluate(7)


def test_samples_are_left_as_they_are():
    evaluator = make()
    evaluator.process(SAMPLES)
    assert all(one.gt.depth.labelled for one in SAMPLES)


def test_what_it_says():
    evaluator = make()
    evaluator.backbone = 'Swin-S'
    said = evaluator.description()
    assert said['backbone'] == evaluator.backbone == 'Swin-S'
    assert {name: one['samples'] for name, one in said['data'].items()} == {'near': 3, 'far': 4}
    assert said['protocols'] == {
        'near/semseg': 'pooled-absent-zero', 'near/depth': 'pixel-pooled', 'far/depth': 'image-mean'
    }  # fmt: skip
    assert said['primary'] == {
        'near/semseg': 'near/semseg/mIoU', 'near/depth': 'near/depth/rmse', 'far/depth': 'far/depth/rmse'
    }  # fmt: skip
    assert said['baseline'] == {'near': None, 'far': None} and evaluator.comparison() is None
    assert evaluator.higher_is_better('near/semseg/mIoU') and not evaluator.higher_is_better('far/depth/rmse')
    assert evaluator.other_data() == ''


def test_each_has_its_baseline(tmp_path):
    result = {
        'scores': {'semseg/mIoU': 10.0, 'depth/rmse': 1.0},
        'protocols': {'semseg': SEG['protocol'], 'depth': DEPTH['protocol']},
        'config': 'x', 'commit': 'x', 'seed': 0, 'model': 'STL',
    }  # fmt: skip
    (tmp_path / 'result.json').write_text(json.dumps(result))
    path = tmp_path / 'one.json'
    write_baseline(path, tmp_path / 'result.json', name='one', backbone='Swin-S', dataset='near')
    evaluator = make(near={'metrics': METRICS['near'], 'baseline': str(path)}, far={'metrics': METRICS['far']})
    evaluator.process(SAMPLES)
    scores = evaluator.evaluate(7)
    assert math.isfinite(scores['near/delta_m']) and 'far/delta_m' not in scores
    assert 'near/delta_m' in evaluator.score_names() and evaluator.higher_is_better('near/delta_m')
    with pytest.raises(ValueError, match='has the backbone Swin-S'):
        evaluator.backbone = 'Swin-T'


def test_bad_input():
    with pytest.raises(ValueError, match='needs an evaluator at least'):
        JointEvaluator(evaluators={})
    with pytest.raises(ValueError, match=r"has an evaluator for 'naer', but no data set .* Did you mean 'near'"):
        make(naer={'metrics': METRICS['near']})
    with pytest.raises(ValueError, match=r"a score 'nea/semseg/mIoU'\. Did you mean 'near/semseg/mIoU'"):
        make().higher_is_better('nea/semseg/mIoU')
