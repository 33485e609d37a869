"""The few places where mtlbox bends to the versions of the libraries around it."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.utils import _pytree, flop_counter

_NMS_MISSING = 'operator torchvision::nms does not exist'
_schemas: list[torch.library.Library] = []  # a library is unregistered when it is collected


def ensure_torchvision() -> None:
    """Make ``import torchvision`` work where its compiled part does not fit the installed torch.

    The wheel of torchvision beside a CPU-only torch fails at import with
    "operator torchvision::nms does not exist". Its Python half, which is all
    that mmengine, mmpretrain and timm need, works once the schemas of the two
    missing operators are declared. Nothing is done where torchvision imports,
    is absent, or fails with any other error: that error is left for the
    import that needs torchvision.

    Call this before the first ``Runner`` is made and before ``mmpretrain.models`` or ``timm`` is imported.
    """
    if 'torchvision' in sys.modules:
        return
    try:
        importlib.import_module('torchvision')
    except ImportError:
        return
    except RuntimeError as error:
        if _NMS_MISSING not in str(error):
            raise
        for name in [m for m in sys.modules if m == 'torchvision' or m.startswith('torchvision.')]:
            del sys.modules[name]
        library = torch.library.Library('torchvision', 'DEF')
        library.define('nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
        library.define('qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
        _schemas.append(library)
        importlib.import_module('torchvision')
        logging.getLogger('mtlbox').info(
            'The compiled operators of torchvision do not fit this torch (%s); only its Python part is used. '
            'Install the torchvision built for it to get them back.',
            torch.__version__,
        )


def flop_formulas() -> dict[Any, Callable[..., int]]:
    """Return torch's formulas for floating point operations: by operator, of its arguments and ``out_val``."""
    if hasattr(flop_counter, 'flop_registry'):
        return dict(flop_counter.flop_registry)
    # torch 2.1 has them under another name, and they take shapes

    def of_shapes(formula: Callable[..., int]) -> Callable[..., int]:
        def of_tensors(*args: Any, out_val: Any = None, **kwargs: Any) -> int:
            args, kwargs, shape = _pytree.tree_map(flop_counter.get_shape, (args, kwargs, out_val))
            return formula(*args, **kwargs, out_shape=shape)

        return of_tensors

    return {operator: of_shapes(formula) for operator, formula in vars(flop_counter)['flop_mapping'].items()}


def is_compiling() -> bool:
    """Say whether ``torch.compile`` is tracing what runs; a public name since torch 2.3."""
    if hasattr(torch.compiler, 'is_compiling'):
        return torch.compiler.is_compiling()
    return importlib.import_module('torch._dynamo').is_compiling()
