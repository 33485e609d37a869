"""The leaderboard by its tool."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location('leaderboard', ROOT / 'tools' / 'leaderboard.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_format(tool: ModuleType, capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    asked = ['--dataset', 'nyud-40', '--backbone', 'Swin-T', '--sort', 'delta_m', '--no-ablations']
    tool.main(asked)
    assert '| TIF | 32.91 | 76.33 | **47.42** |' in capsys.readouterr().out
    tool.main([*asked, '--format', 'csv'])
    assert next(csv.DictReader(io.StringIO(capsys.readouterr().out)))['method'] == 'TIF'
    tool.main([*asked, '--format', 'json', '--out', str(tmp_path / 'new' / 'table.json')])
    assert json.loads((tmp_path / 'new' / 'table.json').read_text())[0]['dataset'] == 'nyud-40'
    tool.main([*asked, '--format', 'html', '--out', str(tmp_path / 'table.html')])
    assert (tmp_path / 'table.html').read_text().startswith('<!DOCTYPE html>')
    assert capsys.readouterr().out == ''


def test_a_run_is_merged(tool: ModuleType, capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    result = {
        'config': 'mine.py',
        'backbone': 'HRNet-W18-small-v2',
        'data': {'dataset': 'NYUv2', 'split': 'val', 'samples': 654, 'of': 654, 'replica': False},
        'protocols': {'semseg': 'pooled-absent-skipped', 'depth': 'pixel-pooled', 'normals': 'arccos'},
        'scores': {'semseg/mIoU': 60.0, 'depth/relErr': 0.15, 'normals/mErr': 22.0},
    }
    (tmp_path / 'result.json').write_text(json.dumps(result))
    tool.main([str(tmp_path), '--dataset', 'NYUv2', '--format', 'csv', '--no-ablations'])
    (line,) = [x for x in csv.DictReader(io.StringIO(capsys.readouterr().out)) if x['ours'] == 'True']
    assert (line['method'], line['baseline']) == ('mine', 'nyuv2-13_hrnet18-small-v2_ctal-paper')
    assert float(line['delta_m']) == pytest.approx(11.725, abs=0.01)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nowhere'], 'error: there is no nowhere'),
        (['--dataset', 'nyud'], ''),
        (['--dataset', 'nyud-41'], "error: no row has the dataset 'nyud-41'. Did you mean 'nyud-40'"),
        (['--sort', 'mIoU'], "error: no table has a column 'mIoU'"),
        (['--baseline', 'nyud-40_swin-t_demt'], "error: there is no baseline 'nyud-40_swin-t_demt'. Did you mean"),
    ],
)
def test_bad_input_gives_one_clear_error(
    tool: ModuleType, capsys: pytest.CaptureFixture, arguments: list[str], message: str
) -> None:
    if not message:
        tool.main(arguments)
        assert capsys.readouterr().err == ''
        return
    with pytest.raises(SystemExit) as caught:
        tool.main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith(message)
