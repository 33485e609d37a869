from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mtlbox.datasets import PASCALContext
from mtlbox.datasets.arrays import encode_array, read_array
from mtlbox.datasets.layouts import LAYOUTS, hashes, writing
from mtlbox.datasets.layouts.arrays import REFUSED, SETS, convert
from mtlbox.datasets.layouts.hashes import HASHES, Hashes
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.verdict import Stamp
from mtlbox.datasets.verify import verify

SIZE = (32, 48)
TOOL = Path(__file__).parents[2] / 'tools/data.py'
COUNTS = {'train': 3, 'val': 2}


def replica(layout: str, root: Path) -> Path:
    write_replica(layout, root, counts=COUNTS, size=SIZE, quiet=True)
    return root


def sums_hold(root: Path) -> bool:
    files = {path.relative_to(root).as_posix() for path in root.rglob('*') if path.is_file()}
    files = {name for name in files if name != HASHES and not name.startswith('.mtlbox/')}
    lines = [line.split('  ') for line in (root / HASHES).read_text(errors='surrogateescape').splitlines()]
    return {name for _, name in lines} == files and all(hashes._hash(root / name) == digest for digest, name in lines)


SOURCES = {layout: name for layout in LAYOUTS for name in (layout, layout.split('-')[0]) if f'{name}-arrays' in SETS}


def test_every_data_set_is_converted_or_refused() -> None:
    assert set(SOURCES.values()) == set(SETS.values()) == {
        'nyud', 'pascal', 'cityscapes-raw', 'vkitti2', 'synthia', 'taskonomy'
    }  # fmt: skip
    assert LAYOUTS.keys() - SOURCES.keys() == set(REFUSED.values()) == {'nyuv2-13', 'cityscapes'}


def readings(layout: str) -> Iterator[dict[str, Any]]:
    """Tasks and labels: all of the layout, and the classes under the names of each other data set."""
    yield {'tasks': LAYOUTS[layout].tasks}
    meta = LAYOUTS[layout].dataset.METAINFO
    for mapped in meta.get('label_maps', ()):
        task = {'type': 'SemSeg', 'num_classes': len(meta['classes'][mapped])}
        yield {'tasks': {'semseg': task}, 'labels': {'semseg': mapped}}


@pytest.mark.parametrize('layout', SOURCES)
def test_arrays_are_what_the_layout_gives(tmp_path: Path, layout: str) -> None:
    source, root, name = replica(layout, tmp_path / 'in'), tmp_path / 'out', SOURCES[layout]
    cls = LAYOUTS[layout].dataset
    more = dict.fromkeys(cls.METAINFO['sizes'].keys() & {'all', 'test_new'}, 0)  # their samples are those of the others
    assert convert(source, root, dataset=f'{name}-arrays', quiet=True) == {**COUNTS, **more}
    for (split, count), reading in product(COUNTS.items(), readings(layout)):
        old, new = (cls(data_root=str(where), split=split, **reading) for where in (source, root))
        assert new.metainfo['layout'] == 'arrays' and new.metainfo['replica'] and len(new) == count
        for index in range(count):
            one, other = old.load_sample(index), new.load_sample(index)
            assert one['sample_id'] == other['sample_id'] and one['gt'].keys() == other['gt'].keys()
            np.testing.assert_array_equal(one['img'], other['img'])
            for key, gt in one['gt'].items():
                np.testing.assert_allclose(other['gt'][key], gt, rtol=0, atol=1.6e-5 if gt.ndim == 3 else 0)
    for known in (name, f'{name}-arrays'):
        report = verify(known, root, quiet=True)
        assert report.good and report.layout == 'arrays', str(report)
    assert sums_hold(root)
    assert not any(convert(source, root, dataset=f'{name}-arrays', quiet=True).values())


def test_a_subset_is_converted_with_its_list(tmp_path: Path) -> None:
    source, root = replica('taskonomy-buildings', tmp_path / 'in'), tmp_path / 'out'
    (source / 'splits').mkdir()
    (source / 'train_val_test_tiny.csv').rename(source / 'splits/train_val_test_medium.csv')
    convert(source, root, dataset='taskonomy-arrays', subset='medium', labels=['depth'], quiet=True)
    assert verify('taskonomy', root, subset='medium', labels=['depth'], quiet=True).good
    with pytest.raises(ValueError, match=r"nyud has no subset 'medium'\. Subsets have: taskonomy"):
        convert(source, tmp_path / 'no', dataset='nyud-arrays', subset='medium')


