"""Two processes with sampler padding and missing labels give the scores of one process, to the last bit."""

import math
import os
import pickle
import subprocess
import sys
from pathlib import Path

import mmengine.dist
import pytest
import torch
from mmengine.dataset import DefaultSampler
from torch.utils.data import DataLoader, Dataset

from mtlbox.evaluation import MTLEvaluator

METRICS = [
    {'type': 'SegMetric', 'task': 'semseg', 'protocol': 'pooled-absent-skipped', 'num_classes': 4},
    {'type': 'DepthMetric', 'task': 'depth', 'protocol': 'pixel-pooled'},
    {'type': 'DepthMetric', 'task': 'depth', 'protocol': 'image-mean', 'prefix': 'depth_image'},
    {'type': 'NormalsMetric', 'task': 'normals', 'protocol': 'arccos'},
    {'type': 'SegMetric', 'task': 'human_parts', 'protocol': 'persons-absent-zero', 'num_classes': 4},
    {'type': 'SaliencyMetric', 'task': 'saliency', 'protocol': 'astmt'},
    {'type': 'SaliencyMetric', 'task': 'saliency', 'protocol': 'invpt', 'prefix': 'saliency_pooled'},
    {'type': 'BoundaryMetric', 'task': 'boundary', 'protocol': 'survey', 'workers': 1},
    {'type': 'BoundaryLossMetric', 'task': 'boundary', 'protocol': 'ctal-edge-loss', 'prefix': 'boundary_loss'},
    {'type': 'EdgeMetric', 'task': 'edge', 'protocol': 'vtagml'},
]


class Images(Dataset):
    """Samples that differ much; depth is labelled on one process's images only, normals nowhere."""

    def __init__(self, length):
        self.length = length
        self.metainfo = {}

    def __len__(self):
        return self.length

    @staticmethod
    def binary(generator, truth):
        values = torch.rand(1, 5, 7, generator=generator)
        return (values < 0.3).float() if truth else values

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        scale = 10.0 ** (index % 4)
        sides = [
            {
                'semseg': {'data': torch.randint(0, 4, (1, 5, 7), generator=generator)},
                'depth': {'data': scale * (0.1 + torch.rand(1, 5, 7, generator=generator))},
                'normals': {'data': torch.randn(3, 5, 7, generator=generator)},
                'human_parts': {'data': torch.randint(0, 4, (1, 5, 7), generator=generator) * (index != 1)},
                'saliency': {'data': self.binary(generator, truth)},
                'boundary': {'data': self.binary(generator, truth)},
                'edge': {'data': torch.rand(1, 5, 7, generator=generator)},
            }
            for truth in (True, False)
        ]
        sides[0]['depth']['labelled'] = index % 2 == 0
        sides[0]['normals']['labelled'] = False
        sides[0]['boundary']['labelled'] = index != 2
        return {'sample_idx': index, 'gt': sides[0], 'pred': sides[1]}


def evaluate(collect_dir=None):
    """Scores of 5 images in batches of 2 by the process group, if there is one; also the images that were processed."""
    images = Images(5)
    loader = DataLoader(
        images,
        batch_size=2,
        sampler=DefaultSampler(images, shuffle=False),
        collate_fn=lambda batch: batch,
    )
    evaluator = MTLEvaluator(
        metrics=[cfg | {'collect_dir': collect_dir} for cfg in METRICS],
        baseline='nyuv2-13_hrnet18-small-v2_ctal-paper',
        primary={'semseg': 'mIoU', 'depth': 'relErr', 'normals': 'mErr'},
    )
    seen = []
    for batch in loader:
        seen += [sample['sample_idx'] for sample in batch]
        evaluator.process(batch)
    return evaluator.evaluate(len(images)), seen


def work(rank, folder):
    """What one of two processes does."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/init', rank=rank, world_size=2)
    assert mmengine.dist.get_world_size() == 2
    result = evaluate(collect_dir=f'{folder}/collect')
    (folder / f'{rank}.pkl').write_bytes(pickle.dumps(result))
    torch.distributed.destroy_process_group()


@pytest.mark.dist
def test_two_processes_equal_one(tmp_path):
    # this file run as a program: a test module has no name under which a spawned process could import it
    path = os.pathsep.join(entry for entry in sys.path if entry)
    started = [
        subprocess.Popen([sys.executable, __file__, str(rank), str(tmp_path)], env=os.environ | {'PYTHONPATH': path})
        for rank in range(2)
    ]
    expected, seen = evaluate()
    assert seen == [0, 1, 2, 3, 4]
    try:
        assert [process.wait(timeout=300) for process in started] == [0, 0]
    finally:
        for process in started:
            process.kill()
    ranks = [pickle.loads((tmp_path / f'{rank}.pkl').read_bytes()) for rank in range(2)]
    assert [seen for _, seen in ranks] == [[0, 2, 4], [1, 3, 0]]  # image 0 is there twice
    for scores, _ in ranks:
        assert scores.keys() == expected.keys()
        for key, score in expected.items():
            assert scores[key] == score or (math.isnan(score) and key.startswith('normals/')), key
    assert {key for key, score in expected.items() if math.isnan(score)} == {
        key for key in expected if key.startswith('normals/')
    }


if __name__ == '__main__':
    work(int(sys.argv[1]), Path(sys.argv[2]))
