from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from mtlbox.apis.protocols import set_protocols
from mtlbox.config import load_config

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.fixture
def cfg() -> Config:
    return load_config(CONFIGS / 'mtl' / 'mtl_hrnet18_nyuv2-13.py')


def protocols(cfg: Config) -> dict[str, str]:
    return {metric.get('prefix', metric['task']): metric['protocol'] for metric in cfg.test_evaluator.metrics}


def test_protocol_is_changed_and_the_baseline_is_looked_for(cfg: Config) -> None:
    cfg.test_evaluator.baseline = 'mine.json'
    set_protocols(cfg, ['depth=image-mean'])
    assert protocols(cfg) == {'semseg': 'pooled-absent-skipped', 'depth': 'image-mean', 'normals': 'arccos'}
    assert cfg.test_evaluator.baseline == 'auto'
    assert [metric['protocol'] for metric in cfg.val_evaluator.metrics][1] == 'pixel-pooled'


def test_a_task_under_several_protocols(cfg: Config) -> None:
    set_protocols(cfg, ['depth=pixel-pooled', 'depth=image-mean', 'depth=pixel-pooled/0-80'])
    found = protocols(cfg)
    assert found['depth'] == 'pixel-pooled' and found['depth_image-mean'] == 'image-mean'
    assert found['depth_pixel-pooled_0-80'] == 'pixel-pooled/0-80'


def test_nothing_asked_changes_nothing(cfg: Config) -> None:
    before = cfg.pretty_text
    set_protocols(cfg, [])
    assert cfg.pretty_text == before


def test_a_forced_baseline_stays(cfg: Config) -> None:
    cfg.test_evaluator.update(baseline='mine.json', force=True)
    set_protocols(cfg, ['depth=image-mean'])
    assert cfg.test_evaluator.baseline == 'mine.json'


def test_a_named_baseline_that_fits_stays(cfg: Config) -> None:
    cfg.test_evaluator.baseline = 'nyuv2-13_hrnet18-small-v2_ctal-paper'
    set_protocols(cfg, ['depth=pixel-pooled', 'depth=image-mean'])
    assert cfg.test_evaluator.baseline == 'nyuv2-13_hrnet18-small-v2_ctal-paper'
    set_protocols(cfg, ['depth=image-mean'])
    assert cfg.test_evaluator.baseline == 'auto'


def test_a_comparison_is_forced_on_the_command_line() -> None:
    options = {'test_evaluator.force': True, 'test_evaluator.baseline': 'nyuv2-13_swinv2-s_ctal-paper'}
    assert load_config(CONFIGS / 'mtl' / 'mtl_hrnet18_rooms.py', options).test_evaluator.force is True


def test_metrics_alone(cfg: Config) -> None:
    cfg.test_evaluator = cfg.test_evaluator.metrics
    set_protocols(cfg, ['depth=image-mean'])
    assert protocols(cfg)['depth'] == 'image-mean' and 'baseline' not in cfg.test_evaluator


@pytest.mark.parametrize(
    ('word', 'message'),
    [
        ('depth', 'expected TASK=PROTOCOL'),
        ('dept=image-mean', "no metric scores 'dept'. Did you mean 'depth'"),
        ('depth=pixel-pooled depth=pixel-pooled/>0', "'depth' is scored under 'pixel-pooled' already"),
        ('depth=atan2', "'atan2' is not a known depth protocol"),
        ('depth=image-men', "'image-men' is not a known depth protocol. Did you mean 'image-mean'"),
    ],
)
def test_bad_words(cfg: Config, word: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        set_protocols(cfg, word.split())
