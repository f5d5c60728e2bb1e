// How the kernels of the statistics share the elements of a window.

/// Invocations that share the elements. Each takes every SLICES-th.
const SLICES = 4096u;
