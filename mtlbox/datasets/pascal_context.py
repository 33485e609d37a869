"""PASCAL-Context for multi-task learning, as ASTMT's archive ``PASCAL_MT.tgz`` has it.

4998 images to train and 5105 to validate on, named in ``ImageSets/Context/{train,val}.txt``; 2498 of the latter, on
which some codes score boundaries, in ``test_new.txt``, which is not part of every copy. One file per name and folder::

    JPEGImages/*.jpg
    semseg/VOC12/*.png, else semseg/pascal-context/*.png    0..20, 255 is ignored
    human_parts/*.mat                                       annotation of Pascal-Part
    sal_distill/*.png                                       0..255, above 127.5 is salient
    normals_distill/*.png                                   2x/255 - 1
    pascal-context/trainval/*.mat                           ``LabelMap``, 459 classes

Boundaries are where the Laplacian of the LabelMap is not zero, thinned. Normals are predictions of a network of indoor
scenes and are kept on what those have: the classes of the LabelMap whose name is one of NYU Depth v2's 894, and
monitors. Saliency is a prediction as well. The parts of the persons are merged to six; an image without any says
nothing about them. The axes of the normals beyond x, which comes first, are not verified.
Maps that are their picture at another scale are brought to its size, as the archive's own code does; normals before
they are masked.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import cv2
import numpy as np

from mtlbox.datasets.decode import binary_of_picture, normals_of_picture, vectors_of_picture
from mtlbox.datasets.image_file import read_map
from mtlbox.datasets.listed import FileLayout, ListedDataset, MapFiles, Source
from mtlbox.datasets.mat import read_mat
from mtlbox.datasets.sources import is_scaled
from mtlbox.registry import DATASETS
from mtlbox.tasks import Normals
from mtlbox.tasks.base import Array
from mtlbox.tasks.palette import Colour
from mtlbox.tasks.thinning import thin

VOC_CLASSES = (
    'background', 'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow', 'diningtable',
    'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor',
)  # fmt: skip
"""Names of the classes 0..20."""

PARTS = ('background', 'head', 'torso', 'upper arm', 'lower arm', 'upper leg', 'lower leg')
"""Names of the human parts 0..6."""


def voc_colours(count: int) -> tuple[Colour, ...]:
    """Return the first ``count`` RGB colours of PASCAL VOC's colour map.

    The bits of a class number, from the lowest on, are dealt to red, green and blue in turn; what is dealt first is the
    highest bit of its colour.
    """
    return tuple((_dealt(number), _dealt(number >> 1), _dealt(number >> 2)) for number in range(count))


def _dealt(bits: int) -> int:
    return sum((bits >> 3 * place & 1) << 7 - place for place in range(8))


PART_OF = {
    **dict.fromkeys(('hair', 'head', 'lear', 'rear', 'lebrow', 'rebrow', 'leye', 'reye', 'mouth', 'nose'), 1),
    **dict.fromkeys(('neck', 'torso'), 2),
    **dict.fromkeys(('luarm', 'ruarm'), 3),
    **dict.fromkeys(('llarm', 'rlarm', 'lhand', 'rhand'), 4),
    **dict.fromkeys(('luleg', 'ruleg'), 5),
    **dict.fromkeys(('llleg', 'rlleg', 'lfoot', 'rfoot'), 6),
}
"""The human part that each part of a person in Pascal-Part belongs to."""

PERSON = 15
"""``class_ind`` of persons in Pascal-Part."""

CLASSES_WITH_NORMALS = {
    3: 'air conditioner', 4: 'antenna', 6: 'ashtray', 9: 'bag', 10: 'ball', 11: 'balloon', 13: 'barrel',
    15: 'basket', 17: 'bathtub', 18: 'bed', 22: 'bench', 23: 'bicycle', 29: 'blackboard', 30: 'board', 33: 'book',
    34: 'bottle', 36: 'bowl', 37: 'box', 38: 'bracelet', 39: 'brick', 41: 'broom', 43: 'bucket', 46: 'cabinet',
    49: 'cake', 50: 'calculator', 51: 'calendar', 53: 'camera', 55: 'can', 56: 'candle', 59: 'car', 61: 'cart',
    62: 'case', 65: 'cat', 66: 'cd', 68: 'ceiling', 69: 'cell phone', 72: 'chair', 73: 'chessboard', 78: 'clock',
    83: 'coffee machine', 84: 'comb', 85: 'computer', 87: 'cone', 88: 'container', 95: 'corkscrew', 96: 'counter',
    101: 'crate', 104: 'cup', 105: 'curtain', 107: 'cutting board', 111: 'dishwasher', 113: 'dog', 115: 'door',
    122: 'drum', 124: 'duck', 135: 'envelope', 141: 'fan', 142: 'faucet', 143: 'fax machine',
    146: 'fire extinguisher', 150: 'fish tank', 154: 'flag', 157: 'flashlight', 158: 'floor', 159: 'flower',
    165: 'fork', 172: 'fruit', 174: 'furnace', 181: 'glass', 183: 'globe', 184: 'glove', 191: 'guitar',
    193: 'hammer', 195: 'handle', 197: 'hanger', 199: 'hat', 202: 'heater', 213: 'ipod', 215: 'ironing board',
    216: 'jar', 219: 'key', 220: 'keyboard', 223: 'knife', 225: 'ladder', 228: 'laptop', 230: 'lid', 232: 'light',
    233: 'light bulb', 238: 'lock', 239: 'machine', 242: 'map', 243: 'mask', 246: 'mattress', 250: 'microphone',
    251: 'microwave', 252: 'mirror', 255: 'money', 260: 'mouse', 261: 'mouse pad', 263: 'napkin', 269: 'oven',
    272: 'pan', 273: 'paper', 275: 'paper cutter', 281: 'pen', 283: 'pencil', 284: 'person', 285: 'photo',
    286: 'piano', 287: 'picture', 288: 'pig', 290: 'pillow', 291: 'pipe', 292: 'pitcher', 293: 'plant', 295: 'plate',
    304: 'pool table', 307: 'pot', 309: 'printer', 310: 'projector', 314: 'radiator', 315: 'radio',
    319: 'range hood', 323: 'remote control', 329: 'rope', 330: 'rug', 331: 'ruler', 336: 'scale', 342: 'sculpture',
    345: 'sewing machine', 349: 'shelves', 350: 'shoe', 351: 'shopping cart', 352: 'shovel', 355: 'sign',
    357: 'sink', 368: 'sofa', 370: 'spatula', 371: 'speaker', 374: 'spoon', 379: 'stapler', 380: 'stick',
    383: 'stool', 384: 'stove', 397: 'table', 401: 'tape', 403: 'telephone', 405: 'tent', 407: 'toaster',
    408: 'toilet', 411: 'toothbrush', 412: 'towel', 413: 'toy', 414: 'toy car', 417: 'trampoline', 419: 'tray',
    421: 'tricycle', 423: 'trophy', 427: 'tvmonitor', 429: 'typewriter', 430: 'umbrella', 432: 'vacuum cleaner',
    440: 'wall', 441: 'wallet', 442: 'wardrobe', 443: 'washing machine', 444: 'watch', 446: 'water dispenser',
    454: 'window', 457: 'wire',
}  # fmt: skip
"""Numbers and names of the LabelMap's classes on which normals are kept."""

