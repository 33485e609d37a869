import importlib.util
import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from mtlbox.evaluation import find_baselines, list_baselines, load_baseline, published_baselines, write_baseline
from mtlbox.evaluation.delta_m import FOLDER, named_or_auto
from mtlbox.evaluation.functional import delta_m

RESULT = {
    'scores': {
        'semseg/mIoU': 40.0,
        'semseg/pixAcc': 70.0,
        'depth/rmse': 0.5,
        'human_parts/mIoU': math.nan,
        'delta_m': 1.0,
        'time': 3.0,
    },
    'protocols': {
        'semseg': 'pooled-absent-zero',
        'depth': 'pixel-pooled/>0',
        'human_parts': 'pooled-absent-zero',
    },
    'config': 'configs/stl/stl.py',
    'model': 'STL',
    'commit': 'abc123',
    'seed': 7,
}


@pytest.fixture
def result(tmp_path):
    path = tmp_path / 'result.json'
    path.write_text(json.dumps(RESULT))
    return path


@pytest.mark.parametrize('name', list_baselines())
def test_shipped_baselines_load(name):
    baseline = load_baseline(name)
    assert baseline.name == name
    assert baseline.source


def test_ctal_table_1():
    baseline = load_baseline('nyuv2-13_hrnet18-small-v2_ctal-paper')
    assert baseline.scores == {'semseg': {'mIoU': 49.23}, 'depth': {'relErr': 0.1636}, 'normals': {'mErr': 23.15}}
    assert baseline.protocols['semseg'] == 'pooled-absent-skipped'
    assert load_baseline('nyuv2-13_swinv2-s_ctal-paper').scores['semseg']['mIoU'] == 55.78


def test_published_baselines_are_the_single_task_rows():
    assert len(published_baselines()) > 10
    baseline = load_baseline('nyud-40_swin-t_demt-paper')
    assert (baseline.dataset, baseline.backbone) == ('nyud-40', 'Swin-T')
    assert baseline.scores == {
        'semseg': {'mIoU': 42.92},
        'depth': {'rmse': 0.6104},
        'normals': {'mErr': 20.94},
        'boundary': {'odsF': 76.22},
    }
    assert 'DeMT' in baseline.source and 'Typo suspected' in baseline.source


def test_a_file_of_a_published_name_has_the_published_numbers():
    """A baseline that stands as a row and as a file: the file should go."""
    for path in FOLDER.glob('*.json'):
        if path.stem in published_baselines():
            content, row = json.loads(path.read_text()), published_baselines()[path.stem]
            assert (content['scores'], content['protocols']) == (row.scores, row.protocols)


@pytest.mark.parametrize(
    ('dataset', 'backbone', 'protocols', 'names'),
    [
        (
            'NYUv2',
            'hrnet18',
            {'semseg': 'pooled-absent-skipped', 'depth': 'pixel-pooled'},
            ['nyuv2-13_hrnet18-small-v2_ctal-paper'],
        ),
        ('NYUv2', 'hrnet18', {'semseg': 'pooled-absent-zero'}, []),
        ('NYUv2', 'ViT-B', {'semseg': 'pooled-absent-skipped'}, []),
        ('NYUv2', 'hrnet18', {'semseg': 'pooled-absent-skipped', 'boundary': 'bsds'}, []),
        (
            'nyud-40',
            'Swin-S',
            {'semseg': 'pooled-absent-zero'},
            ['nyud-40_swin-s_demt-paper', 'nyud-40_swin-s_mtformer-paper'],
        ),
    ],
)
def test_find(dataset, backbone, protocols, names):
    assert [baseline.name for baseline in find_baselines(dataset, backbone, protocols)] == names


