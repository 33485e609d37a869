"""Straightforward transcriptions of the necks' specifications, with the weights of a neck: ``REFERENCES``.

They take the steps of a specification in order, without anything done for speed: explicit softmax over scores that are
held whole, one source or task at a time, every term of a sum. Tests compare the necks with them, and
``tools/benchmarks/models.py`` times both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def up(x: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(x, tuple(size), mode='bilinear', align_corners=False)


def joint(pyramid: Sequence[Tensor]) -> Tensor:
    return torch.cat([up(x, pyramid[0].shape[-2:]) for x in pyramid], 1)


def tokens_of(x: Tensor) -> Tensor:
    return x.flatten(2).mT


def map_of(tokens: Tensor, size: Sequence[int]) -> Tensor:
    return tokens.mT.reshape(len(tokens), tokens.shape[-1], *size)


def naive_attention(query: Tensor, key: Tensor, value: Tensor, module: Any) -> Tensor:
    """Multi-head attention with the scores of all heads held: ``(B, L, C)``, ``(B, S, C)``, ``(B, S, C)``."""
    weights, biases = module.in_proj_weight.chunk(3), module.in_proj_bias.chunk(3)
    q, k, v = (F.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases))
    q, k, v = (x.unflatten(-1, (module.num_heads, -1)).transpose(1, 2) for x in (q, k, v))  # (B, heads, L or S, c)
    shares = (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1)
    return module.out_proj((shares @ v).transpose(1, 2).flatten(2))


def demt(neck: Any, pyramid: Sequence[Tensor]) -> dict[str, Tensor]:
    """Reduction, mixers, then attention as the neck's ``attention`` says, with torch's or naive products."""
    everywhere = neck.interaction.of_all
    size = pyramid[0].shape[-2:]
    reduced = map_of(neck.reduce(tokens_of(joint(pyramid))), size)
    own = [tokens_of(mixer(reduced)) for mixer in neck.mixers.values()]
    batch, pixels, channels = own[0].shape
    every = torch.cat(own, dim=1)  # (B, T * N, C)
    if everywhere:
        fused = naive_attention(every, every, every, neck.interaction.attention)
    else:
        alone = every.reshape(-1, 1, channels)  # sequences of one token
        fused = naive_attention(alone, alone, alone, neck.interaction.attention).view_as(every)
    fused = neck.interaction.mlp(fused)
    features = {}
    for key, mine in zip(neck.tasks, own):
        block = neck.queries[key]
        if everywhere:
            asked = naive_attention(mine, fused, fused, block.attention)
        else:
            there = fused.view(batch, -1, pixels, channels).transpose(1, 2).flatten(0, 1)  # (B * N, T, C)
            asked = naive_attention(mine.reshape(-1, 1, channels), there, there, block.attention).view_as(mine)
        features[key] = map_of(mine + block.mlp(asked), size)
    return features


def windows(x: Tensor, window: int, shift: int) -> tuple[Tensor, Tensor]:
    """Padded, shifted windows ``(B * windows, N, C)`` of ``(B, H, W, C)``, and which region a pixel is of."""
    height, width = x.shape[1:3]
    x = F.pad(x, (0, 0, 0, -width % window, 0, -height % window))
    rows, columns = x.shape[1:3]
    region = torch.zeros(1, rows, columns, 1, dtype=torch.long, device=x.device)
    for i, down in enumerate((slice(0, rows - window), slice(rows - window, rows - shift), slice(rows - shift, None))):
        across = (slice(0, columns - window), slice(columns - window, columns - shift), slice(columns - shift, None))
        for j, aside in enumerate(across):
            region[:, down, aside] = 3 * i + j

    def cut(maps: Tensor) -> Tensor:
        maps = maps.unflatten(1, (-1, window)).unflatten(3, (-1, window)).transpose(2, 3)
        return maps.flatten(0, 2).flatten(1, 2)

    return cut(x.roll((-shift, -shift), (1, 2)) if shift else x), cut(region)[..., 0]


def window_attention(attention: Any, values: Tensor, source: Tensor, index: int) -> Tensor:
    """Queries and keys of ``source``, values of ``values``, ``(B, H, W, C)`` each, softmax over explicit scores.

    Of the blocks of a stack, which ``index`` counts from 0, every second one is shifted by half a window.
    """
    window, heads = attention.window, attention.num_heads
    shift = index % 2 * (window // 2)
    batch, height, width, channels = values.shape
    own, region = windows(values, window, shift)
    told, _ = windows(source, window, shift)
    weight, bias = attention.qkv.weight.split(channels), attention.qkv.bias.split(channels)
    q, k, v = (F.linear(x, w, b) for x, w, b in zip((told, told, own), weight, bias))
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))  # (B * windows, heads, N, c)
    scores = q @ k.mT * (attention.scale or q.shape[-1] ** -0.5)
    scores = scores + attention.bias[attention.position.flatten()].view(window**2, window**2, heads).permute(2, 0, 1)
    if shift:
        hidden = (region[:, :, None] != region[:, None]) * -1e4  # (windows, N, N)
        scores = scores + hidden.repeat(batch, 1, 1)[:, None]
    out = attention.project((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
    rows, columns = -(-height // window), -(-width // window)
    out = out.view(batch, rows, columns, window, window, channels).transpose(2, 3)
    out = out.reshape(batch, rows * window, columns * window, channels)
    return (out.roll((shift, shift), (1, 2)) if shift else out)[:, :height, :width]


def window_stack(stack: Any, x: Tensor) -> Tensor:
    for index, block in enumerate(stack.blocks):
        normed = block.norm(x)
        x = x + window_attention(block.attention, normed, normed, index)
        x = x + block.mlp(block.mlp_norm(x))
    return stack.norm(x)


def cross_block(block: Any, own: Tensor, others: Sequence[Tensor], index: int) -> Tensor:
    """The ``index``-th cross-task block of a stack with all its parts, one source after another."""
    target = block.norm(own)
    attended = [window_attention(block.attention, target, block.norm(x), index) for x in (own, *others)]
    mapped = [mapping(part) for mapping, part in zip(block.mappings.values(), attended)]
    x = own + attended[0] + block.fusion(torch.cat(mapped, dim=-1))
    return x + block.mlp(block.mlp_norm(x))


def mtformer(neck: Any, pyramid: Sequence[Tensor]) -> dict[str, Tensor]:
    """Reduction, shared stack, tasks' own stacks, and cross-task stacks that see the others as they were before."""
    x = window_stack(neck.shared, neck.reduce(joint(pyramid)).permute(0, 2, 3, 1))
    before = {key: window_stack(stack, x) for key, stack in neck.own.items()}
    features = {}
    for key, stack in neck.cross.items():
        own = before[key]
        if hasattr(stack.blocks[0], 'mappings'):
            for index, block in enumerate(stack.blocks):
                own = cross_block(block, own, [other for name, other in before.items() if name != key], index)
            own = stack.norm(own)
        else:
            own = window_stack(stack, own)
        features[key] = own.permute(0, 3, 1, 2)
    return features


