"""Policy gradients on a walk along a line: distributions, a deque, the exit status says whether it learned."""

import random
import sys
from collections import deque

import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(0)
random.seed(0)


class Line:
    def reset(self):
        self.place = random.choice([-1, 1])
        return torch.tensor([float(self.place)])

    def step(self, action):
        self.place += 1 if action == 1 else -1
        return torch.tensor([float(self.place)]), 1.0 if self.place == 0 else -0.1, abs(self.place) > 3 or not self.place


policy = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 2), nn.Softmax(dim=-1))
optimizer = torch.optim.Adam(policy.parameters(), lr=0.05)
world, recent = Line(), deque(maxlen=10)
for episode in range(4):
    state, log_probs, rewards = world.reset(), [], []
    for _ in range(8):
        choice = Categorical(policy(state))
        action = choice.sample()
        log_probs.append(choice.log_prob(action))
        state, reward, done = world.step(action.item())
        rewards.append(reward)
        if done:
            break
    returns, total = [], 0.0
    for reward in reversed(rewards):
        total = reward + 0.9 * total
        returns.insert(0, total)
    loss = torch.stack([-p * r for p, r in zip(log_probs, returns)]).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    recent.append(sum(rewards))
    print(f"{episode:2d} {len(rewards)} {sum(rewards):+.2f}")
sys.exit(0 if sum(recent) / len(recent) > 5 else 4)
