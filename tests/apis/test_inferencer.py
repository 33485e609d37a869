"""What the inferencer takes of a config."""

from pathlib import Path

import pytest

from mtlbox.apis.inferencer import _pipeline
from mtlbox.apis.protocols import set_protocols
from mtlbox.config import load_config
from mtlbox.config.tasks import palettes_of
from mtlbox.datasets import NYUD, PASCALContext
from mtlbox.tasks import build_tasks

JOINT = Path(__file__).parents[2] / 'configs/mtformer/mtformer_swin-s_nyud-pascal.py'


def test_of_several_data_sets_the_first_ones_transforms() -> None:
    steps = _pipeline(load_config(JOINT), None).transforms
    assert [type(step).__name__ for step in steps] == ['Resize', 'PackMultiTaskInputs']
    assert steps[0].size == (480, 640)
    assert _pipeline(load_config(JOINT), (32, 64)).transforms[0].size == (32, 64)


def test_classes_have_the_colours_of_the_config_s_data_sets() -> None:
    cfg = load_config(JOINT)
    palettes = palettes_of(cfg, build_tasks(cfg.model.tasks))
    assert palettes['semseg_pascal'] == PASCALContext.METAINFO['palette']['semseg']
    assert palettes['semseg_nyud'] == NYUD.METAINFO['palette']['semseg'] != palettes['semseg_pascal'][:40]


def test_protocols_of_several_data_sets_are_named_by_options() -> None:
    with pytest.raises(ValueError, match=r'change test_evaluator\.evaluators\.NAME by --cfg-options'):
        set_protocols(load_config(JOINT), ['depth=image-mean'])
