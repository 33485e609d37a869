"""Which labels of a data set are kept: lists of names, a seeded choice of a few, a few labels per image.

A choice depends on the seed, the names of the samples and of the labels, and nothing else: names are sorted by the
SHA-256 of these. So it is the same on every machine, under every version of Python, and in whichever order samples are
listed; and that of 1 % is a part of that of 10 %. Of a label that some samples lack by nature, as those of human parts
without a person, the choice is among the samples that have it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from heapq import nsmallest
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from mtlbox.datasets.messages import check_dict, check_whole, is_whole, some
from mtlbox.datasets.opening import opened
from mtlbox.registry import did_you_mean
from mtlbox.tasks.base import Array

_FEW = ('count', 'fraction', 'seed')
_PER_IMAGE = ('least', 'most', 'seed')
_PART = 'labels per image'  # of what is hashed: other numbers than those by which few samples are chosen
_MOST_NAMES = 100  # that are written out in full

Look = Callable[[Sequence[int]], Array]
"""Takes the numbers of N samples, looks, and returns which of them have a certain label, bool ``(N,)``."""


def _draw(seed: int, *parts: str) -> int:
    """Return the number, below 2**256, that the seed and some names stand for."""
    return int.from_bytes(_sha256('\0'.join([str(seed), *parts])).digest(), 'big')


def _sha256(text: str) -> Any:
    return hashlib.sha256(text.encode('utf-8', 'surrogateescape'))  # names of files may be no text


def digest(names: Collection[str]) -> str:
    """Return twelve hexadecimal digits that stand for a set of names."""
    return _sha256('\n'.join(sorted(names))).hexdigest()[:12]


def choose_few(names: Sequence[str], label: str, *, count: int, seed: int = 0) -> frozenset[str]:
    """Return ``count`` of ``names``, those whose label called ``label`` is kept."""
    return frozenset(nsmallest(count, names, key=lambda name: _draw(seed, label, name)))


def choose_labels(name: str, labels: Sequence[str], *, least: int, most: int, seed: int = 0) -> frozenset[str]:
    """Return ``least`` to ``most`` of ``labels``, those that the sample ``name`` keeps; each number is as likely.

    Where there are fewer, all are kept.
    """
    count = least + _draw(seed, name) % (most - least + 1)
    return frozenset(sorted(labels, key=lambda label: _draw(seed, _PART, label, name))[:count])


class PartialLabels:
    """Which samples of a data set keep which labels.

    Args:
        owner: What messages call the data set.
        root: Folder that paths of lists are relative to, where they are not to the working directory.
        label_names: ``{task key: label}`` of the data set.
        labelled_only: By task key, which samples keep the label: the path of a list of their names, one a line;
            ``dict(count=40, seed=0)``; or ``dict(fraction=0.01, seed=0)`` of those that have it, rounded, at least one.
            Tasks that are not named keep all of theirs.
        labels_per_image: ``dict(least=1, most=1, seed=0)``: so many of its labels are kept of each sample, of those
            that ``labelled_only`` leaves.

    Raises:
        ValueError: A task is none of the data set's, a rule has an unknown key or lacks one, or a number is out of
            range.
        TypeError: A rule is neither a path nor a dict, or ``labelled_only`` or ``labels_per_image`` is no dict.
    """

    def __init__(
        self,
        *,
        owner: str,
        root: str,
        label_names: Mapping[str, str],
        labelled_only: Mapping[str, str | Mapping[str, Any]] | None = None,
        labels_per_image: Mapping[str, int] | None = None,
    ) -> None:
        self._owner, self._root, self._labels = owner, root, dict(label_names)
        check_dict(f'labelled_only of {owner}', labelled_only or {}, 'dict(depth=dict(count=40, seed=0))')
        check_dict(f'labels_per_image of {owner}', labels_per_image or {}, 'dict(least=1, most=1, seed=0)')
        self._per_image = dict(labels_per_image or {})
        self._rules: dict[str, Any] = {
            key: dict(rule) if isinstance(rule, Mapping) else rule for key, rule in (labelled_only or {}).items()
        }
        for key, rule in self._rules.items():
            if key not in self._labels:
                near = did_you_mean(str(key), self._labels)
                raise ValueError(f'labelled_only of {owner} names {key!r}, for which it reads no label.{near}')
            self._check_rule(key, rule)
        if self._per_image:
            self._check_per_image()
        self._keys = [key for key in self._labels if key in self._rules or self._per_image]
        self._of = 0
        self._having: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._rules or self._per_image)

    def settle(self, names: Sequence[str], gaps: Mapping[str, Look] = MappingProxyType({})) -> Array:
        """Choose, given the names of all N samples of the split.

        Args:
            names: The names.
            gaps: By label that some samples may lack: how to see which of them have it. Others are taken to be there.
                It is asked of all samples where the seed chooses, of those of a list else.

        Returns:
            Bits ``(N, ceil(tasks / 8))`` uint8, a row per sample, which the other methods take: one per task that has a
            rule, set where the label is withheld from it or is not there.

        Raises:
            FileNotFoundError: There is no such list.
            ValueError: A list is empty, names something twice or names what is no sample; fewer samples have a label
                than are to be chosen; or two samples have one name.
        """
        self._of, self._having = len(names), {}
        withheld = np.zeros((len(names), len(self._keys)), dtype=bool)
        if not self:
            return np.packbits(withheld, axis=1)
        known = frozenset(names)
        if len(known) < len(names):
            twice = sorted(name for name, count in Counter(names).items() if count > 1)
            raise ValueError(f'{self._owner}: labels cannot be chosen, since several samples are called {some(twice)}.')
        listed = {key: self._read_list(key, rule, known) for key, rule in self._rules.items() if isinstance(rule, str)}
        chosen = sorted({self._labels[key] for key in self._keys})
        able = {label: self._find_able(label, names, listed, gaps.get(label)) for label in chosen}
        for key, rule in self._rules.items():
            having = able[self._labels[key]]
            if key in listed:
                kept = listed[key].intersection(names[i] for i in np.flatnonzero(having).tolist())
            else:
                kept = self._of_seed(key, rule, [names[i] for i in np.flatnonzero(having).tolist()])
            withheld[:, self._keys.index(key)] = [name not in kept for name in names]
        if self._per_image:
            for index, (row, name) in enumerate(zip(withheld, names)):
                left = {self._labels[key] for key, gone in zip(self._keys, row) if not gone}
                own = [label for label in sorted(left) if able[label][index]]
                kept = choose_labels(name, own, **self._per_image)
                row |= [self._labels[key] not in kept for key in self._keys]
        return np.packbits(withheld, axis=1)

    def _find_able(
        self, label: str, names: Sequence[str], listed: Mapping[str, frozenset[str]], look: Look | None
    ) -> Array:
        """Return which samples may keep a label, bool ``(N,)``: those that have it; of lists alone, those on one."""
        rules = {key: self._rules.get(key) for key, own in self._labels.items() if own == label}
        is_of_all = any((rule is None and self._per_image) or isinstance(rule, Mapping) for rule in rules.values())
        able = np.ones(len(names), dtype=bool)
        if not is_of_all:
            named = frozenset[str]().union(*(listed[key] for key in rules if key in listed))
            able[:] = [name in named for name in names]
        numbers = range(len(names)) if is_of_all else np.flatnonzero(able).tolist()
        if look is not None and numbers:
            able[numbers] = look(numbers)
            if is_of_all:
                self._having[label] = int(able.sum())
        return able

    def withheld(self, bits: Array) -> list[str]:
        """Return the keys of the tasks that are not told their label of a sample."""
        return [key for key, bit in zip(self._keys, np.unpackbits(bits)) if bit]

    def reads(self, bits: Array, label: str) -> bool:
        """Return whether any task is told the ``label`` of a sample."""
        withheld = self.withheld(bits)
        return any(own == label and key not in withheld for key, own in self._labels.items())

    def has_label(self, bits: Array, gaps: Mapping[str, Look] = MappingProxyType({})) -> Array:
        """Return of which samples any label is kept, bool ``(N,)``; arguments are as in :meth:`settle`."""
        whole = {label for key, label in self._labels.items() if key not in self._keys}  # tasks without a rule
        if whole - gaps.keys():
            return np.ones(len(bits), dtype=bool)
        found = np.unpackbits(bits, axis=1, count=len(self._keys)).min(axis=1, initial=1) == 0
        for label in sorted(whole):
            found |= gaps[label](range(len(bits)))
        return found

    def describe(self, samples: Iterable[tuple[str, Collection[str]]]) -> dict[str, dict[str, Any]]:
        """Say which of the samples that are there keep which labels.

        Args:
            samples: Of each its name and the keys of the tasks from which its label is withheld.

        Returns:
            By task key: ``samples`` that keep the label, ``of`` how many of the split, ``having`` how many of these
            have the label at all, where the seed chose among them, ``by`` which rules, ``digest`` and ``names`` of
            them; the latter only where they are few.
        """
        kept: dict[str, list[str]] = {key: [] for key in self._keys}
        for name, withheld in samples:
            for key, names in kept.items():
                if key not in withheld:
                    names.append(name)
        return {
            key: {
                'samples': len(names),
                'of': self._of,
                **({'having': having} if (having := self._having.get(self._labels[key])) is not None else {}),
                'by': [rule for rule in (self._rules.get(key), self._per_image) if rule],
                'digest': digest(names),
                **({'names': sorted(names)} if len(names) <= _MOST_NAMES else {}),
            }
            for key, names in kept.items()
        }

    def messages(self, described: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Return one line per task for the log, of what :meth:`describe` says."""
        return [
            f'{self._owner}: {key} keeps the labels of {one["samples"]} of {one["of"]} samples'
            + (f', {one["having"]} of which have one' if 'having' in one else '')
            + f' (by {", ".join(map(str, one["by"]))}; digest of their names {one["digest"]})'
            + (f': {", ".join(one["names"])}' if one.get('names') else '')
            + '.'
            for key, one in described.items()
        ]

    def _check_rule(self, key: str, rule: Any) -> None:
        where = f'labelled_only.{key} of {self._owner}'
        if isinstance(rule, str):
            return
        if not isinstance(rule, Mapping):
            raise TypeError(f'{where} must be the path of a list, or dict(count=..., seed=...), but is {rule!r}.')
        self._check_keys(where, rule, _FEW)
        if ('count' in rule) == ('fraction' in rule):
            raise ValueError(f'{where} needs either count or fraction, but is {dict(rule)}.')
        check_whole(f'{where}: count', rule.get('count', 1))
        fraction = rule.get('fraction', 1)
        if isinstance(fraction, bool) or not isinstance(fraction, (int, float)) or not 0 < fraction <= 1:
            raise ValueError(f'{where}: fraction must be above 0 and at most 1, but is {fraction!r}.')

    def _check_per_image(self) -> None:
        where, most = f'labels_per_image of {self._owner}', len(set(self._labels.values()))
        self._check_keys(where, self._per_image, _PER_IMAGE)
        missing = [key for key in ('least', 'most') if key not in self._per_image]
        if missing:
            raise ValueError(f'{where} lacks {missing[0]!r}: dict(least=1, most=1, seed=0) is one label per image.')
        least, given = self._per_image['least'], self._per_image['most']
        if not (is_whole(least, 0) and is_whole(given, least) and given <= most):
            raise ValueError(
                f'{where}: 0 <= least <= most <= {most}, the number of its labels, is expected, '
                f'but they are {least!r} and {given!r}.'
            )

    @staticmethod
    def _check_keys(where: str, rule: Mapping, known: Sequence[str]) -> None:
        for key in rule:
            if key not in known:
                raise ValueError(f'{where} has no {key!r}.{did_you_mean(str(key), known)}')
        check_whole(f'{where}: seed', rule.get('seed', 0), 0)

    def _of_seed(self, key: str, rule: Mapping[str, Any], having: Sequence[str]) -> frozenset[str]:
        count = int(rule.get('count') or max(1, int(rule['fraction'] * len(having) + 0.5)))
        if count > len(having):
            raise ValueError(
                f'labelled_only.{key} of {self._owner} asks for {count} samples, but {len(having)} of {self._of} have '
                f'the label {self._labels[key]!r}.'
            )
        return choose_few(having, self._labels[key], count=count, seed=int(rule.get('seed', 0)))

    def _read_list(self, key: str, given: str, known: frozenset[str]) -> frozenset[str]:
        places = list(dict.fromkeys([Path(self._root, given), Path(given)]))
        path = next((place for place in places if place.is_file()), None)
        where = f'labelled_only.{key} of {self._owner}'
        if path is None:
            raise FileNotFoundError(f'{where}: there is no file {" nor ".join(map(str, places))}.')
        try:
            with opened(path) as file:
                listed = [line.strip() for line in file.read().decode('utf-8-sig').splitlines() if line.strip()]
        except UnicodeDecodeError as error:
            raise ValueError(f'{where}: {path} is not a text file: {error}.') from None
        if not listed:
            raise ValueError(f'{where}: {path} names no sample.')
        wrong = [name for name in listed if name not in known]
        if wrong:
            raise ValueError(
                f'{where}: {path} names what is no sample: {some([repr(name) for name in wrong])}.'
                f'{did_you_mean(wrong[0], known)}'
            )
        twice = sorted({name for name in listed if listed.count(name) > 1}) if len(set(listed)) < len(listed) else []
        if twice:
            raise ValueError(f'{where}: {path} names {some([repr(name) for name in twice])} twice.')
        return frozenset(listed)
