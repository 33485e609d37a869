"""The registries: where a name in a config file becomes a component.

There are two kinds.

* ``MODELS``, ``DATASETS``, ``TRANSFORMS``, ``METRICS``, ``HOOKS``, ... are children, in the scope ``mtlbox``, of
  mmengine's registries of the same names, so that mmengine's Runner finds what is registered here.
* ``BACKBONES``, ``NECKS``, ``HEADS``, ``LOSSES`` and ``WEIGHTINGS`` are *role registries*. Each lists its role alone;
  what is registered in one is registered in ``MODELS`` as well, so that everything is buildable through ``MODELS``.

``pkg.Name`` takes a component of another OpenMMLab package, e.g. ``mmpretrain.SwinTransformerV2``; the names inside
that component's own config are then looked up in that package.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from typing import Any

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry as MMEngineRegistry
from torch import nn

from mtlbox.compat import ensure_torchvision

FOREIGN_PACKAGES = ('mmpretrain', 'mmseg')
"""Packages whose components can be named as ``pkg.Name``."""


_MOST_LISTED = 40  # names that a message lists where none is near


class UnknownComponentError(KeyError):
    """A name that a registry does not know, or knows in another role."""

    def __str__(self) -> str:
        return str(self.args[0])


def nearest(name: str, names: Iterable[str], n: int = 3, cutoff: float = 0.5) -> list[str]:
    """Return up to ``n`` of ``names`` that are spelt most like ``name``, letter case aside, best first."""
    spelling = {known.lower(): known for known in names}
    return [spelling[hit] for hit in difflib.get_close_matches(name.lower(), list(spelling), n=n, cutoff=cutoff)]


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return `` Did you mean 'a' or 'b'?``, or the sorted ``names`` where none is near, for the end of a message."""
    names = list(names)
    hits = nearest(name, names)
    if hits:
        return ' Did you mean ' + ' or '.join(repr(hit) for hit in hits) + '?'
    return f' Known: {_listed(names)}.' if names else ''


def _listed(names: Iterable[str]) -> str:
    names = sorted(names)
    more = len(names) - _MOST_LISTED
    return ', '.join(names[:_MOST_LISTED]) + (f' and {more} more' if more > 0 else '')


