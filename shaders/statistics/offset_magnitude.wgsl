// Computes partial sums of the magnitudes of offsets, and counts the taps that offsets move out of the image.
// reduce.wgsl adds them up.
//
//     partial[slice] = (Σ |offset|, max |offset|, number of offsets that are NaN or infinite, number of taps whose sample is 0 for every image)
//
// The sum and the maximum are over the finite offsets.
//
// Reads   offset: this step's images.
// Writes  partial, all of it.
// Runs    One invocation owns every SLICES-th tap of the images; a workgroup is 64 of them. Grid: SLICES / 64.
// Order   No barrier, no atomic.
//
// Why this shape. The number of partial sums is fixed, so a tensor of any size needs the same memory and one small last
// step. Neighbouring lanes read neighbouring elements.

//@ uses statistics/slices statistics/counted shared/taps shared/bilinear shared/grid

struct Params {
    /// Geometry of the taps.
    geometry: TapGeometry,
    /// Taps of all pixels and offset groups of this step's images.
    all_taps: u32,
    /// Start of the first image in the bound offset, in elements.
    base: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [(image, offset group, tap, y|x), out_height, out_width]
//@ operand
@group(0) @binding(1) var<storage, read> offset: array<offset_element>;
/// [slice]
@group(0) @binding(2) var<storage, read_write> partial: array<vec4<f32>>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let slice = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if slice >= SLICES {
        return;
    }
    var sum = vec4<f32>();
    for (var n = slice; n < params.all_taps; n += SLICES) {
        let pixel = n % params.geometry.out_pixels;
        let plane = n / params.geometry.out_pixels;
        let at = params.base + 2u * plane * params.geometry.out_pixels + pixel;
        let y = read_offset(at);
        let x = read_offset(at + params.geometry.out_pixels);
        sum = counted(counted(sum, y), x);
        let position = moved(first_tap(pixel) + tap_step(plane % params.geometry.taps), at);
        if !position_at(position.y, position.x, params.geometry.in_height, params.geometry.in_width).inside {
            sum.w += 1.0;
        }
    }
    partial[slice] = sum;
}
