"""The base of data sets of files, on data sets made here."""

from __future__ import annotations

import pickle
import re
import shutil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from mtlbox.datasets import ScannedDataset
from mtlbox.datasets.image_file import read_map, read_stored
from mtlbox.datasets.listing import Files, Listing
from mtlbox.datasets.sources import FileLayout, MapFiles, Source, find_names, suffixes_in
from mtlbox.tasks import distinct_colours

TASKS = {'semseg': {'type': 'SemSeg', 'num_classes': 3}}


class Small(ScannedDataset):
    TITLE = 'Small'
    ORIGIN = 'nowhere'
    LAYOUTS = (
        FileLayout(
            name='small',
            title='a test',
            images=Source.at('{split}/{0}/image_{1}.png'),
            maps={'semseg': MapFiles(read_map, (Source.at('fine/{0}_{1}.png', 'coarse/{0}_{1}.png'),))},
        ),
    )
    METAINFO: ClassVar[dict] = {
        'labels': ('semseg',),
        'classes': {'semseg': ('a', 'b', 'c')},
        'palette': {'semseg': distinct_colours(3)},
        'sizes': {'train': None, 'val': 2},
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ('train/x', 'train/y', 'val/x', 'fine', 'coarse'):
        (tmp_path / folder).mkdir(parents=True)
    for name in ('train/x/image_10', 'train/x/image_9', 'train/y/image_1', 'val/x/image_9', 'train/x/other_1'):
        Image.new('RGB', (4, 3)).save(tmp_path / f'{name}.png')
    for name, number in (('fine/x_10', 1), ('coarse/x_10', 2), ('coarse/x_9', 2), ('fine/y_1', 1)):
        Image.fromarray(np.full((3, 4), number, np.uint8)).save(tmp_path / f'{name}.png')
    return tmp_path


def build(root: Path, **kwargs: Any) -> Small:
    return Small(**{'data_root': str(root), 'split': 'train', 'tasks': TASKS, **kwargs})


def test_names_are_read_off_the_folders(root: Path) -> None:
    dataset = build(root)
    samples = [dataset.load_sample(i) for i in range(len(dataset))]
    assert [sample['sample_id'] for sample in samples] == ['x/10', 'x/9', 'y/1']
    assert [sample['gt']['semseg'][0, 0] for sample in samples] == [1, 2, 1]  # the fine one where there is one
    assert samples[1]['label_paths'] == {'semseg': f'{root}/coarse/x_9.png'}
    assert [dataset.load_sample(i)['sample_id'] for i in (-1, np.int64(0))] == ['y/1', 'x/10']
    with pytest.raises(IndexError, match='There are 3 samples, but number 3 is asked for'):
        dataset.load_sample(3)
    again = pickle.loads(pickle.dumps(dataset))
    assert again.load_sample(1)['gt']['semseg'][0, 0] == 2


def test_values_of_fields_may_be_limited(root: Path) -> None:
    template = Small.LAYOUTS[0].images.paths[0]
    assert list(find_names(root, template, {'split': {'train'}, '0': {'y', 'z'}})) == ['y/1']
    assert list(find_names(root, template, {'split': {'none'}})) == []
    assert list(find_names(root / 'nowhere', template, {})) == []
    assert suffixes_in(root, template, {'split': ('val',)}) == {'.png'}
    assert suffixes_in(root, 'nowhere/{0}.png', {}) == set()


def test_a_file_that_is_at_no_place_is_named_with_all_of_them(root: Path) -> None:
    (root / 'coarse/x_9.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'Missing: \S+/fine/x_9\.png or \S+/coarse/x_9\.png\.'):
        build(root)


def test_where_to_get_it_may_hold_braces(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Small, 'ORIGIN', 'unpack it to {root}/{train,val}/x.png')
    shutil.rmtree(root)
    with pytest.raises(FileNotFoundError, match=re.escape(f'unpack it to {root}/{{train,val}}/x.png')):
        build(root)


def test_missing_files_are_counted(root: Path) -> None:
    for number in range(20, 40):
        Image.new('RGB', (4, 3)).save(root / f'train/x/image_{number}.png')
    with pytest.raises(FileNotFoundError, match=r'fine/x_24\.png or \S+ and 15 more\.'):
        build(root)


def test_the_number_of_a_split_may_be_unknown(root: Path) -> None:
    assert build(root).metainfo['origin']['of'] is None
    assert 'Expected is Small (train, val 2) with files' in build(root)._help()


@pytest.mark.parametrize('lacking', ['labels', 'sizes', 'classes'])
def test_missing_metainfo_is_an_error(root: Path, lacking: str) -> None:
    said = {key: value for key, value in Small.METAINFO.items() if key != lacking}
    cls = type('Silent', (Small,), {'METAINFO': said})
    messages = {'classes': r"of Silent has colours for 'semseg', whose classes METAINFO\['classes'\] does not name"}
    with pytest.raises(ValueError, match=messages.get(lacking, f"METAINFO of Silent says nothing of '{lacking}'")):
        cls(data_root=str(root), split='train', tasks=TASKS)


def test_listing() -> None:
    files = Files('/data', 'train', Source.at('{name}.jpg'), {})
    listing = Listing.read(files, iter(['a', 'b/ü', 'c']), lambda source, name: 0)
    assert [one['sample_id'] for one in listing] == ['a', 'b/ü', 'c']
    assert listing[1]['img_path'] == '/data/b/ü.jpg' and listing[-1]['sample_id'] == 'c'
    assert [one['sample_id'] for one in listing[1:]] == ['b/ü', 'c'] and isinstance(listing[1:], Listing)
    assert [one['sample_id'] for one in listing[::2]] == ['a', 'c'] and isinstance(listing[::2], Listing)
    assert len(listing[5:]) == 0 and listing.nbytes == len('ab/üc'.encode()) + 4 * 4


def test_a_listing_of_some_samples_is_as_small(root: Path) -> None:
    dataset = build(root, indices=[2, 0, -2])
    assert [dataset.load_sample(i)['sample_id'] for i in range(3)] == ['y/1', 'x/10', 'x/9']
    assert [dataset.load_sample(i)['gt']['semseg'][0, 0] for i in range(3)] == [1, 1, 2]
    assert isinstance(dataset.data_list, Listing) and dataset.data_list.nbytes == build(root).data_list.nbytes
    assert build(root, indices=[1]).data_list.nbytes == len('x/9') + 2 * 4 + 1
    with pytest.raises(IndexError, match='There are 3 samples, but number 3 is asked for'):
        build(root, indices=[3])


def test_what_is_withheld_takes_a_bit_per_task(root: Path) -> None:
    kept = {'labelled_only': {'semseg': {'count': 2}}}
    assert build(root, **kept).data_list.nbytes - build(root).data_list.nbytes == 3  # 8 bits for each of 3 samples
    each = [dict(build(root, **kept, indices=some).data_list.withheld()) for some in (None, [2, 0, 1], [1, 2, 0])]
    assert each[0] == each[1] == each[2] and sorted(each[0].values()) == [[], [], ['semseg']]


def test_pictures_as_they_are_stored(tmp_path: Path) -> None:
    grey = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    Image.fromarray(grey).save(tmp_path / 'grey.png')
    assert read_stored(tmp_path / 'grey.png').dtype == np.uint16
    np.testing.assert_array_equal(read_stored(tmp_path / 'grey.png'), grey)
    Image.fromarray(np.full((3, 4, 3), (1, 2, 3), np.uint8)).save(tmp_path / 'rgb.png')
    assert read_stored(tmp_path / 'rgb.png')[0, 0].tolist() == [1, 2, 3]
    Image.new('RGBA', (4, 3)).save(tmp_path / 'rgba.png')
    with pytest.raises(ValueError, match=r"rgba\.png has pixels of the mode 'RGBA', but one channel or RGB"):
        read_stored(tmp_path / 'rgba.png')
    with pytest.raises(FileNotFoundError, match=r'There is no file .*\.'):
        read_stored(tmp_path / 'none.png')