class Registry(MMEngineRegistry):
    """A registry of mmengine that says which names are near when one is not found."""

    _imported: bool

    def import_from_location(self) -> None:
        """Import the modules that register here; unlike mmengine's, an error in one of them is not swallowed."""
        if not self._imported:
            self._imported = True
            for location in self._locations:
                importlib.import_module(location)

    def get(self, key: str) -> Any:
        """Return what is registered as ``key``; raise :class:`UnknownComponentError` where nothing is."""
        self.import_from_location()
        package, _, _ = key.rpartition('.')
        if package:
            ensure_torchvision()
            _import_foreign(package, key)
        try:
            found = super().get(key)
        except RuntimeError:  # mmengine's word for a name that is no importable object either
            found = None
        if found is None:
            raise UnknownComponentError(self._explain(key))
        return found

    def build(self, cfg: dict, *args: Any, **kwargs: Any) -> Any:
        """Build ``cfg``; the parts of a foreign component (``type='pkg.Name'``) are looked up in its own package."""
        return super().build(self._with_foreign_scope(cfg), *args, **kwargs)

    def _with_foreign_scope(self, cfg: Any) -> Any:
        """Turn ``type='pkg.Name'`` of another package into ``type='Name', _scope_='pkg'``, else return ``cfg``."""
        if not isinstance(cfg, dict) or not isinstance(cfg.get('type'), str):
            return cfg
        package, _, name = cfg['type'].partition('.')
        if package not in FOREIGN_PACKAGES or '.' in name or '_scope_' in cfg:
            return cfg
        _import_foreign(package, cfg['type'])
        if name not in self._foreign_table(package):
            raise UnknownComponentError(self._explain(cfg['type']))
        return {**cfg, 'type': name, '_scope_': package}

    def _foreign_table(self, package: str) -> dict[str, Any]:
        """Return what ``pkg.Name`` can mean here: the components of that package, of the same kind as these."""
        with (self.parent or MODELS).switch_scope_and_registry(package) as registry:
            registry.import_from_location()
            return registry.module_dict if registry.scope == package else {}

    def _foreign_match(self, name: str) -> str | None:
        """Return the ``pkg.Name`` that ``name`` was meant to be; only looked for once a look-up has failed."""
        if self is not MODELS and not isinstance(self, RoleRegistry):
            return None
        for package in FOREIGN_PACKAGES:
            try:
                _import_foreign(package, name)
            except ImportError:
                continue
            if name in self._foreign_table(package):
                return f'{package}.{name}'
        return None

    def known(self) -> dict[str, Any]:
        """Return what a name without a package can mean here: our components, and mmengine's beside them."""
        self.import_from_location()
        tables = [self.module_dict]
        parent = self.parent
        while parent is not None:
            parent.import_from_location()
            tables.append(parent.module_dict)
            parent = parent.parent
        return {name: cls for table in reversed(tables) for name, cls in table.items() if isinstance(name, str)}

    def _explain(self, key: str) -> str:
        package, _, name = key.rpartition('.')
        if package in FOREIGN_PACKAGES:
            return f'{package} has no {self.name} {name!r}.{did_you_mean(name, self._foreign_table(package))}'
        known = self.known()
        hits = nearest(name, known)
        message = f'{key!r} is not a registered {self.name}.'
        if hits:
            message += (
                ' Nearest: ' + ', '.join(f'{hit!r} (in {getattr(known[hit], "__module__", "?")})' for hit in hits) + '.'
            )
        elif known:
            message += f' Registered: {_listed(known)}.'
        foreign = self._foreign_match(key)
        if foreign:
            message += f' Another package has it: write type={foreign!r}.'
        return (
            message + ' If it is yours, name its module in the config: custom_imports = dict('
            "imports=['your_package.your_module'], allow_failed_imports=False)."
        )


class RoleRegistry(Registry):
    """A registry of one role among the models; its entries are in ``MODELS`` too.

    Args:
        role: What its entries are called in messages, e.g. ``'neck'``.
        locations: Modules that are imported before the first look-up.
    """

    def __init__(self, role: str, *, locations: list[str]) -> None:
        super().__init__(role, scope='mtlbox', locations=locations)

    def _register_module(self, module: Any, module_name: Any = None, force: bool = False) -> None:
        MODELS._register_module(module, module_name, force)
        super()._register_module(module, module_name, force)

    def build(self, cfg: dict, *args: Any, **kwargs: Any) -> Any:
        """Build ``cfg`` in this role.

        Raises:
            UnknownComponentError: The type is not registered, or is registered in another role.
            TypeError: A component of another package is not a ``torch.nn.Module``.
        """
        scoped = self._with_foreign_scope(cfg)
        if not isinstance(scoped, dict) or scoped.get('_scope_', 'mtlbox') == 'mtlbox':
            return super().build(scoped, *args, **kwargs)
        built = MODELS.build(scoped, *args, **kwargs)
        if not isinstance(built, nn.Module):
            raise TypeError(f'{cfg["type"]!r} was asked for as a {self.name}, but it builds a {type(built).__name__}.')
        return built

    def get(self, key: str) -> Any:
        """Return what is registered as ``key`` in this role."""
        self.import_from_location()
        name = key.removeprefix('mtlbox.')
        if name in self.module_dict:
            return self.module_dict[name]
        if '.' in name:
            return MODELS.get(name)
        for other in ROLES.values():
            other.import_from_location()
            if other is not self and name in other.module_dict:
                raise UnknownComponentError(
                    f'{name!r} is a registered {other.name}, but a {self.name} is asked for here.'
                    f'{did_you_mean(name, self.module_dict)}'
                )
        raise UnknownComponentError(self._explain(key))


