"""What a data set says of its labels: that it says enough, and that a model's tasks fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtlbox.registry import TASKS, did_you_mean
from mtlbox.tasks import Task
from mtlbox.tasks.palette import check_palette

_TABLES = ('classes', 'palette', 'units', 'usual', 'label_maps')
"""The parts of the metainfo that are dicts by label."""
_KNOWN = ('labels', 'gaps', *_TABLES, 'sizes', 'scored')


def check_metainfo(owner: str, metainfo: Mapping[str, Any]) -> None:
    """Check that a data set names its labels, and the classes of a label by name and colour or not at all.

    Args:
        owner: Class of the data set, for messages.
        metainfo: Its ``METAINFO``.

    Raises:
        ValueError: Something is missing, unknown, names no label, or is no palette.
    """
    for key in metainfo:
        if key not in _KNOWN:
            near = did_you_mean(str(key), _KNOWN)
            ignored = ' What is ignored is 255 in every map of classes.' if 'ignore' in str(key) else ''
            raise ValueError(f'METAINFO of {owner} has an unknown key {key!r}.{near}{ignored}')
    labels = metainfo.get('labels')
    if labels is None or isinstance(labels, str):
        raise ValueError(f"METAINFO['labels'] of {owner} must be a tuple of names, but is {labels!r}.")
    gaps = metainfo.get('gaps') or ()
    if isinstance(gaps, str):
        raise ValueError(f"METAINFO['gaps'] of {owner} must be a tuple of names, but is {gaps!r}.")
    for name in gaps:
        if name not in labels:
            near = did_you_mean(str(name), [str(label) for label in labels])
            raise ValueError(f"METAINFO['gaps'] of {owner} names {name!r}, which is none of its labels.{near}")
    for table in _TABLES:
        by_label = metainfo.get(table) or {}
        if not isinstance(by_label, Mapping):
            raise ValueError(f"METAINFO['{table}'] of {owner} must be a dict by label, but is {by_label!r}.")
        for name in by_label:
            if name not in labels:
                near = did_you_mean(str(name), [str(label) for label in labels])
                raise ValueError(f"METAINFO['{table}'] of {owner} names {name!r}, which is none of its labels.{near}")
    classes, palettes = metainfo.get('classes') or {}, metainfo.get('palette') or {}
    for name in palettes:
        if name not in classes:
            raise ValueError(
                f"METAINFO['palette'] of {owner} has colours for {name!r}, whose classes METAINFO['classes'] does not "
                'name.'
            )
    for name, names in classes.items():
        if isinstance(names, str) or not isinstance(names, Sequence):
            raise ValueError(f"METAINFO['classes'][{name!r}] of {owner} must be a tuple of names, but is {names!r}.")
        where = f"METAINFO['palette'][{name!r}] of {owner}"
        if name not in palettes:
            raise ValueError(
                f'{where} is missing: RGB of the {len(names)} classes, e.g. distinct_colours({len(names)}) of '
                'mtlbox.tasks.'
            )
        check_palette(palettes[name], len(names), where)


def check_label(owner: str, metainfo: Mapping[str, Any], name: str, task: Task) -> None:
    """Check that a task can read a label.

    Args:
        owner: Class of the data set, for messages.
        metainfo: Its ``METAINFO``.
        name: The label.
        task: The task that is to read it.

    Raises:
        ValueError: The label has other classes or another unit than the task, or its classes are not named.
    """
    classes = (metainfo.get('classes') or {}).get(name)
    if not classes and task.has_classes():
        raise ValueError(
            f"METAINFO['classes'] of {owner} does not name the classes of the label {name!r}, "
            f'of which the task {task.key!r} has {task.channels}.'
        )
    if classes and task.channels != len(classes):
        raise ValueError(
            f'The label {name!r} of {owner} has {len(classes)} classes, but the task {task.key!r} has {task.channels}.'
        )
    unit = (metainfo.get('units') or {}).get(name)
    if unit is not None and task.unit not in ('', unit):
        fitting = [f'type={kind!r}' for kind, other in TASKS.module_dict.items() if other.unit == unit]
        advice = f': use {" or ".join(fitting)}' if fitting else ''
        raise ValueError(
            f'The label {name!r} of {owner} has the unit {unit!r}, which the task {task.key!r} '
            f'({type(task).__name__}) takes for {task.unit!r}{advice}.'
        )