@pytest.mark.parametrize('config', ['ctal_hrnet18_cityscapes', 'ctal-ms_hrnet18_cityscapes'])
def test_gains_on_cityscapes_follow_from_the_baseline_and_the_metafile(config):
    baseline = load_baseline('cityscapes-mtan_hrnet18-small-v2_ctal-paper')
    assert baseline.protocols == {'semseg': 'pooled-absent-skipped', 'disparity': 'pixel-pooled'}
    metafile = yaml.safe_load((Path(__file__).parents[2] / 'configs/ctal/metafile.yml').read_text())
    (model,) = (model for model in metafile['Models'] if model['Name'] == config)
    row = {name: value for result in model['Results'] for name, value in result['Metrics'].items()}
    gain = delta_m(
        {'semseg': row['mIoU'], 'disparity': row['relErr']},
        {'semseg': baseline.scores['semseg']['mIoU'], 'disparity': baseline.scores['disparity']['relErr']},
        {'semseg': True, 'disparity': False},
    )
    assert gain == pytest.approx(row['delta_m'], abs=0.01)


def test_missing_says_what_is_near_and_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'nyuv2-13_swinv2-s_ctal-paper'.*make_baseline\.py"):
        load_baseline('nyuv2-13_swinv2-s_ctal')
    with pytest.raises(FileNotFoundError, match=r'mine.json'):
        load_baseline(str(tmp_path / 'mine.json'))


def test_round_trip(tmp_path, result):
    path = tmp_path / 'new' / 'rooms.json'
    written = write_baseline(path, result, name='rooms', backbone='HRNet', dataset='rooms')
    assert load_baseline(str(path)) == written
    assert written.scores == {
        'semseg': {'mIoU': 40.0, 'pixAcc': 70.0},
        'depth': {'rmse': 0.5},
    }  # no NaN, no foreign key
    assert written.protocols == {'semseg': 'pooled-absent-zero', 'depth': 'pixel-pooled'}
    assert written.source == 'config configs/stl/stl.py, commit abc123, seed 7'


def test_result_that_lacks_something(tmp_path, result):
    with pytest.raises(ValueError, match=r'result.json has no backbone \(give it as an argument\), dataset'):
        write_baseline(tmp_path / 'b.json', result, name='b')
    result.write_text('{"scores": {}, "model": "STL"}')
    with pytest.raises(ValueError, match=r'has no scores, protocols'):
        write_baseline(tmp_path / 'b.json', result, name='b', backbone='x', dataset='y')
    with pytest.raises(ValueError, match=r'must end in .json'):
        write_baseline(tmp_path / 'b.yml', result, name='b', backbone='x', dataset='y')


def test_data_set_is_the_results(tmp_path, result):
    content = json.loads(result.read_text())
    result.write_text(json.dumps(content | {'data': {'dataset': 'Rooms', 'replica': False}}))
    assert write_baseline(tmp_path / 'b.json', result, name='b', backbone='x').dataset == 'Rooms'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'data': {'dataset': 'NYUv2', 'samples': 10, 'of': 654}}, 'scores 10 samples of 654: a part is no baseline'),
        ({'model': 'MultiTaskModel'}, 'is of a MultiTaskModel, but a baseline is of single-task networks'),
        ({'model': None}, r'does not say of which model it is, .* \(--single-task\)'),
        ({'model': 3}, 'model must be a text, but is 3'),
        ({'data': {'dataset': 'NYUv2', 'split': 'train'}}, "scores the split 'train', on which networks are trained"),
        ({'data': 'NYUv2'}, "data must be keys and values, but is 'NYUv2'"),
        ({'data': {'replica': True}}, 'is of a replica .* no baseline of the data set'),
        ({'data': {'dataset': 'NYUv2'}}, "is of the dataset 'NYUv2', but 'rooms' is given"),
        ({'backbone': 'Swin-T'}, "is of the backbone 'Swin-T', but 'HRNet18' is given"),
        ({'protocols': {'depth': ['x']}}, r"protocols.depth: \['x'\] is not a known protocol"),
    ],
)
def test_what_makes_no_baseline(tmp_path, result, change, message):
    result.write_text(json.dumps(json.loads(result.read_text()) | change))
    with pytest.raises(ValueError, match=message) as error:
        write_baseline(tmp_path / 'b.json', result, name='b', backbone='HRNet18', dataset='rooms')
    assert str(result) in str(error.value) and not (tmp_path / 'b.json').exists()


