"""How a data-loading process uses the machine."""

from __future__ import annotations

import ctypes
import sys

import cv2
import torch

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of malloc.h
_KEPT = 1 << 28  # bytes that are free and not given back
_LARGEST = 1 << 25  # bytes of an array that comes from what is kept; glibc takes no more


def use_one_core() -> None:
    """Let this process do its work in one thread, and keep the memory that its arrays have freed.

    Pictures and maps are a few megabytes each. By default glibc gives such memory back to the system and takes it anew
    for the next array, and the system clears each page of it; that took a third of the time of a sample.
    """
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    if sys.platform.startswith('linux'):
        mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)  # musl has none
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, _LARGEST)
            mallopt(_TRIM_THRESHOLD, _KEPT)
            mallopt(_TOP_PAD, _KEPT // 4)
