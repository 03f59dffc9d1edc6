"""The tutorial's network by PyTorch's DistributedDataParallel over gloo: time a step, and a hash of the weights.

    torchrun --nproc-per-node RANKS benches/machines/ddp.py DATA [STEPS]       batch 32 of all ranks together, a thread a rank
"""

import hashlib
import os
import sys
import time

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

STEPS = int(sys.argv[2]) if len(sys.argv) > 2 else 100
torch.set_num_threads(int(os.environ.get("THREADS", "1")))
dist.init_process_group("gloo")
rank, ranks = dist.get_rank(), dist.get_world_size()
torch.manual_seed(0)
network = nn.Sequential(
    nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36864, 128), nn.ReLU(), nn.Linear(128, 10)
)
model = nn.parallel.DistributedDataParallel(network) if ranks > 1 else network
optimizer = torch.optim.Adam(model.parameters(), eps=1e-7)
with np.load(sys.argv[1]) as data:
    x = torch.from_numpy(data["x_train"][: 32 * STEPS].astype(np.float32) / 255).unsqueeze(1)
    y = torch.from_numpy(data["y_train"][: 32 * STEPS].astype(np.int64))
times = []
for step in range(len(x) // 32):
    own = slice(32 * step + 32 * rank // ranks, 32 * step + 32 * (rank + 1) // ranks)
    begin = time.perf_counter()
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x[own]), y[own]).backward()
    optimizer.step()
    times.append(time.perf_counter() - begin)
if rank == 0:
    weights = b"".join(p.detach().numpy().tobytes() for p in network.parameters())
    late = sorted(times[len(times) // 3 :])
    print(f"{ranks} ranks: {1e3 * late[len(late) // 2]:.2f} ms a step, weights {hashlib.sha256(weights).hexdigest()[:16]}")
dist.destroy_process_group()
