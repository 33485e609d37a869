import json
import logging
import math
import re
from dataclasses import asdict
from types import SimpleNamespace

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import EVALUATOR

from mtlbox.evaluation import Baseline, DepthMetric, MTLEvaluator, NormalsMetric, SegMetric, load_baseline

PAPER = 'nyuv2-13_hrnet18-small-v2_ctal-paper'
PRIMARY = {'depth': 'relErr'}
TASKS = {
    'semseg': SimpleNamespace(num_classes=3, primary_score='mIoU'),
    'depth': SimpleNamespace(primary_score='rmse'),
    'normals': SimpleNamespace(primary_score='mErr'),
}


def configs(**protocols):
    given = {'semseg': 'pooled-absent-skipped', 'depth': 'pixel-pooled', 'normals': 'arccos'} | protocols
    kinds = {'semseg': 'SegMetric', 'depth': 'DepthMetric', 'normals': 'NormalsMetric'}
    return [{'type': kinds[task], 'task': task, 'protocol': protocol} for task, protocol in given.items()]


def sample(labelled=True, index=0):
    generator = torch.Generator().manual_seed(index)
    truth = {
        'semseg': torch.randint(0, 3, (1, 4, 4), generator=generator),
        'depth': 1 + torch.rand(1, 4, 4, generator=generator),
        'normals': torch.randn(3, 4, 4, generator=generator),
    }
    pred = {'semseg': truth['semseg'].flip(1), 'depth': truth['depth'] * 1.1, 'normals': truth['normals'] + 0.5}
    return {
        'sample_idx': index,
        'gt': {key: {'data': data, 'labelled': labelled} for key, data in truth.items()},
        'pred': {key: {'data': data} for key, data in pred.items()},
    }


def evaluate(evaluator, samples):
    evaluator.dataset_meta = {'tasks': TASKS}
    evaluator.process(samples)
    return evaluator.evaluate(len(samples))


@pytest.fixture
def messages(monkeypatch):
    """What the evaluator logs as warnings."""
    logged = []

    def record(message, logger, level):
        assert (logger, level) == ('current', logging.WARNING)
        logged.append(message)

    monkeypatch.setattr('mtlbox.evaluation.evaluator.print_log', record)
    return logged


def test_adds_delta_m(messages):
    evaluator = MTLEvaluator(metrics=configs(), baseline=PAPER, primary=PRIMARY)
    scores = evaluate(evaluator, [sample(), sample(index=1)])
    changes = [
        (scores['semseg/mIoU'] - 49.23) / 49.23,
        -(scores['depth/relErr'] - 0.1636) / 0.1636,
        -(scores['normals/mErr'] - 23.15) / 23.15,
    ]
    assert scores['delta_m'] == pytest.approx(100 * sum(changes) / 3)
    assert scores['depth/relErr'] == pytest.approx(0.1, rel=1e-5)
    assert not messages


@pytest.mark.parametrize(
    ('origin', 'reason'),
    [
        ({'samples': 654, 'of': 654, 'replica': True}, 'the data are a replica'),
        ({'samples': 26, 'of': 654, 'replica': False}, '26 samples are scored, but .* was measured on all 654'),
        ({'samples': 654, 'of': 654, 'replica': False}, None),
        ({'samples': 26, 'of': None, 'replica': False}, None),
    ],
)
def test_a_published_baseline_is_compared_with_scores_of_its_data_only(messages, origin, reason):
    evaluator = MTLEvaluator(metrics=configs(), baseline=PAPER, primary=PRIMARY)
    evaluator.dataset_meta = {'tasks': TASKS, 'origin': origin}
    evaluator.process([sample()])
    assert ('delta_m' in evaluator.score_names()) is (reason is None)
    assert ('delta_m' in evaluator.evaluate(1)) is (reason is None)
    assert len(messages) == (2 if reason else 0)
    assert all(re.search(reason, message) for message in messages)


