#!/usr/bin/env python3
"""Chips a second of PyTorch's own training loop and of ours, in turns, on the same network, batch, threads and precision.

    pip install torch==2.11.0 numpy
    cargo build --release -p trainer
    python3 trainer/bench/pytorch_loop.py [--batch 64] [--threads 2] [--precision fp32] [--rounds 7] [--steps 4]

Each round times PyTorch, then ours, then ours, then PyTorch, so that a drift of the machine's load falls on both. Ours is the whole
step of a run, loader and checks for non-finite values included; PyTorch's is forward, loss, backward and step on a batch that is
there already. Both threads' pools wait passively, so that the one that is not timed leaves the processor to the other.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time

os.environ["OMP_WAIT_POLICY"] = "passive"

import torch  # noqa: E402  (after the variable that it reads)
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

TRAINER = pathlib.Path(__file__).parents[2] / "target/release/trainer"


class Unit(nn.Module):
    """Convolution without bias, batch normalisation, activation."""

    def __init__(self, channels, out, kernel, stride, padding, groups, activation):
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out)
        self.activation = {"prelu": lambda: nn.PReLU(out), "relu": lambda: nn.ReLU(inplace=True), None: nn.Identity}[activation]()

    def forward(self, xs):
        return self.activation(self.bn(self.conv(xs)))


class Bottleneck(nn.Module):
    def __init__(self, channels, expansion, out, stride, activation):
        super().__init__()
        wide = channels * expansion
        self.units = nn.Sequential(
            Unit(channels, wide, 1, 1, 0, 1, activation),
            Unit(wide, wide, 3, stride, 1, wide, activation),
            Unit(wide, out, 1, 1, 0, 1, None),
        )
        self.residual = stride == 1 and channels == out

    def forward(self, xs):
        return xs + self.units(xs) if self.residual else self.units(xs)


def mobilefacenet(activation, embedding=512):
    """Table 1 of arXiv 1804.07573: expansion, channels, repeats, stride."""
    layers = [Unit(3, 64, 3, 2, 1, 1, activation), Unit(64, 64, 3, 1, 1, 64, activation)]
    channels = 64
    for expansion, out, repeats, stride in [(2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1)]:
        for unit in range(repeats):
            layers.append(Bottleneck(channels, expansion, out, stride if unit == 0 else 1, activation))
            channels = out
    layers += [
        Unit(channels, 512, 1, 1, 0, 1, activation),
        Unit(512, 512, 7, 1, 0, 512, None),
        Unit(512, embedding, 1, 1, 0, 1, None),
        nn.Flatten(),
    ]
    return nn.Sequential(*layers)


class ArcFace(nn.Module):
    def __init__(self, identities, embedding=512, scale=64.0, margin=0.5):
        super().__init__()
        self.classes = nn.Parameter(torch.randn(identities, embedding) * 0.01)
        self.scale, self.margin = scale, torch.tensor(margin)

    def forward(self, embeddings, identities):
        cosines = F.normalize(embeddings) @ F.normalize(self.classes).T
        own = cosines.gather(1, identities[:, None])
        sine = (1 - own.square()).clamp_min(1e-12).sqrt()
        own = own * self.margin.cos() - sine * self.margin.sin()
        return F.cross_entropy(cosines.scatter(1, identities[:, None], own) * self.scale, identities)


class PyTorch:
    def __init__(self, options):
        torch.set_num_threads(options.threads)
        torch.manual_seed(1)
        self.net = mobilefacenet(options.activation).to(memory_format=torch.channels_last)
        self.loss = ArcFace(options.identities)
        parameters = [*self.net.parameters(), *self.loss.parameters()]
        self.optimiser = torch.optim.SGD(parameters, lr=0.001, momentum=0.9, weight_decay=5e-4)
        pixels = torch.randint(0, 256, (options.batch, 3, 112, 112), dtype=torch.uint8)
        self.pixels = pixels.to(memory_format=torch.channels_last)
        self.identities = torch.randint(0, options.identities, (options.batch,))
        self.bf16 = options.precision == "bf16"
        self.batch = options.batch

    def time(self, steps):
        start = time.perf_counter()
        for _ in range(steps):
            self.optimiser.zero_grad(set_to_none=True)
            chips = (self.pixels.float() - 127.5) / 128
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
                embeddings = self.net(chips)
            loss = self.loss(embeddings.float(), self.identities)
            loss.backward()
            self.optimiser.step()
            loss.item()
        return steps * self.batch / (time.perf_counter() - start)


class Ours:
    def __init__(self, options):
        command = [
            TRAINER, "bench", "--on-demand", "--batch", str(options.batch), "--threads", str(options.threads),
            "--precision", options.precision, "--identities", str(options.identities), "--set", f"activation={options.activation}",
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().strip() == "ready"

    def time(self, steps):
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["images_per_second"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--activation", choices=["prelu", "relu"], default="prelu")
    parser.add_argument("--identities", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=4)
    options = parser.parse_args()

    # Ours decodes and warms up while PyTorch is not there yet.
    ours, theirs = Ours(options), PyTorch(options)
    theirs.time(2)
    pairs = []
    for _ in range(options.rounds):
        a, b, c, d = theirs.time(options.steps), ours.time(options.steps), ours.time(options.steps), theirs.time(options.steps)
        # Mean times, hence harmonic means of rates.
        pairs.append((2 / (1 / a + 1 / d), 2 / (1 / b + 1 / c)))
        print(f"PyTorch {pairs[-1][0]:7.2f}   ours {pairs[-1][1]:7.2f} images/s", flush=True)
    ratios = sorted(own / their for their, own in pairs)
    print(
        f"torch {torch.__version__}, mobilefacenet {options.activation}, batch {options.batch}, {options.threads} threads, "
        f"{options.precision}, load average {os.getloadavg()[0]:.1f}\n"
        f"median: PyTorch {statistics.median(t for t, _ in pairs):.2f}, ours {statistics.median(o for _, o in pairs):.2f} images/s; "
        f"ours / PyTorch {statistics.median(ratios):.3f}, from {ratios[0]:.3f} to {ratios[-1]:.3f} over {options.rounds} rounds"
    )


if __name__ == "__main__":
    main()
