from __future__ import annotations

import functools
import http.server
import shutil
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    """A folder whose files are the sources of ``nyud-c`` (an archive) and ``nyu-official``."""
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
    yield folder
    server.shutdown()
    server.server_close()


def pack(source: Path, archive: Path, top: str) -> None:
    with tarfile.open(archive, 'w:gz') as tar:
        tar.add(source, top)


@pytest.mark.parametrize('top', ['NYUDv2', '.'])
def test_an_archive_becomes_the_folder(served: Path, tmp_path: Path, top: str) -> None:
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
    download('nyud-c', root, quiet=True)  # from what was kept
    assert [part.dataset for part in recognise(root)] == ['nyud-c']


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
        assert source.archive == (not source.then) and (not source.archive or len(source.files) == 1)
        for file in source.files:
            assert file.url.startswith('http') and '?' not in file.name and (file.size or 1) > 0
            kind, _, value = file.digest.partition(':')
            assert not file.digest or (kind == 'sha256' and len(value) == 64)


@pytest.mark.parametrize('name', sorted(LAYOUTS.keys() - SOURCES.keys()))
def test_instructions_where_there_is_no_source(name: str) -> None:
    said = instructions(name)
    assert 'To get it: ' in said and f'replica {name} ROOT' in said
    with pytest.raises(ValueError, match=rf"'{name}' has no source\. Did you mean|has no source\. Known"):
        download(name, 'nowhere')


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
