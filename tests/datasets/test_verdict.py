from __future__ import annotations

import os
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mtlbox.datasets import NYUD, VKITTI2, NYUv2, verdict
from mtlbox.datasets.layouts import LAYOUTS
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.verdict import Journal, Stamp, ask_once, look_once
from mtlbox.datasets.verify import verify

SIZE = (16, 24)


def age(root: Path, seconds: float = 60) -> None:
    for path in [root, *root.rglob('*')]:
        os.utime(path, (time.time() - seconds,) * 2)


class Look:
    """Counts how often it is called; raises ``error``, if there is one."""

    def __init__(self) -> None:
        self.calls, self.error = 0, None

    def __call__(self) -> None:
        self.calls += 1
        if self.error is not None:
            raise self.error


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    root = tmp_path / 'data'
    root.mkdir()
    for name in ('a', 'b'):
        (root / name).write_text(name)
    age(root)
    return {'image': [str(root / 'a')], 'depth': [str(root / 'b')]}


class TestLookOnce:
    def look(self, files: dict[str, list[str]], look: Look, key: str = 'set') -> bool:
        return look_once(Path(files['image'][0]).parent, (key, 'train'), files, look)

    def test_looks_once(self, files: dict[str, list[str]]) -> None:
        look = Look()
        assert [self.look(files, look) for _ in range(3)] == [True, False, False] and look.calls == 1
        assert self.look({'image': files['image']}, look) is False  # fewer kinds
        assert self.look(files, look, key='other') is True

    def test_a_look_at_some_files_leaves_the_verdict_on_all(self, files: dict[str, list[str]]) -> None:
        look, some = Look(), {**files, 'depth': []}
        assert [self.look(one, look) for one in (files, some, files, some)] == [True, True, False, False]

    def test_more_kinds_are_looked_at(self, files: dict[str, list[str]]) -> None:
        look = Look()
        assert [self.look({'image': files['image']}, look), self.look(files, look)] == [True, True]
        assert [self.look({'image': files['image']}, look), self.look(files, look)] == [False, False]

    @pytest.mark.parametrize('change', ['size', 'time', 'mode', 'gone'])
    def test_a_change_is_seen(self, files: dict[str, list[str]], change: str) -> None:
        look, path = Look(), Path(files['depth'][0])
        self.look(files, look)
        if change == 'size':
            stat = path.stat()
            path.write_text('bb')
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        elif change == 'time':
            os.utime(path, (time.time() - 59,) * 2)
        elif change == 'mode':
            path.chmod(0o600 if path.stat().st_mode & 0o077 else 0o644)
        else:
            path.unlink()
        assert self.look(files, look) is True
        assert self.look(files, look) is (change == 'gone')

    def test_what_fails_is_looked_at_again(self, files: dict[str, list[str]]) -> None:
        look = Look()
        look.error = ValueError('damaged')
        for _ in range(2):
            with pytest.raises(ValueError, match='damaged'):
                self.look(files, look)
        assert look.calls == 2

    def test_what_has_just_changed_is_looked_at_again(self, files: dict[str, list[str]]) -> None:
        os.utime(files['depth'][0])
        assert [self.look(files, Look()) for _ in range(2)] == [True, True]

    def test_a_folder_that_cannot_be_written(self, files: dict[str, list[str]], tmp_path: Path) -> None:
        (tmp_path / 'data/.mtlbox').write_text('in the way')
        assert [self.look(files, Look()) for _ in range(2)] == [True, False]
        assert [path.name for path in tmp_path.glob('cache/mtlbox/verdicts/*/*')] == ['start-set-train.json']

    def test_no_place_at_all(
        self, files: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / 'data/.mtlbox').write_text('in the way')
        monkeypatch.setenv('XDG_CACHE_HOME', files['image'][0])
        assert [self.look(files, Look()) for _ in range(2)] == [True, True]

    @pytest.mark.parametrize('content', ['', '[]', '{"format": 1}', '\xff'])
    def test_a_damaged_verdict_counts_as_none(self, files: dict[str, list[str]], tmp_path: Path, content: str) -> None:
        self.look(files, Look())
        (tmp_path / 'data/.mtlbox/start-set-train.json').write_text(content, encoding='latin1')
        assert [self.look(files, Look()) for _ in range(2)] == [True, False]

    def test_a_moved_folder_keeps_its_verdict(self, files: dict[str, list[str]], tmp_path: Path) -> None:
        self.look(files, Look())
        (tmp_path / 'data').rename(tmp_path / 'moved')
        moved = {kind: [path.replace('/data/', '/moved/') for path in paths] for kind, paths in files.items()}
        assert self.look(moved, Look()) is False