def test_refuses_a_baseline_of_data_of_another_size(tmp_path):
    path = tmp_path / 'rooms.json'
    content = asdict(load_baseline(PAPER)) | {'dataset': 'RoomsDataset', 'setting': '8 scenes at 48x64'}
    path.write_text(json.dumps(content))
    evaluator = MTLEvaluator(metrics=configs(), baseline=str(path), primary=PRIMARY)
    origin = {'samples': 8, 'of': None, 'replica': False, 'setting': '8 scenes at 48x64'}
    evaluator.dataset_meta = {'tasks': TASKS, 'dataset': 'RoomsDataset', 'origin': origin}
    assert 'delta_m' in evaluator.score_names()
    with pytest.raises(ValueError, match='is of 8 scenes at 48x64, but 8 scenes at 72x96 is scored'):
        evaluator.dataset_meta = {
            'tasks': TASKS,
            'dataset': 'RoomsDataset',
            'origin': origin | {'setting': '8 scenes at 72x96'},
        }


def test_refuses_a_baseline_of_another_split(messages):
    evaluator = MTLEvaluator(metrics=configs(), baseline=PAPER, primary=PRIMARY)
    origin = {'samples': 795, 'of': 795, 'replica': False, 'split': 'train', 'setting': 'train split'}
    with pytest.raises(ValueError, match='is of the whole data set, but train split is scored'):
        evaluator.dataset_meta = {'tasks': TASKS, 'dataset': 'NYUv2', 'origin': origin}
    found = MTLEvaluator(metrics=configs(), baseline='auto', primary=PRIMARY)
    found.backbone = 'HRNet18'
    found.dataset_meta = {'tasks': TASKS, 'dataset': 'NYUv2', 'origin': origin}
    assert found.baseline is None and 'no baseline of nyuv2-13, train split, HRNet18' in messages[0]


def test_built_as_the_runner_builds_it():
    import mtlbox.evaluation  # noqa: F401

    built = EVALUATOR.build({'type': 'mtlbox.MTLEvaluator', 'metrics': configs()})
    assert isinstance(built, MTLEvaluator)
    assert [type(metric) for metric in built.metrics] == [SegMetric, DepthMetric, NormalsMetric]


def test_takes_built_metrics_and_a_single_one():
    metric = DepthMetric(task='depth', protocol='image-mean')
    assert MTLEvaluator(metrics=metric).metrics == [metric]
    assert len(MTLEvaluator(metrics=configs()[0]).metrics) == 1


def test_without_baseline_there_is_no_delta_m(messages):
    assert 'delta_m' not in evaluate(MTLEvaluator(metrics=configs()), [sample()])
    assert not messages


def test_missing_baseline_is_logged_with_the_way_to_make_it(messages):
    evaluator = MTLEvaluator(metrics=configs(), baseline='work_dirs/stl/baseline.json')
    assert 'delta_m' not in evaluate(evaluator, [sample()])
    assert len(messages) == 1
    assert 'work_dirs/stl/baseline.json' in messages[0]
    assert 'make_baseline.py' in messages[0]


def test_refuses_a_baseline_of_another_protocol():
    with pytest.raises(ValueError, match=r"'arccos' for 'normals', but the metric uses 'atan2'"):
        MTLEvaluator(metrics=configs(normals='atan2'), baseline=PAPER)


def test_refuses_a_baseline_of_another_backbone():
    evaluator = MTLEvaluator(metrics=configs(), baseline=PAPER)
    evaluator.backbone = 'HRNet18'
    with pytest.raises(
        ValueError, match=r'has the backbone HRNet-W18-small-v2, but the model has Swin-T: .*force=True'
    ):
        evaluator.backbone = 'Swin-T'


def test_refuses_a_baseline_of_another_data_set():
    evaluator = MTLEvaluator(metrics=configs(), baseline=PAPER, primary=PRIMARY)
    evaluator.dataset_meta = {'tasks': TASKS, 'dataset': 'NYUv2'}
    with pytest.raises(ValueError, match='is of the data set nyuv2-13, but rooms is scored'):
        evaluator.dataset_meta = {'tasks': TASKS, 'dataset': 'RoomsDataset'}


def test_a_forced_comparison_is_made_and_marked(messages):
    evaluator = MTLEvaluator(metrics=configs(normals='atan2'), baseline=PAPER, primary=PRIMARY, force=True)
    evaluator.backbone = 'Swin-T'
    assert 'delta_m' in evaluate(evaluator, [sample()])
    comparison = evaluator.comparison()
    assert comparison['name'] == PAPER and 'CTAL' in comparison['source']
    assert [reason.split(' ')[0] for reason in comparison['forced']] == ['was', 'has']
    assert all('forced' in message for message in messages) and messages


