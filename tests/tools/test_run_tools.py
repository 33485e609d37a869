"""The life of a run by its tools: train, resume, test, infer."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs/mtl/mtl_hrnet18_rooms.py')
STL = str(ROOT / 'configs/stl/stl_hrnet18_rooms.py')
SMALL = [
    'train_dataloader.dataset.length=4',
    'val_dataloader.dataset.length=3',
    'test_dataloader.dataset.length=3',
    'train_dataloader.batch_size=2',
    'val_dataloader.batch_size=2',
    'test_dataloader.batch_size=2',
    'train_dataloader.dataset.size=(32,64)',
    'val_dataloader.dataset.size=(32,64)',
    'test_dataloader.dataset.size=(32,64)',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
    'test_dataloader.num_workers=0',
    'test_dataloader.persistent_workers=False',
    'train_cfg.max_epochs=1',
]


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / 'tools' / f'{name}.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work directory of a finished run of one epoch."""
    work_dir = tmp_path_factory.mktemp('run')
    tool('train').main([CONFIG, '--work-dir', str(work_dir), '--cfg-options', *SMALL])
    return work_dir


def test_train_writes_what_a_run_needs(run: Path) -> None:
    assert (run / 'last_checkpoint').read_text().endswith('epoch_1.pth')
    assert list(run.glob('best_semseg_mIoU_epoch_1.pth'))
    assert list(run.glob('*/vis_data/events.out.tfevents.*'))
    result = json.loads((run / 'result.json').read_text())
    assert result['protocols'] == {'semseg': 'pooled-absent-skipped', 'depth': 'pixel-pooled', 'normals': 'arccos'}
    assert result['seed'] == 0 and len(result['config_hash']) == 12
    data = result['data']
    assert (data['dataset'], data['split'], data['of'], data['replica']) == ('RoomsDataset', 'val', None, False)
    assert data['samples'] > 0
    assert result['scores']['depth/rmse'] > 0
    assert result['backbone'] == 'HRNet-W18-small-v2' and result['parameters'] == 4086457
    assert result['macs'] == 93648832 and result['macs_size'] == [32, 64]  # of the images, not of cfg.input_size
    assert result['iter'] == result['val']['iter'] > 0
    assert re.fullmatch(r'\d+ scenes at \d+x\d+', data['setting'])
    assert result['baseline'] is None
    log = next(run.glob('*/*.log')).read_text()
    for word in ('eta:', 'lr:', 'memory_mb:', 'semseg/loss_ce:', 'depth/loss_l1:', 'normals/loss_cosine:'):
        assert word in log, word


def test_checkpoint_holds_plain_values(run: Path) -> None:
    checkpoint = torch.load(run / 'epoch_1.pth', weights_only=True)
    assert {'state_dict', 'ema_state_dict', 'optimizer', 'message_hub', 'meta'} <= set(checkpoint)
    ema = torch.load(run / 'ema.pth', weights_only=True)['state_dict']
    assert set(ema) == set(checkpoint['state_dict'])
    meta = torch.load(run / 'ema.pth', weights_only=True)['meta']
    assert meta['ema'] is True and (meta['seed'], meta['world_size'], meta['iter']) == (0, 1, 2)
    assert checkpoint['meta']['commit'] == json.loads((run / 'result.json').read_text())['commit'] == meta['commit']


