// A grid folded over two axes, as one number: WebGPU allows 65,535 workgroups along an axis, large layers need more.
// The host folds (plan::DeviceLimits::fold); spare workgroups at the end have numbers past the last and must do nothing.
fn workgroup_number(workgroup: vec3<u32>, grid: vec3<u32>) -> u32 {
    return workgroup.x + grid.x * workgroup.y;
}
