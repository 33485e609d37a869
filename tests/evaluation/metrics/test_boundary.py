import io
import math

import cv2
import numpy as np
import pytest
import torch
from scipy.io import loadmat

from mtlbox.evaluation import BoundaryMetric
from mtlbox.evaluation.functional import boundary_counts, boundary_scores
from mtlbox.evaluation.metrics import work
from mtlbox.evaluation.protocols import BoundaryProtocol, get_protocol

SIZE = (24, 32)


def sample(seed, annotators=1, labelled=True, **pred):
    generator = torch.Generator().manual_seed(seed)
    truth = (torch.rand(annotators, *SIZE, generator=generator) < 0.08).float()
    maps = pred.get('pred', torch.rand(1, *SIZE, generator=generator))
    return {
        'img_path': f'folder/room_{seed}.png',
        'gt': {'boundary': {'data': truth, 'labelled': labelled}},
        'pred': {'boundary': {'data': maps}},
    }


def run(metric, samples):
    for one in samples:
        metric.process(None, [one])
    return metric.evaluate(len(samples))


@pytest.mark.parametrize('name', ['bsds', 'astmt', 'survey', 'invpt', 'mtdp', 'invpt/nyud'])
def test_scores_are_those_of_the_functions(name):
    protocol = get_protocol(name, BoundaryProtocol)
    samples = [sample(seed, annotators=3 if name == 'bsds' else 1) for seed in range(3)]
    counts = [
        boundary_counts(one['pred']['boundary']['data'], one['gt']['boundary']['data'], **protocol.counting)
        for one in samples
    ]
    expected = boundary_scores(np.stack(counts), protocol.interpolate)
    scores = run(BoundaryMetric(task='boundary', protocol=name), samples)
    assert scores == {f'boundary/{score}': pytest.approx(value) for score, value in expected.items()}
    assert 0 < scores['boundary/odsF'] < 100


def test_variants_differ():
    samples = [sample(seed) for seed in range(2)]
    names = ('bsds', 'survey', 'invpt', 'mtdp', 'invpt/nyud')
    scores = {name: run(BoundaryMetric(task='boundary', protocol=name), samples)['boundary/odsF'] for name in names}
    assert len({round(score, 6) for score in scores.values()}) == len(names), scores


@pytest.mark.slow  # starts processes
def test_other_processes_give_the_same(capsys):
    samples = [sample(seed, labelled=seed != 3) for seed in range(12)]  # more than may wait
    metric = BoundaryMetric(task='boundary', protocol='survey', workers=1)
    assert run(metric, samples) == run(BoundaryMetric(task='boundary', protocol='survey'), samples)
    # an error in another process names the image, and the metric can be used again
    bad = sample(1)
    bad['gt']['boundary']['data'][0, 0, 0] = 3
    with pytest.raises(ValueError, match=r'boundary of image folder/room_1.png: the true boundary has the value 3'):
        run(metric, [sample(0), bad])
    metric.results.clear()
    metric.process(None, samples[:2])
    (process,) = metric._at_work._pool._processes.values()
    process.kill()  # what the memory killer does
    metric.process(None, samples[2:])
    assert metric.evaluate(12) == run(BoundaryMetric(task='boundary', protocol='survey'), samples)


def test_results_are_statistics_that_mmengine_can_collect(monkeypatch):
    metric = BoundaryMetric(task='boundary', protocol='survey')
    metric.process(None, [sample(0), sample(1, labelled=False)])
    seen = []
    monkeypatch.setattr(metric, 'compute_metrics', lambda results: seen.extend(results) or {})
    metric.evaluate(2)
    assert [one.shape for one in seen] == [metric.statistic_shape] * 2
    assert seen[0].any() and not seen[1].any()


@pytest.mark.parametrize('value', [math.nan, 1.5])
def test_bad_predictions_name_the_image(value):
    bad = sample(4)
    bad['pred']['boundary']['data'][0, 3, 3] = value
    metric = BoundaryMetric(task='boundary', protocol='invpt')
    with pytest.raises(ValueError, match=r'boundary of image folder/room_4.png: the predicted boundary has'):
        run(metric, [sample(0), bad])


def test_other_sizes_name_the_image():
    bad = sample(4, pred=torch.rand(1, 8, 8))
    with pytest.raises(
        ValueError, match=r'room_4.png: the prediction is \(1, 8, 8\) and the ground truth \(1, 24, 32\)'
    ):
        BoundaryMetric(task='boundary', protocol='invpt').process(None, [bad])


def test_constant_predictions_and_empty_truth():
    constant = [sample(seed, pred=torch.full((1, *SIZE), 0.5)) for seed in range(2)]
    scores = run(BoundaryMetric(task='boundary', protocol='survey'), constant)
    assert 0 <= scores['boundary/odsF'] <= 100
    empty = sample(0)
    empty['gt']['boundary']['data'].zero_()
    assert run(BoundaryMetric(task='boundary', protocol='survey'), [empty])['boundary/odsF'] == 0
    nothing = sample(0, pred=torch.zeros(1, *SIZE))
    assert run(BoundaryMetric(task='boundary', protocol='survey'), [nothing])['boundary/odsF'] == 0


def test_dump_is_what_the_matlab_tools_read(tmp_path):
    samples = [sample(seed, annotators=2) for seed in range(2)]
    metric = BoundaryMetric(task='boundary', protocol='bsds', dump_dir=str(tmp_path))
    scores = run(metric, samples)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob('*.*')) == [
        'groundTruth/room_0.mat',
        'groundTruth/room_1.mat',
        'png/room_0.png',
        'png/room_1.png',
    ]
    protocol = get_protocol('bsds', BoundaryProtocol)
    counts = []
    for one in range(2):
        picture = cv2.imread(str(tmp_path / f'png/room_{one}.png'), cv2.IMREAD_UNCHANGED)
        assert picture.shape == SIZE and picture.dtype == np.uint8
        (cells,) = loadmat(tmp_path / f'groundTruth/room_{one}.mat')['groundTruth']
        truth = np.stack([cell['Boundaries'][0, 0] for cell in cells])
        np.testing.assert_array_equal(truth, samples[one]['gt']['boundary']['data'])
        counts.append(boundary_counts(picture / 255, truth, protocol.thresholds, nms_radius=None, thin_truth=False))
    # the score does not depend on whether it is taken from the files or from the stream
    assert boundary_scores(np.stack(counts), True)['odsF'] == scores['boundary/odsF']


def test_two_images_of_one_name_are_not_dumped_over_each_other(tmp_path):
    metric = BoundaryMetric(task='boundary', protocol='survey', dump_dir=str(tmp_path))
    other = sample(0) | {'img_path': 'elsewhere/room_0.jpg'}
    with pytest.raises(ValueError, match=r'folder/room_0.png and elsewhere/room_0.jpg would both be written'):
        run(metric, [sample(0), other])


def test_progress_bar_counts_images(monkeypatch):
    bars = []

    class Bar(work.tqdm):
        def __init__(self, **kwargs):
            super().__init__(**kwargs | {'file': io.StringIO(), 'disable': False})
            bars.append(self)

    monkeypatch.setattr(work, 'tqdm', Bar)
    run(BoundaryMetric(task='boundary', protocol='survey'), [sample(seed) for seed in range(3)])
    ((bar),) = bars
    assert (bar.n, bar.total, bar.desc) == (3, 3, 'boundary (survey)')


def test_negative_workers():
    with pytest.raises(ValueError, match='workers=-1: expected 0 or more'):
        BoundaryMetric(task='boundary', protocol='survey', workers=-1)
