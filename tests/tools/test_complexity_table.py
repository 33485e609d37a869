"""The table in docs/complexity_and_speed.md is what the configs give, and the published figures are near."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location('complexity_table', ROOT / 'tools/analysis_tools/complexity_table.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_page_is_not_stale(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tool.content()
    monkeypatch.setattr(tool, 'content', lambda: table)
    assert tool.main(['--check']) == 0, capsys.readouterr().err
    stale = tmp_path / 'page.md'
    shutil.copy(tool.PAGE, stale)
    stale.write_text(stale.read_text().replace('| MTL | 4.086 M |', '| MTL | 4.087 M |'))
    monkeypatch.setattr(tool, 'PAGE', stale)
    assert tool.main(['--check']) == 1
    assert 'is stale' in capsys.readouterr().err
    assert tool.main([]) == 0
    assert stale.read_text() == (ROOT / 'docs/complexity_and_speed.md').read_text()


def test_published_figures_are_near_those_of_the_page(tool: ModuleType) -> None:
    """Relative sizes to the last digit printed; MACs, of which the papers' tools count a little more, within 4 %."""
    page = tool.PAGE.read_text()
    compared = 0
    for line in page[page.index('<!-- complexity table') : page.index('<!-- /complexity table')].splitlines():
        cells = [cell.strip() for cell in line.strip('|').split('|')]
        if len(cells) == len(tool.HEAD) and cells[0] in tool.METHODS.values():
            for ours, published, tolerance in ((cells[2], cells[3], 0.0011), (cells[4], cells[5], None)):
                if published:
                    margin = tolerance or 0.04 * float(published)
                    assert float(ours) == pytest.approx(float(published), abs=margin), line
                    compared += 1
    assert compared == 7 + 6


def test_every_method_has_a_config_and_a_row(tool: ModuleType) -> None:
    for dataset in (*tool.DATASETS, 'rooms'):
        for method in tool.METHODS:
            assert (ROOT / tool.metadata()[f'{method}_hrnet18_{dataset}']['Config']).is_file()
