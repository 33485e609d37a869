"""Time and memory of CTAL's cross-task affinity, dense and factored: ``python tools/benchmarks/ctal_affinity.py``.

Measures one forward and backward pass (gradients for features, values, weight and bias) of both forms on random inputs,
float32, fusion shared, and prints a table, or with ``--json`` a list of objects with keys ``h w dense_s factored_s
dense_mb factored_mb``.

Time: wall seconds, the median of several passes, in one process, after a warm-up pass of each; the two forms alternate,
so that other load on the machine strikes both alike. Sizes whose passes are short are repeated for two seconds.

Extra memory: MB (2**20 bytes) that a pass adds at its peak to what inputs and parameters already take, results and
gradients included. On a CPU it is the growth of a fresh process's resident memory from just before the pass to its peak
(one process for each form and size, warmed up at 4x4); on a GPU it is what torch's allocator gives out.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection

import torch
from torch import Tensor

from mtlbox.apis.measuring import extra_peak_mb, median_seconds
from mtlbox.models.layers.cross_task_affinity import cross_task_affinity_dense, cross_task_affinity_factored

FORMS = {'dense': cross_task_affinity_dense, 'factored': cross_task_affinity_factored}


def make_pass(form: str, height: int, width: int, args: argparse.Namespace) -> Callable[[], None]:
    """Make inputs and return a function that runs forward and backward on them once."""
    generator = torch.Generator().manual_seed(0)

    def leaf(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(args.device).requires_grad_()

    pixels, k, maps = height * width, args.kernel_size, (args.tasks, args.batch, args.channels, height, width)
    inputs = leaf(*maps), leaf(*maps), leaf(pixels, args.tasks, k, k), leaf(pixels)
    grads = list(leaf(*maps).detach())

    def run() -> None:
        for x in inputs:
            x.grad = None
        torch.autograd.backward(FORMS[form](*inputs), grads)

    return run


def measure_time(height: int, width: int, args: argparse.Namespace) -> dict[str, float]:
    """Median seconds of each form, the passes of both alternating."""
    passes = {form: make_pass(form, height, width, args) for form in FORMS}
    return median_seconds(passes, repeats=args.repeats, at_least=2, device=args.device)


def measure_memory(form: str, height: int, width: int, args: argparse.Namespace) -> float:
    """Extra peak MB of one pass, in this process."""
    make_pass(form, 4, 4, args)()
    return extra_peak_mb(make_pass(form, height, width, args), device=args.device)


def _send_memory(connection: Connection, form: str, height: int, width: int, args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    connection.send(measure_memory(form, height, width, args))


def measure_memory_apart(form: str, height: int, width: int, args: argparse.Namespace) -> float:
    """:func:`measure_memory` in a fresh process."""
    context = multiprocessing.get_context('spawn')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_memory, args=(sender, form, height, width, args))
    process.start()
    sender.close()
    try:
        return float(receiver.recv())
    except EOFError:
        process.join()
        raise SystemExit(
            f'the {form} form at {height}x{width} did not finish (exit code {process.exitcode}; -9 means that memory '
            'ran out): leave this size out with --sizes'
        ) from None
    finally:
        process.join()


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--sizes', nargs='+', default=['36x48', '72x96', '112x144'], metavar='HxW')
    parser.add_argument('--channels', type=int, default=128)
    parser.add_argument('--tasks', type=int, default=3)
    parser.add_argument('--kernel-size', type=int, default=3)
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--repeats', type=int, default=3, help='passes of each form at least (default 3)')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads(), help="default: torch's own choice")
    parser.add_argument('--device', type=torch.device, help='default: cuda where there is one')
    parser.add_argument('--json', action='store_true', help='print JSON only')
    args = parser.parse_args()
    try:
        args.sizes = [(int(height), int(width)) for height, width in (size.split('x') for size in args.sizes)]
    except ValueError:
        parser.error(f'--sizes: expected heights and widths such as 72x96, got {args.sizes}')
    args.device = args.device or torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    return args


def main() -> None:
    """Measure all sizes and print them."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    if not args.json:
        print(
            f'{args.device}, {args.threads} threads, batch {args.batch}, {args.channels} channels, {args.tasks} tasks'
        )
        print('    size   dense s  factored s  ratio   dense MB  factored MB  ratio', flush=True)
    results = []
    for height, width in args.sizes:
        memory = {form: measure_memory_apart(form, height, width, args) for form in FORMS}
        seconds = measure_time(height, width, args)
        row = {'h': height, 'w': width}
        row |= {f'{form}_s': round(seconds[form], 6) for form in FORMS}
        row |= {f'{form}_mb': round(memory[form], 3) for form in FORMS}
        results.append(row)
        if not args.json:
            print(
                f'{height:>4}x{width:<4} {row["dense_s"]:8.3f} {row["factored_s"]:10.3f} '
                f'{row["dense_s"] / row["factored_s"]:7.2f} {row["dense_mb"]:10.0f} {row["factored_mb"]:11.0f} '
                f'{row["factored_mb"] / max(row["dense_mb"], 1e-9):7.3f}',
                flush=True,
            )
    if args.json:
        print(json.dumps(results, indent=2))


if __name__ == '__main__':
    main()