class TestAskOnce:
    def ask_at_once(self, files: dict[str, list[str]], tmp_path: Path, find: Look) -> list[str]:
        """What each of three says that ask while the first still looks; files are locked between threads too."""

        def found() -> str:
            time.sleep(0.1)
            find()
            return f'found {find.calls}'

        def ask(_: int) -> str:
            return ask_once(tmp_path / 'data', ('set', 'train', 'depth'), files['depth'], found)

        with ThreadPoolExecutor(3) as threads:
            return [str(answer.exception() or answer.result()) for answer in [threads.submit(ask, i) for i in range(3)]]

    def test_one_looks_and_the_others_wait(self, files: dict[str, list[str]], tmp_path: Path) -> None:
        find = Look()
        for _ in range(2):
            assert self.ask_at_once(files, tmp_path, find) == ['found 1'] * 3

    def test_an_error_keeps_nobody_waiting(self, files: dict[str, list[str]], tmp_path: Path) -> None:
        find = Look()
        find.error = ValueError('damaged')
        assert self.ask_at_once(files, tmp_path, find) == ['damaged'] * 3 and find.calls == 3

    def test_a_place_of_its_owner_and_one_of_our_own(
        self, files: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The data's folder holds verdicts on other files and may not be written."""
        root, key, find = tmp_path / 'data', ('set', 'train'), Look()

        def ask(name: str) -> str:
            return ask_once(root, key, files[name], lambda: find() or f'found {find.calls}')

        assert ask('image') == 'found 1'
        (root / '.mtlbox').rename(tmp_path / 'kept')
        (root / '.mtlbox').write_text('in the way')
        assert ask('depth') == 'found 2'
        (root / '.mtlbox').unlink()
        (tmp_path / 'kept').rename(root / '.mtlbox')
        (root / '.mtlbox/found-set-train.json.lock').unlink()
        monkeypatch.setattr(verdict, '_alone', lambda *args: pytest.fail('waits for the lock, though both are known'))
        assert [ask('image'), ask('depth')] == ['found 1', 'found 2']

    def test_our_own_place_keeps_its_verdicts_and_no_others(self, files: dict[str, list[str]], tmp_path: Path) -> None:
        place = tmp_path / 'own'
        for number in range(3):
            verdict._write_verdict(str(tmp_path / 'data'), 'a.json', {'files': str(number), 'found': ''})
        (tmp_path / 'data/.mtlbox').rename(place)
        (tmp_path / 'data/.mtlbox').write_text('in the way')
        verdict._write_verdict(str(tmp_path / 'data'), 'a.json', {'files': '3', 'found': ''})
        (tmp_path / 'data/.mtlbox').unlink()
        place.rename(tmp_path / 'data/.mtlbox')
        found = verdict._read_verdicts(str(tmp_path / 'data'), 'a.json')
        assert [one['files'] for one in found] == ['2', '1', '0', '3']

    def test_waiting_is_said_once(
        self, files: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said = []
        monkeypatch.setattr(verdict, 'print_log', lambda message, logger: said.append(message))
        self.ask_at_once(files, tmp_path, Look())
        assert said and all(f'{tmp_path}/data/.mtlbox/found-set-train-depth.json.lock' in one for one in said)
        said.clear()
        self.ask_at_once(files, tmp_path, Look())
        assert not said

    def test_where_nothing_can_be_written_each_looks(
        self, files: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / 'data/.mtlbox').write_text('in the way')
        monkeypatch.setenv('XDG_CACHE_HOME', files['image'][0])
        find = Look()
        assert len(self.ask_at_once(files, tmp_path, find)) == find.calls == 3


def test_stamp_of_a_missing_file_is_never_settled(tmp_path: Path) -> None:
    assert Stamp([str(tmp_path / 'none')], str(tmp_path)).settled(time.time_ns()) is False


@pytest.mark.parametrize(('layout', 'cls'), [('nyud-c', NYUD), ('nyuv2-13', NYUv2)])
def test_data_sets_look_at_the_heads_once(
    tmp_path: Path, layout: str, cls: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_replica(layout, tmp_path, counts={'train': 2, 'val': 1}, size=SIZE, quiet=True)
    age(tmp_path)
    looks: list[str] = []
    find = cls._find_damaged  # type: ignore[attr-defined]
    monkeypatch.setattr(cls, '_find_damaged', lambda self, *rest: (looks.append(self.split), find(self, *rest)))
    arguments = {'data_root': str(tmp_path), 'tasks': LAYOUTS[layout].tasks}
    for split in ('train', 'val', 'train', 'val'):
        cls(split=split, **arguments)
    assert looks == ['train', 'val']
    path = sorted(tmp_path.rglob('*.npy'))[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match='is truncated'):
        [cls(split=split, **arguments) for split in ('train', 'val')]


def test_labels_of_one_file_share_its_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_replica('vkitti2-joint', tmp_path, counts={'train': 2, 'val': 1}, size=SIZE, quiet=True)
    age(tmp_path)
    looks: list[str] = []
    monkeypatch.setattr(VKITTI2, '_find_damaged', lambda self, samples: looks.append(self.split))
    tasks = LAYOUTS['vkitti2-joint'].tasks
    for label in ('depth', 'normals', 'semseg', 'depth'):
        VKITTI2(data_root=str(tmp_path), split='train', tasks={label: tasks[label]})
    assert len(looks) == 2  # at the depths, at the classes


def test_a_good_verification_saves_the_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_replica('nyud-c', tmp_path, counts={'train': 2, 'val': 1}, size=SIZE, quiet=True)
    age(tmp_path)
    assert verify('nyud', tmp_path, quiet=True).good
    monkeypatch.setattr(NYUD, '_find_damaged', lambda self, samples: pytest.fail('looked'))
    NYUD(data_root=str(tmp_path), split='train', tasks={'depth': {'type': 'Depth'}})


class TestJournal:
    KEY = ('Set', 'layout')

    @pytest.fixture
    def stamp(self, files: dict[str, list[str]]) -> Stamp:
        return Stamp(files['image'], '')

    def write(self, root: Path, stamp: Stamp, entries: dict[str, Any]) -> None:
        with closing(Journal(root, self.KEY)) as journal, journal.writing():
            for name, entry in entries.items():
                journal.add(name, stamp, time.time_ns(), entry)

    def read(self, root: Path, names: str, stamp: Stamp | None = None) -> list[Any]:
        with closing(Journal(root, self.KEY)) as journal:
            return [journal.get(name, stamp) for name in names]

    def test_the_latest_entry_counts(self, tmp_path: Path, stamp: Stamp) -> None:
        self.write(tmp_path, stamp, {'a': 1, 'b': [2], 'c': 3})
        self.write(tmp_path, stamp, {'b': [4]})
        assert self.read(tmp_path, 'abcd', stamp) == [1, [4], 3, None]
        assert self.read(tmp_path, 'b', Stamp([str(tmp_path)], '')) == [None], 'in another state'
        self.write(tmp_path, stamp, {})
        (file,) = (tmp_path / '.mtlbox').iterdir()
        assert len(file.read_text().splitlines()) == 4, 'earlier entries of a sample are dropped'

    def test_what_is_forgotten_is_gone(self, tmp_path: Path, stamp: Stamp) -> None:
        self.write(tmp_path, stamp, {'a': 1, 'b': 2})
        with closing(Journal(tmp_path, self.KEY)) as journal:
            journal.forget(['a', 'x'])
            assert [journal.get('a'), journal.get('b')] == [None, 2]
            with journal.writing():
                pass
        assert self.read(tmp_path, 'ab') == [None, 2]

    def test_a_line_that_was_cut_off(self, tmp_path: Path, stamp: Stamp) -> None:
        self.write(tmp_path, stamp, {'a': 1, 'b': 2})
        (file,) = (tmp_path / '.mtlbox').iterdir()
        for end in (-1, -3):  # the line break alone, more
            file.write_bytes(file.read_bytes()[:end])
            self.write(tmp_path, stamp, {'c': 3})
            assert self.read(tmp_path, 'ac') == [1, 3]
        assert self.read(tmp_path, 'b') == [2]

    def test_names_of_one_hash_are_not_taken_for_each_other(
        self, tmp_path: Path, stamp: Stamp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr('mtlbox.datasets.verdict.short_hash', len)
        self.write(tmp_path, stamp, {'a': 1, 'b': 2})
        assert self.read(tmp_path, 'abc') == [None, 2, None], 'that of a is made once more'

    def test_entries_stay_in_the_file(self, tmp_path: Path, stamp: Stamp) -> None:
        count = 5000
        self.write(tmp_path, stamp, {f'{number}': 'entry' * 50 for number in range(count)})
        tracemalloc.start()
        with closing(Journal(tmp_path, self.KEY)) as journal, journal.writing():
            _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 100 * count, 'a copy of the index, and nothing of the 300 letters'
