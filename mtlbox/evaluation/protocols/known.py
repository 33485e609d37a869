"""The protocols that mtlbox knows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from mtlbox.evaluation.protocols.kinds import (
    BoundaryLossProtocol,
    BoundaryProtocol,
    DepthProtocol,
    EdgeProtocol,
    NormalsProtocol,
    Protocol,
    SaliencyProtocol,
    SegProtocol,
)
from mtlbox.registry import did_you_mean


def _depth(pooling: str, limit: float, what: str, source: str) -> DepthProtocol:
    """A depth protocol for true depths between 0 and ``limit`` metres."""
    base = f'{pooling}-pooled' if pooling == 'pixel' else f'{pooling}-mean'
    bounded = limit != float('inf')
    span = f'0 < true depth < {limit:g} m' if bounded else 'true depth > 0'
    return DepthProtocol(
        name=f'{base}/0-{limit:g}' if bounded else base,
        aliases=() if bounded else (f'{base}/>0',),
        description=f'{what} A pixel is valid where {span}.',
        source=source,
        pooling=pooling,
        valid_range=(0.0, limit),
    )


_PIXEL = (
    'rmse is the square root of the mean squared error over all valid pixels of the data set; absErr and relErr are '
    'means of |error| and |error| / true depth over the same pixels; so are rmse_log (natural logarithms), log10, '
    'silog (100 times the standard deviation of the log errors) and delta1, delta2, delta3 (percentage of pixels '
    'whose two depths differ by a factor below 1.25, 1.25^2, 1.25^3).'
)
_IMAGE = (
    'As pixel-pooled, but every score is computed for each image over its valid pixels, then averaged over the '
    'images that have any.'
)
_LIMITED = {
    80.0: 'multi-task work on Cityscapes-like outdoor depth',
    6.5535: 'MTFormer, whose depth maps are 16-bit pictures in units of 0.1 mm',
}


def _even(count: int) -> tuple[float, ...]:
    """``count`` thresholds that divide 0..1 evenly, both ends left out."""
    return tuple(float(value) for value in np.linspace(1 / (count + 1), 1 - 1 / (count + 1), count))


_99 = _even(99)
_101 = (0.001, *(n / 100 for n in range(1, 100)), 0.999)


def _boundary(
    name: str, source: str, what: str, thresholds: tuple[float, ...], nms_radius: int | None
) -> tuple[BoundaryProtocol, BoundaryProtocol]:
    """A protocol of this field's boundaries for PASCAL's distance, and its variant for NYUD."""
    cuts = '0.001, 0.01, 0.02 .. 0.99 and 0.999' if thresholds is _101 else '0.01, 0.02 .. 0.99'
    nms = (
        'no suppression'
        if nms_radius is None
        else f'non-maximum suppression of radius {nms_radius} (orientation from a triangle filter of radius 4, '
        'tolerance 1.01, a frame of 5 pixels faded out)'
    )
    common = (
        f'Predictions, rounded to 8 bits, go through {nms}, are cut at {cuts} and thinned; the ground truth is '
        f'thinned. '
        'Both are matched one to one'
    )
    rest = 'odsF is the largest F over thresholds of the counts summed over the images.'
    near = BoundaryProtocol(
        name=name,
        description=f'{common} within 0.0075 of the diagonal, as for PASCAL-Context. {rest} {what}',
        source=source,
        thresholds=thresholds,
        max_distance=0.0075,
        nms_radius=nms_radius,
    )
    nyud = BoundaryProtocol(
        name=f'{name}/nyud',
        description=f'As {name}, but within 0.011 of the diagonal, and the ground truth is replaced by the '
        f'boundaries of '
        'the regions in it before it is thinned, which moves it up and left by up to a pixel, as the MATLAB code '
        'does on NYUD.',
        source=f'{source}, on NYUD',
        thresholds=thresholds,
        max_distance=0.011,
        nms_radius=nms_radius,
        resegment_truth=True,
    )
    return near, nyud


_POOLED = 'mIoU from one confusion matrix over the data set; a class that is neither predicted nor present '
_ABSENT = {'zero': 'counts 0 in the mean over all classes', 'skip': 'is left out of the mean'}
_ACCURACY = 'pixAcc is the share of counted pixels whose class is right.'


def _segmentation(absent: str, source: str, persons: bool = False) -> SegProtocol:
    """A protocol of class maps, or of human parts."""
    name = f'absent-{"zero" if absent == "zero" else "skipped"}'
    left_out = ' Images without a person, that is without a true pixel of a class above 0, do not count.'
    return SegProtocol(
        name=f'persons-{name}' if persons else f'pooled-{name}',
        description=f'{_POOLED}{_ABSENT[absent]}. {_ACCURACY}{left_out if persons else ""}',
        source=source,
        absent=absent,
        needs_foreground=persons,
    )


_ALL: tuple[Protocol, ...] = (
    _segmentation('zero', 'ASTMT and ATRC and the papers that build on their code'),
    _segmentation('skip', "CTAL and the papers on MTAN's data"),
    _segmentation('zero', 'ASTMT and ATRC and the papers that build on their code, for human parts', persons=True),
    _segmentation('skip', 'CTAL, for human parts', persons=True),
    _depth('pixel', float('inf'), _PIXEL, "the survey's code, InvPT, ATRC, MTAN and CTAL"),
    *(_depth('pixel', limit, _PIXEL, source) for limit, source in _LIMITED.items()),
    _depth('image', float('inf'), _IMAGE, 'ASTMT'),
    *(_depth('image', limit, _IMAGE, source) for limit, source in _LIMITED.items()),
    NormalsProtocol(
        name='atan2',
        description='Angles 2 atan2(|p - g|, |p + g|) in degrees over all valid pixels of the data set, both vectors '
        'renormalised: mean (mErr), median, rmse, and the percentage below 11.25, 22.5 and 30 degrees.',
        source="the survey's code, ATRC and InvPT",
        angle='atan2',
    ),
    NormalsProtocol(
        name='arccos',
        description='As atan2, but the angle is arccos(p . g), which is less accurate near 0 and 180 degrees.',
        source='MTAN and CTAL',
        angle='arccos',
    ),
    SaliencyProtocol(
        name='astmt',
        description='Predictions are cut above 15 thresholds, 0.2, 0.25 .. 0.9. IoU (1 where neither map has a '
        'salient pixel), precision and recall (0 where there is nothing to divide by) of each image are averaged '
        'over the images at each threshold. mIoU is the largest mean IoU, maxF the largest F, with equal weights, of '
        'the mean precision and the mean recall. Published values near 65 are this mIoU.',
        source="ASTMT, the survey's code and MTFormer",
        thresholds=tuple(n / 100 for n in range(20, 91, 5)),
        strict=True,
        pooling='image',
        beta_squared=1.0,
        scores=('mIoU', 'maxF'),
    ),
    SaliencyProtocol(
        name='atrc',
        description='Predictions are cut at 19 thresholds, 0.05, 0.1 .. 0.95. maxF is the largest F over thresholds, '
        'with beta squared 0.3, of precision and recall from pixel counts over the data set. No mIoU. Published '
        'values near 84 are this maxF or that of invpt.',
        source='ATRC, DeMT, TIF and CTAL',
        thresholds=tuple(n / 100 for n in range(5, 96, 5)),
        strict=False,
        pooling='pixel',
        beta_squared=0.3,
        scores=('maxF',),
    ),
    SaliencyProtocol(
        name='invpt',
        description='As atrc, but the code applies a sigmoid to what is a probability already, so that the '
        'thresholds are in effect 0 (all is salient), 0.201, 0.406, 0.619 and 0.847; those above cut everything off.',
        source='InvPT, TaskPrompter and the papers that build on their code',
        thresholds=(0.0, *(float(np.log(t / (1 - t))) for t in (0.55, 0.6, 0.65, 0.7))),
        strict=False,
        pooling='pixel',
        beta_squared=0.3,
        scores=('maxF',),
    ),
    BoundaryProtocol(
        name='bsds',
        description='Predictions are taken as they are, rounded to 8 bits, cut at 0.01, 0.02 .. 0.99, thinned, and '
        "matched one to one within 0.0075 of the diagonal with each annotator's map. Precision counts the predicted "
        'pixels that any annotator matches, recall sums over annotators. odsF is the largest F of the summed counts, '
        'looked for between thresholds too.',
        source='the BSDS500 benchmark',
        thresholds=_99,
        max_distance=0.0075,
        nms_radius=None,
        thin_truth=False,
        interpolate=True,
    ),
    *_boundary('astmt', 'ASTMT', 'The published images are the 5105 of PASCAL-Context val.', _101, 1),
    *_boundary('survey', "the survey's code", 'The published images are 2498 of PASCAL-Context val.', _99, None),
    *_boundary('invpt', "InvPT's tool, TaskPrompter", 'The published images are 2498 of PASCAL-Context val.', _101, 1),
    *_boundary(
        'mtdp',
        'MTDP_Lib',
        'The published images are the 5105 of PASCAL-Context val. Of the suppression only the radius is known.',
        _99,
        4,
    ),
    BoundaryLossProtocol(
        name='ctal-edge-loss',
        description='A validation loss, lower is better: binary cross-entropy of the predicted probability after a '
        'second sigmoid, boundary pixels weighted by the share of the other pixels among those that count, the '
        'others by the rest of 1; mean over the pixels of each image, then over images. The second sigmoid keeps the '
        'loss above 0 whatever is predicted. Weights from each image are our choice, CTAL takes a batch.',
        source='CTAL, as the edge score on PASCAL-Context',
        pos_weight=None,
        second_sigmoid=True,
    ),
    BoundaryLossProtocol(
        name='ctal-edge-loss/0.95',
        description='As ctal-edge-loss, but with the fixed weights of the training loss, 0.95 and 0.05. No '
        "prediction gets below 0.0347, so CTAL's published values, 0.0210 to 0.0241, are not of this form.",
        source='us, for comparison',
        pos_weight=0.95,
        second_sigmoid=True,
    ),
    EdgeProtocol(
        name='vtagml',
        description='F1 of edge pixels, those of a strength of at least 0.1 of the largest possible, from pixel '
        'counts over the data set, without tolerance. The paper says neither threshold, nor tolerance, nor '
        'averaging: these are our choice, and its numbers may be of another definition.',
        source='VTAGML, on Taskonomy (F1 alone is stated)',
        threshold=0.1,
    ),
)

PROTOCOLS: Mapping[str, Mapping[str, Protocol]] = MappingProxyType(
    {
        kind: MappingProxyType({protocol.name: protocol for protocol in _ALL if protocol.kind == kind})
        for kind in dict.fromkeys(protocol.kind for protocol in _ALL)
    }
)
"""Every protocol by its kind ('boundary') and its name."""

P = TypeVar('P', bound=Protocol)


def get_protocol(name: str, kind: type[P]) -> P:
    """Look a protocol up.

    Args:
        name: Its name or an alias.
        kind: Its class, e.g. ``DepthProtocol``; a name may be used by several kinds.

    Returns:
        The protocol.

    Raises:
        ValueError: If no protocol of this kind has the name; the message gives the nearest names.
    """
    known = {protocol.name: protocol for protocol in _ALL if isinstance(protocol, kind)}
    aliases = {alias: protocol for protocol in known.values() for alias in protocol.aliases}
    if name in known or name in aliases:
        return (known | aliases)[name]
    others = [type(protocol).__name__ for protocol in _ALL if name == protocol.name]
    other = f' (it is a {" and a ".join(others)})' if others else ''
    raise ValueError(f'{name!r} is not a known {kind.kind} protocol{other}.{did_you_mean(str(name), known)}')


def canonical_name(name: str) -> str:
    """The name of the protocol that has ``name`` as its name or an alias, whatever its kind.

    Raises:
        ValueError: If there is none; the message gives the nearest names.
    """
    names = {spelling: protocol.name for protocol in _ALL for spelling in (protocol.name, *protocol.aliases)}
    if not isinstance(name, str) or name not in names:
        raise ValueError(f'{name!r} is not a known protocol.{did_you_mean(str(name), set(names.values()))}')
    return names[name]


def describe_protocols() -> str:
    """All protocols in Markdown: a heading per kind, then a definition list with one paragraph each."""
    parts = []
    for kind, protocols in PROTOCOLS.items():
        (metric,) = {protocol.metric for protocol in protocols.values()}
        parts.append(f'### {kind.capitalize()} (`{metric}`)')
        parts += [f'`{p.name}`\n: {p.description} Used by {p.source}.' for p in protocols.values()]
    return '\n\n'.join(parts)
