"""Pictures of images, predictions and labels."""

from mtlbox.visualization.draw import draw_map, draw_tasks, stack_pictures

__all__ = ['draw_map', 'draw_tasks', 'stack_pictures']
