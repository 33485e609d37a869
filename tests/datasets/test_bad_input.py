"""Every data set that has a layout, with every fault of its files: one error that names the file, or the same sample.

Layouts come from the table, files from the sample of a replica, and a fault is done to a file by its suffix: a new
layout is covered by being in the table.
"""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import loadmat, savemat
from torch.utils.data import DataLoader

from mtlbox.datasets import MultiTaskDataset, ScannedDataset
from mtlbox.datasets.layouts import LAYOUTS
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.engine.failures import from_worker

SIZE = (16, 24)
ILLEGAL = 120  # no data set has so many classes; fits into int8
NOT_ASCII = 'дані für 数据'


class Fixture:
    """A replica with one sample per split."""

    def __init__(self, name: str, root: Path) -> None:
        self.layout, self.root = LAYOUTS[name], root
        write_replica(name, root, counts={'train': 1, 'val': 1}, size=SIZE, quiet=True)
        self.files = {split: files_of(self.open(split).get_data_info(0)) for split in ('train', 'val')}
        sampled = {path for files in self.files.values() for path in files}
        present = {path for path in root.rglob('*') if path.is_file()}
        self.lists = sorted(path for path in present - sampled if path.name != 'replica.json')
        self.sample = self.load()

    def open(self, split: str = 'train', **options: Any) -> MultiTaskDataset:
        options = {'serialize_data': False, **self.layout.options, **options}  # which collects garbage for 0.3 s
        dataset = self.layout.dataset(data_root=str(self.root), split=split, tasks=self.layout.tasks, **options)
        dataset.full_init()
        return dataset

    def load(self, **options: Any) -> dict[str, Any]:
        return self.open(**options).load_sample(0)

    def labels(self) -> dict[Path, list[str]]:
        """The files of the labels, and the tasks that read them."""
        info = self.open().get_data_info(0)
        names: dict[Path, list[str]] = {}
        for label, path in info['label_paths'].items():
            for one in info.get('label_files', {}).get(label, [path]):
                names.setdefault(Path(one), []).append(label)
        return names


def files_of(info: dict) -> list[Path]:
    several = [path for paths in info.get('label_files', {}).values() for path in paths]
    return [Path(path) for path in dict.fromkeys([info['img_path'], *info['label_paths'].values(), *several])]


@pytest.fixture(scope='module', params=LAYOUTS)
def replica(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fixture:
    return Fixture(request.param, tmp_path_factory.mktemp('data') / request.param)


# -- what is done to a file --------------------------------------------------------------------------------------------


def stored(path: Path) -> Any:
    """The array of a file; of a ``.mat`` its only variable, None where that is no array of numbers."""
    if path.suffix == '.npy':
        return np.load(path)
    if path.suffix == '.mat':
        value = loadmat(path)[variable(path)]
        return value if value.dtype.kind in 'iuf' else None
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)


def variable(path: Path) -> str:
    return next(name for name in loadmat(path) if not name.startswith('__'))