_LAST = 459  # number of the LabelMap's last class; 0 is none
_WITH_NORMALS = np.array(sorted(CLASSES_WITH_NORMALS))
_resize_normals = Normals().resize


def boundaries_of(labels: Array) -> Array:
    """Return 1 on the boundaries between the regions of a LabelMap ``(H, W)``, else 0.

    They are where the Laplacian (4 neighbours) of the class numbers is not zero, thinned: where classes meet in such a
    way that it cancels, there is none.
    """
    laplacian = cv2.Laplacian(labels.astype(np.float32), cv2.CV_32F, ksize=1)  # exact: numbers are below 2**16
    return thin(laplacian != 0).astype(np.uint8)


class LabelMap(NamedTuple):
    """The 459 classes of an image.

    Attributes:
        path: The file.
        labels: Whole numbers ``(H, W)``.
    """

    path: str
    labels: Array


def read_label_map(path: str) -> LabelMap:
    """Return the LabelMap of a file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds none, holds other numbers than 0..459, or is damaged; the message names the file.
    """
    labels = read_mat(path, 'LabelMap')
    if labels.ndim != 2 or labels.dtype.kind not in 'iuf':
        raise ValueError(
            f'{path}: LabelMap must be numbers (H, W), but has shape {labels.shape} and type {labels.dtype}.'
        )
    wrong = labels[~((labels >= 0) & (labels <= _LAST) & (np.rint(labels) == labels))]  # NaN as well
    if wrong.size:
        raise ValueError(f'{path}: LabelMap must hold whole numbers 0..{_LAST}, but holds {wrong[0]:g}.')
    return LabelMap(path, labels)


