"""Printed sizes of networks against those of our configs: the rows, and whether a row fits.

A file of rows has ``papers``, each of which is one or more sources of the leaderboard's rows and has

* ``products``: whether its MACs count attention products; ``code``: what is known of the released code;
* ``reference``: of a paper that prints parameters relative to another network's, the config of that network;
* ``rows``: printed rows, and the config (under ``configs/``, without suffix) and ``options`` that build each;
* ``absent``: printed rows that no config builds.

A printed row is named by ``source``, ``method``, ``backbone`` and ``variant``, the last two where there are any; what
it prints stands in the leaderboard's data alone, relative sizes (``relative``) aside. A row may have ``ours``, what is
to be known of the config, a ``reason`` of ``REASONS`` why the two differ, and with it ``readings``: other counts, by
which ``options`` or which ``counter`` of ``COUNTERS``, that show it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config

from mtlbox.apis.complexity import Complexity
from mtlbox.leaderboard.rows import Row, load_rows
from mtlbox.registry import did_you_mean

REASONS = (
    'published typo',
    'published count includes unused weights',
    'counting tool unknown',
    'reconstructed design',
)
PARAMS_FAR, MACS_FAR = 0.01, 0.05
"""How far ours may be from what is printed, relative to it."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Another way to count a config, which explains a printed figure or fails to.

    Attributes:
        name: What it is.
        options: Settings that replace the config's, beside those of its row.
        counter: A counter of ``COUNTERS``, '' for ours.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    counter: str = ''


@dataclass(frozen=True, kw_only=True)
class FidelityRow:
    """A printed size and the config that builds the network.

    Attributes:
        printed: The leaderboard's row.
        config: The config's path under ``configs/``, without suffix.
        options: Settings that replace the config's.
        products: Whether attention products are counted.
        code: What is known of the released code.
        ours: What is to be known of the config.
        relative: Printed parameters over those of ``reference``; None where the paper does not print such.
        reference: The config that they are relative to.
        reason: Why ours is another size, '' where it is not.
        readings: Other counts that show the reason.
    """

    printed: Row
    config: str
    options: Mapping[str, Any] = field(default_factory=dict)
    products: bool = False
    code: str = ''
    ours: str = ''
    relative: float | None = None
    reference: str = ''
    reason: str = ''
    readings: tuple[Reading, ...] = ()

    @property
    def params(self) -> float | None:
        """Printed parameters in millions; None where there are none, or they are of our own count."""
        return None if self.printed.params_counted else self.printed.params

    def macs_of(self, counted: Complexity) -> int:
        """MACs of ``counted`` as the paper counts them."""
        return counted.macs if self.products else counted.macs_without_attention


def read_fidelity(path: str | Path) -> tuple[list[FidelityRow], list[Row]]:
    """Return the rows of a file, and the printed rows that it says no config builds.

    Raises:
        ValueError: A key, a reason or a counter is unknown, a printed row is not the leaderboard's, or two rows are of
            one config with the same options.
    """
    rows: list[FidelityRow] = []
    absent: list[Row] = []
    for paper in yaml.safe_load(Path(path).read_text(encoding='utf-8'))['papers']:
        _known(paper, {'source', 'products', 'code', 'reference', 'rows', 'absent'}, f'{path}: paper')
        rows += [_row(row, paper) for row in paper.get('rows', [])]
        absent += [_printed(row, paper) for row in paper.get('absent', [])]
    seen: set[tuple[str, str]] = set()
    for row in rows:
        key = (row.config, str(sorted(row.options.items())))
        if key in seen:
            raise ValueError(f'{path}: {row.config} with {dict(row.options)} is there twice')
        seen.add(key)
    return rows, absent


