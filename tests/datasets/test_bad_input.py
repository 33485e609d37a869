"""Every data set that can be verified, with every fault of its files: one error that names the file.

Names come from the table of the layouts and of the arrays made of them, files from the sample of a replica, and a fault
is done to a file by its suffix: a new layout is covered by being in the table. Each fault says by a rule which files it
can be done to; a test asks that none is left without a file. What is said is asked of the data set, which looks before
training or reads only, and of ``verify``.
"""

from __future__ import annotations

import builtins
import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import loadmat, savemat
from torch.utils.data import DataLoader

from mtlbox.datasets import MultiTaskDataset, ScannedDataset
from mtlbox.datasets.layouts import LAYOUTS, arrays
from mtlbox.datasets.layouts.pascal import encode_annotation
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.layouts.writing import encode_file
from mtlbox.datasets.verify import KNOWN, NEEDED, build, verify
from mtlbox.engine.failures import from_worker

SIZE = (16, 24)
COUNTS = {'train': 2, 'val': 1}
NOT_ASCII = 'дані für 数据'
NAMES = [*LAYOUTS, *arrays.SETS]


@dataclass(frozen=True)
class DataFile:
    """A file of the first sample to train on.

    Attributes:
        path: Where it is.
        labels: What is read from it; nothing of a picture.
        classes: By label: how many classes it has.
    """

    path: Path
    labels: tuple[str, ...]
    classes: dict[str, int]

    @property
    def stored(self) -> np.ndarray | None:
        """The array in it, None where it is something else."""
        if self.path.suffix == '.npy':
            return np.load(self.path)
        if self.path.suffix == '.mat':
            value = loadmat(self.path)[variable(self.path)]
            return value if value.dtype.kind in 'iuf' else None
        if self.path.suffix == '.json':
            return None
        return cv2.imdecode(np.fromfile(self.path, np.uint8), cv2.IMREAD_UNCHANGED)

    @property
    def annotation(self) -> bool:
        """Whether it has masks of named parts."""
        return self.path.suffix == '.mat' and self.stored is None

    def store(self, array: np.ndarray) -> None:
        if self.path.suffix == '.npy':
            np.save(self.path, array)
        elif self.path.suffix == '.mat':
            savemat(self.path, {variable(self.path): array})
        else:  # a JPEG of 16 bits is not known: it is a PNG by a wrong name
            suffix = '.png' if array.dtype == np.uint16 else self.path.suffix
            self.path.write_bytes(cv2.imencode(suffix, array)[1].tobytes())


def variable(path: Path) -> str:
    return next(name for name in loadmat(path) if not name.startswith('__'))


class Fixture:
    """A replica, or the arrays made of one."""

    def __init__(self, name: str, root: Path) -> None:
        self.name, self.root = name, root
        self.cls, self.tasks, self.options = KNOWN[name]
        source = arrays.SETS.get(name)
        layout = name if source is None else next(one for one in LAYOUTS if LAYOUTS[one].dataset is self.cls)
        made = root if source is None else root.with_name(f'{name}-source')
        write_replica(layout, made, counts=COUNTS, size=SIZE, quiet=True)
        if source is not None:
            arrays.convert(made, root, dataset=name, quiet=True)
        self.dataset = dataset = self.open()
        names: dict[Path, list[str]] = {Path(dataset.get_data_info(0)['img_path']): []}
        info = dataset.get_data_info(0)
        for label, path in info['label_paths'].items():
            for one in info.get('label_files', {}).get(label, [path]):
                names.setdefault(Path(one), []).append(label)
        counts = {key: task.num_classes for key, task in dataset.tasks.items() if hasattr(task, 'num_classes')}
        self.files = [
            DataFile(path, tuple(labels), {label: counts[label] for label in labels if label in counts})
            for path, labels in names.items()
        ]
        sampled = {Path(path) for one in self.splits() for path in files_of(one)}
        rest = {path for path in root.rglob('*') if path.is_file() and '.mtlbox' not in path.parts} - sampled
        self.lists = sorted(path for path in rest if path.suffix in ('.txt', '.csv'))
        self.sample = self.load()
        self.doubts = self.verify()  # a tiny JPEG holds few vectors of unit length

    def splits(self) -> list[MultiTaskDataset]:
        return [self.open(split) for split in COUNTS]

    def open(self, split: str = 'train', **options: Any) -> MultiTaskDataset:
        options = {'serialize_data': False, **self.options, **options}  # which collects garbage for 0.3 s
        dataset = self.cls(data_root=str(self.root), split=split, tasks=self.tasks, **options)
        dataset.full_init()
        return dataset

    def load(self, **options: Any) -> dict[str, Any]:
        return self.open(**options).load_sample(0)

    def verify(self) -> str:
        build.cache_clear()
        report = verify(self.name, self.root, quiet=True)
        return '\n'.join(report.problems + report.doubts)


