//! The declarations of the shaders: a module for each file that is a kernel, or declares parameters or constants.
//!
//! Written by `cargo xtask kernels`. Do not edit: `cargo xtask check` fails if this file does not match the shaders.

/// The shaders of `shaders/activation`.
pub(crate) mod activation {
    /// Applies an activation to an output, in place.
    pub(crate) mod activate {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "activation/activate",
            file: "activation/activate",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[Binding { name: "output", access: Access::ReadWrite, operand: true }],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Elements of the step.
            pub(crate) elements: u64,
            /// The activation: see shared/activation_kinds.wgsl.
            pub(crate) kind: u64,
            /// Start of the elements in the bound output, in elements.
            pub(crate) output_base: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &["elements", "kind", "output_base"];
        }
    }

    /// Computes the gradient in front of an activation from the gradient behind it.
    pub(crate) mod grad_activation {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "activation/grad_activation",
            file: "activation/grad_activation",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "output", access: Access::Read, operand: true },
                Binding { name: "grad_output", access: Access::Read, operand: true },
                Binding { name: "grad_linear", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Elements of the step.
            pub(crate) elements: u64,
            /// The activation: see shared/activation_kinds.wgsl.
            pub(crate) kind: u64,
            /// Start of the elements in the bound output, in elements.
            pub(crate) output_base: u64,
            /// Start of the elements in the bound gradient of the output, in elements.
            pub(crate) grad_output_base: u64,
            /// Start of the elements in the bound result, in elements.
            pub(crate) grad_linear_base: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] =
                &["elements", "kind", "output_base", "grad_output_base", "grad_linear_base"];
        }
    }
}