def _import_foreign(package: str, wanted: str) -> None:
    if package not in FOREIGN_PACKAGES:
        return
    ensure_torchvision()
    try:
        importlib.import_module(f'{package}.models')
    except ImportError as error:
        if 'mmcv.ops' in str(error) or 'mmcv._ext' in str(error):
            raise ImportError(
                f'{wanted!r} needs mmcv with compiled operators, and mmcv-lite is installed. Replace it: '
                'pip uninstall -y mmcv-lite && MMCV_WITH_OPS=1 pip install --no-build-isolation "mmcv>=2.0.0,<2.2.0"'
            ) from error
        raise ImportError(f'{wanted!r} needs the package {package}, which does not import: {error}') from error


def _child(name: str, parent: MMEngineRegistry, *locations: str) -> Registry:
    return Registry(name, parent=parent, scope='mtlbox', locations=list(locations))


MODELS = _child('model', mmengine_registry.MODELS, 'mtlbox.models')
DATASETS = _child('dataset', mmengine_registry.DATASETS, 'mtlbox.datasets')
DATA_SAMPLERS = _child('data sampler', mmengine_registry.DATA_SAMPLERS, 'mtlbox.datasets')
TRANSFORMS = _child('transform', mmengine_registry.TRANSFORMS, 'mtlbox.datasets.transforms')
METRICS = _child('metric', mmengine_registry.METRICS, 'mtlbox.evaluation')
EVALUATORS = _child('evaluator', mmengine_registry.EVALUATOR, 'mtlbox.evaluation')
HOOKS = _child('hook', mmengine_registry.HOOKS, 'mtlbox.engine')
LOOPS = _child('loop', mmengine_registry.LOOPS, 'mtlbox.engine')
MODEL_WRAPPERS = _child('model wrapper', mmengine_registry.MODEL_WRAPPERS, 'mtlbox.engine')
OPTIMIZERS = _child('optimizer', mmengine_registry.OPTIMIZERS)
OPTIM_WRAPPERS = _child('optimizer wrapper', mmengine_registry.OPTIM_WRAPPERS, 'mtlbox.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('optimizer wrapper constructor', mmengine_registry.OPTIM_WRAPPER_CONSTRUCTORS)
PARAM_SCHEDULERS = _child('parameter scheduler', mmengine_registry.PARAM_SCHEDULERS, 'mtlbox.engine')
LOG_PROCESSORS = _child('log processor', mmengine_registry.LOG_PROCESSORS)
VISUALIZERS = _child('visualizer', mmengine_registry.VISUALIZERS)
VISBACKENDS = _child('visualizer backend', mmengine_registry.VISBACKENDS)
RUNNERS = _child('runner', mmengine_registry.RUNNERS)
WEIGHT_INITIALIZERS = _child('weight initializer', mmengine_registry.WEIGHT_INITIALIZERS, 'mtlbox.engine')
FUNCTIONS = _child('function', mmengine_registry.FUNCTIONS)

TASKS = Registry('task', scope='mtlbox', locations=['mtlbox.tasks'])
BACKBONES = RoleRegistry('backbone', locations=['mtlbox.models.backbones'])
NECKS = RoleRegistry('neck', locations=['mtlbox.models.necks'])
HEADS = RoleRegistry('head', locations=['mtlbox.models.heads'])
LOSSES = RoleRegistry('loss', locations=['mtlbox.models.losses'])
WEIGHTINGS = RoleRegistry('weighting', locations=['mtlbox.models.weightings'])

ROLES: dict[str, RoleRegistry] = {
    'backbones': BACKBONES,
    'necks': NECKS,
    'heads': HEADS,
    'losses': LOSSES,
    'weightings': WEIGHTINGS,
}
REGISTRIES: dict[str, Registry] = {
    'tasks': TASKS,
    **ROLES,
    'models': MODELS,
    'datasets': DATASETS,
    'transforms': TRANSFORMS,
    'metrics': METRICS,
    'evaluators': EVALUATORS,
    'hooks': HOOKS,
    'optim_wrappers': OPTIM_WRAPPERS,
    'model_wrappers': MODEL_WRAPPERS,
    'loops': LOOPS,
    'param_schedulers': PARAM_SCHEDULERS,
    'data_samplers': DATA_SAMPLERS,
}
"""What ``tools/list_components.py`` prints, by the name it takes."""
