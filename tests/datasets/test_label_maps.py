from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from mtlbox.datasets import NYUD, Cityscapes, NYUv2, Synthia, Taskonomy
from mtlbox.datasets.label_maps import LABEL_MAPS, LabelMap
from mtlbox.datasets.vkitti2 import VKITTI2

SHARED = Path(__file__).parents[2] / '../shared/data/nyu_meta'


def test_names_of_a_data_set_are_those_of_its_tables() -> None:
    for dataset in (VKITTI2, Synthia, Taskonomy, NYUD, NYUv2, Cityscapes):
        for label, name in dataset.METAINFO.get('label_maps', {}).items():
            found = LABEL_MAPS[name]
            assert found.name == name and dataset.METAINFO['classes'][label] == found.target
            assert dataset.METAINFO['classes']['semseg'] == found.source


@pytest.mark.parametrize('name', LABEL_MAPS)
def test_table(name: str) -> None:
    found = LABEL_MAPS[name]
    table = found.table()
    assert table.dtype == np.uint8 and (table[len(found.source) :] == 255).all()
    for index, one in enumerate(found.source):
        meant = found.of(one)
        assert table[index] == 255 if meant is None else found.target[table[index]] == meant
    assert len(set(table.tolist()) - {255}) >= 4


def test_every_class_of_cityscapes_but_those_that_are_not_there_is_reached() -> None:
    reached = {LABEL_MAPS['synthia-to-cityscapes'].of(one) for one in Synthia.METAINFO['classes']['semseg']}
    assert reached == {*Cityscapes.METAINFO['classes']['semseg'], None}
    reached = {LABEL_MAPS['vkitti2-to-cityscapes'].of(one) for one in VKITTI2.METAINFO['classes']['semseg']}
    assert {*Cityscapes.METAINFO['classes']['semseg']} - reached == {
        'sidewalk', 'wall', 'fence', 'person', 'rider', 'bus', 'train', 'motorcycle', 'bicycle',
    }  # fmt: skip


def test_there_and_back() -> None:
    there, back = LABEL_MAPS['taskonomy-to-nyud'], LABEL_MAPS['nyud-to-taskonomy']
    for one in there.source:
        met = there.of(one)
        assert met is None or back.of(met) in (one, None)


def test_40_to_13_is_the_official_table() -> None:
    if not SHARED.is_dir():
        pytest.skip(f'{SHARED} is not there')
    official = loadmat(SHARED / 'class13Mapping.mat')['classMapping13'][0, 0]['labels13'].ravel()
    assert (LABEL_MAPS['nyud-to-nyuv2-13'].table()[:40] == official - 1).all()


def test_classes_are_read_through_the_table() -> None:
    found = LABEL_MAPS['vkitti2-to-cityscapes']
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16).T  # not contiguous
    np.testing.assert_array_equal(found.reader(lambda path: stored)('a'), found.table()[stored])
    with pytest.raises(ValueError, match='numbers of 8 bits are expected, but the type is int64'):
        found.reader(lambda path: stored.astype(np.int64))('a')


def test_unknown_classes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'x': there is no class 'carr'\. Did you mean 'car'"):
        LabelMap('x', ('car', 'van'), ('car',), {'van': 'car', 'carr': None})
    with pytest.raises(ValueError, match="'x': there is no class 'van'"):
        LabelMap('x', ('car', 'van'), ('car',))