def test_a_label_that_is_missing_stays_missing(tmp_path: Path) -> None:
    source = replica('pascal', tmp_path / 'in')
    (source / 'human_parts/train_000001.mat').write_bytes(_without_person())
    convert(source, tmp_path / 'out', dataset='pascal-arrays', quiet=True)
    dataset = PASCALContext(data_root=str(tmp_path / 'out'), split='train', tasks=LAYOUTS['pascal'].tasks)
    assert 'human_parts' not in dataset.load_sample(1)['gt']


def _without_person() -> bytes:
    from mtlbox.datasets.layouts.pascal import encode_annotation
    from mtlbox.datasets.layouts.writing import encode_file

    return encode_file('a.mat', encode_annotation(np.zeros(SIZE, np.uint8)))


def test_a_split_that_shares_samples(tmp_path: Path) -> None:
    source = replica('pascal', tmp_path / 'in')
    (source / 'ImageSets/Context/test_new.txt').write_text('val_000001\n')
    written = convert(source, tmp_path / 'out', dataset='pascal-arrays', labels=['boundary'], quiet=True)
    assert written == {'train': 3, 'val': 2, 'test_new': 0}
    tasks = {'boundary': {'type': 'Boundary'}}
    assert len(PASCALContext(data_root=str(tmp_path / 'out'), split='test_new', tasks=tasks)) == 1
    assert sorted(path.name for path in (tmp_path / 'out').iterdir() if path.is_dir()) == [
        '.mtlbox',
        'ImageSets',
        'boundary',
        'image',
    ]


@pytest.mark.parametrize(('layout', 'name'), [('nyud-c', 'nyud'), ('cityscapes-raw', 'cityscapes-raw')])
def test_a_killed_conversion_loses_and_repeats_nothing(tmp_path: Path, layout: str, name: str) -> None:
    write_replica(layout, tmp_path / 'in', counts={'train': 9, 'val': 2}, size=SIZE, quiet=True)
    source, root = tmp_path / 'in', tmp_path / 'out'
    program = (
        'import os, mtlbox.datasets.npy as npy\n'
        'from mtlbox.datasets.layouts.arrays import convert\n'
        'write, done = npy.write_whole, []\n'
        'def killed(path, fill):\n'
        '    done.append(path)\n'
        '    def half(file):\n'
        '        fill(file)\n'
        '        if len(done) == 27: os.kill(os.getpid(), 9)\n'
        '    write(path, half)\n'
        'npy.write_whole = killed\n'
        f'convert({str(source)!r}, {str(root)!r}, dataset="{name}-arrays", quiet=True)\n'
    )
    ended = subprocess.run([sys.executable, '-c', program], capture_output=True, check=False)
    assert ended.returncode == -9, ended.stderr
    before = {path: path.stat().st_mtime_ns for path in root.rglob('*.npy')}
    assert len(before) == 21 and list(root.rglob('*.part'))  # after five markers, 4 samples of 5 files, and one file
    with open(root / HASHES, 'a') as file:
        file.write('0123')  # a line that was cut off
    cls, tasks = LAYOUTS[layout].dataset, LAYOUTS[layout].tasks
    with pytest.raises(ValueError, match=r'has not been converted to the end; .*unfinished\.txt says'):
        cls(data_root=str(root), split='train', tasks=tasks)
    assert convert(source, root, dataset=f'{name}-arrays', quiet=True) == {'train': 5, 'val': 2}
    whole = {path for path in before if int(path.stem[-4:]) < 4}
    assert len(whole) == 20 and all(path.stat().st_mtime_ns == before[path] for path in whole)
    assert sums_hold(root) and not list(root.rglob('*.part'))
    assert len(cls(data_root=str(root), split='train', tasks=tasks)) == 9


