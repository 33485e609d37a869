"""Which labels are kept: lists, seeded choices, a few labels per image; and images without any."""

import functools
import json
import os
import pickle
import re
from collections import Counter
from typing import ClassVar

import cv2
import numpy as np
import pytest

from mtlbox.datasets import NYUD, ImageFolder, MultiTaskDataset, NYUv2, named
from mtlbox.datasets.layouts import LAYOUTS
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.listing import Listing
from mtlbox.datasets.partial import choose_few, choose_labels, digest
from mtlbox.tasks import distinct_colours

TASKS = {'semseg': {'type': 'SemSeg', 'num_classes': 3}, 'depth': {'type': 'Depth'}, 'saliency': {'type': 'Saliency'}}
NAMES = [f'room-{i}' for i in range(40)]


class Labelled(MultiTaskDataset):
    """Forty images, labelled everywhere; it counts which labels are read."""

    METAINFO: ClassVar[dict] = {
        'labels': ('semseg', 'depth', 'saliency'),
        'classes': {'semseg': ('wall', 'floor', 'bed')},
        'palette': {'semseg': distinct_colours(3)},
    }
    read: ClassVar[list] = []

    def __init__(self, **base):
        super().__init__(serialize_data=False, **base)  # which collects garbage, for 0.2 s

    def load_data_list(self):
        return [{'sample_id': name} for name in NAMES]

    def load_image(self, info):
        return np.zeros((2, 3, 3), np.uint8)

    def load_label(self, info, name):
        self.read.append((info['sample_id'], name))
        return np.ones((2, 3), np.float32 if name == 'depth' else np.uint8)


def labelled(dataset):
    """Return {sample_id: keys of its labels}."""
    samples = [dataset.load_sample(i) for i in range(len(dataset))]
    return {sample['sample_id']: set(sample['gt']) for sample in samples}


def keep(**settings):
    return labelled(Labelled(tasks=TASKS, **settings))


class TestChoice:
    def test_is_the_same_everywhere(self):
        """Written down once: another version of anything must not change a published choice."""
        assert sorted(choose_few(NAMES, 'depth', count=3)) == ['room-10', 'room-14', 'room-39']
        chosen = [''.join(sorted(choose_labels(name, 'abc', least=1, most=2))) for name in NAMES[:4]]
        assert chosen == ['ab', 'b', 'ac', 'bc']

    def test_order_of_the_names_does_not_matter(self):
        assert choose_few(NAMES, 'depth', count=7) == choose_few(NAMES[::-1], 'depth', count=7)

    def test_fewer_are_a_part_of_more(self):
        assert choose_few(NAMES, 'depth', count=4) < choose_few(NAMES, 'depth', count=20)

    def test_seeds_and_labels_choose_differently(self):
        chosen = [choose_few(NAMES, label, count=10, seed=seed) for label in ('a', 'b') for seed in (0, 1)]
        assert len(set(chosen)) == 4

    def test_each_sample_is_as_likely(self):
        counts = Counter(name for seed in range(400) for name in choose_few(NAMES, 'depth', count=10, seed=seed))
        assert set(counts) == set(NAMES)
        assert min(counts.values()) > 60 and max(counts.values()) < 140  # 100 expected, deviation 8.7

    def test_each_number_and_each_label_is_as_likely(self):
        chosen = [choose_labels(f'{i}', 'abc', least=1, most=2) for i in range(3000)]
        sizes, which = Counter(map(len, chosen)), Counter(label for one in chosen for label in one)
        assert set(sizes) == {1, 2} and abs(sizes[1] - 1500) < 150
        assert all(abs(count - 1500) < 150 for count in which.values())

    def test_a_few_and_those_per_image_are_chosen_apart(self):
        names = [str(number) for number in range(3000)]
        few = choose_few(names, 'a', count=1500)
        both = sum(choose_labels(name, 'abc', least=1, most=1) == {'a'} for name in few)
        assert abs(both - 500) < 80  # deviation 18