/// The shaders of `shaders/backward`.
pub(crate) mod backward {
    /// Computes the gradient of an ordinary convolution's input from the gradients of its columns.
    pub(crate) mod col2im {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "backward/col2im",
            file: "backward/col2im",
            variant: "",
            workgroup_size: 32,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "grad_column", access: Access::Read, operand: false },
                Binding { name: "grad_input", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Geometry of the taps.
            pub(crate) geometry: super::super::shared::tap_geometry::TapGeometry,
            /// First output pixel of the part in its first image.
            pub(crate) first_pixel: u64,
            /// Output pixels of the part, of all its images.
            pub(crate) pixels: u64,
            /// `pixels` rounded up to whole blocks.
            pub(crate) padded_pixels: u64,
            /// Channels of a segment.
            pub(crate) segment_channels: u64,
            /// Packs of each segment in this step.
            pub(crate) segment_packs: u64,
            /// First pack of each segment in this step.
            pub(crate) pack_start: u64,
            /// Packs of this step's channels.
            pub(crate) packs: u64,
            /// Invocations that have work; the rest of the grid is idle.
            pub(crate) invocations: u64,
            /// Elements between images of the gradient.
            pub(crate) image_stride: u64,
            /// Start of this step's channels in the bound gradient, in elements.
            pub(crate) grad_input_base: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "in_height",
                "in_width",
                "out_width",
                "out_pixels",
                "kernel_width",
                "taps",
                "stride_h",
                "stride_w",
                "pad_h",
                "pad_w",
                "dil_h",
                "dil_w",
                "first_pixel",
                "pixels",
                "padded_pixels",
                "segment_channels",
                "segment_packs",
                "pack_start",
                "packs",
                "invocations",
                "image_stride",
                "grad_input_base",
            ];
        }
    }

    /// The layout of columns and of their gradients in a buffer of packs. The buffer holds blocks of 8 packs of channels. A
    /// block is ordered by tap, then by pixel, and the packs of one pixel are neighbours.
    pub(crate) mod columns_layout {
        /// Packs of a block.
        pub(crate) const PACKS_PER_BLOCK: u64 = 8;
    }

    /// Fills a window of a gradient with zeros, for the steps that add to it.
    pub(crate) mod fill_zero {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "backward/fill_zero",
            file: "backward/fill_zero",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[Binding { name: "gradient", access: Access::ReadWrite, operand: false }],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        pub(crate) use super::super::shared::window::Params;
    }

    /// Computes partial sums of the gradient of the bias: the gradient of the output, summed over slices of the
    /// pixels of some images.
    pub(crate) mod grad_bias {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The kernel's variant `linear`.
        pub(crate) static LINEAR: Kernel = Kernel {
            name: "backward/grad_bias/linear",
            file: "backward/grad_bias",
            variant: "linear",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "grad_output", access: Access::Read, operand: true },
                Binding { name: "output", access: Access::Read, operand: true },
                Binding { name: "partial", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's variant `activated`.
        pub(crate) static ACTIVATED: Kernel = Kernel {
            name: "backward/grad_bias/activated",
            file: "backward/grad_bias",
            variant: "activated",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "grad_output", access: Access::Read, operand: true },
                Binding { name: "output", access: Access::Read, operand: true },
                Binding { name: "partial", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Pixels of one output plane.
            pub(crate) out_pixels: u64,
            /// Images of this step.
            pub(crate) images: u64,
            /// Elements between images.
            pub(crate) image_stride: u64,
            /// Slices of a channel.
            pub(crate) slices: u64,
            /// Invocations that have work; the rest of the grid is idle.
            pub(crate) invocations: u64,
            /// Start of the first image's first channel in the bound gradient, in elements.
            pub(crate) grad_output_base: u64,
            /// Start of the first image's first channel in the bound output, in elements.
            pub(crate) output_base: u64,
            /// The activation: see shared/activation_kinds.wgsl.
            pub(crate) kind: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "out_pixels",
                "images",
                "image_stride",
                "slices",
                "invocations",
                "grad_output_base",
                "output_base",
                "kind",
            ];
        }
    }

    /// Computes the gradient of the columns: the transposed weight times the gradient of the output, a product of two
    /// textures.
    pub(crate) mod grad_column {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _, TexelFormat};
        /// Pixels of one invocation.
        pub(crate) const PIXELS_PER_INVOCATION: u64 = 4;
        /// Packs of one invocation.
        pub(crate) const PACKS_PER_INVOCATION: u64 = 8;
        /// A variant of the kernel, with its constants.
        #[derive(Debug)]
        pub(crate) struct Variant {
            /// The kernel.
            pub(crate) kernel: Kernel,
            /// Invocations of a workgroup.
            pub(crate) lanes: u64,
            /// Packs whose weights one lane loads; it gets those of the others from the other lanes.
            pub(crate) loaded_packs: u64,
        }
        /// The kernel's variant `subgroup`.
        pub(crate) static SUBGROUP: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_column/subgroup",
                file: "backward/grad_column",
                variant: "subgroup",
                workgroup_size: 8,
                subgroups: true,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_weight_columns",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "grad_column", access: Access::ReadWrite, operand: false },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            lanes: 8,
            loaded_packs: 1,
        };
        /// The kernel's variant `portable`.
        pub(crate) static PORTABLE: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_column/portable",
                file: "backward/grad_column",
                variant: "portable",
                workgroup_size: 32,
                subgroups: false,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_weight_columns",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "grad_column", access: Access::ReadWrite, operand: false },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            lanes: 32,
            loaded_packs: 8,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Taps of the kernel: kernel_height · kernel_width.
            pub(crate) taps: u64,
            /// Packs of the packed weight.
            pub(crate) weight_packs: u64,
            /// Number of this step's first pack among the packs of the packed weight.
            pub(crate) first_pack: u64,
            /// Packs of this step's channels.
            pub(crate) packs: u64,
            /// Packs of each segment in this step.
            pub(crate) segment_packs: u64,
            /// First segment of this step.
            pub(crate) segment_start: u64,
            /// One past the last segment of this step.
            pub(crate) segment_end: u64,
            /// Segments of a weight group.
            pub(crate) segments_per_group: u64,
            /// First group of this step.
            pub(crate) group_start: u64,
            /// Blocks of packs of a weight group.
            pub(crate) pack_blocks: u64,
            /// Packs of the output channels of a weight group.
            pub(crate) row_packs: u64,
            /// Packs of the output channels of all weight groups of this step.
            pub(crate) all_row_packs: u64,
            /// Output pixels of the part, filled up to whole blocks.
            pub(crate) padded_pixels: u64,
            /// Blocks of pixels.
            pub(crate) pixel_blocks: u64,
            /// Workgroups that have work; the rest of the grid is idle.
            pub(crate) workgroups: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "taps",
                "weight_packs",
                "first_pack",
                "packs",
                "segment_packs",
                "segment_start",
                "segment_end",
                "segments_per_group",
                "group_start",
                "pack_blocks",
                "row_packs",
                "all_row_packs",
                "padded_pixels",
                "pixel_blocks",
                "workgroups",
            ];
        }
    }

    /// Computes the gradient of the columns for weight groups of few channels, without a product.
    pub(crate) mod grad_column_depthwise {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _, TexelFormat};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "backward/grad_column_depthwise",
            file: "backward/grad_column_depthwise",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding {
                    name: "packed_grad_output",
                    access: Access::TextureRead(TexelFormat::Rgba32Float),
                    operand: false,
                },
                Binding {
                    name: "packed_weight",
                    access: Access::TextureRead(TexelFormat::Rgba32Float),
                    operand: false,
                },
                Binding { name: "grad_column", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Taps of the kernel: kernel_height · kernel_width.
            pub(crate) taps: u64,
            /// Output channels of a weight group.
            pub(crate) rows: u64,
            /// Packs of this step's channels.
            pub(crate) packs: u64,
            /// Packs of all segments.
            pub(crate) all_packs: u64,
            /// Number of this step's first pack among the packs of all segments.
            pub(crate) first_pack: u64,
            /// Output pixels of the part, filled up to whole blocks.
            pub(crate) padded_pixels: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] =
                &["taps", "rows", "packs", "all_packs", "first_pack", "padded_pixels"];
        }
    }

    /// Computes the gradient of the input.
    pub(crate) mod grad_input {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _, TexelFormat};
        /// Entries per iteration of the loop, because a driver may end a loop after 65,535 iterations.
        pub(crate) const ENTRIES_PER_ITERATION: u64 = 4;
        /// A variant of the kernel, with its constants.
        #[derive(Debug)]
        pub(crate) struct Variant {
            /// The kernel.
            pub(crate) kernel: Kernel,
            /// Packs of one invocation: 1 or 2.
            pub(crate) packs_per_lane: u64,
        }
        /// The kernel's variant `single`.
        pub(crate) static SINGLE: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_input/single",
                file: "backward/grad_input",
                variant: "single",
                workgroup_size: 32,
                subgroups: false,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_taps",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "grad_column", access: Access::Read, operand: false },
                    Binding { name: "order", access: Access::Read, operand: false },
                    Binding { name: "ends", access: Access::Read, operand: false },
                    Binding { name: "grad_input", access: Access::ReadWrite, operand: false },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs_per_lane: 1,
        };
        /// The kernel's variant `paired`.
        pub(crate) static PAIRED: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_input/paired",
                file: "backward/grad_input",
                variant: "paired",
                workgroup_size: 32,
                subgroups: false,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_taps",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "grad_column", access: Access::Read, operand: false },
                    Binding { name: "order", access: Access::Read, operand: false },
                    Binding { name: "ends", access: Access::Read, operand: false },
                    Binding { name: "grad_input", access: Access::ReadWrite, operand: false },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs_per_lane: 2,
        };
        /// The kernel's variant `depthwise_single`.
        pub(crate) static DEPTHWISE_SINGLE: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_input/depthwise_single",
                file: "backward/grad_input",
                variant: "depthwise_single",
                workgroup_size: 32,
                subgroups: false,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_taps",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "order", access: Access::Read, operand: false },
                    Binding { name: "ends", access: Access::Read, operand: false },
                    Binding { name: "grad_input", access: Access::ReadWrite, operand: false },
                    Binding {
                        name: "packed_weight",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs_per_lane: 1,
        };
        /// The kernel's variant `depthwise_paired`.
        pub(crate) static DEPTHWISE_PAIRED: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_input/depthwise_paired",
                file: "backward/grad_input",
                variant: "depthwise_paired",
                workgroup_size: 32,
                subgroups: false,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_taps",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "order", access: Access::Read, operand: false },
                    Binding { name: "ends", access: Access::Read, operand: false },
                    Binding { name: "grad_input", access: Access::ReadWrite, operand: false },
                    Binding {
                        name: "packed_weight",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs_per_lane: 2,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Rows of the input.
            pub(crate) in_height: u64,
            /// Columns of the input.
            pub(crate) in_width: u64,
            /// Channels of a segment.
            pub(crate) segment_channels: u64,
            /// Packs of each segment in this step.
            pub(crate) segment_packs: u64,
            /// First pack of each segment in this step.
            pub(crate) pack_start: u64,
            /// First segment of this step.
            pub(crate) segment_start: u64,
            /// One past the last segment of this step.
            pub(crate) segment_end: u64,
            /// Segments of an offset group.
            pub(crate) segments_per_offset_group: u64,
            /// First offset group of this step.
            pub(crate) group_start: u64,
            /// Packs of this step's channels.
            pub(crate) packs: u64,
            /// Packs of all segments.
            pub(crate) all_packs: u64,
            /// Number of this step's first pack among the packs of all segments.
            pub(crate) first_pack: u64,
            /// Output pixels of the part, rounded up to whole blocks.
            pub(crate) padded_pixels: u64,
            /// Entries of one offset group.
            pub(crate) entries: u64,
            /// Counters of one offset group in `ends`.
            pub(crate) counters: u64,
            /// Counters of one row of cells in `ends`.
            pub(crate) counters_per_row: u64,
            /// 0 for the even rows of cells, 1 for the odd rows.
            pub(crate) parity: u64,
            /// Rows of cells of this parity in one image.
            pub(crate) rows: u64,
            /// Images of the part.
            pub(crate) images: u64,
            /// Elements between images of the gradient.
            pub(crate) image_stride: u64,
            /// Lanes that walk through a row together.
            pub(crate) lanes_per_row: u64,
            /// Units of an offset group. A unit is lanes_per_row lanes, which walk through one row for as many packs as they
            /// own. The number is rounded up so that no vector of 8 lanes serves two offset groups.
            pub(crate) units_per_group: u64,
            /// Start of this step's channels in the bound gradient, in elements.
            pub(crate) grad_input_base: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "in_height",
                "in_width",
                "segment_channels",
                "segment_packs",
                "pack_start",
                "segment_start",
                "segment_end",
                "segments_per_offset_group",
                "group_start",
                "packs",
                "all_packs",
                "first_pack",
                "padded_pixels",
                "entries",
                "counters",
                "counters_per_row",
                "parity",
                "rows",
                "images",
                "image_stride",
                "lanes_per_row",
                "units_per_group",
                "grad_input_base",
            ];
        }
    }

    /// Computes the gradients of offset and mask, and the columns that the gradient of the weight needs.
    pub(crate) mod grad_offset {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _, TexelFormat};
        /// The kernel's variant `drops_columns`.
        pub(crate) static DROPS_COLUMNS: Kernel = Kernel {
            name: "backward/grad_offset/drops_columns",
            file: "backward/grad_offset",
            variant: "drops_columns",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "packed_input", access: Access::TextureRead(TexelFormat::Rgba32Float), operand: false },
                Binding { name: "grad_column", access: Access::Read, operand: false },
                Binding { name: "packed_taps", access: Access::TextureRead(TexelFormat::Rgba32Float), operand: false },
                Binding { name: "grad_offset", access: Access::ReadWrite, operand: false },
                Binding { name: "grad_mask", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's variant `keeps_columns`.
        pub(crate) static KEEPS_COLUMNS: Kernel = Kernel {
            name: "backward/grad_offset/keeps_columns",
            file: "backward/grad_offset",
            variant: "keeps_columns",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "packed_input", access: Access::TextureRead(TexelFormat::Rgba32Float), operand: false },
                Binding { name: "grad_column", access: Access::Read, operand: false },
                Binding { name: "packed_taps", access: Access::TextureRead(TexelFormat::Rgba32Float), operand: false },
                Binding { name: "grad_offset", access: Access::ReadWrite, operand: false },
                Binding { name: "grad_mask", access: Access::ReadWrite, operand: false },
                Binding { name: "columns", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's variant `depthwise`.
        pub(crate) static DEPTHWISE: Kernel = Kernel {
            name: "backward/grad_offset/depthwise",
            file: "backward/grad_offset",
            variant: "depthwise",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "packed_input", access: Access::TextureRead(TexelFormat::Rgba32Float), operand: false },
                Binding {
                    name: "packed_grad_output",
                    access: Access::TextureRead(TexelFormat::Rgba32Float),
                    operand: false,
                },
                Binding { name: "packed_taps", access: Access::TextureRead(TexelFormat::Rgba32Float), operand: false },
                Binding { name: "grad_offset", access: Access::ReadWrite, operand: false },
                Binding { name: "grad_mask", access: Access::ReadWrite, operand: false },
                Binding {
                    name: "packed_weight",
                    access: Access::TextureRead(TexelFormat::Rgba32Float),
                    operand: false,
                },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Columns from a pack's plane of the packed input to the next pack's.
            pub(crate) plane_columns: u64,
            /// Rows from a pack's plane of the packed input to the next pack's.
            pub(crate) plane_rows: u64,
            /// Columns of the input.
            pub(crate) in_width: u64,
            /// Taps of the kernel: kernel_height · kernel_width.
            pub(crate) taps: u64,
            /// Pixels of one output plane.
            pub(crate) out_pixels: u64,
            /// First output pixel of the part in its first image.
            pub(crate) first_pixel: u64,
            /// Output pixels of the part, of all its images.
            pub(crate) pixels: u64,
            /// `pixels` rounded up to whole blocks.
            pub(crate) padded_pixels: u64,
            /// Packs of this step's channels.
            pub(crate) packs: u64,
            /// Packs of each segment in this step.
            pub(crate) segment_packs: u64,
            /// Packs of all segments.
            pub(crate) all_packs: u64,
            /// Number of this step's first pack among the packs of all segments.
            pub(crate) first_pack: u64,
            /// First segment of this step.
            pub(crate) segment_start: u64,
            /// One past the last segment of this step.
            pub(crate) segment_end: u64,
            /// Segments of an offset group.
            pub(crate) segments_per_offset_group: u64,
            /// First offset group of this step.
            pub(crate) group_start: u64,
            /// Invocations that have work; the rest of the grid is idle.
            pub(crate) invocations: u64,
            /// Elements between images of the gradient of the offset.
            pub(crate) grad_offset_image_stride: u64,
            /// Elements between images of the gradient of the mask.
            pub(crate) grad_mask_image_stride: u64,
            /// Start of this step's offset groups in the bound gradient of the offset, in elements.
            pub(crate) grad_offset_base: u64,
            /// Start of this step's offset groups in the bound gradient of the mask, in elements.
            pub(crate) grad_mask_base: u64,
            /// 1 if an earlier step had the segment's first channels.
            pub(crate) follows: u64,
            /// 1 to compute the gradient of the offset.
            pub(crate) wants_offset: u64,
            /// 1 to compute the gradient of the mask.
            pub(crate) wants_mask: u64,
            /// 1 to add to the gradient of the offset, 0 to replace it.
            pub(crate) adds_offset: u64,
            /// 1 to add to the gradient of the mask, 0 to replace it.
            pub(crate) adds_mask: u64,
            /// 1 for mmcv's derivative with respect to the position at exactly −1, which is 0.
            pub(crate) zero_at_border: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "plane_columns",
                "plane_rows",
                "in_width",
                "taps",
                "out_pixels",
                "first_pixel",
                "pixels",
                "padded_pixels",
                "packs",
                "segment_packs",
                "all_packs",
                "first_pack",
                "segment_start",
                "segment_end",
                "segments_per_offset_group",
                "group_start",
                "invocations",
                "grad_offset_image_stride",
                "grad_mask_image_stride",
                "grad_offset_base",
                "grad_mask_base",
                "follows",
                "wants_offset",
                "wants_mask",
                "adds_offset",
                "adds_mask",
                "zero_at_border",
            ];
        }
    }

    /// Computes partial sums of the gradient of the weight: the gradient of the output times the columns, summed over
    /// pixels.
    pub(crate) mod grad_weight {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _, TexelFormat};
        /// A variant of the kernel, with its constants.
        #[derive(Debug)]
        pub(crate) struct Variant {
            /// The kernel.
            pub(crate) kernel: Kernel,
            /// Invocations of a workgroup.
            pub(crate) lanes: u64,
            /// Packs of output channels that the lanes load together, one per lane; 1 if all lanes load the same packs.
            pub(crate) round: u64,
            /// Packs of output channels of one invocation.
            pub(crate) row_packs: u64,
            /// Pixels that one iteration of the loop adds.
            pub(crate) pixels_per_iteration: u64,
            /// Iterations of the loop for one block of pixels.
            pub(crate) iterations_per_block: u64,
        }
        /// The kernel's variant `stored_subgroup_64`.
        pub(crate) static STORED_SUBGROUP_64: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_weight/stored_subgroup_64",
                file: "backward/grad_weight",
                variant: "stored_subgroup_64",
                workgroup_size: 8,
                subgroups: true,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "partial", access: Access::ReadWrite, operand: false },
                    Binding { name: "columns", access: Access::Read, operand: false },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            lanes: 8,
            round: 8,
            row_packs: 16,
            pixels_per_iteration: 4,
            iterations_per_block: 8,
        };
        /// The kernel's variant `sampled_subgroup_64`.
        pub(crate) static SAMPLED_SUBGROUP_64: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_weight/sampled_subgroup_64",
                file: "backward/grad_weight",
                variant: "sampled_subgroup_64",
                workgroup_size: 8,
                subgroups: true,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "partial", access: Access::ReadWrite, operand: false },
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_taps",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            lanes: 8,
            round: 8,
            row_packs: 16,
            pixels_per_iteration: 4,
            iterations_per_block: 8,
        };
        /// The kernel's variant `regular_subgroup_64`.
        pub(crate) static REGULAR_SUBGROUP_64: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_weight/regular_subgroup_64",
                file: "backward/grad_weight",
                variant: "regular_subgroup_64",
                workgroup_size: 8,
                subgroups: true,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "partial", access: Access::ReadWrite, operand: false },
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_taps",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            lanes: 8,
            round: 8,
            row_packs: 16,
            pixels_per_iteration: 4,
            iterations_per_block: 8,
        };
        /// The kernel's variant `sampled_subgroup_32`.
        pub(crate) static SAMPLED_SUBGROUP_32: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_weight/sampled_subgroup_32",
                file: "backward/grad_weight",
                variant: "sampled_subgroup_32",
                workgroup_size: 8,
                subgroups: true,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "partial", access: Access::ReadWrite, operand: false },
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_taps",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            lanes: 8,
            round: 8,
            row_packs: 8,
            pixels_per_iteration: 4,
            iterations_per_block: 8,
        };
        /// The kernel's variant `regular_subgroup_32`.
        pub(crate) static REGULAR_SUBGROUP_32: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_weight/regular_subgroup_32",
                file: "backward/grad_weight",
                variant: "regular_subgroup_32",
                workgroup_size: 8,
                subgroups: true,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "partial", access: Access::ReadWrite, operand: false },
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_taps",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            lanes: 8,
            round: 8,
            row_packs: 8,
            pixels_per_iteration: 4,
            iterations_per_block: 8,
        };
        /// The kernel's variant `stored`.
        pub(crate) static STORED: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_weight/stored",
                file: "backward/grad_weight",
                variant: "stored",
                workgroup_size: 32,
                subgroups: false,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "partial", access: Access::ReadWrite, operand: false },
                    Binding { name: "columns", access: Access::Read, operand: false },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            lanes: 32,
            round: 1,
            row_packs: 4,
            pixels_per_iteration: 2,
            iterations_per_block: 16,
        };
        /// The kernel's variant `sampled`.
        pub(crate) static SAMPLED: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_weight/sampled",
                file: "backward/grad_weight",
                variant: "sampled",
                workgroup_size: 32,
                subgroups: false,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "partial", access: Access::ReadWrite, operand: false },
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_taps",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            lanes: 32,
            round: 1,
            row_packs: 4,
            pixels_per_iteration: 2,
            iterations_per_block: 16,
        };
        /// The kernel's variant `regular`.
        pub(crate) static REGULAR: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_weight/regular",
                file: "backward/grad_weight",
                variant: "regular",
                workgroup_size: 32,
                subgroups: false,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "partial", access: Access::ReadWrite, operand: false },
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_taps",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            lanes: 32,
            round: 1,
            row_packs: 4,
            pixels_per_iteration: 2,
            iterations_per_block: 16,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Taps of the kernel: kernel_height · kernel_width.
            pub(crate) taps: u64,
            /// Columns from a pack's plane of the packed input to the next pack's.
            pub(crate) plane_columns: u64,
            /// Rows from a pack's plane of the packed input to the next pack's.
            pub(crate) plane_rows: u64,
            /// Packs of this step's channels.
            pub(crate) packs: u64,
            /// Packs of each segment in this step.
            pub(crate) segment_packs: u64,
            /// First segment of this step.
            pub(crate) segment_start: u64,
            /// One past the last segment of this step.
            pub(crate) segment_end: u64,
            /// Segments of a weight group.
            pub(crate) segments_per_group: u64,
            /// Segments of an offset group.
            pub(crate) segments_per_offset_group: u64,
            /// First weight group of this step.
            pub(crate) group_start: u64,
            /// Weight groups of this step.
            pub(crate) groups: u64,
            /// Packs of the output channels of a weight group.
            pub(crate) row_packs: u64,
            /// Packs of the output channels of all weight groups of this step.
            pub(crate) all_row_packs: u64,
            /// Blocks of pixels.
            pub(crate) pixel_blocks: u64,
            /// Iterations of the loop of one split.
            pub(crate) iterations_per_split: u64,
            /// Tiles of columns.
            pub(crate) column_tiles: u64,
            /// Tiles of output channels.
            pub(crate) row_tiles: u64,
            /// Workgroups that have work; the rest of the grid is idle.
            pub(crate) workgroups: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "taps",
                "plane_columns",
                "plane_rows",
                "packs",
                "segment_packs",
                "segment_start",
                "segment_end",
                "segments_per_group",
                "segments_per_offset_group",
                "group_start",
                "groups",
                "row_packs",
                "all_row_packs",
                "pixel_blocks",
                "iterations_per_split",
                "column_tiles",
                "row_tiles",
                "workgroups",
            ];
        }
    }

    /// Computes partial sums of the gradient of the weight of a depthwise convolution, or of one with weight groups of 2 to 4
    /// input channels.
    pub(crate) mod grad_weight_depthwise {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _, TexelFormat};
        /// A variant of the kernel, with its constants.
        #[derive(Debug)]
        pub(crate) struct Variant {
            /// The kernel.
            pub(crate) kernel: Kernel,
            /// Packs of one invocation.
            pub(crate) packs: u64,
            /// Output channels of a weight group that one invocation computes.
            pub(crate) rows: u64,
        }
        /// The kernel's variant `packs4`.
        pub(crate) static PACKS4: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_weight_depthwise/packs4",
                file: "backward/grad_weight_depthwise",
                variant: "packs4",
                workgroup_size: 64,
                subgroups: false,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_taps",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "partial", access: Access::ReadWrite, operand: false },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 4,
            rows: 1,
        };
        /// The kernel's variant `packs2`.
        pub(crate) static PACKS2: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_weight_depthwise/packs2",
                file: "backward/grad_weight_depthwise",
                variant: "packs2",
                workgroup_size: 64,
                subgroups: false,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_taps",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "partial", access: Access::ReadWrite, operand: false },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 2,
            rows: 1,
        };
        /// The kernel's variant `packs1`.
        pub(crate) static PACKS1: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_weight_depthwise/packs1",
                file: "backward/grad_weight_depthwise",
                variant: "packs1",
                workgroup_size: 64,
                subgroups: false,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_taps",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "partial", access: Access::ReadWrite, operand: false },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 1,
            rows: 1,
        };
        /// The kernel's variant `packs2_rows2`.
        pub(crate) static PACKS2_ROWS2: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_weight_depthwise/packs2_rows2",
                file: "backward/grad_weight_depthwise",
                variant: "packs2_rows2",
                workgroup_size: 64,
                subgroups: false,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_taps",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "partial", access: Access::ReadWrite, operand: false },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 2,
            rows: 2,
        };
        /// The kernel's variant `packs1_rows2`.
        pub(crate) static PACKS1_ROWS2: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_weight_depthwise/packs1_rows2",
                file: "backward/grad_weight_depthwise",
                variant: "packs1_rows2",
                workgroup_size: 64,
                subgroups: false,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_taps",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "partial", access: Access::ReadWrite, operand: false },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 1,
            rows: 2,
        };
        /// The kernel's variant `packs1_rows4`.
        pub(crate) static PACKS1_ROWS4: Variant = Variant {
            kernel: Kernel {
                name: "backward/grad_weight_depthwise/packs1_rows4",
                file: "backward/grad_weight_depthwise",
                variant: "packs1_rows4",
                workgroup_size: 64,
                subgroups: false,
                sampling: false,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_grad_output",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_taps",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "partial", access: Access::ReadWrite, operand: false },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 1,
            rows: 4,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Columns from a pack's plane of the packed input to the next pack's.
            pub(crate) plane_columns: u64,
            /// Rows from a pack's plane of the packed input to the next pack's.
            pub(crate) plane_rows: u64,
            /// Taps of the kernel: kernel_height · kernel_width.
            pub(crate) taps: u64,
            /// Output pixels of the part, of all its images.
            pub(crate) pixels: u64,
            /// `pixels` rounded up to whole blocks.
            pub(crate) padded_pixels: u64,
            /// Channels of a segment.
            pub(crate) segment_channels: u64,
            /// Segments of this step.
            pub(crate) segments: u64,
            /// First pack of each segment in this step.
            pub(crate) pack_start: u64,
            /// Packs of each segment in this step.
            pub(crate) segment_packs: u64,
            /// Blocks of packs of a segment.
            pub(crate) pack_blocks: u64,
            /// Packs of this step's channels.
            pub(crate) packs: u64,
            /// Input channels of a weight group.
            pub(crate) group_channels: u64,
            /// Binary logarithm of the lanes of a weight group: 1, 2 or 4.
            pub(crate) group_shift: u64,
            /// Weight groups of a segment.
            pub(crate) segment_groups: u64,
            /// Output channels of a weight group.
            pub(crate) rows: u64,
            /// Blocks of output channels of a weight group.
            pub(crate) row_blocks: u64,
            /// Slices of a sum.
            pub(crate) slices: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "plane_columns",
                "plane_rows",
                "taps",
                "pixels",
                "padded_pixels",
                "segment_channels",
                "segments",
                "pack_start",
                "segment_packs",
                "pack_blocks",
                "packs",
                "group_channels",
                "group_shift",
                "segment_groups",
                "rows",
                "row_blocks",
                "slices",
            ];
        }
    }

    /// Adds the partial sums of grad_weight.wgsl to the gradient of the weight, in order.
    pub(crate) mod grad_weight_reduce {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The largest number of taps of one invocation.
        pub(crate) const TAPS_PER_INVOCATION: u64 = 16;
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "backward/grad_weight_reduce",
            file: "backward/grad_weight_reduce",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "partial", access: Access::Read, operand: false },
                Binding { name: "grad_weight", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Taps of the kernel: kernel_height · kernel_width.
            pub(crate) taps: u64,
            /// Channels of a segment.
            pub(crate) segment_channels: u64,
            /// Packs of each segment in this step.
            pub(crate) segment_packs: u64,
            /// First pack of each segment in this step.
            pub(crate) pack_start: u64,
            /// First segment of this step.
            pub(crate) segment_start: u64,
            /// One past the last segment of this step.
            pub(crate) segment_end: u64,
            /// Segments of a weight group.
            pub(crate) segments_per_group: u64,
            /// First weight group of this step.
            pub(crate) group_start: u64,
            /// Weight groups of this step.
            pub(crate) groups: u64,
            /// Output channels of a weight group.
            pub(crate) rows: u64,
            /// Packs of output channels of a tile.
            pub(crate) row_packs_per_tile: u64,
            /// Packs of columns of a tile.
            pub(crate) column_packs_per_tile: u64,
            /// Tiles of columns.
            pub(crate) column_tiles: u64,
            /// Tiles of output channels.
            pub(crate) row_tiles: u64,
            /// Splits of the sum.
            pub(crate) splits: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "taps",
                "segment_channels",
                "segment_packs",
                "pack_start",
                "segment_start",
                "segment_end",
                "segments_per_group",
                "group_start",
                "groups",
                "rows",
                "row_packs_per_tile",
                "column_packs_per_tile",
                "column_tiles",
                "row_tiles",
                "splits",
            ];
        }
    }

    /// Packs the gradient of the output for a part's pixels: four channels per texel, in blocks of 32 pixels.
    pub(crate) mod pack_grad_output {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _, TexelFormat};
        /// The largest number of packs of one invocation.
        pub(crate) const PACKS_PER_INVOCATION: u64 = 8;
        /// The kernel's variant `linear`.
        pub(crate) static LINEAR: Kernel = Kernel {
            name: "backward/pack_grad_output/linear",
            file: "backward/pack_grad_output",
            variant: "linear",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "grad_output", access: Access::Read, operand: true },
                Binding { name: "output", access: Access::Read, operand: true },
                Binding {
                    name: "packed_grad_output",
                    access: Access::TextureWrite(TexelFormat::Rgba32Float),
                    operand: false,
                },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's variant `activated`.
        pub(crate) static ACTIVATED: Kernel = Kernel {
            name: "backward/pack_grad_output/activated",
            file: "backward/pack_grad_output",
            variant: "activated",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "grad_output", access: Access::Read, operand: true },
                Binding { name: "output", access: Access::Read, operand: true },
                Binding {
                    name: "packed_grad_output",
                    access: Access::TextureWrite(TexelFormat::Rgba32Float),
                    operand: false,
                },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's variant `shared`.
        pub(crate) static SHARED: Kernel = Kernel {
            name: "backward/pack_grad_output/shared",
            file: "backward/pack_grad_output",
            variant: "shared",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "grad_output", access: Access::Read, operand: true },
                Binding { name: "output", access: Access::Read, operand: true },
                Binding {
                    name: "packed_grad_output",
                    access: Access::TextureWrite(TexelFormat::Rgba32Float),
                    operand: false,
                },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Output channels of a group.
            pub(crate) group_channels: u64,
            /// Lanes of a group: its output channels, or without a product its input channels.
            pub(crate) lanes: u64,
            /// Binary logarithm of the lanes that share an output channel.
            pub(crate) lane_shift: u64,
            /// Packs of the same lanes.
            pub(crate) rows: u64,
            /// Packs of each group's lanes in this step.
            pub(crate) packs: u64,
            /// Packs of all groups of this step.
            pub(crate) part_packs: u64,
            /// Number of this step's first pack among all packs of the texture.
            pub(crate) pack_start: u64,
            /// Packs of the texture.
            pub(crate) all_packs: u64,
            /// First lane of each group in this step.
            pub(crate) lane_start: u64,
            /// Pixels of one output plane.
            pub(crate) out_pixels: u64,
            /// First output pixel of the part in its first image.
            pub(crate) first_pixel: u64,
            /// Output pixels of the part, of all its images.
            pub(crate) pixels: u64,
            /// `pixels` rounded up to whole blocks.
            pub(crate) padded_pixels: u64,
            /// Elements between images of the gradient and of the output.
            pub(crate) image_stride: u64,
            /// Start of the first image in the bound gradient, in elements.
            pub(crate) grad_output_base: u64,
            /// Start of the first image in the bound output, in elements.
            pub(crate) output_base: u64,
            /// The activation: see shared/activation_kinds.wgsl.
            pub(crate) kind: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "group_channels",
                "lanes",
                "lane_shift",
                "rows",
                "packs",
                "part_packs",
                "pack_start",
                "all_packs",
                "lane_start",
                "out_pixels",
                "first_pixel",
                "pixels",
                "padded_pixels",
                "image_stride",
                "grad_output_base",
                "output_base",
                "kind",
            ];
        }
    }

    /// Packs the taps of a part's pixels: computes each position once for all kernels that sample there or add
    /// there.
    pub(crate) mod pack_taps {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _, TexelFormat};
        /// The largest number of taps of one invocation.
        pub(crate) const TAPS_PER_INVOCATION: u64 = 64;
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "backward/pack_taps",
            file: "backward/pack_taps",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: true,
            bindings: &[
                Binding { name: "offset", access: Access::Read, operand: true },
                Binding { name: "mask", access: Access::Read, operand: true },
                Binding { name: "packed_taps", access: Access::TextureWrite(TexelFormat::Rgba32Float), operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Geometry of the taps.
            pub(crate) geometry: super::super::shared::tap_geometry::TapGeometry,
            /// First row of the packed input.
            pub(crate) row_start: u64,
            /// Rows of each image in the packed input.
            pub(crate) rows: u64,
            /// First output pixel of the part in its first image.
            pub(crate) first_pixel: u64,
            /// Output pixels of the part, of all its images.
            pub(crate) pixels: u64,
            /// `pixels` rounded up to whole blocks.
            pub(crate) padded_pixels: u64,
            /// Blocks of taps of a kernel.
            pub(crate) tap_blocks: u64,
            /// Invocations that have work; the rest of the grid is idle.
            pub(crate) invocations: u64,
            /// Elements between images of the offset.
            pub(crate) offset_image_stride: u64,
            /// Elements between images of the mask.
            pub(crate) mask_image_stride: u64,
            /// Start of this step's offset groups in the bound offset, in elements.
            pub(crate) offset_base: u64,
            /// Start of this step's offset groups in the bound mask, in elements.
            pub(crate) mask_base: u64,
            /// 1 with a mask (v2), 0 without one (v1).
            pub(crate) has_mask: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "in_height",
                "in_width",
                "out_width",
                "out_pixels",
                "kernel_width",
                "taps",
                "stride_h",
                "stride_w",
                "pad_h",
                "pad_w",
                "dil_h",
                "dil_w",
                "row_start",
                "rows",
                "first_pixel",
                "pixels",
                "padded_pixels",
                "tap_blocks",
                "invocations",
                "offset_image_stride",
                "mask_image_stride",
                "offset_base",
                "mask_base",
                "has_mask",
            ];
        }
    }

    /// Packs the weight for grad_column.wgsl, which multiplies by the transposed weight: four output channels per texel.
    pub(crate) mod pack_weight_columns {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _, TexelFormat};
        /// The largest number of taps of one invocation.
        pub(crate) const TAPS_PER_INVOCATION: u64 = 16;
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "backward/pack_weight_columns",
            file: "backward/pack_weight_columns",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "weight", access: Access::Read, operand: true },
                Binding {
                    name: "packed_weight_columns",
                    access: Access::TextureWrite(TexelFormat::Rgba32Float),
                    operand: false,
                },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Channels of a segment.
            pub(crate) segment_channels: u64,
            /// Packs of each segment in this step.
            pub(crate) segment_packs: u64,
            /// First segment of this step.
            pub(crate) segment_start: u64,
            /// First pack of each segment in this step.
            pub(crate) pack_start: u64,
            /// Segments of a weight group.
            pub(crate) segments_per_group: u64,
            /// Packs of this step's channels.
            pub(crate) packs: u64,
            /// Taps of the kernel: kernel_height · kernel_width.
            pub(crate) taps: u64,
            /// Output channels of a weight group.
            pub(crate) rows: u64,
            /// Packs of the output channels of a weight group.
            pub(crate) row_packs: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "segment_channels",
                "segment_packs",
                "segment_start",
                "pack_start",
                "segments_per_group",
                "packs",
                "taps",
                "rows",
                "row_packs",
            ];
        }
    }

    /// The pixels of a part are rounded up to whole blocks. packed_grad_output is ordered block by block; the packed taps
    /// and the columns only have the rounded number of pixels.
    pub(crate) mod pixel_blocks {
        /// Pixels of a block.
        pub(crate) const BLOCK_PIXELS: u64 = 32;
    }

    /// Adds partial sums to a gradient, in order.
    pub(crate) mod sum_slices {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "backward/sum_slices",
            file: "backward/sum_slices",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "partial", access: Access::Read, operand: false },
                Binding { name: "gradient", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Elements to add to.
            pub(crate) elements: u64,
            /// Slices of each element.
            pub(crate) slices: u64,
            /// Start of the elements in the bound gradient, in elements.
            pub(crate) base: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &["elements", "slices", "base"];
        }
    }
}

