"""Time of the boundary score: ``python tools/benchmarks/boundary.py``.

Scores made-up predictions of made-up boundaries (cells with wavy borders; the prediction is the same lines moved,
blurred, of varying strength, on noise) under a protocol and prints, or with ``--json`` gives as an object, for the
median of several images, in one process and on one core:

- ``image_s``: wall seconds of an image, from the probabilities to the counts at all thresholds;
- ``match_ms``: wall milliseconds of one matching of two maps, over the thresholds at which the maps differ;
- ``matches``: how many matchings an image took, ``pred_pixels`` and ``true_pixels``: the size of the largest one;
- ``odsF``: the score of these images, in percent, to compare implementations with.

``--kind noise`` is the hardest case: a prediction of independent random numbers, such as a network may give before
training, without suppression.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import cv2
import numpy as np
import torch

from mtlbox.evaluation.functional import boundary_counts, boundary_scores
from mtlbox.evaluation.functional.boundary.counts import LEVELS, segment_boundaries
from mtlbox.evaluation.functional.boundary.matching import PixelMatcher
from mtlbox.evaluation.functional.boundary.nms import suppress
from mtlbox.evaluation.protocols import BoundaryProtocol, get_protocol
from mtlbox.tasks.thinning import thin


def make_image(seed: int, height: int, width: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """A prediction (H, W) in 0..1 and the true boundaries (H, W) in 0, 1."""
    rng = np.random.default_rng(seed)

    def smooth(sigma: float) -> np.ndarray:
        field = cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), sigma)
        return field / field.std()

    centres = rng.random((max(2, height * width // 4000), 2)) * (height, width)
    y, x = np.mgrid[:height, :width]
    y, x = y + 3 * smooth(6), x + 3 * smooth(6)
    cell = np.argmin([(y - cy) ** 2 + (x - cx) ** 2 for cy, cx in centres], axis=0)
    truth = np.zeros((height, width), dtype=bool)
    truth[1:] |= cell[1:] != cell[:-1]
    truth[:, 1:] |= cell[:, 1:] != cell[:, :-1]
    truth = thin(truth)
    if kind == 'noise':
        return rng.random((height, width)), truth
    line = cv2.GaussianBlur(np.roll(truth, (1, 2), (0, 1)).astype(np.float64), (0, 0), 1.5)
    strength = np.clip(0.6 + 0.25 * smooth(15), 0, 1)
    return np.clip(line / line.max() * strength + 0.1 * smooth(1.5), 0, 1), truth


def time_matches(pred: np.ndarray, truth: np.ndarray, protocol: BoundaryProtocol) -> list[tuple[float, int, int]]:
    """Seconds, predicted and true pixels of every matching of an image, one for each map that a threshold gives."""
    strength = np.round(pred * LEVELS) / LEVELS
    if protocol.nms_radius is not None:
        strength = suppress(strength, protocol.nms_radius)
    truth = segment_boundaries(truth) if protocol.resegment_truth else truth
    truth = thin(truth) if protocol.thin_truth else truth
    matcher = PixelMatcher(truth, protocol.max_distance * float(np.hypot(*truth.shape)))
    cuts = {int(cut.sum()): cut for cut in (strength >= threshold for threshold in protocol.thresholds)}
    found = []
    for cut in cuts.values():
        thinned = thin(cut)
        start = time.perf_counter()
        matching = matcher.match(thinned)
        found.append((time.perf_counter() - start, matching.pred.size, matching.truth.size))
    return found


def measure(args: argparse.Namespace) -> dict[str, float]:
    """Score the images and time the whole and the matchings."""
    protocol = get_protocol(args.protocol, BoundaryProtocol)
    seconds, counts, matches = [], [], []
    for seed in range(args.images):
        pred, truth = make_image(seed, *args.size, args.kind)
        start = time.perf_counter()
        counts.append(boundary_counts(pred, truth, **protocol.counting))
        seconds.append(time.perf_counter() - start)
        matches += time_matches(pred, truth, protocol)
    spent, pred_pixels, true_pixels = zip(*matches, strict=True)
    return {
        'image_s': statistics.median(seconds),
        'match_ms': 1000 * statistics.median(spent),
        'matches': len(matches) / args.images,
        'pred_pixels': max(pred_pixels),
        'true_pixels': max(true_pixels),
        'odsF': boundary_scores(np.stack(counts), protocol.interpolate)['odsF'],
    }


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', default='425x560', metavar='HxW', help='default 425x560')
    parser.add_argument('--protocol', default='mtdp', help="default 'mtdp' (99 thresholds, suppression)")
    parser.add_argument('--kind', choices=['lines', 'noise'], default='lines', help='default lines')
    parser.add_argument('--images', type=int, default=3, help='default 3')
    parser.add_argument('--json', action='store_true', help='print JSON only')
    args = parser.parse_args()
    try:
        height, width = args.size.split('x')
        args.size = int(height), int(width)
    except ValueError:
        parser.error(f'--size: expected height and width such as 425x560, got {args.size}')
    if args.images < 1 or min(args.size) < 16:
        parser.error('expected at least one image of at least 16x16')
    try:
        get_protocol(args.protocol, BoundaryProtocol)
    except ValueError as error:
        parser.error(f'--protocol: {error}')
    return args


def main() -> None:
    """Measure and print."""
    args = parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    result = measure(args)
    if args.json:
        print(json.dumps(result))
        return
    height, width = args.size
    print(f'{height}x{width}, {args.kind}, protocol {args.protocol}, {args.images} images, one core')
    print(f'{result["image_s"]:.2f} s an image, {result["match_ms"]:.1f} ms a match, {result["matches"]:.0f} matches')
    print(
        f'at most {result["pred_pixels"]} predicted and {result["true_pixels"]} true pixels; odsF {result["odsF"]:.2f}'
    )


if __name__ == '__main__':
    main()
