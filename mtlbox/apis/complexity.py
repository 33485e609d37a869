"""Parameters, multiply-accumulate operations (MACs) and activations of a model, for one forward pass.

What is counted:

* **MACs**: multiplications of convolutions and of matrix products (half the FLOPs of
  :mod:`torch.utils.flop_counter`); padding counts like any other input. Everything else (norms, activation functions,
  softmax, interpolation, element-wise products) counts nothing.
* **Attention products**: products of which neither operand is a weight, so QKᵀ, the product of its softmax with V, and
  the like. A weight is a parameter or a buffer of the model, or whatever is computed from these alone without a
  product: a view, a copy, a normalised kernel; but not queries that are projected from learned tokens. Most published
  figures leave attention products out, so both numbers are given.
* **Activations**: the number of values that convolutions and matrix products put out.

Operations are seen where PyTorch dispatches them, so the code inside an ``autograd.Function`` counts too; fused
attention is taken apart first. Compiled operators of other packages are not seen.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from mtlbox.compat import flop_formulas
from mtlbox.config import ConfigError, load_config
from mtlbox.registry import MODELS

WHAT_IS_COUNTED = (
    'MACs are those of convolutions and matrix products, in one forward pass in evaluation mode; all else counts 0. '
    'Attention products are those of which neither operand is a weight. '
    'Activations are the values that convolutions and matrix products put out.'
)
_OUTSIDE = '(elsewhere)'

_aten = torch.ops.aten
_TORCHS = flop_formulas()


def _vector_flops(a: Tensor, b: Tensor, *_: Any, **__: Any) -> int:
    """FLOPs of a matrix ``(M, N)`` or a vector ``(N,)`` times a vector ``(N,)``."""
    return 2 * a.numel()


def _added_vector_flops(_: Tensor, a: Tensor, b: Tensor, *__: Any, **___: Any) -> int:
    return 2 * a.numel()


def _added_batch_flops(_: Tensor, a: Tensor, b: Tensor, *__: Any, **___: Any) -> int:
    """FLOPs of the sum over a batch of ``(B, M, K) @ (B, K, N)``."""
    return 2 * a.numel() * b.shape[-1]


def _attention_flops(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> int:
    """FLOPs of both products of fused attention, ``(B, heads, length, width)`` each."""
    pairs = prod(query.shape[:-1]) * key.shape[-2]
    return 2 * pairs * (query.shape[-1] + value.shape[-1])


def _convolution_backward_flops(
    grad: Tensor, x: Tensor, weight: Tensor, *args: Any, output_mask: Any = None, **_: Any
) -> int:
    """FLOPs of a convolution's gradients: each of those by input and by weight costs what the convolution does."""
    transposed, mask = args[4], output_mask or args[7]
    return 2 * sum(mask[:2]) * weight.numel() * prod((x if transposed else grad).shape[2:]) * x.shape[0]


_FUSED_ATTENTION = [
    getattr(_aten, name)
    for name in (
        '_scaled_dot_product_flash_attention_for_cpu',
        '_scaled_dot_product_flash_attention',
        '_scaled_dot_product_efficient_attention',
        '_scaled_dot_product_cudnn_attention',
        '_scaled_dot_product_fused_attention_overrideable',
    )
    if hasattr(_aten, name)
]
_FORMULAS: dict[Any, Callable[..., int]] = {
    **_TORCHS,
    _aten.mv: _vector_flops,
    _aten.dot: _vector_flops,
    _aten.vdot: _vector_flops,
    _aten.addmv: _added_vector_flops,
    _aten.addmv_: _added_vector_flops,
    _aten.addbmm: _added_batch_flops,
    _aten.addbmm_: _added_batch_flops,
    _aten.addmm_: _TORCHS[_aten.addmm],
    _aten.baddbmm_: _TORCHS[_aten.baddbmm],
    _aten.convolution_backward: _convolution_backward_flops,
    **dict.fromkeys(_FUSED_ATTENTION, _attention_flops),
}
_SECOND_ON = {
    *(_aten.addmm, _aten.baddbmm, _aten.addmv, _aten.addbmm),
    *(_aten.addmm_, _aten.baddbmm_, _aten.addmv_, _aten.addbmm_),
}
"""Products whose operands come after what they are added to; in all others they come first."""


