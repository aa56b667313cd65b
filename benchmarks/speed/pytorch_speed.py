"""PyTorch's part of speed.py, in a process of its own: `torch.compile` and TensorFlow each bring
an LLVM, and the second one to load ends the process.

    python -m benchmarks.speed.pytorch_speed BATCH_SIZE BATCHES PRECISION...

Says the names of the modes that run here, one a line, then an empty line; trains some batches in
each mode that it is asked for on a line, and says the seconds a batch.
"""

import itertools
import sys
import time

import torch
import torch._dynamo

from benchmarks.quality.pytorch_dcgan import build_networks, train_step

torch._dynamo.config.recompile_limit = 64  # at 8 the last modes would not be compiled
LAYOUTS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}


def batches(precision, layout, compiled, batch_size, count):
    """A function that trains so many batches, as `pytorch_dcgan.train` does."""
    layout = LAYOUTS[layout]
    networks = [network.to(memory_format=layout) for network in build_networks()]
    optimizers = [torch.optim.Adam(n.parameters(), lr=2e-4, betas=(0.5, 0.999)) for n in networks]
    real = torch.rand(batch_size, 3, 64, 64).to(memory_format=layout)
    networks = [*map(torch.compile, networks)] if compiled else networks

    def train():
        for _ in range(count):
            train_step(networks, optimizers, real, precision == "bfloat16")

    return train


def main(batch_size, count, precisions):
    work = {}
    for mode in itertools.product(precisions, LAYOUTS, (False, True)):
        if mode[0] == "float32" and mode[2]:
            continue  # it takes a minute to compile and is no faster: 230 ms and 228, 377 and 375
        name = ", ".join(["PyTorch", *mode[:2], *(["compiled"] * mode[2])])
        train = batches(*mode, batch_size, count)
        try:
            train()
        except Exception as error:  # such as no C++ compiler for torch.compile
            print(f"{name}: not measured, {type(error).__name__}", file=sys.stderr)
            continue
        work[name] = train
        print(name, flush=True)
    print(flush=True)
    for line in sys.stdin:
        began = time.perf_counter()
        work[line.rstrip("\n")]()
        print((time.perf_counter() - began) / count, flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), sys.argv[3:])
