//! The catalogue of kernels: each one's WGSL, bindings, workgroup size, tile constants and parameters.
//!
//! This is the only place where the host knows a shader by name. Every fact here is proved equal to the WGSL by a test that
//! parses the source, so neither side can drift.

pub mod activation;
pub mod conv2d;
pub mod deform_conv2d;
pub mod optimizer;
pub mod roofline;
pub mod shift;
pub mod statistics;
mod storage;
pub mod texture;
mod unroll;

pub use storage::{Sampling, Storage, Variant};

/// One compute kernel: a WGSL file with one entry point, `main`.
#[derive(Debug)]
pub struct Kernel {
    /// `operator/file`, for labels and plans.
    pub name: &'static str,
    /// The WGSL files the module consists of, in order; module scope is order-independent, so concatenation is enough.
    pub sources: &'static [&'static str],
    /// The part of the module that is written by a function, because it is one short pattern unrolled hundreds of times.
    pub unrolled: Option<fn() -> String>,
    /// Whether it uses subgroup operations (`SUBGROUP`).
    pub subgroups: bool,
    /// The storage buffers and textures, `@binding(1)` onwards; `@binding(0)` is the uniform `params`.
    pub bindings: &'static [Binding],
    /// Invocations in a workgroup; every kernel is one-dimensional.
    pub workgroup_size: u32,
    /// The fields of the uniform `params`, in order, each a `u32`.
    pub params: &'static [&'static str],
    /// The `const` values of the WGSL that the host plans with.
    pub constants: &'static [(&'static str, u32)],
}

/// One storage buffer or texture of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The variable's name in the WGSL.
    pub name: &'static str,
    /// How the kernel uses it.
    pub access: Access,
    /// Whether it is an operand of the caller's, whose elements may be stored in several ways.
    pub operand: bool,
}

/// What a binding is, and how a kernel uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`
    ReadWrite,
    /// `texture_storage_2d<rgba32float, read>`
    TextureRead,
    /// `texture_storage_2d<rgba32float, write>`
    TextureWrite,
    /// `texture_2d<f32>`: a caller's, in any format that is read as floating-point numbers
    CallersTexture,
    /// `texture_storage_2d<…, write>`: a caller's
    CallersTextureWrite(TexelFormat),
}

/// The formats in which shaders write a caller's texture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TexelFormat {
    /// `rgba8unorm`
    Rgba8Unorm,
    /// `rgba16float`
    Rgba16Float,
    /// `rgba32float`
    Rgba32Float,
}

impl Access {
    /// Whether the kernel writes the binding.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Self::ReadWrite | Self::TextureWrite | Self::CallersTextureWrite(_))
    }
}

impl Kernel {
    /// The whole WGSL module, in one of its variants.
    #[must_use]
    pub fn source(&self, variant: impl Into<Variant>) -> String {
        let text = self.sources.concat() + &self.unrolled.map(|write| write()).unwrap_or_default();
        storage::with_storage(text, self.bindings, variant.into())
    }

    /// The variant whose text is that of `variant`: the same one for all that share a text.
    #[must_use]
    pub fn distinct(&self, variant: Variant) -> Variant {
        storage::distinct(self.bindings, variant)
    }
}

impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Kernel {}

/// Declares a kernel's uniform: the struct the host fills and the list of its field names, from one text.
macro_rules! params {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub struct $name { $($(#[$field_doc])* pub $field: u32),+ }

        impl $name {
            /// The names of the fields, in order.
            pub const FIELDS: &'static [&'static str] = &[$(stringify!($field)),+];

            /// The uniform's contents.
            #[must_use]
            pub fn words(&self) -> Vec<u32> {
                bytemuck::cast_slice(std::slice::from_ref(self)).to_vec()
            }
        }
    };
}

use params;

params! {
    /// The uniform of the kernels that work through a window of a tensor.
    WindowParams {
        /// Elements of the window.
        elements,
        /// Where it starts in the bound tensor.
        base,
    }
}

/// The same for kernels that know where taps sample: [`TapGeometry`](deform_conv2d::TapGeometry)'s words, then their own.
macro_rules! tap_params {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub struct $name {
            /// Where taps sample.
            pub geometry: crate::kernel::deform_conv2d::TapGeometry,
            $($(#[$field_doc])* pub $field: u32),+
        }

        impl $name {
            const OWN_FIELDS: &'static [&'static str] = &[$(stringify!($field)),+];

            /// The names of the words, in order.
            pub const FIELDS: &'static [&'static str] = &crate::kernel::joined::<
                { crate::kernel::deform_conv2d::TapGeometry::FIELDS.len() + Self::OWN_FIELDS.len() },
            >(crate::kernel::deform_conv2d::TapGeometry::FIELDS, Self::OWN_FIELDS);

            /// The uniform's contents.
            #[must_use]
            pub fn words(&self) -> Vec<u32> {
                bytemuck::cast_slice(std::slice::from_ref(self)).to_vec()
            }
        }
    };
}

use tap_params;

/// Both lists, one after the other.
const fn joined<const N: usize>(first: &[&'static str], second: &[&'static str]) -> [&'static str; N] {
    let mut all = [""; N];
    let mut n = 0;
    while n < N {
        all[n] = if n < first.len() { first[n] } else { second[n - first.len()] };
        n += 1;
    }
    all
}

const fn read(name: &'static str) -> Binding {
    Binding { name, access: Access::Read, operand: false }
}

const fn read_write(name: &'static str) -> Binding {
    Binding { name, access: Access::ReadWrite, operand: false }
}

const fn operand(name: &'static str) -> Binding {
    Binding { name, access: Access::Read, operand: true }
}

