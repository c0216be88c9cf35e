import random

import numpy as np
import torch

random.seed(1)
np.random.seed(2)
torch.manual_seed(4)
a = torch.rand(3)
torch.manual_seed(5)
b = torch.randn(2, 2)
c = torch.nn.functional.dropout(torch.ones(10), 0.5)
d = torch.randperm(5)
e = torch.tensor(random.random())
f = torch.tensor(np.random.rand())
lin = torch.nn.Linear(2, 2)
m = torch.distributions.Normal(torch.zeros(1), torch.ones(1))
s = m.sample((3,))
lp = m.log_prob(s)
g = torch.Generator().manual_seed(1)
h = torch.rand(2, generator=g)
print(a, b, c, d, e, f, s, lp)