class TestLabelledOnly:
    def test_others_keep_theirs(self):
        kept = keep(labelled_only={'depth': {'count': 4, 'seed': 2}})
        assert {name for name, keys in kept.items() if 'depth' in keys} == choose_few(NAMES, 'depth', count=4, seed=2)
        assert len(kept) == 40 and all(keys >= {'semseg', 'saliency'} for keys in kept.values())

    def test_what_is_withheld_is_not_read(self):
        Labelled.read.clear()
        keep(labelled_only={'depth': {'count': 4}})
        assert Counter(name for _, name in Labelled.read) == {'semseg': 40, 'saliency': 40, 'depth': 4}

    @pytest.mark.parametrize(('fraction', 'count'), [(0.1, 4), (0.01, 1), (0.0625, 3), (1, 40)])
    def test_fraction(self, fraction, count):
        kept = keep(labelled_only={'depth': {'fraction': fraction}})
        assert sum('depth' in keys for keys in kept.values()) == count

    @pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig'])
    def test_list(self, tmp_path, encoding):
        (tmp_path / 'few.txt').write_text('room-7\n\nroom-30\n', encoding=encoding)
        kept = keep(labelled_only={'depth': 'few.txt'}, data_root=str(tmp_path))
        assert {name for name, keys in kept.items() if 'depth' in keys} == {'room-7', 'room-30'}

    def test_list_elsewhere(self, tmp_path, monkeypatch):
        (tmp_path / 'few.txt').write_text('room-7')
        for given in (str(tmp_path / 'few.txt'), 'few.txt'):
            monkeypatch.chdir(tmp_path)
            kept = keep(labelled_only={'depth': given}, data_root='/nowhere')
            assert [name for name, keys in kept.items() if 'depth' in keys] == ['room-7']

    def test_by_the_tasks_key(self):
        tasks = {'near': {'type': 'Depth'}, 'far': {'type': 'Depth'}}
        dataset = Labelled(tasks=tasks, labels={'near': 'depth', 'far': 'depth'}, labelled_only={'near': {'count': 1}})
        assert Counter(key for keys in labelled(dataset).values() for key in keys) == {'near': 1, 'far': 40}

    def test_only_the_labelled_samples(self):
        dataset = Labelled(
            tasks={'depth': {'type': 'Depth'}}, labelled_only={'depth': {'count': 4}}, drop_unlabelled=True
        )
        assert len(dataset) == 4
        assert labelled(dataset) == {name: {'depth'} for name in choose_few(NAMES, 'depth', count=4)}
        assert [dataset.load_sample(i)['sample_idx'] for i in range(4)] == [0, 1, 2, 3]
        assert dataset.metainfo['origin']['samples'] == 4

    def test_a_choice_is_of_the_whole_split(self):
        dataset = Labelled(tasks=TASKS, labelled_only={'depth': {'count': 3}}, indices=15)
        kept = sorted(choose_few(NAMES, 'depth', count=3) & set(NAMES[:15]))
        assert [name for name, keys in labelled(dataset).items() if 'depth' in keys] == kept == ['room-10', 'room-14']
        described = dataset.metainfo['origin']['labelled']['depth']
        assert described == {
            'samples': 2, 'of': 40, 'by': [{'count': 3}], 'digest': digest(kept), 'names': kept
        }  # fmt: skip

    @pytest.mark.parametrize('serialize', [True, False])
    def test_a_choice_stays_with_its_sample(self, serialize, monkeypatch):
        monkeypatch.setattr(Labelled, '__init__', functools.partialmethod(MultiTaskDataset.__init__))
        dataset = Labelled(
            tasks=TASKS,
            labelled_only={'depth': {'count': 4}},
            drop_unlabelled=True,
            indices=[25, 3, -1],
            serialize_data=serialize,
        )
        few = choose_few(NAMES, 'depth', count=4)
        for one in (dataset, dataset.get_subset([2, 0]), pickle.loads(pickle.dumps(dataset))):
            kept = labelled(one)
            assert {name for name, keys in kept.items() if 'depth' in keys} == few & set(kept)
        assert list(kept) == ['room-25', 'room-3', 'room-39']
        assert dataset.metainfo['origin']['labelled']['depth']['samples'] == 1

    def test_samples_without_a_name_keep_their_number(self):
        numbered = type('Numbered', (Labelled,), {'load_data_list': lambda self: [{} for _ in NAMES]})
        dataset = numbered(
            tasks={'depth': {'type': 'Depth'}}, labelled_only={'depth': {'count': 2}}, drop_unlabelled=True
        )
        few = choose_few([str(number) for number in range(40)], 'depth', count=2)
        assert labelled(dataset) == {name: {'depth'} for name in few}

    def test_it_is_recorded(self):
        dataset = Labelled(tasks=TASKS, labelled_only={'depth': {'count': 2}, 'semseg': {'fraction': 0.5, 'seed': 3}})
        described = json.loads(json.dumps(dataset.metainfo['origin']['labelled']))
        few = sorted(choose_few(NAMES, 'depth', count=2))
        assert described['depth'] == {
            'samples': 2, 'of': 40, 'by': [{'count': 2}], 'digest': digest(few), 'names': few
        }  # fmt: skip
        assert described['semseg']['samples'] == 20 and described['semseg']['by'] == [{'fraction': 0.5, 'seed': 3}]
        assert 'labelled' not in Labelled(tasks=TASKS).metainfo['origin']

    def test_it_is_logged(self, monkeypatch):
        said = []
        monkeypatch.setattr('mtlbox.datasets.base.print_log', lambda text, **_: said.append(text))
        Labelled(tasks=TASKS, labelled_only={'depth': {'count': 2}})
        few = ', '.join(sorted(choose_few(NAMES, 'depth', count=2)))
        (line,) = said
        assert line.startswith("Labelled: depth keeps the labels of 2 of 40 samples (by {'count': 2}; digest of")
        assert line.endswith(f': {few}.')