def bilinear(source: Sequence[int], target: Sequence[int], like: Tensor) -> Tensor:
    """Return the matrix of a bilinear resize, ``(pixels after, pixels before)``."""
    pixels = source[0] * source[1]
    images = torch.eye(pixels, device=like.device, dtype=like.dtype).view(1, pixels, *source)
    return up(images, target).flatten(2)[0].T


def tif(neck: Any, pyramid: Sequence[Tensor]) -> dict[str, Tensor]:
    """All terms of the sums, resizes of scores as matrices, one image's attention at a time."""
    sizes = [x.shape[-2:] for x in pyramid]
    shared = []
    for i, fusion in enumerate(neck.fusion):
        x = aligned = fusion.align(pyramid[i])
        if fusion.fuse:
            y = fusion.others(torch.cat([up(z, sizes[i]) for j, z in enumerate(pyramid) if j != i], 1))
            first, relu, second = fusion.mix
            sffx = second(relu(first(torch.cat([aligned, y], 1)))) + aligned
            x = fusion.project(fusion.spatial(sffx).relu())
        shared.append(x)
    maps = {key: [d.project[i](x) for i, x in enumerate(shared)] for key, d in neck.decoders.items()}
    features = {}
    for key, decoder in neck.decoders.items():
        after: list[Tensor] = list(maps[key])
        total: Any = 0
        for scale, sfd in decoder.sfd.items():
            i = int(scale)
            x = tokens_of(maps[key][i])
            z = sfd.norm(x)
            if neck.cross:
                others = [(d.sfd[scale], maps[name][i]) for name, d in neck.decoders.items()]
                keys = torch.stack([s.terms[0](s.norm(tokens_of(other))) for s, other in others]).sum(0)
            else:
                keys = torch.stack([term(z) for term in sfd.terms]).sum(0)
            scores = torch.stack([sfd.query(q) @ k.T / q.shape[-1] ** 0.5 for q, k in zip(z, keys)])
            rx = scores.softmax(2) @ keys + x
            after[i] = map_of(sfd.ffn(rx) + rx, sizes[i])
            grid = bilinear(sizes[i], sizes[2], scores)
            total = total + grid @ scores @ grid.T
        for scale, lthd in decoder.lthd.items():
            i = int(scale)
            x = maps[key][i]
            pooled = F.adaptive_avg_pool2d(x, sizes[2])
            rx = total.softmax(2) @ lthd.value(tokens_of(pooled))
            rx = map_of(lthd.ffn(rx) + rx, sizes[2])
            after[i] = lthd.fuse(torch.cat([up(rx, sizes[i]), x], 1))
        features[key] = decoder.fuse(torch.cat([up(x, sizes[0]) for x in after], 1))
    return features