@dataclass
class PartComplexity:
    """The share of one part of the model.

    Attributes:
        params: Number of parameters.
        trainable_params: Those of them that require a gradient.
        macs: Multiply-accumulate operations, attention products included.
        macs_without_attention: The same without attention products.
        activations: Values put out by convolutions and matrix products.
    """

    params: int = 0
    trainable_params: int = 0
    macs: int = 0
    macs_without_attention: int = 0
    activations: int = 0


@dataclass
class Complexity(PartComplexity):
    """Parameters, MACs and activations of a model; see the module's text for what is counted.

    Attributes:
        shape: Shape of the (first) input, ``(1, 3, H, W)`` for one image. All counts are for the whole input.
        device: Where it was counted: ``'meta'`` (shapes alone, no arithmetic) or the device of the model.
        parts: The shares of the model's children, by name; the members of a ``ModuleDict`` or ``ModuleList`` singly.
            Parameters that parts share count in each of them, and once in the total.
    """

    shape: tuple[int, ...] = ()
    device: str = 'meta'
    parts: dict[str, PartComplexity] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain numbers, lists and dicts, ready for JSON."""
        return {**asdict(self), 'shape': list(self.shape)}

    def to_text(self) -> str:
        """Return a table of the parts and the total, and what the numbers mean."""
        rows: list[tuple[str, PartComplexity]] = [*self.parts.items(), ('total', self)]
        width = max(len('part'), *(len(name) for name, _ in rows))
        heads = ('params', 'trainable', 'MACs', 'MACs w/o attention', 'activations')
        lines = [f'Input {"×".join(map(str, self.shape))}, counted on {self.device}.', '']
        lines.append('  '.join([f'{"part":<{width}}', *(f'{head:>{max(11, len(head))}}' for head in heads)]))
        for name, part in rows:
            values = [
                f'{part.params / 1e6:.3f} M',
                f'{part.trainable_params / 1e6:.3f} M',
                f'{part.macs / 1e9:.3f} G',
                f'{part.macs_without_attention / 1e9:.3f} G',
                f'{part.activations / 1e6:.3f} M',
            ]
            cells = [f'{value:>{max(11, len(head))}}' for value, head in zip(values, heads)]
            lines.append('  '.join([f'{name:<{width}}', *cells]))
        return '\n'.join([*lines, '', WHAT_IS_COUNTED.replace('. ', '.\n')])


class _Counter(TorchDispatchMode):
    """Adds up FLOPs and activations of every operation that is dispatched while it is active."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.part: str = _OUTSIDE
        self.tallies: dict[str, PartComplexity] = {}  # in FLOPs until they are read
        # Storages are kept alive, or another tensor might get the address of one that is gone.
        weights = [*model.parameters(), *model.buffers()]
        self._weights = {_address(tensor): tensor.untyped_storage() for tensor in weights}
        self._derived: dict[int, Any] = {}  # computed from weights alone

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        packet = getattr(func, '_overloadpacket', None)
        if packet is None:
            return func(*args, **kwargs)
        formula = _FORMULAS.get(packet)
        if formula is None:
            with self:
                out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        out = func(*args, **kwargs)
        if formula is not None:
            self._count(packet, int(formula(*args, **kwargs, out_val=out)), args, out)
        else:
            self._trace(func, args, kwargs, out)
        return out

    def _trace(self, func: Any, args: tuple, kwargs: dict, out: Any) -> None:
        """Note whether ``out`` is computed from weights alone."""
        inputs = list(_tensors((args, kwargs)))
        if inputs and all(self._is_weight(tensor) for tensor in inputs):
            self._derived.update((_address(tensor), tensor.untyped_storage()) for tensor in _tensors((out,)))
        elif self._derived and func._schema.is_mutable:
            for tensor in _tensors((out,)):
                self._derived.pop(_address(tensor), None)

    def _is_weight(self, tensor: Tensor) -> bool:
        address = _address(tensor)
        return address in self._weights or address in self._derived

    def _count(self, packet: Any, flops: int, args: tuple, out: Any) -> None:
        tally = self.tallies.setdefault(self.part, PartComplexity())
        tally.macs += flops
        if packet in _FUSED_ATTENTION:
            attention, outputs = True, [out[0]]
        else:
            first = 1 if packet in _SECOND_ON else 0
            operands = args[first : first + 2]
            if packet is _aten.convolution_backward and not args[10][1]:  # by the input alone: gradient times weight
                operands = args[0], args[2]
            attention = not any(self._is_weight(tensor) for tensor in operands)
            outputs = list(_tensors((out,)))
        if not attention:
            tally.macs_without_attention += flops
        tally.activations += sum(tensor.numel() for tensor in outputs)

    @contextmanager
    def attribute(self, parts: dict[str, nn.Module]) -> Iterator[None]:
        """Attribute what runs inside a module of ``parts``, or inside one of its descendants, to its name."""
        stack: list[str] = []

        def enter(name: str, is_part: bool) -> Callable[..., None]:
            def hook(*_: Any) -> None:
                stack.append(self.part)
                # Descendants matter where a model calls them past the part itself.
                if is_part or self.part == _OUTSIDE:
                    self.part = name

            return hook

        def leave(*_: Any) -> None:
            self.part = stack.pop()

        handles = []
        for name, part in parts.items():
            for module in part.modules():
                handles.append(module.register_forward_pre_hook(enter(name, module is part), prepend=True))
                handles.append(module.register_forward_hook(leave))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def logits(model: nn.Module, images: Tensor) -> Any:
    """Run a multi-task model up to the logits of its heads; ``images`` is ``(B, 3, H, W)``."""
    return model(images, mode='tensor')


