"""Both forms of the cross-task affinity against its definition and each other, and the module around them."""

import copy
import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mtlbox.models.layers import factored_affinity
from mtlbox.models.layers.cross_task_affinity import (
    CrossTaskAffinity,
    cross_task_affinity_dense,
    cross_task_affinity_factored,
    prefer_factored,
)

FORMS = (cross_task_affinity_dense, cross_task_affinity_factored)


def make_inputs(n=3, targets=3, batch=2, c=4, cv=5, size=(5, 7), k=3, per_task=False, dtype=torch.float64):
    generator = torch.Generator().manual_seed(n + 10 * k + batch)

    def leaf(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()

    pixels = size[0] * size[1]
    lead = (targets,) if per_task else ()
    return (
        leaf(n, batch, c, *size),
        leaf(targets, batch, cv, *size),
        leaf(*lead, pixels, n, k, k),
        leaf(*lead, pixels),
    )


def run(function, inputs):
    """Outputs and the gradients of a fixed weighted sum of them."""
    out = torch.stack(function(*inputs))
    direction = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape).cos()
    return [out.detach(), *torch.autograd.grad((out * direction).sum(), inputs)]


def largest_relative_error(got, expected):
    return max(((g.double() - e.double()).abs().max() / e.double().abs().max()).item() for g, e in zip(got, expected))


def by_definition(features, values, weight, bias):
    """One affinity, one tap and one pixel at a time."""
    n, batch, _, height, width = features.shape
    targets, k = len(values), weight.shape[-1]
    weight = weight.expand(targets, *weight.shape[-4:])
    bias = bias.expand(targets, bias.shape[-1])
    out = torch.zeros_like(values)
    pixels = list(itertools.product(range(height), range(width)))
    for b in range(batch):
        unit = [[features[t, b, :, y, x] / features[t, b, :, y, x].norm() for y, x in pixels] for t in range(n)]
        for d, (p, (y_p, x_p)) in itertools.product(range(targets), enumerate(pixels)):
            for y, x in pixels:
                joint = bias[d, p].clone()
                for t, i, j in itertools.product(range(n), range(k), range(k)):
                    y_q, x_q = y + i - k // 2, x + j - k // 2
                    if 0 <= y_q < height and 0 <= x_q < width:
                        joint += weight[d, p, t, i, j] * (unit[t][p] @ unit[t][y_q * width + x_q])
                out[d, b, :, y_p, x_p] += values[d, b, :, y, x] * joint
    return out


def as_released(features, values, conv):
    """The paper's steps with one ordinary grouped convolution over interleaved affinities, batch 1."""
    n, _, _, height, width = features.shape
    pixels = height * width
    flat = F.normalize(features[:, 0].flatten(2), dim=1)
    gram = flat.transpose(1, 2) @ flat  # (N, P, P)
    interleaved = torch.stack([gram[t, p] for p in range(pixels) for t in range(n)]).view(1, n * pixels, height, width)
    joint = conv(interleaved).view(pixels, pixels)
    return (values[:, 0].flatten(2) @ joint.t()).view_as(values)


@pytest.mark.parametrize('function', FORMS)
@pytest.mark.parametrize('per_task', [False, True])
@pytest.mark.parametrize('k', [1, 3, 5])
def test_definition(function, per_task, k):
    inputs = make_inputs(n=2, targets=2, batch=2, c=3, cv=2, size=(3, 4), k=k, per_task=per_task)
    with torch.no_grad():
        torch.testing.assert_close(torch.stack(function(*inputs)), by_definition(*inputs), rtol=0, atol=1e-12)


@pytest.mark.parametrize('function', FORMS)
def test_ordinary_grouped_convolution(function):
    features, values, _, _ = make_inputs(batch=1)
    conv = nn.Conv2d(3 * 35, 35, 3, padding=1, groups=35, dtype=torch.float64)
    got = torch.stack(function(features, values, conv.weight, conv.bias))
    torch.testing.assert_close(got, as_released(features, values, conv), rtol=0, atol=1e-12)