/// The shaders of `shaders/convolution`.
pub(crate) mod convolution {
    /// Copies a run of elements of every plane: rows of an operand into a band, or of a band into an operand.
    pub(crate) mod copy_rows {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The largest number of elements of one invocation.
        pub(crate) const ELEMENTS_PER_INVOCATION: u64 = 16;
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "convolution/copy_rows",
            file: "convolution/copy_rows",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "rows", access: Access::Read, operand: true },
                Binding { name: "copied", access: Access::ReadWrite, operand: true },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Elements of a run.
            pub(crate) run: u64,
            /// Workgroups along a run.
            pub(crate) blocks: u64,
            /// Planes of this step.
            pub(crate) planes: u64,
            /// Elements from one plane to the next in `rows`.
            pub(crate) rows_stride: u64,
            /// Elements from one plane to the next in `copied`.
            pub(crate) copied_stride: u64,
            /// Start of the first run in the bound `rows`, in elements.
            pub(crate) rows_base: u64,
            /// Start of the first run in the bound `copied`, in elements.
            pub(crate) copied_base: u64,
            /// 1 to add to what is there, 0 to replace it.
            pub(crate) adds: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] =
                &["run", "blocks", "planes", "rows_stride", "copied_stride", "rows_base", "copied_base", "adds"];
        }
    }

    /// Packs images into a texture that other kernels sample: four channels per texel, with zeros around every image.
    pub(crate) mod pack_input {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _, TexelFormat};
        /// The largest number of texels of one invocation.
        pub(crate) const ROWS_PER_INVOCATION: u64 = 8;
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "convolution/pack_input",
            file: "convolution/pack_input",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "input", access: Access::Read, operand: true },
                Binding {
                    name: "packed_input",
                    access: Access::TextureWrite(TexelFormat::Rgba32Float),
                    operand: false,
                },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Packed rows of each image.
            pub(crate) rows: u64,
            /// Columns of the input.
            pub(crate) in_width: u64,
            /// Images in the texture.
            pub(crate) images: u64,
            /// Elements between images of the input.
            pub(crate) image_stride: u64,
            /// Elements of a channel of an image.
            pub(crate) plane_size: u64,
            /// Channels of a segment.
            pub(crate) segment_channels: u64,
            /// Packs whose planes lie below each other.
            pub(crate) packs_down: u64,
            /// Packs of a segment in the texture.
            pub(crate) packs: u64,
            /// First pack in the texture, counted in its segment.
            pub(crate) pack_start: u64,
            /// Columns of the texture to write.
            pub(crate) texture_width: u64,
            /// Rows of the texture to write.
            pub(crate) texture_height: u64,
            /// Start of the first packed row of the first image's first channel in the bound input, in elements.
            pub(crate) input_base: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "rows",
                "in_width",
                "images",
                "image_stride",
                "plane_size",
                "segment_channels",
                "packs_down",
                "packs",
                "pack_start",
                "texture_width",
                "texture_height",
                "input_base",
            ];
        }
    }

    /// Packs the input into a buffer, four channels side by side, with zeros around each image: for GPUs.
    pub(crate) mod pack_planes {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "convolution/pack_planes",
            file: "convolution/pack_planes",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "input", access: Access::Read, operand: true },
                Binding { name: "packed_input", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Rows of the input.
            pub(crate) in_height: u64,
            /// Columns of the input.
            pub(crate) in_width: u64,
            /// Channels of a segment.
            pub(crate) segment_channels: u64,
            /// Segments of an image.
            pub(crate) segments: u64,
            /// Elements to write.
            pub(crate) elements: u64,
            /// Elements between images of the input.
            pub(crate) input_image_stride: u64,
            /// Start of the first image in the bound input, in elements.
            pub(crate) input_base: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "in_height",
                "in_width",
                "segment_channels",
                "segments",
                "elements",
                "input_image_stride",
                "input_base",
            ];
        }
    }

    /// Packs the weight of a depthwise convolution, or of one with weight groups of 2 to 4 input channels: four channels per
    /// texel of a texture, or side by side in a buffer.
    pub(crate) mod pack_weight_depthwise {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _, TexelFormat};
        /// The kernel's variant `texture`.
        pub(crate) static TEXTURE: Kernel = Kernel {
            name: "convolution/pack_weight_depthwise/texture",
            file: "convolution/pack_weight_depthwise",
            variant: "texture",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "weight", access: Access::Read, operand: true },
                Binding {
                    name: "packed_weight",
                    access: Access::TextureWrite(TexelFormat::Rgba32Float),
                    operand: false,
                },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's variant `buffer`.
        pub(crate) static BUFFER: Kernel = Kernel {
            name: "convolution/pack_weight_depthwise/buffer",
            file: "convolution/pack_weight_depthwise",
            variant: "buffer",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "weight", access: Access::Read, operand: true },
                Binding { name: "packed_weight", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Channels of a segment.
            pub(crate) segment_channels: u64,
            /// Packs of a segment.
            pub(crate) segment_packs: u64,
            /// Packs of all segments.
            pub(crate) packs: u64,
            /// Input channels of a weight group.
            pub(crate) group_channels: u64,
            /// Output channels of a weight group.
            pub(crate) rows: u64,
            /// Taps of the kernel: kernel_height · kernel_width.
            pub(crate) taps: u64,
            /// Texels to write.
            pub(crate) texels: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] =
                &["segment_channels", "segment_packs", "packs", "group_channels", "rows", "taps", "texels"];
        }
    }
}

