"""Predict all tasks for images of your own: ``python tools/infer.py CONFIG CHECKPOINT IMAGE|FOLDER|VIDEO --out DIR``.

For each image, at its own size: ``NAME.png`` with all tasks side by side, ``NAME_TASK.png`` with one task drawn, and
``NAME_TASK.npy`` with its values; with ``--arrays png16`` ``NAME_TASK_16bit.png`` instead (class numbers as they are,
depth in millimetres, normals from -1..1 to 0..65535 as R, G, B = x, y, z, probabilities from 0..1 to 0..65535). A video
yields the same for each frame, and ``NAME.mp4``. ``--out`` must be another folder than the input's, and no two results
may have one name (as ``a_depth.png`` of ``a.png`` and of ``a_depth.png``): nothing is written then.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mtlbox.apis import CfgOptions, MTLInferencer, exit_on_user_error
from mtlbox.datasets import npy
from mtlbox.datasets.image_file import IMAGE_SUFFIXES, read_image, write_png
from mtlbox.visualization import draw_map, draw_tasks

VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.webm')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('input', help='an image, a folder of images, or a video')
    parser.add_argument('--out', required=True, help='folder for the results')
    parser.add_argument('--arrays', choices=['npy', 'png16', 'none'], default='npy', help='how values are written')
    parser.add_argument('--size', nargs='+', metavar='N', help="H W for the network, or 'native'; the config's else")
    parser.add_argument('--batch-size', type=int, default=1, help='images at a time')
    parser.add_argument('--device', help='cuda, cpu, ...; the GPU where there is one')
    parser.add_argument('--ema', action='store_true', help='use the averaged weights')
    parser.add_argument('--overwrite', action='store_true', help='replace results that are there already')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, help='change keys that the config has')
    return parser.parse_args(argv)


def frames_of(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, RGB image) of an image, of the images of a folder, or of the frames of a video."""
    if path.is_dir():
        for file in images_in(path):
            yield file.stem, read_image(file)
    elif path.suffix.lower() in VIDEO_SUFFIXES:
        video = cv2.VideoCapture(str(path))
        count = 0
        while True:
            there, frame = video.read()
            if not there:
                break
            yield f'{path.stem}_{count:06d}', np.ascontiguousarray(frame[..., ::-1])
            count += 1
        if not count:
            raise ValueError(f'{path} has no frame that OpenCV can decode.')
    else:
        yield path.stem, read_image(path)


def images_in(folder: Path) -> list[Path]:
    """Return the images of a folder; raise ValueError where there are none."""
    files = sorted(
        file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith('.')
    )
    if not files:
        raise ValueError(f'{folder} has no images ({", ".join(IMAGE_SUFFIXES)}).')
    return files


def check_input(path: Path, out: Path) -> int | None:
    """Return how many images there will be, if that is known.

    Raises:
        FileNotFoundError: There is nothing to read.
        ValueError: There are no images, or the results would lie among them.
    """
    if not path.exists():
        raise FileNotFoundError(f'There is no {path}.')
    home = path if path.is_dir() else path.parent
    if out.exists() and out.samefile(home):
        raise ValueError(
            f'--out {out} is the folder of the input, whose files could be replaced by results; name another folder.'
        )
    if path.is_dir():
        return len(images_in(path))
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT)) or None
    return 1


