"""The lessons about pitfalls: what torch says to each mistake, and what the prose claims, worked out without torch."""

from __future__ import annotations

import math
import warnings

import pytest
import torch

from tests.lessons.plainly import run

# Torch's own words: the lesson prints them, or they are a warning.
SAYS = {
    "to-makes-nonleaf": "can't optimize a non-leaf Tensor",
    "item-too-early": "'float' object has no attribute 'backward'",
    "detached-loss": "element 0 of tensors does not require grad and does not have a grad_fn",
    "broadcast-loss": "Using a target size (torch.Size([4])) that is different to the input size (torch.Size([4, 1]))",
    "carried-state": "Trying to backward through the graph a second time",
    "numpy-and-grad": "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.",
    "gan-order": "one of the variables needed for gradient computation has been modified by an inplace operation",
    "list-of-tensors": "element 0 of tensors does not require grad and does not have a grad_fn",
}


@pytest.mark.parametrize("slug", SAYS)
def test_torch_says_to_it_what_the_facts_say(slug: str, capsys: pytest.CaptureFixture[str]) -> None:
    warned = run(f"pitfalls/{slug}").warned
    assert SAYS[slug] in capsys.readouterr().out + "\n".join(warned)


def test_the_moved_weight_is_no_leaf_and_the_marked_one_has_the_gradient() -> None:
    names = run("pitfalls/to-makes-nonleaf", "exercise").names
    w = names["w"]
    assert (w.is_leaf, w.grad_fn.name(), w.dtype) == (False, "ToCopyBackward0", torch.float64)
    marked = w.grad_fn.next_functions[0][0].variable
    assert (marked.grad.item(), marked.grad.dtype) == (2 * 1.0, torch.float32)
    assert names["v"].grad_fn is None


def test_the_number_made_a_tensor_again_keeps_the_gradient_for_itself() -> None:
    names = run("pitfalls/item-too-early", "exercise").names
    assert (names["loss"], names["again"].grad.tolist()) == ((1 * 3 - 6) ** 2, [1])


def test_the_cut_part_counts_in_the_loss_and_brings_nothing() -> None:
    names = run("pitfalls/detached-loss", "exercise").names
    assert names["loss"].item() == (2 * 3 - 5) ** 2 + 2**2
    assert (names["fit"].requires_grad, names["size"].requires_grad) == (True, False)


def test_each_guess_is_pulled_towards_the_mean_of_the_targets() -> None:
    names = run("pitfalls/broadcast-loss", "exercise").names
    assert names["apart"].shape == (4, 4)
    assert names["loss"].item() == pytest.approx(2.5)
    pulls = [-sum(2 * (guess - target) for target in range(1, 5)) / 16 for guess in range(1, 5)]
    assert names["pull"].flatten().tolist() == pytest.approx(pulls)
    assert names["pull"].flatten().tolist() == pytest.approx([(2.5 - guess) / 2 for guess in range(1, 5)])
    # With shapes alike, a right guess has neither loss nor pull.
    right = torch.nn.functional.mse_loss(names["guess"].squeeze(1), names["target"])
    (pull,) = torch.autograd.grad(right, names["guess"])
    assert (right.item(), pull.abs().sum().item()) == (0, 0)


def test_binary_cross_entropy_refuses_such_shapes() -> None:
    with pytest.raises(ValueError, match="Using a target size"):
        torch.nn.functional.binary_cross_entropy(torch.full((4, 1), 0.5), torch.ones(4))


def test_each_pass_with_a_kept_graph_is_longer() -> None:
    names = run("pitfalls/carried-state", "exercise").names
    h, tanhs = names["h"].grad_fn, 0
    while h is not None:
        assert h.name() == "TanhBackward0"
        tanhs += 1
        h = h.next_functions[0][0].next_functions[1][0]
    assert tanhs == 3
    # The gradient by hand: each iteration's loss, back through all iterations before it.
    values, derivative, total, before = [], 0.0, 0.0, 0.0
    for x in (1.0, 2.0, 3.0):
        before = math.tanh(0.5 * x + before)
        derivative = (1 - before**2) * (x + derivative)
        total += 2 * (before - 0.5) * derivative
        values.append(before)
    assert names["w"].grad.item() == pytest.approx(total, rel=1e-4)
    assert names["h"].item() == pytest.approx(values[-1], rel=1e-4)


def test_a_kept_graph_fails_all_the_same_once_an_optimizer_steps() -> None:
    w = torch.tensor(0.5, requires_grad=True)
    u = torch.tensor(0.5, requires_grad=True)
    optimizer = torch.optim.SGD([w, u], lr=0.1)
    h = torch.tanh(w)
    ((h - 0.5) ** 2).backward(retain_graph=True)
    optimizer.step()
    h = torch.tanh(w * 2 + u * h)
    ((h - 0.5) ** 2).backward(retain_graph=True)
    optimizer.step()
    h = torch.tanh(w * 3 + u * h)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        ((h - 0.5) ** 2).backward(retain_graph=True)


