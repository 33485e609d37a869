"""Write the tables of parameters and MACs of the compared methods into docs/complexity_and_speed.md.

python tools/analysis_tools/complexity_table.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mtlbox.apis.complexity import Complexity, count_config
from mtlbox.apis.tables import markdown_table, write_page
from mtlbox.config import load_config

ROOT = Path(__file__).parents[2]
PAGE = ROOT / 'docs' / 'complexity_and_speed.md'
METHODS = {
    'stl': 'STL',
    'mtl': 'MTL',
    'pad_net': 'PAD-Net',
    'pap_net': 'PAP-Net',
    'concat': 'Concat',
    'ctal': 'CTAL',
    'mti_net': 'MTI-Net',
    'ctal-ms': 'CTAL, multi-scale',
}
"""What configs are called, and what the table calls them."""
DATASETS = {'nyuv2-13': 'NYUv2, 13 classes, 288x384', 'cityscapes': 'Cityscapes, 19 classes and disparity, 128x256'}
"""What configs are called, and what the table calls them."""
HEAD = (
    'method',
    'parameters',
    'of STL',
    'published',
    'GMACs of 8 images',
    'published',
    'GMACs of one image',
    'as configured',
)

HEAD_ATRC = ('config', 'parameters', 'published', 'GMACs of one image', 'published', 'and attention products')


@cache
def metadata() -> dict[str, dict[str, Any]]:
    """Return what the metafiles say of each config, by its name."""
    return {
        model['Name']: {'Config': model['Config'], **model['Metadata']}
        for path in sorted((ROOT / 'configs').glob('*/metafile.yml'))
        for model in yaml.safe_load(path.read_text(encoding='utf-8'))['Models']
    }


def count(config: Path, *, dense: bool) -> Complexity:
    """Count a config for one image of its size; ``dense`` takes the dense form where there are two."""
    return count_config(config, {'model.neck.impl': 'dense'} if dense and has_forms(config) else None)


def has_forms(config: Path) -> bool:
    """Say whether a config's neck has a dense and a factored form."""
    return 'impl' in (load_config(config).model.get('neck') or {})


def rows(dataset: str) -> list[list[str]]:
    """Return the cells of the table of ``dataset``."""
    found, stl = [], 0
    for method, title in METHODS.items():
        meta = metadata()[f'{method}_hrnet18_{dataset}']
        config = ROOT / meta['Config']
        dense = count(config, dense=True)
        stl = stl or dense.params
        published = meta.get('Published', {})
        own = count(config, dense=False).macs if has_forms(config) else dense.macs
        found.append(
            [
                title,
                f'{dense.params / 1e6:.3f} M',
                f'{dense.params / stl:.3f}',
                _published(published, 'Relative Parameters', '.3f'),
                f'{8 * dense.macs / 1e9:.1f}',
                _published(published, 'GMACs of 8 Images', 'g'),
                f'{dense.macs / 1e9:.2f}',
                f'{own / 1e9:.2f}',
            ]
        )
    return found


def rows_atrc() -> list[list[str]]:
    """Return the cells of the table of NYUD in ATRC's protocol: all configs on it whose parameters are recorded."""
    found = []
    for name, meta in metadata().items():
        if (meta['Training Data'], meta.get('Input Size')) == ('NYUD', '425x560') and 'Parameters' in meta:
            own, published = count(ROOT / meta['Config'], dense=False), meta.get('Published', {})
            found.append(
                [
                    f'`{name}`',
                    f'{own.params / 1e6:.3f} M',
                    _published(published, 'Parameters in M', '.2f'),
                    f'{own.macs_without_attention / 1e9:.2f}',
                    _published(published, 'GMACs', '.2f'),
                    f'{(own.macs - own.macs_without_attention) / 1e9:.2f}',
                ]
            )
    return found


def _published(figures: dict[str, float], name: str, form: str) -> str:
    return format(figures[name], form) if name in figures else ''


def content() -> dict[str, str]:
    """Return what stands between each pair of marks of the page."""
    parts = [f'{title}:\n\n{markdown_table(HEAD, rows(dataset))}' for dataset, title in DATASETS.items()]
    return {'complexity table': '\n'.join(parts), 'atrc table': markdown_table(HEAD_ATRC, rows_atrc())}


def main(argv: Sequence[str] | None = None) -> int:
    """Write the tables; with ``--check`` only say whether it is what would be written."""
    return write_page(PAGE, content, description=__doc__ or '', argv=argv)


if __name__ == '__main__':
    sys.exit(main())