@pytest.mark.slow
def test_a_kill_of_several_processes(tmp_path: Path) -> None:
    source, root = tmp_path / 'in', tmp_path / 'out'
    write_replica('nyud-c', source, counts={'train': 60, 'val': 2}, size=(96, 128), quiet=True)
    command = [sys.executable, str(TOOL), 'convert', 'nyud-arrays', str(source), str(root), '--workers', '2']
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while running.poll() is None and len(list(root.glob('*/*.npy'))) < 60:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -9
    time.sleep(1)  # its processes end with it
    before = {path: path.stat().st_mtime_ns for path in root.glob('*/*.npy')}
    assert 60 <= len(before) < 310
    time.sleep(0.5)
    assert len(list(root.glob('*/*.npy'))) == len(before)
    written = convert(source, root, dataset='nyud-arrays', workers=2, quiet=True)
    whole = [name for name in {path.stem for path in before} if sum(path.stem == name for path in before) == 5]
    assert sum(written.values()) == 62 - len(whole)
    assert all(path.stat().st_mtime_ns == before[path] for path in before if path.stem in whole)
    assert sums_hold(root) and not list(root.rglob('*.part'))


def test_a_changed_source_or_a_damaged_file_is_converted_anew(tmp_path: Path) -> None:
    source, root = replica('nyud-c', tmp_path / 'in'), tmp_path / 'out'
    convert(source, root, dataset='nyud-arrays', quiet=True)
    depth = np.load(source / 'depth/train_0001.npy') + 1
    np.save(source / 'depth/train_0001.npy', depth)
    damaged = root / 'depth/val_0001.npy'
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-9])
    before = {path: path.stat().st_mtime_ns for path in root.glob('*/*.npy')}
    assert convert(source, root, dataset='nyud-arrays', quiet=True) == {'train': 1, 'val': 1}
    np.testing.assert_array_equal(np.load(root / 'depth/train_0001.npy'), depth)
    assert damaged.read_bytes() == whole and sums_hold(root)
    changed = {path.stem for path, at in before.items() if path.stat().st_mtime_ns != at}
    assert changed == {'train_0001', 'val_0001'}
    assert convert(source, root, dataset='nyud-arrays', quiet=True) == {'train': 0, 'val': 0}


def test_a_split_that_has_gone_takes_no_arrays_with_it(tmp_path: Path) -> None:
    source, root = replica('pascal', tmp_path / 'in'), tmp_path / 'out'
    listed = source / 'ImageSets/Context/test_new.txt'
    listed.write_text('test_000001\n')
    for folder in ('JPEGImages', 'pascal-context/trainval'):
        file = next((source / folder).glob('val_000001.*'))
        file.with_stem('test_000001').write_bytes(file.read_bytes())
    convert(source, root, dataset='pascal-arrays', labels=['boundary'], quiet=True)
    before = {path for path in root.rglob('*') if path.is_file()}
    listed.rename(tmp_path / 'kept')
    with pytest.raises(FileNotFoundError, match=r'has no split test_new any more.* delete .*/\.mtlbox/splits'):
        convert(source, root, dataset='pascal-arrays', labels=['boundary'], quiet=True)
    assert root / 'image/test_000001.npy' in before == {path for path in root.rglob('*') if path.is_file()}
    (root / '.mtlbox/splits').unlink()
    convert(source, root, dataset='pascal-arrays', labels=['boundary'], quiet=True)
    assert not (root / 'image/test_000001.npy').exists()


def test_a_sample_goes_with_its_source_and_comes_back_as_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, root = replica('synthia', tmp_path / 'in'), tmp_path / 'out'
    convert(source, root, dataset='synthia-arrays', quiet=True)
    number = sorted(path.stem for path in (source / 'RGB').iterdir())[1]
    files = {path: path.read_bytes() for path in source.rglob(f'{number}.png')}
    arrays = {path: path.read_bytes() for path in root.rglob(f'{number}.npy')}
    for path in files:
        path.unlink()
    said = []
    with monkeypatch.context() as patch:
        patch.setattr('mtlbox.datasets.layouts.arrays.print_log', lambda message, logger: said.append(message))
        for _ in range(2):
            assert not any(convert(source, root, dataset='synthia-arrays', quiet=True).values())
    assert said == [f'{root}: 1 removed, since {source} has them no longer.']
    assert len(arrays) >= 3 and not any(path.exists() for path in arrays) and sums_hold(root)
    assert verify('synthia', root, quiet=True).splits['all'].samples == 4
    for path, content in files.items():
        path.write_bytes(content)
    picture = cv2.imread(str(source / f'RGB/{number}.png'))
    cv2.imwrite(str(source / f'RGB/{number}.png'), 255 - picture)
    for path, content in arrays.items():  # which somebody kept
        path.write_bytes(content)
    assert sum(convert(source, root, dataset='synthia-arrays', quiet=True).values()) == 1
    np.testing.assert_array_equal(np.load(root / f'image/{number}.npy'), 255 - picture[..., ::-1])
    assert sums_hold(root)


