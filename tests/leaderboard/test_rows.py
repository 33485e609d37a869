"""The shipped rows are as the schema says, and a file that is not is refused with the place."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mtlbox.evaluation import (
    PROTOCOLS,
    BoundaryLossMetric,
    BoundaryMetric,
    DepthMetric,
    DisparityMetric,
    EdgeMetric,
    NormalsMetric,
    SaliencyMetric,
    SegMetric,
    TaskMetric,
)
from mtlbox.leaderboard import load_rows
from mtlbox.leaderboard.names import FOLDER, known_datasets, known_scores
from mtlbox.leaderboard.rows import UNSTATED, Number, Row, read_rows

SCORED_BY = {
    'semseg': SegMetric,
    'human_parts': SegMetric,
    'depth': DepthMetric,
    'disparity': DisparityMetric,
    'normals': NormalsMetric,
    'saliency': SaliencyMetric,
    'boundary': BoundaryMetric,
    'boundary/edgeLoss': BoundaryLossMetric,
    'edge': EdgeMetric,
}
"""The metric of each task's scores, or of one score."""


FILE = """
dataset: nyud-40
tables:
  - source: A paper, Table 1
    columns: [semseg/mIoU, depth/rmse]
    protocols: {semseg: pooled-absent-zero, depth: pixel-pooled}
    backbone: Swin-T
    rows:
      - {method: STL, scores: [40.10, .6], params: 10, baseline: b}
      - {method: MTL, scores: [39, null], delta_m: -0.50}
"""


def rows_of(text: str, tmp_path: Path) -> list[Row]:
    path = tmp_path / 'table.yml'
    path.write_text(text)
    return read_rows(path)


def test_every_data_set_has_its_file() -> None:
    rows = load_rows()
    assert {row.dataset for row in rows} == set(known_datasets()) - {'rooms'}
    assert {path.stem for path in FOLDER.glob('*.yml')} == {row.dataset for row in rows} | {'names'}
    assert len(rows) > 200


def metric_of(score: str) -> type[TaskMetric]:
    return SCORED_BY.get(score, SCORED_BY.get(score.partition('/')[0]))


def test_protocols_are_those_of_the_metrics() -> None:
    for row in load_rows():
        for column in row.columns:
            protocol = row.protocols[column.partition('/')[0]]
            assert protocol == UNSTATED or protocol in PROTOCOLS[metric_of(column).protocol_class.kind], (row, column)
        if not row.columns:
            assert set(row.protocols.values()) <= {name for kind in PROTOCOLS.values() for name in kind}


def test_scores_are_those_of_the_metrics() -> None:
    for name, score in known_scores().items():
        metric = metric_of(name)
        assert metric.higher_is_better[name.partition('/')[2]] == score.higher_is_better
        assert metric.unit[name.partition('/')[2]] == score.unit


def test_baselines_are_single_task_rows_with_all_scores_and_names_of_their_own() -> None:
    baselines = [row for row in load_rows() if row.baseline]
    assert max(Counter(row.baseline for row in baselines).values()) == 1
    for row in baselines:
        assert row.method == 'STL' and not row.setting and not row.study
        assert set(row.scores) == set(row.columns)
        assert row.baseline.startswith(f'{row.dataset}_') and row.baseline.endswith('-paper')
    plain = [row for row in load_rows() if row.method == 'STL' and not row.setting]
    assert plain == baselines


def test_one_reference_per_data_backbone_and_protocol() -> None:
    keys = Counter(
        (row.dataset, row.backbone, tuple(sorted(row.protocols.items()))) for row in load_rows() if row.baseline
    )
    assert max(keys.values()) == 1


def test_numbers_of_one_network_in_two_sources_agree_or_a_note_says_so() -> None:
    rows = [row for row in load_rows() if not row.study and UNSTATED not in (row.backbone, *row.protocols.values())]
    for one in rows:
        for other in rows:
            same = (one.dataset, one.method, one.backbone, one.protocols, one.setting)
            if one is other or same != (other.dataset, other.method, other.backbone, other.protocols, other.setting):
                continue
            for column in one.scores.keys() & other.scores.keys():
                if one.scores[column] != other.scores[column]:
                    assert one.note and other.note, f'{one.name} ({one.backbone}): {one.source}, {other.source}'
            if None not in (one.params, other.params):
                assert one.params == other.params and one.macs == other.macs


def test_a_file_is_read(tmp_path: Path) -> None:
    stl, mtl = rows_of(FILE, tmp_path)
    assert stl.scores == {'semseg/mIoU': 40.1, 'depth/rmse': 0.6}
    assert [value.text for value in stl.scores.values()] == ['40.10', '0.6']
    assert mtl.scores == {'semseg/mIoU': 39} and mtl.delta_m == -0.5 and mtl.delta_m.half_unit == 0.005
    assert stl.backbone == mtl.backbone == 'Swin-T' and (stl.params, stl.macs, stl.baseline) == (10, None, 'b')


def test_compute_of_a_batch_is_told_per_image(tmp_path: Path) -> None:
    text = FILE.replace('    backbone:', '    macs_images: 8\n    backbone:').replace('params: 10', 'macs: 42')
    assert rows_of(text, tmp_path)[0].macs == 5.25


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('dataset: nyud-40', 'dataset: nyud-4', r"'nyud-4' is not known. Did you mean 'nyud-40'"),
        ('depth/rmse', 'depth/rsme', r"columns: 'depth/rsme' is not known. Did you mean 'depth/rmse'"),
        ('Swin-T', 'Swin-TT', r"backbone: 'Swin-TT' is not known"),
        ('scores: [39, null]', 'scores: [39]', r'MTL: 1 scores for the 2 columns'),
        ('[39, null]', '[390, null]', r'MTL: semseg/mIoU: 390 is not plausible, expected 0 to 100'),
        ('[39, null]', "['39', null]", r"MTL: semseg/mIoU: expected a number, got '39'"),
        ('[39, null]', '[.nan, null]', r'MTL: semseg/mIoU: expected a number'),
        ('delta_m: -0.50', 'delta: -0.50', r"unknown key 'delta'. Did you mean 'delta_m'"),
        ('method: MTL', 'method: STL', r'STL \(Swin-T\) is there twice'),
        ('depth: pixel-pooled', 'normals: atan2', r"protocols are given for \['normals', 'semseg'\]"),
        ('    source: A paper, Table 1', '    note: x', r"the key 'source' is missing"),
        ('{method: MTL,', '{method: MTL, backbone: Swin-S,', r'the backbone must be given once'),
        ('dataset: nyud-40', 'dataset: [', r'is not valid YAML'),
    ],
)
def test_a_bad_file_is_refused_with_the_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = FILE.replace('  - source', '  -\n    source')
    assert old in text
    with pytest.raises(ValueError, match=message) as error:
        rows_of(text.replace(old, new), tmp_path)
    assert str(tmp_path / 'table.yml') in str(error.value)


@pytest.mark.parametrize(
    ('text', 'written', 'half'), [('.1570', '0.1570', 5e-5), ('-0.5', '-0.5', 0.05), ('42', '42', 0.5)]
)
def test_numbers_remember_their_digits(text: str, written: str, half: float) -> None:
    number = Number.parse(text)
    assert number == float(text) and number.text == written and number.half_unit == pytest.approx(half)
