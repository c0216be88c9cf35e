"""Data made by a pool, training in processes that share the model's memory, and a result through a queue."""

import multiprocessing as mp

import torch
import torch.multiprocessing as tmp
from torch import nn


def square(number):
    return number, number * number


def train(rank, model, queue):
    torch.manual_seed(rank)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.full((2, 1), float(rank + 1))
    for _ in range(2):
        optimizer.zero_grad()
        loss = (model(x) - 2 * x).pow(2).mean()
        loss.backward()
        optimizer.step()
    queue.put((rank, round(loss.item(), 4)))


if __name__ == "__main__":
    with mp.get_context("fork").Pool(2) as pool:
        print(pool.map(square, range(4)))
    torch.manual_seed(0)
    model = nn.Linear(1, 1)
    model.share_memory()
    queue = tmp.get_context("fork").SimpleQueue()
    for rank in range(2):  # one after the other, so that each run is the same
        worker = tmp.get_context("fork").Process(target=train, args=(rank, model, queue))
        worker.start()
        print(queue.get())
        worker.join()
    loss = model(torch.ones(1, 1)).sum()
    loss.backward()
    print(f"{loss.item():.4f}", worker.exitcode)
