"""Stored predictions are scored as a model's are."""

from __future__ import annotations

import importlib.util
import json
import math
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.registry import init_default_scope

from mtlbox.apis.predictions import PredictionFolder
from mtlbox.config import load_config
from mtlbox.datasets.base import MultiTaskDataset
from mtlbox.evaluation import MTLEvaluator
from mtlbox.leaderboard.runs import read_run
from mtlbox.registry import DATASETS, EVALUATORS
from mtlbox.structures import MTLDataSample
from mtlbox.tasks import HumanParts

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs/mtl/mtl_hrnet18_rooms.py')
OPTIONS = ['test_dataloader.dataset.length=3', 'test_dataloader.dataset.size=(32,64)']


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / 'tools' / f'{name}.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def data() -> MultiTaskDataset:
    cfg = load_config(CONFIG, {'test_dataloader.dataset.length': 3, 'test_dataloader.dataset.size': (32, 64)})
    init_default_scope('mtlbox')
    return DATASETS.build(cfg.test_dataloader.dataset)


@pytest.fixture(scope='module')
def maps(data: MultiTaskDataset) -> list[dict[str, np.ndarray]]:
    """Predictions that are wrong in places."""
    rng = np.random.default_rng(0)
    found = []
    for index in range(len(data)):
        gt = data.load_sample(index)['gt']
        noise = {key: rng.normal(0, 0.05, value.shape) for key, value in gt.items()}
        normals = gt['normals'] + noise['normals']
        found.append(
            {
                'semseg': np.roll(np.where(gt['semseg'] == 255, 0, gt['semseg']), 2, axis=1).astype(np.int64),
                'depth': (np.abs(gt['depth'] + noise['depth']) + 0.1).astype(np.float32),
                'normals': (normals / np.linalg.norm(normals, axis=-1, keepdims=True)).astype(np.float32),
            }
        )
    return found


@pytest.fixture(scope='module')
def expected(data: MultiTaskDataset, maps: list[dict[str, np.ndarray]]) -> dict[str, float]:
    """Scores of the predictions where no file is between."""
    evaluator = EVALUATORS.build(load_config(CONFIG).test_evaluator)
    evaluator.dataset_meta = data.metainfo
    for index, predicted in enumerate(maps):
        sample = data[index]['data_samples']
        sample.set_maps('pred', {key: data.tasks[key].pack(value) for key, value in predicted.items()})
        evaluator.process([sample])
    return evaluator.evaluate(len(data))


def score(folder: Path, *arguments: str) -> dict[str, Any]:
    out = folder / 'out' / 'result.json'
    tool('eval_predictions').main([CONFIG, str(folder), *arguments, '--out', str(out), '--cfg-options', *OPTIONS])
    return json.loads(out.read_text())


