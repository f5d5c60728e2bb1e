// The gradient of a column, as grad_column.wgsl has left it.

//@ uses backward/columns_layout

/// [(block of quads, tap, pixel, quad)], four channels of the quad: columns_layout.wgsl
@group(0) @binding(2) var<storage, read> column_gradient: array<vec4<f32>>;

/// What `gradient` needs to know of a quad, worked out once.
alias QuadGradients = QuadColumns;

fn quad_gradients(quad: u32, columns: u32) -> QuadGradients {
    return quad_columns(quad, params.quads, columns);
}

fn gradient(of_quad: QuadGradients, column: u32) -> vec4<f32> {
    return column_gradient[column_index(of_quad, column)];
}
