"""Two networks, two optimizers, one of them frozen in turn."""

import torch
from torch import nn, optim

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(2, 6), nn.LeakyReLU(0.2), nn.Linear(6, 1))
discriminator = nn.Sequential(nn.Linear(1, 6), nn.LeakyReLU(0.2), nn.Linear(6, 1), nn.Sigmoid())
criterion = nn.BCELoss()
opt_g = optim.Adam(generator.parameters(), lr=0.01, betas=(0.5, 0.999))
opt_d = optim.Adam(discriminator.parameters(), lr=0.01, betas=(0.5, 0.999))
real_label, fake_label = torch.ones(4, 1), torch.zeros(4, 1)
history = {"d": [], "g": []}
for step in range(3):
    real = torch.randn(4, 1) * 0.5 + 3
    noise = torch.randn(4, 2)
    fake = generator(noise)
    opt_d.zero_grad()
    loss_d = criterion(discriminator(real), real_label) + criterion(discriminator(fake.detach()), fake_label)
    loss_d.backward()
    opt_d.step()
    for parameter in discriminator.parameters():
        parameter.requires_grad_(False)
    opt_g.zero_grad()
    loss_g = criterion(discriminator(fake), real_label)
    loss_g.backward()
    opt_g.step()
    for parameter in discriminator.parameters():
        parameter.requires_grad_(True)
    history["d"].append(loss_d.item())
    history["g"].append(loss_g.item())
    print(f"[{step}] d {loss_d:.4f} g {loss_g:.4f}")
