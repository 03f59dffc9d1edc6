#!/bin/sh
''''exec "${PEERS_ENV:-$HOME/.cache/mnist-peers}/bin/python" -B "$0" "$@" # '''
"""Trains the tutorial's network, or one with other sizes, with PyTorch; prints one line of JSON.

    torch_fit.py [--channels-last] [--compile] [OPTIONS]        --help lists them"""
import json
import time

import workload

parser = workload.parser("Trains the tutorial's network with PyTorch.")
parser.add_argument("--channels-last", action="store_true", help="keep images and kernels channels last")
parser.add_argument("--compile", action="store_true", help="the network by torch.compile")
options = workload.parse(parser)

started = time.perf_counter()
import torch
from torch import nn
from torch.nn import functional as F
import_s = time.perf_counter() - started
FORMAT = torch.channels_last if options.channels_last else torch.contiguous_format


def load(part):
    """Images `[N, C, H, W]` and labels."""
    images, labels = workload.load(options, part)
    # A clone, because contiguous() keeps the permuted strides of a single channel, which PyTorch interprets as channels last.
    return torch.from_numpy(images).permute(0, 3, 1, 2).clone(memory_format=FORMAT), torch.from_numpy(labels)


def build():
    text = workload.network(options)
    if text:
        from torch_network import Network
        return Network(json.loads(text)).to(memory_format=FORMAT)
    height, width, channels = options.input
    first, second = options.filters
    lost = 2 * (options.kernel - 1)
    model = nn.Sequential(nn.Conv2d(channels, first, options.kernel), nn.ReLU(),
                          nn.Conv2d(first, second, options.kernel), nn.ReLU(), nn.Flatten(),
                          nn.Linear((height - lost) * (width - lost) * second, options.dense), nn.ReLU(),
                          nn.Linear(options.dense, options.classes))
    return model.to(memory_format=FORMAT)


def fit(model, x, y):
    """Milliseconds per step."""
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
    order = torch.randperm(len(x))
    for step in range(options.steps):
        if step == workload.WARM_UP:
            start = time.perf_counter()
        i = order[step * options.batch:(step + 1) * options.batch]
        loss = F.cross_entropy(model(x[i].contiguous(memory_format=FORMAT)), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (time.perf_counter() - start) / (options.steps - workload.WARM_UP) * 1e3


@torch.inference_mode()
def evaluate(model, x, y):
    """The accuracy, computed in batches."""
    batches = zip(x.split(workload.EVALUATION_BATCH), y.split(workload.EVALUATION_BATCH))
    right = sum((model(xb.contiguous(memory_format=FORMAT)).argmax(1) == yb).sum().item() for xb, yb in batches)
    return right / len(x)


@torch.inference_mode()
def predict_ms(model, images, times):
    images = images.contiguous(memory_format=FORMAT)
    workload.timed(lambda: model(images), 5)  # warm up
    return workload.timed(lambda: model(images), times)


def main():
    torch.set_num_threads(options.threads)
    x, y = load("train")
    xt, yt = load("test")
    model = build()
    model = torch.compile(model) if options.compile else model
    results = dict(import_s=import_s, ms_per_step=fit(model, x, y), peak_rss_mb=workload.peak_mb())
    model.eval()
    if not options.fit_only:
        evaluate(model, xt[:512], yt[:512])
        results["evaluate_ms_per_1000"] = workload.timed(lambda: evaluate(model, xt, yt)) / len(xt) * 1e3
        results["predict_one_ms"] = predict_ms(model, xt[:1], workload.PREDICTIONS)
        results["predict_1000_ms"] = predict_ms(model, xt[:1000], workload.THOUSANDS)
    name = "PyTorch" + ", channels last" * options.channels_last + ", compiled" * options.compile
    workload.report(name, torch.__version__, options, **results)


main()
