"""Which pictures are drawn, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mtlbox.datasets.image_file import read_image
from mtlbox.engine.hooks import PictureHook
from mtlbox.structures import MTLDataSample
from mtlbox.tasks import build_tasks

TASKS = build_tasks({'depth': {'type': 'Depth'}})


def draw(hook: PictureHook, folder: Path, ids: Sequence[str]) -> list[str]:
    """What a test of samples with these ids leaves in ``folder``."""
    samples = []
    for name in ids:
        sample = MTLDataSample(metainfo={'sample_id': name, 'ori_shape': (8, 12), 'img_shape': (8, 12)})
        for field in ('gt', 'pred'):
            sample.set_maps(field, {'depth': torch.ones(1, 8, 12)})
        samples.append(sample)
    loader = SimpleNamespace(dataset=SimpleNamespace(metainfo={'palettes': {}}))
    runner = SimpleNamespace(model=SimpleNamespace(tasks=TASKS), work_dir=str(folder), test_dataloader=loader)
    hook.before_test_epoch(runner)
    hook.after_test_iter(runner, 0, {'inputs': torch.zeros(len(ids), 3, 8, 12)}, samples)
    return sorted(path.name for path in (folder / 'pictures' / 'test').glob('*'))


def test_every_sample_has_a_picture_of_its_name(tmp_path: Path) -> None:
    names = draw(PictureHook(num_images=-1), tmp_path, ['scene.1', 'scene.2', 'a/7', 'b/7'])
    assert names == ['a_7.png', 'b_7.png', 'scene.1.png', 'scene.2.png']
    assert read_image(tmp_path / 'pictures' / 'test' / 'a_7.png').ndim == 3


def test_the_first_ones(tmp_path: Path) -> None:
    assert draw(PictureHook(num_images=2), tmp_path, ['a', 'b', 'c']) == ['a.png', 'b.png']


@pytest.mark.parametrize(('num_images', 'drawn'), [(2, []), (-1, ['a.png'])])
def test_another_process_draws_its_own_where_all_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_images: int, drawn: list[str]
) -> None:
    monkeypatch.setattr('mtlbox.engine.hooks.picture_hook.is_main_process', lambda: False)
    assert draw(PictureHook(num_images=num_images), tmp_path, ['a']) == drawn
