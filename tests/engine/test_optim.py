"""Mixed precision; on a CPU, torch's own CPU scaler stands in for the one that float16 has on a GPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from mtlbox.engine.optim import AmpOptimWrapper, clip_apart, lay_out_state


def make(model: nn.Module, lr: float = 0.5, **kwargs: Any) -> AmpOptimWrapper:
    return AmpOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=lr), **kwargs)


def linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 2)


def step(wrapper: AmpOptimWrapper, model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    with wrapper.optim_context(model):
        output = model(inputs)
    wrapper.update_params(output.float().square().mean())
    return output


INPUTS = torch.randn(8, 4, generator=torch.Generator().manual_seed(1))


class TestBfloat16:
    def test_is_what_a_cpu_takes(self) -> None:
        model = linear()
        wrapper = make(model)
        assert step(wrapper, model, INPUTS).dtype == torch.bfloat16
        assert model.weight.dtype == torch.float32 and not model.weight.equal(linear().weight)

    def test_is_not_scaled_on_a_gpu_either(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr('mtlbox.engine.optim.get_device', lambda: 'cuda')
        wrapper = make(linear(), dtype='bfloat16')
        assert wrapper.cast_dtype == torch.bfloat16 and not wrapper.loss_scaler.is_enabled()

    def test_works_before_torch_2_3(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(torch.amp, 'GradScaler', raising=False)
        model = linear()
        wrapper = make(model, clip_grad=dict(max_norm=0.1))
        step(wrapper, model, INPUTS)
        assert not model.weight.equal(linear().weight)
        wrapper.load_state_dict(wrapper.state_dict())

    def test_accumulated_and_clipped_equals_the_whole_batch(self) -> None:
        whole, parts = linear(), linear()
        one = make(whole, clip_grad=dict(max_norm=0.05))
        two = make(parts, clip_grad=dict(max_norm=0.05), accumulative_counts=2)
        step(one, whole, INPUTS)
        step(two, parts, INPUTS[:4])
        assert parts.weight.equal(linear().weight), 'updated before its time'
        step(two, parts, INPUTS[4:])
        moved = (whole.weight - linear().weight).norm() ** 2 + (whole.bias - linear().bias).norm() ** 2
        assert moved.sqrt().item() == pytest.approx(0.5 * 0.05, rel=1e-4)
        torch.testing.assert_close(parts.weight, whole.weight, rtol=0, atol=2e-4)


@pytest.mark.skipif(not hasattr(torch.amp, 'GradScaler'), reason='a scaler for CPUs needs torch 2.3')
class TestFloat16:
    def scaled(self, model: nn.Module, **kwargs: Any) -> AmpOptimWrapper:
        wrapper = make(model, **kwargs)
        wrapper.loss_scaler = torch.amp.GradScaler('cpu', init_scale=2.0**10)
        return wrapper

    def test_gradients_are_unscaled_before_they_are_clipped(self) -> None:
        plain, model = linear(), linear()
        step(make(plain, clip_grad=dict(max_norm=0.05), accumulative_counts=2), plain, INPUTS)
        wrapper = self.scaled(model, clip_grad=dict(max_norm=0.05), accumulative_counts=2)
        step(wrapper, model, INPUTS)
        assert model.weight.grad.norm() > 500 * plain.weight.grad.norm()
        step(wrapper, model, INPUTS)
        assert (model.weight - linear().weight).norm().item() <= 0.5 * 0.05 * (1 + 1e-4)
        assert not model.weight.equal(linear().weight)

    def test_a_step_that_overflows_is_left_out(self) -> None:
        model = linear()
        wrapper = self.scaled(model, clip_grad=dict(max_norm=1.0))
        with wrapper.optim_context(model):
            loss = model(INPUTS).float().mean()
        wrapper.update_params(loss * 1e37)  # finite, but not once it is scaled
        assert model.weight.equal(linear().weight)
        assert wrapper.loss_scaler.get_scale() == 2.0**9

    def test_needs_a_gpu(self) -> None:
        with pytest.raises(ValueError, match=r"dtype is 'float16', which needs a GPU\. On a CPU take 'bfloat16'"):
            make(linear(), dtype='float16')

    def test_an_idle_scalers_state_is_passed_over(self) -> None:
        saved = make(linear()).state_dict()
        wrapper = self.scaled(linear())
        wrapper.load_state_dict(saved)
        assert wrapper.loss_scaler.get_scale() == 2.0**10

    def test_the_scale_is_kept(self) -> None:
        first, second = self.scaled(linear()), self.scaled(linear())
        first.loss_scaler.scale(torch.ones(()))
        first.loss_scaler.update(64.0)
        second.load_state_dict(first.state_dict())
        assert second.loss_scaler.get_scale() == 64.0


def test_other_types_are_refused() -> None:
    with pytest.raises(ValueError, match="dtype must be one of float16, bfloat16, but is 'float64'"):
        make(linear(), dtype='float64')


class TestClippingApart:
    @staticmethod
    def gradients(limit: float, *, apart: bool, **clip: Any) -> dict[str, torch.Tensor]:
        """Gradients after clipping of two networks and a parameter of neither, from losses of very different size."""
        torch.manual_seed(0)
        model = nn.ModuleDict({'small': linear(), 'large': linear(), 'rest': nn.Linear(1, 1, bias=False)})
        wrapper = make(model, clip_grad=dict(max_norm=limit, **clip))
        if apart:
            clip_apart(wrapper, [model['small'], model['large']])
        wrapper.backward(
            model['small'](INPUTS).square().mean()
            + 100 * model['large'](INPUTS).square().mean()
            + model['rest'].weight[0, 0]
        )
        wrapper._clip_grad()
        return {name: parameter.grad for name, parameter in model.named_parameters()}

    def test_each_part_is_clipped_as_if_it_were_alone(self) -> None:
        unclipped, apart = self.gradients(1e6, apart=False), self.gradients(1.0, apart=True)
        for part in ('small', 'large', 'rest'):
            mine = {name: x for name, x in unclipped.items() if name.startswith(part)}
            norm = torch.stack([x.norm() for x in mine.values()]).norm()
            for name, x in mine.items():
                torch.testing.assert_close(apart[name], x * (1 / norm).clamp(max=1), rtol=1e-4, atol=1e-6)
        together = self.gradients(1.0, apart=False)
        assert together['small.weight'].norm() < 0.1 * apart['small.weight'].norm()

    @pytest.mark.parametrize('spoilt', ['small', 'large'])
    def test_a_norm_that_is_nan_is_logged(self, spoilt: str) -> None:
        model = nn.ModuleDict({'small': linear(), 'large': linear()})
        wrapper = make(model, clip_grad=dict(max_norm=1.0))
        clip_apart(wrapper, list(model.values()))
        for name, parameter in model.named_parameters():
            parameter.grad = torch.full_like(parameter, torch.nan if name.startswith(spoilt) else 1.0)
        assert wrapper.clip_func(list(model.parameters()), **wrapper.clip_grad_kwargs).isnan()

    def test_one_part_or_no_clipping_changes_nothing(self) -> None:
        model = linear()
        for wrapper, parts in ((make(model, clip_grad=dict(max_norm=1.0)), [model]), (make(model), [model, model])):
            before = getattr(wrapper, 'clip_func', None)
            clip_apart(wrapper, parts)
            assert getattr(wrapper, 'clip_func', None) is before


def test_loaded_state_is_laid_out_as_the_weights() -> None:
    """A fused step reads weights and state in the order of memory."""
    torch.manual_seed(0)
    weight, gradients = torch.randn(4, 3, 3, 3), torch.randn(2, 4, 3, 3, 3)
    last = {'memory_format': torch.channels_last}
    ends = []
    for changes in (False, True):
        parameter = nn.Parameter(weight.clone())
        optimizer = torch.optim.AdamW([parameter], lr=0.1, fused=True)
        for gradient in gradients:
            parameter.grad = gradient.clone()
            if optimizer.state and changes:
                saved, parameter = optimizer.state_dict(), nn.Parameter(parameter.detach().clone(**last))
                parameter.grad = gradient.clone(**last)
                optimizer = torch.optim.AdamW([parameter], lr=0.1, fused=True)
                optimizer.load_state_dict(saved)
                lay_out_state(optimizer)
                assert optimizer.state[parameter]['exp_avg'].is_contiguous(**last)
            optimizer.step()
        ends.append(parameter.detach())
    torch.testing.assert_close(ends[1], ends[0])
