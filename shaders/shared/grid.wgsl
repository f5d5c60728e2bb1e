// Numbers the workgroups of a grid that is folded over two axes. WebGPU allows 65,535 workgroups along an axis, and
// large layers need more. The host folds the grid (plan::DeviceLimits::fold); the last row may hold spare workgroups,
// whose numbers are past the last and which must do nothing.
fn workgroup_number(workgroup: vec3<u32>, grid: vec3<u32>) -> u32 {
    return workgroup.x + grid.x * workgroup.y;
}
