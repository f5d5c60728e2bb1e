// Moves every channel by its own whole number of pixels, or computes the gradient of that.
//
//     forward     output[c, p] = input[c, p − shift[c]]          if p − shift[c] lies in the plane
//     backward    output[c, p] = input[c, p + shift[c]]          if p + shift[c] lies in the plane; input is the gradient of the forward output
//
// `border` says what happens where the source lies outside the plane:
//
//     ZERO    output[c, p] = 0
//     KEEP    forward, output[c, p] = input[c, p]; backward, input[c, p] is added to the output of each pixel that kept its value in the forward pass
//     WRAP    the plane is periodic, so no source lies outside
//
// Reads   input, shift.
// Writes  output, whole planes.
// Runs    One invocation owns one pixel of one plane; a workgroup is 64 of them. Grid: pixels / 64, folded.
// Order   No barrier, no atomic.
//
// Why this shape. The gradient is gathered too: each pixel knows which one or two outputs it reached, so no two
// invocations add to one element.

//@ uses shared/grid

struct Params {
    /// Rows of a plane.
    height: u32,
    /// Columns of a plane.
    width: u32,
    /// Channels of an image.
    channels: u32,
    /// First plane of this step.
    first_plane: u32,
    /// Pixels of this step's planes.
    elements: u32,
    /// The border rule: ZERO, KEEP or WRAP.
    border: u32,
    /// 1 to compute the gradient.
    backward: u32,
    /// Start of the first plane in the bound input, in elements.
    input_base: u32,
    /// Start of the first plane in the bound output, in elements.
    output_base: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [plane of the step, height, width]
//@ operand
@group(0) @binding(1) var<storage, read> input: array<input_element>;
/// [channel, y|x], in pixels
@group(0) @binding(2) var<storage, read> shift: array<f32>;
/// Same axes as input.
//@ operand
@group(0) @binding(3) var<storage, read_write> output: array<output_element>;

const WORKGROUP_SIZE = 64u;
/// The value of `border` by which a pixel without a source is 0.
const ZERO = 0u;
/// The value of `border` by which a pixel without a source keeps its own value.
const KEEP = 1u;
/// The value of `border` for periodic planes.
const WRAP = 2u;

fn inside(at: vec2<i32>, size: vec2<i32>) -> bool {
    return all(at >= vec2<i32>()) && all(at < size);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if number >= params.elements {
        return;
    }
    let size = vec2<i32>(vec2<u32>(params.height, params.width));
    let pixels = params.height * params.width;
    let plane = number / pixels;
    let channel = (params.first_plane + plane) % params.channels;
    let by = vec2<i32>(vec2<f32>(shift[2u * channel], shift[2u * channel + 1u]));
    let pixel = vec2<i32>(vec2<u32>(number % pixels / params.width, number % params.width));
    let step = select(-by, by, params.backward != 0u);
    var source = pixel + step;
    if params.border == WRAP {
        source = ((source % size) + size) % size;
    }
    var value = 0.0;
    if inside(source, size) {
        value = read_input(params.input_base + plane * pixels + u32(source.x) * params.width + u32(source.y));
    }
    // Forward, a pixel without a source keeps its own value. Backward, a pixel that kept its value adds the gradient of
    // its own output.
    let kept = select(source, pixel - by, params.backward != 0u);
    if params.border == KEEP && !inside(kept, size) {
        value += read_input(params.input_base + number);
    }
    write_output(params.output_base + number, value);
}
