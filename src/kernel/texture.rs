//! The kernels of [`ops::texture`](crate::ops::texture).

use crate::kernel::{Access, Binding, GRID, Kernel, TexelFormat, operand, output, params};

/// Reads a rectangle of a texture into a tensor.
pub const LOAD: Kernel = Kernel {
    name: "texture/load",
    sources: &[include_str!("../../shaders/texture/load.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[Binding { name: "image", access: Access::CallersTexture, operand: false }, output("output")],
    workgroup_size: 64,
    params: RegionParams::FIELDS,
    constants: &[],
};

/// The kernel that writes a tensor into a texture of one format.
macro_rules! store {
    ($(#[$doc:meta])* $id:ident, $format:ident, $name:literal) => {
        $(#[$doc])*
        pub const $id: Kernel = Kernel {
            name: concat!("texture/store_", $name),
            sources: &[
                include_str!("../../shaders/texture/store.wgsl"),
                concat!("@group(0) @binding(2) var image: texture_storage_2d<", $name, ", write>;\n"),
                GRID,
            ],
            unrolled: None,
            subgroups: false,
            bindings: &[
                operand("input"),
                Binding { name: "image", access: Access::CallersTextureWrite(TexelFormat::$format), operand: false },
            ],
            workgroup_size: 64,
            params: RegionParams::FIELDS,
            constants: &[],
        };
    };
}

store!(
    /// Into `rgba8unorm`.
    STORE_RGBA8UNORM, Rgba8Unorm, "rgba8unorm"
);
store!(
    /// Into `rgba16float`.
    STORE_RGBA16FLOAT, Rgba16Float, "rgba16float"
);
store!(
    /// Into `rgba32float`.
    STORE_RGBA32FLOAT, Rgba32Float, "rgba32float"
);

params! {
    /// The uniform of load and store.
    RegionParams {
        /// The rectangle's first row.
        origin_y,
        /// Its first column.
        origin_x,
        /// Its columns.
        width,
        /// Its texels.
        pixels,
        /// Channels of the tensor.
        channels,
    }
}