def exchange(affinity: Any, features: dict[str, Tensor]) -> dict[str, Tensor]:
    """CTAL's steps with one ordinary grouped convolution over interleaved affinities, shared by the tasks."""
    (height, width), tasks = affinity.size, list(affinity.tasks)
    pixels = height * width
    flat = [F.normalize(features[task].flatten(2), dim=1) for task in tasks]  # (B, C, P)
    grams = [x.mT @ x for x in flat]  # (B, P, P) each
    interleaved = torch.stack(grams, 2).view(len(flat[0]), pixels * len(tasks), height, width)
    fused = affinity.fuse(interleaved).flatten(2)  # (B, P, P)
    out = {}
    for task in tasks:
        diffused = (affinity.value[task](features[task]).flatten(2) @ fused.mT).view_as(features[task])
        out[task] = affinity.gamma * diffused + (1 - affinity.gamma) * features[task]
    return out


def ctal(neck: Any, pyramid: Sequence[Tensor]) -> dict[str, Tensor]:
    """Fusion, initial heads, reduction, dense affinity, post-processing."""
    shared = neck.fuse(joint(pyramid))
    reduced = {key: neck.reduce[key](neck.initial_blocks[key](shared)) for key in neck.tasks}
    return {key: neck.post[key](x) for key, x in exchange(neck.affinity, reduced).items()}


def pap_net(neck: Any, pyramid: Sequence[Tensor]) -> dict[str, Tensor]:
    """Fusion, initial heads, reduction, and diffusion along explicit mixed affinities."""
    shared = neck.fuse(joint(pyramid))
    initial = [tokens_of(neck.reduce[key](neck.initial_blocks[key](shared))) for key in neck.tasks]  # (B, P, C)
    over = 1 if neck.normalise_over == 'positions' else 2
    affinities = []
    for x in initial:
        x = F.normalize(x, dim=over)
        affinity = x @ x.mT
        affinities.append(affinity / affinity.sum(1 if neck.divide == 'columns' else 2, keepdim=True))
    features = {}
    for key, first, mix in zip(neck.tasks, initial, neck.mix.softmax(1)):
        mixed = (mix[:, None, None, None] * torch.stack(affinities)).sum(0)
        current = first
        for _ in range(neck.iterations):
            current = neck.beta * mixed @ current + (1 - neck.beta) * first
        features[key] = map_of(current, pyramid[0].shape[-2:])
    return features


REFERENCES: dict[str, Callable[[Any, Sequence[Tensor]], dict[str, Tensor]]] = {
    'CTAL': ctal,
    'DeMT': demt,
    'MTFormer': mtformer,
    'PAPNet': pap_net,
    'TIF': tif,
}
"""A transcription for each neck that has one, by the name of its class; not for every switch of it."""


def has_reference(neck: nn.Module) -> bool:
    """Say whether the transcription knows the neck's switches."""
    name = type(neck).__name__
    if name == 'CTAL':
        return neck.affinity.fusion == 'shared' and neck.affinity.size == neck.feature_size
    if name == 'DeMT':
        if neck.interaction is None or not neck.queries or neck.interaction.kv_stride > 1:
            return False
        reach = next(iter(neck.queries.values())).reach
        return reach != 'none' and isinstance(neck.gated, nn.Identity) and isinstance(neck.reduce[0], nn.Linear)
    if name == 'MTFormer':
        block = next(iter(neck.cross.values())).blocks[0]
        return not hasattr(block, 'mappings') or (
            bool(len(block.mappings))
            and block.fusion is not None
            and block.unmapped_residual
            and not neck.update_others
        )
    return name in REFERENCES
