"""GPUs by CUDA: what runs there, what it needs, and what its machine code costs.

Nothing here is imported unless ``backend="cuda"`` asks for it, see `nbinfer.engine.backends`. Kernels are Python
functions of `numba.cuda`; its simulator runs them without a GPU, and its compiler makes machine code of them without
one, see `nbinfer.cuda.offline`.
"""