@pytest.mark.parametrize('text', ['[]', '3', 'null', '"x"', '{'])
def test_what_is_no_result(tmp_path, result, text):
    result.write_text(text)
    with pytest.raises(ValueError, match=r'result\.json (holds|is not valid JSON)'):
        write_baseline(tmp_path / 'b.json', result, name='b')


def test_what_the_result_says_may_be_said_again(tmp_path, result):
    content = json.loads(result.read_text()) | {'data': {'dataset': 'NYUv2'}, 'backbone': 'HRNet-W18-small-v2'}
    result.write_text(json.dumps(content | {'model': None}))
    path = tmp_path / 'b.json'
    written = write_baseline(path, result, name='b', backbone='hrnet18', dataset='nyuv2-13', single_task=True)
    assert (written.backbone, written.dataset) == ('hrnet18', 'nyuv2-13')


def test_a_name_of_a_shipped_baseline_is_taken(tmp_path, result):
    with pytest.raises(ValueError, match='is the name of a baseline that mtlbox ships'):
        write_baseline(tmp_path / 'b.json', result, name=list_baselines()[0], backbone='x', dataset='y')


def test_scores_of_zero_make_no_baseline(tmp_path, result):
    content = json.loads(result.read_text())
    result.write_text(json.dumps(content | {'scores': content['scores'] | {'semseg/mIoU': 0.0, 'depth/rmse': 10**400}}))
    written = write_baseline(tmp_path / 'b.json', result, name='b', backbone='x', dataset='y')
    assert written.scores == {'semseg': {'pixAcc': 70.0}}


@pytest.mark.parametrize(
    ('name', 'protocols', 'backbone', 'expected', 'message'),
    [
        (None, {}, None, None, ''),
        ('auto', {'depth': 'image-mean'}, 'Swin-T', 'auto', ''),
        ('mine', {'depth': 'pixel-pooled/>0', 'saliency': 'astmt'}, 'hrnet18', 'mine', ''),
        ('mine', {'depth': 'image-mean'}, None, 'auto', "was made under protocol 'pixel-pooled' for 'depth'"),
        ('mine', {}, 'Swin-T', 'auto', 'has the backbone HRNet18, not Swin-T'),
        ('other', {}, None, 'auto', 'is not there'),
    ],
)
def test_a_named_baseline_is_kept_where_it_fits(
    tmp_path, result, monkeypatch, name, protocols, backbone, expected, message
):
    logged = []
    monkeypatch.setattr('mtlbox.evaluation.delta_m.print_log', lambda text, **_: logged.append(text))
    write_baseline(tmp_path / 'mine.json', result, name='mine', backbone='HRNet18', dataset='rooms')
    path = {'mine': str(tmp_path / 'mine.json'), 'other': str(tmp_path / 'other.json')}
    found = named_or_auto(path.get(name, name), protocols, backbone)
    assert found == path.get(expected, expected)
    assert len(logged) == bool(message) and all(message in text for text in logged)


def test_a_baseline_is_of_data_of_one_size(tmp_path, result):
    content = json.loads(result.read_text())
    data = {'dataset': 'RoomsDataset', 'split': 'val', 'samples': 8, 'of': None, 'setting': '8 scenes at 48x64'}
    result.write_text(json.dumps(content | {'data': data}))
    path = tmp_path / 'rooms.json'
    assert write_baseline(path, result, name='rooms', backbone='HRNet18').setting == '8 scenes at 48x64'
    assert load_baseline(str(path)).setting == '8 scenes at 48x64'