@pytest.mark.parametrize('per_task', [False, True])
@pytest.mark.parametrize('k', [1, 3, 5, 7])
@pytest.mark.parametrize('shape', [{}, dict(size=(8, 6), batch=1), dict(n=1, targets=2, size=(3, 9)), dict(n=4)])
@pytest.mark.parametrize('block_bytes', [24 << 20, 5000])
def test_forms_agree_in_double(shape, k, per_task, block_bytes, monkeypatch):
    monkeypatch.setitem(factored_affinity._BLOCK_BYTES, 'cpu', block_bytes)  # one block, and many with a rest
    inputs = make_inputs(k=k, per_task=per_task, **shape)
    dense, factored = (run(function, inputs) for function in FORMS)
    for d, f in zip(dense, factored):
        torch.testing.assert_close(f, d, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('per_task', [False, True])
@pytest.mark.parametrize('k', [1, 3, 5])
def test_forms_agree_in_float32(k, per_task):
    inputs = make_inputs(c=32, cv=32, size=(12, 17), k=k, per_task=per_task, dtype=torch.float32)
    exact = run(cross_task_affinity_dense, [x.detach().double().requires_grad_() for x in inputs])
    dense, factored = (run(function, inputs) for function in FORMS)
    assert all(x.dtype == torch.float32 for x in dense + factored)
    assert largest_relative_error(factored, dense) < 1e-4
    assert largest_relative_error(factored, exact) < 1e-5


@pytest.mark.parametrize('per_task', [False, True])
def test_bfloat16_is_as_close_to_exact_as_dense(per_task, monkeypatch):
    monkeypatch.setitem(factored_affinity._BLOCK_BYTES, 'cpu', 50_000)
    inputs = make_inputs(c=32, cv=32, size=(12, 17), per_task=per_task, dtype=torch.bfloat16)
    exact = run(cross_task_affinity_dense, [x.detach().double().requires_grad_() for x in inputs])
    dense, factored = (run(function, inputs) for function in FORMS)
    assert all(x.dtype == torch.bfloat16 for x in dense + factored)
    assert largest_relative_error(dense, exact) < 2e-2
    assert largest_relative_error(factored, exact) < 2e-2


@pytest.mark.parametrize('per_task', [False, True])
@pytest.mark.parametrize('function', FORMS)
def test_gradcheck(function, per_task):
    inputs = make_inputs(n=2, targets=2, batch=2, c=2, cv=2, size=(2, 3), per_task=per_task)
    assert torch.autograd.gradcheck(function, inputs)


def test_factored_refuses_second_derivatives():
    inputs = make_inputs(n=1, targets=1, batch=1)
    with pytest.raises(RuntimeError, match="impl='dense'"):
        torch.autograd.grad(cross_task_affinity_factored(*inputs)[0].sum(), inputs[1], create_graph=True)


@pytest.mark.parametrize('function', FORMS)
def test_wrong_shapes(function):
    features, values, weight, bias = make_inputs()
    with pytest.raises(ValueError, match='expected features'):
        function(features[..., :-1], values, weight, bias)
    with pytest.raises(ValueError, match=r'\(35, 3, k, k\)'):
        function(features, values, weight[:-1], bias[:-1])
    with pytest.raises(ValueError, match='odd k'):
        function(features, values, weight[..., :2, :2], bias)
    with pytest.raises(ValueError, match='expected a bias'):
        function(features, values, weight, bias[:-1])


def test_auto_rule():
    paper = dict(channels=128, num_tasks=3, kernel_size=3)
    assert not prefer_factored(height=24, width=32, **paper)
    assert prefer_factored(height=36, width=48, **paper)
    assert prefer_factored(height=72, width=96, **paper)
    assert prefer_factored(height=72, width=96, **{**paper, 'kernel_size': 7})
    assert not prefer_factored(height=36, width=48, **{**paper, 'kernel_size': 5})


TASKS = ('semseg', 'depth', 'normals')


def make_module(size=(6, 8), **kwargs):
    torch.manual_seed(0)
    return CrossTaskAffinity(**{'tasks': TASKS, 'channels': 4, 'feature_size': size, **kwargs})


def make_features(size=(6, 8), batch=2, tasks=TASKS, channels=4):
    generator = torch.Generator().manual_seed(1)
    return {task: torch.randn(batch, channels, *size, generator=generator) for task in tasks}


@pytest.mark.parametrize('fusion', ['shared', 'per_task'])
def test_module_forms_agree(fusion):
    dense, factored = (make_module(fusion=fusion, impl=impl, gamma=0.7) for impl in ('dense', 'factored'))
    assert (dense.factored, factored.factored) == (False, True)
    factored.load_state_dict(dense.state_dict())
    features = make_features()
    expected = dense(features)
    for task, got in factored(features).items():
        torch.testing.assert_close(got, expected[task], rtol=1e-4, atol=1e-5)


def test_module_mixes_with_gamma():
    features = make_features()
    assert all(torch.equal(make_module(gamma=0.0)(features)[task], features[task]) for task in TASKS)
    module = make_module(gamma=0.25)
    values = [module.value[task](features[task]) for task in TASKS]
    diffused = cross_task_affinity_dense(list(features.values()), values, module.fuse.weight, module.fuse.bias)
    for task, d in zip(TASKS, diffused):
        torch.testing.assert_close(module(features)[task], 0.25 * d + 0.75 * features[task], rtol=1e-4, atol=1e-5)


def test_order_of_the_dict_does_not_matter():
    module, features = make_module(), make_features()
    backwards = module({task: features[task] for task in reversed(TASKS)})
    assert list(backwards) == list(TASKS)
    assert all(torch.equal(backwards[task], x) for task, x in module(features).items())


def test_every_parameter_gets_a_gradient_and_the_published_count():
    module = make_module(fusion='per_task', impl='factored')
    sum(x.square().sum() for x in module(make_features()).values()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
    with torch.device('meta'):
        paper = CrossTaskAffinity(tasks=TASKS, feature_size=(72, 96))
    assert paper.fuse.weight.numel() == 186_624
    assert sum(p.numel() for p in paper.parameters()) == 186_624 + 6_912 + 3 * (128 * 128 * 9 + 128)


@pytest.mark.parametrize('impl', ['dense', 'factored'])
def test_autocast_runs_in_bfloat16_forward_and_backward(impl):
    module, features = make_module(impl=impl, gamma=1.0), make_features()
    exact = copy.deepcopy(module).double()
    expected = exact({task: x.double() for task, x in features.items()})
    with torch.autocast('cpu', torch.bfloat16):
        got = module(features)
    sum(x.float().sum() for x in got.values()).backward()
    sum(x.sum() for x in expected.values()).backward()
    assert largest_relative_error(list(got.values()), list(expected.values())) < 3e-2
    assert largest_relative_error([module.fuse.weight.grad], [exact.fuse.weight.grad]) < 3e-2


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        (dict(tasks=()), 'tasks'),
        (dict(tasks=('depth', 'depth')), 'distinct'),
        (dict(size=(0, 4)), 'feature_size'),
        (dict(kernel_size=2), 'kernel_size'),
        (dict(gamma=1.5), 'gamma'),
        (dict(fusion='pertask'), "'per_task'"),
        (dict(impl='denes'), "'dense'"),
        (dict(on_size_mismatch='interpolated'), "'interpolate'"),
    ],
)
def test_bad_arguments(kwargs, match):
    with pytest.raises(ValueError, match=match):
        make_module(**kwargs)


