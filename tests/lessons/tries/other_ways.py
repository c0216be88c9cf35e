"""Ways to solve an exercise that are as right as the lesson's own."""

from __future__ import annotations

OTHER_WAYS = {
    "backprop/retain-graph/two-losses": (
        "s = torch.tensor(3.0, requires_grad=True)\nh = s * s\n"
        "((h - 4) ** 2).backward(retain_graph=True)\n((h - 10) ** 2).backward()"
    ),
    "training/forgot-zero/cleared": (
        'order = ["w.grad = None", "loss = (w * x - target) ** 2", "loss.backward()", "w -= lr * w.grad"]'
    ),
    "pitfalls/plain-tensor-module/hidden-layers": (
        "class Stack(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.all = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1))\n"
        "    def forward(self, x):\n        return self.all(x)"
    ),
    "pitfalls/eval-and-no-grad/evaluate": (
        "@torch.inference_mode()\ndef evaluate(net, x):\n    was = net.training\n    net.eval()\n"
        "    answer = net(x)\n    net.train(was)\n    return answer"
    ),
    "pitfalls/gan-order/pulled": (
        "def train_step(g, d, g_optimizer, d_optimizer):\n    d_optimizer.zero_grad()\n    fake = g * 2\n"
        "    ((d * fake.detach()) ** 2 + (d * 3 - 1) ** 2).backward()\n    d_optimizer.step()\n"
        "    g_optimizer.zero_grad()\n    ((d * fake - 1) ** 2).backward()\n    g_optimizer.step()"
    ),
    "pitfalls/nan-where/entropy": ("def entropy(p):\n    p = p[p > 0]\n    return -(p * p.log()).sum()"),
    "pitfalls/list-of-tensors/turned": (
        "def rotation(angle):\n    c, s = angle.cos(), angle.sin()\n"
        "    return torch.stack([torch.stack([c, -s]), torch.stack([s, c])])"
    ),
}
