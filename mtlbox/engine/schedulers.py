"""Schedules that mmengine has not, or not such that they follow the length of the training."""

from __future__ import annotations

from typing import Any

from mmengine.optim.scheduler import CosineRestartLR, PolyLR
from mmengine.optim.scheduler.param_scheduler import INF
from torch.optim import Optimizer

from mtlbox.registry import PARAM_SCHEDULERS


def cycle_lengths(steps: int, cycles: int, growth: int) -> list[int]:
    """Split ``steps`` into ``cycles`` parts, each ``growth`` times as long as the one before.

    The last part takes what rounding leaves; parts for which there is no step are left out.
    """
    first = steps // sum(growth**i for i in range(cycles))
    lengths = [first * growth**i for i in range(cycles - 1)]
    return [length for length in (*lengths, steps - sum(lengths)) if length]


@PARAM_SCHEDULERS.register_module()
class CosineWarmRestartsLR(CosineRestartLR):
    """Cosine annealing that starts again, with cycles that fill the training whatever its length.

    It is SGDR (Loshchilov and Hutter, ICLR 2017) with T_0 = steps / (1 + growth + ... + growth^(cycles - 1)) and
    T_mult = growth: the rate always ends at ``eta_min``, where a fixed T_0 leaves it somewhere in a cycle. mmengine's
    ``CosineRestartLR`` takes the lengths of the cycles instead.

    Args:
        optimizer: Optimizer or its wrapper; given by the Runner.
        cycles: How many cycles.
        growth: How many times as long each is as the one before.
        eta_min: Rate at the end of each cycle.
        begin: First step (epoch or iteration).
        end: Step after the last one; that of the training by default.
        last_step: As in mmengine.
        by_epoch: Whether steps are epochs.
        verbose: Print each new rate.

    Raises:
        ValueError: ``cycles`` or ``growth`` is below 1.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        cycles: int,
        growth: int = 2,
        eta_min: float = 0.0,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
    ) -> None:
        if cycles < 1 or growth < 1:
            raise ValueError(f'cycles and growth must be at least 1, but are {cycles} and {growth}.')
        periods = cycle_lengths(end - begin, cycles, growth)
        super().__init__(
            optimizer,
            periods=periods,
            restart_weights=[1.0] * len(periods),
            eta_min=eta_min,
            begin=begin,
            end=end,
            last_step=last_step,
            by_epoch=by_epoch,
            verbose=verbose,
        )

    @classmethod
    def build_iter_from_epoch(
        cls,
        *args: Any,
        begin: int = 0,
        end: int = INF,
        by_epoch: bool = True,
        epoch_length: int | None = None,
        **kwargs: Any,
    ) -> CosineWarmRestartsLR:
        """Return the schedule of the same cycles that steps at each iteration; what it takes is as in mmengine."""
        if not by_epoch or not epoch_length:
            raise ValueError('Only a schedule by epochs, with epoch_length, can be turned into one by iterations.')
        end = end if end == INF else end * epoch_length
        return cls(*args, begin=begin * epoch_length, end=end, by_epoch=False, **kwargs)


@PARAM_SCHEDULERS.register_module()
class PolyPastEndLR(PolyLR):
    """Polynomial decay that would reach ``eta_min`` one step after the last, so that the last one trains too.

    Step t of T has the share (1 - t / T)^power of the rate. mmengine's ``PolyLR`` takes the same arguments and reaches
    ``eta_min`` in the last step: next to nothing by iterations, but by epochs, as in MTFormer's
    released code, the last one would train nothing.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.total_iters += 1
