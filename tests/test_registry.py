import sys
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope
from torch import nn

from mtlbox.models.losses import CrossEntropyLoss
from mtlbox.models.necks import PyramidConcat
from mtlbox.registry import (
    BACKBONES,
    HEADS,
    LOSSES,
    MODELS,
    NECKS,
    REGISTRIES,
    ROLES,
    TASKS,
    WEIGHTINGS,
    UnknownComponentError,
    did_you_mean,
    nearest,
)
from mtlbox.tasks import Depth

SWIN = {
    'type': 'mmpretrain.SwinTransformerV2',
    'arch': {'embed_dims': 12, 'depths': [1, 1], 'num_heads': [1, 1], 'extra_norm_every_n_blocks': 0},
    'img_size': 32,
    'window_size': [4, 4],
    'out_indices': (0, 1),
}


@pytest.fixture(params=['mtlbox', None])
def default_scope(request, monkeypatch):
    """The scope that a Runner sets, and none at all."""
    monkeypatch.setattr(DefaultScope, '_instance_dict', OrderedDict())
    if request.param:
        DefaultScope.get_instance('registry-test', scope_name=request.param)
    current = DefaultScope.get_current_instance()
    assert (current and current.scope_name) == request.param
    return request.param


@pytest.fixture
def forget():
    """Take components out of the registries again."""
    names = []
    yield names.append
    for name in names:
        for registry in (MODELS, *ROLES.values()):
            registry.module_dict.pop(name, None)


class TestRoles:
    @pytest.mark.parametrize('role', list(ROLES))
    def test_lists_its_role_only_and_models_has_all(self, role):
        ROLES[role].import_from_location()
        names = set(ROLES[role].module_dict)
        assert names
        for other, registry in ROLES.items():
            registry.import_from_location()
            assert other == role or not names & set(registry.module_dict)
        for name in names:
            assert MODELS.get(name) is ROLES[role].get(name)

    def test_models_holds_what_has_no_role(self):
        assert MODELS.get('MultiTaskModel').__name__ == 'MultiTaskModel'
        assert all('MultiTaskModel' not in registry.module_dict for registry in ROLES.values())

    def test_decorator_registers_in_both_tables(self, forget, default_scope):
        forget('RegistryTestHead')

        @HEADS.register_module()
        class RegistryTestHead(nn.Identity):
            pass

        assert HEADS.get('RegistryTestHead') is RegistryTestHead
        assert type(HEADS.build({'type': 'RegistryTestHead'})) is RegistryTestHead
        assert type(MODELS.build({'type': 'RegistryTestHead'})) is RegistryTestHead
        with pytest.raises(UnknownComponentError):
            NECKS.get('RegistryTestHead')

    def test_one_name_cannot_be_taken_twice(self, forget):
        forget('RegistryTestTwice')
        LOSSES.register_module(name='RegistryTestTwice', module=nn.Identity)
        with pytest.raises(KeyError, match='RegistryTestTwice'):
            NECKS.register_module(name='RegistryTestTwice', module=nn.Identity)
        assert 'RegistryTestTwice' not in NECKS.module_dict

    def test_own_scope_may_be_written(self, default_scope):
        assert NECKS.get('mtlbox.PyramidConcat') is PyramidConcat
        assert type(NECKS.build({'type': 'mtlbox.PyramidConcat', 'tasks': {}})) is PyramidConcat
        assert type(LOSSES.build({'type': 'CrossEntropyLoss'})) is CrossEntropyLoss