def _boundary(found: LabelMap) -> Array:
    return boundaries_of(found.labels)


def _normals(path: str, found: LabelMap) -> Array:
    normals, labels = normals_of_picture(path), found.labels
    if is_scaled(normals.shape[:2], labels.shape):
        normals = _resize_normals(normals, labels.shape)
    else:
        raise ValueError(f'{path} is {normals.shape[0]}x{normals.shape[1]}, but {found.path} has {labels.shape}.')
    normals[~np.isin(labels, _WITH_NORMALS)] = 0
    return normals


def read_human_parts(path: str) -> Array:
    """Return the human parts 0..6 ``(H, W)`` of an annotation of Pascal-Part; all 0 where no person shows any.

    Raises:
        ValueError: The file is no such annotation, or names a part of a person that is not known.
    """
    anno = read_mat(path, 'anno')
    try:
        objects = anno['objects'][0, 0].ravel()
        parts = np.zeros(objects[0]['mask'].shape, dtype=np.uint8)
        persons = [one for one in objects if int(one['class_ind'].item()) == PERSON]
        named = [(str(part['part_name'].item()), part['mask']) for one in persons for part in _parts_of(one)]
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{path} is not an annotation of Pascal-Part: {error}.') from None
    for name, mask in named:
        if name not in PART_OF:
            raise ValueError(f'{path} names a part {name!r} of a person; known are {", ".join(sorted(PART_OF))}.')
        if mask.shape != parts.shape:
            raise ValueError(
                f'{path}: the mask of {name!r} has shape {mask.shape}, but that of the object {parts.shape}.'
            )
        np.putmask(parts, mask, PART_OF[name])
    return parts


def _parts_of(one: Any) -> Any:
    return one['parts'].ravel() if one['parts'].dtype.names else ()


def _human_parts(path: str) -> Array:
    """As :func:`read_human_parts`, but all 255 where there are none."""
    parts = read_human_parts(path)
    return parts if parts.any() else np.full_like(parts, 255)


_LABEL_MAPS = Source.at('pascal-context/trainval/{name}.mat', decode=read_label_map)


@DATASETS.register_module()
class PASCALContext(ListedDataset):
    """PASCAL-Context: 21 classes, human parts, saliency, normals and boundaries.

    What it takes and raises is as in :class:`~mtlbox.datasets.listed.ListedDataset`.
    """

    TITLE = 'PASCAL-Context'
    LISTS = 'ImageSets/Context/{split}.txt'
    LAYOUTS = (
        FileLayout(
            name='pascal',
            title="ASTMT's PASCAL_MT.tgz",
            resample=True,
            images=Source.at('JPEGImages/{name}.jpg'),
            maps={
                'semseg': MapFiles(
                    read_map, (Source.at('semseg/VOC12/{name}.png', 'semseg/pascal-context/{name}.png'),)
                ),
                'human_parts': MapFiles(_human_parts, (Source.at('human_parts/{name}.mat'),)),
                'saliency': MapFiles(binary_of_picture, (Source.at('sal_distill/{name}.png'),)),
                'normals': MapFiles(
                    _normals, (Source.at('normals_distill/{name}.png'), _LABEL_MAPS), vectors_of_picture
                ),
                'boundary': MapFiles(_boundary, (_LABEL_MAPS,)),
            },
        ),
    )
    METAINFO: ClassVar[dict] = {
        'labels': ('semseg', 'human_parts', 'saliency', 'normals', 'boundary'),
        'classes': {'semseg': VOC_CLASSES, 'human_parts': PARTS},
        'palette': {'semseg': voc_colours(21), 'human_parts': voc_colours(7)},
        'gaps': ('human_parts',),
        'sizes': {'train': 4998, 'val': 5105, 'test_new': 2498},
    }
    ORIGIN = (
        'PASCAL_MT.tgz, which the READMEs of facebookresearch/astmt and SimonVandenhende/Multi-Task-Learning-PyTorch '
        'on GitHub offer (PASCALContext.tar.gz of ATRC and InvPT is the same layout). '
        'tools/data.py download fetches the latter.'
    )
