from __future__ import annotations

import multiprocessing
import resource
import sys
from multiprocessing.connection import Connection

import cv2
import numpy as np
import pytest
import torch

from mtlbox.datasets.worker import use_one_core


def faults() -> int:
    """Pages that a hundred arrays of 3 to 9 MB, freed one after the other, are given by the system."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for turn in range(100):
        one = np.ones((1 + turn % 3) * 3_000_000, dtype=np.uint8)
        two = one + one
        del one, two
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def measure(connection: Connection) -> None:
    cv2.setNumThreads(4)
    use_one_core()
    faults()
    connection.send((cv2.getNumThreads(), torch.get_num_threads(), faults()))


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='the memory of other systems is left as it is')
def test_one_thread_and_no_new_pages() -> None:
    context = multiprocessing.get_context('fork')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=measure, args=(sender,))
    process.start()
    threads, of_torch, after = receiver.recv()
    process.join()
    assert threads == 1 and of_torch == 1
    assert after < 1000  # 76 000 where the system gives memory anew
