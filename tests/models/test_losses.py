import math

import pytest
import torch
from torch.nn import functional as F

from mtlbox.models.losses import (
    BalancedBCELoss,
    CosineLoss,
    CrossEntropyLoss,
    L1Loss,
    PixelLoss,
    check_fit,
    masked_mean,
    share_over_ranks,
)
from mtlbox.tasks import Boundary, Depth, Edge, HumanParts, Normals, Saliency, SemSeg

B, H, W = 2, 3, 4


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def random_mask():
    mask = torch.rand(B, H, W) < 0.6
    assert mask.any() and not mask.all()
    return mask


def pixels(mask):
    return [tuple(index) for index in mask.nonzero().tolist()]


def unit(tensor):
    return tensor / tensor.norm(dim=1, keepdim=True)


def cases():
    """(loss, logits, target) of each loss, with the ignore value's own number where there is no label."""
    generator = torch.Generator().manual_seed(1)
    classes = torch.randint(0, 5, (B, 1, H, W), generator=generator)
    normals = unit(torch.randn(B, 3, H, W, generator=generator))
    depth = torch.rand(B, 1, H, W, generator=generator)
    binary = torch.randint(0, 2, (B, 1, H, W), generator=generator).float()
    return [
        pytest.param(CrossEntropyLoss(), 5, classes, 255, id='ce'),
        pytest.param(CrossEntropyLoss(), 2, binary, 255, id='ce_float_target'),
        pytest.param(L1Loss(), 1, depth, 0, id='l1'),
        pytest.param(L1Loss(normalize=True), 3, normals, 0, id='l1_normals'),
        pytest.param(CosineLoss(), 3, normals, 0, id='cosine'),
        pytest.param(BalancedBCELoss(), 1, binary, 255, id='bce'),
        pytest.param(BalancedBCELoss(), 2, binary, 255, id='bce_softmax'),
    ]


every_loss = pytest.mark.parametrize(('loss', 'channels', 'target', 'ignore'), cases())


@every_loss
class TestEveryLoss:
    def test_ignored_pixels_do_not_count(self, loss, channels, target, ignore):
        logits, mask = torch.randn(B, channels, H, W, requires_grad=True), random_mask()
        target = torch.where(mask[:, None], target, torch.full_like(target, ignore))
        value = loss(logits, target, mask)
        value.backward()
        assert value > 0 and logits.grad.isfinite().all()
        assert not logits.grad.permute(0, 2, 3, 1)[~mask].any()
        assert logits.grad.permute(0, 2, 3, 1)[mask].any(-1).all()
        other = torch.where(mask[:, None], logits.detach(), torch.full_like(logits, 50.0))
        torch.testing.assert_close(loss(other, target, mask), value.detach())

    def test_mean_over_labelled_pixels_equals_a_loop(self, loss, channels, target, ignore):
        logits, mask = torch.randn(B, channels, H, W), random_mask()
        alone = [
            loss(
                logits[b : b + 1, :, y : y + 1, x : x + 1],
                target[b : b + 1, :, y : y + 1, x : x + 1],
                torch.ones(1, 1, 1).bool(),
            )
            for b, y, x in pixels(mask)
        ]
        torch.testing.assert_close(loss(logits, target, mask), torch.stack(alone).mean())

    @pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
    def test_nothing_labelled_is_a_connected_zero(self, loss, channels, target, ignore, dtype):
        logits = torch.randn(B, channels, H, W, dtype=dtype, requires_grad=True)
        target = torch.full_like(target, ignore)
        value = loss(logits, target, torch.zeros(B, H, W).bool())
        assert value.dtype == torch.float32 and value.item() == 0
        value.backward()
        assert logits.grad is not None and not logits.grad.any()

    def test_loss_weight_is_a_factor(self, loss, channels, target, ignore):
        logits, mask = torch.randn(B, channels, H, W), random_mask()
        plain = loss(logits, target, mask)
        settings = {'normalize': True} if getattr(loss, 'normalize', False) else {}
        torch.testing.assert_close(type(loss)(loss_weight=2.5, **settings)(logits, target, mask), 2.5 * plain)

    def test_zero_logits_give_finite_gradients(self, loss, channels, target, ignore):
        logits = torch.zeros(B, channels, H, W, requires_grad=True)
        loss(logits, target, random_mask()).backward()
        assert logits.grad.isfinite().all()


