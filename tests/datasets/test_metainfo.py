"""What is wrong in what a data set says of its labels, and what each of ours says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mtlbox.datasets import MultiTaskDataset
from mtlbox.datasets.cityscapes import PALETTE as CITYSCAPES_PALETTE
from mtlbox.datasets.cityscapes_mtan import CityscapesMTAN
from mtlbox.datasets.metainfo import check_metainfo
from mtlbox.datasets.pascal_context import VOC_CLASSES, voc_colours
from mtlbox.registry import DATASETS
from mtlbox.tasks import SemSeg

GOOD: dict[str, Any] = {
    'labels': ('semseg', 'depth'),
    'classes': {'semseg': ('wall', 'floor')},
    'palette': {'semseg': ((1, 2, 3), (4, 5, 6))},
    'units': {'depth': 'm'},
}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'labels': None}, "METAINFO['labels'] of Mine must be a tuple of names, but is None."),
        ({'labels': 'semseg'}, "METAINFO['labels'] of Mine must be a tuple of names, but is 'semseg'."),
        ({'units': {'depht': 'm'}}, "METAINFO['units'] of Mine names 'depht', which is none of its labels. Did you"),
        ({'gaps': ('depht',)}, "METAINFO['gaps'] of Mine names 'depht', which is none of its labels. Did you"),
        ({'gaps': 'depth'}, "METAINFO['gaps'] of Mine must be a tuple of names, but is 'depth'."),
        ({'classes': {'semsge': ('a',)}}, "METAINFO['classes'] of Mine names 'semsge', which is none of its labels."),
        ({'palette': None}, "METAINFO['palette']['semseg'] of Mine is missing: RGB of the 2 classes"),
        ({'classes': ('wall', 'floor')}, "METAINFO['classes'] of Mine must be a dict by label, but is ('wall', "),
        ({'classes': {'semseg': 2}}, "METAINFO['classes']['semseg'] of Mine must be a tuple of names, but is 2."),
        ({'classes': {'semseg': 'ab'}}, "METAINFO['classes']['semseg'] of Mine must be a tuple of names, but is 'ab'."),
        ({'palette': {'depth': ()}}, "METAINFO['palette'] of Mine has colours for 'depth', whose classes"),
        ({'palette': {'semseg': ((1, 2, 3),)}}, "METAINFO['palette']['semseg'] of Mine must be a list of 2 colours"),
        ({'palette': None, 'palete': {}}, "METAINFO of Mine has an unknown key 'palete'. Did you mean 'palette'"),
        ({'ignore': 7}, "unknown key 'ignore'"),
        ({'ignore_index': 7}, 'What is ignored is 255 in every map of classes.'),
        ({'usual': {'dept': (0, 1)}}, "METAINFO['usual'] of Mine names 'dept', which is none of its labels. Did you"),
    ],
)  # fmt: skip
def test_wrong_metainfo_is_one_clear_error(change: dict[str, Any], message: str) -> None:
    check_metainfo('Mine', GOOD)
    with pytest.raises(ValueError, match=re.escape(message)):
        check_metainfo('Mine', {**GOOD, **change})
    mine = type('Mine', (MultiTaskDataset,), {'METAINFO': {**GOOD, **change}})
    with pytest.raises(ValueError, match=re.escape(message)):  # when a config is checked, without any data
        mine.match_labels({'semseg': SemSeg(num_classes=2)})


OURS = [
    cls
    for cls in DATASETS.module_dict.values()
    if issubclass(cls, MultiTaskDataset) and cls.__module__.startswith('mtlbox.')
]


@pytest.mark.parametrize('cls', OURS)
def test_every_data_set_of_ours_says_enough(cls: type[MultiTaskDataset]) -> None:
    check_metainfo(cls.__name__, cls.METAINFO)
    classes = cls.METAINFO.get('classes', {})
    tasks = {label: SemSeg(key=label, num_classes=len(names)) for label, names in classes.items()}
    assert cls.palettes(tasks, list(tasks)) == cls.METAINFO.get('palette', {})


def test_published_colours() -> None:
    by_name = dict(zip(VOC_CLASSES, voc_colours(21)))
    assert by_name['background'] == (0, 0, 0) and by_name['aeroplane'] == (128, 0, 0)
    assert by_name['person'] == (192, 128, 128) and by_name['tvmonitor'] == (0, 64, 128)
    assert CityscapesMTAN.METAINFO['palette']['semseg_7'][0] == CITYSCAPES_PALETTE[0] == (128, 64, 128)
