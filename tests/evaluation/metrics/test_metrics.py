import math
from typing import ClassVar

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement, PixelData

from mtlbox.evaluation import (
    BoundaryLossMetric,
    BoundaryMetric,
    DepthMetric,
    EdgeMetric,
    NormalsMetric,
    SaliencyMetric,
    SegMetric,
    TaskMetric,
)
from mtlbox.evaluation.functional import (
    balanced_loss,
    confusion_matrix,
    depth_errors,
    edge_f1,
    normal_errors,
    saliency_scores,
    saliency_statistic,
    segmentation_scores,
)
from mtlbox.registry import METRICS
from mtlbox.structures import MTLDataSample
from mtlbox.tasks import Boundary, Depth, Edge, HumanParts, Normals, Saliency, SemSeg

SIZE = (6, 8)


def metrics():
    return [
        SegMetric(task='semseg', protocol='pooled-absent-skipped', num_classes=5),
        DepthMetric(task='depth', protocol='pixel-pooled'),
        NormalsMetric(task='normals', protocol='atan2'),
        SegMetric(task='human_parts', protocol='persons-absent-zero', num_classes=5),
        SaliencyMetric(task='saliency', protocol='astmt'),
        SaliencyMetric(task='saliency', protocol='atrc'),
        SaliencyMetric(task='saliency', protocol='invpt'),
        BoundaryMetric(task='boundary', protocol='survey'),
        BoundaryLossMetric(task='boundary', protocol='ctal-edge-loss'),
        EdgeMetric(task='edge', protocol='vtagml'),
    ]


IDS = [f'{type(metric).__name__}-{metric.protocol}' for metric in metrics()]
IGNORED = dict.fromkeys(('semseg', 'human_parts', 'saliency', 'boundary'), 255) | {'depth': 0, 'normals': 0, 'edge': -1}


def make_maps(seed, pred):
    generator = torch.Generator().manual_seed(seed)
    maps = {
        'semseg': torch.randint(0, 5, (1, *SIZE), generator=generator),
        'depth': 1 + torch.rand(1, *SIZE, generator=generator),
        'normals': torch.randn(3, *SIZE, generator=generator),
        'human_parts': torch.randint(0, 5, (1, *SIZE), generator=generator),
    }
    for key in ('saliency', 'boundary', 'edge'):
        maps[key] = torch.rand(1, *SIZE, generator=generator)
        if not pred and key != 'edge':
            maps[key] = (maps[key] < 0.3).float()
    return maps


def make_sample(seed, unlabelled=()):
    sample = MTLDataSample(metainfo={'img_path': f'room_{seed}.png'})
    sides = []
    for maps in (make_maps(seed, pred=False), make_maps(seed + 1000, pred=True)):
        side = BaseDataElement()
        for key, data in maps.items():
            setattr(side, key, PixelData(data=data, metainfo={'labelled': key not in unlabelled}))
        sides.append(side)
    sample.gt, sample.pred = sides
    return sample


def run(metric, samples):
    metric.process(None, [sample.to_dict() for sample in samples])
    assert len(metric.results) == len(samples)
    return metric.evaluate(len(samples))


def stacked(samples, key):
    pred = torch.stack([s.pred.get(key).data for s in samples])
    return pred, torch.stack([s.gt.get(key).data for s in samples])


def test_scores_are_those_of_the_pooled_maps():
    samples = [make_sample(seed) for seed in range(3)]
    semseg, depth, normals = (run(metric, samples) for metric in metrics()[:3])
    expected = segmentation_scores(confusion_matrix(*stacked(samples, 'semseg'), 5), 'skip')
    assert semseg == {f'semseg/{k}': pytest.approx(v) for k, v in expected.items()}
    assert depth == {f'depth/{k}': pytest.approx(v) for k, v in depth_errors(*stacked(samples, 'depth')).items()}
    expected = normal_errors(*stacked(samples, 'normals'), channel_axis=1)
    assert normals == {
        f'normals/{k}': pytest.approx(v, abs=0.05 if k == 'median' else 1e-9) for k, v in expected.items()
    }


def test_scores_of_binary_maps_are_those_of_the_functions():
    samples = [make_sample(seed) for seed in range(3)]
    pred, target = stacked(samples, 'saliency')
    cuts = [n / 100 for n in range(5, 96, 5)]
    expected = saliency_scores(saliency_statistic(pred, target, cuts))['maxF']
    assert run(SaliencyMetric(task='saliency', protocol='atrc'), samples) == {'saliency/maxF': pytest.approx(expected)}
    each = [saliency_statistic(p, t, [0.2, 0.25], strict=True, pooling='image') for p, t in zip(pred, target)]
    least = saliency_scores(sum(each), 'image', 1.0)
    scores = run(SaliencyMetric(task='saliency', protocol='astmt'), samples)
    assert scores['saliency/mIoU'] >= least['mIoU'] and scores['saliency/maxF'] >= least['maxF']
    edge = run(EdgeMetric(task='edge', protocol='vtagml'), samples)
    assert edge['edge/F1'] == pytest.approx(edge_f1(*stacked(samples, 'edge'), 0.1))
    loss = run(BoundaryLossMetric(task='boundary', protocol='ctal-edge-loss'), samples)
    expected = np.mean([balanced_loss(p, t) for p, t in zip(*stacked(samples, 'boundary'))])
    assert loss == {'boundary/edgeLoss': pytest.approx(expected)}


