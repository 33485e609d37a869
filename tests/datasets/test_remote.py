from __future__ import annotations

import errno
import functools
import http.server
import os
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import pytest

from mtlbox.datasets import remote
from mtlbox.datasets.info import describe
from mtlbox.datasets.layouts import LAYOUTS
from mtlbox.datasets.layouts.arrays import convert
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.remote import SOURCES, DataSource, RemoteFile, download, instructions
from mtlbox.datasets.verify import KNOWN, recognise, verify
from mtlbox.engine.fetch import WrongContentError


def replica(layout: str, root: Path) -> Path:
    write_replica(layout, root, counts={'train': 2, 'val': 1}, size=(16, 24), quiet=True)
    return root


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose files are the sources of ``nyud-c`` (an archive), ``vkitti2-joint`` (three), ``nyu-official``."""
    folder = tmp_path / 'served'
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    url = f'http://127.0.0.1:{server.server_port}'
    monkeypatch.setitem(SOURCES, 'nyud-c', DataSource('a test', (RemoteFile(f'{url}/a.tar.gz'),)))
    files = (RemoteFile(f'{url}/one'), RemoteFile(f'{url}/two', size=3))
    monkeypatch.setitem(SOURCES, 'nyu-official', DataSource('a test', files, archive=False, then='convert {root}/one'))
    three = tuple(RemoteFile(f'{url}/{kind}.tar.gz') for kind in KINDS)
    monkeypatch.setitem(SOURCES, 'vkitti2-joint', replace(SOURCES['vkitti2-joint'], files=three))
    yield folder
    server.shutdown()
    server.server_close()


KINDS = ('rgb', 'depth', 'classSegmentation')


def pack(source: Path, archive: Path, top: str) -> None:
    with tarfile.open(archive, 'w:gz') as tar:
        tar.add(source, top)


def pack_apart(source: Path, folder: Path, top: str) -> None:
    """Make the three archives of a replica of Virtual KITTI 2."""
    for kind in KINDS:
        with tarfile.open(folder / f'{kind}.tar.gz', 'w:gz') as tar:
            for path in sorted(source.rglob(f'{kind}/**/*.*')):
                tar.add(path, Path(top.format(kind), path.relative_to(source)))


def contents(root: Path, folder: str = '') -> dict[str, bytes]:
    """What the files below ``root`` hold, of those in folders of a name, if one is given."""
    files = (path for path in root.rglob('*') if path.is_file() and folder in ('', path.parent.name))
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


@pytest.mark.parametrize('top', ['NYUDv2', '.'])
def test_an_archive_becomes_the_folder(served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, top: str) -> None:
    pack(replica('nyud-c', tmp_path / 'in'), served / 'a.tar.gz', top)
    root = tmp_path / 'data/nyud'
    assert download('nyud-c', root, quiet=True) == f'python tools/data.py verify nyud-c {root}'
    assert verify('nyud-c', root, quiet=True).good and [path.name for path in root.parent.iterdir()] == ['nyud']
    with pytest.raises(FileExistsError, match='holds something'):
        download('nyud-c', root, quiet=True)
    shutil.rmtree(root)
    root.mkdir()
    download('nyud-c', root, keep=True, quiet=True)
    assert sorted(path.name for path in (tmp_path / 'data').rglob('*.tar.gz')) == ['a.tar.gz']
    (served / 'a.tar.gz').unlink()
    shutil.rmtree(root)
    root.mkdir()
    with monkeypatch.context() as patch:
        patch.chdir(root)
        here = os.stat('.').st_ino
        with monkeypatch.context() as kill:  # when one folder has been moved
            kill.setattr(remote.os, 'replace', functools.partial(_move_one_folder, [], os.replace))
            with pytest.raises(KeyboardInterrupt):
                download('nyud-c', '.', quiet=True)  # from what was kept
        assert list(root.iterdir())
        assert download('nyud-c', '.', quiet=True).endswith(f'verify nyud-c {root}')
        assert os.stat('.').st_ino == root.stat().st_ino == here and os.listdir('.'), 'the shell stands elsewhere'
    assert [part.dataset for part in recognise(root)] == ['nyud-c']


@pytest.mark.parametrize('top', ['', 'vkitti_2.0.3_{}'], ids=['scenes on top', 'a folder on top'])
def test_several_archives_become_one_folder(served: Path, tmp_path: Path, top: str) -> None:
    source = replica('vkitti2-joint', tmp_path / 'in')
    pack_apart(source, served, top)
    root = tmp_path / 'data/vkitti2'
    assert download('vkitti2-joint', root, quiet=True) == f'python tools/data.py verify vkitti2-joint {root}'
    assert contents(root) == contents(source, 'Camera_0') and [path.name for path in root.parent.iterdir()] == [
        root.name
    ]
    shutil.rmtree(source / 'Scene06')
    pack_apart(source, served, top)
    download('vkitti2-joint', tmp_path / 'one', keep=True, quiet=True)
    assert [path.name for path in (tmp_path / 'one').iterdir()] == ['Scene01'], 'an only scene is no folder on top'
    kept = [path.name for path in (tmp_path / 'one.download').iterdir()]
    assert sorted(kept) == sorted(f'{kind}.tar.gz' for kind in KINDS)


def test_several_archives_go_on_where_they_were(served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack_apart(replica('vkitti2-joint', tmp_path / 'in'), served, '')
    root, half = tmp_path / 'vkitti2', tmp_path / 'vkitti2.download'
    (served / 'depth.tar.gz').rename(tmp_path / 'later')
    with pytest.raises(URLError, match='File not found'):
        download('vkitti2-joint', root, quiet=True)
    (served / 'rgb.tar.gz').unlink()  # it is unpacked, and its archive is gone here too
    assert not root.exists() and [path.name for path in half.iterdir() if path.suffix == '.gz'] == []
    (tmp_path / 'later').rename(served / 'depth.tar.gz')
    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, 'extract', _fill_the_disk)
        with pytest.raises(OSError, match=r'The disk is full; the archive is kept.*depth\.tar\.gz'):
            download('vkitti2-joint', root, quiet=True)
    (served / 'depth.tar.gz').unlink()  # it has come
    with monkeypatch.context() as patch:
        moved: list[Path] = []
        patch.setattr('mtlbox.datasets.remote.os.replace', functools.partial(_move_one_folder, moved, os.replace))
        with pytest.raises(KeyboardInterrupt):
            download('vkitti2-joint', root, quiet=True)
    (served / 'classSegmentation.tar.gz').unlink()
    assert not root.exists()
    download('vkitti2-joint', root, quiet=True)
    assert contents(root) == contents(tmp_path / 'in', 'Camera_0') and not half.exists()


def _fill_the_disk(*args: object, **kwargs: object) -> None:
    raise OSError(errno.ENOSPC, 'No space left on device')


def _move_one_folder(moved: list[Path], move: Callable[[Path, Path], None], path: Path, place: Path) -> None:
    """Move as a process does that is killed after a folder; files that are fetched are not counted."""
    if path.is_dir():
        moved.append(path)
        if len(moved) > 1:
            raise KeyboardInterrupt
    move(path, place)


def test_a_damaged_archive_leaves_nothing_behind(served: Path, tmp_path: Path) -> None:
    pack(replica('nyud-c', tmp_path / 'in'), served / 'a.tar.gz', 'x')
    whole = (served / 'a.tar.gz').read_bytes()
    for content in (whole[: len(whole) // 2], b'<html>no such page</html>'):
        (served / 'a.tar.gz').write_bytes(content)
        with pytest.raises(ValueError, match=r'a\.tar\.gz is damaged or is no archive'):
            download('nyud-c', tmp_path / 'nyud', quiet=True)
        assert not (tmp_path / 'nyud').exists()
        assert [path.name for path in (tmp_path / 'nyud.download').iterdir()] == ['a.tar.gz']
        (tmp_path / 'nyud.download/a.tar.gz').unlink()


def test_an_archive_cannot_write_elsewhere(served: Path, tmp_path: Path) -> None:
    (tmp_path / 'evil').write_text('x')
    with tarfile.open(served / 'a.tar.gz', 'w:gz') as tar:
        tar.add(tmp_path / 'evil', '../../escaped')
    with pytest.raises(ValueError, match='outside'):
        download('nyud-c', tmp_path / 'nyud', quiet=True)
    assert not list(tmp_path.rglob('escaped'))


def test_single_files_are_kept_as_they_are(served: Path, tmp_path: Path) -> None:
    (served / 'one').write_bytes(b'1')
    (served / 'two').write_bytes(b'22')
    with pytest.raises(WrongContentError, match='has 2 bytes, but 3 are expected'):
        download('nyu-official', tmp_path / 'out', quiet=True)
    (served / 'two').write_bytes(b'222')
    (served / 'one').unlink()  # it is there already
    assert download('nyu-official', tmp_path / 'out', quiet=True) == f'convert {tmp_path}/out/one'
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['one', 'two', 'two.wrong']


def test_sources_are_those_of_known_data_sets() -> None:
    assert SOURCES.keys() <= {*LAYOUTS, 'nyu-official'}
    for source in SOURCES.values():
        assert source.archive == (not source.then) and len({file.name for file in source.files}) == len(source.files)
        for file in source.files:
            assert file.url.startswith('http') and '?' not in file.name and (file.size or 1) > 0
            kind, _, value = file.digest.partition(':')
            assert not file.digest or len(value) == {'sha256': 64, 'md5': 32}[kind]


@pytest.mark.parametrize('name', sorted(LAYOUTS.keys() - SOURCES.keys()))
def test_instructions_where_there_is_no_source(name: str) -> None:
    said = instructions(name)
    others = {other for other in SOURCES if other in LAYOUTS and LAYOUTS[other].dataset is not LAYOUTS[name].dataset}
    assert not any(f'download {other} ' in said for other in others)
    assert 'To get it: ' in said and f'replica {name} ROOT' in said
    with pytest.raises(ValueError, match=rf"'{name}' has no source\. Did you mean|has no source\. Known"):
        download(name, 'nowhere')


def test_instructions_are_those_of_the_layout(tmp_path: Path) -> None:
    assert 'SimonVandenhende' in instructions('nyud-b') and 'atrc' not in instructions('nyud-b')
    assert 'vkitti_2.0.3_rgb/Scene01' in instructions('vkitti2-apart')
    assert 'download nyud-c ROOT' in describe('nyud-c') and 'download nyud-a ROOT' not in describe('nyud-c')
    with pytest.raises(FileNotFoundError, match=r'SimonVandenhende(.|\n)*replica nyud-b ') as caught:
        LAYOUTS['nyud-b'].dataset(data_root=str(tmp_path), split='val', tasks=LAYOUTS['nyud-b'].tasks, layout='nyud-b')
    assert 'atrc on GitHub' not in str(caught.value)


def test_unknown_names() -> None:
    with pytest.raises(ValueError, match=r"'nyud-x' is no data set\. Did you mean 'nyud-"):
        instructions('nyud-x')
    with pytest.raises(ValueError, match=r"'pasc' is no data set\. Did you mean 'pascal'"):
        describe('pasc')


def _refuse(path: Path) -> None:
    raise PermissionError(13, 'Permission denied', str(path))


@pytest.mark.parametrize('name', KNOWN)
def test_info_says_what_a_data_set_is(name: str) -> None:
    said = describe(name)
    assert all(f'label {label}: task ' in said for label in KNOWN[name][1]) and 'splits: train' in said
    assert 'to get it: ' in said and (f'download {name} ROOT fetches http' in said) == (name in SOURCES)


def test_info_says_what_a_folder_holds(tmp_path: Path) -> None:
    root = replica('nyud-b', tmp_path / 'b')
    assert describe('pascal', root).splitlines()[-1] == (
        f'at {root}: nyud-b, layout nyud-b (a replica: rendered rooms); train 2, val 1'
    )
    convert(root, tmp_path / 'arrays', dataset='nyud-arrays', quiet=True)
    assert 'nyud-arrays, layout arrays (a replica: rendered rooms); train 2' in describe('nyud', tmp_path / 'arrays')
    assert describe('nyud', tmp_path / 'none').endswith('none: nothing')
    assert describe('nyud', tmp_path).endswith('nothing that is known')
    with pytest.MonkeyPatch.context() as patch:  # root may read everything
        patch.setattr('mtlbox.datasets.info.os.listdir', _refuse)
        assert describe('nyud', tmp_path).endswith('it cannot be read (Permission denied)')
    (tmp_path / 'nyu_depth_v2_labeled.mat').write_bytes(bytes(512) + b'\x89HDF\r\n\x1a\n')
    assert 'the official NYU file, ' in describe('nyu-official', tmp_path)
