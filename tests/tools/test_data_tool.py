from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from mtlbox.datasets import NYUv2, RoomsDataset
from mtlbox.datasets.verify import KNOWN

TOOLS = Path(__file__).parents[2] / 'tools'
CONFIG = """
tasks = dict(semseg=dict(type='SemSeg', num_classes=13), depth=dict(type='Depth'))
train_dataloader = dict(
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='RepeatDataset',
        times=3,
        dataset=dict(
            type='NYUv2',
            data_root={root!r},
            split='train',
            tasks=tasks,
            pipeline=[dict(type='RandomFlip', prob=1.0), dict(type='PackMultiTaskInputs')],
        ),
    ),
)
val_dataloader = dict(
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='NYUv2', data_root={root!r}, split='val', tasks=tasks),
)
"""


def load_tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f'tool_{name}', TOOLS / f'{name}.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def replica(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('data') / 'nyuv2'
    options = ['--train', '3', '--val', '2', '--size', '96', '160', '--workers', '1']
    load_tool('data').main(['replica', 'nyuv2-13', str(root), *options])
    return root


def test_replica(replica: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tasks = {'normals': {'type': 'Normals'}}
    assert [len(NYUv2(data_root=str(replica), split=split, tasks=tasks)) for split in ('train', 'val')] == [3, 2]
    load_tool('data').main(
        ['replica', 'nyuv2-13', str(replica), '--train', '3', '--val', '2', '--size', '96', '160', '--workers', '1']
    )
    assert 'train 0, val 0 written now' in capsys.readouterr().out


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    load_tool('data').main(['list'])
    said = capsys.readouterr().out.splitlines()
    known = {line.partition(': ')[0]: line for line in said}
    assert set(known) == set(KNOWN) and len(said) == len(known)
    for name, end in (
        ('nyuv2-13', '; train 795, val 654; 288x384 (replica, convert, verify)'),
        ('cityscapes', '; train 2975, val 500; 128x256 (replica, verify)'),
        ('nyud-c', '; train 795, val 654; 425x560 (replica, convert, verify, download)'),
        ('vkitti2-arrays', 'Virtual KITTI 2, as arrays (convert, verify)'),
        ('taskonomy', 'Taskonomy, in any of its layouts (verify)'),
    ):
        assert known[name].endswith(end), known[name]


def test_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, picture in (
        ('image', np.full((12, 16, 3), 90, dtype=np.uint8)),
        ('semseg13', np.full((12, 16), 12, dtype=np.uint8)),
    ):
        (tmp_path / 'in' / folder).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / 'in' / folder / '7.png'), picture)
    load_tool('data').main(
        ['convert', 'nyuv2-13', str(tmp_path / 'in'), str(tmp_path / 'out'), '--split', 'train', '--workers', '1']
    )
    said = capsys.readouterr().out
    assert '1 images: train 1' in said and 'depth_mm: 0 of 1; none for 7' in said
    assert (np.load(tmp_path / 'out/train/label/0.npy') == 11).all()
    assert np.load(tmp_path / 'out/train/image/0.npy').shape == (288, 384, 3)


def test_help_of_convert(capsys: pytest.CaptureFixture[str]) -> None:
    tool = load_tool('data')
    for arguments, said in (
        ([], 'nyud-arrays            NYUD, as arrays'),
        (['nyud-arrays'], 'convert nyud-arrays [-h] [--labels'),
    ):
        with pytest.raises(SystemExit, match='0'):
            tool.main(['convert', *arguments, '--help'])
        text = capsys.readouterr().out
        assert said in text and 'cityscapes-arrays' not in text, 'what is refused is not offered'