/// The shaders of `shaders/forward`.
pub(crate) mod forward {
    /// Computes a depthwise convolution, or one with weight groups of 2 to 4 input channels: four channels at a time.
    pub(crate) mod depthwise {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _, TexelFormat};
        /// A variant of the kernel, with its constants.
        #[derive(Debug)]
        pub(crate) struct Variant {
            /// The kernel.
            pub(crate) kernel: Kernel,
            /// Packs of one invocation.
            pub(crate) packs: u64,
            /// Output channels of a weight group that one invocation computes.
            pub(crate) rows: u64,
        }
        /// The kernel's variant `packs4`.
        pub(crate) static PACKS4: Variant = Variant {
            kernel: Kernel {
                name: "forward/depthwise/packs4",
                file: "forward/depthwise",
                variant: "packs4",
                workgroup_size: 64,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_weight",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 4,
            rows: 1,
        };
        /// The kernel's variant `packs2`.
        pub(crate) static PACKS2: Variant = Variant {
            kernel: Kernel {
                name: "forward/depthwise/packs2",
                file: "forward/depthwise",
                variant: "packs2",
                workgroup_size: 64,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_weight",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 2,
            rows: 1,
        };
        /// The kernel's variant `packs1`.
        pub(crate) static PACKS1: Variant = Variant {
            kernel: Kernel {
                name: "forward/depthwise/packs1",
                file: "forward/depthwise",
                variant: "packs1",
                workgroup_size: 64,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_weight",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 1,
            rows: 1,
        };
        /// The kernel's variant `packs2_rows2`.
        pub(crate) static PACKS2_ROWS2: Variant = Variant {
            kernel: Kernel {
                name: "forward/depthwise/packs2_rows2",
                file: "forward/depthwise",
                variant: "packs2_rows2",
                workgroup_size: 64,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_weight",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 2,
            rows: 2,
        };
        /// The kernel's variant `packs1_rows2`.
        pub(crate) static PACKS1_ROWS2: Variant = Variant {
            kernel: Kernel {
                name: "forward/depthwise/packs1_rows2",
                file: "forward/depthwise",
                variant: "packs1_rows2",
                workgroup_size: 64,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_weight",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 1,
            rows: 2,
        };
        /// The kernel's variant `packs1_rows4`.
        pub(crate) static PACKS1_ROWS4: Variant = Variant {
            kernel: Kernel {
                name: "forward/depthwise/packs1_rows4",
                file: "forward/depthwise",
                variant: "packs1_rows4",
                workgroup_size: 64,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_weight",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 1,
            rows: 4,
        };
        /// The kernel's variant `packs4_buffers`.
        pub(crate) static PACKS4_BUFFERS: Variant = Variant {
            kernel: Kernel {
                name: "forward/depthwise/packs4_buffers",
                file: "forward/depthwise",
                variant: "packs4_buffers",
                workgroup_size: 64,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding { name: "packed_input", access: Access::Read, operand: false },
                    Binding { name: "packed_weight", access: Access::Read, operand: false },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 4,
            rows: 1,
        };
        /// The kernel's variant `packs2_buffers`.
        pub(crate) static PACKS2_BUFFERS: Variant = Variant {
            kernel: Kernel {
                name: "forward/depthwise/packs2_buffers",
                file: "forward/depthwise",
                variant: "packs2_buffers",
                workgroup_size: 64,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding { name: "packed_input", access: Access::Read, operand: false },
                    Binding { name: "packed_weight", access: Access::Read, operand: false },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 2,
            rows: 1,
        };
        /// The kernel's variant `packs1_buffers`.
        pub(crate) static PACKS1_BUFFERS: Variant = Variant {
            kernel: Kernel {
                name: "forward/depthwise/packs1_buffers",
                file: "forward/depthwise",
                variant: "packs1_buffers",
                workgroup_size: 64,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding { name: "packed_input", access: Access::Read, operand: false },
                    Binding { name: "packed_weight", access: Access::Read, operand: false },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 1,
            rows: 1,
        };
        /// The kernel's variant `packs2_rows2_buffers`.
        pub(crate) static PACKS2_ROWS2_BUFFERS: Variant = Variant {
            kernel: Kernel {
                name: "forward/depthwise/packs2_rows2_buffers",
                file: "forward/depthwise",
                variant: "packs2_rows2_buffers",
                workgroup_size: 64,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding { name: "packed_input", access: Access::Read, operand: false },
                    Binding { name: "packed_weight", access: Access::Read, operand: false },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 2,
            rows: 2,
        };
        /// The kernel's variant `packs1_rows2_buffers`.
        pub(crate) static PACKS1_ROWS2_BUFFERS: Variant = Variant {
            kernel: Kernel {
                name: "forward/depthwise/packs1_rows2_buffers",
                file: "forward/depthwise",
                variant: "packs1_rows2_buffers",
                workgroup_size: 64,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding { name: "packed_input", access: Access::Read, operand: false },
                    Binding { name: "packed_weight", access: Access::Read, operand: false },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 1,
            rows: 2,
        };
        /// The kernel's variant `packs1_rows4_buffers`.
        pub(crate) static PACKS1_ROWS4_BUFFERS: Variant = Variant {
            kernel: Kernel {
                name: "forward/depthwise/packs1_rows4_buffers",
                file: "forward/depthwise",
                variant: "packs1_rows4_buffers",
                workgroup_size: 64,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding { name: "packed_input", access: Access::Read, operand: false },
                    Binding { name: "packed_weight", access: Access::Read, operand: false },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            packs: 1,
            rows: 4,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Geometry of the taps.
            pub(crate) geometry: super::super::shared::tap_geometry::TapGeometry,
            /// Columns from a pack's plane of the packed input to the next pack's.
            pub(crate) plane_columns: u64,
            /// Rows from a pack's plane of the packed input to the next pack's.
            pub(crate) plane_rows: u64,
            /// Channels of a segment.
            pub(crate) segment_channels: u64,
            /// Packs of a whole segment.
            pub(crate) all_segment_packs: u64,
            /// Packs of all segments.
            pub(crate) all_packs: u64,
            /// Binary logarithm of the lanes of a weight group: 1, 2 or 4.
            pub(crate) group_shift: u64,
            /// Weight groups of a segment.
            pub(crate) segment_groups: u64,
            /// Output channels of a weight group.
            pub(crate) rows: u64,
            /// Blocks of output channels of a weight group.
            pub(crate) row_blocks: u64,
            /// First segment of this step.
            pub(crate) segment_start: u64,
            /// Segments of this step.
            pub(crate) segments: u64,
            /// First pack of each segment in this step.
            pub(crate) pack_start: u64,
            /// Packs of each segment in this step.
            pub(crate) segment_packs: u64,
            /// Blocks of packs of a segment.
            pub(crate) pack_blocks: u64,
            /// Output pixels of all images of this step.
            pub(crate) pixels: u64,
            /// Workgroups along the pixels, one per block of pixels.
            pub(crate) pixel_blocks: u64,
            /// Elements between images of the packed input in a buffer.
            pub(crate) input_image_stride: u64,
            /// Elements between images of the offset.
            pub(crate) offset_image_stride: u64,
            /// Elements between images of the mask.
            pub(crate) mask_image_stride: u64,
            /// Elements between images of the output.
            pub(crate) output_image_stride: u64,
            /// Start of the first image in the bound offset, in elements.
            pub(crate) offset_base: u64,
            /// Start of the first image in the bound mask, in elements.
            pub(crate) mask_base: u64,
            /// Start of the first image in the bound output, in elements.
            pub(crate) output_base: u64,
            /// 1 with a mask (v2), 0 without one (v1).
            pub(crate) has_mask: u64,
            /// 1 with a bias, 0 without one.
            pub(crate) has_bias: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "in_height",
                "in_width",
                "out_width",
                "out_pixels",
                "kernel_width",
                "taps",
                "stride_h",
                "stride_w",
                "pad_h",
                "pad_w",
                "dil_h",
                "dil_w",
                "plane_columns",
                "plane_rows",
                "segment_channels",
                "all_segment_packs",
                "all_packs",
                "group_shift",
                "segment_groups",
                "rows",
                "row_blocks",
                "segment_start",
                "segments",
                "pack_start",
                "segment_packs",
                "pack_blocks",
                "pixels",
                "pixel_blocks",
                "input_image_stride",
                "offset_image_stride",
                "mask_image_stride",
                "output_image_stride",
                "offset_base",
                "mask_base",
                "output_base",
                "has_mask",
                "has_bias",
            ];
        }
    }

    /// Computes outputs one by one, without a product and without memory for intermediate results: for weight groups of few
    /// channels.
    pub(crate) mod direct {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// Consecutive output channels of one invocation.
        pub(crate) const OUT_CHANNELS: u64 = 4;
        /// A number that no channel and no group has.
        pub(crate) const NONE: u64 = 4294967295;
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "forward/direct",
            file: "forward/direct",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: true,
            bindings: &[
                Binding { name: "input", access: Access::Read, operand: true },
                Binding { name: "weight", access: Access::Read, operand: true },
                Binding { name: "offset", access: Access::Read, operand: true },
                Binding { name: "mask", access: Access::Read, operand: true },
                Binding { name: "bias", access: Access::Read, operand: true },
                Binding { name: "output", access: Access::ReadWrite, operand: true },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Geometry of the taps.
            pub(crate) geometry: super::super::shared::tap_geometry::TapGeometry,
            /// Input channels of a weight group.
            pub(crate) channels_per_group: u64,
            /// Input channels that share an offset group.
            pub(crate) channels_per_offset_group: u64,
            /// Output channels of a weight group.
            pub(crate) rows: u64,
            /// Output channels.
            pub(crate) out_channels: u64,
            /// Columns of this step: images times output pixels.
            pub(crate) columns: u64,
            /// Workgroups along the columns, one per block of columns.
            pub(crate) column_blocks: u64,
            /// Elements between images of the input.
            pub(crate) input_image_stride: u64,
            /// Elements between images of the offset.
            pub(crate) offset_image_stride: u64,
            /// Elements between images of the mask.
            pub(crate) mask_image_stride: u64,
            /// Elements between images of the output.
            pub(crate) output_image_stride: u64,
            /// Start of the first image in the bound input, in elements.
            pub(crate) input_base: u64,
            /// Start of the first image in the bound offset, in elements.
            pub(crate) offset_base: u64,
            /// Start of the first image in the bound mask, in elements.
            pub(crate) mask_base: u64,
            /// Start of the first image in the bound output, in elements.
            pub(crate) output_base: u64,
            /// 1 with a mask (v2), 0 without one (v1).
            pub(crate) has_mask: u64,
            /// 1 with a bias, 0 without one.
            pub(crate) has_bias: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "in_height",
                "in_width",
                "out_width",
                "out_pixels",
                "kernel_width",
                "taps",
                "stride_h",
                "stride_w",
                "pad_h",
                "pad_w",
                "dil_h",
                "dil_w",
                "channels_per_group",
                "channels_per_offset_group",
                "rows",
                "out_channels",
                "columns",
                "column_blocks",
                "input_image_stride",
                "offset_image_stride",
                "mask_image_stride",
                "output_image_stride",
                "input_base",
                "offset_base",
                "mask_base",
                "output_base",
                "has_mask",
                "has_bias",
            ];
        }
    }

    /// Samples straight into the product: the deformable convolution without a column buffer, for CPU drivers with subgroups
    /// of 8.
    pub(crate) mod fused_subgroup {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _, TexelFormat};
        /// Pixels of one invocation.
        pub(crate) const PIXELS_PER_INVOCATION: u64 = 4;
        /// A variant of the kernel, with its constants.
        #[derive(Debug)]
        pub(crate) struct Variant {
            /// The kernel.
            pub(crate) kernel: Kernel,
            /// Output channels of one invocation.
            pub(crate) out_channels: u64,
            /// Blocks of SUBGROUP_SIZE output channels. A lane loads the weights of one channel of each block and gets the others
            /// from the other lanes.
            pub(crate) blocks: u64,
        }
        /// The kernel's variant `out64`.
        pub(crate) static OUT64: Variant = Variant {
            kernel: Kernel {
                name: "forward/fused_subgroup/out64",
                file: "forward/fused_subgroup",
                variant: "out64",
                workgroup_size: 8,
                subgroups: true,
                sampling: true,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_weight",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            out_channels: 64,
            blocks: 8,
        };
        /// The kernel's variant `out32`.
        pub(crate) static OUT32: Variant = Variant {
            kernel: Kernel {
                name: "forward/fused_subgroup/out32",
                file: "forward/fused_subgroup",
                variant: "out32",
                workgroup_size: 8,
                subgroups: true,
                sampling: true,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_weight",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            out_channels: 32,
            blocks: 4,
        };
        /// The kernel's variant `out8`.
        pub(crate) static OUT8: Variant = Variant {
            kernel: Kernel {
                name: "forward/fused_subgroup/out8",
                file: "forward/fused_subgroup",
                variant: "out8",
                workgroup_size: 8,
                subgroups: true,
                sampling: true,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_weight",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            out_channels: 8,
            blocks: 1,
        };
        /// The kernel's variant `out64_partial`.
        pub(crate) static OUT64_PARTIAL: Variant = Variant {
            kernel: Kernel {
                name: "forward/fused_subgroup/out64_partial",
                file: "forward/fused_subgroup",
                variant: "out64_partial",
                workgroup_size: 8,
                subgroups: true,
                sampling: true,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_weight",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            out_channels: 64,
            blocks: 8,
        };
        /// The kernel's variant `out32_partial`.
        pub(crate) static OUT32_PARTIAL: Variant = Variant {
            kernel: Kernel {
                name: "forward/fused_subgroup/out32_partial",
                file: "forward/fused_subgroup",
                variant: "out32_partial",
                workgroup_size: 8,
                subgroups: true,
                sampling: true,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_weight",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            out_channels: 32,
            blocks: 4,
        };
        /// The kernel's variant `out8_partial`.
        pub(crate) static OUT8_PARTIAL: Variant = Variant {
            kernel: Kernel {
                name: "forward/fused_subgroup/out8_partial",
                file: "forward/fused_subgroup",
                variant: "out8_partial",
                workgroup_size: 8,
                subgroups: true,
                sampling: true,
                bindings: &[
                    Binding {
                        name: "packed_input",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding {
                        name: "packed_weight",
                        access: Access::TextureRead(TexelFormat::Rgba32Float),
                        operand: false,
                    },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            out_channels: 8,
            blocks: 1,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Geometry of the taps.
            pub(crate) geometry: super::super::shared::tap_geometry::TapGeometry,
            /// First row of the input in the packed input. 0 if a step has several images.
            pub(crate) input_row_start: u64,
            /// Rows of each image in the packed input.
            pub(crate) input_rows: u64,
            /// Columns from a pack's plane of the packed input to the next pack's.
            pub(crate) plane_columns: u64,
            /// Rows from a pack's plane of the packed input to the next pack's.
            pub(crate) plane_rows: u64,
            /// Segments of a weight group.
            pub(crate) segments_per_group: u64,
            /// Segments of an offset group.
            pub(crate) segments_per_offset_group: u64,
            /// First segment of this step.
            pub(crate) segment_start: u64,
            /// One past the last segment of this step.
            pub(crate) segment_end: u64,
            /// Packs of a segment in the packed weight.
            pub(crate) packs: u64,
            /// First pack of each segment in this step.
            pub(crate) pack_start: u64,
            /// One past the last pack of each segment in this step.
            pub(crate) pack_end: u64,
            /// First tap of this step.
            pub(crate) tap_start: u64,
            /// One past the last tap of this step.
            pub(crate) tap_end: u64,
            /// Output channels of a weight group.
            pub(crate) rows: u64,
            /// First of these in this step.
            pub(crate) row_start: u64,
            /// One past the last of these in this step.
            pub(crate) row_end: u64,
            /// Blocks of output channels of a weight group in this step.
            pub(crate) row_blocks: u64,
            /// Output pixels of all images of this step.
            pub(crate) pixels: u64,
            /// Blocks of output pixels.
            pub(crate) pixel_blocks: u64,
            /// First weight group of this step.
            pub(crate) group_start: u64,
            /// Workgroups that have work; the rest of the grid is idle.
            pub(crate) blocks: u64,
            /// Elements between images of the offset.
            pub(crate) offset_image_stride: u64,
            /// Elements between images of the mask.
            pub(crate) mask_image_stride: u64,
            /// Elements between images of the output.
            pub(crate) output_image_stride: u64,
            /// Start of the first image in the bound offset, in elements. Like the two below it may be negative, modulo 2³²: a
            /// step of some taps or output channels binds no others.
            pub(crate) offset_base: u64,
            /// Start of the first image in the bound mask, in elements.
            pub(crate) mask_base: u64,
            /// Start of the first image in the bound output, in elements.
            pub(crate) output_base: u64,
            /// 1 with a mask (v2), 0 without one (v1).
            pub(crate) has_mask: u64,
            /// 1 with a bias, 0 without one.
            pub(crate) has_bias: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "in_height",
                "in_width",
                "out_width",
                "out_pixels",
                "kernel_width",
                "taps",
                "stride_h",
                "stride_w",
                "pad_h",
                "pad_w",
                "dil_h",
                "dil_w",
                "input_row_start",
                "input_rows",
                "plane_columns",
                "plane_rows",
                "segments_per_group",
                "segments_per_offset_group",
                "segment_start",
                "segment_end",
                "packs",
                "pack_start",
                "pack_end",
                "tap_start",
                "tap_end",
                "rows",
                "row_start",
                "row_end",
                "row_blocks",
                "pixels",
                "pixel_blocks",
                "group_start",
                "blocks",
                "offset_image_stride",
                "mask_image_stride",
                "output_image_stride",
                "offset_base",
                "mask_base",
                "output_base",
                "has_mask",
                "has_bias",
            ];
        }
    }

    /// Samples straight into the product, in tiles: the deformable convolution without a column buffer, for GPUs.
    pub(crate) mod fused_tiled {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// Channels of a block, which a tile multiplies at a time.
        pub(crate) const TILE_K: u64 = 16;
        /// A variant of the kernel, with its constants.
        #[derive(Debug)]
        pub(crate) struct Variant {
            /// The kernel.
            pub(crate) kernel: Kernel,
            /// Output channels of a tile.
            pub(crate) tile_m: u64,
            /// Columns of a tile.
            pub(crate) tile_n: u64,
            /// vec4s of output channels of one invocation.
            pub(crate) vectors_m: u64,
            /// vec4s of columns of one invocation.
            pub(crate) vectors_n: u64,
            /// Invocations along the tile's output channels.
            pub(crate) row_lanes: u64,
            /// Invocations along the tile's columns.
            pub(crate) column_lanes: u64,
            /// Packs of channels that the workgroup samples at a time.
            pub(crate) pack_lanes: u64,
            /// Packs of a block that one invocation samples.
            pub(crate) packs: u64,
            /// vec4s of a block's weights that one invocation loads.
            pub(crate) weights: u64,
        }
        /// The kernel's variant `m128n128`.
        pub(crate) static M128N128: Variant = Variant {
            kernel: Kernel {
                name: "forward/fused_tiled/m128n128",
                file: "forward/fused_tiled",
                variant: "m128n128",
                workgroup_size: 256,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding { name: "input", access: Access::Read, operand: true },
                    Binding { name: "packed_weight", access: Access::Read, operand: false },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            tile_m: 128,
            tile_n: 128,
            vectors_m: 2,
            vectors_n: 2,
            row_lanes: 16,
            column_lanes: 16,
            pack_lanes: 2,
            packs: 2,
            weights: 2,
        };
        /// The kernel's variant `m128n64`.
        pub(crate) static M128N64: Variant = Variant {
            kernel: Kernel {
                name: "forward/fused_tiled/m128n64",
                file: "forward/fused_tiled",
                variant: "m128n64",
                workgroup_size: 128,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding { name: "input", access: Access::Read, operand: true },
                    Binding { name: "packed_weight", access: Access::Read, operand: false },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            tile_m: 128,
            tile_n: 64,
            vectors_m: 2,
            vectors_n: 2,
            row_lanes: 16,
            column_lanes: 8,
            pack_lanes: 2,
            packs: 2,
            weights: 4,
        };
        /// The kernel's variant `m64n64`.
        pub(crate) static M64N64: Variant = Variant {
            kernel: Kernel {
                name: "forward/fused_tiled/m64n64",
                file: "forward/fused_tiled",
                variant: "m64n64",
                workgroup_size: 64,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding { name: "input", access: Access::Read, operand: true },
                    Binding { name: "packed_weight", access: Access::Read, operand: false },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            tile_m: 64,
            tile_n: 64,
            vectors_m: 2,
            vectors_n: 2,
            row_lanes: 8,
            column_lanes: 8,
            pack_lanes: 1,
            packs: 4,
            weights: 4,
        };
        /// The kernel's variant `m32n64`.
        pub(crate) static M32N64: Variant = Variant {
            kernel: Kernel {
                name: "forward/fused_tiled/m32n64",
                file: "forward/fused_tiled",
                variant: "m32n64",
                workgroup_size: 128,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding { name: "input", access: Access::Read, operand: true },
                    Binding { name: "packed_weight", access: Access::Read, operand: false },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            tile_m: 32,
            tile_n: 64,
            vectors_m: 1,
            vectors_n: 1,
            row_lanes: 8,
            column_lanes: 16,
            pack_lanes: 2,
            packs: 2,
            weights: 1,
        };
        /// The kernel's variant `m32n32`.
        pub(crate) static M32N32: Variant = Variant {
            kernel: Kernel {
                name: "forward/fused_tiled/m32n32",
                file: "forward/fused_tiled",
                variant: "m32n32",
                workgroup_size: 64,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding { name: "input", access: Access::Read, operand: true },
                    Binding { name: "packed_weight", access: Access::Read, operand: false },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            tile_m: 32,
            tile_n: 32,
            vectors_m: 1,
            vectors_n: 1,
            row_lanes: 8,
            column_lanes: 8,
            pack_lanes: 2,
            packs: 2,
            weights: 2,
        };
        /// The kernel's variant `m128n128_packed`.
        pub(crate) static M128N128_PACKED: Variant = Variant {
            kernel: Kernel {
                name: "forward/fused_tiled/m128n128_packed",
                file: "forward/fused_tiled",
                variant: "m128n128_packed",
                workgroup_size: 256,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding { name: "packed_input", access: Access::Read, operand: false },
                    Binding { name: "packed_weight", access: Access::Read, operand: false },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            tile_m: 128,
            tile_n: 128,
            vectors_m: 2,
            vectors_n: 2,
            row_lanes: 16,
            column_lanes: 16,
            pack_lanes: 2,
            packs: 2,
            weights: 2,
        };
        /// The kernel's variant `m128n64_packed`.
        pub(crate) static M128N64_PACKED: Variant = Variant {
            kernel: Kernel {
                name: "forward/fused_tiled/m128n64_packed",
                file: "forward/fused_tiled",
                variant: "m128n64_packed",
                workgroup_size: 128,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding { name: "packed_input", access: Access::Read, operand: false },
                    Binding { name: "packed_weight", access: Access::Read, operand: false },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            tile_m: 128,
            tile_n: 64,
            vectors_m: 2,
            vectors_n: 2,
            row_lanes: 16,
            column_lanes: 8,
            pack_lanes: 2,
            packs: 2,
            weights: 4,
        };
        /// The kernel's variant `m64n64_packed`.
        pub(crate) static M64N64_PACKED: Variant = Variant {
            kernel: Kernel {
                name: "forward/fused_tiled/m64n64_packed",
                file: "forward/fused_tiled",
                variant: "m64n64_packed",
                workgroup_size: 64,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding { name: "packed_input", access: Access::Read, operand: false },
                    Binding { name: "packed_weight", access: Access::Read, operand: false },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            tile_m: 64,
            tile_n: 64,
            vectors_m: 2,
            vectors_n: 2,
            row_lanes: 8,
            column_lanes: 8,
            pack_lanes: 1,
            packs: 4,
            weights: 4,
        };
        /// The kernel's variant `m32n64_packed`.
        pub(crate) static M32N64_PACKED: Variant = Variant {
            kernel: Kernel {
                name: "forward/fused_tiled/m32n64_packed",
                file: "forward/fused_tiled",
                variant: "m32n64_packed",
                workgroup_size: 128,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding { name: "packed_input", access: Access::Read, operand: false },
                    Binding { name: "packed_weight", access: Access::Read, operand: false },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            tile_m: 32,
            tile_n: 64,
            vectors_m: 1,
            vectors_n: 1,
            row_lanes: 8,
            column_lanes: 16,
            pack_lanes: 2,
            packs: 2,
            weights: 1,
        };
        /// The kernel's variant `m32n32_packed`.
        pub(crate) static M32N32_PACKED: Variant = Variant {
            kernel: Kernel {
                name: "forward/fused_tiled/m32n32_packed",
                file: "forward/fused_tiled",
                variant: "m32n32_packed",
                workgroup_size: 64,
                subgroups: false,
                sampling: true,
                bindings: &[
                    Binding { name: "packed_input", access: Access::Read, operand: false },
                    Binding { name: "packed_weight", access: Access::Read, operand: false },
                    Binding { name: "offset", access: Access::Read, operand: true },
                    Binding { name: "mask", access: Access::Read, operand: true },
                    Binding { name: "bias", access: Access::Read, operand: true },
                    Binding { name: "output", access: Access::ReadWrite, operand: true },
                ],
                params: Params::WORDS,
                files: super::super::FILES,
            },
            tile_m: 32,
            tile_n: 32,
            vectors_m: 1,
            vectors_n: 1,
            row_lanes: 8,
            column_lanes: 8,
            pack_lanes: 2,
            packs: 2,
            weights: 2,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Geometry of the taps.
            pub(crate) geometry: super::super::shared::tap_geometry::TapGeometry,
            /// Segments of a weight group.
            pub(crate) segments_per_group: u64,
            /// Segments of an offset group.
            pub(crate) segments_per_offset_group: u64,
            /// Channels of a segment.
            pub(crate) segment_channels: u64,
            /// `segment_channels` rounded up to whole blocks: see pack_weight_rows.wgsl.
            pub(crate) padded_channels: u64,
            /// Output channels of a weight group.
            pub(crate) rows: u64,
            /// `rows` rounded up to whole vec4s.
            pub(crate) padded_rows: u64,
            /// Columns of this step: images times output pixels.
            pub(crate) columns: u64,
            /// Tiles along the columns.
            pub(crate) column_tiles: u64,
            /// Tiles along a weight group's rows.
            pub(crate) row_tiles: u64,
            /// Weight groups.
            pub(crate) groups: u64,
            /// Parts of the sum. With more than one, the output is `partial`.
            pub(crate) splits: u64,
            /// Blocks of each part of the sum.
            pub(crate) blocks_per_split: u64,
            /// Elements between images of the input, or of the packed input.
            pub(crate) input_image_stride: u64,
            /// Elements between images of the offset.
            pub(crate) offset_image_stride: u64,
            /// Elements between images of the mask.
            pub(crate) mask_image_stride: u64,
            /// Elements between images of the output.
            pub(crate) output_image_stride: u64,
            /// Start of the first image in the bound input, in elements.
            pub(crate) input_base: u64,
            /// Start of the first image in the bound offset, in elements.
            pub(crate) offset_base: u64,
            /// Start of the first image in the bound mask, in elements.
            pub(crate) mask_base: u64,
            /// Start of the first image in the bound output, in elements.
            pub(crate) output_base: u64,
            /// 1 with a mask (v2), 0 without one (v1).
            pub(crate) has_mask: u64,
            /// 1 with a bias, 0 without one.
            pub(crate) has_bias: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "in_height",
                "in_width",
                "out_width",
                "out_pixels",
                "kernel_width",
                "taps",
                "stride_h",
                "stride_w",
                "pad_h",
                "pad_w",
                "dil_h",
                "dil_w",
                "segments_per_group",
                "segments_per_offset_group",
                "segment_channels",
                "padded_channels",
                "rows",
                "padded_rows",
                "columns",
                "column_tiles",
                "row_tiles",
                "groups",
                "splits",
                "blocks_per_split",
                "input_image_stride",
                "offset_image_stride",
                "mask_image_stride",
                "output_image_stride",
                "input_base",
                "offset_base",
                "mask_base",
                "output_base",
                "has_mask",
                "has_bias",
            ];
        }
    }

    /// Samples the input where each tap of each output pixel lands: the columns of the deformable convolution.
    pub(crate) mod im2col {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The largest number of channels of one invocation.
        pub(crate) const CHANNELS_PER_INVOCATION: u64 = 16;
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "forward/im2col",
            file: "forward/im2col",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: true,
            bindings: &[
                Binding { name: "input", access: Access::Read, operand: true },
                Binding { name: "offset", access: Access::Read, operand: true },
                Binding { name: "mask", access: Access::Read, operand: true },
                Binding { name: "columns", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Geometry of the taps.
            pub(crate) geometry: super::super::shared::tap_geometry::TapGeometry,
            /// First output pixel of this chunk in each image.
            pub(crate) pixel_start: u64,
            /// Output pixels of this chunk in each image.
            pub(crate) pixels: u64,
            /// Columns of the column buffer: images of this chunk times `pixels`.
            pub(crate) columns_width: u64,
            /// Workgroups along the columns, one per block of pixels.
            pub(crate) pixel_blocks: u64,
            /// First (offset group, tap) pair of this step.
            pub(crate) pair_start: u64,
            /// (offset group, tap) pairs of this step.
            pub(crate) pairs: u64,
            /// Input channels that share an offset group.
            pub(crate) channels_per_offset_group: u64,
            /// First input channel of this step.
            pub(crate) channel_start: u64,
            /// One past the last input channel of this step.
            pub(crate) channel_end: u64,
            /// First input channel that the column buffer holds.
            pub(crate) columns_channel_start: u64,
            /// Elements between images of the input.
            pub(crate) input_image_stride: u64,
            /// Elements between images of the offset.
            pub(crate) offset_image_stride: u64,
            /// Elements between images of the mask.
            pub(crate) mask_image_stride: u64,
            /// Start of channel `channel_start` in the bound input, in elements.
            pub(crate) input_base: u64,
            /// Start of channel `2·pair_start`, pixel `pixel_start` in the bound offset, in elements.
            pub(crate) offset_base: u64,
            /// Start of channel `pair_start`, pixel `pixel_start` in the bound mask, in elements.
            pub(crate) mask_base: u64,
            /// 1 with a mask (v2), 0 without one (v1).
            pub(crate) has_mask: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "in_height",
                "in_width",
                "out_width",
                "out_pixels",
                "kernel_width",
                "taps",
                "stride_h",
                "stride_w",
                "pad_h",
                "pad_w",
                "dil_h",
                "dil_w",
                "pixel_start",
                "pixels",
                "columns_width",
                "pixel_blocks",
                "pair_start",
                "pairs",
                "channels_per_offset_group",
                "channel_start",
                "channel_end",
                "columns_channel_start",
                "input_image_stride",
                "offset_image_stride",
                "mask_image_stride",
                "input_base",
                "offset_base",
                "mask_base",
                "has_mask",
            ];
        }
    }

    /// Multiplies the weight by the columns, in tiles: the convolution's sum over channels and taps.
    pub(crate) mod matmul {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// Output channels of a tile.
        pub(crate) const TILE_M: u64 = 64;
        /// Pixels of a tile.
        pub(crate) const TILE_N: u64 = 64;
        /// Column rows that a tile multiplies at a time.
        pub(crate) const TILE_K: u64 = 16;
        /// Elements of each operand's tile that one invocation loads.
        pub(crate) const LOADS_PER_INVOCATION: u64 = 16;
        /// The workgroup is a square of SIDE × SIDE invocations, each with two vec4s of rows and two of columns.
        pub(crate) const SIDE: u64 = 8;
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "forward/matmul",
            file: "forward/matmul",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "weight", access: Access::Read, operand: true },
                Binding { name: "columns", access: Access::Read, operand: false },
                Binding { name: "bias", access: Access::Read, operand: true },
                Binding { name: "output", access: Access::ReadWrite, operand: true },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Output channels of each weight group in this step.
            pub(crate) rows: u64,
            /// Columns of the column buffer.
            pub(crate) columns_width: u64,
            /// Column rows of each weight group in this step.
            pub(crate) depth: u64,
            /// Tiles along the rows.
            pub(crate) row_tiles: u64,
            /// Tiles along the columns.
            pub(crate) column_tiles: u64,
            /// Tiles of all weight groups of this step.
            pub(crate) tiles: u64,
            /// Output pixels of this chunk in each image.
            pub(crate) pixels: u64,
            /// Elements between rows of the weight.
            pub(crate) weight_row_stride: u64,
            /// Elements between weight groups in the weight.
            pub(crate) weight_group_stride: u64,
            /// Elements between weight groups in the column buffer.
            pub(crate) columns_group_stride: u64,
            /// Elements between rows of the output, one plane.
            pub(crate) output_row_stride: u64,
            /// Elements between weight groups in the output.
            pub(crate) output_group_stride: u64,
            /// Elements between images of the output.
            pub(crate) output_image_stride: u64,
            /// Start of this step's weights in the bound weight, in elements.
            pub(crate) weight_base: u64,
            /// Start of this step's rows in the bound column buffer, in elements.
            pub(crate) columns_base: u64,
            /// Start of this step's outputs in the bound output, in elements.
            pub(crate) output_base: u64,
            /// Start of this step's bias in the bound bias, in elements.
            pub(crate) bias_base: u64,
            /// Elements between weight groups in the bias.
            pub(crate) bias_group_stride: u64,
            /// 1 with a bias, 0 without one.
            pub(crate) has_bias: u64,
            /// 1 to add to what earlier steps wrote, 0 to start from the bias.
            pub(crate) accumulate: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "rows",
                "columns_width",
                "depth",
                "row_tiles",
                "column_tiles",
                "tiles",
                "pixels",
                "weight_row_stride",
                "weight_group_stride",
                "columns_group_stride",
                "output_row_stride",
                "output_group_stride",
                "output_image_stride",
                "weight_base",
                "columns_base",
                "output_base",
                "bias_base",
                "bias_group_stride",
                "has_bias",
                "accumulate",
            ];
        }
    }

    /// Packs the weight into a texture for fused_subgroup.wgsl: four input channels per texel.
    pub(crate) mod pack_weight {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _, TexelFormat};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "forward/pack_weight",
            file: "forward/pack_weight",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "weight", access: Access::Read, operand: true },
                Binding {
                    name: "packed_weight",
                    access: Access::TextureWrite(TexelFormat::Rgba32Float),
                    operand: false,
                },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Channels of a segment.
            pub(crate) segment_channels: u64,
            /// Packs of a segment.
            pub(crate) packs: u64,
            /// Taps of the kernel: kernel_height · kernel_width.
            pub(crate) taps: u64,
            /// Elements between rows of the weight.
            pub(crate) row_stride: u64,
            /// Columns of the texture to write.
            pub(crate) texture_width: u64,
            /// Texels to write.
            pub(crate) texels: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] =
                &["segment_channels", "packs", "taps", "row_stride", "texture_width", "texels"];
        }
    }

    /// Packs the weight for fused_tiled.wgsl: one row per sampled value, with its output channels side by side.
    pub(crate) mod pack_weight_rows {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "forward/pack_weight_rows",
            file: "forward/pack_weight_rows",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "weight", access: Access::Read, operand: true },
                Binding { name: "packed_weight", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Output channels of a weight group.
            pub(crate) rows: u64,
            /// `rows` rounded up to whole vec4s.
            pub(crate) padded_rows: u64,
            /// Segments of a weight group.
            pub(crate) segments_per_group: u64,
            /// Channels of a segment.
            pub(crate) segment_channels: u64,
            /// `segment_channels` rounded up to whole blocks of fused_tiled.wgsl.
            pub(crate) padded_channels: u64,
            /// Taps of the kernel: kernel_height · kernel_width.
            pub(crate) taps: u64,
            /// vec4s to write.
            pub(crate) packs: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] =
                &["rows", "padded_rows", "segments_per_group", "segment_channels", "padded_channels", "taps", "packs"];
        }
    }

    /// Adds the partial sums that the splits of fused_tiled.wgsl wrote, in order.
    pub(crate) mod reduce {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "forward/reduce",
            file: "forward/reduce",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "partial", access: Access::Read, operand: false },
                Binding { name: "bias", access: Access::Read, operand: true },
                Binding { name: "output", access: Access::ReadWrite, operand: true },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Output channels.
            pub(crate) out_channels: u64,
            /// Pixels of one output plane.
            pub(crate) out_pixels: u64,
            /// Columns of this step: images times output pixels.
            pub(crate) columns: u64,
            /// Output elements of this step.
            pub(crate) outputs: u64,
            /// Partial sums of each output.
            pub(crate) splits: u64,
            /// Start of the first image in the bound output, in elements.
            pub(crate) output_base: u64,
            /// 1 with a bias, 0 without one.
            pub(crate) has_bias: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] =
                &["out_channels", "out_pixels", "columns", "outputs", "splits", "output_base", "has_bias"];
        }
    }

    /// Samples four channels of a column from the input, for fused_tiled.wgsl, which declares `params`.
    pub(crate) mod sample_input {
        /// The bit that marks the index of a corner outside the image.
        pub(crate) const ABSENT: u64 = 2147483648;
    }
}

/// The shaders of `shaders/optimizer`.
pub(crate) mod optimizer {
    /// Takes one step of Adam, as torch.optim.Adam does: weight decay is added to the gradient.
    pub(crate) mod adam {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "optimizer/adam",
            file: "optimizer/adam",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "settings", access: Access::Read, operand: false },
                Binding { name: "gradient", access: Access::Read, operand: false },
                Binding { name: "value", access: Access::ReadWrite, operand: false },
                Binding { name: "first", access: Access::ReadWrite, operand: false },
                Binding { name: "second", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        pub(crate) use super::super::shared::window::Params;
    }

    /// Takes one step of stochastic gradient descent with momentum, as torch.optim.SGD does.
    pub(crate) mod sgd {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "optimizer/sgd",
            file: "optimizer/sgd",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "settings", access: Access::Read, operand: false },
                Binding { name: "gradient", access: Access::Read, operand: false },
                Binding { name: "value", access: Access::ReadWrite, operand: false },
                Binding { name: "velocity", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        pub(crate) use super::super::shared::window::Params;
    }
}

/// The shaders of `shaders/roofline`.
pub(crate) mod roofline {
    /// Copies a buffer. Its rate is the memory rate that other kernels are compared with.
    pub(crate) mod copy {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "roofline/copy",
            file: "roofline/copy",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "source", access: Access::Read, operand: false },
                Binding { name: "destination", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// vec4 elements to copy.
            pub(crate) count: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &["count"];
        }
    }

    /// Multiplies and adds in registers, and does nothing else. Its rate is the f32 multiply-add rate that other kernels are
    /// compared with.
    pub(crate) mod multiply_add {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// Independent vec4 chains of one invocation.
        pub(crate) const CHAINS: u64 = 3;
        /// Multiply-adds of each chain in one iteration of the loop.
        pub(crate) const UNROLL: u64 = 16;
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "roofline/multiply_add",
            file: "roofline/multiply_add",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[Binding { name: "sink", access: Access::ReadWrite, operand: false }],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Iterations of the loop.
            pub(crate) iterations: u64,
            /// Invocations that write.
            pub(crate) invocations: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &["iterations", "invocations"];
        }
    }
}

/// The shaders of `shaders/shared`.
pub(crate) mod shared {
    /// The values of the parameter `kind` of an activation. For both sigmoids the output is kind · σ(v).
    pub(crate) mod activation_kinds {
        /// output = max(v, 0)
        pub(crate) const RELU: u64 = 3;
        /// output = v
        pub(crate) const IDENTITY: u64 = 0;
        /// output = σ(v)
        pub(crate) const SIGMOID: u64 = 1;
        /// output = 2 · σ(v)
        pub(crate) const TWICE_SIGMOID: u64 = 2;
    }

    /// Planes with a border of zeros in a buffer: one for each pack of each image, one behind the other.
    pub(crate) mod bordered_planes {
        /// The index of a corner whose four neighbours are all zeros: (−2, −1).
        pub(crate) const NOWHERE: u64 = 0;
    }

    /// The size of the subgroups of CPU drivers. Kernels for these pass values from lane to lane.
    pub(crate) mod subgroup {
        /// Lanes of a subgroup.
        pub(crate) const SUBGROUP_SIZE: u64 = 8;
    }

    /// The geometry of a convolution's taps. It is the first member of the parameters of every kernel that computes
    /// positions.
    pub(crate) mod tap_geometry {
        /// The kernel's `TapGeometry`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct TapGeometry {
            /// Rows of the input.
            pub(crate) in_height: u64,
            /// Columns of the input.
            pub(crate) in_width: u64,
            /// Columns of the output.
            pub(crate) out_width: u64,
            /// Pixels of one output plane.
            pub(crate) out_pixels: u64,
            /// Taps along x.
            pub(crate) kernel_width: u64,
            /// Taps of the kernel: kernel_height · kernel_width.
            pub(crate) taps: u64,
            /// Stride along y.
            pub(crate) stride_h: u64,
            /// Stride along x.
            pub(crate) stride_w: u64,
            /// Padding along y.
            pub(crate) pad_h: u64,
            /// Padding along x.
            pub(crate) pad_w: u64,
            /// Dilation along y.
            pub(crate) dil_h: u64,
            /// Dilation along x.
            pub(crate) dil_w: u64,
        }
        impl crate::kernel::declaration::Params for TapGeometry {
            const WORDS: &'static [&'static str] = &[
                "in_height",
                "in_width",
                "out_width",
                "out_pixels",
                "kernel_width",
                "taps",
                "stride_h",
                "stride_w",
                "pad_h",
                "pad_w",
                "dil_h",
                "dil_w",
            ];
        }
    }

    /// A texture as one long row of texels, for data that has an index and no shape of its own. TEXELS_PER_ROW is a power of
    /// two, and WebGPU's default limits allow textures of that width.
    pub(crate) mod texels {
        /// Texels of a row.
        pub(crate) const TEXELS_PER_ROW: u64 = 4096;
    }

    /// The parameters of an elementwise kernel on a window of a tensor.
    pub(crate) mod window {
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Elements of the window.
            pub(crate) elements: u64,
            /// Start of the window in the bound tensor, in elements.
            pub(crate) base: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &["elements", "base"];
        }
    }
}

/// The shaders of `shaders/shift`.
pub(crate) mod shift {
    /// Moves every channel by its own whole number of pixels, or computes the gradient of that.
    pub(crate) mod channel_shift {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The value of `border` by which a pixel without a source is 0.
        pub(crate) const ZERO: u64 = 0;
        /// The value of `border` by which a pixel without a source keeps its own value.
        pub(crate) const KEEP: u64 = 1;
        /// The value of `border` for periodic planes.
        pub(crate) const WRAP: u64 = 2;
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "shift/channel_shift",
            file: "shift/channel_shift",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "input", access: Access::Read, operand: true },
                Binding { name: "shift", access: Access::Read, operand: false },
                Binding { name: "output", access: Access::ReadWrite, operand: true },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Rows of a plane.
            pub(crate) height: u64,
            /// Columns of a plane.
            pub(crate) width: u64,
            /// Channels of an image.
            pub(crate) channels: u64,
            /// First plane of this step.
            pub(crate) first_plane: u64,
            /// Pixels of this step's planes.
            pub(crate) elements: u64,
            /// The border rule: ZERO, KEEP or WRAP.
            pub(crate) border: u64,
            /// 1 to compute the gradient.
            pub(crate) backward: u64,
            /// Start of the first plane in the bound input, in elements.
            pub(crate) input_base: u64,
            /// Start of the first plane in the bound output, in elements.
            pub(crate) output_base: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "height",
                "width",
                "channels",
                "first_plane",
                "elements",
                "border",
                "backward",
                "input_base",
                "output_base",
            ];
        }
    }
}

/// The shaders of `shaders/sort`.
pub(crate) mod sort {
    /// Counts the entries of each partition and bucket: the first kernel of a pass of the sort. partition.wgsl describes the
    /// sort.
    pub(crate) mod count {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _, TexelFormat};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "sort/count",
            file: "sort/count",
            variant: "",
            workgroup_size: 8,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "packed_taps", access: Access::TextureRead(TexelFormat::Rgba32Float), operand: false },
                Binding { name: "order_before", access: Access::Read, operand: false },
                Binding { name: "ends", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        pub(crate) use super::super::sort::partition::Params;
    }

    /// The sort: it orders the entries of each group by the cells that they lie in. Its kernels are count.wgsl, scan.wgsl
    /// and scatter.wgsl; this file holds what they share. A kernel that uses it declares `params` and `packed_taps`.
    pub(crate) mod partition {
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Entries of one group.
            pub(crate) entries: u64,
            /// Buckets of one group.
            pub(crate) buckets: u64,
            /// Partitions of one group.
            pub(crate) partitions: u64,
            /// Entries of a partition.
            pub(crate) entries_per_partition: u64,
            /// Groups of this step.
            pub(crate) groups: u64,
            /// 1 in the second pass, which starts from the order of the first.
            pub(crate) follows: u64,
            /// Buckets from a cell to the next cell of its row.
            pub(crate) column_step: u64,
            /// Buckets from a cell to the one below it.
            pub(crate) row_step: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "entries",
                "buckets",
                "partitions",
                "entries_per_partition",
                "groups",
                "follows",
                "column_step",
                "row_step",
            ];
        }
    }

