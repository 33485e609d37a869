import math

import pytest

from mtlbox.evaluation.functional import delta_m

HIGHER = {'semseg': True, 'depth': False, 'normals': False}


def scores(semseg, depth, normals):
    return {'semseg': semseg, 'depth': depth, 'normals': normals}


HRNET = scores(49.23, 0.1636, 23.15)
SWIN = scores(55.78, 0.1570, 24.59)


@pytest.mark.parametrize(
    ('row', 'baseline', 'published'),
    [
        (scores(49.25, 0.1658, 24.16), HRNET, -1.89),
        (scores(50.23, 0.1622, 23.63), HRNET, 0.27),
        (scores(51.59, 0.1607, 22.84), HRNET, 2.64),
        (scores(52.70, 0.1529, 22.99), HRNET, 4.76),
        (scores(57.07, 0.1500, 24.76), SWIN, 2.03),
        (scores(58.06, 0.1491, 23.27), SWIN, 4.83),
    ],
)
def test_published_gains(row, baseline, published):
    assert delta_m(row, baseline, HIGHER) == pytest.approx(published, abs=0.02)  # the rows are rounded


CITYSCAPES = {'semseg': 48.89, 'disparity': 29.91}


@pytest.mark.parametrize(
    ('row', 'published'),
    [({'semseg': 51.36, 'disparity': 23.84}, 12.67), ({'semseg': 51.94, 'disparity': 22.89}, 14.85)],
)
def test_published_gains_on_cityscapes(row, published):
    higher = {'semseg': True, 'disparity': False}
    assert delta_m(row, CITYSCAPES, higher) == pytest.approx(published, abs=0.01)


def test_baseline_itself_gains_nothing():
    assert delta_m(HRNET, HRNET, HIGHER) == 0


def test_nan_is_not_left_out():
    assert math.isnan(delta_m(HRNET | {'depth': math.nan}, HRNET, HIGHER))


def test_refuses():
    with pytest.raises(ValueError, match=r'at least one task'):
        delta_m({}, {}, {})
    with pytest.raises(ValueError, match=r"baseline is given for \['semseg'\]"):
        delta_m(HRNET, {'semseg': 49.23}, HIGHER)
    with pytest.raises(ValueError, match=r'higher_is_better is given for'):
        delta_m(HRNET, HRNET, {'semseg': True})
    with pytest.raises(ValueError, match=r"not positive for \['depth'\]"):
        delta_m(HRNET, HRNET | {'depth': 0.0}, HIGHER)
