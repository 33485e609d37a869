"""The factored cross-task affinity as an autograd function; see :mod:`mtlbox.models.layers.cross_task_affinity`.

Shapes: f features ``(N, B, C, H, W)``, already normalised; v values ``(D, B, Cv, H, W)``; w ``(P, N, k, k)``;
b ``(P,)``, with ``P = H * W`` and ``M = D * Cv``. Matrices are pixel-major, ``(P, channels)``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv2d_weight

# Size of one working buffer (two are in use in backward). On a CPU 8 MB to 100 MB take about the same time; few large
# blocks suffer less from other load, small ones save memory. On a GPU a block should fill the device.
_BLOCK_BYTES = {'cpu': 24 << 20}
_BLOCK_BYTES_DEFAULT = 256 << 20


def autocast_off(x: Tensor) -> contextlib.AbstractContextManager[Any]:
    """Context in which operations on ``x`` keep their dtype."""
    if x.device.type in ('cpu', 'cuda'):
        return torch.autocast(x.device.type, enabled=False)
    return contextlib.nullcontext()


class FactoredAffinity(torch.autograd.Function):
    """Diffused values ``(D, B, Cv, H, W)`` for targets that share ``w``, without a P x P map.

    K is the weight gradient of a k x k convolution from the features (N * C channels) to the values (M channels), so K
    and the gradients that flow through it are plain convolutions and nothing is unfolded. The sum over delta and t is
    one matrix product of X[p, (delta, t, c)] = w[p, t, delta] f_t[c, p] with K, taken over blocks of pixels. Between
    forward and backward only K is kept; X is rebuilt block by block.
    """

    @staticmethod
    def forward(ctx: Any, f: Tensor, v: Tensor, w: Tensor, b: Tensor) -> Tensor:
        """Diffuse ``v``; first derivatives only."""
        out = torch.empty_like(v, memory_format=torch.contiguous_format)
        factors = []
        with autocast_off(f):
            for i in range(f.shape[1]):
                image, target = _image(f[:, i]), _image(v[:, i])
                size = (target.shape[1], image.shape[1], *w.shape[2:])
                kernel = conv2d_weight(image, size, target, padding=w.shape[2] // 2)
                factor = kernel.flatten(2).permute(2, 1, 0).reshape(-1, len(kernel))  # (k * k * N * C, M)
                diffused = v.new_empty(len(w), len(kernel))  # (P, M)
                for rows, x, _, _ in _blocks(f[:, i], w, buffers=1):
                    torch.mm(x.flatten(1), factor, out=diffused[rows])
                diffused.addr_(b, target.sum((0, 2, 3)))
                out[:, i] = diffused.t().view(out[:, i].shape)
                factors.append(factor)
        ctx.save_for_backward(f, v, w, b, *factors)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gradients for f, v, w and b; sums over blocks and samples are kept in float32 or better.

        Raises:
            RuntimeError: If a graph of the gradients is asked for (``create_graph=True``).
        """
        if torch.is_grad_enabled():
            raise RuntimeError(
                'the factored cross-task affinity has first derivatives only, but create_graph=True asks for second '
                "ones: use impl='dense'"
            )
        f, v, w, b, *factors = ctx.saved_tensors
        grad_f, grad_v = torch.empty_like(f), torch.empty_like(v)
        n, c, k = f.shape[0], f.shape[2], w.shape[-1]
        wide = torch.promote_types(f.dtype, torch.float32)
        grad_w = w.new_zeros(len(w), k * k, n, dtype=wide)
        grad_b = b.new_zeros(len(b), dtype=wide)
        with autocast_off(f):
            for i, factor in enumerate(factors):
                image, target = _image(f[:, i]), _image(v[:, i])
                g = grad[:, i].reshape(-1, len(w)).t().contiguous()  # (P, M)
                grad_f_direct = f.new_empty(len(w), n, c)
                grad_factor = torch.zeros_like(factor, dtype=wide)
                for rows, x, grad_x, (f_rows, w_rows) in _blocks(f[:, i], w, buffers=2):
                    _add_product(grad_factor, x.flatten(1).t(), g[rows])
                    torch.mm(g[rows], factor.t(), out=grad_x.flatten(1))
                    torch.mul(grad_x, f_rows, out=x)
                    grad_w[rows] += x.sum(3)
                    torch.sum(grad_x.mul_(w_rows), 1, out=grad_f_direct[rows])
                kernel = grad_factor.to(f.dtype).view(k * k, n * c, -1).permute(2, 1, 0).reshape(-1, n * c, k, k)
                grad_v[:, i] = F.conv2d(image, kernel, b @ g, padding=k // 2).view(v[:, i].shape)
                grad_f[:, i] = F.conv_transpose2d(target, kernel, padding=k // 2).view(f[:, i].shape)
                grad_f[:, i] += grad_f_direct.flatten(1).t().view(f[:, i].shape)
                grad_b += g @ target.sum((0, 2, 3))
        return grad_f, grad_v, grad_w.to(w.dtype).transpose(1, 2).reshape(w.shape), grad_b.to(b.dtype)


def _image(x: Tensor) -> Tensor:
    """(N, C, H, W) → (1, N * C, H, W)"""
    return x.reshape(1, -1, *x.shape[2:])


def _blocks(f: Tensor, w: Tensor, buffers: int) -> Iterator[tuple[slice, Tensor, Tensor, tuple[Tensor, Tensor]]]:
    """Blocks of pixels, for one sample's features (N, C, H, W).

    Yields the slice of pixels, their X (rows, k * k, N, C), the last of ``buffers`` such blocks as scratch, and X's two
    factors (rows, 1, N, C) and (rows, k * k, N, 1). The blocks are overwritten by the next ones.
    """
    (pixels, n, k), c = w.shape[:3], f.shape[1]
    f_pm = f.reshape(-1, pixels).t().contiguous().view(pixels, 1, n, c)
    w_pm = w.flatten(2).transpose(1, 2).contiguous().unsqueeze(3)
    budget = _BLOCK_BYTES.get(f.device.type, _BLOCK_BYTES_DEFAULT)
    size = min(pixels, max(1, budget // (k * k * n * c * f.element_size())))
    storage = f.new_empty(buffers, size, k * k, n, c)
    for start in range(0, pixels, size):
        rows = slice(start, min(start + size, pixels))
        block = storage[:, : rows.stop - start]
        torch.mul(f_pm[rows], w_pm[rows], out=block[0])
        yield rows, block[0], block[-1], (f_pm[rows], w_pm[rows])


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    if total.dtype == left.dtype:
        total.addmm_(left, right)
    else:
        total += left @ right
