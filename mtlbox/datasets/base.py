"""The base of all data sets: which tasks an image has labels for, and how they are read."""

from __future__ import annotations

import logging
import random
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from torch.utils.data import get_worker_info

from mtlbox.datasets.messages import REPLICA_MARKER
from mtlbox.datasets.metainfo import check_label, check_metainfo
from mtlbox.datasets.partial import Look, PartialLabels
from mtlbox.datasets.samplers import SampleIndex
from mtlbox.datasets.verdict import ask_once
from mtlbox.registry import TRANSFORMS, did_you_mean
from mtlbox.tasks import Task, build_tasks
from mtlbox.tasks.base import Array
from mtlbox.tasks.palette import Palette


@contextmanager
def _naming(where: str, file: str | None) -> Iterator[None]:
    """Let whatever a reader raises name the sample, and the file where it is known."""
    try:
        yield
    except OSError:  # names its file
        raise
    except Exception as error:
        text = str(error)
        if where in text or (file and file in text):
            raise
        raise ValueError(f'{where}: {f"{file}: " if file else ""}{_said(error)}') from error


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else f'{type(error).__name__}: {error}'


def _files(info: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the files of a sample's labels by the label's name, and that of its image under ''."""
    return {'': info.get('img_path'), **(info.get('label_paths') or {})}


def _label_files(info: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
    """Return all files of a sample's labels by the label's name."""
    return info.get('label_files') or {name: [path] for name, path in (info.get('label_paths') or {}).items()}


def _described(value: Any) -> str:
    return f'the shape is {value.shape}' if isinstance(value, np.ndarray) else f'it is {str(value)[:60]}'


def _check_map(label: Any, task: Task, where: str, file: str | None) -> None:
    """Raise ValueError unless a label is a legal map of its task."""
    if not isinstance(label, np.ndarray):
        raise ValueError(f'the map of {task.key!r} must be an array, but {_described(label)}.')
    task.check(label, f'{where}: {file}' if file else where)


def _is_own(component: object) -> bool:
    """Return whether the code of a component is mtlbox's, whose version is kept beside what it finds."""
    return type(component).__module__.startswith('mtlbox.')


class MultiTaskDataset(BaseDataset):
    """Images with a map for each of some tasks; any of the model's tasks may be unlabelled.

    ``metainfo['origin']`` says what is scored: ``dataset``, ``split``, ``samples``, ``of`` how many in the published
    split (None where there is none), whether it is a ``replica``, i.e. rendered rooms in the place of photographs, and
    the ``layout``, where a data set has several, and, where labels were withheld, which are ``labelled``. ``setting``
    is there where something sets the scores apart from those that are published: another split, or what
    :attr:`setting` says.

    A data set of yours overrides ``METAINFO``, :meth:`load_data_list`, :meth:`load_image` and :meth:`load_label`.
    Each sample passes the pipeline as a dict with

    * ``img``: RGB ``(H, W, 3)``, uint8 or float32 in 0..255,
    * ``gt``: ``{task key: map}`` for the tasks that have a label here, checked by their :class:`~mtlbox.tasks.Task`;
      a map without any pixel that its task takes for labelled is a missing label,
    * ``tasks``: the ``{key: Task}`` of the model, whom the transforms ask how a map moves,
    * ``rng``: the ``numpy.random.Generator`` that transforms draw from,
    * ``ori_shape``, ``img_shape`` (H, W), ``sample_idx``, ``sample_id`` and what :meth:`load_data_list` gave.

    Args:
        tasks: The model's tasks by key, built or as configs.
        labels: Which labels are read. None: each task reads the label of its own name, if there is one. A sequence:
            only these, none if it is empty. A dict from task key to label name: for keys that differ from the
            label's name (``{'semseg_nyu': 'semseg'}``).
        data_root: Folder of the data.
        split: Part of the data, e.g. ``'train'``; one of ``METAINFO['sizes']`` where these are given.
        pipeline: Transforms, built or as configs. One that has ``check_tasks`` is asked whether ``tasks`` suit it.
        indices: The first ``indices`` samples, or these samples, only.
        test_mode: Kept for the Runner's sake; a sample that cannot be read is an error in any mode.
        serialize_data: Hold the list of samples as one block of bytes, which workers share.
        allow_missing: Let a file that is not there be an error when it is read, not when the samples are listed.
        labelled_only: Which samples keep the label of a task, by its key: the path of a list of their names
            (``sample_id``), ``dict(count=40, seed=0)`` or ``dict(fraction=0.01, seed=0)`` of those that have it; see
            :class:`~mtlbox.datasets.partial.PartialLabels`.
        labels_per_image: ``dict(least=1, most=1, seed=0)``: how many of its labels each sample keeps.
        drop_unlabelled: Leave out the samples that keep no label at all, or have none.

    Raises:
        FileNotFoundError: There is no list of ``labelled_only``.
        ValueError: The split is unknown, a task or label is unknown or named twice, a task has another number of
            classes or another unit than its label, no task has a label, there is no sample, a transform does not suit
            the tasks, or which labels to keep is not said rightly.
    """

    METAINFO: ClassVar[dict] = {'labels': ()}
    """``labels``: names of what it offers; ``classes``: ``{label: names of its classes}`` where it has any, and
    ``palette``: ``{label: RGB of each}``, e.g. by :func:`~mtlbox.tasks.palette.distinct_colours`; ``units``:
    ``{label: unit of its numbers}`` as a :class:`~mtlbox.tasks.Task` states it, where it has any; ``usual``:
    ``{label: (low, high)}`` between which the median of a map lies, beyond which its unit is doubted; ``gaps``: names
    of the labels that some samples lack, so that few are chosen among those which have them; ``sizes``:
    ``{split: samples}`` of a published data set, whose scores compare only where all of them are there; None where that
    is not published; ``scored``: the split whose scores are published, 'val' unless given. Any other key is an error;
    what a map of classes ignores is 255, in every data set."""
    SUBSETS: ClassVar[tuple[str, ...]] = ()
    """What its argument ``subset`` may be, where it has one."""
    CHOICES: ClassVar[Mapping[str, tuple]] = {}
    """Arguments that say which samples are read, some of these values each; all have a default."""
    ONE_SIZE: ClassVar[bool] = False
    """Whether all pictures are of one size."""
    ORIGIN: ClassVar[str] = 'not known'
    """What to fetch and where it is offered, for the messages; it may hold ``{root}``."""

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task | Mapping],
        labels: Sequence[str] | Mapping[str, str] | None = None,
        data_root: str = '',
        split: str = 'train',
        pipeline: Sequence[Mapping | Callable] = (),
        indices: int | Sequence[int] | None = None,
        test_mode: bool = False,
        serialize_data: bool = True,
        allow_missing: bool = False,
        labelled_only: Mapping[str, str | Mapping[str, Any]] | None = None,
        labels_per_image: Mapping[str, int] | None = None,
        drop_unlabelled: bool = False,
    ) -> None:
        splits = self.METAINFO.get('sizes', {})
        if splits and split not in splits:
            raise ValueError(f'{type(self).__name__} has no split {split!r}.{did_you_mean(split, splits)}')
        self.tasks = build_tasks(tasks)
        self.split, self.allow_missing = split, allow_missing
        self.label_names = self.match_labels(self.tasks, labels)
        steps = [TRANSFORMS.build(dict(step)) if isinstance(step, Mapping) else step for step in pipeline]
        for step in steps:
            if hasattr(step, 'check_tasks'):
                step.check_tasks(self.tasks)
        self.drop_unlabelled = drop_unlabelled
        self.partial = PartialLabels(
            owner=type(self).__name__,
            root=str(data_root),
            label_names=self.label_names,
            labelled_only=labelled_only,
            labels_per_image=labels_per_image,
        )
        super().__init__(
            data_root=data_root,
            data_prefix={},
            indices=indices,
            serialize_data=serialize_data,
            pipeline=steps,
            test_mode=test_mode,
        )
        self._metainfo['tasks'] = self.tasks
        self._metainfo['dataset'] = type(self).__name__
        self._metainfo['palettes'] = self.palettes(self.tasks, self.label_names)

    @abstractmethod
    def load_data_list(self) -> Sequence[dict]:
        """Return one dict per sample with what the two loaders need.

        Messages name the sample by ``sample_id``, its picture by ``img_path`` and the files of its labels by
        ``label_paths`` (``{label name: path}``), where these keys are there. The loaders find a dict ``decoded``
        beside them, empty at each sample, for what they want to make once of all labels of it.
        """

    @abstractmethod
    def load_image(self, info: dict) -> Array:
        """Return the sample's image, RGB ``(H, W, 3)``, uint8 or float32 in 0..255."""
        raise NotImplementedError(f'{type(self).__name__} does not define load_image.')

    @abstractmethod
    def load_label(self, info: dict, name: str) -> Array | None:
        """Return the sample's label called ``name`` (one of ``METAINFO['labels']``), or None where it has none."""
        raise NotImplementedError(f'{type(self).__name__} does not define load_label.')

    def load_stored(self, info: dict, name: str) -> Array | None:
        """Return the label ``name`` before reading mends it, as the length of vectors; None where it mends nothing."""
        return None

    def is_lossy(self, name: str) -> bool:
        """Return whether the label ``name`` is kept in a format that blurs it, as JPEG does."""
        return False

    def missing_pictures(self) -> Iterable[str]:
        """Return pictures that are not there, and so are no samples, though labels of theirs are."""
        return ()

    def files_of(self, info: Mapping[str, Any]) -> list[str]:
        """Return the files that a sample is read from, each once.

        Args:
            info: The sample, as for the loaders: ``img_path``, and ``label_files`` (``{label name: paths}``) where a
                label is read from several files, else ``label_paths``.
        """
        files = [info.get('img_path'), *(path for paths in _label_files(info).values() for path in paths)]
        return list(dict.fromkeys(str(file) for file in files if file))

    def fit_label(self, label: Array, task: Task, info: dict, size: tuple[int, int]) -> Array:
        """Return a map whose size is not that of the sample's image at that size; the base refuses it.

        Args:
            label: A legal map of ``task``.
            task: The task that reads it.
            info: The sample, as for the loaders.
            size: (H, W) of the image.

        Raises:
            ValueError: The sizes must not differ; the message names both files where they are known.
        """
        files = _files(info)
        map_file, image_file = (
            f' ({file})' if file else '' for file in (files.get(self.label_names.get(task.key, '')), files[''])
        )
        raise ValueError(
            f'{self._name(info)}: the map of {task.key!r}{map_file} is {label.shape[0]}x{label.shape[1]}, '
            f'but the image{image_file} is {size[0]}x{size[1]} (height x width).'
        )

    def _name(self, info: dict) -> str:
        return f'{self!r}, sample {info["sample_id"]}'

    def full_init(self) -> None:
        """Load the list of samples; raise ValueError where there is none."""
        if self._fully_initialized:
            return
        super().full_init()
        if not self.serialize_data:
            self._require_samples(len(self))
            self._note_labels()
        scored = self.split == self.METAINFO.get('scored', 'val')
        setting = ', '.join(filter(None, ('' if scored else f'{self.split} split', self.setting)))
        self._metainfo['origin'] = {
            'dataset': type(self).__name__,
            'split': self.split,
            'samples': len(self),
            'of': self.METAINFO.get('sizes', {}).get(self.split),
            'replica': self._metainfo.get('replica', False),
            **({'layout': self._metainfo['layout']} if 'layout' in self._metainfo else {}),
            **({'setting': setting} if setting else {}),
            **({'labelled': self._labelled} if self.partial else {}),
        }

    def filter_data(self) -> Sequence[dict]:
        """Choose which labels are withheld, and leave out samples without any, as the arguments say."""
        samples = self._checked_list(self.data_list)
        if not self.partial and not self.drop_unlabelled:
            return samples
        names = [str(info.get('sample_id', index)) for index, info in enumerate(samples)]
        return [
            {**samples[index], 'sample_id': names[index], 'withheld': self.partial.withheld(bits)}
            for index, bits in zip(*self.choose(names, samples.__getitem__))
        ]

    def choose(self, names: Sequence[str], describe: Callable[[int], Mapping[str, Any]]) -> tuple[Sequence[int], Array]:
        """Return the numbers of the samples that are not left out, and of these what is withheld of their labels.

        For :meth:`load_data_list` where it looks for files, and should for no more than will be read; else
        :meth:`filter_data` does it.

        Args:
            names: Of all samples of the split, which must differ where labels are withheld.
            describe: Returns the sample of a number as :meth:`load_label` takes it. It is asked where one of the
                labels in ``METAINFO['gaps']`` is chosen of; their files are then read, and those of the others are not.

        Raises:
            FileNotFoundError: As :meth:`~mtlbox.datasets.partial.PartialLabels.settle`, or a file of such a label is
                missing.
            ValueError: As there, or such a file is damaged.
        """
        read = set(self.label_names.values())
        gaps: dict[str, Look] = {
            label: partial(self._find_labelled, names, describe, label)
            for label in self.METAINFO.get('gaps', ())
            if label in read
        }
        bits = self.partial.settle(names, gaps)
        if not self.drop_unlabelled or self.derived(self.tasks):
            return range(len(names)), bits
        kept = np.flatnonzero(self.partial.has_label(bits, gaps))
        return kept.tolist(), bits[kept]

    def _find_labelled(
        self, names: Sequence[str], describe: Callable[[int], Mapping[str, Any]], label: str, numbers: Sequence[int]
    ) -> Array:
        """Return which of the samples of these ``numbers`` have a label, bool ``(N,)``.

        What was seen in files is kept where mtlbox's own code reads them: other code, and what its constructor is
        given, may change what they say.
        """
        task = next(self.tasks[key] for key, name in self.label_names.items() if name == label)

        def find() -> str:
            print_log(f'{self!r}: which of {len(numbers)} samples have {label!r} is looked for.', logger='current')
            return ''.join('01'[self._has_label(number, names, describe, label, task)] for number in numbers)

        files = [_label_files(describe(number)).get(label, ()) for number in numbers]
        key = (type(self).__name__, self.split, label, type(task).__name__)
        lasting = bool(self.data_root) and all(files) and _is_own(self) and _is_own(task)
        found = ask_once(self.data_root, key, chain.from_iterable(files), find) if lasting else find()
        return np.array([has == '1' for has in found], dtype=bool)

    def _has_label(
        self, number: int, names: Sequence[str], describe: Callable[[int], Mapping[str, Any]], label: str, task: Task
    ) -> bool:
        info = {**describe(number), 'sample_id': names[number], 'sample_idx': number, 'decoded': {}}
        where, file = self._name(info), _files(info).get(label)
        try:
            with _naming(where, file):
                found = self.load_label(info, label)
                if found is None:
                    return False
                _check_map(found, task, where, file)
                return task.is_labelled(found)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'{error} All files of the label {label!r} are looked into before some of them are chosen; of a list '
                'of names only those in it.'
            ) from None

    def _note_labels(self) -> None:
        """Note and log which of the samples that are there keep which labels."""
        if self.partial:
            self._labelled = self.partial.describe(self._withheld())
            for message in self.partial.messages(self._labelled):
                print_log(message, logger='current')

    def _withheld(self) -> Iterator[tuple[str, Collection[str]]]:
        """Yield the name of each sample, and the keys of the tasks from which its label is withheld."""
        for info in self.data_list:
            yield info['sample_id'], info['withheld']

    def _checked_list(self, samples: Any) -> Sequence[dict]:
        """Return what ``load_data_list`` gave, if that is what it should be."""
        right = isinstance(samples, Sequence) and not isinstance(samples, str)
        if not right or (len(samples) and not isinstance(samples[0], Mapping)):
            given = f'a {type(samples).__name__}' + (f' of {type(samples[0]).__name__}' if right else '')
            raise ValueError(
                f'load_data_list of {type(self).__name__} must return a list with a dict per sample, but gave {given}.'
            )
        return samples

    @classmethod
    def origin_of(cls, layout: str | None) -> str:
        """Return what to fetch and where it is offered, of one layout where that is told apart, as :attr:`ORIGIN`."""
        return cls.ORIGIN

    @property
    def setting(self) -> str:
        """What sets scores apart from other ones on the data set, where it can be had in many sizes; '' for nothing."""
        return ''

    def refuse_missing(self, message: str) -> None:
        """Raise FileNotFoundError with the ``message``, which names the files, unless they may be missing."""
        if not self.allow_missing:
            raise FileNotFoundError(message)

    def report_origin(self, title: str, count: int) -> None:
        """Note in the metainfo whether the folder is a replica; warn where scores do not compare with published ones.

        Args:
            title: What messages call the data.
            count: Samples of this split.
        """
        replica, published = Path(self.data_root, REPLICA_MARKER).is_file(), self.METAINFO['sizes'][self.split]
        self._metainfo['replica'] = replica
        if replica:
            message = (
                f'{self.data_root} holds rendered rooms in the layout of {title}, not {title}: scores do not compare.'
            )
        elif published is not None and count != published:
            message = (
                f'{self!r} has {count} samples, but the full split has {published}: '
                'scores do not compare with published ones.'
            )
        else:
            return
        print_log(message, logger='current', level=logging.WARNING)

    def _serialize_data(self) -> tuple[Array, Array]:
        self._require_samples(len(self.data_list))  # an empty list cannot be made one block of bytes
        self._note_labels()  # the list is then cleared
        return super()._serialize_data()

    def _require_samples(self, count: int) -> None:
        if not count:
            nothing = self.data_root and not Path(self.data_root).exists()
            raise ValueError(f'{self!r} has no samples{": there is no such folder" if nothing else ""}.')

    def __repr__(self) -> str:
        root = f', data_root={self.data_root!r}' if self.data_root else ''
        return f'{type(self).__name__}(split={self.split!r}{root})'

    def load_sample(self, idx: int) -> dict[str, Any]:
        """Read sample ``idx`` and its labels, and check both; this is what enters the pipeline."""
        info = self.get_data_info(idx)
        info.setdefault('sample_id', str(info['sample_idx']))
        where, files = self._name(info), _files(info)
        info['decoded'] = {}
        with _naming(where, files['']):
            image = self.load_image(info)
        if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f'{where}: an RGB image (H, W, 3) is expected, but {_described(image)}.')
        gt = {}
        for key, task in self.tasks.items():
            if key in info.get('withheld', ()):
                continue
            name = self.label_names.get(key)
            file = files.get(name) if name else None
            with _naming(where, file):
                label = task.derive(image) if name is None else self.load_label(info, name)
                if label is None:
                    continue
                _check_map(label, task, where, file)
                if label.shape[:2] != image.shape[:2]:
                    label = self.fit_label(label, task, info, image.shape[:2])
                if task.is_labelled(label):
                    gt[key] = label
        del info['decoded']  # of no use to the pipeline
        size = image.shape[:2]
        return {**info, 'img': image, 'gt': gt, 'tasks': self.tasks, 'ori_shape': size, 'img_shape': size}

    def prepare_data(self, idx: int) -> Any:
        """Read sample ``idx`` and pass it through the pipeline.

        What transforms draw is a function of seed, epoch and sample, which our samplers send along with the number
        (:class:`~mtlbox.datasets.samplers.SampleIndex`): neither the worker nor what it did before matters. A plain
        number draws from NumPy's global generator.
        """
        sample = self.load_sample(int(idx))
        if isinstance(idx, SampleIndex):
            seeds = np.random.SeedSequence((*idx.stream, int(idx)))
            if get_worker_info() is not None:  # for transforms of other packages, which draw from global generators
                _seed_global_generators(seeds.spawn(1)[0])
        else:
            seeds = np.random.SeedSequence(np.random.randint(0, 2**32, size=4, dtype=np.uint32).tolist())  # noqa: NPY002
        sample['rng'] = np.random.default_rng(seeds)
        return self.pipeline(sample)

    def __getitem__(self, idx: int) -> Any:
        """Return sample ``idx``, read and transformed."""
        if not self._fully_initialized:
            self.full_init()
        try:
            return self.prepare_data(idx)
        except OSError:
            raise
        except Exception as error:
            if repr(self) in str(error):
                raise
            raise ValueError(f'{self!r}, sample {idx}: {_said(error)}') from error

    @classmethod
    def derived(cls, tasks: Mapping[str, Task]) -> list[str]:
        """Return the keys of the tasks whose maps are computed from the image."""
        return [key for key, task in tasks.items() if type(task).derive is not Task.derive]

    @classmethod
    def palettes(
        cls, tasks: Mapping[str, Task], labels: Sequence[str] | Mapping[str, str] | None = None
    ) -> dict[str, Palette]:
        """Return ``{task key: RGB of its classes}`` of the tasks whose labels have classes, which needs no data.

        Args and errors are those of :meth:`match_labels`.
        """
        known = cls.METAINFO.get('palette', {})
        return {key: known[name] for key, name in cls.match_labels(tasks, labels).items() if name in known}

    @classmethod
    def match_labels(
        cls, tasks: Mapping[str, Task], labels: Sequence[str] | Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Return ``{task key: label name}``, which needs no data.

        Args:
            tasks: The tasks by key.
            labels: As in the constructor.

        Raises:
            ValueError: A task or label is unknown or named twice, a task has another number of classes or another unit
                than its label, ``METAINFO`` lacks or mistakes something, or ``labels`` is not given and no task
                has a label.
            TypeError: ``labels`` is a string.
        """
        check_metainfo(cls.__name__, cls.METAINFO)
        offered = tuple(cls.METAINFO['labels'])
        if labels is None:
            matched = {key: key for key in tasks if key in offered}
        elif isinstance(labels, Mapping):
            matched = dict(labels)
        elif isinstance(labels, str):
            raise TypeError(f'labels must be a list or a dict, but is the string {labels!r}.')
        else:
            twice = sorted({name for name in labels if list(labels).count(name) > 1})
            if twice:
                raise ValueError(f'labels of {cls.__name__} names {", ".join(map(repr, twice))} twice.')
            matched = {name: name for name in labels}
        for key, name in matched.items():
            if name not in offered:
                raise ValueError(f'{cls.__name__} has no label {name!r}.{did_you_mean(str(name), offered)}')
            if key not in tasks:
                near = did_you_mean(str(key), tasks)
                raise ValueError(f'labels of {cls.__name__} names {key!r}, which is not a task.{near}')
            check_label(cls.__name__, cls.METAINFO, name, tasks[key])
        if not matched and labels is None and not cls.derived(tasks):
            if not offered:
                raise ValueError(f"{cls.__name__} has no labels: name those that it has in METAINFO['labels'].")
            raise ValueError(
                f'{cls.__name__} has labels for {", ".join(offered)}, '
                f'but the tasks are {", ".join(tasks)}. Where a key differs from the label it reads, say so: '
                "labels=dict(semseg_nyu='semseg')."
            )
        return matched


def _seed_global_generators(seeds: np.random.SeedSequence) -> None:
    words = [int(word) for word in seeds.generate_state(3)]
    random.seed(words[0])
    np.random.seed(words[1])  # noqa: NPY002 (the global one is what is meant)
    torch.default_generator.manual_seed(words[2])
