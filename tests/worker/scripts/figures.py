"""The figures of a usual training script: each is shown, and saved in the folder that is given, if one is."""
import sys

import matplotlib.pyplot as plt
import numpy as np
import torch

epochs = np.arange(100)


def loss():
    plt.plot(epochs, 2.3 * np.exp(-epochs / 20) + 0.1, label="train")
    plt.plot(epochs, 2.3 * np.exp(-epochs / 25) + 0.4, "--", label="validation")
    plt.title("Loss per epoch")
    plt.xlabel("epoch")
    plt.ylabel("loss")
    plt.grid(True)
    plt.legend()


def regression():
    x = np.linspace(-3, 3, 40)
    plt.scatter(x, 2 * x + 1 + np.sin(7 * x), label="data")
    plt.plot(x, 2 * x + 1, "r", label="fit $y = 2 x + 1$")
    plt.title("Regression")
    plt.xlabel("x")
    plt.ylabel("y")
    plt.legend()


def boundary():
    x, y = np.meshgrid(np.linspace(-2, 2, 60), np.linspace(-2, 2, 60))
    shown = plt.contourf(x, y, np.tanh(x * x + y * y - 2), levels=10, cmap="RdBu")
    turn = np.linspace(0, 6, 20)
    plt.scatter(np.cos(turn) * turn / 3.5, np.sin(turn) * turn / 3.5, c=turn > 4, edgecolor="k", cmap="RdBu")
    plt.colorbar(shown)
    plt.title("Decision boundary")


def images():
    _, axes = plt.subplots(2, 5, figsize=(10, 4))
    y, x = np.mgrid[:28, :28]
    for number, ax in enumerate(axes.flat):
        ax.imshow(np.exp(-((np.hypot(x - 14, y - 14) - 3 - number % 5) ** 2) / 4), cmap="gray")
        ax.set_title(f"label {number}")
        ax.axis("off")


def histogram():
    steps = np.linspace(0.005, 0.995, 500)
    plt.hist(np.log(steps / (1 - steps)), bins=30, edgecolor="black")
    plt.title("Weights")
    plt.xlabel("value")
    plt.ylabel("count")


def subplots():
    _, axes = plt.subplots(2, 2, figsize=(8, 6))
    axes[0, 0].semilogy(epochs, np.exp(-epochs / 10))
    axes[0, 0].set_title("log loss")
    axes[0, 1].bar(["adam", "sgd", "rmsprop"], [0.9, 0.8, 0.85], color=["C0", "C1", "C2"])
    axes[0, 1].set_title("accuracy")
    axes[1, 0].errorbar(epochs[::10], np.sqrt(epochs[::10]), yerr=0.8, fmt="o-", capsize=3, label="mean")
    axes[1, 0].legend()
    axes[1, 1].fill_between(epochs, np.sin(epochs / 10) - 0.3, np.sin(epochs / 10) + 0.3, alpha=0.3)
    axes[1, 1].plot(epochs, np.sin(epochs / 10))
    axes[1, 1].set_xlabel("step")
    plt.suptitle("Four of them")
    plt.tight_layout()


def chinese():
    plt.plot(epochs, 1 / (epochs + 1), label="训练损失")
    plt.title("每一轮的损失")
    plt.xlabel("轮")
    plt.ylabel("损失")
    plt.legend()


for draw in (loss, regression, boundary, images, histogram, subplots, chinese):
    draw()
    plt.show()
    if len(sys.argv) > 1:
        plt.savefig(f"{sys.argv[1]}/{draw.__name__}.png")
    plt.close()
print(torch.rand(1).item() < 1, np.random.get_state()[2], plt.get_backend())