def test_what_is_compared_with_is_told():
    assert MTLEvaluator(metrics=configs()).comparison() is None
    assert MTLEvaluator(metrics=configs(), baseline=PAPER).comparison()['forced'] == []


def test_finds_the_baseline_of_data_backbone_and_protocols(messages):
    evaluator = MTLEvaluator(metrics=configs(), baseline='auto', primary=PRIMARY)
    evaluator.backbone = 'HRNet-W18-small-v2'
    evaluator.dataset_meta = {'tasks': TASKS, 'dataset': 'NYUv2'}
    assert evaluator.baseline.name == PAPER and 'delta_m' in evaluator.score_names()
    assert not messages


@pytest.mark.parametrize(
    ('backbone', 'dataset', 'protocols', 'message'),
    [
        ('ViT-B', 'NYUv2', {}, r'no baseline of nyuv2-13, ViT-B .* is shipped. To make one, train .*configs/stl'),
        ('HRNet18', 'NYUv2', {'normals': 'atan2'}, r'no baseline of nyuv2-13, HRNet18 and the protocols .*atan2'),
        (None, 'NYUv2', {}, r'needs to know the data set and the backbone'),
    ],
)
def test_no_baseline_is_found(messages, backbone, dataset, protocols, message):
    evaluator = MTLEvaluator(metrics=configs(**protocols), baseline='auto', primary=PRIMARY)
    evaluator.backbone = backbone
    evaluator.dataset_meta = {'tasks': TASKS, 'dataset': dataset}
    assert evaluator.baseline is None
    assert len(messages) == 1 and re.search(message, messages[0])


def test_several_baselines_are_named(messages):
    metric = {'type': 'SegMetric', 'task': 'semseg', 'protocol': 'pooled-absent-zero'}
    evaluator = MTLEvaluator(metrics=metric, baseline='auto')
    evaluator.backbone = 'Swin-S'
    evaluator.dataset_meta = {'tasks': TASKS, 'dataset': 'nyud-40'}
    assert evaluator.baseline is None
    assert "'nyud-40_swin-s_demt-paper', 'nyud-40_swin-s_mtformer-paper'" in messages[0]


def test_alias_is_no_other_protocol():
    assert MTLEvaluator(metrics=configs(depth='pixel-pooled/>0'), baseline=PAPER).baseline is not None


def test_baseline_without_the_primary_score_is_logged(messages):
    assert 'delta_m' not in evaluate(MTLEvaluator(metrics=configs(), baseline=PAPER), [sample()])
    assert "has no 'rmse' of 'depth'" in messages[0]  # the Task's primary score, as primary= was not given


def test_score_names_are_known_before_the_first_evaluation(messages):
    complete = MTLEvaluator(metrics=configs(), baseline=PAPER, primary=PRIMARY)
    scores = evaluate(complete, [sample()])
    for primary, has_delta_m in ((PRIMARY, True), ({}, False)):
        evaluator = MTLEvaluator(metrics=configs(), baseline=PAPER, primary=primary)
        evaluator.dataset_meta = {'tasks': TASKS}
        assert set(evaluator.score_names()) == set(scores) - (set() if has_delta_m else {'delta_m'})
    assert len(messages) == 1
    assert 'primary= names the score' in messages[0]


def test_task_without_a_known_primary_score_is_logged(messages):
    evaluator = MTLEvaluator(metrics=configs(), baseline=PAPER)
    for metric, classes in zip(evaluator.metrics, (3, None, None)):
        metric._num_classes = classes
    evaluator.process([sample()])
    assert 'delta_m' not in evaluator.evaluate(1)
    assert 'primary score of' in messages[0]


def test_baseline_that_lacks_a_task_is_logged(messages):
    metrics = [*configs(), {'type': 'SegMetric', 'task': 'human_parts', 'protocol': 'pooled-absent-zero'}]
    evaluator = MTLEvaluator(metrics=metrics, baseline=PAPER, primary=PRIMARY)
    evaluator.dataset_meta = {'tasks': TASKS | {'human_parts': TASKS['semseg']}}
    one = sample()
    for side in ('gt', 'pred'):
        one[side]['human_parts'] = one[side]['semseg']
    evaluator.process([one])
    assert 'delta_m' not in evaluator.evaluate(1)
    assert "no 'mIoU' of 'human_parts'" in messages[0]