@pytest.mark.slow
def test_dump_writes_what_the_matlab_tools_read(tmp_path: Path) -> None:
    from mtlbox.config import load_config
    from mtlbox.registry import MODELS

    config = str(ROOT / 'configs/mtl/mtl_hrnet18_rooms_seven-tasks.py')
    torch.save({'state_dict': MODELS.build(load_config(config).model).state_dict()}, tmp_path / 'model.pth')
    arguments = [config, str(tmp_path / 'model.pth'), '--work-dir', str(tmp_path / 'test')]
    tool('test').main([*arguments, '--dump', str(tmp_path / 'dump'), '--cfg-options', *SMALL])
    names = sorted(str(path.relative_to(tmp_path / 'dump')) for path in (tmp_path / 'dump').rglob('*.*'))
    assert len(names) == 6
    assert {Path(name).parts[:2] for name in names} == {('boundary', 'png'), ('boundary', 'groundTruth')}
    picture = cv2.imread(str(tmp_path / 'dump' / names[-1]), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (32, 64) and picture.dtype == np.uint8


def test_dump_without_a_metric_that_can(run: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stopped:
        tool('test').main([CONFIG, str(run / 'epoch_1.pth'), '--dump', 'nowhere'])
    assert stopped.value.code == 2
    assert '--dump: no metric of test_evaluator can write files; BoundaryMetric can.' in capsys.readouterr().err


@pytest.mark.parametrize('form', ['auto', 'path'])
def test_resume_goes_on(run: Path, tmp_path: Path, form: str) -> None:
    work_dir = tmp_path / 'run'
    if form == 'auto':
        work_dir.mkdir()
        (work_dir / 'epoch_1.pth').write_bytes((run / 'epoch_1.pth').read_bytes())
        (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_1.pth'))
    resume = ['--resume'] if form == 'auto' else ['--resume', str(run / 'epoch_1.pth')]
    options = [*SMALL[:-1], 'train_cfg.max_epochs=2']
    tool('train').main([CONFIG, '--work-dir', str(work_dir), *resume, '--cfg-options', *options])
    log = next(work_dir.glob('*/*.log')).read_text()
    assert 'resumed epoch: 1, iter: 2' in log
    assert 'dataset metainfo from the resumed checkpoint is different' not in log
    assert torch.load(work_dir / 'epoch_2.pth', weights_only=True)['meta']['iter'] == 4


def test_amp_and_seed(tmp_path: Path) -> None:
    tool('train').main(
        [CONFIG, '--work-dir', str(tmp_path), '--amp', '--seed', '5', '--deterministic', '--cfg-options', *SMALL]
    )
    torch.use_deterministic_algorithms(False)
    result = json.loads((tmp_path / 'result.json').read_text())
    assert result['seed'] == 5
    assert "type='AmpOptimWrapper'" in next(tmp_path.glob('*.py')).read_text()


def test_test_reproduces_the_validation(run: Path, tmp_path: Path) -> None:
    out = tmp_path / 'scores.json'
    arguments = [CONFIG, str(run / 'epoch_1.pth'), '--work-dir', str(tmp_path / 'test'), '--out', str(out)]
    tool('test').main([*arguments, '--show-dir', str(tmp_path / 'shown'), '--cfg-options', *SMALL])
    trained = json.loads((run / 'result.json').read_text())['val']['scores']
    result = json.loads(out.read_text())
    assert result['test']['scores'] == pytest.approx(trained, rel=1e-5)
    assert result['iter'] == json.loads((run / 'result.json').read_text())['iter']
    assert 'ema' not in result['test']
    assert len(list((tmp_path / 'shown').glob('*.png'))) == 3


def test_test_scores_under_other_protocols(run: Path, tmp_path: Path) -> None:
    protocols = ['--protocol', 'depth=image-mean', 'depth=pixel-pooled', 'semseg=pooled-absent-zero']
    checkpoint = torch.load(run / 'epoch_1.pth', weights_only=True)
    checkpoint['meta'].update(seed=7, commit='abc', world_size=4)
    torch.save(checkpoint, tmp_path / 'other.pth')
    arguments = [CONFIG, str(tmp_path / 'other.pth'), '--work-dir', str(tmp_path)]
    tool('test').main([*arguments, *protocols, '--cfg-options', *SMALL])
    result = json.loads((tmp_path / 'result.json').read_text())
    assert (result['seed'], result['commit'], result['world_size']) == (7, 'abc', 4)  # of the training
    assert result['trained_on'] == json.loads((run / 'result.json').read_text())['trained_on']
    assert result['trained_on']['samples'] == 4
    assert result['test']['commit'] != 'abc' and result['test']['checkpoint'] == str(tmp_path / 'other.pth')
    trained = json.loads((run / 'result.json').read_text())['val']['scores']
    assert result['protocols'] == {
        'semseg': 'pooled-absent-zero',
        'depth': 'image-mean',
        'normals': 'arccos',
        'depth_pixel-pooled': 'pixel-pooled',
    }
    assert result['scores']['depth_pixel-pooled/rmse'] == pytest.approx(trained['depth/rmse'], rel=1e-5)
    assert result['scores']['depth/rmse'] != pytest.approx(trained['depth/rmse'], rel=1e-5)


def test_a_forced_baseline_is_marked_and_another_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    config = tmp_path / 'forced.py'
    baseline = 'nyuv2-13_hrnet18-small-v2_ctal-paper'
    weights = {'state_dict': torch.load(run / 'epoch_1.pth', weights_only=True)['ema_state_dict']}
    weights['ema_state_dict'] = weights['state_dict']
    torch.save(weights, tmp_path / 'weights.pth')
    for force in (True, False):
        config.write_text(f'_base_ = {CONFIG!r}\ntest_evaluator = dict(baseline={baseline!r}, force={force})\n')
        arguments = [
            str(config),
            str(tmp_path / 'weights.pth'),
            '--ema',
            '--work-dir',
            str(tmp_path / 'out'),
            '--cfg-options',
            *SMALL,
        ]
        if force:
            tool('test').main(arguments)
            continue
        with pytest.raises(SystemExit) as caught:
            tool('test').main(arguments)
        assert caught.value.code == 2
    result = json.loads((tmp_path / 'out' / 'result.json').read_text())
    assert result['baseline']['name'] == baseline
    assert result['baseline']['forced'] == ['is of the data set nyuv2-13, but rooms is scored']
    assert 'delta_m' in result['scores']
    assert result['test']['ema'] is True and result['seed'] is result['trained_on'] is result['commit'] is None
    assert 'is of the data set nyuv2-13, but rooms is scored: numbers of different' in capsys.readouterr().err


def test_test_of_another_architecture_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        tool('test').main([STL, str(run / 'epoch_1.pth'), '--work-dir', str(tmp_path), '--cfg-options', *SMALL])
    assert caught.value.code == 2
    assert 'another architecture' in capsys.readouterr().err


def test_resume_of_another_architecture_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        tool('train').main(
            [STL, '--work-dir', str(tmp_path), '--resume', str(run / 'epoch_1.pth'), '--cfg-options', *SMALL]
        )
    assert caught.value.code == 2
    assert 'another architecture' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'complaint'),
    [
        (['configs/mtl/mtl_hrnet18_room.py'], "Did you mean 'configs/mtl/mtl_hrnet18_rooms.py'"),
        ([CONFIG, '--cfg-options', 'model.nek.gamma=1'], "Did you mean 'neck'"),
        ([CONFIG, '--resume', 'nowhere.pth'], 'There is no checkpoint nowhere.pth'),
    ],
)
def test_bad_input_ends_in_one_line(
    arguments: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as caught:
        tool('train').main([*arguments, '--work-dir', str(tmp_path)])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ') and complaint in error and 'Traceback' not in error


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / 'images'
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, size in (('a.png', (50, 70)), ('b.jpg', (41, 33))):
        cv2.imwrite(str(folder / name), rng.integers(0, 255, (*size, 3), dtype=np.uint8))
    (folder / '._a.png').write_bytes(b'what macOS leaves beside a picture')
    return folder


def infer(run: Path, source: Path, out: Path, *options: str) -> None:
    tool('infer').main([CONFIG, str(run / 'epoch_1.pth'), str(source), '--out', str(out), *options])


def test_infer_folder(run: Path, images: Path, tmp_path: Path) -> None:
    infer(run, images, tmp_path / 'out', '--batch-size', '2')
    for name, size in (('a', (50, 70)), ('b', (41, 33))):
        assert np.load(tmp_path / 'out' / f'{name}_semseg.npy').shape == size
        assert np.load(tmp_path / 'out' / f'{name}_depth.npy').shape == size
        normals = np.load(tmp_path / 'out' / f'{name}_normals.npy')
        assert normals.shape == (*size, 3)
        np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-5)
        assert cv2.imread(str(tmp_path / 'out' / f'{name}_depth.png')).shape == (*size, 3)
        assert (tmp_path / 'out' / f'{name}.png').is_file()


def test_infer_png16_holds_the_same_values(run: Path, images: Path, tmp_path: Path) -> None:
    infer(run, images / 'a.png', tmp_path / 'npy')
    infer(run, images / 'a.png', tmp_path / 'png', '--arrays', 'png16', '--ema')
    infer(run, images / 'a.png', tmp_path / 'png2', '--arrays', 'png16')
    depth = np.load(tmp_path / 'npy' / 'a_depth.npy')
    picture = cv2.imread(str(tmp_path / 'png2' / 'a_depth_16bit.png'), cv2.IMREAD_UNCHANGED)
    assert picture.dtype == np.uint16
    np.testing.assert_allclose(picture / 1000, depth.clip(0), atol=6e-4)
    normals = cv2.imread(str(tmp_path / 'png2' / 'a_normals_16bit.png'), cv2.IMREAD_UNCHANGED)[..., ::-1]
    np.testing.assert_allclose(normals / 65535 * 2 - 1, np.load(tmp_path / 'npy' / 'a_normals.npy'), atol=1e-4)


def test_infer_video(run: Path, tmp_path: Path) -> None:
    path = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 10, (64, 48))
    for value in (0, 120, 240):
        writer.write(np.full((48, 64, 3), value, dtype=np.uint8))
    writer.release()
    infer(run, path, tmp_path / 'out', '--arrays', 'none')
    assert len(list((tmp_path / 'out').glob('clip_*_depth.png'))) == 3
    video = cv2.VideoCapture(str(tmp_path / 'out' / 'clip.mp4'))
    assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == 3


