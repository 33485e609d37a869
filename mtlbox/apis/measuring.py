"""Time and memory of what is run, as the benchmarks take them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch


def alternate(
    passes: Mapping[str, Callable[[], object]], *, repeats: int, at_least: float, device: torch.device
) -> dict[str, list[float]]:
    """Wall seconds of each pass in each round, after one of each to warm up; a round is one of each, in turn.

    Args:
        passes: What to run, by name.
        repeats: How many rounds there are at least.
        at_least: For how many seconds there are rounds at least.
        device: What they run on; a GPU is waited for.
    """
    seconds: dict[str, list[float]] = {name: [] for name in passes}
    for run in passes.values():
        run()
    _wait(device)
    start = time.perf_counter()
    while min(map(len, seconds.values())) < repeats or time.perf_counter() - start < at_least:
        for name, run in passes.items():
            before = time.perf_counter()
            run()
            _wait(device)
            seconds[name].append(time.perf_counter() - before)
    return seconds


def median_seconds(
    passes: Mapping[str, Callable[[], object]], *, repeats: int, at_least: float, device: torch.device
) -> dict[str, float]:
    """Median of :func:`alternate` of each pass."""
    rounds = alternate(passes, repeats=repeats, at_least=at_least, device=device)
    return {name: statistics.median(values) for name, values in rounds.items()}


def median_ratio(seconds: Sequence[float], base: Sequence[float]) -> float:
    """Median over rounds of a pass's seconds over another's: load that comes and goes strikes both of a round."""
    return statistics.median(one / other for one, other in zip(seconds, base))


def extra_peak_mb(run: Callable[[], object], *, device: torch.device) -> float:
    """MB (2**20 bytes) that ``run`` adds at its peak to what is held before it.

    On a GPU it is what torch's allocator gives out; on a CPU the growth of this process's resident memory, for which
    the process should be a fresh one.

    Raises:
        RuntimeError: On a CPU, where the system does not tell (Linux does).
    """
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        held = torch.cuda.memory_allocated(device)
        run()
        _wait(device)
        return (torch.cuda.max_memory_allocated(device) - held) / 2**20
    resident = resident_mb('VmRSS')
    Path('/proc/self/clear_refs').write_text('5')  # resets VmHWM to VmRSS
    run()
    return resident_mb('VmHWM') - resident


def resident_mb(field: str) -> float:
    """``VmRSS`` (resident now) or ``VmHWM`` (its peak) of this process, in MB.

    Raises:
        RuntimeError: The system does not tell.
    """
    status = Path('/proc/self/status')
    for line in status.read_text().splitlines() if status.is_file() else ():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f'/proc/self/status has no {field}: memory on a CPU can be measured on Linux only')


def _wait(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
