/// Drops a pack of columns, because no kernel reads them. It is a variant and not a branch, because a CPU driver
/// executes a branch even if no lane takes it.
fn keep_column(column: u32, pack: u32, value: vec4<f32>) {
}
