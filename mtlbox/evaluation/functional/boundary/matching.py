"""One-to-one matching of the pixels of two binary maps within a distance.

The BSDS benchmark solves an assignment in which leaving a pixel out costs far more than any distance: in effect
a matching of *maximum cardinality*, with ties broken by distance. Here pairs are first taken greedily, the nearest
first. That is not a maximum (0.685 in place of 0.705 in F on the benchmark's own sample), so it is then enlarged along
augmenting paths (Berge 1957) until it is one. A path never frees a pixel that was matched.

Both steps are vectorised. Greedy: the pairs of one offset (dy, dx) share no pixel, so all those whose two ends are free
are taken at once, offset by offset from the nearest. Augmenting: a forest of alternating breadth-first trees grows from
all free pixels at once; the trees are disjoint, so one path of each tree is flipped per round.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Matching(NamedTuple):
    """Which pixels of two maps are matched.

    Attributes:
        pred: (P,) for each set pixel of the prediction, in raster order: the number of its partner among the set pixels
            of the truth, or -1.
        truth: (T,) the same the other way round.
    """

    pred: Ints
    truth: Ints


@lru_cache(maxsize=32)
def _offsets(distance: float) -> Ints:
    """(K, 2) steps (dy, dx) of at most ``distance`` pixels, the shortest first, equal ones in raster order."""
    reach = int(np.ceil(distance))
    steps = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    squared = (steps**2).sum(1)
    near = squared <= distance**2
    return steps[near][np.argsort(squared[near], kind='stable')]


class PixelMatcher:
    """Matches predictions to one ground truth.

    Args:
        truth: (H, W) bool.
        distance: Largest Euclidean distance in pixels between the two of a pair.
    """

    def __init__(self, truth: Mask, distance: float) -> None:
        self.shape = truth.shape
        self._steps = _offsets(float(distance))
        self._margin = int(np.abs(self._steps).max())
        # what leaves a row at one side enters the margin of the next, where nothing is set
        self._row = truth.shape[1] + self._margin
        self._shifts = self._steps[:, 0] * self._row + self._steps[:, 1]
        self._places = self._flat(truth)
        self._number = self._numbered(self._places)
        if self._places.size:
            far = cv2.distanceTransform((~truth).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            self._near = far <= distance + 0.01  # a superset: only saves looking at pixels that can have no partner
        else:
            self._near = np.zeros_like(truth)

    def match(self, pred: Mask) -> Matching:
        """Match the set pixels of a prediction to those of the truth: as many as possible, near ones first.

        Args:
            pred: (H, W) bool.

        Returns:
            A matching of maximum cardinality.
        """
        candidates = self._flat(pred & self._near)
        found, of_truth = self._greedy(candidates)
        if (found < 0).sum() <= (of_truth < 0).sum():
            self._augment(found, of_truth, candidates, self._number)
        else:
            self._augment(of_truth, found, self._places, self._numbered(candidates))
        # (the steps are symmetric, so the truth can look for predictions as well as the other way round)
        of_pred = np.full(int(pred.sum()), -1, dtype=np.int64)
        index = np.flatnonzero(self._near[pred])  # of the candidates among all set pixels
        of_pred[index] = found
        matched = of_truth >= 0
        of_truth[matched] = index[of_truth[matched]]
        return Matching(of_pred, of_truth)

    def _flat(self, mask: Mask) -> Ints:
        """Places of the set pixels in the flat map with margins, in raster order."""
        y, x = np.nonzero(mask)
        return y * self._row + x + self._margin * (self._row + 1)

    def _numbered(self, places: Ints) -> Ints:
        """Flat map with margins: at each of ``places`` its number, elsewhere -1."""
        number = np.full((self.shape[0] + 2 * self._margin + 1) * self._row, -1, dtype=np.int64)
        number[places] = np.arange(places.size)
        return number

    def _greedy(self, candidates: Ints) -> tuple[Ints, Ints]:
        """Partners, -1 where none, of the candidates and of the truth's pixels, taken offset by offset."""
        of_pred = np.full(candidates.size, -1, dtype=np.int64)
        of_truth = np.full(self._places.size, -1, dtype=np.int64)
        free = self._number.copy()
        left, place = np.arange(candidates.size), candidates
        for shift in self._shifts:
            found = free[place + shift]
            hit = found >= 0
            if hit.any():
                of_pred[left[hit]] = found[hit]
                of_truth[found[hit]] = left[hit]
                free[place[hit] + shift] = -1
                left, place = left[~hit], place[~hit]
        return of_pred, of_truth

    def _augment(self, of_near: Ints, of_far: Ints, places: Ints, number: Ints) -> None:
        """Enlarge a matching in place to maximum cardinality.

        Args:
            of_near: (N,) partners of the side that the trees grow from, -1 for none.
            of_far: (M,) partners of the other side.
            places: (N,) places of the first side's pixels.
            number: Numbered map of the other side.
        """
        while (of_near < 0).any() and (of_far < 0).any():
            parent = np.full(of_far.size, -1, dtype=np.int64)  # from which near pixel each far one was reached
            root = np.full(of_near.size, -1, dtype=np.int64)  # tree of each near pixel, named by its first
            done = np.zeros(of_near.size, dtype=bool)  # by tree: it has a path
            front = np.flatnonzero(of_near < 0)
            root[front] = front
            ends = [np.zeros(0, dtype=np.int64)]
            while front.size:
                reached, parents = self._reach(front, places, number, parent)
                parent[reached] = parents
                is_end = of_far[reached] < 0
                trees, first = np.unique(root[parents[is_end]], return_index=True)
                ends.append(reached[is_end][first])
                done[trees] = True
                inner = ~is_end & ~done[root[parents]]
                front = of_far[reached[inner]]
                root[front] = root[parents[inner]]
            tips = np.concatenate(ends)
            if not tips.size:
                return
            while tips.size:  # flip the paths, one step of each at a time, from their ends to their roots
                owner = parent[tips]
                following = of_near[owner]
                of_near[owner], of_far[tips] = tips, owner
                tips = following[following >= 0]

    def _reach(self, front: Ints, places: Ints, number: Ints, parent: Ints) -> tuple[Ints, Ints]:
        """Far pixels that no tree has yet and ``front`` can reach, each once, and who reaches them."""
        far, near = [], []
        for part in np.array_split(front, 1 + front.size * self._shifts.size // _CHUNK):
            found = number[places[part][:, None] + self._shifts]  # (F, K)
            who, which = np.nonzero(found >= 0)
            found, who = found[who, which], part[who]
            new = parent[found] < 0
            far.append(found[new])
            near.append(who[new])
        reached, first = np.unique(np.concatenate(far), return_index=True)
        return reached, np.concatenate(near)[first]


_CHUNK = 2_000_000
"""Pairs of a pixel and an offset that are looked up at once."""