class TestPerImage:
    def test_one_label(self):
        kept = keep(labels_per_image={'least': 1, 'most': 1})
        assert {len(keys) for keys in kept.values()} == {1}
        assert set.union(*kept.values()) == set(TASKS)

    def test_random_labels(self):
        assert {len(keys) for keys in keep(labels_per_image={'least': 1, 'most': 2, 'seed': 4}).values()} == {1, 2}

    def test_with_few_labels(self):
        kept = keep(labels_per_image={'least': 2, 'most': 2}, labelled_only={'depth': {'count': 1}})
        assert sum('depth' in keys for keys in kept.values()) <= 1
        assert {len(keys) for keys in kept.values()} == {2}, 'of those that the count leaves'

    def test_with_a_list(self, tmp_path):
        (tmp_path / 'few.txt').write_text('\n'.join(NAMES[:20]))
        few, one = {'depth': str(tmp_path / 'few.txt')}, {'least': 1, 'most': 1}
        kept = keep(labels_per_image=one, labelled_only=few)
        assert {len(keys) for keys in kept.values()} == {1}
        every = keep(labels_per_image=one)
        assert all(kept[name] == every[name] for name in NAMES[:20]) and any('depth' in kept[name] for name in NAMES)
        assert not any('depth' in kept[name] for name in NAMES[20:])

    def test_a_label_of_two_tasks_is_left_where_either_list_has_it(self, tmp_path):
        (tmp_path / 'few.txt').write_text('\n'.join(NAMES[:20]))
        tasks = {'near': {'type': 'Depth'}, 'far': {'type': 'Depth'}}
        settings = {'labels': dict.fromkeys(tasks, 'depth'), 'labelled_only': {'near': str(tmp_path / 'few.txt')}}
        kept = labelled(Labelled(tasks=tasks, labels_per_image={'least': 1, 'most': 1}, **settings))
        assert [kept[name] for name in (NAMES[0], NAMES[20])] == [{'near', 'far'}, {'far'}]


class Gaps(Labelled):
    """As Labelled, but every fourth image alone has depth, the first of them in a map that is unknown all over."""

    METAINFO: ClassVar[dict] = {**Labelled.METAINFO, 'gaps': ('depth',)}
    HAVING = frozenset(NAMES[4::4])

    def load_label(self, info, name):
        found = super().load_label(info, name)
        if name == 'depth' and info['sample_id'] not in self.HAVING:
            return None if info['sample_idx'] else np.zeros_like(found)
        return found


