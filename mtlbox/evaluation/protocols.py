"""Named evaluation protocols: what exactly a score means.

Families of papers compute scores of the same name differently. A protocol names one definition; a score is shown with
its protocol, and scores of different protocols are never compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from mtlbox.registry import did_you_mean


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One definition of a family of scores.

    Attributes:
        name: Its name in configs, result files and tables.
        description: One paragraph: what is counted and how it is averaged.
        source: Whose papers or code use it.
        aliases: Other spellings that are accepted.
    """

    name: str
    description: str
    source: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SegProtocol(Protocol):
    """A protocol of class maps.

    Attributes:
        absent: What a class counts that is neither predicted nor present: 'zero', or 'skip' to leave it out.
    """

    absent: str


@dataclass(frozen=True, kw_only=True)
class DepthProtocol(Protocol):
    """A protocol of depth maps.

    Attributes:
        pooling: 'pixel' averages over valid pixels of the data set, 'image' over images.
        valid_range: (low, high), both exclusive, in metres: the true depths that count.
    """

    pooling: str
    valid_range: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class NormalsProtocol(Protocol):
    """A protocol of surface normals.

    Attributes:
        angle: Formula of the angle between two unit vectors, 'atan2' or 'arccos'.
    """

    angle: str


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
    'means of |error| and |error| / true depth over the same pixels.'
)
_IMAGE = (
    'rmse, absErr and relErr are computed for each image over its valid pixels, then averaged over the images that '
    'have any.'
)
_LIMITED = {
    80.0: 'multi-task work on Cityscapes-like outdoor depth',
    6.5535: 'MTFormer, whose depth maps are 16-bit pictures in units of 0.1 mm',
}

_ALL: tuple[Protocol, ...] = (
    SegProtocol(
        name='pooled-absent-zero',
        description='mIoU from one confusion matrix over the data set; a class that is neither predicted nor present '
        'counts 0 in the mean over all classes. pixAcc is the share of counted pixels whose class is right.',
        source='ASTMT and ATRC and the papers that build on their code',
        absent='zero',
    ),
    SegProtocol(
        name='pooled-absent-skipped',
        description='mIoU from one confusion matrix over the data set; a class that is neither predicted nor present '
        'is left out of the mean. pixAcc is the share of counted pixels whose class is right.',
        source="CTAL and the papers on MTAN's data",
        absent='skip',
    ),
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
)

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType({protocol.name: protocol for protocol in _ALL})
"""Every protocol by its name."""

P = TypeVar('P', bound=Protocol)


def get_protocol(name: str, kind: type[P] = Protocol) -> P:  # type: ignore[assignment]
    """Look a protocol up.

    Args:
        name: Its name or an alias.
        kind: Class that it must have, e.g. ``DepthProtocol``.

    Returns:
        The protocol.

    Raises:
        ValueError: If no protocol of this kind has the name; the message gives the nearest names.
    """
    known = {protocol.name: protocol for protocol in _ALL if isinstance(protocol, kind)}
    aliases = {alias: protocol for protocol in known.values() for alias in protocol.aliases}
    if name in known or name in aliases:
        return (known | aliases)[name]
    what = 'protocol' if kind is Protocol else f'{kind.__name__.removesuffix("Protocol").lower()} protocol'
    other = f' (it is a {type(PROTOCOLS[name]).__name__})' if name in PROTOCOLS else ''
    raise ValueError(f'{name!r} is not a known {what}{other}.{did_you_mean(str(name), known)}')


def describe_protocols() -> str:
    """All protocols as a Markdown definition list: name, description, source, one paragraph each."""
    return '\n\n'.join(f'`{p.name}`\n: {p.description} Used by {p.source}.' for p in PROTOCOLS.values())
