"""The loader is given files written by hand from the description of the archive, not by the project's own writer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mtlbox.datasets import PASCALContext
from mtlbox.datasets.image_file import read_image
from mtlbox.datasets.layouts.arrays import convert
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.pascal_context import CLASSES_WITH_NORMALS, boundaries_of, read_human_parts
from mtlbox.datasets.rooms import render_room

SHARED = Path(__file__).parents[2] / '../shared/data/pascal_part_mini'
H, W = 12, 16
TASKS = {
    'semseg': {'type': 'SemSeg', 'num_classes': 21},
    'human_parts': {'type': 'HumanParts'},
    'saliency': {'type': 'Saliency', 'channels': 2},
    'normals': {'type': 'Normals'},
    'boundary': {'type': 'Boundary'},
}
FOLDERS = (
    'JPEGImages',
    'ImageSets/Context',
    'pascal-context/trainval',
    'semseg/VOC12',
    'semseg/pascal-context',
    'human_parts',
    'normals_distill',
    'sal_distill',
)
WALL, SKY, PERSON = 440, 360, 284  # numbers in the LabelMap; NYU knows no sky


def struct(**fields: Any) -> np.ndarray:
    """A MATLAB struct array of as many elements as each field has."""
    length = len(next(iter(fields.values())))
    array = np.empty((1, length), dtype=[(name, object) for name in fields])
    for name, values in fields.items():
        for index, value in enumerate(values):
            array[0, index][name] = value
    return array


def mask(rows: slice, columns: slice) -> np.ndarray:
    out = np.zeros((H, W), np.uint8)
    out[rows, columns] = 1
    return out


def annotation(persons: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    """A dog with a head, and persons with the parts given."""
    dog = struct(part_name=['head'], mask=[mask(slice(0, 2), slice(0, 2))])
    parts = [struct(part_name=list(one), mask=list(one.values())) if one else np.zeros((0, 0)) for one in persons]
    objects = struct(
        **{
            'class': ['dog', *['person'] * len(persons)],
            'class_ind': [12, *[15] * len(persons)],
            'mask': [mask(slice(0, 4), slice(0, 4)), *[mask(slice(2, 12), slice(8, 16))] * len(persons)],
            'parts': [dog, *parts],
        }
    )
    return {'anno': struct(imname=['x'], objects=[objects])}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Image 1 has a person and VOC's classes; image 2 has neither, and its classes lie in the other folder."""
    for folder in FOLDERS:
        (tmp_path / folder).mkdir(parents=True)
    names = ['2008_000001', '2008_000002']
    (tmp_path / 'ImageSets/Context/train.txt').write_text('\n'.join(names) + '\n')
    (tmp_path / 'ImageSets/Context/test_new.txt').write_text(names[1])
    labels = np.full((H, W), WALL, np.uint16)
    labels[:, 8:] = SKY
    normals = np.full((H, W, 3), 127, np.uint8)
    normals[:6] = (255, 127, 127)
    normals[6:] = (127, 127, 0)
    classes = np.zeros((H, W), np.uint8)
    classes[0], classes[1] = 255, 20
    saliency = np.full((H, W), 127, np.uint8)
    saliency[3:5] = 128
    for name in names:
        Image.new('RGB', (W, H), (200, 0, 0)).save(tmp_path / f'JPEGImages/{name}.jpg')
        savemat(tmp_path / f'pascal-context/trainval/{name}.mat', {'LabelMap': labels})
        Image.fromarray(normals).save(tmp_path / f'normals_distill/{name}.png')
        Image.fromarray(saliency).save(tmp_path / f'sal_distill/{name}.png')
    coloured = Image.fromarray(classes, mode='P')
    coloured.putpalette([*range(255, -1, -1)] * 3)  # class numbers are indices, whatever the colours
    coloured.save(tmp_path / 'semseg/VOC12/2008_000001.png')
    Image.fromarray(classes + np.uint8(0)).save(tmp_path / 'semseg/pascal-context/2008_000001.png')
    Image.fromarray(np.full((H, W), 7, np.uint8)).save(tmp_path / 'semseg/pascal-context/2008_000002.png')
    person = {
        'lebrow': mask(slice(2, 3), slice(8, 16)),
        'neck': mask(slice(3, 4), slice(8, 16)),
        'ruarm': mask(slice(4, 5), slice(8, 16)),
        'lhand': mask(slice(5, 6), slice(8, 16)),
        'luleg': mask(slice(6, 7), slice(8, 16)),
        'rfoot': mask(slice(7, 8), slice(8, 16)),
    }
    savemat(tmp_path / 'human_parts/2008_000001.mat', annotation([person, {}]))
    savemat(tmp_path / 'human_parts/2008_000002.mat', annotation([{}]))
    return tmp_path


def build(root: Path, **kwargs: Any) -> PASCALContext:
    return PASCALContext(**{'data_root': str(root), 'split': 'train', 'tasks': TASKS, **kwargs})