class TestGaps:
    """Of a label that some samples lack, the choice is among those which have it, and so are all numbers."""

    @pytest.mark.parametrize(('rule', 'count'), [({'count': 5}, 5), ({'fraction': 0.5}, 5), ({'fraction': 1}, 9)])
    def test_few(self, rule, count):
        dataset = Gaps(tasks={'depth': {'type': 'Depth'}}, labelled_only={'depth': rule}, drop_unlabelled=True)
        few = choose_few(sorted(Gaps.HAVING), 'depth', count=count)
        assert labelled(dataset) == {name: {'depth'} for name in few}
        described = dataset.metainfo['origin']['labelled']['depth']
        assert (described['samples'], described['having'], described['of']) == (count, 9, 40)
        assert described['names'] == sorted(few)
        (line,) = dataset.partial.messages({'depth': described})
        assert f'keeps the labels of {count} of 40 samples, 9 of which have one (by' in line

    def test_more_than_there_are(self):
        with pytest.raises(ValueError, match=r"asks for 10 samples, but 9 of 40 have the label 'depth'"):
            Gaps(tasks=TASKS, labelled_only={'depth': {'count': 10}})

    def test_list(self, tmp_path):
        (tmp_path / 'few.txt').write_text('room-7\nroom-8\nroom-0')
        Labelled.read.clear()
        few = {'depth': str(tmp_path / 'few.txt')}
        dataset = Gaps(tasks=TASKS, labelled_only=few)
        assert {name for name, _ in Labelled.read} == {'room-0', 'room-7', 'room-8'}  # others may not be there
        assert [name for name, keys in labelled(dataset).items() if 'depth' in keys] == ['room-8']
        assert dataset.metainfo['origin']['labelled']['depth']['names'] == ['room-8']
        both = Gaps(
            tasks={'near': {'type': 'Depth'}, 'far': {'type': 'Depth'}},
            labels=dict.fromkeys(('near', 'far'), 'depth'),
            labelled_only={'near': few['depth']},
        )
        assert [name for name, keys in labelled(both).items() if 'near' in keys] == ['room-8']
        assert both.metainfo['origin']['labelled']['near']['names'] == ['room-8']
        Labelled.read.clear()
        Gaps(tasks=TASKS, labelled_only=few, labels_per_image={'least': 1, 'most': 2})
        assert {name for name, _ in Labelled.read} == {'room-0', 'room-7', 'room-8'}

    def test_labels_per_image(self):
        dataset = Gaps(tasks=TASKS, labels_per_image={'least': 1, 'most': 1}, drop_unlabelled=True)
        kept = labelled(dataset)
        assert len(kept) == 40 and {len(keys) for keys in kept.values()} == {1}
        described = dataset.metainfo['origin']['labelled']
        counts = Counter(key for keys in kept.values() for key in keys)
        assert counts == {key: one['samples'] for key, one in described.items()} and 0 < counts['depth'] < 9
        every = keep(labels_per_image={'least': 1, 'most': 1})
        assert all(kept[name] == every[name] for name in Gaps.HAVING)  # nothing else for those that have all
        none = Gaps(tasks={'depth': {'type': 'Depth'}}, labels_per_image={'least': 1, 'most': 1}, drop_unlabelled=True)
        assert set(labelled(none)) == Gaps.HAVING

    def test_samples_without_any_are_left_out(self):
        tasks = {'near': {'type': 'Depth'}}
        assert set(labelled(Gaps(tasks=tasks, labels={'near': 'depth'}, drop_unlabelled=True))) == Gaps.HAVING
        assert len(Gaps(tasks=TASKS, drop_unlabelled=True)) == 40

    def test_maps_that_are_not_legal_are_refused(self):
        wrong = type('Wrong', (Gaps,), {'load_label': lambda self, info, name: np.full((2, 3), np.nan, np.float32)})
        with pytest.raises(ValueError, match=r"sample room-0: the map of 'depth' holds 6 NaN"):
            wrong(tasks=TASKS, labelled_only={'depth': {'count': 1}})

    def test_other_code_finds_out_by_itself(self, tmp_path):
        """The files say nothing of how a data set of somebody else's reads them."""
        for name in NAMES:
            (tmp_path / name).touch()
            os.utime(tmp_path / name, (0, 0))  # nobody writes to it any more
        paths = [{'sample_id': name, 'label_paths': {'depth': str(tmp_path / name)}} for name in NAMES]
        listed = type('Listed', (Gaps,), {'load_data_list': lambda self: paths})
        few = {'tasks': TASKS, 'data_root': str(tmp_path), 'labelled_only': {'depth': {'count': 2}}}
        assert listed(**few).metainfo['origin']['labelled']['depth']['having'] == 9
        listed.HAVING = frozenset(NAMES[:3])
        assert listed(**few).metainfo['origin']['labelled']['depth']['having'] == 3

    def test_other_labels_are_not_looked_at(self):
        Labelled.read.clear()
        Gaps(tasks=TASKS, labelled_only={'semseg': {'count': 2}})
        assert not Labelled.read