    /// Replaces the counts by where each partition's entries of each bucket begin: an exclusive prefix sum. The second
    /// kernel of a pass of the sort; partition.wgsl describes the sort.
    pub(crate) mod scan {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "sort/scan",
            file: "sort/scan",
            variant: "",
            workgroup_size: 256,
            subgroups: false,
            sampling: false,
            bindings: &[Binding { name: "ends", access: Access::ReadWrite, operand: false }],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Buckets times partitions.
            pub(crate) counters: u64,
            /// Counters of one invocation.
            pub(crate) counters_per_lane: u64,
            /// Offset groups of this step.
            pub(crate) groups: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &["counters", "counters_per_lane", "groups"];
        }
    }

    /// Moves every entry to its place: the last kernel of a pass of the sort. partition.wgsl describes the sort.
    pub(crate) mod scatter {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _, TexelFormat};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "sort/scatter",
            file: "sort/scatter",
            variant: "",
            workgroup_size: 8,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "packed_taps", access: Access::TextureRead(TexelFormat::Rgba32Float), operand: false },
                Binding { name: "order_before", access: Access::Read, operand: false },
                Binding { name: "ends", access: Access::ReadWrite, operand: false },
                Binding { name: "order", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        pub(crate) use super::super::sort::partition::Params;
    }
}