def test_arrays_and_info(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tool, source, root = load_tool('data'), str(tmp_path / 'in'), str(tmp_path / 'out')
    tool.main(['replica', 'nyud-c', source, '--train', '2', '--val', '1', '--size', '16', '24', '--workers', '1'])
    tool.main(['convert', 'nyud-arrays', source, root, '--labels', 'depth', 'semseg', '--workers', '1'])
    assert f'{root}: train 2, val 1 written now.' in capsys.readouterr().out
    tool.main(['info', 'nyud', source])
    assert capsys.readouterr().out.splitlines()[-1].startswith(f'at {source}: nyud-c, layout nyud-c (a replica')


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = load_tool('data')
    with open(tmp_path / 'out', 'w') as out:
        monkeypatch.setattr(sys, 'stdout', out)
        monkeypatch.setattr(tool, 'describe', raising(BrokenPipeError(32, 'Broken pipe')))
        tool.main(['info', 'nyud'])
        print('what was not written yet is lost')
    assert not (tmp_path / 'out').read_text()


def raising(error: BaseException) -> Callable[..., None]:
    def fail(*args: object) -> None:
        raise error

    return fail


def test_an_interruption_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    tool = load_tool('data')
    monkeypatch.setattr(tool, 'describe', raising(KeyboardInterrupt()))
    with pytest.raises(SystemExit, match='interrupted; the same command goes on'):
        tool.main(['info', 'nyud'])


@pytest.mark.parametrize(
    ('arguments', 'complaint'),
    [
        (['replica', 'nyuv2', 'ROOT'], "error: There is no layout 'nyuv2'. Did you mean 'nyuv2-13'"),
        (['replica', 'nyuv2-13', str(TOOLS)], 'was not written by this command'),
        (['convert', 'nyuv2-13', 'nowhere', 'ROOT'], 'error: There is no nowhere/image/*.png'),
        (['convert', 'nyuv2-13', 'nowhere', 'ROOT', '--normals', 'x'], 'error: --normals is for the official .mat'),
        (['convert', 'cityscapes-arrays', 'nowhere', 'ROOT'], 'error: cityscapes is NumPy files already, one per map'),
        (
            ['convert', 'nyud-array', 'a', 'b'],
            "error: Nothing is converted to 'nyud-array'. Did you mean 'nyud-arrays'",
        ),
        (
            ['convert', 'nuyv2-13', 'a', '--split', 'val'],
            "error: Nothing is converted to 'nuyv2-13'. Did you mean 'nyuv2-1",
        ),
        (
            ['convert', 'vkitti2-arrays', 'a', 'ROOT', '--variations', 'clon'],
            "error: There is no variation 'clon'. Did you",
        ),
        (['verify', 'nyud', 'ROOT', '--subset', 'tiny'], "error: nyud has no subset 'tiny'. Subsets have: taskonomy"),
        (['convert', 'nyud-arrays', 'nowhere', 'ROOT'], 'error: There is no file nowhere/gt_sets/train.txt'),
        (['download', 'nyud-b', 'ROOT'], 'nyud-b (NYU Depth v2, 40 classes'),
        (['download', 'nyud', 'ROOT'], 'error: nyud has several layouts: name one of nyud-a, nyud-b, nyud-c.'),
        (['download', 'pascal-arrays', 'ROOT'], 'pascal-arrays is made of pascal: python tools/data.py convert pascal'),
        (['download', 'nyud-d', 'ROOT'], "'nyud-d' is no data set. Did you mean 'nyud-"),
        (['download', 'nyud-c', str(TOOLS)], 'exists and holds something'),
        (['info', 'nyuv'], "error: 'nyuv' is no data set. Did you mean 'nyud"),
    ],
)
def test_errors_are_one_message_and_a_status(arguments: list[str], complaint: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        load_tool('data').main([str(tmp_path / 'new') if a == 'ROOT' else a for a in arguments])
    assert complaint in str(caught.value.code)


@pytest.mark.parametrize('split', ['train', 'val'])
def test_visualize_data(replica: Path, tmp_path: Path, split: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / 'config.py'
    config.write_text(CONFIG.format(root=str(replica)))
    out = tmp_path / 'pictures'
    load_tool('visualize_data').main([str(config), '--split', split, '--num', '2', '--out', str(out)])
    assert '2 pictures' in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == [f'{split}_0.png', f'{split}_1.png']
    picture = cv2.imread(str(out / f'{split}_0.png'))
    rows = 2 if split == 'train' else 1  # without packing there is no "after"
    assert picture.shape == (rows * (96 + 24) + (rows - 1) * 4, 3 * 160 + 2 * 4, 3)
    image = np.load(replica / split / 'image/0.npy')[..., ::-1] * 255
    np.testing.assert_array_equal(picture[24:120, :160], image.round().astype(np.uint8))
    if split == 'train':
        np.testing.assert_array_equal(picture[24 + 124 :, :160], picture[24:120, 159::-1])  # mirrored


def test_visualize_data_without_data(tmp_path: Path) -> None:
    config = tmp_path / 'config.py'
    config.write_text(CONFIG.format(root=str(tmp_path / 'nowhere')))
    with pytest.raises(SystemExit) as caught:
        load_tool('visualize_data').main([str(config)])
    assert 'replica nyuv2-13' in str(caught.value.code)


def test_visualize_several_data_sets_with_few_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / 'few.py'
    config.write_text(
        f"_base_ = '{Path(__file__).parents[2]}/configs/mtl/mtl_hrnet18_rooms_joint.py'\n"
        'few = dict(length=3, labels_per_image=dict(least=1, most=1))\n'
        'train_dataloader = dict(dataset=dict(datasets=dict(people=few)))\n'
    )
    load_tool('visualize_data').main([str(config), '--num', '2', '--out', str(tmp_path / 'out')])
    names = [f'train_{name}_{index}.png' for name in ('people', 'scenes') for index in range(2)]
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == names
    labelled = []
    for name in names:
        picture = cv2.imread(str(tmp_path / 'out' / name))
        corners = [picture[24:64, left : left + 40] for left in range(164, 980, 164)]
        labelled.append(sum(not (corner == 128).all() for corner in corners))
    assert labelled == [1, 1, 3, 3], 'all other maps say unlabelled'
    classes = picture[24:64, 164:324, ::-1].reshape(-1, 3)
    assert {*map(tuple, classes.tolist())} <= {*RoomsDataset.METAINFO['palette']['semseg'], (255, 255, 255)}
    said = capsys.readouterr().out
    assert '2 pictures of scenes, RoomsDataset' in said and '2 pictures of people, RoomsDataset' in said