class TestFiles:
    """Files of labels that are withheld, and of pictures that are left out, need not be there."""

    @pytest.mark.parametrize(('layout', 'picture'), [('nyud-c', 'images/{}.png'), ('nyuv2-13', 'train/image/{}.npy')])
    def test_of_pictures_that_are_left_out(self, tmp_path, layout, picture):
        write_replica(layout, tmp_path, counts={'train': 4, 'val': 1}, size=(24, 32), workers=1)
        cls, tasks = LAYOUTS[layout].dataset, {'depth': {'type': 'Depth'}}
        ids = [
            one['sample_id']
            for one in map(cls(data_root=str(tmp_path), split='train', tasks=tasks).load_sample, range(4))
        ]
        few = {'depth': {'count': 2}}
        stay = [name for name in ids if name in choose_few(ids, 'depth', count=2)]
        first, second = (name for name in ids if name not in stay)
        files = {name: tmp_path / picture.format(name if layout == 'nyud-c' else ids.index(name)) for name in ids}
        files[first].unlink()
        files[second].write_bytes(b'')  # is looked into, else
        with pytest.raises(FileNotFoundError, match='Missing: '):
            cls(data_root=str(tmp_path), split='train', tasks=tasks, labelled_only=few)
        dataset = cls(data_root=str(tmp_path), split='train', tasks=tasks, labelled_only=few, drop_unlabelled=True)
        assert labelled(dataset) == {name: {'depth'} for name in stay}
        files[stay[0]].write_bytes(b'')
        with pytest.raises(ValueError, match='is empty'):
            cls(data_root=str(tmp_path), split='train', tasks=tasks, labelled_only=few, drop_unlabelled=True)

    def test_names_in_a_list(self, tmp_path):
        write_replica('nyud-c', tmp_path, counts={'train': 4, 'val': 1}, size=(24, 32), workers=1)
        names = (tmp_path / 'gt_sets/train.txt').read_text().split()
        (tmp_path / 'few.txt').write_text(names[2])
        for name in names:
            if name != names[2]:
                (tmp_path / 'depth' / f'{name}.npy').unlink()
        tasks = {'semseg': {'type': 'SemSeg', 'num_classes': 40}, 'depth': {'type': 'Depth'}}
        with pytest.raises(FileNotFoundError, match='Missing: '):
            NYUD(data_root=str(tmp_path), split='train', tasks=tasks)
        dataset = NYUD(data_root=str(tmp_path), split='train', tasks=tasks, labelled_only={'depth': 'few.txt'})
        kept = labelled(dataset)
        assert len(kept) == 4 and [name for name, keys in kept.items() if 'depth' in keys] == [names[2]]
        (tmp_path / 'depth' / f'{names[2]}.npy').unlink()
        with pytest.raises(FileNotFoundError, match=names[2]):
            NYUD(data_root=str(tmp_path), split='train', tasks=tasks, labelled_only={'depth': 'few.txt'})

    def test_numbered_files(self, tmp_path):
        write_replica('nyuv2-13', tmp_path, counts={'train': 4, 'val': 1}, size=(24, 32), workers=1)
        tasks = {'semseg': {'type': 'SemSeg', 'num_classes': 13}, 'depth': {'type': 'Depth'}}
        ids = [
            s['sample_id']
            for s in map(NYUv2(data_root=str(tmp_path), split='train', tasks=tasks).load_sample, range(4))
        ]
        (tmp_path / 'few.txt').write_text(ids[1])
        for index in (0, 2, 3):
            (tmp_path / 'train/depth' / f'{index}.npy').unlink()
        with pytest.raises(FileNotFoundError, match='Missing: '):
            NYUv2(data_root=str(tmp_path), split='train', tasks=tasks)
        dataset = NYUv2(data_root=str(tmp_path), split='train', tasks=tasks, labelled_only={'depth': 'few.txt'})
        assert [name for name, keys in labelled(dataset).items() if 'depth' in keys] == [ids[1]]