def test_bad_features():
    module = make_module()
    with pytest.raises(ValueError, match=r'6x9.*6x8.*feature_size=\(6, 9\)'):
        module(make_features(size=(6, 9)))
    with pytest.raises(ValueError, match='normals'):
        module(make_features(tasks=TASKS[:2]))
    with pytest.raises(ValueError, match='boundary'):
        module(make_features(tasks=(*TASKS, 'boundary')))
    with pytest.raises(ValueError, match=r'\(B, 4, H, W\)'):
        module(make_features(channels=3))


def test_load_refuses_another_size():
    outer = nn.Sequential(make_module())
    state = nn.Sequential(make_module(size=(3, 16))).state_dict()  # as many pixels
    with pytest.raises(RuntimeError, match=r"3x16.*6x8.*feature_size=\(3, 16\).*'interpolate'"):
        outer.load_state_dict(state)


@pytest.mark.parametrize('fusion', ['shared', 'per_task'])
@pytest.mark.parametrize('size', [(12, 16), (5, 7), (8, 6)])
def test_load_interpolates(fusion, size):
    source = make_module(fusion=fusion)
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(8.0), indexing='ij')
    ramp = (y * 10 + x).flatten()
    with torch.no_grad():
        for p in source.fuse.parameters():
            p.copy_(ramp.view(-1, *[1] * (p.dim() - 1)) + torch.arange(p[0].numel()).view(p.shape[1:]) * 1000)
    target = make_module(size=size, fusion=fusion, on_size_mismatch='interpolate')
    state = nn.Sequential(source).state_dict()
    before = {key: value.clone() for key, value in state.items()}
    nn.Sequential(target).load_state_dict(state)
    assert all(torch.equal(state[key], value) for key, value in before.items())
    assert target.feature_size.tolist() == list(size)
    # a linear ramp stays one, except within half a source pixel of the border
    h, w = size
    expected_y = ((torch.arange(h) + 0.5) * 6 / h - 0.5).clamp(0, 5)
    expected_x = ((torch.arange(w) + 0.5) * 8 / w - 0.5).clamp(0, 7)
    expected = (expected_y[:, None] * 10 + expected_x).flatten()
    for p in target.fuse.parameters():
        for column, got in enumerate(p.detach().flatten(1).unbind(1) if p.dim() > 1 else [p.detach()]):
            torch.testing.assert_close(got, expected + 1000 * column, rtol=1e-6, atol=2e-3)
    assert torch.equal(target.value['depth'].weight, source.value['depth'].weight)