class Writer:
    """Writes the results of one image after another into a folder; each file is whole or not there."""

    def __init__(self, out: Path, tasks: dict, arrays: str, overwrite: bool, palettes: dict | None = None) -> None:
        self.out, self.tasks, self.arrays, self.overwrite = out, tasks, arrays, overwrite
        self.palettes = palettes
        out.mkdir(parents=True, exist_ok=True)

    def names(self, name: str) -> list[str]:
        """Return the files that the image called ``name`` is written to."""
        arrays = {'npy': '.npy', 'png16': '_16bit.png', 'none': ''}[self.arrays]
        return [
            f'{name}.png',
            *(f'{name}_{key}.png' for key in self.tasks),
            *(f'{name}_{key}{arrays}' for key in self.tasks if arrays),
        ]

    def check(self, images: list[Path]) -> None:
        """Raise ValueError where a file would be written twice, or is there already; nothing is written yet."""
        origin: dict[str, Path] = {}
        inputs = {image.resolve() for image in images}
        for image in images:
            for file in self.names(image.stem):
                if file in origin:
                    both = f'{origin[file]} and {image}' if origin[file] != image else f'Two results of {image}'
                    raise ValueError(f'{both} would both be written to {self.out / file}; rename an image.')
                origin[file] = image
                if self._path(file).resolve() in inputs:
                    raise ValueError(f'{self.out / file} is an input itself; name another --out.')

    def __call__(self, name: str, image: np.ndarray, maps: dict[str, np.ndarray]) -> np.ndarray:
        """Write ``maps`` of ``image`` and return the picture of all tasks."""
        overview = draw_tasks(image, {'prediction': maps}, self.tasks, palettes=self.palettes)
        self._png(f'{name}.png', overview)
        for key, task in self.tasks.items():
            self._png(f'{name}_{key}.png', draw_map(task, maps[key], self.palettes))
            if self.arrays == 'npy':
                npy.save(self._path(f'{name}_{key}.npy'), maps[key])
            elif self.arrays == 'png16':
                self._png(f'{name}_{key}_16bit.png', task.to_uint16(maps[key]))
        return overview

    def _path(self, file: str) -> Path:
        path = self.out / file
        if path.exists() and not self.overwrite:
            raise ValueError(f'{path} is there already; give --overwrite to replace it, or another --out.')
        return path

    def _png(self, file: str, picture: np.ndarray) -> None:
        write_png(self._path(file), picture)


def network_size(words: list[str] | None) -> tuple[int, int] | str | None:
    """Return what ``--size`` asks for; raise ValueError where that is neither two sizes nor ``native``."""
    if words is None:
        return None
    if words == ['native']:
        return 'native'
    if len(words) == 2 and all(word.isdecimal() and int(word) > 0 for word in words):
        return int(words[0]), int(words[1])
    raise ValueError(f"--size must be two positive numbers of pixels, H W, or 'native', but is {' '.join(words)}.")


def main(argv: list[str] | None = None) -> None:
    """Predict and write."""
    args = parse_args(argv)
    with exit_on_user_error():
        if args.batch_size < 1:
            raise ValueError(f'--batch-size must be at least 1, but is {args.batch_size}.')
        source, size = Path(args.input), network_size(args.size)
        total = check_input(source, Path(args.out))
        inferencer = MTLInferencer(
            args.config, args.checkpoint, device=args.device, size=size, ema=args.ema, cfg_options=args.cfg_options
        )
        write = Writer(Path(args.out), inferencer.tasks, args.arrays, args.overwrite, inferencer.palettes)
        is_video = source.is_file() and source.suffix.lower() in VIDEO_SUFFIXES
        if not is_video:
            write.check(images_in(source) if source.is_dir() else [source])
        video = None
        with tqdm(total=total, unit='image') as bar:
            frames = frames_of(source)
            while batch := list(islice(frames, args.batch_size)):
                for (name, image), maps in zip(batch, inferencer.predict([image for _, image in batch])):
                    overview = write(name, image, maps)
                    if is_video:
                        video = video or _video_writer(source, write, overview)
                        video.write(np.ascontiguousarray(overview[..., ::-1]))
                    bar.update(1)
        if video is not None:
            video.release()
        print(f'Written to {args.out}')


def _video_writer(source: Path, write: Writer, overview: np.ndarray) -> cv2.VideoWriter:
    rate = cv2.VideoCapture(str(source)).get(cv2.CAP_PROP_FPS) or 25.0
    path = write._path(f'{source.stem}.mp4')
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'mp4v'), rate, overview.shape[1::-1])
    if not writer.isOpened():
        raise OSError(f'{path} cannot be written: this OpenCV has no encoder for mp4v, or the folder no room.')
    return writer


if __name__ == '__main__':
    sys.exit(main())