def test_numpy_wrote_into_what_was_saved() -> None:
    names = run("pitfalls/numpy-and-grad", "exercise").names
    growth = names["growth"]
    assert (growth.item(), growth._version) == (100, 0)
    assert names["percent"].__array_interface__["data"][0] == growth.data_ptr()


def test_a_copy_is_safe_to_write_to() -> None:
    w = torch.tensor([0.0], requires_grad=True)
    growth = w.exp()
    growth.detach().numpy().copy()[0] = 100
    growth.backward()
    assert w.grad is not None
    assert w.grad.item() == 1


def test_the_plain_tensor_has_a_gradient_and_is_in_no_list() -> None:
    model = run("pitfalls/plain-tensor-module", "exercise").names["model"]
    names = {"layer.weight", "layer.bias"}
    assert {name for name, _ in model.named_parameters()} == set(model.state_dict()) == names
    assert model.scale.grad is not None
    assert model.scale.item() == 5  # as the copy should have been
    moved = model.to(torch.float64)
    assert (moved.layer.weight.dtype, moved.scale.dtype) == (torch.float64, torch.float32)


def test_dropout_ignores_no_grad_and_the_graph_ignores_eval() -> None:
    names = run("pitfalls/eval-and-no-grad", "exercise").names
    assert names["y"].tolist() == [3] * 6
    assert set(names["z"].tolist()) == {0, 6}
    assert not names["z"].requires_grad


def test_batch_norm_learns_from_a_test_under_no_grad() -> None:
    norm = torch.nn.BatchNorm1d(1)
    with torch.no_grad():
        norm(torch.tensor([[10.0], [20.0]]))
    assert norm.running_mean is not None
    assert norm.running_mean.item() == pytest.approx(0.1 * 15)


def test_batch_norm_in_eval_uses_what_it_collected_in_training() -> None:
    norm, batch = torch.nn.BatchNorm1d(1), torch.tensor([[1.0], [3.0]])
    norm(batch)
    mean, variance = 0.1 * 2, 0.9 * 1 + 0.1 * 2
    norm.eval()
    expected = [(value - mean) / math.sqrt(variance + 1e-5) for value in (1, 3)]
    assert norm(batch).flatten().tolist() == pytest.approx(expected, rel=1e-5)


def test_round_keeps_the_graph_and_its_gradient_is_zero_while_comparing_cuts_it() -> None:
    w = torch.tensor(2.7, requires_grad=True)
    rounded = torch.round(w)
    assert rounded.grad_fn is not None
    assert rounded.grad_fn.name() == "RoundBackward0"
    rounded.backward()
    assert w.grad is not None
    assert w.grad.item() == 0
    assert not (w > 2).requires_grad
    assert not torch.stack([w, w]).argmax().requires_grad


def test_the_discriminators_pass_reached_the_generator_in_the_first_order() -> None:
    names = run("pitfalls/gan-order", 1).names
    g, d, lr = 0.5, 0.8, 0.01
    assert names["g"].grad.item() == pytest.approx(2 * d * 2 * g * d * 2, rel=1e-4)
    d -= lr * (2 * d * (2 * g) ** 2 + 2 * (3 * d - 1) * 3)
    assert names["d"].item() == pytest.approx(d, rel=1e-4)
    names = run("pitfalls/gan-order", 2).names
    d -= lr * (2 * d * (2 * g) ** 2 + 2 * (3 * d - 1) * 3)
    g -= lr * 2 * (2 * d * g - 1) * 2 * d
    assert (names["g"].item(), names["d"].item()) == pytest.approx((g, d), rel=1e-4)


def test_where_gives_the_right_value_and_a_gradient_of_nan() -> None:
    names = run("pitfalls/nan-where", "exercise").names
    assert names["y"].tolist() == names["z"].tolist() == [0, 2]
    first, second = names["x"].grad.tolist()
    assert math.isnan(first)
    assert second == 0.25


def test_anomaly_detection_names_the_node_of_the_first_nan() -> None:
    x = torch.tensor([0.0, 4.0], requires_grad=True)
    with warnings.catch_warnings(), torch.autograd.set_detect_anomaly(True):
        warnings.simplefilter("ignore")
        y = torch.where(x > 0, x.sqrt(), 0.0).sum()
        with pytest.raises(RuntimeError, match="SqrtBackward0' returned nan"):
            y.backward()


def test_to_mark_what_torch_tensor_made_brings_nothing() -> None:
    a = torch.tensor(3.0, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.tensor([a * 2, a * a], requires_grad=True).sum().backward()
    assert a.grad is None