def test_infer_overwrites_nothing(run: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    infer(run, images / 'a.png', tmp_path / 'out')
    with pytest.raises(SystemExit):
        infer(run, images / 'a.png', tmp_path / 'out')
    assert '--overwrite' in capsys.readouterr().err
    infer(run, images / 'a.png', tmp_path / 'out', '--overwrite')


@pytest.mark.parametrize(
    ('files', 'out', 'complaint'),
    [
        (['a.png'], '.', 'is the folder of the input'),
        (['a.png', 'a_depth.png'], '../out', 'would both be written to'),
        (['a.png', 'a.jpg'], '../out', 'would both be written to'),
    ],
)
def test_infer_loses_nothing(
    run: Path, images: Path, tmp_path: Path, files: list[str], out: str, complaint: str, capsys: pytest.CaptureFixture
) -> None:
    folder = tmp_path / 'in'
    folder.mkdir()
    for file in files:
        (folder / file).write_bytes((images / 'a.png').read_bytes())
    with pytest.raises(SystemExit):
        infer(run, folder, folder / out, '--overwrite')
    assert complaint in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == dict.fromkeys(
        files, (images / 'a.png').read_bytes()
    )
    assert not (folder / out).is_dir() or sorted(p.name for p in (folder / out).iterdir()) in ([], sorted(files))


def test_infer_does_not_write_through_links(
    run: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    original = (images / 'a.png').read_bytes()
    for name in ('in', 'out'):
        (tmp_path / name).mkdir()
    (tmp_path / 'out' / 'a.png').write_bytes(original)
    (tmp_path / 'in' / 'a.png').symlink_to(tmp_path / 'out' / 'a.png')
    with pytest.raises(SystemExit):
        infer(run, tmp_path / 'in', tmp_path / 'out', '--overwrite')
    assert 'is an input itself' in capsys.readouterr().err
    assert (tmp_path / 'out' / 'a.png').read_bytes() == original


@pytest.mark.parametrize('size', [['64'], ['64', '0'], ['a', 'b'], ['natve']])
def test_infer_size(run: Path, images: Path, tmp_path: Path, size: list[str], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        infer(run, images / 'a.png', tmp_path / 'out', '--size', *size)
    assert "--size must be two positive numbers of pixels, H W, or 'native'" in capsys.readouterr().err


def truncated(folder: Path) -> Path:
    path = folder / 'broken.png'
    path.write_bytes((folder / 'a.png').read_bytes()[:200])
    return path


@pytest.mark.parametrize(
    ('make', 'complaint'),
    [
        (truncated, 'broken.png is damaged'),
        (lambda folder: folder / 'none.png', 'There is no'),
        (lambda folder: (folder / 'empty').mkdir() or folder / 'empty', 'has no images'),
    ],
)
def test_infer_bad_input(
    run: Path, images: Path, tmp_path: Path, make: Callable, complaint: str, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit):
        infer(run, make(images), tmp_path / 'out')
    assert complaint in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.dist
def test_two_ranks_train_and_test(tmp_path: Path) -> None:
    """torchrun with two gloo ranks: the replicas stay equal to one file, and testing equals one process's."""
    environment = {**os.environ, 'PYTHON': sys.executable, 'OMP_NUM_THREADS': '1', 'MASTER_PORT': '29617'}
    script = ROOT / 'tools'
    train = [str(script / 'dist_train.sh'), CONFIG, '2', '--work-dir', str(tmp_path / 'run'), '--cfg-options', *SMALL]
    subprocess.run(train, check=True, env=environment, cwd=tmp_path, timeout=300)
    checkpoint = str(tmp_path / 'run' / 'epoch_1.pth')
    out = tmp_path / 'two.json'
    test = [str(script / 'dist_test.sh'), CONFIG, checkpoint, '2', '--work-dir', str(tmp_path / 'two')]
    subprocess.run(
        [*test, '--out', str(out), '--cfg-options', *SMALL], check=True, env=environment, cwd=tmp_path, timeout=300
    )
    one = tmp_path / 'one.json'
    arguments = [CONFIG, checkpoint, '--work-dir', str(tmp_path / 'one'), '--out', str(one)]
    tool('test').main([*arguments, '--cfg-options', *SMALL])
    two_ranks, one_rank = json.loads(out.read_text()), json.loads(one.read_text())
    assert two_ranks['world_size'] == 2
    trained = json.loads((tmp_path / 'run' / 'result.json').read_text())
    assert trained['scores'] == pytest.approx(one_rank['scores'], rel=1e-5), 'the ranks validated different weights'
    assert two_ranks['scores'] == pytest.approx(one_rank['scores'], rel=1e-6)
