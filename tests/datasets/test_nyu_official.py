"""The converter is given an HDF5 file made by hand in the axis order of the official one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from mtlbox.datasets import NYUD, NYUv2
from mtlbox.datasets.layouts import nyu_official, writing
from mtlbox.datasets.layouts.nyu_official import boundaries_of_regions, convert
from mtlbox.datasets.normals_from_depth import normals_from_depth
from mtlbox.datasets.rooms import render_room

SHARED = Path(__file__).parents[2] / '../shared/data/nyu_meta'
TASKS = {
    'semseg': {'type': 'SemSeg', 'num_classes': 40},
    'depth': {'type': 'Depth'},
    'normals': {'type': 'Normals'},
    'boundary': {'type': 'Boundary'},
}
H, W = 480, 640
TOP, LEFT = 45, 40


@pytest.fixture(scope='module')
def official(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three images, each a wall 2 m away: left class 5 (to 1), right class 7 (to 40), the first row unlabelled."""
    h5py = pytest.importorskip('h5py')
    folder = tmp_path_factory.mktemp('official')
    images = np.zeros((3, 3, W, H), np.uint8)  # MATLAB's (H, W, 3, N), reversed
    depths, labels, instances = (np.zeros((3, W, H), kind) for kind in (np.float32, np.uint16, np.uint8))
    for i in range(3):
        images[i, 0, LEFT, TOP] = 250  # red at the window's first pixel
        images[i, 1] = 10 * i
        depths[i] = 2.0
        labels[i, :300], labels[i, 300:], instances[i] = 5, 7, 1
        labels[i, :, : TOP + 1] = 0
    with h5py.File(folder / 'nyu.mat', 'w') as file:
        for name, array in (('images', images), ('depths', depths), ('labels', labels), ('instances', instances)):
            file[name] = array
    table = np.full((1, 894), 3, np.uint8)
    table[0, 4], table[0, 6] = 1, 40
    savemat(folder / 'classMapping40.mat', {'mapClass': table})
    savemat(folder / 'splits.mat', {'trainNdxs': [[3]], 'testNdxs': [[1], [2]]})
    return {'source': folder / 'nyu.mat', 'splits': folder / 'splits.mat', 'classes': folder / 'classMapping40.mat'}


def test_to_nyud_c(official: dict[str, Path], tmp_path: Path) -> None:
    assert convert(root=tmp_path, dataset='nyud-c', quiet=True, **official) == {'train': 1, 'val': 2}
    dataset = NYUD(data_root=str(tmp_path), split='val', tasks=TASKS)
    assert dataset.metainfo['layout'] == 'nyud-c'
    assert [dataset.get_data_info(i)['sample_id'] for i in range(2)] == ['0001', '0002']
    sample = dataset.load_sample(1)
    assert sample['img'].shape == (425, 560, 3)
    assert sample['img'][0, 0].tolist() == [250, 10, 0] and sample['img'][1, 1].tolist() == [0, 10, 0]
    gt = sample['gt']
    assert (gt['semseg'][0] == 255).all()
    assert (gt['semseg'][1:, : 300 - LEFT] == 0).all() and (gt['semseg'][1:, 300 - LEFT :] == 39).all()
    assert (gt['depth'] == 2).all()
    np.testing.assert_allclose(gt['normals'][9:-9, 9:-9], np.broadcast_to([0, 0, -1], (407, 542, 3)), atol=0.01)
    assert (gt['boundary'].sum(1) == 1).all() and (gt['boundary'][:, 299 - LEFT] == 1).all()
    assert convert(root=tmp_path, dataset='nyud-c', quiet=True, **official) == {'train': 0, 'val': 0}
    (tmp_path / 'edge/0003.png').unlink()
    assert convert(root=tmp_path, dataset='nyud-c', quiet=True, **official) == {'train': 1, 'val': 0}


