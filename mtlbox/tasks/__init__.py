"""The tasks, one file each."""

from mtlbox.tasks.base import Task, build_tasks, usual_tasks
from mtlbox.tasks.binary import BinaryTask
from mtlbox.tasks.boundary import Boundary
from mtlbox.tasks.depth import Depth
from mtlbox.tasks.disparity import Disparity
from mtlbox.tasks.edge import Edge
from mtlbox.tasks.human_parts import HumanParts
from mtlbox.tasks.normals import Normals
from mtlbox.tasks.palette import distinct_colours
from mtlbox.tasks.ranges import RangeTask
from mtlbox.tasks.saliency import Saliency
from mtlbox.tasks.semseg import SemSeg

__all__ = [
    'BinaryTask',
    'Boundary',
    'Depth',
    'Disparity',
    'Edge',
    'HumanParts',
    'Normals',
    'RangeTask',
    'Saliency',
    'SemSeg',
    'Task',
    'build_tasks',
    'distinct_colours',
    'usual_tasks',
]
