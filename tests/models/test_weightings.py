import math

import pytest
import torch

from mtlbox.models.weightings import FixedWeighting, UncertaintyWeighting
from mtlbox.registry import WEIGHTINGS
from mtlbox.tasks import build_tasks

TASKS = build_tasks(
    {'semseg': {'type': 'SemSeg', 'num_classes': 3}, 'depth': {'type': 'Depth'}, 'saliency': {'type': 'Saliency'}}
)
VALUES = {'semseg': 2.0, 'depth': 0.5, 'saliency': 0.25}


def losses(**values):
    return {key: torch.tensor(value, requires_grad=True) for key, value in (VALUES | values).items()}


def labelled(**shares):
    return {key: torch.tensor(shares.get(key, 1.0)) for key in TASKS}


@pytest.fixture(params=['FixedWeighting', 'UncertaintyWeighting'])
def weighting(request):
    return WEIGHTINGS.build({'type': request.param, 'tasks': TASKS})


class TestEveryWeighting:
    def test_total_grows_with_each_loss(self, weighting):
        given = losses()
        total, logs = weighting(given, labelled())
        total.backward()
        assert total.ndim == 0 and all(loss.grad > 0 for loss in given.values())
        assert all(not value.requires_grad for value in logs.values())

    def test_nothing_labelled_is_a_connected_zero(self, weighting):
        given = losses(semseg=0.0, depth=0.0, saliency=0.0)
        total, _ = weighting(given, labelled(semseg=0.0, depth=0.0, saliency=0.0))
        total.backward()
        assert total.item() == 0 and all(loss.grad is not None for loss in given.values())
        assert all(parameter.grad is not None and not parameter.grad.any() for parameter in weighting.parameters())


class TestFixed:
    def test_plain_sum(self):
        assert FixedWeighting(tasks=TASKS)(losses(), labelled())[0].item() == pytest.approx(2.75)

    def test_weighted_sum(self):
        weighting = FixedWeighting(tasks=TASKS, weights={'depth': 4.0, 'semseg': 0.0})
        assert weighting(losses(), labelled())[0].item() == pytest.approx(4 * 0.5 + 0.25)

    def test_has_no_parameters(self):
        assert not list(FixedWeighting(tasks=TASKS).parameters())

    def test_unknown_task(self):
        with pytest.raises(ValueError, match=r"weights names 'dept', which is not a task\. Did you mean 'depth'\?"):
            FixedWeighting(tasks=TASKS, weights={'dept': 1.0})

    def test_negative(self):
        with pytest.raises(ValueError, match="weight of 'depth' must not be negative, but is -1"):
            FixedWeighting(tasks=TASKS, weights={'depth': -1})


class TestUncertainty:
    def test_kendalls_formula(self):
        """L / s^2 + log s for classification, L / (2 s^2) + log s for regression, with s written out."""
        weighting = UncertaintyWeighting(tasks=TASKS)
        sigma = {'semseg': 1.5, 'depth': 0.3, 'saliency': 2.0}
        with torch.no_grad():
            for key, value in sigma.items():
                weighting.log_variance[key].fill_(math.log(value**2))
        total, logs = weighting(losses(), labelled())
        expected = (
            (2.0 / 1.5**2 + math.log(1.5)) + (0.5 / (2 * 0.3**2) + math.log(0.3)) + (0.25 / 2.0**2 + math.log(2.0))
        )
        assert total.item() == pytest.approx(expected, rel=1e-5)
        weights = {'semseg/weight': 1 / 1.5**2, 'depth/weight': 1 / (2 * 0.3**2), 'saliency/weight': 1 / 4}
        assert {key: value.item() for key, value in logs.items()} == pytest.approx(weights, rel=1e-5)

    def test_mtformers_formula(self):
        """10 w L / s^2 + log s^2 for every task, with the fixed weights of MTFormer on PASCAL-Context."""
        weights = {'depth': 2.0, 'saliency': 30.0}
        weighting = UncertaintyWeighting(tasks=TASKS, form='mtformer', weights=weights)
        sigma = {'semseg': 1.5, 'depth': 0.3, 'saliency': 2.0}
        with torch.no_grad():
            for key, value in sigma.items():
                weighting.log_variance[key].fill_(math.log(value**2))
        total, logs = weighting(losses(), labelled())
        expected = sum(10 * weights.get(key, 1.0) * VALUES[key] / s**2 + math.log(s**2) for key, s in sigma.items())
        assert total.item() == pytest.approx(expected, rel=1e-5)
        assert logs['saliency/weight'].item() == pytest.approx(10 * 30 / 4)

    def test_fixed_weights_stand_beside_the_learnt_ones(self):
        weighting = UncertaintyWeighting(tasks=TASKS, weights={'depth': 4.0})
        given = losses()
        weighting(given, labelled())[0].backward()
        assert given['depth'].grad.item() == pytest.approx(4 * 0.5) and given['semseg'].grad.item() == 1

    def test_unknown_form_and_task(self):
        with pytest.raises(ValueError, match=r"form: expected one of .*, got 'mtformr'; meant 'mtformer'\?"):
            UncertaintyWeighting(tasks=TASKS, form='mtformr')
        with pytest.raises(ValueError, match=r"weights names 'dept', which is not a task\. Did you mean 'depth'\?"):
            UncertaintyWeighting(tasks=TASKS, weights={'dept': 1.0})

    def test_settles_where_the_derivative_is_zero(self):
        """d/ds of L / s^2 + log s vanishes at s^2 = 2 L, of L / (2 s^2) + log s at s^2 = L."""
        weighting = UncertaintyWeighting(tasks=TASKS)
        optimiser = torch.optim.SGD(weighting.parameters(), lr=0.3)
        for _ in range(200):
            optimiser.zero_grad()
            weighting(losses(), labelled())[0].backward()
            optimiser.step()
        variance = {key: parameter.exp().item() for key, parameter in weighting.log_variance.items()}
        assert variance == pytest.approx({'semseg': 4.0, 'depth': 0.5, 'saliency': 0.5}, rel=1e-3)

    def test_unlabelled_task_leaves_its_uncertainty_alone(self):
        weighting = UncertaintyWeighting(tasks=TASKS, init_log_variance=0.7)
        total, _ = weighting(losses(depth=0.0), labelled(depth=0.0))
        total.backward()
        gradients = {key: parameter.grad.item() for key, parameter in weighting.log_variance.items()}
        assert gradients['depth'] == 0 and gradients['semseg'] != 0 and gradients['saliency'] != 0

    def test_partly_labelled_task_counts(self):
        weighting = UncertaintyWeighting(tasks=TASKS)
        weighting(losses(), labelled(depth=0.125))[0].backward()
        assert weighting.log_variance['depth'].grad.item() == pytest.approx(-0.5 * 0.5 + 0.5)

    def test_start(self):
        weighting = UncertaintyWeighting(tasks=TASKS, init_log_variance=-1.0)
        assert {parameter.item() for parameter in weighting.parameters()} == {-1.0}
        assert set(dict(weighting.named_parameters())) == {f'log_variance.{key}' for key in TASKS}