def test_hashes_of_a_list_that_changes(tmp_path: Path) -> None:
    source, root = replica('nyud-c', tmp_path / 'in'), tmp_path / 'out'
    convert(source, root, dataset='nyud-arrays', labels=['depth'], quiet=True)
    names = (source / 'gt_sets/train.txt').read_text().splitlines()
    (source / 'gt_sets/train.txt').write_text('\n'.join(names[:-1]))
    convert(source, root, dataset='nyud-arrays', labels=['depth'], quiet=True)
    assert sums_hold(root) and not (root / f'image/{names[-1]}.npy').exists()


def test_hashes_of_a_changed_source_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, root = replica('nyud-c', tmp_path / 'in'), tmp_path / 'out'
    convert(source, root, dataset='nyud-arrays', labels=['depth'], quiet=True)
    for path in (source / 'depth').iterdir():
        np.save(path, np.load(path) + 1)
    with monkeypatch.context() as patch:  # killed when all is written and nothing noted of it
        patch.setattr(Hashes, 'note', lambda self, results: list(results) and sys.exit())
        with pytest.raises(SystemExit):
            convert(source, root, dataset='nyud-arrays', labels=['depth'], quiet=True)
    assert not any(convert(source, root, dataset='nyud-arrays', labels=['depth'], quiet=True).values())
    assert sums_hold(root)


def test_names_that_are_not_text(tmp_path: Path) -> None:
    source, root = replica('cityscapes-raw', tmp_path / 'in'), tmp_path / 'out'
    for path in list(source.glob('*/train/*')):
        path.rename(path.with_name(os.fsdecode(b'z\xfcrich')))
    assert convert(source, root, dataset='cityscapes-raw-arrays', quiet=True)['train'] == 3
    assert sums_hold(root)
    assert not any(convert(source, root, dataset='cityscapes-raw-arrays', quiet=True).values())


def test_what_older_conversions_knew_of_their_sources_counts(tmp_path: Path) -> None:
    source, root = replica('nyud-c', tmp_path / 'in'), tmp_path / 'out'
    convert(source, root, dataset='nyud-arrays', labels=['depth'], quiet=True)
    names = [*(f'train_000{index}' for index in range(3)), 'val_0000', 'val_0001']
    files = {name: [str(source / f'images/{name}.png'), str(source / f'depth/{name}.npy')] for name in names}
    old = {f'image/{name}.npy': Stamp(paths, str(source)).digest for name, paths in files.items()}
    old['image/train_0001.npy'] = '0' * 32
    (root / '.mtlbox/sources').unlink()
    (root / '.mtlbox/sources.json').write_text(json.dumps(old))
    assert convert(source, root, dataset='nyud-arrays', labels=['depth'], quiet=True) == {'train': 1, 'val': 0}
    assert [path.name for path in (root / '.mtlbox').iterdir() if path.name.startswith('sources')] == ['sources']


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    whole = f'{"a" * 64}  a\n'
    (tmp_path / HASHES).write_text(f'{whole}0123')
    Hashes(tmp_path).note([{tmp_path / 'b': 'b' * 64}])
    assert (tmp_path / HASHES).read_text() == f'{whole}{"b" * 64}  b\n'


