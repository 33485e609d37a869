from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mtlbox.datasets.layouts import LAYOUTS
from mtlbox.datasets.layouts.replica import write_replica

TOOL = Path(__file__).parents[2] / 'tools' / 'benchmarks' / 'dataloader.py'
SIZE = (24, 32)


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location('dataloader_benchmark', TOOL)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('layout', ['nyuv2-13', 'nyud-c'])
def test_the_reference_reads_the_same(tool: ModuleType, layout: str, tmp_path: Path) -> None:
    write_replica(layout, tmp_path, counts={'train': 1, 'val': 1}, size=SIZE, quiet=True)
    dataset = tool.build(LAYOUTS[layout], str(tmp_path), 'read', SIZE, LAYOUTS[layout].options)
    ours, plain = dataset[0], tool.Reference(dataset, SIZE, 'read')(0)
    image = plain['image'].numpy() * tool.STD[:, None, None] + tool.MEAN[:, None, None]
    np.testing.assert_allclose(ours['inputs'].numpy(), image, atol=1e-3)
    gt = ours['data_samples'].gt
    np.testing.assert_array_equal(gt.depth.data.numpy().ravel(), plain['depth'].numpy().ravel())
    known = gt.normals.data.numpy().any(0)
    np.testing.assert_allclose(gt.normals.data.numpy()[:, known], plain['normals'].numpy()[:, known], atol=0.02)


def test_the_reference_makes_the_same_of_other_maps(tool: ModuleType, tmp_path: Path) -> None:
    size = (45, 149)  # of the shape of its pictures, so that both focal lengths are one
    write_replica('vkitti2-joint', tmp_path, counts={'train': 1, 'val': 1}, size=size, quiet=True)
    dataset = tool.build(LAYOUTS['vkitti2-joint'], str(tmp_path), 'read', size, {'layout': 'vkitti2-joint'})
    gt, plain = dataset[0]['data_samples'].gt, tool.Reference(dataset, size, 'read')(0)
    np.testing.assert_array_equal(gt.semseg.data.numpy(), plain['semseg'].numpy())
    assert len(gt.semseg.data.unique()) > 3
    depth = dataset.load_sample(0)['gt']['depth'] * 100
    focal = 725.0087 * size[1] / 1242
    normals = tool.normals_plainly(depth, focal)
    ours = gt.normals.data.numpy().transpose(1, 2, 0)
    known = ours.any(-1)
    assert np.median(np.degrees(np.arccos(np.clip((ours * normals).sum(-1)[known], -1, 1)))) < 2


@pytest.mark.parametrize('name', ['pascal', 'pascal-arrays'])
def test_all_pipelines_are_timed(tool: ModuleType, name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    page = tmp_path / 'page.md'
    page.write_text('A\n<!-- input-pipeline -->\nold\n<!-- /input-pipeline -->\nB\n')
    command = [name, '--images', '2', '--passes', '1', '--size', *map(str, SIZE), '--json']
    tool.main([*command, '--update', str(page)])
    rows = json.loads(capsys.readouterr().out)
    assert [(row['layout'], row['pipeline'], row['height'], row['width']) for row in rows] == [
        (name, pipeline, *SIZE) for pipeline in ('read', 'train', 'loader')
    ]
    assert all(row['ours'] > 0 and row['reference'] > 0 and row['decoded'] > row['ours'] for row in rows)
    assert page.read_text() == (
        f'A\n<!-- input-pipeline -->\n{tool.table(rows, speeds=False)}\n<!-- /input-pipeline -->\nB\n'
    )
    known = [{**rows[0], 'layout': 'pascal', 'ours': 30.0, 'reference': 20.0, 'decoded': 40.0}]
    assert tool.table(known).splitlines()[2] == '| pascal | 24x32 | read | 30 | 20 | 40 | 1.50 | 2.00 |'
    assert tool.table(known, speeds=False).splitlines()[2] == '| pascal | 24x32 | read | 1.50 | 2.00 |'
    page.write_text('no marks')
    with pytest.raises(SystemExit):
        tool.main([*command, '--update', str(page)])
    assert 'page.md must hold <!-- input-pipeline -->' in capsys.readouterr().err


def test_table_of_memory(tool: ModuleType) -> None:
    names = {'way': 'names', 'peak': 65.4, 'held': 41, 'forked': -0.1, 'spawned': 34}
    lines = tool.memory_table([names, {'way': 'order', 'peak': 12, 'held': 4}]).splitlines()
    assert lines[2:] == ['| names | 65 | 41 | 0 | 34 |', '| order | 12 | 4 | - | - |']


def test_a_delivered_sample_takes_what_its_worker_does(tool: ModuleType) -> None:
    def work(index: int) -> int:
        end = tool.time.process_time() + 0.01
        while tool.time.process_time() < end:
            pass
        return int(index)

    speed = tool.measure_delivered({'ours': work, 'reference': lambda index: None}, images=5, passes=3)
    assert 50 < speed['ours'] < 100 < 3 * speed['ours'] < speed['reference']


def test_an_unknown_layout(tool: ModuleType, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        tool.main(['nyu'])
    assert "there is no layout 'nyu'; known are nyuv2-13" in capsys.readouterr().err


@pytest.mark.slow
def test_memory_of_the_list() -> None:
    command = [sys.executable, str(TOOL), '--memory', '--samples', '20000', '--json']
    rows = {row['way']: row for row in json.loads(subprocess.check_output(command))}
    assert rows['dicts']['forked'] > 300  # MB a million: whoever counts references copies the pages
    assert rows['block']['forked'] < 100 < rows['block']['spawned']
    for way in ('names', 'few labels'):
        assert rows[way]['forked'] < 100 and rows[way]['spawned'] < 150
    assert set(rows['order of an epoch']) == {'way', 'peak', 'held'}