/// The shaders of `shaders/statistics`.
pub(crate) mod statistics {
    /// Computes partial sums of the magnitudes of a tensor's elements. reduce.wgsl adds them up.
    pub(crate) mod magnitude {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "statistics/magnitude",
            file: "statistics/magnitude",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "elements", access: Access::Read, operand: false },
                Binding { name: "partial", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        pub(crate) use super::super::shared::window::Params;
    }

    /// Computes partial sums of the magnitudes of offsets, and counts the taps that offsets move out of the image.
    /// reduce.wgsl adds them up.
    pub(crate) mod offset_magnitude {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "statistics/offset_magnitude",
            file: "statistics/offset_magnitude",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: true,
            bindings: &[
                Binding { name: "offset", access: Access::Read, operand: true },
                Binding { name: "partial", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// Geometry of the taps.
            pub(crate) geometry: super::super::shared::tap_geometry::TapGeometry,
            /// Taps of all pixels and offset groups of this step's images.
            pub(crate) all_taps: u64,
            /// Start of the first image in the bound offset, in elements.
            pub(crate) base: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &[
                "in_height",
                "in_width",
                "out_width",
                "out_pixels",
                "kernel_width",
                "taps",
                "stride_h",
                "stride_w",
                "pad_h",
                "pad_w",
                "dil_h",
                "dil_w",
                "all_taps",
                "base",
            ];
        }
    }

