import dataclasses

import pytest

from mtlbox.evaluation import PROTOCOLS, describe_protocols, get_protocol
from mtlbox.evaluation.functional.depth import POOLINGS
from mtlbox.evaluation.functional.normals import ANGLES
from mtlbox.evaluation.functional.segmentation import ABSENT
from mtlbox.evaluation.protocols import DepthProtocol, NormalsProtocol, SegProtocol


def test_names():
    assert set(PROTOCOLS) == {
        'pooled-absent-zero',
        'pooled-absent-skipped',
        'pixel-pooled',
        'pixel-pooled/0-80',
        'pixel-pooled/0-6.5535',
        'image-mean',
        'image-mean/0-80',
        'image-mean/0-6.5535',
        'atan2',
        'arccos',
    }


def test_fields_are_what_the_functions_take():
    for protocol in PROTOCOLS.values():
        if isinstance(protocol, DepthProtocol):
            assert protocol.pooling in POOLINGS
            assert protocol.name.startswith(protocol.pooling)
        elif isinstance(protocol, SegProtocol):
            assert protocol.absent in ABSENT
        else:
            assert isinstance(protocol, NormalsProtocol)
            assert protocol.angle in ANGLES


def test_alias_is_the_same_protocol():
    assert get_protocol('pixel-pooled/>0') is get_protocol('pixel-pooled')


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        get_protocol('atan2').name = 'other'
    with pytest.raises(TypeError):
        PROTOCOLS['mine'] = get_protocol('atan2')


def test_unknown_names_the_nearest():
    with pytest.raises(ValueError, match=r"'pooled-absent-skip' is not a known protocol.*'pooled-absent-skipped'"):
        get_protocol('pooled-absent-skip')
    with pytest.raises(ValueError, match=r'not a known depth protocol.*NormalsProtocol'):
        get_protocol('atan2', DepthProtocol)


def test_description_has_every_protocol():
    text = describe_protocols()
    for name, protocol in PROTOCOLS.items():
        assert f'`{name}`\n: {protocol.description}' in text
        assert protocol.source in text