def test_other_inputs_are_refused_and_another_source_is_converted(official: dict[str, Path], tmp_path: Path) -> None:
    source = Path(shutil.copy(official['source'], tmp_path / 'nyu.mat'))
    arguments: dict[str, Any] = {'root': tmp_path / 'out', 'dataset': 'nyuv2-13', 'quiet': True, **official}
    arguments['source'] = source
    convert(**arguments)
    savemat(tmp_path / 'splits.mat', {'trainNdxs': [[1]], 'testNdxs': [[2], [3]]})
    with pytest.raises(FileExistsError, match=r"split \{'train': '1 images, digest of their names"):
        convert(**{**arguments, 'splits': tmp_path / 'splits.mat'})
    savemat(tmp_path / 'classes.mat', {'mapClass': np.full((1, 894), 2, np.uint8)})
    with pytest.raises(FileExistsError, match=r"classes 'table of digest \w+' there, 'table of digest"):
        convert(**{**arguments, 'classes': tmp_path / 'classes.mat'})
    os.utime(source, (0, 0))
    assert convert(**arguments) == {'train': 1, 'val': 2}
    assert convert(**arguments) == {'train': 0, 'val': 0}


def test_to_half_the_size(official: dict[str, Path], tmp_path: Path) -> None:
    """A line of one pixel in an odd column is no nearest neighbour of any pixel."""
    convert(root=tmp_path, dataset='nyud-c', size=(212, 280), quiet=True, **official)
    sample = NYUD(data_root=str(tmp_path), split='val', tasks=TASKS).load_sample(0)
    assert {array.shape[:2] for array in (sample['img'], *sample['gt'].values())} == {(212, 280)}
    middle, boundary = (299 - LEFT) // 2, sample['gt']['boundary']
    assert (boundary.sum(1) == 1).all() and (boundary[:, middle] == 1).all()
    semseg = sample['gt']['semseg'][1:]
    assert (semseg[:, :middle] == 0).all() and (semseg[:, middle + 1 :] == 39).all()
    assert (sample['gt']['depth'] == 2).all()


@pytest.mark.parametrize('dataset', ['nyud-c', 'nyuv2-13'])
def test_a_disk_that_is_too_small(
    official: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str
) -> None:
    monkeypatch.setattr(writing.shutil, 'disk_usage', lambda root: type('Usage', (), {'free': 9000}))
    with pytest.raises(OSError, match=rf'{tmp_path} needs [0-9.]+ [kM]B more, but its disk has 9\.0 kB free'):
        convert(root=tmp_path, dataset=dataset, quiet=True, **official)


def test_to_nyuv2_13(official: dict[str, Path], tmp_path: Path) -> None:
    assert convert(root=tmp_path, dataset='nyuv2-13', quiet=True, **official) == {'train': 1, 'val': 2}
    tasks = {**{key: TASKS[key] for key in ('depth', 'normals')}, 'semseg': {'type': 'SemSeg', 'num_classes': 13}}
    sample = NYUv2(data_root=str(tmp_path), split='val', tasks=tasks).load_sample(1)
    assert sample['sample_id'] == '1_0002' and sample['img'].shape == (288, 384, 3)
    assert (sample['gt']['semseg'][30:, :180] == 11).all() and (sample['gt']['semseg'][30:, 181:] == 6).all()
    assert (sample['gt']['depth'] == 2).all()


def give(folder: Path, size: tuple[int, int], vector: tuple[float, float, float], png: bool = False) -> Path:
    """Normals of the three images: ``vector`` everywhere, but unknown in the first row."""
    folder.mkdir()
    for name in ('0001', '2', '0003'):
        normals = np.broadcast_to(np.float32(vector), (*size, 3)).copy()
        normals[0] = 0
        if png:
            picture = np.clip(np.rint((normals + 1) * 127.5 - 1e-3), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f'{name}.png'), picture[..., ::-1])
        else:
            np.save(folder / f'{name}.npy', normals)
    return folder