def store(path: Path, array: Any) -> None:
    if path.suffix == '.npy':
        np.save(path, array)
    elif path.suffix == '.mat':
        savemat(path, {variable(path): array})
    else:  # a JPEG of 16 bits is not known: it is a PNG by a wrong name
        suffix = '.png' if array.dtype == np.uint16 else path.suffix
        path.write_bytes(cv2.imencode(suffix, array)[1].tobytes())


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b'')


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def other_type(path: Path) -> None:
    if path.suffix == '.json':
        path.write_text('[1, 2]')
        return
    array = stored(path)
    if path.suffix == '.mat':
        store(path, 'text' if array is not None else 7)
    elif path.suffix == '.npy':
        store(path, array.astype(np.complex64))
    else:
        store(path, array.astype(np.uint16) * 257 if array.dtype == np.uint8 else (array // 257).astype(np.uint8))


def other_text(path: Path) -> None:
    path.write_text('Not found: the file that you asked for is not on this server any more. ' * 9)


FAULTS = {fault.__name__: fault for fault in (remove, empty, truncate, loop, other_type, other_text)}


@contextmanager
def damaged(path: Path, damage: Callable[[Path], None]) -> Iterator[None]:
    whole = path.read_bytes()
    try:
        damage(path)
        yield
    finally:
        path.unlink(missing_ok=True)
        path.write_bytes(whole)


# -- what is expected --------------------------------------------------------------------------------------------------


def refusal(attempt: Callable[[], Any]) -> str | None:
    """The message of the error that ``attempt`` ends in, which is for users; None where it ends in none."""
    try:
        attempt()
    except (ValueError, OSError) as error:
        text = str(error)
        assert 'Traceback' not in text and len(text.splitlines()) <= 12, text
        return text
    return None


def same(one: dict, two: dict) -> bool:
    gts = one['gt'], two['gt']
    return (
        np.array_equal(one['img'], two['img'])
        and gts[0].keys() == gts[1].keys()
        and all(np.array_equal(gts[0][key], gts[1][key]) for key in gts[0])
    )


def resamples(dataset: MultiTaskDataset) -> bool:
    return getattr(getattr(dataset, 'layout', None), 'resample', False)


@pytest.mark.parametrize('fault', FAULTS)
@pytest.mark.parametrize('check', [True, False], ids=['checked', 'unchecked'])
def test_a_file(replica: Fixture, fault: str, check: bool) -> None:
    refused = 0
    for path in replica.files['train']:
        with damaged(path, FAULTS[fault]):
            loaded: list[dict] = []
            message = refusal(lambda kept=loaded: kept.append(replica.load(check=check)))
            if message is None:
                assert fault == 'other_type' and same(loaded[0], replica.sample), f'{path} was taken for good'
            else:
                # a data set without lists has no sample where a picture is gone
                gone = fault == 'remove' and issubclass(replica.layout.dataset, ScannedDataset)
                assert str(replica.root if gone else path) in message, message
                refused += 1
    assert refused >= (1 if fault == 'other_type' else len(replica.files['train']))
    assert same(replica.load(check=check), replica.sample)


@pytest.mark.parametrize('check', [True, False], ids=['checked', 'unchecked'])
def test_a_file_that_may_not_be_read(replica: Fixture, check: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in replica.files['train']:
        path.touch()  # else what was read of it before may be taken again
        with monkeypatch.context() as patch:
            if os.geteuid() == 0:  # who may read everything
                for module in (builtins, io):
                    patch.setattr(module, 'open', refusing(path, builtins.open))
            else:
                path.chmod(0)
            try:
                message = refusal(lambda: replica.load(check=check))
            finally:
                path.chmod(0o644)
        assert message is not None and str(path) in message and 'ermission denied' in message, message


def refusing(closed: Path, really_open: Callable[..., Any]) -> Callable[..., Any]:
    def refuse(file: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(file, int) and os.fspath(file) == str(closed):
            raise PermissionError(13, 'Permission denied', str(closed))
        return really_open(file, *args, **kwargs)

    return refuse


@pytest.mark.parametrize('check', [True, False], ids=['checked', 'unchecked'])
def test_a_class_that_does_not_exist(replica: Fixture, check: bool) -> None:
    dataset, tried = replica.open(), 0
    for path, labels in replica.labels().items():
        array = stored(path)
        classes = [label for label in labels if hasattr(dataset.tasks.get(label), 'num_classes')]
        if array is None or not classes:
            continue
        tried += 1
        wrong = np.full_like(array, ILLEGAL)
        with damaged(path, lambda path, wrong=wrong: store(path, wrong)):
            message = refusal(lambda: replica.load(check=check))
        assert message is not None and str(path) in message and str(ILLEGAL) in message, message
    assert tried


@pytest.mark.parametrize('check', [True, False], ids=['checked', 'unchecked'])
def test_a_map_of_another_size(replica: Fixture, check: bool) -> None:
    tried = 0
    for path in replica.labels():
        array = stored(path)
        if array is None:  # an annotation
            continue
        tried += 1
        taller = np.concatenate([array, array[-1:]])
        with damaged(path, lambda path, taller=taller: store(path, taller)):
            loaded: list[dict] = []
            message = refusal(lambda kept=loaded: kept.append(replica.load(check=check)))
        if message is None:
            assert resamples(replica.open()), f'{path} was taken for good'
            assert {gt.shape[:2] for gt in loaded[0]['gt'].values()} == {SIZE}
        else:
            assert str(path) in message and 'x' in message, message
    assert tried


def test_a_split_without_its_list(replica: Fixture) -> None:
    """The list is missing; where there are none, the folder of the split is."""
    if replica.lists:
        for path in replica.lists:
            with damaged(path, remove):
                split = 'val' if 'val' in path.name and 'train' not in path.name else 'train'
                message = refusal(lambda split=split: replica.load(split=split))
                assert message is not None and path.name in message and str(replica.root) in message, message
        return
    folder = Path(os.path.commonpath(replica.files['train']))
    moved = folder.with_name('moved')
    folder.rename(moved)
    try:
        message = refusal(replica.load)
    finally:
        moved.rename(folder)
    assert message is not None and str(replica.root) in message, message


def test_a_split_without_samples(replica: Fixture) -> None:
    for path in replica.lists:
        with damaged(path, empty):
            split = 'val' if 'val' in path.name and 'train' not in path.name else 'train'
            message = refusal(lambda split=split: replica.load(split=split))
            assert message is not None and str(path) in message, message
            assert 'is empty' in message or 'names no' in message, message
    if not replica.lists:
        contents = {path: path.read_bytes() for path in replica.files['train']}
        for path in contents:
            path.unlink()
        try:
            message = refusal(replica.load)
        finally:
            for path, content in contents.items():
                path.write_bytes(content)
        assert message is not None and str(replica.root) in message, message


def test_paths_beyond_ascii(replica: Fixture, tmp_path: Path) -> None:
    root = tmp_path / NOT_ASCII
    replica.root.rename(root)
    home, replica.root = replica.root, root
    try:
        for check in (True, False):
            assert same(replica.load(check=check), replica.sample)
    finally:
        root.rename(home)
        replica.root = home


def test_what_a_worker_says(replica: Fixture) -> None:
    path = replica.files['train'][-1]
    with damaged(path, truncate):
        loader = DataLoader(replica.open(check=False), num_workers=1, collate_fn=list)
        with pytest.raises((ValueError, OSError)) as caught:
            next(iter(loader))
    message = from_worker(str(caught.value))
    assert message is not None and str(path) in message, message
    assert 'Traceback' not in message and len(message.splitlines()) <= 3