@pytest.mark.parametrize('absent', ['absent-zero', 'absent-skipped'])
def test_images_without_a_person_do_not_count(absent):
    samples = [make_sample(seed) for seed in range(3)]
    samples[1].gt.human_parts.data[0, 2:] = 0
    samples[1].gt.human_parts.data[0, :2] = 255
    kept = [samples[0], samples[2]]
    persons, pooled = (
        SegMetric(task='human_parts', protocol=f'{k}-{absent}', num_classes=5) for k in ('persons', 'pooled')
    )
    assert run(persons, samples) == run(pooled, kept) != run(pooled, samples)
    assert run(persons, kept) == run(pooled, kept)


def test_image_mean_averages_images():
    samples = [make_sample(seed) for seed in range(3)]
    samples[0].gt.depth.data[0, 1:] = 0  # one image with few valid pixels counts as much as the others
    samples.append(make_sample(7, unlabelled=('depth',)))
    each = [depth_errors(s.pred.depth.data, s.gt.depth.data)['rmse'] for s in samples[:3]]
    scores = run(DepthMetric(task='depth', protocol='image-mean'), samples)
    assert scores['depth/rmse'] == pytest.approx(np.mean(each))
    assert scores['depth/rmse'] != pytest.approx(run(metrics()[1], samples)['depth/rmse'], rel=1e-3)


def test_valid_range_comes_from_the_protocol():
    sample = make_sample(0)
    sample.gt.depth.data[:] = 100.0
    sample.gt.depth.data[0, 0, 0] = 10.0
    sample.pred.depth.data[:] = 11.0
    assert run(DepthMetric(task='depth', protocol='pixel-pooled/0-80'), [sample])['depth/rmse'] == 1.0
    assert math.isnan(run(DepthMetric(task='depth', protocol='pixel-pooled/0-6.5535'), [sample])['depth/rmse'])


@pytest.mark.parametrize('index', range(len(IDS)), ids=IDS)
def test_unlabelled_images_count_nothing_but_keep_their_place(index, monkeypatch):
    metric = metrics()[index]
    labelled, unlabelled = make_sample(0), make_sample(1, unlabelled=(metric.task,))
    metric.process(None, [unlabelled.to_dict(), labelled.to_dict()])
    results = []
    compute = metric.compute_metrics
    monkeypatch.setattr(metric, 'compute_metrics', lambda kept: results.extend(kept) or compute(kept))
    assert metric.evaluate(2) == run(metrics()[index], [labelled])
    assert [(result.shape, result.dtype) for result in results] == [(metric.statistic_shape, np.dtype('float64'))] * 2
    assert not results[0].any()


@pytest.mark.parametrize('index', range(len(IDS)), ids=IDS)
def test_a_constant_prediction_has_a_finite_score(index):
    sample = make_sample(0)
    sample.pred.get(metrics()[index].task).data[:] = 1
    assert all(math.isfinite(score) for score in run(metrics()[index], [sample]).values())


@pytest.mark.parametrize('metric', metrics()[4:], ids=IDS[4:])
def test_a_truth_without_anything_has_a_finite_score(metric):
    sample = make_sample(0)
    sample.gt.get(metric.task).data[:] = 0
    scores = run(metric, [sample])
    assert all(math.isfinite(score) and score >= 0 for score in scores.values())
    assert scores.get(f'{metric.task}/maxF', 0) == 0


@pytest.mark.parametrize('metric', metrics(), ids=IDS)
def test_nothing_valid_gives_nan(metric):
    scores = run(metric, [make_sample(0, unlabelled=(metric.task,))])
    assert set(scores) == {f'{metric.task}/{name}' for name in metric.higher_is_better}
    assert all(math.isnan(score) for score in scores.values())


@pytest.mark.parametrize('metric', metrics(), ids=IDS)
def test_an_all_ignore_map_that_is_not_flagged_gives_nan_too(metric):
    sample = make_sample(0)
    sample.gt.get(metric.task).data[:] = IGNORED[metric.task]
    assert all(math.isnan(score) for score in run(metric, [sample]).values())


@pytest.mark.parametrize('metric', metrics(), ids=IDS)
def test_declares_direction_and_unit_of_every_score(metric):
    names = {name.partition('/')[2] for name in run(metric, [make_sample(0)])}
    assert names == set(metric.higher_is_better) == set(metric.unit)


