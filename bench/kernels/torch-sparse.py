"""PyTorch's matrix-vector products on the CPU, dense and CSR, where some rows of the matrix are active and the rest
are empty: python3 torch-sparse.py '{"bytes":…,"flush_bytes":…,"columns":…,"threads":…,"rounds":…,"percents":[…]}'.
Prints JSON in the form of operators_bench.cc. Making the CSR matrix is not timed, though an engine would have to
make one for every token."""

import json
import sys
import time

import torch


def csr_of(percent, values, indices, rows, columns):
    """The first elements of `values` as the active rows: no copy, so all densities share one memory."""
    active = max(1, rows * percent // 100)
    is_active = torch.zeros(rows, dtype=torch.int64)
    is_active[torch.randperm(rows, generator=torch.Generator().manual_seed(percent))[:active]] = columns
    starts = torch.zeros(rows + 1, dtype=torch.int32)
    starts[1:] = torch.cumsum(is_active, 0).to(torch.int32)
    count = active * columns
    # The bytes of the weights, as of hearth's operators; the indices beside them are CSR's own price.
    matrix = torch.sparse_csr_tensor(starts, indices[:count], values[:count], size=(rows, columns))
    return matrix, count * 4


def product_of(matrix, x):
    """CSR times a vector; a PyTorch without MKL (Debian's) has only CSR times a matrix, here of one column."""
    try:
        matrix @ x
        return "csr", lambda: matrix @ x
    except RuntimeError:
        column = x[:, None]
        return "csr (no MKL)", lambda: (matrix @ column)[:, 0]


def timed(work):
    """The calling thread takes part in all that PyTorch does in parallel, and does alone what it does not."""
    wall, cpu = time.perf_counter(), time.thread_time()
    work()
    return time.thread_time() - cpu, time.perf_counter() - wall


def main(request):
    threads, columns = request["threads"], request["columns"]
    torch.set_num_threads(threads)
    rows = request["bytes"] // (4 * columns)
    values = torch.rand(rows * columns)
    indices = torch.arange(columns, dtype=torch.int32).repeat(rows)
    x = torch.rand(columns)
    dense = values.view(rows, columns)
    flush = torch.ones(request["flush_bytes"] // 4)
    cases = [("dense", 100, rows * columns * 4, lambda: torch.mv(dense, x))]
    for percent in request["percents"]:
        matrix, read = csr_of(percent, values, indices, rows, columns)
        name, work = product_of(matrix, x)
        active = max(1, rows * percent // 100)
        got = work()[torch.diff(matrix.crow_indices()) > 0]
        if not torch.allclose(got, dense[:active] @ x, rtol=1e-3):
            sys.exit(f"the {name} product at {percent} % differs from the dense one")
        cases.append((name, percent, read, work))
    runs = [
        {"operator": name, "percent": percent, "bytes": read, "cpu_seconds": [], "seconds": []}
        for name, percent, read, _ in cases
    ]
    for sample in range(request["rounds"] + 1):
        for run, (_, _, _, work) in zip(runs, cases):
            flush.sum()
            cpu, wall = timed(work)
            if sample > 0:
                run["cpu_seconds"].append(cpu)
                run["seconds"].append(wall)
    device = f"PyTorch {torch.__version__.split('+')[0]} ({threads} threads)"
    print(json.dumps({"runs": [{"type": "F32", "device": device, **run} for run in runs]}))


main(json.loads(sys.argv[1]))
