// Reads the gradients of columns that grad_column.wgsl wrote. depthwise_gradient.wgsl has the same functions for
// depthwise convolutions.

//@ uses backward/columns_layout

/// [(block of packs, tap, pixel, pack)], four channels of the pack: columns_layout.wgsl
@group(0) @binding(2) var<storage, read> grad_column: array<vec4<f32>>;

/// Where the gradients of a pack's columns lie.
alias PackGradients = PackColumns;

fn gradients_of(pack: u32, columns: u32) -> PackGradients {
    return columns_of(pack, params.packs, columns);
}

fn gradient(of_pack: PackGradients, column: u32) -> vec4<f32> {
    return grad_column[column_index(of_pack, column)];
}