BAD = [
    ({'depht': {'count': 1}}, r"labelled_only of Labelled names 'depht', for which it reads no label\. .*'depth'"),
    ({'depth': 4}, r'labelled_only\.depth of Labelled must be the path of a list, or dict\(count'),
    ({'depth': {'cuont': 4}}, r"labelled_only\.depth of Labelled has no 'cuont'\. Did you mean 'count'"),
    ({'depth': {}}, 'needs either count or fraction'),
    ({'depth': {'count': 1, 'fraction': 0.1}}, 'needs either count or fraction'),
    ({'depth': {'count': 0}}, 'count must be a whole number from 1, but is 0'),
    ({'depth': {'count': True}}, 'count must be a whole number from 1, but is True'),
    ({'depth': {'count': 41}}, r'labelled_only\.depth of Labelled asks for 41 samples, but 40 of 40 have the label'),
    ({'depth': {'fraction': 0}}, 'fraction must be above 0 and at most 1, but is 0'),
    ({'depth': {'fraction': '1%'}}, "fraction must be above 0 and at most 1, but is '1%'"),
    ({'depth': {'count': 1, 'seed': -1}}, 'seed must be a whole number from 0, but is -1'),
]


class TestBadInput:
    def test_no_dict(self):
        with pytest.raises(TypeError, match=r"labelled_only of Labelled must be a dict, .*, but is \['depth'\]"):
            Labelled(tasks=TASKS, labelled_only=['depth'])

    @pytest.mark.parametrize(('rule', 'message'), BAD)
    def test_rule(self, rule, message):
        with pytest.raises((ValueError, TypeError), match=message):
            Labelled(tasks=TASKS, labelled_only=rule)

    @pytest.mark.parametrize(
        ('text', 'message'),
        [
            (b'room-7\nroom_8\n', r"few\.txt names what is no sample: 'room_8'\. Did you mean 'room-8'"),
            (b'room-7\nroom-8\nroom-7\n', r"few\.txt names 'room-7' twice"),
            (b'\n', r'few\.txt names no sample'),
            (b'\xff\xfe', r'few\.txt is not a text file'),
        ],
    )
    def test_list(self, tmp_path, text, message):
        (tmp_path / 'few.txt').write_bytes(text)
        with pytest.raises(ValueError, match=rf'labelled_only\.depth of Labelled: .*{message}'):
            Labelled(tasks=TASKS, labelled_only={'depth': 'few.txt'}, data_root=str(tmp_path))

    def test_no_list(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=rf'there is no file {tmp_path}/few\.txt nor few\.txt'):
            Labelled(tasks=TASKS, labelled_only={'depth': 'few.txt'}, data_root=str(tmp_path))

    @pytest.mark.parametrize(
        ('rule', 'message'),
        [
            ({'least': 1}, "labels_per_image of Labelled lacks 'most'"),
            ({'least': 1, 'msot': 1}, "has no 'msot'. Did you mean 'most'"),
            ({'least': 2, 'most': 1}, '0 <= least <= most <= 3'),
            ({'least': 1, 'most': 4}, '0 <= least <= most <= 3'),
            ({'least': 1, 'most': 1, 'seed': 0.5}, 'seed must be a whole number'),
            (1, r'labels_per_image of Labelled must be a dict, e\.g\. dict\(least=1, most=1, seed=0\), but is 1'),
        ],
    )
    def test_per_image(self, rule, message):
        with pytest.raises((ValueError, TypeError), match=message):
            Labelled(tasks=TASKS, labels_per_image=rule)

    def test_samples_of_one_name(self):
        doubled = type(
            'Doubled', (Labelled,), {'load_data_list': lambda self: [{'sample_id': 'a'}, {'sample_id': 'a'}]}
        )
        with pytest.raises(ValueError, match='several samples are called a'):
            doubled(tasks=TASKS, labelled_only={'depth': {'count': 1}})