@pytest.mark.parametrize('arrays', ['npy', 'png16'])
def test_what_infer_writes(
    data: MultiTaskDataset,
    maps: list[dict[str, np.ndarray]],
    expected: dict[str, float],
    arrays: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    types, process = [], MTLEvaluator.process

    def spy(self: MTLEvaluator, samples: list[Any], data_batch: Any = None) -> None:
        for sample in samples:
            types.extend((key, sample.map(name, key).dtype) for name in ('gt', 'pred') for key in maps[0])
        process(self, samples, data_batch)

    monkeypatch.setattr(MTLEvaluator, 'process', spy)
    write = tool('infer').Writer(tmp_path, data.tasks, arrays, False)
    for index, predicted in enumerate(maps):
        write(f'val_{index}', np.zeros((32, 64, 3), np.uint8), predicted)
    result = score(tmp_path)
    assert types and all(dtype == data.tasks[key].dtype for key, dtype in types), 'metrics meet no bytes'
    assert result['scores'] == pytest.approx(expected, rel=1e-6 if arrays == 'npy' else 2e-3)
    assert 0 < result['scores']['semseg/mIoU'] < 100 and result['scores']['depth/rmse'] > 0.01
    assert result['protocols'] == {'semseg': 'pooled-absent-skipped', 'depth': 'pixel-pooled', 'normals': 'arccos'}


def test_what_others_write(
    maps: list[dict[str, np.ndarray]], expected: dict[str, float], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for folder in ('classes', 'depth', 'normals'):
        (tmp_path / folder).mkdir()
    for index, predicted in enumerate(maps):
        cv2.imwrite(str(tmp_path / f'classes/{index:04d}.png'), predicted['semseg'].astype(np.uint8) + 1)
        cv2.imwrite(str(tmp_path / f'depth/val_{index}.png'), np.round(predicted['depth'] * 256).astype(np.uint16))
        np.save(tmp_path / f'normals/val_{index}.npy', predicted['normals'].transpose(2, 0, 1))
    words = ['--pattern', '{task}/{id}.png', 'semseg=classes/{index:04d}.png', 'normals={task}/{id}.npy']
    result = score(tmp_path, *words, '--offset', 'semseg=-1', '--units', 'depth=0.00390625', '--name', 'theirs')
    for key, value in expected.items():
        assert result['scores'][key] == pytest.approx(value, rel=0.01), key
    assert 'depth/rmse' in capsys.readouterr().out
    (tmp_path / 'result.json').write_text(json.dumps(result | {'data': {'dataset': 'RoomsDataset'}}))
    row = read_run(tmp_path / 'result.json')
    assert row.method == 'theirs' and row.source == f'predictions in {tmp_path}, scored by us'


def test_other_protocols_tasks_and_sizes(maps: list[dict[str, np.ndarray]], tmp_path: Path) -> None:
    for index, predicted in enumerate(maps):
        np.save(tmp_path / f'val_{index}_depth.npy', predicted['depth'][::2, ::2] * 100)
    words = ['--tasks', 'depth', '--protocol', 'depth=pixel-pooled', 'depth=image-mean', '--units', 'depth=cm']
    with pytest.raises(SystemExit):
        score(tmp_path, *words)
    result = score(tmp_path, *words, '--resize')
    assert set(result['protocols']) == {'depth', 'depth_image-mean'} and result['baseline'] is None
    one, other = (result['scores'][f'{prefix}/rmse'] for prefix in ('depth', 'depth_image-mean'))
    assert one != other and one == pytest.approx(other, rel=0.5)


def test_probabilities_in_eight_bits(tmp_path: Path) -> None:
    options = {'test_dataloader.dataset.length': 2, 'test_dataloader.dataset.size': (32, 64)}
    config = str(ROOT / 'configs/mtl/mtl_hrnet18_rooms_seven-tasks.py')
    data = DATASETS.build(load_config(config, options).test_dataloader.dataset)
    tasks, rng = ('boundary', 'saliency'), np.random.default_rng(0)
    evaluator = EVALUATORS.build(load_config(config).test_evaluator)
    evaluator.metrics = [metric for metric in evaluator.metrics if metric.task in tasks]
    evaluator.dataset_meta = data.metainfo
    for index in range(2):
        sample = data[index]['data_samples']
        maps = {}
        for key in tasks:
            truth = data.tasks[key].unpack(sample.map('gt', key))
            stored = np.clip(truth % 255 * 160 + rng.integers(0, 90, truth.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(tmp_path / f'{key}_{index}.png'), stored)
            maps[key] = data.tasks[key].pack(stored / np.float32(255))
        sample.set_maps('pred', maps)
        evaluator.process([sample])
    expected = evaluator.evaluate(2)
    out = tmp_path / 'result.json'
    words = [config, str(tmp_path), '--tasks', *tasks, '--pattern', '{task}_{index}.png', '--out', str(out)]
    tool('eval_predictions').main([*words, '--cfg-options', 'test_dataloader.dataset.length=2', OPTIONS[1]])
    scores = json.loads(out.read_text())['scores']
    known = {key: value for key, value in expected.items() if math.isfinite(value)}
    assert {'boundary/odsF', 'saliency/maxF'} <= set(known)
    assert {key: scores[key] for key in known} == pytest.approx(known, rel=1e-5)


def test_delta_m_needs_the_backbone(
    maps: list[dict[str, np.ndarray]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtlbox.apis.predictions import score_predictions
    from mtlbox.evaluation.delta_m import Baseline

    baseline = Baseline(
        name='b',
        backbone='Swin-T',
        dataset='rooms',
        protocols={'depth': 'pixel-pooled'},
        scores={'depth': {'relErr': 0.5}},
        source='s',
        setting='3 scenes at 32x64',
    )
    monkeypatch.setattr('mtlbox.evaluation.delta_m.list_baselines', lambda: ['b'])
    monkeypatch.setattr('mtlbox.evaluation.delta_m.load_baseline', lambda name: baseline)
    for index, predicted in enumerate(maps):
        np.save(tmp_path / f'val_{index}_depth.npy', predicted['depth'])
    cfg = load_config(CONFIG, {'test_dataloader.dataset.length': 3, 'test_dataloader.dataset.size': (32, 64)})
    cfg.test_evaluator.baseline = 'auto'
    folder = PredictionFolder(root=tmp_path)
    known = score_predictions(cfg, folder, tasks=['depth'], backbone='Swin-T')
    assert known['baseline']['name'] == 'b'
    assert known['scores']['delta_m'] == pytest.approx(100 * (0.5 - known['scores']['depth/relErr']) / 0.5)
    path = tmp_path / 'named.json'
    path.write_text(json.dumps({**asdict(baseline), 'name': 'named'}))
    cfg.test_evaluator.baseline = str(path)
    assert score_predictions(cfg, folder, tasks=['depth'], backbone='Swin-T')['baseline']['name'] == 'named'
    assert score_predictions(cfg, folder, tasks=['depth'], backbone='Swin-S')['baseline'] is None
    cfg.test_evaluator.baseline = 'auto'
    assert 'delta_m' not in score_predictions(cfg, folder, tasks=['depth'])['scores']
    assert 'delta_m' not in score_predictions(cfg, folder, tasks=['depth'], backbone='Swin-S')['scores']


@pytest.mark.parametrize(
    ('write', 'arguments', 'message'),
    [
        (None, [], "there is no prediction of 'depth' for sample val_0: looked for"),
        (np.full((32, 64), np.nan, np.float32), [], 'depth of image'),
        (np.zeros((16, 64), np.float32), [], '0_depth.npy: the prediction is 16x64 and the label 32x64'),
        (
            np.zeros((2, 32, 64), np.float32),
            [],
            "0_depth.npy: the shape is (2, 32, 64), but a map of 'depth' has (H, W)",
        ),
        (np.zeros((32, 64), np.uint8), [], "0_depth.npy: the unit of 'depth' in uint8 is not known"),
        (np.zeros((32, 64), bool), [], '0_depth.npy: the values are of type bool'),
        (None, ['--pattern', '{name}.png'], "the pattern '{name}.png' has the unknown field 'name'"),
        (None, ['--units', 'depth=feet'], '--units depth=feet: expected TASK=VALUE'),
        (None, ['--units', 'depth=0'], "the unit of 'depth' must be above 0 and fit 32 bits, but is 0"),
        (None, ['--units', 'depth=-1'], "the unit of 'depth' must be above 0 and fit 32 bits, but is -1"),
        (None, ['--units', 'depth=1e-50'], "the unit of 'depth' must be above 0 and fit 32 bits, but is 1e-50"),
        (None, ['--tasks', 'dept'], "no metric of the config scores 'dept'. Did you mean 'depth'"),
    ],
)
def test_bad_input_is_named(
    write: np.ndarray | None, arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    if write is not None:
        np.save(tmp_path / 'val_0_depth.npy', write)
    tasks = [] if '--tasks' in arguments else ['--tasks', 'depth']
    with pytest.raises(SystemExit) as caught:
        score(tmp_path, *tasks, *arguments)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert message in error and 'Traceback' not in error


@pytest.mark.filterwarnings('error::RuntimeWarning')
@pytest.mark.parametrize(
    ('values', 'offset', 'message'),
    [
        (np.full((2, 2), np.nan, np.float32), 0.0, 'but here is NaN or a huge number'),
        (np.full((2, 2), np.inf, np.float64), 0.0, 'but here is NaN or a huge number'),
        (np.full((2, 2), 0.5, np.float32), 0.0, 'but here are fractions'),
        (np.ones((2, 2), np.uint8), -0.5, "the offset of 'semseg', -0.5, is no whole number"),
        (np.ones((2, 2), np.uint8), 1e30, "the offset of 'semseg', 1e[+]30, is no whole number"),
        (b'', 0.0, 'x.png is empty'),
        (b'no picture', 0.0, 'x.png is not a picture that can be read'),
    ],
)
def test_what_is_no_class_map(values: Any, offset: float, message: str, data: MultiTaskDataset, tmp_path: Path) -> None:

    if isinstance(values, bytes):
        (tmp_path / 'x.png').write_bytes(values)
    else:
        np.save(tmp_path / 'x.npy', values)
    folder = PredictionFolder(root=tmp_path, patterns={'': ('x.npy', 'x.png')}, offsets={'semseg': offset})
    with pytest.raises(ValueError, match=message) as error:
        folder.read(data.tasks['semseg'], MTLDataSample(), (2, 2))
    assert str(tmp_path / 'x.') in str(error.value)


def test_numbers_of_the_command_line() -> None:
    numbers = tool('eval_predictions').numbers
    assert numbers(['depth=mm', 'x=2'], '--units', {'mm': 0.001}) == {'depth': 0.001, 'x': 2.0}
    for word in (f'depth={math.inf}', 'depth', '=2', 'depth='):
        with pytest.raises(ValueError, match='expected TASK=VALUE'):
            numbers([word], '--units', {})


def test_a_prediction_without_a_person_stays_one(tmp_path: Path) -> None:
    """At another size too: as ground truth it would be ignored, but a prediction cannot be."""
    np.save(tmp_path / 'a.npy', np.zeros((4, 6), np.int64))
    sample = MTLDataSample(metainfo={'sample_id': 'a'})
    folder = PredictionFolder(root=tmp_path, patterns={'': ['{id}.npy']}, resize=True)
    assert (folder.read(HumanParts(), sample, (8, 12)) == np.zeros((8, 12))).all()