class _LinspaceOnCPU(TorchFunctionMode):
    """Keeps one function's results on the CPU, where their values can be read."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function is torch.linspace:
            kwargs.setdefault('device', 'cpu')
        return function(*args, **kwargs)


def build_for_counting(config: dict[str, Any]) -> nn.Module:
    """Build the model of ``config`` on the device ``meta``, without memory for its weights.

    A model that reads numbers back while it is built (other than from ``torch.linspace``, as most read their drop path
    rates) cannot be built there and is built as it is.
    """
    try:
        with torch.device('meta'), _LinspaceOnCPU():
            return MODELS.build(config)
    except RuntimeError as error:
        if 'meta tensor' not in str(error):
            raise
        return MODELS.build(config)


def count_config(path: str | Path, options: Mapping[str, Any] | None = None) -> Complexity:
    """Count a config's model for one image of the config's ``input_size``, on ``meta``.

    Args:
        path: The config file.
        options: Settings that replace the config's, as of :func:`mtlbox.config.load_config`.

    Raises:
        ConfigError: The config or an option is wrong, or the config has no ``input_size``.
    """
    cfg = load_config(path, options, purpose='count')
    if 'input_size' not in cfg:
        raise ConfigError(f'{path} has no input_size, (height, width), so it is not known what to count it for.')
    image = torch.empty(1, 3, *cfg.input_size, device='meta')
    return count_complexity(build_for_counting(cfg.model), image, forward=logits)


def count_complexity(
    model: nn.Module, *inputs: Tensor, forward: Callable[..., Any] | None = None, on_meta: bool = True
) -> Complexity:
    """Count parameters, MACs and activations of ``model`` for one forward pass in evaluation mode.

    The count is made on the ``meta`` device, that is from shapes alone and without memory for weights or
    activations; where some operation cannot run there, the model itself is run instead. ``model`` is left as it is.

    Args:
        model: Any module.
        inputs: What the model is given; only shapes and types matter, unless it must be run. Use a batch of one
            image, ``(1, 3, H, W)``, for numbers per image.
        forward: Called as ``forward(model, *inputs)`` in place of ``model(*inputs)``.
        on_meta: Whether to try the ``meta`` device at all.

    Returns:
        The counts, in all and for each part of the model.

    Raises:
        ValueError: No input is given.
        Exception: Whatever the model raises, e.g. on an input of the wrong size.
    """
    if not inputs:
        raise ValueError('count_complexity(model, *inputs) needs at least one input, e.g. torch.empty(1, 3, 448, 576).')
    call = forward or (lambda module, *args: module(*args))
    device = next((tensor.device for tensor in [*model.parameters(), *model.buffers()]), inputs[0].device)
    counter = None
    if on_meta:
        # An operation without support for `meta` raises one of these; the model then tells, run as it is, whether
        # the fault is its own.
        try:
            counter = _run(_meta_copy(model), [_on_meta(x) for x in inputs], call, torch.device('meta'))
            device = torch.device('meta')
        except (RuntimeError, TypeError):
            if device.type == 'meta':
                raise
    if counter is None:
        real = [torch.zeros_like(x, device=device) if x.is_meta else x.to(device) for x in inputs]
        counter = _run(model, real, call, device)

    total = Complexity(shape=tuple(inputs[0].shape), device=str(device))
    total.params, total.trainable_params = _parameters(model)
    for name, module in _parts(model).items():
        part = counter.tallies.pop(name, PartComplexity())
        part.params, part.trainable_params = _parameters(module)
        if part != PartComplexity():
            total.parts[name] = part
    total.parts.update(counter.tallies)
    for part in total.parts.values():
        part.macs //= 2
        part.macs_without_attention //= 2
        total.macs += part.macs
        total.macs_without_attention += part.macs_without_attention
        total.activations += part.activations
    return total


def _run(model: nn.Module, inputs: list[Tensor], call: Callable[..., Any], device: torch.device) -> _Counter:
    """Run ``model`` once and return the filled counter; training flags are restored afterwards."""
    training = {module: module.training for module in model.modules()}
    model.eval()
    counter = _Counter(model)
    try:
        # `with device` places what the model creates on the way; being a function mode, it also keeps
        # nn.MultiheadAttention and nn.TransformerEncoderLayer from their fused path, which cannot be seen into.
        with torch.no_grad(), device, counter.attribute(_parts(model)), _unfused_attention(), counter:
            call(model, *inputs)
    finally:
        for module, flag in training.items():
            module.training = flag
    return counter


def _unfused_attention() -> AbstractContextManager:
    try:
        from torch.nn.attention import SDPBackend, sdpa_kernel
    except ImportError:  # torch < 2.3
        return torch.backends.cuda.sdp_kernel(enable_flash=False, enable_mem_efficient=False, enable_math=True)
    return sdpa_kernel(SDPBackend.MATH)


def _meta_copy(model: nn.Module) -> nn.Module:
    """Copy ``model`` with its tensors replaced by ones on ``meta``; what is shared stays shared."""
    memo: dict[int, Any] = {}
    for parameter in model.parameters():
        memo[id(parameter)] = nn.Parameter(_on_meta(parameter), requires_grad=parameter.requires_grad)
    for module in model.modules():
        for tensor in _tensors(vars(module)):
            memo.setdefault(id(tensor), _on_meta(tensor))
    return copy.deepcopy(model, memo)


def _on_meta(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor.detach(), device='meta')


def _tensors(values: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested tuples, lists and dicts."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, (tuple, list, dict)):
        members: Iterable[Any] = values.values() if isinstance(values, dict) else values
        for value in members:
            yield from _tensors(value)


def _address(tensor: Tensor) -> int:
    """Identify the storage of ``tensor``, which its views share, on any device (``meta`` included)."""
    return tensor.untyped_storage()._cdata


def _parts(model: nn.Module) -> dict[str, nn.Module]:
    parts: dict[str, nn.Module] = {}
    for name, child in model.named_children():
        if isinstance(child, (nn.ModuleDict, nn.ModuleList)):
            parts.update({f'{name}.{key}': module for key, module in child.named_children()})
        else:
            parts[name] = child
    return parts


def _parameters(module: nn.Module) -> tuple[int, int]:
    """Return the numbers of all and of trainable parameters."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in module.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trainable in sizes if trainable)