const fn output(name: &'static str) -> Binding {
    Binding { name, access: Access::ReadWrite, operand: true }
}

const fn texture_read(name: &'static str) -> Binding {
    Binding { name, access: Access::TextureRead, operand: false }
}

const fn texture_write(name: &'static str) -> Binding {
    Binding { name, access: Access::TextureWrite, operand: false }
}

const GRID: &str = include_str!("../shaders/shared/grid.wgsl");
const BILINEAR: &str = include_str!("../shaders/shared/bilinear.wgsl");
const SCATTER: &str = include_str!("../shaders/shared/scatter.wgsl");
const COLUMNS_LAYOUT: &str = include_str!("../shaders/shared/columns_layout.wgsl");
const PACKED_SAMPLE: &str = include_str!("../shaders/shared/packed_sample.wgsl");
const PACKED_TAPS: &str = include_str!("../shaders/shared/packed_taps.wgsl");
const SAMPLE: &str = include_str!("../shaders/shared/sample.wgsl");
const WEIGHT_ROWS: &str = include_str!("../shaders/shared/weight_rows.wgsl");
const TEXELS: &str = include_str!("../shaders/shared/texels.wgsl");
const MAGNITUDE: &str = include_str!("../shaders/shared/magnitude.wgsl");
const LINEAR_GRADIENT: &str = include_str!("../shaders/shared/linear_gradient.wgsl");
const SLOPE: &str = include_str!("../shaders/shared/slope.wgsl");
const TAP_GEOMETRY: &str = include_str!("../shaders/shared/tap_geometry.wgsl");
const FINITE: &str = include_str!("../shaders/shared/finite.wgsl");
const TAPS: &str = concat!(
    include_str!("../shaders/shared/tap_geometry.wgsl"),
    "\n",
    include_str!("../shaders/shared/taps.wgsl"),
    "\n",
    include_str!("../shaders/shared/finite.wgsl")
);

/// Every kernel of the crate.
pub const KERNELS: &[&Kernel] = &[
    &deform_conv2d::IM2COL,
    &deform_conv2d::MATMUL,
    &deform_conv2d::PACK_INPUT,
    &deform_conv2d::PACK_WEIGHT,
    &deform_conv2d::FUSED_SUBGROUP_64,
    &deform_conv2d::FUSED_SUBGROUP_32,
    &deform_conv2d::PACK_WEIGHT_ROWS,
    deform_conv2d::TILE_128X128.kernel,
    deform_conv2d::TILE_128X64.kernel,
    deform_conv2d::TILE_64X64.kernel,
    deform_conv2d::TILE_32X64.kernel,
    deform_conv2d::TILE_32X32.kernel,
    &deform_conv2d::REDUCE,
    &deform_conv2d::DIRECT,
    &deform_conv2d::PACK_WEIGHT_DEPTHWISE,
    &deform_conv2d::DEPTHWISE,
    &deform_conv2d::PACK_GRAD_OUTPUT,
    &deform_conv2d::PACK_GRAD_OUTPUT_ACTIVATED,
    &deform_conv2d::PACK_WEIGHT_COLUMNS,
    &deform_conv2d::GRAD_COLUMN_SUBGROUP,
    &deform_conv2d::GRAD_COLUMN,
    &deform_conv2d::PACK_TAPS,
    &deform_conv2d::GRAD_OFFSET,
    &deform_conv2d::GRAD_OFFSET_COLUMNS,
    &deform_conv2d::BIN_COUNT,
    &deform_conv2d::BIN_SCAN,
    &deform_conv2d::BIN_FILL,
    &deform_conv2d::GRAD_INPUT,
    &deform_conv2d::GRAD_INPUT_PAIRED,
    deform_conv2d::GRAD_WEIGHT_SUBGROUP_64.stored.kernel,
    deform_conv2d::GRAD_WEIGHT_SUBGROUP_64.sampled.kernel,
    deform_conv2d::GRAD_WEIGHT_SUBGROUP_64.regular.kernel,
    deform_conv2d::GRAD_WEIGHT_SUBGROUP_32.sampled.kernel,
    deform_conv2d::GRAD_WEIGHT_SUBGROUP_32.regular.kernel,
    deform_conv2d::GRAD_WEIGHT.stored.kernel,
    deform_conv2d::GRAD_WEIGHT.sampled.kernel,
    deform_conv2d::GRAD_WEIGHT.regular.kernel,
    &deform_conv2d::GRAD_WEIGHT_REDUCE,
    &deform_conv2d::GRAD_BIAS,
    &deform_conv2d::GRAD_BIAS_ACTIVATED,
    &deform_conv2d::SUM_SLICES,
    &deform_conv2d::GRAD_OFFSET_DEPTHWISE,
    &deform_conv2d::GRAD_INPUT_DEPTHWISE,
    &deform_conv2d::GRAD_INPUT_DEPTHWISE_PAIRED,
    &deform_conv2d::GRAD_WEIGHT_DEPTHWISE,
    &deform_conv2d::FILL_ZERO,
    &conv2d::COL2IM,
    &activation::ACTIVATE,
    &activation::GRAD_ACTIVATION,
    &shift::SHIFT,
    &optimizer::SGD,
    &optimizer::ADAM,
    &statistics::MAGNITUDE,
    &statistics::OFFSET_MAGNITUDE,
    &statistics::STATISTICS_REDUCE,
    &texture::LOAD,
    &texture::STORE_RGBA8UNORM,
    &texture::STORE_RGBA16FLOAT,
    &texture::STORE_RGBA32FLOAT,
    &roofline::MULTIPLY_ADD,
    &roofline::COPY,
];