def files_of(dataset: MultiTaskDataset) -> list[str]:
    return [path for index in range(len(dataset)) for path in dataset.files_of(dataset.get_data_info(index))]


@pytest.fixture(scope='module', params=NAMES)
def replica(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fixture:
    return Fixture(request.param, tmp_path_factory.mktemp('data') / request.param)


# -- what is done to a file --------------------------------------------------------------------------------------------


def remove(file: DataFile) -> None:
    file.path.unlink()


def empty(file: DataFile) -> None:
    file.path.write_bytes(b'')


def truncate(file: DataFile) -> None:
    file.path.write_bytes(file.path.read_bytes()[: file.path.stat().st_size // 2])


def loop(file: DataFile) -> None:
    file.path.unlink()
    file.path.symlink_to(file.path.name)


def other_text(file: DataFile) -> None:
    file.path.write_text('Not found: the file that you asked for is not on this server any more. ' * 9)


def other_type(file: DataFile) -> None:
    array, suffix = file.stored, file.path.suffix
    if suffix == '.json':
        file.path.write_text('[1, 2]')
    elif suffix == '.mat':
        savemat(file.path, {variable(file.path): 'text' if array is not None else 7})
    elif suffix == '.npy':
        file.store(array.astype(np.complex64))
    else:
        file.store(array.astype(np.uint16) * 257 if array.dtype == np.uint8 else (array // 257).astype(np.uint8))


def one_class_too_many(file: DataFile) -> None:
    """One beyond the last class: stored numbers may count from 0 or from 1, and be labelIds or colours of classes."""
    if file.annotation:
        file.path.write_bytes(encode_file('a.mat', _renamed(encode_annotation(np.ones(SIZE, np.uint8)), 'wing')))
        return
    array = file.stored
    file.store(np.full_like(array, beyond(file)))


def _renamed(annotation: dict, name: str) -> dict:
    annotation['anno']['objects'][0]['parts']['part_name'][:] = name
    return annotation


def beyond(file: DataFile) -> int:
    """The first number that stands for no class."""
    count = max(file.classes.values())
    if 'gtFine' in str(file.path):
        return 34  # after the labelIds
    counts_from_one = any(part in ('segmentation', 'segment_semantic', 'LABELS') for part in file.path.parts)
    return count + 1 if counts_from_one else count


def taller(file: DataFile) -> None:
    if file.annotation:
        shape = (SIZE[0] + 1, SIZE[1])
        file.path.write_bytes(encode_file('a.mat', encode_annotation(np.ones(shape, np.uint8))))
        return
    array = file.stored
    file.store(np.concatenate([array, array[-1:]]))


def twice_as_large(file: DataFile) -> None:
    if file.annotation:
        shape = (2 * SIZE[0], 2 * SIZE[1])
        file.path.write_bytes(encode_file('a.mat', encode_annotation(np.ones(shape, np.uint8))))
        return
    file.store(file.stored.repeat(2, 0).repeat(2, 1))


def is_any(file: DataFile) -> bool:
    return True


def is_a_map(file: DataFile) -> bool:
    return bool(file.labels) and file.path.suffix != '.json'


def has_classes(file: DataFile) -> bool:
    return bool(file.classes)


FAULTS: dict[str, tuple[Callable[[DataFile], None], Callable[[DataFile], bool]]] = {
    'missing': (remove, is_any),
    'empty': (empty, is_any),
    'truncated': (truncate, is_any),
    'symlink loop': (loop, is_any),
    'other text': (other_text, is_any),
    'other type': (other_type, is_any),
    'one class too many': (one_class_too_many, has_classes),
    'another shape': (taller, is_a_map),
    'another scale': (twice_as_large, is_a_map),
}
"""By fault: what is done to a file, and which files can have it."""


@contextmanager
def damaged(path: Path, damage: Callable[[], None]) -> Iterator[None]:
    whole = path.read_bytes()
    try:
        damage()
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


def is_resampled(replica: Fixture, fault: str) -> bool:
    """Whether the layout brings maps of another scale to the size of their picture, as the archive's code does."""
    return fault == 'another scale' and getattr(getattr(replica.dataset, 'layout', None), 'resample', False)


def is_no_sample(replica: Fixture, file: DataFile, fault: str) -> bool:
    """Whether the file is what makes a sample one: a picture where there is no list, which only a look can miss."""
    return fault == 'missing' and not file.labels and issubclass(replica.cls, ScannedDataset)


def test_every_fault_is_done_to_a_file_of_every_data_set(replica: Fixture) -> None:
    for fault, (_, can_have) in FAULTS.items():
        having = [file for file in replica.files if can_have(file)]
        assert having, f'{replica.name} has no file that can be {fault}'
        if can_have is is_any:
            assert len(having) == len(replica.files) >= 3
    labels = {label for file in replica.files if is_a_map(file) for label in file.labels}
    assert labels == set(replica.tasks), 'each label has a map whose size can be wrong'
    classes = {label for file in replica.files for label in file.classes}
    assert classes == {key for key, task in replica.open().tasks.items() if hasattr(task, 'num_classes')}


@pytest.mark.parametrize('fault', FAULTS)
@pytest.mark.parametrize('check', [True, False], ids=['checked', 'unchecked'])
def test_a_data_set_names_the_file(replica: Fixture, fault: str, check: bool) -> None:
    damage, can_have = FAULTS[fault]
    for file in filter(can_have, replica.files):
        with damaged(file.path, lambda file=file: damage(file)):
            loaded: list[dict] = []
            message = refusal(lambda kept=loaded: kept.append(replica.load(check=check)))
            if message is not None:
                assert str(file.path) in message and 'Errno' not in message, message
                assert fault != 'symlink loop' or f'{file.path} cannot be read: Too many' in message, message
                assert fault != 'one class too many' or re.search(rf'\b({beyond(file)}|wing)\b', message), message
            elif is_resampled(replica, fault):
                assert {gt.shape[:2] for gt in loaded[0]['gt'].values()} == {SIZE}
            elif is_no_sample(replica, file, fault):
                assert not check and len(replica.open(check=False)) == COUNTS['train'] - 1
            else:
                assert fault == 'other type' and same(loaded[0], replica.sample), f'{file.path} was taken for good'
    assert same(replica.load(check=check), replica.sample)


@pytest.mark.parametrize('fault', FAULTS)
def test_verify_names_the_file(replica: Fixture, fault: str) -> None:
    damage, can_have = FAULTS[fault]
    for group in apart(
        [file for file in replica.files if can_have(file)], alone=fault in ('other type', 'another scale')
    ):
        with ExitStack() as stack:
            for file in group:
                stack.enter_context(damaged(file.path, lambda file=file: damage(file)))
            said = replica.verify()
            for file in group:
                taken = fault == 'other type' and not refusal(replica.load)
                assert str(file.path) in said or taken, f'{file.path} is not in: {said}'
    assert replica.verify() == replica.doubts


def test_a_file_that_goes_during_a_training(replica: Fixture) -> None:
    dataset = replica.open(check=False)
    for file in replica.files:
        with damaged(file.path, lambda file=file: remove(file)):
            message = refusal(lambda: dataset.load_sample(0))
        assert message and message.startswith(f'There is no file {file.path}.'), message
    assert same(dataset.load_sample(0), replica.sample)


def apart(files: list[DataFile], *, alone: bool) -> list[list[DataFile]]:
    """Divide files into groups such that no label is read from two of a group; a picture is ``alone`` anyway."""
    groups: list[list[DataFile]] = []
    for file in files:
        for group in groups:
            if not alone and file.labels and all(one.labels and not {*one.labels} & {*file.labels} for one in group):
                group.append(file)
                break
        else:
            groups.append([file])
    return groups


@contextmanager
def closed(path: Path) -> Iterator[None]:
    """Let nobody read a file."""
    path.touch()  # else what was read of it before may be taken again
    with pytest.MonkeyPatch.context() as patch:
        if os.geteuid() == 0:  # who may read everything
            for module in (builtins, io):
                patch.setattr(module, 'open', refusing(path, builtins.open))
        else:
            path.chmod(0)
        try:
            yield
        finally:
            path.chmod(0o644)


def refusing(path: Path, really_open: Callable[..., Any]) -> Callable[..., Any]:
    def refuse(file: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(file, int) and os.fspath(file) == str(path):
            raise PermissionError(13, 'Permission denied', str(path))
        return really_open(file, *args, **kwargs)

    return refuse


def test_a_file_that_may_not_be_read(replica: Fixture) -> None:
    for file in replica.files:
        with closed(file.path):
            said = [refusal(lambda check=check: replica.load(check=check)) for check in (True, False)]
            said.append(replica.verify())
        for message in said:
            assert message and f'{file.path} cannot be read: Permission denied.' in message, message


# -- lists and folders -------------------------------------------------------------------------------------------------


def remove_list(path: Path) -> None:
    path.unlink()


def empty_list(path: Path) -> None:
    path.write_bytes(b'')


def loop_list(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def garble_list(path: Path) -> None:
    path.write_bytes(b'\xff\xfe\x00 \x00')


LIST_FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    'missing': (remove_list, 'no file'),
    'symlink loop': (loop_list, 'no file'),
    'no samples': (empty_list, 'is empty|names no|is not a list'),
    'other bytes': (garble_list, 'is no list|is not a list'),
}
"""By fault: what is done to the list of a split, and how messages call it."""


@pytest.mark.parametrize('fault', [*LIST_FAULTS, 'may not be read'])
def test_a_list(replica: Fixture, fault: str) -> None:
    """What has no list has the folders of the split instead: :func:`test_a_split_without_samples`."""
    assert bool(replica.lists) == bool(getattr(replica.cls, 'LISTS', ''))
    for path in replica.lists:
        damage, called = LIST_FAULTS.get(fault, (lambda path: None, 'ermission denied'))
        split = path.stem if path.stem in replica.cls.METAINFO['sizes'] else 'train'
        with ExitStack() as stack:
            stack.enter_context(damaged(path, lambda path=path, damage=damage: damage(path)))
            if fault not in LIST_FAULTS:
                stack.enter_context(closed(path))
            messages = [refusal(lambda split=split: replica.load(split=split))]
            if split in NEEDED or called != 'no file':
                messages.append(replica.verify())
        for message in messages:
            assert message is not None and path.name in message and str(replica.root) in message, message
            assert 'Errno' not in message, message
            assert any(word in message for word in called.split('|')), message


@pytest.mark.parametrize('gone', ['the files', 'the folder'])
def test_a_split_without_samples(replica: Fixture, gone: str) -> None:
    """No file of the split is there, or not even its folder; where there is a list, all that it names is missing."""
    paths = [Path(path) for path in files_of(replica.open())]
    folder = Path(os.path.commonpath(paths))
    contents = {path: path.read_bytes() for path in paths}
    for path in paths:
        path.unlink()
    moved = folder.with_name('moved') if gone == 'the folder' and folder != replica.root else folder
    folder.rename(moved)
    try:
        messages = [refusal(replica.load), replica.verify()]
    finally:
        moved.rename(folder)
        for path, content in contents.items():
            path.write_bytes(content)
    names_are_listed = '{split}' in getattr(replica.cls, 'LISTS', '')
    for message in messages:
        assert message is not None and str(replica.root) in message, message
        assert str(paths[0]) in message or not names_are_listed or gone == 'the folder', message


def test_paths_beyond_ascii(replica: Fixture, tmp_path: Path) -> None:
    root = tmp_path / NOT_ASCII
    replica.root.rename(root)
    home, replica.root = replica.root, root
    try:
        for check in (True, False):
            assert same(replica.load(check=check), replica.sample)
        assert replica.verify() == replica.doubts.replace(str(home), str(root))
    finally:
        root.rename(home)
        replica.root = home


def test_what_a_worker_says(tmp_path: Path) -> None:
    """Of one data set: it does not depend on it, and a process takes seconds to end."""
    replica = Fixture('nyud-c', tmp_path / 'data')
    file = replica.files[-1]
    with damaged(file.path, lambda: truncate(file)):
        loader = DataLoader(replica.open(check=False), num_workers=1, collate_fn=list)
        with pytest.raises((ValueError, OSError)) as caught:
            next(iter(loader))
    message = from_worker(str(caught.value))
    assert message is not None and str(file.path) in message, message
    assert 'Traceback' not in message and len(message.splitlines()) <= 3
