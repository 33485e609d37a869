"""The benchmark of layouts: both sides of each ratio compute the same. Figures themselves are no matter of a test."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

FOLDER = Path(__file__).parents[2] / 'tools/benchmarks'


@pytest.fixture(scope='module')
def tool() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        spec = importlib.util.spec_from_file_location('layout_benchmark', FOLDER / 'layout.py')
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
        sys.modules.pop('models', None)


def test_batched_branches_are_those_of_the_loop(tool: ModuleType) -> None:
    cases = tool.branch_cases(tool.parse_args(['--size', '16', '32', '--tasks', '3']))
    assert len(cases) > 3
    for passes, functions, inputs, weights in cases.values():
        (one, other) = (function(inputs, weights) for function in functions)
        assert len(one) == 3
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)
        gradients = []
        for run in passes.values():
            for weight in weights:
                weight.grad = None
            run()
            gradients.append([weight.grad for weight in weights])
        torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-4)


def test_both_tables(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    options = ['--size', '32', '32', '--batch', '2', '--repeats', '1', '--seconds', '0']
    assert tool.main(['mtl/mtl_hrnet18_rooms', *options]) == 0
    first, second = capsys.readouterr().out.strip().split('\n\n')
    cells = [cell.strip() for cell in first.splitlines()[-1].strip('|').split('|')]
    assert cells[0] == '`mtl/mtl_hrnet18_rooms`' and len(cells) == 5
    assert all(float(cell) > 0 for cell in cells[1:])
    assert len(second.splitlines()) == 2 + len(tool.branch_cases(tool.parse_args(options)))


def test_layouts_give_the_same(tool: ModuleType) -> None:
    """NHWC is another order in memory, not another function, and really that of the images and weights."""
    args = tool.parse_args(['--size', '32', '32'])
    seen: dict[str, list] = {'inputs': [], 'weights': []}

    def note(module: torch.nn.Module, inputs: tuple) -> None:
        if isinstance(module, torch.nn.Conv2d) and module.weight.shape[2:] == (3, 3) and module.groups == 1:
            seen['inputs'].append(inputs[0].is_contiguous(memory_format=torch.channels_last))
            seen['weights'].append(module.weight.is_contiguous(memory_format=torch.channels_last))

    handle = torch.nn.modules.module.register_module_forward_pre_hook(note)
    try:
        first = []
        for run in tool.layout_passes('mtl/mtl_hrnet18_rooms', args)['forward'].values():
            seen['inputs'].clear()
            seen['weights'].clear()
            run()
            first.append((seen['inputs'][1], seen['weights'][1]))
    finally:
        handle.remove()
    assert first == [(False, False), (True, False), (True, True)]
