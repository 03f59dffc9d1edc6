#!/bin/sh
''''exec "${PEERS_ENV:-$HOME/.cache/mnist-peers}/bin/python" "$0" "$@" # '''
"""Trains the tutorial's network with PyTorch; prints one line of JSON."""
import argparse, json, os, resource, time
from pathlib import Path

p = argparse.ArgumentParser()
p.add_argument("--steps", type=int, default=400)
p.add_argument("--batch", type=int, default=32)
p.add_argument("--threads", type=int, default=os.cpu_count())
p.add_argument("--data", default=Path(__file__).resolve().parents[2] / "examples" / "data" / "mnist.npz")
p.add_argument("--channels-last", action="store_true")
a = p.parse_args()

t = time.perf_counter()
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
import_s = time.perf_counter() - t
torch.set_num_threads(a.threads)

d = np.load(a.data)
n = min(a.steps * a.batch, 60000)
x = torch.tensor(d["x_train"][:n]).float().div(255).unsqueeze(1)
y = torch.tensor(d["y_train"][:n]).long()
xt = torch.tensor(d["x_test"]).float().div(255).unsqueeze(1)
yt = torch.tensor(d["y_test"]).long()
model = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.Flatten(),
                      nn.Linear(36864, 128), nn.ReLU(), nn.Linear(128, 10))
if a.channels_last:
    model = model.to(memory_format=torch.channels_last)
opt = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
order = torch.randperm(n)
start = None
for k, s in enumerate(range(0, n, a.batch)):
    if k == 64:
        start = time.perf_counter()
    i = order[s:s + a.batch]
    xb = x[i]
    if a.channels_last:
        xb = xb.contiguous(memory_format=torch.channels_last)
    loss = F.cross_entropy(model(xb), y[i])
    opt.zero_grad()
    loss.backward()
    opt.step()
ms = (time.perf_counter() - start) / (k - 63) * 1e3
with torch.inference_mode():
    model(xt[:256])
    t = time.perf_counter()
    right = sum((model(xt[s:s + 256]).argmax(1) == yt[s:s + 256]).sum().item() for s in range(0, 10000, 256))
    ev = (time.perf_counter() - t) / 10 * 1e3
    for _ in range(5):
        model(xt[:1])
    t = time.perf_counter()
    for _ in range(200):
        model(xt[:1])
    one = (time.perf_counter() - t) / 200 * 1e3
print(json.dumps(dict(peer="pytorch", version=torch.__version__, threads=a.threads, batch=a.batch, ms_per_step=round(ms, 2),
                      evaluate_ms_per_1000=round(ev, 1), predict_one_ms=round(one, 3),
                      peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                      import_s=round(import_s, 2))))