def test_maps_mean_what_the_archive_says(root: Path) -> None:
    dataset = build(root)
    gt = dataset.load_sample(0)['gt']
    assert (gt['semseg'][0] == 255).all() and (gt['semseg'][1] == 20).all() and not gt['semseg'][2:].any()
    assert (gt['human_parts'][2:8, 8:] == np.arange(1, 7)[:, None]).all()
    assert not gt['human_parts'][:, :8].any() and not gt['human_parts'][8:].any()
    assert (gt['saliency'][3:5] == 1).all() and gt['saliency'].sum() == 2 * W
    np.testing.assert_allclose(gt['normals'][0, :8], np.broadcast_to([1, 0, 0], (8, 3)), atol=0.01)
    np.testing.assert_allclose(gt['normals'][9, :8], np.broadcast_to([0, 0, -1], (8, 3)), atol=0.01)
    assert not gt['normals'][:, 8:].any()  # sky
    columns = np.flatnonzero(gt['boundary'].any(0))
    assert (gt['boundary'].sum(1) == 1).mean() > 0.8 and set(columns) <= {7, 8}
    second = dataset.load_sample(1)
    assert set(second['gt']) == set(TASKS) - {'human_parts'}  # nothing is known of persons
    assert (second['gt']['semseg'] == 7).all()
    assert len(build(root, split='test_new')) == 1


def test_boundaries_are_those_of_scikit_image() -> None:
    cv2, thin = pytest.importorskip('cv2'), pytest.importorskip('skimage.morphology').thin
    labels = np.random.default_rng(0).integers(0, 4, (7, 9)).repeat(6, 0).repeat(5, 1).astype(np.uint16)
    labels[10:20, 3:30] = 459
    expected = thin(np.abs(cv2.Laplacian(labels, cv2.CV_64F)) > 0)
    np.testing.assert_array_equal(boundaries_of(labels), expected)


def test_classes_with_normals() -> None:
    assert (
        CLASSES_WITH_NORMALS[427] == 'tvmonitor'
        and CLASSES_WITH_NORMALS[440] == 'wall'
        and 360 not in CLASSES_WITH_NORMALS
    )
    assert 431 not in CLASSES_WITH_NORMALS  # unknown
    folder = SHARED.parent / 'nyu_meta'
    if folder.is_dir():
        from scipy.io import loadmat

        nyu = {str(name[0]) for name in loadmat(folder / 'classMapping40.mat')['allClassName'].ravel()}
        assert set(CLASSES_WITH_NORMALS.values()) - nyu == {'tvmonitor'}


@pytest.mark.parametrize(
    ('file', 'content', 'complaint'),
    [
        ('human_parts/2008_000001.mat', {'anno': np.zeros(3)}, 'is not an annotation of Pascal-Part'),
        ('human_parts/2008_000001.mat', {'objects': np.zeros(3)}, "does not hold 'anno'"),
        ('human_parts/2008_000001.mat', annotation([{'tail': mask(slice(0, 1), slice(0, 1))}]), "a part 'tail' of a"),
        ('human_parts/2008_000001.mat', annotation([{'head': np.zeros((2, 3))}]), r"mask of 'head' has shape \(2, 3\)"),
        ('pascal-context/trainval/2008_000001.mat', {'LabelMap': np.zeros((2, 3, 4))}, 'LabelMap must be numbers'),
        (
            'pascal-context/trainval/2008_000001.mat',
            {'LabelMap': np.zeros((2, 3))},
            r'but .*2008_000001\.mat has \(2, 3\)',
        ),
        *(
            (
                'pascal-context/trainval/2008_000001.mat',
                {'LabelMap': np.full((H, W), number)},
                rf'must hold whole numbers 0\.\.459, but holds {said}\.',
            )
            for number, said in ((460, '460'), (2.5, r'2\.5'), (np.nan, 'nan'), (-7, '-7'))
        ),
        ('semseg/VOC12/2008_000001.png', np.full((H, W), 30, np.uint8), r'holds \[30\], but only 0\.\.20'),
        ('normals_distill/2008_000001.png', np.zeros((H, W - 2, 3), np.uint8), 'is 12x14, but .* is 12x16'),
    ],
)
def test_a_wrong_file_is_named(root: Path, file: str, content: Any, complaint: str) -> None:
    path = root / file
    path.unlink()
    if isinstance(content, dict):
        savemat(path, content)
    else:
        Image.fromarray(content).save(path)
    with pytest.raises(ValueError, match=complaint) as caught:
        build(root).load_sample(0)
    assert file in str(caught.value)