class TestImages:
    @staticmethod
    def fill(root, *names):
        for name in names:
            (root / name).parent.mkdir(exist_ok=True, parents=True)
            path = root / name
            picture = np.full((4, 6, 3), 9, np.uint8)
            path.write_bytes(cv2.imencode(path.suffix.lower(), picture)[1].tobytes())

    def test_pictures_of_a_folder(self, tmp_path):
        self.fill(tmp_path, 'city/b.png', 'city/{x}.y.jpg', 'a.png', 'd.JPG', 'city.png')
        self.fill(tmp_path, '._a.png', '.hidden.png', '.trash/c.png')
        (tmp_path / 'list.txt').write_text('a')
        dataset = ImageFolder(data_root=str(tmp_path), tasks=TASKS, pipeline=[{'type': 'PackMultiTaskInputs'}])
        samples = [dataset[i]['data_samples'] for i in range(len(dataset))]
        assert [sample.sample_id for sample in samples] == ['a', 'city/b', 'city/{x}.y', 'city', 'd']
        assert samples[-1].img_path == str(tmp_path / 'd.JPG')
        assert not any(samples[0].gt.get(key).labelled for key in TASKS)
        assert isinstance(dataset.data_list, Listing)
        some = ImageFolder(data_root=tmp_path, tasks=TASKS, indices=[4, 0])
        assert [some.get_data_info(i)['sample_id'] for i in range(2)] == ['d', 'a']
        assert len(ImageFolder(data_root=tmp_path, tasks=TASKS, suffixes=['.PNG'])) == 3

    @pytest.mark.parametrize('content', [b'', b'\x89PNG\r\n\x1a\n' + b'x' * 50, b'text'])
    def test_damaged_pictures_are_found_first(self, tmp_path, content):
        self.fill(tmp_path, 'a.png', 'b/c.png')
        (tmp_path / 'b/d.png').write_bytes(content)
        with pytest.raises(ValueError, match=re.escape(str(tmp_path / 'b/d.png'))):
            ImageFolder(data_root=tmp_path, tasks=TASKS)
        assert len(ImageFolder(data_root=tmp_path, tasks=TASKS, check=False)) == 3

    def test_good_pictures_are_looked_at_once(self, tmp_path, monkeypatch):
        self.fill(tmp_path, 'a.png', 'b.jpg')
        for path in tmp_path.iterdir():
            os.utime(path, (1e9, 1e9))
        looked = []
        monkeypatch.setattr(named, 'probe', looked.append)
        for _ in range(2):
            ImageFolder(data_root=tmp_path, tasks=TASKS)
            assert sorted(looked) == [str(tmp_path / 'a.png'), str(tmp_path / 'b.jpg')]

    def test_two_pictures_of_one_name(self, tmp_path):
        self.fill(tmp_path, 'x/a.jpg', 'x/a.png')
        with pytest.raises(ValueError, match=r"holds x/a.jpg and x/a.png, which would be one sample, 'x/a'.*suffixes="):
            ImageFolder(data_root=tmp_path, tasks=TASKS)
        assert len(ImageFolder(data_root=tmp_path, tasks=TASKS, suffixes=['.jpg'])) == 1

    def test_suffixes(self, tmp_path):
        with pytest.raises(TypeError, match=r"suffixes must be a list or a tuple, e.g. \['.png'\]"):
            ImageFolder(data_root=tmp_path, tasks=TASKS, suffixes='.png')
        with pytest.raises(ValueError, match=r"'png' does not. Is '.png' meant"):
            ImageFolder(data_root=tmp_path, tasks=TASKS, suffixes=['.jpg', 'png'])

    def test_bad(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='There is no folder'):
            ImageFolder(data_root=str(tmp_path / 'x'), tasks=TASKS)
        with pytest.raises(ValueError, match='holds no picture'):
            ImageFolder(data_root=str(tmp_path), tasks=TASKS)
        with pytest.raises(ValueError, match="ImageFolder has no label 'depth'"):
            ImageFolder(data_root=str(tmp_path), tasks=TASKS, labels=['depth'])

    def test_labels_may_be_left_out(self):
        assert set(map(frozenset, keep(labels=[]).values())) == {frozenset()}