def test_prefix_and_data_samples_that_are_no_dicts():
    metric = DepthMetric(task='depth', protocol='pixel-pooled', prefix='depth_all')
    metric.process(None, [make_sample(0)])
    assert set(metric.evaluate(1)) == {f'depth_all/{name}' for name in metric.higher_is_better}


def test_built_from_the_registry():
    metric = METRICS.build({'type': 'NormalsMetric', 'task': 'normals', 'protocol': 'arccos'})
    assert isinstance(metric, NormalsMetric)
    assert metric.protocol == 'arccos'
    with pytest.raises(ValueError, match=r'not a known normals protocol'):
        METRICS.build({'type': 'NormalsMetric', 'task': 'normals', 'protocol': 'pixel-pooled'})


def test_number_of_classes_comes_from_the_data_set():
    class Classes:
        num_classes = 5

    metric = SegMetric(task='semseg', protocol='pooled-absent-zero')
    with pytest.raises(ValueError, match=r"'semseg' does not know the number of classes"):
        metric.process(None, [make_sample(0)])
    metric.dataset_meta = {'tasks': {'semseg': Classes()}}
    assert metric.statistic_shape == (5, 5)
    assert run(metric, [make_sample(0)])['semseg/pixAcc'] >= 0


@pytest.mark.parametrize('metric', [m for m in metrics() if not m.of_classes], ids=lambda metric: metric.task)
def test_nan_in_a_prediction_names_the_image(metric):
    sample = make_sample(3)
    sample.pred.get(metric.task).data[0, 2, 2] = math.nan
    with pytest.raises(ValueError, match=rf'{metric.task} of image room_3.png: the predicted {metric.task}.* has 1 of'):
        metric.process(None, [sample])


@pytest.mark.parametrize('metric', [m for m in metrics() if m.of_classes], ids=lambda metric: metric.task)
def test_class_maps_of_floats_name_the_image(metric):
    sample = make_sample(3).to_dict()
    sample['pred'][metric.task]['data'] = torch.full((1, *SIZE), math.nan)
    with pytest.raises(ValueError, match=rf'{metric.task} of image room_3.png: the prediction has dtype float64'):
        metric.process(None, [sample])


def test_protocols_without_a_score_do_not_name_it():
    assert set(SaliencyMetric(task='saliency', protocol='astmt').higher_is_better) == {'mIoU', 'maxF'}
    assert set(SaliencyMetric(task='saliency', protocol='invpt').higher_is_better) == {'maxF'}


@pytest.mark.parametrize(
    'task', [SemSeg(num_classes=3), HumanParts(), Saliency(), Depth(), Normals(), Boundary(), Edge()]
)
def test_primary_scores_are_given(task):
    """Each task's score for delta_m is one of the first metric that fits it, with the same direction."""
    metric = next(metric for metric in metrics() if metric.task == task.key)
    assert not metric.misfit(task)
    assert metric.higher_is_better[task.primary_score] == task.higher_is_better


def test_label_out_of_range_names_the_image():
    sample = make_sample(3)
    sample.gt.semseg.data[0, 0, 0] = 40
    with pytest.raises(ValueError, match=r'room_3.png: the ground truth has labels out of range: 40; expected 0\.\.4'):
        metrics()[0].process(None, [sample])


def test_different_sizes_name_the_image_and_both_sizes():
    sample = make_sample(3).to_dict()
    sample['pred']['depth']['data'] = torch.ones(1, 3, 4)
    with pytest.raises(ValueError, match=r'room_3.png: the prediction is \(1, 3, 4\) and the ground truth \(1, 6, 8\)'):
        metrics()[1].process(None, [sample])


def test_missing_task_names_the_nearest():
    sample = make_sample(3).to_dict()
    sample['pred']['dept'] = sample['pred'].pop('depth')
    with pytest.raises(ValueError, match=r"room_3.png has no prediction for task 'depth'. Did you mean 'dept'"):
        metrics()[1].process(None, [sample])


def test_a_metric_of_another_task_is_two_methods_and_its_declarations():
    class CountMetric(TaskMetric):
        higher_is_better: ClassVar = {'share': True}
        unit: ClassVar = {'share': '%'}
        protocol_class = DepthMetric.protocol_class
        statistic_shape = (2,)

        def statistic(self, pred, target):
            return np.array([float((pred > target).sum()), pred.numel()])

        def finalise(self, total):
            return {'share': 100 * total[0] / total[1] if total[1] else math.nan}

    samples = [make_sample(0)]
    expected = 100 * (samples[0].pred.depth.data > samples[0].gt.depth.data).double().mean().item()
    assert run(CountMetric(task='depth', protocol='pixel-pooled'), samples) == {'depth/share': pytest.approx(expected)}
