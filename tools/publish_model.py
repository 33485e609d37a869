"""Strip a checkpoint to its weights, for others to use: ``python tools/publish_model.py CHECKPOINT --out DIR``.

Writes ``NAME-HASH.pth`` and, where the package safetensors is installed (``pip install "mtlbox[publish]"``),
``NAME-HASH.safetensors``, each with the beginning of its SHA-256, by which a download is checked; and ``NAME.md``, a
model card made of the config and of ``result.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mtlbox.apis import exit_on_user_error
from mtlbox.engine.checkpoint import TRAINING, read_checkpoint, replace_file, weights_of
from mtlbox.version import __version__

CARD = """# {name}

Trained with mtlbox {version}.

| file | SHA-256 | bytes |
| --- | --- | ---: |
{files}

{parameters:,} numbers in {tensors} tensors{averaged}, after epoch {epoch}, iteration {iteration}.

## Scores

{scores}

## Use

Save the config below as `config.py`.

```bash
python tools/test.py config.py {first}
python tools/infer.py config.py {first} IMAGE --out predicted
```

As initial weights of a backbone: `init_cfg=dict(type='Pretrained', checkpoint='{first}', prefix='backbone')`.

## Config

```python
{config}
```
"""


def main(argv: list[str] | None = None) -> None:
    """Publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', required=True, help='folder for the files')
    parser.add_argument('--name', help='name of the model; that of the work directory by default')
    parser.add_argument('--ema', action='store_true', help='take the averaged weights')
    parser.add_argument('--result', help='result.json of the run; that beside the checkpoint by default')
    args = parser.parse_args(argv)
    with exit_on_user_error():
        path = Path(args.checkpoint)
        checkpoint = read_checkpoint(path)
        weights = {key: value.contiguous() for key, value in weights_of(checkpoint, ema=args.ema, source=path).items()}
        name, out = args.name or path.resolve().parent.name, Path(args.out)
        kept = ('cfg', 'epoch', *TRAINING)
        meta = {key: value for key, value in checkpoint.get('meta', {}).items() if key in kept}
        meta |= {'ema': True} if args.ema else {}
        plain = {'state_dict': weights, 'meta': {**meta, 'mtlbox_version': __version__}}
        files = [publish(out, name, '.pth', lambda temporary: torch.save(plain, temporary))]
        if importlib.util.find_spec('safetensors'):
            files.append(publish(out, name, '.safetensors', lambda temporary: save_safetensors(weights, temporary)))
        else:
            print('safetensors is not installed, so only .pth is written: pip install "mtlbox[publish]"')
        result = Path(args.result) if args.result else path.parent / 'result.json'
        if args.result and not result.is_file():
            raise FileNotFoundError(f'There is no {result}.')
        scores = json.loads(result.read_text()) if result.is_file() else None
        text = card(name=name, files=files, weights=weights, meta=meta, result=scores, ema=args.ema)
        replace_file(out / f'{name}.md', lambda temporary: temporary.write_text(text))
        for file in (*files, out / f'{name}.md'):
            print(file)


def publish(out: Path, name: str, suffix: str, write: Callable[[Path], Any]) -> Path:
    """Write a file and put the beginning of its SHA-256 into its name; return its path."""
    unnamed = out / f'{name}{suffix}'
    replace_file(unnamed, write)
    named = out / f'{name}-{sha256(unnamed)[:8]}{suffix}'
    os.replace(unnamed, named)
    return named


def save_safetensors(weights: Mapping[str, Tensor], path: Path) -> None:
    """Write weights in the format of safetensors; tensors that share memory are stored one by one."""
    from safetensors.torch import save_file

    save_file({key: value.clone() for key, value in weights.items()}, path, metadata={'format': 'pt'})


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open('rb') as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def card(
    *,
    name: str,
    files: list[Path],
    weights: Mapping[str, Tensor],
    meta: Mapping[str, Any],
    result: Mapping[str, Any] | None,
    ema: bool,
) -> str:
    """Return the model card.

    Args:
        name: Name of the model.
        files: What was written.
        weights: The weights.
        meta: The checkpoint's ``cfg``, ``epoch`` and ``iter``, as far as it has them.
        result: The run's ``result.json``.
        ema: Whether the weights are averaged.
    """
    return CARD.format(
        name=name,
        version=__version__,
        files='\n'.join(f'| `{file.name}` | `{sha256(file)}` | {file.stat().st_size} |' for file in files),
        parameters=sum(value.numel() for value in weights.values()),
        tensors=len(weights),
        averaged=' (averaged weights)' if ema else '',
        epoch=meta.get('epoch', 'unknown'),
        iteration=meta.get('iter', 'unknown'),
        scores=score_table(result, meta),
        first=files[0].name,
        config=meta.get('cfg', '# not in the checkpoint').strip(),
    )


def score_table(result: Mapping[str, Any] | None, meta: Mapping[str, Any]) -> str:
    """Return the scores of the run as Markdown, and under what they were computed."""
    if result is None:
        return 'None are known: there was no result.json beside the checkpoint.'
    scored = next((result[key] for key in ('test', 'best', 'val') if result.get(key)), {})
    lines = ['| score | value | protocol |', '| --- | ---: | --- |']
    for key, value in result['scores'].items():
        protocol = result['protocols'].get(key.split('/')[0], '')
        lines.append(f'| {key} | {"none" if value is None else f"{value:.4f}"} | {protocol} |')
    lines.append(
        f'\nConfig {result["config"]} (hash {result["config_hash"]}), commit {result["commit"]}, '
        f'seed {result["seed"]}, {result["device"]}, {result["world_size"]} process(es), '
        f'torch {result["versions"]["torch"]}.'
    )
    if 'iter' in scored and scored['iter'] != meta.get('iter'):
        lines.append(f'\nThese scores are of iteration {scored["iter"]}, not of the weights published here.')
    return '\n'.join(lines)


if __name__ == '__main__':
    sys.exit(main())
