/// No one reads the columns. A function and no condition, since a CPU driver would run what is not taken, too.
fn keep_column(column: u32, pack: u32, value: vec4<f32>) {
}