class TestValues:
    def test_cross_entropy(self):
        logits, mask = torch.randn(B, 5, H, W), random_mask()
        target = torch.randint(0, 5, (B, 1, H, W))
        terms = [
            math.log(sum(math.exp(v) for v in logits[b, :, y, x].tolist())) - logits[b, target[b, 0, y, x], y, x].item()
            for b, y, x in pixels(mask)
        ]
        assert CrossEntropyLoss()(logits, target, mask).item() == pytest.approx(sum(terms) / len(terms), rel=1e-5)
        ignored = torch.where(mask[:, None], target, 255)
        reference = F.cross_entropy(logits, ignored[:, 0], ignore_index=255)
        torch.testing.assert_close(CrossEntropyLoss()(logits, ignored, mask), reference)

    def test_l1_of_depth(self):
        logits, target = torch.tensor([[[[1.0, 4.0, 9.0]]]]), torch.tensor([[[[2.0, 2.0, 0.0]]]])
        assert L1Loss()(logits, target, target[:, 0] > 0).item() == pytest.approx(1.5)

    @pytest.mark.parametrize(('average', 'factor'), [('pixels', 1), ('elements', 1 / 3)])
    @pytest.mark.parametrize('normalize', [True, False])
    def test_l1_of_normals(self, average, factor, normalize):
        logits, target, mask = 3 * torch.randn(B, 3, H, W), unit(torch.randn(B, 3, H, W)), random_mask()
        prediction = unit(logits) if normalize else logits
        terms = [
            sum(abs(prediction[b, c, y, x] - target[b, c, y, x]).item() for c in range(3)) for b, y, x in pixels(mask)
        ]
        value = L1Loss(normalize=normalize, average=average)(logits, target, mask)
        assert value.item() == pytest.approx(factor * sum(terms) / len(terms), rel=1e-5)

    def test_l1_average_must_be_known(self):
        with pytest.raises(ValueError, match="average must be 'pixels' or 'elements', but is 'pixel'"):
            L1Loss(average='pixel')

    def test_far_pixels_may_be_left_out(self):
        target = torch.tensor([1.0, 3.0, 6.5535, 9.0]).reshape(1, 1, 1, 4)
        logits = torch.zeros(1, 1, 1, 4, requires_grad=True)
        loss = L1Loss(below=6.5535)(logits, target, torch.tensor([True, True, True, True]).reshape(1, 1, 4))
        assert loss.item() == pytest.approx(2.0)
        loss.backward()
        assert logits.grad.flatten().tolist() == [-0.5, -0.5, 0, 0]

    def test_cosine_is_one_minus_the_cosine_of_the_angle(self):
        angles = torch.tensor([0.0, 30.0, 90.0, 180.0]).deg2rad()
        logits = 5 * torch.stack([angles.sin(), torch.zeros(4), -angles.cos()]).view(1, 3, 1, 4)
        target = torch.tensor([0.0, 0.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, 1, 4)
        each = CosineLoss().per_pixel(logits, target, torch.ones(1, 1, 4).bool())
        torch.testing.assert_close(each[0, 0], torch.tensor([0.0, 1 - math.sqrt(3) / 2, 1.0, 2.0]))

    def test_balanced_cross_entropy(self):
        logits, target = torch.tensor([[[[2.0, -1.0]]]]), torch.tensor([[[[1.0, 0.0]]]])
        expected = (0.95 * -math.log(1 / (1 + math.exp(-2))) + 0.05 * -math.log(1 / (1 + math.exp(-1)))) / 2
        value = BalancedBCELoss(pos_weight=0.95)(logits, target, torch.ones(1, 1, 2).bool())
        assert value.item() == pytest.approx(expected, rel=1e-5)

    def test_half_weight_halves_the_plain_cross_entropy(self):
        logits, target, mask = (
            torch.randn(B, 1, H, W),
            torch.randint(0, 2, (B, 1, H, W)).float(),
            torch.ones(B, H, W).bool(),
        )
        plain = F.binary_cross_entropy_with_logits(logits, target)
        torch.testing.assert_close(BalancedBCELoss(pos_weight=0.5)(logits, target, mask), plain / 2)

    def test_two_channels_are_class_weighted_cross_entropy(self):
        logits, target, mask = torch.randn(B, 2, H, W), torch.randint(0, 2, (B, 1, H, W)).float(), random_mask()
        of_ones = 1 - target[:, 0][mask].mean()
        kept, classes = logits.permute(0, 2, 3, 1)[mask], target[:, 0][mask].long()
        each = F.cross_entropy(kept, classes, weight=torch.stack([1 - of_ones, of_ones]), reduction='none')
        torch.testing.assert_close(BalancedBCELoss(pos_weight=None)(logits, target, mask), each.mean())

    def test_balance_of_the_batch(self):
        """One labelled pixel of four is a one: it weighs 3/4, each of the three zeros 1/4."""
        logits = torch.randn(1, 1, 1, 5)
        target, mask = torch.tensor([[[[0.0, 1.0, 0.0, 0.0, 1.0]]]]), torch.tensor([[[True, True, True, True, False]]])
        each = F.binary_cross_entropy_with_logits(logits, target, reduction='none')[0, 0, 0]
        expected = (0.75 * each[1] + 0.25 * (each[0] + each[2] + each[3])) / 4
        torch.testing.assert_close(BalancedBCELoss(pos_weight=None)(logits, target, mask), expected)

    def test_balance_of_a_batch_without_labels(self):
        logits = torch.randn(1, 1, 2, 2, requires_grad=True)
        value = BalancedBCELoss(pos_weight=None)(logits, torch.full((1, 1, 2, 2), 255.0), torch.zeros(1, 2, 2).bool())
        value.backward()
        assert value.item() == 0 and not logits.grad.any()

    def test_balance_is_that_of_all_ranks(self, monkeypatch):
        """Another rank has 8 zeros among 8 pixels beside 1 among 4 here."""
        monkeypatch.setattr('mtlbox.models.losses.base.all_reduce', lambda counts: counts.add_(8))
        share = share_over_ranks(torch.tensor([[[True, False, False, False]]]), torch.ones(1, 1, 4).bool())
        assert share.item() == pytest.approx(9 / 12)

    @pytest.mark.parametrize('pos_weight', [0, 1, 1.5, -0.1])
    def test_pos_weight_is_a_share(self, pos_weight):
        with pytest.raises(ValueError, match='pos_weight must be between 0 and 1'):
            BalancedBCELoss(pos_weight=pos_weight)


class TestBase:
    def test_masked_mean(self):
        values = torch.tensor([[[1.0, 2.0, float('nan')]]], requires_grad=True)
        mean = masked_mean(values, torch.tensor([[[True, True, False]]]))
        mean.backward()
        assert mean.item() == 1.5 and values.grad.tolist() == [[[0.5, 0.5, 0.0]]]

    def test_count_is_shared_by_the_ranks(self, monkeypatch):
        """Two ranks with 3 and 1 labelled pixels: the mean of their losses is the mean over all four pixels."""
        monkeypatch.setattr('mtlbox.models.losses.base.get_world_size', lambda: 2)
        monkeypatch.setattr('mtlbox.models.losses.base.all_reduce', lambda count: count.fill_(4))
        first = masked_mean(torch.tensor([[[1.0, 2.0, 3.0]]]), torch.ones(1, 1, 3).bool())
        second = masked_mean(torch.tensor([[[10.0, 99.0]]]), torch.tensor([[[True, False]]]))
        assert (first + second).item() / 2 == pytest.approx((1 + 2 + 3 + 10) / 4)

    def test_per_pixel_must_be_defined(self):
        class Nothing(PixelLoss):
            name = 'nothing'

        with pytest.raises(TypeError, match='Nothing does not define per_pixel'):
            Nothing()(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1).bool())


