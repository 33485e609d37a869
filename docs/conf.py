"""Sphinx's settings, and the pages that are written from the code: see ``docs/generated``."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import yaml

from mtlbox.evaluation.delta_m import list_baselines, load_baseline
from mtlbox.evaluation.protocols import describe_protocols
from mtlbox.leaderboard import load_rows
from mtlbox.leaderboard.html import to_html
from mtlbox.leaderboard.tables import build_tables
from mtlbox.registry import REGISTRIES
from mtlbox.version import __version__

HERE = Path(__file__).parent
GENERATED = HERE / 'generated'
(GENERATED / 'pages').mkdir(parents=True, exist_ok=True)  # Sphinx wants html_extra_path to be there from the start

project = 'mtlbox'
author = copyright = 'The mtlbox authors'
release = version = __version__
extensions = ['myst_parser']
myst_enable_extensions = ['deflist']
myst_heading_anchors = 3
exclude_patterns = ['_build', 'generated']
html_theme = 'furo'
html_extra_path = ['generated/pages']
html_title = f'mtlbox {__version__}'


def describe_components() -> str:
    """Return every registered component with the first line of its docstring, a table per role."""
    parts = []
    for role, registry in REGISTRIES.items():
        registry.import_from_location()
        rows = [
            f'| `{name}` | {(inspect.getdoc(component) or "").splitlines()[0]} |'
            for name, component in sorted(registry.module_dict.items())
        ]
        if rows:
            parts.append('\n'.join([f'### {role}', '', '| name | what it is |', '| --- | --- |', *rows]))
    return '\n\n'.join(parts)


def describe_models() -> str:
    """Return the rows of all metafiles as tables: the published results, and the published ablations."""
    models = [
        model
        for path in sorted((HERE.parent / 'configs').glob('*/metafile.yml'))
        for model in yaml.safe_load(path.read_text())['Models']
    ]
    lines = ['| config | parameters | published | source |', '| --- | ---: | --- | --- |']
    for model in models:
        meta, size = model['Metadata'], model['Metadata'].get('Parameters')
        scores = {name: value for row in model.get('Results', []) for name, value in row['Metrics'].items()}
        size_text = f'{size / 1e6:.3f} M' if size else ''
        lines.append(f'| `{model["Config"]}` | {size_text} | {_scores(scores)} | {meta["Source"]} |')
    lines += ['', '| ablation of | `--cfg-options` | published | source |', '| --- | --- | --- | --- |']
    for model in models:
        for row in model.get('Ablations', []):
            lines.append(f'| {model["Name"]} | `{row["Options"]}` | {_scores(row["Metrics"])} | {row["Source"]} |')
    return '\n'.join(lines)


def _scores(scores: dict[str, float]) -> str:
    return ', '.join(
        f'{name} {value:+g}' if name == 'delta_m' else f'{name} {value:g}' for name, value in scores.items()
    )


def describe_baselines() -> str:
    """Return the shipped single-task baselines as a table."""
    lines = ['| baseline | backbone | protocols | scores | source |', '| --- | --- | --- | --- | --- |']
    for baseline in map(load_baseline, list_baselines()):
        scores = [f'{task}/{name} {value}' for task, named in baseline.scores.items() for name, value in named.items()]
        protocols = ', '.join(f'{task}: {name}' for task, name in baseline.protocols.items())
        lines.append(
            f'| `{baseline.name}` | {baseline.backbone} | {protocols} | {", ".join(scores)} | {baseline.source} |'
        )
    return '\n'.join(lines)


def write_generated(app: Any) -> None:
    """Write the pages that ``{include}`` takes in; files whose text stays are left alone."""
    pages = {
        'components.md': describe_components,
        'protocols.md': describe_protocols,
        'models.md': describe_models,
        'baselines.md': describe_baselines,
        'pages/leaderboard_page.html': lambda: to_html(build_tables(load_rows())),
    }
    for name, describe in pages.items():
        path, text = GENERATED / name, describe() + '\n'
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)


def setup(app: Any) -> None:
    """Register what runs before the pages are read."""
    app.connect('builder-inited', write_generated)