def test_a_replica_makes_no_baseline(tmp_path, result):
    content = json.loads(result.read_text())
    result.write_text(json.dumps(content | {'data': {'dataset': 'NYUv2', 'replica': True}}))
    with pytest.raises(ValueError, match=r'is of a replica .* no baseline of NYUv2'):
        write_baseline(tmp_path / 'b.json', result, name='b', backbone='x')
    assert not (tmp_path / 'b.json').exists()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'backbon': 'x'}, "unknown key 'backbon'. Did you mean 'backbone'"),
        ({'source': ''}, "key 'source' must be a non-empty str"),
        ({'protocols': {'semseg': 'pooled-absent-skiped'}}, 'expected the same tasks'),
        (
            {'protocols': {'semseg': 'pooled-absent-skiped', 'depth': 'pixel-pooled', 'normals': 'arccos'}},
            "protocols.semseg: 'pooled-absent-skiped' is not a known protocol. Did you mean 'pooled-absent-skipped'",
        ),
        ({'scores': {'semseg': {'mIoU': '49'}, 'depth': {'relErr': 1}, 'normals': {'mErr': 1}}}, 'scores.semseg.mIoU'),
        (
            {'scores': {'semseg': {'mIoU': 0}, 'depth': {'relErr': 1}, 'normals': {'mErr': 1}}},
            'mIoU must be .* above 0',
        ),
        (
            {'scores': {'semseg': {'mIoU': 10**400}, 'depth': {'relErr': 1}, 'normals': {'mErr': 1}}},
            'scores.semseg.mIoU must be a finite number',
        ),
        (
            {'scores': {'semseg': {'miou': 1}, 'depth': {'relErr': 1}, 'normals': {'mErr': 1}}},
            "scores.semseg: the protocol 'pooled-absent-skipped' has no score 'miou'. Did you mean 'mIoU'",
        ),
        (
            {'protocols': {'semseg': 'pooled-absent-skipped', 'depth': 'atan2', 'normals': 'arccos'}},
            "protocols.depth is 'atan2', by which 'depth' cannot be scored: it reads maps of 3 channels, and those of "
            'a Depth have 1. It can by image-mean, .*pixel-pooled',
        ),
        (
            {
                'scores': {'semseg': {'mIoU': 1}, 'depth': {'mErr': 20.0}, 'normals': {'mErr': 1}},
                'protocols': {'semseg': 'pooled-absent-skipped', 'depth': 'atan2', 'normals': 'arccos'},
            },
            "protocols.depth is 'atan2', by which 'depth' cannot be scored",
        ),
        (
            {'protocols': {'semseg': 'pixel-pooled', 'depth': 'pixel-pooled', 'normals': 'arccos'}},
            "protocols.semseg is 'pixel-pooled', .*: it reads quantities",
        ),
        (
            {
                'scores': {'far': {'rmse': 1}, 'depth': {'mErr': 1}},
                'protocols': {'far': 'atan2', 'depth': 'pixel-pooled'},
            },
            "scores.depth: the protocol 'pixel-pooled' has no score 'mErr'",
        ),
        (
            {'protocols': {'semseg': 'pooled-absent-skipped', 'depth': ['x'], 'normals': 'arccos'}},
            r"protocols.depth: \['x'\] is not a known protocol",
        ),
        ({'scores': {'semseg': 49.2, 'depth': {'relErr': 1}, 'normals': {'mErr': 1}}}, 'scores.semseg must map'),
    ],
)
def test_bad_files(tmp_path, change, message):
    content = asdict(load_baseline('nyuv2-13_swinv2-s_ctal-paper'))
    path = tmp_path / 'bad.json'
    path.write_text(json.dumps(content | change))
    with pytest.raises(ValueError, match=message) as error:
        load_baseline(str(path))
    assert str(path) in str(error.value)


def test_no_json(tmp_path):
    path = tmp_path / 'bad.json'
    path.write_text('{"name": ')
    with pytest.raises(ValueError, match=r'bad.json is not valid JSON'):
        load_baseline(str(path))
    path.write_text('[]')
    with pytest.raises(ValueError, match=r'expected a JSON object'):
        load_baseline(str(path))


def test_tool(result, capsys):
    path = Path(__file__).parents[2] / 'tools' / 'analysis_tools' / 'make_baseline.py'
    spec = importlib.util.spec_from_file_location('make_baseline', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    command = [str(result), 'rooms-stl']
    assert tool.main(command) == 1
    assert 'has no backbone' in capsys.readouterr().err
    assert tool.main([*command, '--backbone', 'HRNet', '--dataset', 'rooms']) == 0
    assert load_baseline(str(result.with_name('rooms-stl.json'))).backbone == 'HRNet'
    assert 'semseg (pooled-absent-zero)' in capsys.readouterr().out
    assert tool.main(['no/result.json', 'x']) == 1
    assert 'no/result.json' in capsys.readouterr().err