    /// Combines the partial sums of a tensor with each other and with the total of earlier windows.
    pub(crate) mod reduce {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "statistics/reduce",
            file: "statistics/reduce",
            variant: "",
            workgroup_size: 1,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "partial", access: Access::Read, operand: false },
                Binding { name: "total", access: Access::ReadWrite, operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// 1 if `total` holds the total of earlier windows.
            pub(crate) follows: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &["follows"];
        }
    }

    /// How the kernels of the statistics share the elements of a window.
    pub(crate) mod slices {
        /// Invocations that share the elements. Each takes every SLICES-th.
        pub(crate) const SLICES: u64 = 4096;
    }
}

/// The shaders of `shaders/texture`.
pub(crate) mod texture {
    /// Reads a rectangle of a texture into a tensor: the first channels of each texel, one plane per channel.
    pub(crate) mod load {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _};
        /// The kernel.
        pub(crate) static KERNEL: Kernel = Kernel {
            name: "texture/load",
            file: "texture/load",
            variant: "",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "image", access: Access::SampledTexture, operand: false },
                Binding { name: "output", access: Access::ReadWrite, operand: true },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        pub(crate) use super::super::texture::region::Params;
    }

    /// The parameters of a kernel that works on a rectangle of a texture.
    pub(crate) mod region {
        /// The kernel's `Params`: each number reaches the device as a u32.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct Params {
            /// First row of the rectangle.
            pub(crate) origin_y: u64,
            /// First column of the rectangle.
            pub(crate) origin_x: u64,
            /// Columns of the rectangle.
            pub(crate) width: u64,
            /// Texels of the rectangle.
            pub(crate) pixels: u64,
            /// Channels of the tensor.
            pub(crate) channels: u64,
        }
        impl crate::kernel::declaration::Params for Params {
            const WORDS: &'static [&'static str] = &["origin_y", "origin_x", "width", "pixels", "channels"];
        }
    }

    /// Writes a tensor into a rectangle of a texture, one plane per channel. A tensor of one plane becomes a grey image.
    pub(crate) mod store {
        use crate::kernel::declaration::{Access, Binding, Kernel, Params as _, TexelFormat};
        /// The kernel's variant `rgba8unorm`.
        pub(crate) static RGBA8UNORM: Kernel = Kernel {
            name: "texture/store/rgba8unorm",
            file: "texture/store",
            variant: "rgba8unorm",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "input", access: Access::Read, operand: true },
                Binding { name: "image", access: Access::TextureWrite(TexelFormat::Rgba8Unorm), operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's variant `rgba16float`.
        pub(crate) static RGBA16FLOAT: Kernel = Kernel {
            name: "texture/store/rgba16float",
            file: "texture/store",
            variant: "rgba16float",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "input", access: Access::Read, operand: true },
                Binding { name: "image", access: Access::TextureWrite(TexelFormat::Rgba16Float), operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        /// The kernel's variant `rgba32float`.
        pub(crate) static RGBA32FLOAT: Kernel = Kernel {
            name: "texture/store/rgba32float",
            file: "texture/store",
            variant: "rgba32float",
            workgroup_size: 64,
            subgroups: false,
            sampling: false,
            bindings: &[
                Binding { name: "input", access: Access::Read, operand: true },
                Binding { name: "image", access: Access::TextureWrite(TexelFormat::Rgba32Float), operand: false },
            ],
            params: Params::WORDS,
            files: super::super::FILES,
        };
        pub(crate) use super::super::texture::region::Params;
    }
}

/// Every kernel.
pub(crate) static KERNELS: &[&super::declaration::Kernel] = &[
    &activation::activate::KERNEL,
    &activation::grad_activation::KERNEL,
    &backward::col2im::KERNEL,
    &backward::fill_zero::KERNEL,
    &backward::grad_bias::LINEAR,
    &backward::grad_bias::ACTIVATED,
    &backward::grad_column::SUBGROUP.kernel,
    &backward::grad_column::PORTABLE.kernel,
    &backward::grad_column_depthwise::KERNEL,
    &backward::grad_input::SINGLE.kernel,
    &backward::grad_input::PAIRED.kernel,
    &backward::grad_input::DEPTHWISE_SINGLE.kernel,
    &backward::grad_input::DEPTHWISE_PAIRED.kernel,
    &backward::grad_offset::DROPS_COLUMNS,
    &backward::grad_offset::KEEPS_COLUMNS,
    &backward::grad_offset::DEPTHWISE,
    &backward::grad_weight::STORED_SUBGROUP_64.kernel,
    &backward::grad_weight::SAMPLED_SUBGROUP_64.kernel,
    &backward::grad_weight::REGULAR_SUBGROUP_64.kernel,
    &backward::grad_weight::SAMPLED_SUBGROUP_32.kernel,
    &backward::grad_weight::REGULAR_SUBGROUP_32.kernel,
    &backward::grad_weight::STORED.kernel,
    &backward::grad_weight::SAMPLED.kernel,
    &backward::grad_weight::REGULAR.kernel,
    &backward::grad_weight_depthwise::PACKS4.kernel,
    &backward::grad_weight_depthwise::PACKS2.kernel,
    &backward::grad_weight_depthwise::PACKS1.kernel,
    &backward::grad_weight_depthwise::PACKS2_ROWS2.kernel,
    &backward::grad_weight_depthwise::PACKS1_ROWS2.kernel,
    &backward::grad_weight_depthwise::PACKS1_ROWS4.kernel,
    &backward::grad_weight_reduce::KERNEL,
    &backward::pack_grad_output::LINEAR,
    &backward::pack_grad_output::ACTIVATED,
    &backward::pack_grad_output::SHARED,
    &backward::pack_taps::KERNEL,
    &backward::pack_weight_columns::KERNEL,
    &backward::sum_slices::KERNEL,
    &convolution::copy_rows::KERNEL,
    &convolution::pack_input::KERNEL,
    &convolution::pack_planes::KERNEL,
    &convolution::pack_weight_depthwise::TEXTURE,
    &convolution::pack_weight_depthwise::BUFFER,
    &forward::depthwise::PACKS4.kernel,
    &forward::depthwise::PACKS2.kernel,
    &forward::depthwise::PACKS1.kernel,
    &forward::depthwise::PACKS2_ROWS2.kernel,
    &forward::depthwise::PACKS1_ROWS2.kernel,
    &forward::depthwise::PACKS1_ROWS4.kernel,
    &forward::depthwise::PACKS4_BUFFERS.kernel,
    &forward::depthwise::PACKS2_BUFFERS.kernel,
    &forward::depthwise::PACKS1_BUFFERS.kernel,
    &forward::depthwise::PACKS2_ROWS2_BUFFERS.kernel,
    &forward::depthwise::PACKS1_ROWS2_BUFFERS.kernel,
    &forward::depthwise::PACKS1_ROWS4_BUFFERS.kernel,
    &forward::direct::KERNEL,
    &forward::fused_subgroup::OUT64.kernel,
    &forward::fused_subgroup::OUT32.kernel,
    &forward::fused_subgroup::OUT8.kernel,
    &forward::fused_subgroup::OUT64_PARTIAL.kernel,
    &forward::fused_subgroup::OUT32_PARTIAL.kernel,
    &forward::fused_subgroup::OUT8_PARTIAL.kernel,
    &forward::fused_tiled::M128N128.kernel,
    &forward::fused_tiled::M128N64.kernel,
    &forward::fused_tiled::M64N64.kernel,
    &forward::fused_tiled::M32N64.kernel,
    &forward::fused_tiled::M32N32.kernel,
    &forward::fused_tiled::M128N128_PACKED.kernel,
    &forward::fused_tiled::M128N64_PACKED.kernel,
    &forward::fused_tiled::M64N64_PACKED.kernel,
    &forward::fused_tiled::M32N64_PACKED.kernel,
    &forward::fused_tiled::M32N32_PACKED.kernel,
    &forward::im2col::KERNEL,
    &forward::matmul::KERNEL,
    &forward::pack_weight::KERNEL,
    &forward::pack_weight_rows::KERNEL,
    &forward::reduce::KERNEL,
    &optimizer::adam::KERNEL,
    &optimizer::sgd::KERNEL,
    &roofline::copy::KERNEL,
    &roofline::multiply_add::KERNEL,
    &shift::channel_shift::KERNEL,
    &sort::count::KERNEL,
    &sort::scan::KERNEL,
    &sort::scatter::KERNEL,
    &statistics::magnitude::KERNEL,
    &statistics::offset_magnitude::KERNEL,
    &statistics::reduce::KERNEL,
    &texture::load::KERNEL,
    &texture::store::RGBA8UNORM,
    &texture::store::RGBA16FLOAT,
    &texture::store::RGBA32FLOAT,
];

/// The text of every shader file, by its path below `shaders/`.
static FILES: &[(&str, &str)] = &[
    ("activation/activate", include_str!("../../shaders/activation/activate.wgsl")),
    ("activation/grad_activation", include_str!("../../shaders/activation/grad_activation.wgsl")),
    ("backward/add_channels", include_str!("../../shaders/backward/add_channels.wgsl")),
    ("backward/col2im", include_str!("../../shaders/backward/col2im.wgsl")),
    ("backward/column_gradient", include_str!("../../shaders/backward/column_gradient.wgsl")),
    ("backward/columns_dropped", include_str!("../../shaders/backward/columns_dropped.wgsl")),
    ("backward/columns_kept", include_str!("../../shaders/backward/columns_kept.wgsl")),
    ("backward/columns_layout", include_str!("../../shaders/backward/columns_layout.wgsl")),
    ("backward/columns_read", include_str!("../../shaders/backward/columns_read.wgsl")),
    ("backward/columns_sampled", include_str!("../../shaders/backward/columns_sampled.wgsl")),
    ("backward/depthwise_gradient", include_str!("../../shaders/backward/depthwise_gradient.wgsl")),
    ("backward/fill_zero", include_str!("../../shaders/backward/fill_zero.wgsl")),
    ("backward/grad_bias", include_str!("../../shaders/backward/grad_bias.wgsl")),
    ("backward/grad_column", include_str!("../../shaders/backward/grad_column.wgsl")),
    ("backward/grad_column_depthwise", include_str!("../../shaders/backward/grad_column_depthwise.wgsl")),
    ("backward/grad_input", include_str!("../../shaders/backward/grad_input.wgsl")),
    ("backward/grad_offset", include_str!("../../shaders/backward/grad_offset.wgsl")),
    ("backward/grad_weight", include_str!("../../shaders/backward/grad_weight.wgsl")),
    ("backward/grad_weight_depthwise", include_str!("../../shaders/backward/grad_weight_depthwise.wgsl")),
    ("backward/grad_weight_reduce", include_str!("../../shaders/backward/grad_weight_reduce.wgsl")),
    ("backward/linear_gradient", include_str!("../../shaders/backward/linear_gradient.wgsl")),
    ("backward/pack_grad_output", include_str!("../../shaders/backward/pack_grad_output.wgsl")),
    ("backward/pack_taps", include_str!("../../shaders/backward/pack_taps.wgsl")),
    ("backward/pack_weight_columns", include_str!("../../shaders/backward/pack_weight_columns.wgsl")),
    ("backward/pixel_blocks", include_str!("../../shaders/backward/pixel_blocks.wgsl")),
    ("backward/sum_slices", include_str!("../../shaders/backward/sum_slices.wgsl")),
    ("convolution/copy_rows", include_str!("../../shaders/convolution/copy_rows.wgsl")),
    ("convolution/pack_input", include_str!("../../shaders/convolution/pack_input.wgsl")),
    ("convolution/pack_planes", include_str!("../../shaders/convolution/pack_planes.wgsl")),
    ("convolution/pack_weight_depthwise", include_str!("../../shaders/convolution/pack_weight_depthwise.wgsl")),
    ("convolution/weight_buffer", include_str!("../../shaders/convolution/weight_buffer.wgsl")),
    ("convolution/weight_texture", include_str!("../../shaders/convolution/weight_texture.wgsl")),
    ("forward/depthwise", include_str!("../../shaders/forward/depthwise.wgsl")),
    ("forward/depthwise_buffers", include_str!("../../shaders/forward/depthwise_buffers.wgsl")),
    ("forward/depthwise_textures", include_str!("../../shaders/forward/depthwise_textures.wgsl")),
    ("forward/direct", include_str!("../../shaders/forward/direct.wgsl")),
    ("forward/fused_subgroup", include_str!("../../shaders/forward/fused_subgroup.wgsl")),
    ("forward/fused_tiled", include_str!("../../shaders/forward/fused_tiled.wgsl")),
    ("forward/im2col", include_str!("../../shaders/forward/im2col.wgsl")),
    ("forward/matmul", include_str!("../../shaders/forward/matmul.wgsl")),
    ("forward/pack_weight", include_str!("../../shaders/forward/pack_weight.wgsl")),
    ("forward/pack_weight_rows", include_str!("../../shaders/forward/pack_weight_rows.wgsl")),
    ("forward/reduce", include_str!("../../shaders/forward/reduce.wgsl")),
    ("forward/sample_input", include_str!("../../shaders/forward/sample_input.wgsl")),
    ("forward/sample_packed_input", include_str!("../../shaders/forward/sample_packed_input.wgsl")),
    ("optimizer/adam", include_str!("../../shaders/optimizer/adam.wgsl")),
    ("optimizer/sgd", include_str!("../../shaders/optimizer/sgd.wgsl")),
    ("roofline/copy", include_str!("../../shaders/roofline/copy.wgsl")),
    ("roofline/multiply_add", include_str!("../../shaders/roofline/multiply_add.wgsl")),
    ("shared/activation_kinds", include_str!("../../shaders/shared/activation_kinds.wgsl")),
    ("shared/bilinear", include_str!("../../shaders/shared/bilinear.wgsl")),
    ("shared/bordered_planes", include_str!("../../shaders/shared/bordered_planes.wgsl")),
    ("shared/finite", include_str!("../../shaders/shared/finite.wgsl")),
    ("shared/grid", include_str!("../../shaders/shared/grid.wgsl")),
    ("shared/half_bits", include_str!("../../shaders/shared/half_bits.wgsl")),
    ("shared/packed_planes", include_str!("../../shaders/shared/packed_planes.wgsl")),
    ("shared/packed_sample", include_str!("../../shaders/shared/packed_sample.wgsl")),
    ("shared/packed_taps", include_str!("../../shaders/shared/packed_taps.wgsl")),
    ("shared/pixels", include_str!("../../shaders/shared/pixels.wgsl")),
    ("shared/sample", include_str!("../../shaders/shared/sample.wgsl")),
    ("shared/sample_planes", include_str!("../../shaders/shared/sample_planes.wgsl")),
    ("shared/slope", include_str!("../../shaders/shared/slope.wgsl")),
    ("shared/stored_f16", include_str!("../../shaders/shared/stored_f16.wgsl")),
    ("shared/stored_f32", include_str!("../../shaders/shared/stored_f32.wgsl")),
    ("shared/stored_packed_f16", include_str!("../../shaders/shared/stored_packed_f16.wgsl")),
    ("shared/subgroup", include_str!("../../shaders/shared/subgroup.wgsl")),
    ("shared/tap_geometry", include_str!("../../shaders/shared/tap_geometry.wgsl")),
    ("shared/taps", include_str!("../../shaders/shared/taps.wgsl")),
    ("shared/texels", include_str!("../../shaders/shared/texels.wgsl")),
    ("shared/weight_rows", include_str!("../../shaders/shared/weight_rows.wgsl")),
    ("shared/window", include_str!("../../shaders/shared/window.wgsl")),
    ("shift/channel_shift", include_str!("../../shaders/shift/channel_shift.wgsl")),
    ("sort/count", include_str!("../../shaders/sort/count.wgsl")),
    ("sort/partition", include_str!("../../shaders/sort/partition.wgsl")),
    ("sort/scan", include_str!("../../shaders/sort/scan.wgsl")),
    ("sort/scatter", include_str!("../../shaders/sort/scatter.wgsl")),
    ("statistics/counted", include_str!("../../shaders/statistics/counted.wgsl")),
    ("statistics/magnitude", include_str!("../../shaders/statistics/magnitude.wgsl")),
    ("statistics/offset_magnitude", include_str!("../../shaders/statistics/offset_magnitude.wgsl")),
    ("statistics/reduce", include_str!("../../shaders/statistics/reduce.wgsl")),
    ("statistics/slices", include_str!("../../shaders/statistics/slices.wgsl")),
    ("texture/load", include_str!("../../shaders/texture/load.wgsl")),
    ("texture/region", include_str!("../../shaders/texture/region.wgsl")),
    ("texture/store", include_str!("../../shaders/texture/store.wgsl")),
];
