"""Printed sizes of networks against those of our configs: the rows, and whether a row fits.

A file of rows has ``papers``, each of which is one or more sources of the leaderboard's rows and has

* ``products``: whether its MACs count attention products; ``code``: what is known of the released code;
* ``reference``: of a paper that prints parameters relative to another network's, the config of that network;
* ``rows``: printed rows, and the config (under ``configs/``, without suffix) and ``options`` that build each;
* ``absent``: printed rows that no config builds.

A printed row is named by ``source``, ``method``, ``backbone`` and ``variant``, the last two where there are any; what
it prints stands in the leaderboard's data alone, relative sizes (``relative``) aside. A row may have ``ours``, what is
to be known of the config; ``params`` (millions), a printed figure that the leaderboard does not have because it counts
that table itself; and ``reasons``, by quantity (``params``, ``macs``), why that one is not as printed. A reason says

* ``why``, one of ``REASONS``;
* ``readings``: other counts, by which ``options`` or which ``counter`` of ``COUNTERS``, that show it. One of them must
  come near the printed figure, or the reason is ``open: true``. A reading that was chosen because it fits, and that
  nothing else speaks for, is a ``guess: true``: it is told, but shows nothing;
* or, of a typo, ``corrected``: what was mended in the figure, which then must fit.
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
QUANTITIES = ('params', 'macs')


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Another way to count a config, which explains a printed figure or fails to.

    Attributes:
        name: What it is.
        options: Settings that replace the config's, beside those of its row.
        counter: A counter of ``COUNTERS``, '' for ours.
        guess: Whether nothing but its fit speaks for it, so that it explains nothing.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    counter: str = ''
    guess: bool = False


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a quantity is not as printed.

    Attributes:
        why: One of ``REASONS``.
        readings: Other counts that show it.
        open: Whether none of them, guesses aside, comes near the printed figure either.
        corrected: What was mended in the printed figure; '' for nothing.
    """

    why: str
    readings: tuple[Reading, ...] = ()
    open: bool = False
    corrected: str = ''


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
        params: Printed parameters in millions; None where there are none, or they are of our own count.
        reasons: By quantity, why ours is another size.
    """

    printed: Row
    config: str
    options: Mapping[str, Any] = field(default_factory=dict)
    products: bool = False
    code: str = ''
    ours: str = ''
    relative: float | None = None
    reference: str = ''
    params: float | None = None
    reasons: Mapping[str, Reason] = field(default_factory=dict)

    def figures(self) -> dict[str, float]:
        """What is printed, by ``params`` (millions), ``relative`` and ``macs`` (1e9)."""
        printed = {'params': self.params, 'relative': self.relative, 'macs': self.printed.macs}
        return {name: value for name, value in printed.items() if value is not None}


class Counts:
    """Counts configs for rows, by two functions of a config's name and options.

    Args:
        count: Counts it.
        load: Loads it.
    """

    def __init__(
        self,
        *,
        count: Callable[[str, Mapping[str, Any]], Complexity],
        load: Callable[[str, Mapping[str, Any]], Config],
    ) -> None:
        self._count, self._load = count, load

    def figures(self, row: FidelityRow, reading: Reading | None = None) -> dict[str, float]:
        """Return our counts of what ``row`` has printed figures of, in their units, as the paper or a reading counts.

        Args:
            row: The row.
            reading: Another way to count it.
        """
        options = {**row.options, **(reading.options if reading else {})}
        counted = self._count(row.config, options)
        ours: dict[str, float] = {}
        for name in row.figures():
            if name == 'params':
                ours[name] = counted.params / 1e6
            elif name == 'relative':
                ours[name] = counted.params / self._count(row.reference, {}).params
            elif reading and reading.counter:
                ours[name] = COUNTERS[reading.counter](counted, self._load(row.config, options))
            else:
                ours[name] = (counted.macs if row.products else counted.macs_without_attention) / 1e9
        return ours


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


def misfits(row: FidelityRow, ours: Mapping[str, float]) -> dict[str, str]:
    """Say by quantity which printed figures of ``row`` ours are too far from; nothing if it fits.

    Args:
        row: The row.
        ours: Our figures by the names of :meth:`FidelityRow.figures`.
    """
    units = {'params': 'M parameters', 'relative': f'of {row.reference}', 'macs': 'GMACs'}
    found: dict[str, str] = {}
    for name, printed in row.figures().items():
        off = ours[name] / printed - 1
        if abs(off) > (MACS_FAR if name == 'macs' else PARAMS_FAR):
            found[quantity_of(name)] = f'{ours[name]:.3f} {units[name]}, {printed:g} are printed: {off:+.1%}'
    return found


def quantity_of(figure: str) -> str:
    """Return which of ``QUANTITIES`` a figure is one of: relative sizes are of parameters."""
    return 'macs' if figure == 'macs' else 'params'


def complaints(row: FidelityRow, counts: Counts) -> list[str]:
    """Say what is wrong with ``row``: quantities that do not fit without a reason, and reasons that are none."""
    told = []
    far = misfits(row, counts.figures(row))
    for quantity in QUANTITIES:
        reason = row.reasons.get(quantity)
        if reason is None:
            told += [f'{far[quantity]}, without a reason'] if quantity in far else []
        elif reason.corrected:
            told += [f'{far[quantity]}, although it is corrected'] if quantity in far else []
        elif quantity not in far:
            told.append(f'{quantity} fits, so that "{reason.why}" is no reason')
        else:
            shown = [reading for reading in reason.readings if not reading.guess]
            near = [r.name for r in shown if quantity not in misfits(row, counts.figures(row, r))]
            if near and reason.open:
                told.append(f'{quantity}: not open, {near[0]!r} comes near')
            if not near and not reason.open:
                told.append(f'{far[quantity]}, and no reading comes near: "{reason.why}" is not shown')
    return told


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
    own = {'config', 'options', 'ours', 'code', 'relative', 'params', 'reasons'}
    _known(row, {*own, 'source', 'method', 'backbone', 'variant'}, where)
    _known(row.get('reasons', {}), QUANTITIES, f'{where}: reasons')
    printed = _printed({key: value for key, value in row.items() if key not in own}, paper)
    return FidelityRow(
        printed=printed,
        config=row['config'],
        options=row.get('options', {}),
        products=paper['products'],
        code=row.get('code', paper['code']),
        ours=row.get('ours', ''),
        relative=row.get('relative'),
        reference=paper.get('reference', ''),
        params=row.get('params', None if printed.params_counted else printed.params),
        reasons={name: _reason(reason, f'{where}: {name}') for name, reason in row.get('reasons', {}).items()},
    )


def _reason(content: Mapping[str, Any], where: str) -> Reason:
    _known(content, {'why', 'readings', 'open', 'corrected'}, where)
    why = content.get('why', '')
    if why not in REASONS:
        raise ValueError(f'{where}: the reason {why!r} is not one of {REASONS}.{did_you_mean(why, REASONS)}')
    for reading in content.get('readings', []):
        _known(reading, {'name', 'options', 'counter', 'guess'}, where)
        counter = reading.get('counter', '')
        if counter and counter not in COUNTERS:
            raise ValueError(f'{where}: unknown counter {counter!r}.{did_you_mean(counter, COUNTERS)}')
    if bool(content.get('readings')) == bool(content.get('corrected')):
        raise ValueError(f'{where}: {why!r} is shown by readings or by what was corrected, one of the two')
    return Reason(**{**content, 'readings': tuple(Reading(**reading) for reading in content.get('readings', []))})


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