@pytest.mark.parametrize('png', [False, True])
@pytest.mark.parametrize('size', [(H, W), (425, 560)])
def test_given_normals(official: dict[str, Path], tmp_path: Path, size: tuple[int, int], png: bool) -> None:
    folder = give(tmp_path / 'normals', size, (0.6, 0, -0.8), png)
    convert(root=tmp_path / 'out', dataset='nyud-c', quiet=True, normals=folder, **official)
    gt = NYUD(data_root=str(tmp_path / 'out'), split='val', tasks=TASKS).load_sample(1)['gt']
    assert gt['normals'][0].any() == (size == (H, W)), 'the first row of the window is unknown'
    np.testing.assert_allclose(gt['normals'][1:], np.broadcast_to([0.6, 0, -0.8], (424, 560, 3)), atol=0.01)
    with pytest.raises(FileExistsError, match=r'normals .* there, None now'):
        convert(root=tmp_path / 'out', dataset='nyud-c', quiet=True, **official)


def test_given_normals_in_other_axes(official: dict[str, Path], tmp_path: Path) -> None:
    folder = give(tmp_path / 'normals', (H, W), (0.6, 0.8, 0))  # forward is the second, turned around
    with pytest.raises(ValueError, match=r'0003\.npy: with the axes R,G,B, .* fit this picture best are'):
        convert(root=tmp_path / 'a', dataset='nyuv2-13', quiet=True, normals=folder, **official)
    convert(root=tmp_path / 'b', dataset='nyuv2-13', quiet=True, normals=folder, normal_axes='R,B,-G', **official)
    dataset = NYUv2(data_root=str(tmp_path / 'b'), split='val', tasks={'normals': TASKS['normals']})
    np.testing.assert_allclose(dataset.load_sample(0)['gt']['normals'][9, 9], [0.6, 0, -0.8], atol=1e-6)


def test_given_normals_that_do_not_fit(official: dict[str, Path], tmp_path: Path) -> None:
    folder = give(tmp_path / 'normals', (40, 50), (0, 0, -1))
    arguments: dict[str, Any] = {'root': tmp_path / 'out', 'quiet': True, 'normals': folder, **official}
    with pytest.raises(ValueError, match=r'npy is 40x50, but the image is 480x640'):
        convert(dataset='nyuv2-13', **arguments)
    np.save(folder / '0003.npy', np.zeros((H, W), np.float32))
    np.save(folder / '2.npy', np.full((H, W, 3), 128, np.uint8))
    with pytest.raises(ValueError, match=r'2\.npy: unit vectors must be floats|0003\.npy: vectors \(H, W, 3\)'):
        convert(dataset='nyuv2-13', **arguments)
    (folder / '2.npy').unlink()
    with pytest.raises(FileNotFoundError, match=r'normals has no normals of the images 2: a file 0007\.npy'):
        convert(dataset='nyud-c', **{**arguments, 'root': tmp_path / 'new'})
    assert not (tmp_path / 'new').exists()


def test_13_of_40_is_the_official_table() -> None:
    if not SHARED.is_dir():
        pytest.skip('no official NYU files here')
    from scipy.io import loadmat

    mapping = loadmat(SHARED / 'class13Mapping.mat')['classMapping13'][0, 0]
    assert nyu_official._TO_13[:40].tolist() == (mapping['labels13'].ravel().astype(int) - 1).tolist()
    assert len(nyu_official._read_classes(SHARED / 'classMapping40.mat')) == 895