def test_maps_at_another_scale_are_brought_to_the_size_of_their_picture(root: Path) -> None:
    before = build(root).load_sample(0)['gt']
    for file in ('normals_distill', 'sal_distill', 'semseg/VOC12'):
        path = root / file / '2008_000001.png'
        picture = np.asarray(Image.open(path))
        Image.fromarray(picture.repeat(2, 0).repeat(2, 1)).save(path)
    sample = build(root).load_sample(0)
    for key in ('semseg', 'saliency', 'boundary'):
        np.testing.assert_array_equal(sample['gt'][key], before[key])
    known = before['normals'].any(-1)
    np.testing.assert_array_equal(sample['gt']['normals'].any(-1), known, 'masked at the size of the picture')
    np.testing.assert_allclose(sample['gt']['normals'][:5], before['normals'][:5], atol=1e-6)
    assert [said.split(': ')[1] for said in sample['resampled']] == ['the map is 24x32, its picture 12x16'] * 2


def test_a_dark_saliency_is_one_without_an_object(root: Path) -> None:
    Image.fromarray(np.full((H, W), 1, np.uint8)).save(root / 'sal_distill/2008_000001.png')
    assert not build(root).load_sample(0)['gt']['saliency'].any()


def test_what_is_missing_is_named_in_both_places(root: Path) -> None:
    (root / 'semseg/pascal-context/2008_000002.png').unlink()
    (root / 'pascal-context/trainval/2008_000002.mat').unlink()
    with pytest.raises(FileNotFoundError) as caught:
        build(root)
    assert str(caught.value).count('pascal-context/trainval/2008_000002.mat') == 1
    assert 'semseg/VOC12/2008_000002.png or ' in str(caught.value)


def test_replica(tmp_path: Path) -> None:
    write_replica('pascal', tmp_path, counts={'train': 1, 'val': 3}, size=(24, 32), quiet=True)
    dataset = build(tmp_path, split='val')
    for index in range(3):
        gt, room = dataset.load_sample(index)['gt'], render_room('val', index, (24, 32))
        person = (room['human_parts'] > 0) & (room['human_parts'] != 255)
        assert ('human_parts' in gt) == person.any()
        if person.any():
            np.testing.assert_array_equal(gt['human_parts'], room['human_parts'])
            assert (gt['semseg'][person] == 15).all()
        np.testing.assert_array_equal(gt['saliency'], room['saliency'])
        assert (gt['semseg'][(room['semseg'] == 3) & ~person] == 9).all()  # chairs
        assert gt['normals'].any(-1).all() and gt['boundary'].any()


@pytest.mark.parametrize('layout', ['pascal', 'arrays'])
def test_few_are_chosen_among_images_with_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    root = tmp_path / 'pascal'
    write_replica('pascal', root, counts={'train': 1, 'val': 8}, size=(24, 32), quiet=True)
    if layout == 'arrays':
        convert(root, tmp_path / 'arrays', dataset='pascal-arrays', labels=['human_parts'], quiet=True)
        root = tmp_path / 'arrays'
    for path in root.rglob('*.*'):
        os.utime(path, (0, 0))  # nobody writes to it any more
    tasks = {'human_parts': {'type': 'HumanParts'}}
    people = {one['sample_id'] for one in map(build(root, split='val', tasks=tasks).load_sample, range(8)) if one['gt']}
    assert 2 < len(people) < 8
    few = {'split': 'val', 'tasks': tasks, 'labelled_only': {'human_parts': {'count': 2}}, 'drop_unlabelled': True}
    dataset = build(root, **few)
    names = dataset.metainfo['origin']['labelled']['human_parts']['names']
    assert len(names) == len(dataset) == 2 and people.issuperset(names)
    assert all('human_parts' in dataset.load_sample(index)['gt'] for index in range(2))
    with monkeypatch.context() as patch:
        patch.setattr(PASCALContext, 'load_label', None)  # what was seen is not looked at again
        assert build(root, **few).metainfo['origin'] == dataset.metainfo['origin']
    file = next(root.glob(f'human_parts/{names[0]}.*'))
    other = next(path for path in root.glob('human_parts/val*') if path.stem not in people)
    file.write_bytes(other.read_bytes())
    os.utime(file, (1, 1))
    assert names[0] not in build(root, **few).metainfo['origin']['labelled']['human_parts']['names']
    file.unlink()
    with pytest.raises(FileNotFoundError, match=rf"{file}.*All files of the label 'human_parts' are looked into"):
        build(root, **few)


@pytest.mark.skipif(not SHARED.is_dir(), reason='no real annotations of Pascal-Part here')
def test_real_annotations() -> None:
    files = sorted(SHARED.glob('*.mat'))
    shown = {}
    for path in files:
        parts = read_human_parts(str(path))
        assert parts.shape == read_image(path.with_suffix('.jpg')).shape[:2]
        shown[path.stem] = set(np.unique(parts)) - {0}
    assert len(files) == 18 and sum(map(bool, shown.values())) == 8
    assert set().union(*shown.values()) == {1, 2, 3, 4, 5, 6}