def misfits(row: FidelityRow, counted: Complexity, reference: Complexity | None = None) -> list[str]:
    """Say which printed figures of ``row`` our counts are too far from; none if it fits.

    Args:
        row: The row.
        counted: The count of its config.
        reference: That of its reference, where it has a relative size.

    Raises:
        ValueError: It has a relative size, but ``reference`` is not given.
    """
    found = []
    if row.params is not None:
        found += _far('M parameters', counted.params / 1e6, row.params, PARAMS_FAR)
    if row.relative is not None:
        if reference is None:
            raise ValueError(f'{row.config} has a relative size, so a count of {row.reference} is needed beside it')
        found += _far(f'of {row.reference}', counted.params / reference.params, row.relative, PARAMS_FAR)
    if row.printed.macs is not None:
        found += _far('GMACs', row.macs_of(counted) / 1e9, row.printed.macs, MACS_FAR)
    return found


def _far(what: str, ours: float, printed: float, bound: float) -> list[str]:
    off = ours / printed - 1
    return [f'{ours:.3f} {what}, {printed:g} are printed: {off:+.1%}'] if abs(off) > bound else []


def _first_axis(counted: Complexity, cfg: Config) -> float:
    """GMACs of DeMT as a counter has them that takes attention's first axis for the sequence.

    Given tokens with the batch first, such a counter sees keys and values of one task where there are those of all, and
    queries and keys of an attention over single tokens; and it does not see into the deformable operator.
    """
    tasks, height, width = len(cfg.model.tasks), *(-(-side // 4) for side in cfg.input_size)
    layer = height * width * cfg.model.neck.channels**2  # a linear layer on the tokens of one task
    seen = counted.macs_without_attention + 2 * tasks * layer - 2 * tasks * (tasks - 1) * layer - tasks * layer
    return seen / 1e9


COUNTERS: dict[str, Callable[[Complexity, Config], float]] = {'first-axis': _first_axis}
"""How tools of the papers counted, as far as it is known: a count and the loaded config to GMACs."""


def _row(row: Mapping[str, Any], paper: Mapping[str, Any]) -> FidelityRow:
    where = f'{row.get("source", paper["source"])}, {row["method"]}'
    own = {'config', 'options', 'ours', 'code', 'relative', 'reason', 'readings'}
    _known(row, {*own, 'source', 'method', 'backbone', 'variant'}, where)
    reason, readings = row.get('reason', ''), tuple(Reading(**reading) for reading in row.get('readings', []))
    if reason and reason not in REASONS:
        raise ValueError(f'{where}: the reason {reason!r} is not one of {REASONS}.{did_you_mean(reason, REASONS)}')
    for reading in readings:
        if reading.counter and reading.counter not in COUNTERS:
            raise ValueError(f'{where}: unknown counter {reading.counter!r}.{did_you_mean(reading.counter, COUNTERS)}')
    return FidelityRow(
        printed=_printed({key: value for key, value in row.items() if key not in own}, paper),
        config=row['config'],
        options=row.get('options', {}),
        products=paper['products'],
        code=row.get('code', paper['code']),
        ours=row.get('ours', ''),
        relative=row.get('relative'),
        reference=paper.get('reference', ''),
        reason=reason,
        readings=readings,
    )


def _printed(row: Mapping[str, Any], paper: Mapping[str, Any]) -> Row:
    """Return the leaderboard's row that ``row`` names."""
    source = row.get('source', paper['source'])
    backbone, variant = row.get('backbone', ''), row.get('variant', '')
    found = [
        printed
        for printed in load_rows()
        if (printed.source, printed.method, printed.variant) == (source, row['method'], variant)
        and backbone in ('', printed.backbone)
    ]
    if len(found) != 1:
        names = sorted(f'{r.name} ({r.backbone})' for r in load_rows() if r.source == source)
        raise ValueError(f'{source}: {dict(row)} names {len(found)} of the rows {names}, expected one')
    return found[0]


def _known(content: Mapping[str, Any], keys: Sequence[str] | set[str], where: str) -> None:
    for key in content:
        if key not in keys:
            raise ValueError(f'{where}: unknown key {key!r}.{did_you_mean(str(key), sorted(keys))}')