def test_hashes_are_sorted_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, '_LINES', 2)
    names = ['b', 'a/x', 'a/.y', 'a-b/z', 'a.b', 'ab', 'a/c/d', 'Z', 'ä', '.mtlbox/q']
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / 'a/.x.1.part').write_bytes(b'half')
    noted = {tmp_path / name: hashes._hash(tmp_path / name) for name in names[:-1] if name != 'ab'}
    Hashes(tmp_path).note([{tmp_path / 'ab': 'f' * 64}, {tmp_path / 'gone': 'e' * 64}, noted])
    Hashes(tmp_path).note([{tmp_path / 'ab': hashes._hash(tmp_path / 'ab')}])  # written once more
    monkeypatch.setattr(hashes, '_hash', lambda path: pytest.fail(f'{path} is read, though its hash is known'))
    Hashes(tmp_path).finish()
    monkeypatch.undo()
    lines = (tmp_path / HASHES).read_text(encoding='utf-8').splitlines()
    assert [line.partition('  ')[2] for line in lines] == sorted(names[:-1])
    assert sums_hold(tmp_path) and not list(tmp_path.rglob('*.part'))


def test_parts_of_hashes_lie_where_none_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_as_on_nfs(mode: str, *, dir: Path, **kwargs: Any) -> Any:
        return open(dir / '.nfs0001', mode, **kwargs)

    monkeypatch.setattr(hashes, 'TemporaryFile', open_as_on_nfs)
    (tmp_path / 'a').write_bytes(b'a')
    Hashes(tmp_path).note([{tmp_path / 'a': hashes._hash(tmp_path / 'a')}])
    Hashes(tmp_path).finish()
    assert (tmp_path / '.mtlbox/.nfs0001').exists() and sums_hold(tmp_path)
    assert (tmp_path / HASHES).read_text().count('\n') == 1


def test_hashes_that_a_kill_kept_from_being_noted(tmp_path: Path) -> None:
    (tmp_path / 'a').write_bytes(b'a')
    Hashes(tmp_path).finish()
    (tmp_path / 'b').write_bytes(b'b')
    (tmp_path / 'a').unlink()
    Hashes(tmp_path).finish()
    assert sums_hold(tmp_path) and len((tmp_path / HASHES).read_text().splitlines()) == 1


def test_what_cannot_be_converted(tmp_path: Path) -> None:
    source, root = replica('nyud-c', tmp_path / 'in'), tmp_path / 'out'
    with pytest.raises(ValueError, match=r"Nothing is converted to 'nyud-array'\. Did you mean 'nyud-arrays'"):
        convert(source, root, dataset='nyud-array')
    with pytest.raises(ValueError, match=r"nyud has no label 'normal'\. Did you mean 'normals'"):
        convert(source, root, dataset='nyud-arrays', labels=['normal'])
    (source / 'edge/val_0001.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'edge/val_0001\.png'):
        convert(source, root, dataset='nyud-arrays')
    with pytest.raises(ValueError, match=r'nyuv2-13 is NumPy files already.* made of pascal, .*nyud'):
        convert(source, root, dataset='nyuv2-13-arrays')
    assert not root.exists()
    convert(source, root, dataset='nyud-arrays', labels=['depth'], quiet=True)
    with pytest.raises(FileExistsError, match='labels'):
        convert(source, root, dataset='nyud-arrays', labels=['semseg'])
    with pytest.raises(ValueError, match='holds arrays already'):
        convert(root, tmp_path / 'again', dataset='nyud-arrays', labels=['depth'])


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, root = replica('nyud-c', tmp_path / 'in'), tmp_path / 'out'
    monkeypatch.setattr(writing.shutil, 'disk_usage', lambda root: type('Usage', (), {'free': 9000}))
    with pytest.raises(OSError, match=r'[0-9.]+ kB more, but its disk has 9\.0 kB free'):
        convert(source, root, dataset='nyud-arrays', quiet=True)
    assert not list(root.rglob('*.npy'))


@pytest.mark.parametrize('array', [np.array([[300]]), np.array([[-1]], np.int16)])
def test_integers_beyond_8_bits_are_refused(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match='do not fit into 8 bits'):
        encode_array(array)


def test_vectors_are_nearly_exact_and_zero_is_zero(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).standard_normal((40, 50, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    vectors[:3] = 0
    np.save(tmp_path / 'v.npy', encode_array(vectors))
    read = read_array(str(tmp_path / 'v.npy'))
    assert read.dtype == np.float32 and not read[:3].any() and np.abs(read - vectors).max() < 1.6e-5
    assert os.path.getsize(tmp_path / 'v.npy') < vectors.nbytes / 2 + 200