@pytest.mark.parametrize(
    ('change', 'complaint'),
    [
        ({'dataset': 'nyud-b'}, "can become nyud-c or nyuv2-13, but not 'nyud-b'"),
        ({'source': 'splits'}, 'is no HDF5 file'),
        ({'source': Path('nowhere.mat')}, 'There is no file nowhere.mat'),
        ({'classes': 'splits'}, "does not hold 'mapClass'"),
        ({'splits': 'classes'}, "classMapping40.mat does not hold 'trainNdxs'"),
    ],
)
def test_wrong_files(official: dict[str, Path], tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    arguments: dict[str, Any] = {'dataset': 'nyud-c', **official}
    arguments |= {key: official.get(value, value) for key, value in change.items()}
    with pytest.raises((ValueError, FileNotFoundError), match=complaint):
        convert(root=tmp_path / 'out', quiet=True, **arguments)
    assert not (tmp_path / 'out').exists()


def test_wrong_axes_are_refused(tmp_path: Path, official: dict[str, Path]) -> None:
    h5py = pytest.importorskip('h5py')
    with h5py.File(tmp_path / 'a.mat', 'w') as file:
        file['images'] = np.zeros((1, H, W, 3), np.uint8)
        for name in ('depths', 'labels', 'instances'):
            file[name] = np.zeros((1, H, W), np.float32)
    with pytest.raises(ValueError, match='has the shapes'):
        convert(root=tmp_path / 'out', dataset='nyud-c', **{**official, 'source': tmp_path / 'a.mat'})


def test_boundaries_of_regions() -> None:
    regions = np.zeros((20, 30), np.int64)
    regions[:, :10], regions[:, 14:] = 1, 2  # a seam of four unlabelled columns
    lines = boundaries_of_regions(regions)
    assert (lines.sum(1) == 1).all() and set(np.flatnonzero(lines.any(0))) <= {10, 11, 12, 13}
    assert not boundaries_of_regions(np.zeros((5, 6), np.int64)).any()


def test_normals_of_rendered_rooms() -> None:
    """Against the exact normals of rooms, whose camera is a pinhole."""
    from mtlbox.datasets.room_scenes import sample_scene

    size = (96, 128)
    room, camera = render_room('val', 3, size), sample_scene('val', 3).camera
    focal = camera.focal(size)
    made = normals_from_depth(room['depth'], (focal, focal), ((size[1] - 1) / 2, (size[0] - 1) / 2), window=3)
    known = made.any(-1)
    angles = np.degrees(np.arccos(np.clip((made * room['normals']).sum(-1), -1, 1)))[known]
    assert known.mean() > 0.5 and np.median(angles) < 1
    assert ((made * room['normals']).sum(-1)[known] > 0).mean() > 0.97
    holes = room['depth'].copy()
    holes[40:44, 60:64] = 0
    assert not normals_from_depth(holes, (focal, focal), (64, 48))[39:45, 59:65].any()
    with pytest.raises(ValueError, match='window must be odd'):
        normals_from_depth(holes, (focal, focal), (64, 48), window=4)


@pytest.mark.skipif(not (SHARED.parent / 'nyu_mini').is_dir(), reason='no real pictures of NYU here')
def test_normals_of_a_real_depth_map_are_near_those_that_others_made() -> None:
    from mtlbox.datasets.layouts.nyu_pictures import NORMAL_AXES, Axes

    folder = SHARED.parent / 'nyu_mini'
    depth = cv2.imread(str(folder / 'depth_mm/0433.png'), cv2.IMREAD_UNCHANGED) / 1000
    picture = cv2.imread(str(folder / 'normal_rgb/0433.png'))[..., ::-1] * (2 / 255) - 1
    theirs = Axes.parse(NORMAL_AXES).read(picture)
    ours = normals_from_depth(depth, nyu_official.FOCAL, nyu_official.CENTRE, window=nyu_official._FIT, jump=0.2)
    known = ours.any(-1) & (np.linalg.norm(theirs, axis=-1) > 0.5)
    cosine = (ours * theirs).sum(-1)[known] / np.linalg.norm(theirs, axis=-1)[known]
    assert np.median(np.degrees(np.arccos(np.clip(cosine, -1, 1)))) < 6