def test_load_without_stored_size():
    def foreign(size):
        state = make_module(size=size).state_dict()
        del state['feature_size']
        return state

    same = make_module()
    same.load_state_dict(foreign((6, 8)))
    assert same.feature_size.tolist() == [6, 8]
    make_module(on_size_mismatch='interpolate').load_state_dict(foreign((3, 4)))
    with pytest.raises(RuntimeError, match='3x4'):
        make_module().load_state_dict(foreign((3, 4)))
    with pytest.raises(RuntimeError, match='30 pixels'):
        make_module(on_size_mismatch='interpolate').load_state_dict(foreign((5, 6)))


def test_load_refuses_a_size_that_contradicts_the_weights():
    state = make_module().state_dict()
    state['feature_size'] = torch.tensor([5, 5])
    with pytest.raises(RuntimeError, match=r'feature_size=\(5, 5\)'):
        make_module(on_size_mismatch='interpolate').load_state_dict(state)


def test_partial_state_without_the_grouped_convolution_loads():
    state = {key: value for key, value in make_module().state_dict().items() if key.startswith('value')}
    result = make_module().load_state_dict(state, strict=False)
    assert sorted(result.missing_keys) == ['feature_size', 'fuse.bias', 'fuse.weight']


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('k', [1, 3, 5])
def test_forms_agree_on_a_gpu(k):
    inputs = make_inputs(c=32, cv=32, size=(24, 32), k=k, dtype=torch.float32)
    exact = run(cross_task_affinity_dense, [x.detach().double().requires_grad_() for x in inputs])
    on_gpu = [x.detach().cuda().requires_grad_() for x in inputs]
    with torch.backends.cudnn.flags(allow_tf32=False):
        out = torch.stack(cross_task_affinity_factored(*on_gpu))
        direction = torch.linspace(-1, 1, out.numel()).view(out.shape).cos().cuda()
        got = [out.detach(), *torch.autograd.grad((out * direction).sum(), on_gpu)]
    assert largest_relative_error([x.cpu() for x in got], exact) < 1e-4
