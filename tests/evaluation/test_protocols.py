import dataclasses

import pytest

from mtlbox.evaluation import PROTOCOLS, Protocol, canonical_name, describe_protocols, get_protocol
from mtlbox.evaluation.functional._arrays import POOLINGS
from mtlbox.evaluation.functional.normals import ANGLES
from mtlbox.evaluation.functional.segmentation import ABSENT
from mtlbox.evaluation.protocols import BoundaryProtocol, DepthProtocol, NormalsProtocol, SaliencyProtocol
from mtlbox.registry import METRICS

ALL = [protocol for protocols in PROTOCOLS.values() for protocol in protocols.values()]


def test_names():
    assert {kind: set(protocols) for kind, protocols in PROTOCOLS.items()} == {
        'segmentation': {
            'pooled-absent-zero',
            'pooled-absent-skipped',
            'persons-absent-zero',
            'persons-absent-skipped',
        },
        'depth': {
            'pixel-pooled',
            'pixel-pooled/0-80',
            'pixel-pooled/0-6.5535',
            'image-mean',
            'image-mean/0-80',
            'image-mean/0-6.5535',
        },
        'normals': {'atan2', 'arccos'},
        'saliency': {'astmt', 'atrc', 'invpt'},
        'boundary': {
            'bsds',
            *('astmt', 'survey', 'invpt', 'mtdp'),
            *('astmt/nyud', 'survey/nyud', 'invpt/nyud', 'mtdp/nyud'),
        },
        'boundary loss': {'ctal-edge-loss', 'ctal-edge-loss/0.95'},
        'edge': {'vtagml'},
    }


def test_fields_are_what_the_functions_take():
    for protocol in PROTOCOLS['depth'].values():
        assert protocol.pooling in POOLINGS
        assert protocol.name.startswith(protocol.pooling)
    for protocol in PROTOCOLS['segmentation'].values():
        assert protocol.absent in ABSENT
        assert protocol.name.startswith('persons') == protocol.needs_foreground
    assert {protocol.angle for protocol in PROTOCOLS['normals'].values()} == set(ANGLES)
    for protocol in [*PROTOCOLS['boundary'].values(), *PROTOCOLS['saliency'].values()]:
        assert list(protocol.thresholds) == sorted(set(protocol.thresholds))
        assert 0 <= protocol.thresholds[0] < protocol.thresholds[-1] <= 1
    assert PROTOCOLS['saliency']['invpt'].thresholds == pytest.approx((0, 0.201, 0.406, 0.619, 0.847), abs=1e-3)


def test_maximum_distances_and_thresholds_of_boundaries():
    for name, protocol in PROTOCOLS['boundary'].items():
        assert protocol.max_distance == (0.011 if name.endswith('/nyud') else 0.0075)
        assert len(protocol.thresholds) == (101 if name.startswith(('astmt', 'invpt')) else 99)


def test_each_kind_is_taken_by_its_metric():
    for protocol in ALL:
        metric = METRICS.get(protocol.metric)
        assert metric.protocol_class is type(protocol)
        assert (
            METRICS.build({'type': protocol.metric, 'task': 'x', 'protocol': protocol.name}).protocol == protocol.name
        )


def test_alias_is_the_same_protocol():
    assert get_protocol('pixel-pooled/>0', DepthProtocol) is get_protocol('pixel-pooled', DepthProtocol)
    assert canonical_name('pixel-pooled/>0') == 'pixel-pooled'


def test_one_name_of_two_kinds():
    assert get_protocol('invpt', SaliencyProtocol) is not get_protocol('invpt', BoundaryProtocol)
    assert canonical_name('invpt') == 'invpt'


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        get_protocol('atan2', NormalsProtocol).name = 'other'
    with pytest.raises(TypeError):
        PROTOCOLS['depth']['mine'] = get_protocol('atan2', NormalsProtocol)


def test_unknown_names_the_nearest():
    with pytest.raises(ValueError, match=r"'pooled-absent-skip' is not a known protocol.*'pooled-absent-skipped'"):
        canonical_name('pooled-absent-skip')
    with pytest.raises(ValueError, match=r'not a known depth protocol.*NormalsProtocol'):
        get_protocol('atan2', DepthProtocol)


def test_every_protocol_is_described_in_one_paragraph():
    text = describe_protocols()
    for protocol in ALL:
        assert f'`{protocol.name}`\n: {protocol.description}' in text
        assert protocol.source in text
        assert '\n' not in protocol.description and protocol.description.endswith('.')
    for kind in PROTOCOLS:
        assert f'### {kind.capitalize()} (`' in text


def test_kinds_are_named():
    for kind in Protocol.__subclasses__():
        assert kind.kind in PROTOCOLS