class TestErrors:
    def test_wrong_role_names_the_role_and_the_nearest(self):
        with pytest.raises(UnknownComponentError) as error:
            NECKS.build({'type': 'CrossEntropyLoss'})
        assert "'CrossEntropyLoss' is a registered loss, but a neck is asked for" in str(error.value)
        with pytest.raises(UnknownComponentError, match=r'is a registered loss.*a weighting.*Known: FixedWeighting'):
            WEIGHTINGS.build({'type': 'CosineLoss'})

    @pytest.mark.parametrize('registry', [NECKS, MODELS])
    def test_unknown_name_gives_nearest_and_module(self, registry):
        with pytest.raises(UnknownComponentError) as error:
            registry.build({'type': 'PyramidConcatt'})
        message = str(error.value)
        assert "'PyramidConcat' (in mtlbox.models.necks.pyramid_concat)" in message
        assert 'custom_imports' in message and "imports=['your_package.your_module']" in message
        assert not message.startswith('"')

    def test_nothing_near_lists_what_there_is(self):
        with pytest.raises(UnknownComponentError, match=r'Registered: .*FixedWeighting, UncertaintyWeighting'):
            WEIGHTINGS.build({'type': 'Qqqqqqqq'})

    def test_letter_case_is_near(self):
        with pytest.raises(UnknownComponentError, match="Nearest: 'SemSeg'"):
            TASKS.build({'type': 'semseg', 'key': 'semseg'})

    def test_a_name_of_another_package_is_pointed_to(self):
        pytest.importorskip('mmpretrain')
        with pytest.raises(UnknownComponentError, match=r"write type='mmpretrain\.SwinTransformerV2'"):
            BACKBONES.build({'type': 'SwinTransformerV2'})

    @pytest.mark.parametrize('look_up', [BACKBONES.build, MODELS.build, lambda cfg: BACKBONES.get(cfg['type'])])
    def test_unknown_name_in_another_package_gets_that_packages_neighbours(self, look_up):
        pytest.importorskip('mmpretrain')
        near = r"mmpretrain has no (backbone|model) 'SwinTransfomerV2'\. Did you mean 'SwinTransformerV2'"
        with pytest.raises(UnknownComponentError, match=near):
            look_up({'type': 'mmpretrain.SwinTransfomerV2'})

    def test_nearest(self):
        assert nearest('DEPHT', ['Depth', 'Normals']) == ['Depth']
        assert did_you_mean('depht', ['depth', 'normals']) == " Did you mean 'depth'?"
        assert did_you_mean('xyz', ['depth', 'normals']) == ' Known: depth, normals.'
        assert did_you_mean('xyz', []) == ''


class TestForeign:
    @pytest.fixture(autouse=True)
    def mmpretrain(self):
        return pytest.importorskip('mmpretrain')

    @pytest.mark.parametrize('registry', [BACKBONES, MODELS])
    def test_backbone_builds(self, registry, default_scope):
        swin = registry.build(SWIN)
        assert type(swin).__module__.startswith('mmpretrain.')
        outputs = swin(torch.zeros(1, 3, 32, 32))
        assert [tuple(out.shape) for out in outputs] == [(1, 12, 8, 8), (1, 24, 4, 4)]

    @pytest.mark.parametrize('registry', [HEADS, MODELS])
    def test_nested_parts_stay_foreign(self, registry, default_scope):
        head = registry.build(
            {
                'type': 'mmpretrain.LinearClsHead',
                'num_classes': 2,
                'in_channels': 3,
                'loss': {'type': 'CrossEntropyLoss', 'loss_weight': 0.25},
            }
        )
        assert type(head.loss_module).__module__.startswith('mmpretrain.')
        assert head.loss_module.loss_weight == 0.25

    def test_the_config_is_left_as_it_was(self):
        config = dict(SWIN)
        BACKBONES.build(config)
        assert config == SWIN

    def test_what_is_no_module_is_refused_in_a_role(self, mmpretrain):
        class RegistryTestNoModule:
            pass

        table = mmpretrain.registry.MODELS
        table.register_module(module=RegistryTestNoModule)
        try:
            with pytest.raises(TypeError, match='asked for as a backbone, but it builds a RegistryTestNoModule'):
                BACKBONES.build({'type': 'mmpretrain.RegistryTestNoModule'})
        finally:
            del table.module_dict['RegistryTestNoModule']


class TestListComponents:
    @pytest.fixture
    def main(self, monkeypatch):
        monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / 'tools'))
        monkeypatch.delitem(sys.modules, 'list_components', raising=False)
        import list_components

        return list_components.main

    def test_one_role(self, main, capsys):
        main(['tasks'])
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f'tasks ({len(lines) - 1})'
        depth = next(line for line in lines if line.split()[0] == 'Depth')
        assert depth.endswith((Depth.__doc__ or '').split('\n')[0])

    def test_all_roles_with_a_line_each(self, main, capsys):
        main([])
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines if not line.startswith(' ')] == list(REGISTRIES)
        own = [line for line in lines if line.startswith('  ')]
        assert all(len(line.split()) > 2 for line in own), [line for line in own if len(line.split()) <= 2]

    def test_unknown_role(self, main, capsys):
        with pytest.raises(SystemExit) as caught:
            main(['taks'])
        assert caught.value.code == 2
        assert "no role 'taks'. Did you mean 'tasks'" in capsys.readouterr().err