FITTING = {
    'semseg': (SemSeg(num_classes=5), {'CrossEntropyLoss'}),
    'human_parts': (HumanParts(), {'CrossEntropyLoss'}),
    'saliency': (Saliency(), {'BalancedBCELoss'}),
    'two logits': (Saliency(channels=2), {'BalancedBCELoss', 'CrossEntropyLoss'}),
    'boundary': (Boundary(), {'BalancedBCELoss'}),
    'depth': (Depth(), {'L1Loss'}),
    'edge': (Edge(), {'L1Loss'}),
    'normals': (Normals(), {'L1Loss', 'CosineLoss'}),
}


@pytest.mark.parametrize(('task', 'fitting'), FITTING.values(), ids=FITTING)
def test_losses_that_can_train_a_task_and_what_is_said_of_the_others(task, fitting):
    losses = [CrossEntropyLoss(), L1Loss(), CosineLoss(), BalancedBCELoss()]
    assert {type(loss).__name__ for loss in losses if not loss.misfit(task)} == fitting
    for loss in losses:
        if type(loss).__name__ not in fitting:
            with pytest.raises(
                ValueError, match=rf"{type(loss).__name__} cannot train '{task.key}': .* a \w+ has \d"
            ) as said:
                check_fit(loss, task)
            assert {name.strip() for name in str(said.value).partition('fit:')[2][:-1].split(',')} == fitting


def test_depths_have_no_direction():
    with pytest.raises(ValueError, match="L1Loss cannot train 'depth': with normalize it compares directions"):
        check_fit(L1Loss(normalize=True), Depth())
    check_fit(L1Loss(normalize=True), Normals())
    check_fit(torch.nn.Identity(), Depth())  # of another package: not judged