def test_nan_score_leaves_delta_m_out(messages):
    evaluator = MTLEvaluator(metrics=configs(), baseline=PAPER, primary=PRIMARY)
    scores = evaluate(evaluator, [sample(labelled=False)])
    assert 'delta_m' not in scores
    assert all(math.isnan(score) for score in scores.values())
    assert 'semseg/mIoU is NaN' in messages[0]


def test_zero_in_the_baseline_leaves_delta_m_out(messages):
    evaluator = MTLEvaluator(metrics=configs()[1])
    protocols, scores = {'depth': 'pixel-pooled'}, {'depth': {'rmse': 0.0}}
    evaluator.baseline = Baseline(name='b', backbone='x', dataset='y', protocols=protocols, scores=scores, source='z')
    assert 'delta_m' not in evaluate(evaluator, [sample()])
    assert 'no relative change' in messages[0]


def test_delta_m_of_fewer_tasks_than_the_baseline_has():
    evaluator = MTLEvaluator(metrics=configs()[1], baseline=PAPER, primary=PRIMARY)
    scores = evaluate(evaluator, [sample()])
    assert scores['delta_m'] == pytest.approx(100 * (0.1636 - scores['depth/relErr']) / 0.1636)


def test_two_metrics_of_one_score_name():
    twice = [*configs(), {'type': 'DepthMetric', 'task': 'depth', 'protocol': 'image-mean'}]
    with pytest.raises(ValueError, match=r"'depth/rmse': give one of them another prefix"):
        MTLEvaluator(metrics=twice)
    twice[-1]['prefix'] = 'depth_image'
    evaluator = MTLEvaluator(metrics=twice, baseline=PAPER, primary=PRIMARY)
    scores = evaluate(evaluator, [sample()])
    assert evaluator.protocols() == {
        'semseg': 'pooled-absent-skipped',
        'depth': 'pixel-pooled',
        'normals': 'arccos',
        'depth_image': 'image-mean',
    }
    assert {'depth/rmse', 'depth_image/rmse', 'delta_m'} <= set(scores)


def test_direction():
    evaluator = MTLEvaluator(metrics=configs())
    keys = ('delta_m', 'semseg/mIoU', 'depth/rmse', 'normals/mErr', 'normals/11.25')
    assert [evaluator.higher_is_better(key) for key in keys] == [True, True, False, False, True]
    with pytest.raises(ValueError, match=r"no metric gives a score 'semseg/miou'. Did you mean 'semseg/mIoU'"):
        evaluator.higher_is_better('semseg/miou')


@pytest.mark.parametrize(
    ('primary', 'message'),
    [
        ({'dept': 'rmse'}, "names task 'dept', which has no metric. Did you mean 'depth'"),
        ({'depth': 'rsme'}, "'depth' gives no score 'rsme'. Did you mean 'rmse'"),
    ],
)
def test_wrong_primary(primary, message):
    with pytest.raises(ValueError, match=message):
        MTLEvaluator(metrics=configs(), primary=primary)


def test_unknown_metric_names_the_nearest():
    with pytest.raises(KeyError, match=r"'DepthMetrics' is not a registered metric.*'DepthMetric'"):
        MTLEvaluator(metrics=[{'type': 'DepthMetrics', 'task': 'depth', 'protocol': 'pixel-pooled'}])


def test_metric_of_a_task_that_the_data_set_lacks():
    evaluator = MTLEvaluator(metrics=DepthMetric(task='dept', protocol='pixel-pooled'))
    with pytest.raises(ValueError, match=r"task 'dept', which the data set does not have. Did you mean 'depth'"):
        evaluator.dataset_meta = {'tasks': TASKS}


def test_unknown_number_of_classes_is_said_before_the_first_batch():
    with pytest.raises(ValueError, match=r'does not know the number of classes'):
        MTLEvaluator(metrics=configs()[0]).dataset_meta = {}


def test_metrics_of_others_run_beside():
    class Count(BaseMetric):
        def process(self, data_batch, data_samples):
            self.results += [1] * len(data_samples)

        def compute_metrics(self, results):
            return {'count': len(results)}

    evaluator = MTLEvaluator(metrics=[*configs(), Count(prefix='images')], baseline=PAPER, primary=PRIMARY)
    scores = evaluate(evaluator, [sample(), sample(index=1)])
    assert scores['images/count'] == 2
    assert 'delta_m' in scores
