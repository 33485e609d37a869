"""What two ways to lay work out change: images and weights as NHWC, and branches of all tasks in one operation.

    python tools/benchmarks/layout.py ['PATTERN' ...] [--size 64 96] [--batch 2] [--seconds 3] [--threads N]

Both tables are of ratios alone: what is compared runs in turn in one process, so the load of a shared machine strikes
both, and a ratio is the median over rounds. Below 1 the change is the faster one.

``channels_last``: forward pass and training step of each config that fits a pattern (as in ``models.py``) with
``model.data_preprocessor.channels_last=True``, and with ``channels_last=True``, weights too, over those without.

``branches``: forward and backward of one layer of each of ``--tasks`` tasks, of one shape, in a single batched product
or grouped convolution, over a loop over the tasks. The shapes are those of the decoders at 1/4 of ``--size``.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import models
import torch
from mmengine.runner import set_random_seed
from torch import Tensor, nn
from torch.nn import functional as F

from mtlbox.apis import exit_on_user_error
from mtlbox.apis.measuring import alternate, median_ratio
from mtlbox.apis.tables import markdown_table
from mtlbox.config import load_config
from mtlbox.registry import MODELS

Passes = dict[str, Callable[[], object]]


def layout_passes(name: str, args: argparse.Namespace) -> dict[str, Passes]:
    """Return forward passes and training steps of a config by layout: as it is, NHWC images, NHWC weights too."""
    set_random_seed(0)
    cfg = models.resize(load_config(models.ROOT / 'configs' / f'{name}.py'), tuple(args.size))
    cfg.model.data_preprocessor.channels_last = False
    plain = MODELS.build(cfg.model).to(args.device)
    images = copy.deepcopy(plain)
    images.data_preprocessor.channels_last = True
    both = copy.deepcopy(images)
    both.channels_last = True
    both.lay_out()
    batch = models.make_batch(plain.tasks, tuple(args.size), args.batch)
    passes: dict[str, Passes] = {'forward': {}, 'step': {}}
    for layout, model in (('plain', plain), ('images', images), ('both', both)):
        data = model.data_preprocessor(copy.deepcopy(batch), training=True)
        passes['forward'][layout] = forward_of(model, data['inputs'])
        passes['step'][layout] = models.make_step(model, cfg, data)
    return passes


def forward_of(model: nn.Module, inputs: Tensor) -> Callable[[], None]:
    """Return a pass in evaluation mode without gradients."""

    def forward() -> None:
        model.eval()
        with torch.no_grad():
            model(inputs, mode='tensor')

    return forward


def linear_maps(tokens: Sequence[Tensor], weights: Sequence[Tensor]) -> list[Tensor]:
    """Return a linear map per task, one after another: ``(B, N, C)`` by ``(C', C)`` each."""
    return [F.linear(x, weight) for x, weight in zip(tokens, weights)]


def linear_maps_batched(tokens: Sequence[Tensor], weights: Sequence[Tensor]) -> list[Tensor]:
    """Return the same by one batched product."""
    joint = torch.stack(list(tokens)).flatten(1, 2) @ torch.stack(list(weights)).mT  # (T, B * N, C')
    return [x.view(*tokens[0].shape[:2], -1) for x in joint]


def convolutions(maps: Sequence[Tensor], weights: Sequence[Tensor]) -> list[Tensor]:
    """Return a convolution per task, one after another: ``(B, C, H, W)`` by ``(C', C, k, k)`` each."""
    return [F.conv2d(x, weight, padding=weight.shape[-1] // 2) for x, weight in zip(maps, weights)]


def convolutions_batched(maps: Sequence[Tensor], weights: Sequence[Tensor]) -> list[Tensor]:
    """Return the same by one grouped convolution."""
    joint = torch.cat(list(weights))
    out = F.conv2d(torch.cat(list(maps), 1), joint, padding=joint.shape[-1] // 2, groups=len(maps))
    return list(out.chunk(len(maps), 1))


def branch_cases(args: argparse.Namespace) -> dict[str, tuple[Passes, tuple[Callable, Callable], list, list]]:
    """Return, by name, the two passes over the branches of a shape, their functions, inputs and weights."""
    height, width, generator = args.size[0] // 4, args.size[1] // 4, torch.Generator().manual_seed(0)
    cases = {}
    for name, shape, weight in (
        ('linear 256 to 256 (DeMT)', (args.batch, height * width, 256), (256, 256)),
        ('linear 256 to 1024 (MTFormer)', (args.batch, height * width // 4, 256), (1024, 256)),
        ('linear 88 to 176 (TIF)', (args.batch, height * width // 16, 88), (176, 88)),
        ('convolution 1x1, 256 to 256', (args.batch, 256, height, width), (256, 256, 1, 1)),
        ('convolution 3x3, 128 to 128', (args.batch, 128, height, width), (128, 128, 3, 3)),
        ('convolution 3x3, 256 to 33 (heads)', (args.batch, 256, height, width), (33, 256, 3, 3)),
    ):
        functions = (linear_maps, linear_maps_batched) if len(weight) == 2 else (convolutions, convolutions_batched)
        inputs, weights = (
            [torch.randn(s, generator=generator).to(args.device).requires_grad_() for _ in range(args.tasks)]
            for s in (shape, weight)
        )
        passes = {
            kind: lambda function=function, x=inputs, w=weights: backward(function(x, w))
            for kind, function in zip(('loop', 'batched'), functions)
        }
        cases[name] = (passes, functions, inputs, weights)
    return cases


def backward(outputs: Sequence[Tensor]) -> None:
    """Go backward from outputs as losses do, with gradients that are no constant."""
    torch.stack([x.square().mean() for x in outputs]).sum().backward()


def ratios(passes: Mapping[str, Callable[[], object]], base: str, args: argparse.Namespace) -> dict[str, float]:
    """Return the ratio of each pass to ``base``."""
    rounds = alternate(passes, repeats=args.repeats, at_least=args.seconds, device=torch.device(args.device))
    return {name: median_ratio(seconds, rounds[base]) for name, seconds in rounds.items() if name != base}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('patterns', nargs='*', default=['*/*_rooms'], help="default: '*/*_rooms'")
    parser.add_argument('--size', type=int, nargs=2, default=[64, 96], metavar=('H', 'W'), help='default: 64 96')
    parser.add_argument('--batch', type=int, default=2, help='images; default: 2')
    parser.add_argument('--tasks', type=int, default=4, help='branches; default: 4')
    parser.add_argument('--repeats', type=int, default=3, help='rounds at least; default: 3')
    parser.add_argument('--seconds', type=float, default=3.0, help='for how long there are rounds; default: 3')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads(), help="default: torch's own choice")
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print both tables."""
    args = parse_args(argv)
    with exit_on_user_error():
        models.check_counts(args, 'batch', 'threads', 'repeats', 'tasks')
        names = models.find(args.patterns)
    torch.set_num_threads(args.threads)
    rows: list[Sequence[Any]] = []
    for name in names:
        found = {kind: ratios(passes, 'plain', args) for kind, passes in layout_passes(name, args).items()}
        rows.append([f'`{name}`', *(f'{found[kind][layout]:.2f}' for kind in found for layout in found[kind])])
        print(f'{name}: done', file=sys.stderr, flush=True)
    heads = ('config', 'forward, NHWC images', 'and weights', 'step, NHWC images', 'and weights')
    print(markdown_table(heads, rows))
    cases = {name: ratios(passes, 'loop', args)['batched'] for name, (passes, *_) in branch_cases(args).items()}
    print(markdown_table((f'{args.tasks} branches', 'batched / loop'), [[k, f'{v:.2f}'] for k, v in cases.items()]))
    return 0


if __name__ == '__main__':
    sys.exit(main())
