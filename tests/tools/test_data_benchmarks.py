"""The benchmarks of storing and of starting run and print what the docs quote."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(name: str, *arguments: str) -> None:
    spec = importlib.util.spec_from_file_location(name, ROOT / 'tools' / 'benchmarks' / f'{name}.py')
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # its processes look there
    spec.loader.exec_module(module)
    module.main(arguments)


def test_storage(capsys: pytest.CaptureFixture[str]) -> None:
    run('storage', '--size', '16', '24', '--samples', '2', '--rounds', '1')
    rows = dict(re.findall(r'^([^\n]*?[a-z]) {2,}(\d+) +\d+ +\d+ +\d+$', capsys.readouterr().out, flags=re.MULTILINE))
    assert {'nyud-c: png, depth npy', 'arrays: npy, normals 16 bit', 'tar shard of the last'} <= rows.keys()
    assert all(int(size) > 0 for size in rows.values())


def test_memory_of_what_goes_through_all_files(capsys: pytest.CaptureFixture[str]) -> None:
    run('startup', '--memory', '--samples', '8')
    said = capsys.readouterr().out.splitlines()
    assert said[0] == '| MB at the peak | 2 samples | 8 samples |'
    assert [line.split(' | ')[0] for line in said[2:]] == [
        '| missing pictures',
        '| sources of a conversion',
        '| hashes of a conversion',
    ]


def test_startup(capsys: pytest.CaptureFixture[str]) -> None:
    run('startup', '--samples', '3', '--repeats', '1')
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(':')[0] for line in said] == [
        'no look (check=False)',
        'a look at every file',
        'the verdict stands',
    ]
