// The size of the subgroups of CPU drivers. Kernels for these pass values from lane to lane.

/// Lanes of a subgroup.
const SUBGROUP_SIZE = 8u;
