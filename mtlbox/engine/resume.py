"""Finding the checkpoint from which a run goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from mmengine.dist import broadcast_object_list, is_main_process

from mtlbox.engine.checkpoint import POINTER, CheckpointError, read_checkpoint


def find_checkpoint(work_dir: str | Path, warn: Callable[[str], None]) -> str | None:
    """Return the checkpoint to resume from: the last one that is whole; None where there is none at all.

    A collective operation: rank 0 looks, so that all ranks take the same.

    Args:
        work_dir: Work directory of the run.
        warn: Told of every checkpoint that is passed over, and why.

    Raises:
        CheckpointError: There are checkpoints, but none is whole.
    """
    found: list[str | None] = [None, None]
    if is_main_process():
        try:
            found[0] = _find(Path(work_dir), warn)
        except CheckpointError as error:
            found[1] = str(error)
    broadcast_object_list(found)
    if found[1] is not None:
        raise CheckpointError(found[1])
    return found[0]


def _find(work_dir: Path, warn: Callable[[str], None]) -> str | None:
    refused = []
    for path in candidates(work_dir):
        try:
            checkpoint = read_checkpoint(path)
        except (CheckpointError, OSError) as error:
            refused.append(path)
            warn(f'{error} It is passed over; the checkpoint before it is tried.')
            continue
        if 'optimizer' in checkpoint and 'meta' in checkpoint and 'message_hub' in checkpoint:
            return str(path)
    if refused:
        raise CheckpointError(
            f'None of the checkpoints in {work_dir} can be resumed from ({", ".join(p.name for p in refused)}). '
            'To start again, take another --work-dir or leave --resume out.'
        )
    return None


def candidates(work_dir: Path) -> Iterator[Path]:
    """Yield checkpoint files, the likeliest first: that which is named as the last, then by age, youngest first."""
    named = work_dir / POINTER
    folders = [work_dir]
    first = None
    if named.is_file():
        last = Path(named.read_text().strip())
        if last.parent.is_dir():
            folders.append(last.parent)
        first = next((p for p in (last, work_dir / last.name) if p.is_file()), None)
    if first is not None:
        yield first
    others = {p.resolve(): p for folder in folders for p in folder.glob('*.pth')}
    for path in sorted(others.values(), key=lambda p: p.stat().st_mtime_ns, reverse=True):
        published = path.name.startswith('best_') or path.name == 'ema.pth'
        if not published and (first is None or path.resolve() != first.resolve()):
            yield path
