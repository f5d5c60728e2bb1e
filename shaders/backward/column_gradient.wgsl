// The gradient of a column, as grad_column.wgsl has left it.

//@ uses backward/columns_layout

/// [(block of packs, tap, pixel, pack)], four channels of the pack: columns_layout.wgsl
@group(0) @binding(2) var<storage, read> column_gradient: array<vec4<f32>>;

/// What `gradient` needs to know of a pack, worked out once.
alias PackGradients = PackColumns;

fn gradients_of(pack: u32, columns: u32) -> PackGradients {
    return columns_of(pack, params.packs, columns);
}

fn gradient(of_pack: PackGradients, column: u32) -> vec4<f32> {
    return column_gradient[column_index(of_pack, column)];
}
