// The gradient of the input: every pixel gathers what the taps that touched it scatter, in one order.
//
//     grad_input[c, y, x] += Σ over the entries of the four cells around (y, x) of   mask · weight(corner) · column_gradient[c, entry]
//
// A cell is four neighbouring pixels; scatter has ordered the entries by the cell that each lies in. So one walk over the cells of
// a row, from left to right, reads each entry once and completes two rows of pixels, column by column.
//
// Reads   packed_taps, order and ends (where each row's end), and by `gradient` the columns' gradients (column_gradient.wgsl,
//         depthwise_gradient.wgsl).
// Writes  grad_input: adds to it.
// Runs    One invocation is four channels of one row of cells, or eight (PAIRED): on a CPU the entries' texels, their weights and the
//         wait for memory are shared. lanes_per_row of them walk a row together; a workgroup is 32. A row of cells touches two rows of
//         pixels, so a step does every other row only. Grid: rows fastest, then channels, then offset groups, folded.
// Order   No barrier, no atomic; each pixel adds a row of cells at a time, each cell's entries in their order.

//@ uses shared/packed_taps shared/texels shared/grid
//@ variant single PAIRED=false uses backward/column_gradient
//@ variant paired PAIRED=true uses backward/column_gradient
//@ variant depthwise_single PAIRED=false uses backward/depthwise_gradient
//@ variant depthwise_paired PAIRED=true uses backward/depthwise_gradient

struct Params {
    /// Rows of the input.
    in_height: u32,
    /// Columns of the input.
    in_width: u32,
    /// Channels of a segment.
    segment_channels: u32,
    /// Packs of each segment in this step.
    segment_packs: u32,
    /// First pack of each segment in this step.
    pack_start: u32,
    /// First segment of this step.
    segment_start: u32,
    /// One past the last.
    segment_end: u32,
    /// Segments of an offset group.
    segments_per_offset_group: u32,
    /// First group of this step.
    group_start: u32,
    /// Packs of this step's channels.
    packs: u32,
    /// Packs of all segments.
    all_packs: u32,
    /// The number of this step's first pack among all.
    first_pack: u32,
    /// How far a tap lies from the right in the number of a depthwise convolution's column; below lies the pixel.
    tap_shift: u32,
    /// Entries of one offset group.
    entries: u32,
    /// Counters of one offset group.
    counters: u32,
    /// The same of a row of cells.
    counters_per_row: u32,
    /// Which rows of cells: even or odd.
    parity: u32,
    /// Rows of cells of this parity.
    rows: u32,
    /// Lanes that walk a row together.
    lanes_per_row: u32,
    /// Rows, times the parts that an invocation's packs cut an offset group's into, and units that fill up whole vectors.
    units_per_group: u32,
    /// The same of all offset groups.
    units: u32,
    /// Where this step's channels start in the bound gradient.
    grad_input_base: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [(offset group, tap, pixel)], (column, y, x, mask)
@group(0) @binding(1) var packed_taps: texture_storage_2d<rgba32float, read>;
/// [offset group, entry], by cell
@group(0) @binding(3) var<storage, read> order: array<u32>;
/// [offset group, row of cells, (bucket of the row, partition)]
@group(0) @binding(4) var<storage, read> ends: array<u32>;
/// [(segment, channel), in_height, in_width]
@group(0) @binding(5) var<storage, read_write> grad_input: array<f32>;

const WORKGROUP_SIZE = 32u;
/// Entries to a turn of the loop: a driver may end loops after 65,535 turns.
const ENTRIES_PER_TURN = 4u;

/// What a cell adds to the pixels at its corners.
struct Cell {
    /// To (y0, x0).
    s00: vec4<f32>,
    /// To (y0, x1).
    s01: vec4<f32>,
    /// To (y1, x0).
    s10: vec4<f32>,
    /// To (y1, x1).
    s11: vec4<f32>,
}

/// A pack of channels.
struct Pack {
    /// Where the gradients of its columns lie.
    gradients: PackGradients,
    /// Where its first channel lies.
    plane: u32,
    /// How many channels it has: none if there is no such pack.
    channels: u32,
}

fn add(pack: Pack, y: i32, x: i32, value: vec4<f32>) {
    if y < 0 || x < 0 || y >= i32(params.in_height) || x >= i32(params.in_width) {
        return;
    }
    let size = params.in_height * params.in_width;
    let at = pack.plane + u32(y) * params.in_width + u32(x);
    if pack.channels > 0u { grad_input[at] += value.x; }
    if pack.channels > 1u { grad_input[at + size] += value.y; }
    if pack.channels > 2u { grad_input[at + 2u * size] += value.z; }
    if pack.channels > 3u { grad_input[at + 3u * size] += value.w; }
}

fn pack_at(number: u32, pack_end: u32) -> Pack {
    let channel = (params.pack_start + number % params.segment_packs) * 4u;
    // The bound channels begin with the first of pack_start.
    let plane = number / params.segment_packs * params.segment_channels + number % params.segment_packs * 4u;
    return Pack(
        gradients_of(number, params.entries),
        params.grad_input_base + plane * params.in_height * params.in_width,
        select(0u, params.segment_channels - channel, number < pack_end),
    );
}

/// The n-th entry: a packed tap.
fn entry_at(n: u32) -> vec4<f32> {
    return textureLoad(packed_taps, texel_at(order[n]));
}

/// An entry's gradient of its column, if it is there.
fn entry_gradient(there: bool, entry: vec4<f32>, pack: Pack) -> vec4<f32> {
    return select(vec4<f32>(), entry.w * gradient(pack.gradients, u32(entry.x)), there);
}

/// Adds an entry's gradient to its cell's sums.
fn visit(cell: Cell, entry: vec4<f32>, grad: vec4<f32>) -> Cell {
    let weight = corner_weights(fraction_of(entry));
    return Cell(
        cell.s00 + weight.x * grad,
        cell.s01 + weight.y * grad,
        cell.s10 + weight.z * grad,
        cell.s11 + weight.w * grad,
    );
}

/// Adds a turn's entries: the first, and of the others those that are there. All are read before the first is added.
fn visit_turn(
    cell: Cell,
    e0: vec4<f32>,
    e1: vec4<f32>,
    e2: vec4<f32>,
    e3: vec4<f32>,
    there: vec3<bool>,
    pack: Pack,
) -> Cell {
    let g0 = entry_gradient(true, e0, pack);
    let g1 = entry_gradient(there.x, e1, pack);
    let g2 = entry_gradient(there.y, e2, pack);
    let g3 = entry_gradient(there.z, e3, pack);
    return visit(visit(visit(visit(cell, e0, g0), e1, g1), e2, g2), e3, g3);
}

/// Writes what is complete: the cells to the right of `x` do not touch that column. What is left is the next cell's.
fn finish(pack: Pack, y: i32, x: i32, cell: Cell) -> Cell {
    add(pack, y, x, cell.s00);
    add(pack, y + 1, x, cell.s10);
    return Cell(cell.s01, vec4<f32>(), cell.s11, vec4<f32>());
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let unit = (workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane) / params.lanes_per_row;
    let group = unit / params.units_per_group;
    let group_unit = unit % params.units_per_group;
    let row = group_unit % params.rows * 2u + params.parity;
    // Past the last part there are no packs: such units keep the groups' lanes apart.
    let part = group_unit / params.rows;
    let group_segment = (params.group_start + group) * params.segments_per_offset_group;
    let first = max(params.segment_start, group_segment);
    let end = min(params.segment_end, group_segment + params.segments_per_offset_group);
    let first_pack = (first - params.segment_start) * params.segment_packs;
    let packs_per_lane = select(1u, 2u, PAIRED);
    let number = first_pack + part * params.lanes_per_row * packs_per_lane + lane % params.lanes_per_row;
    let pack_end = (end - params.segment_start) * params.segment_packs;
    // Not a return: all that follows would be inside a branch, which a CPU driver does not jump over.
    let busy = unit < params.units && number < pack_end;
    let pack = pack_at(number, pack_end);
    // May be past the last: then what is read for it, of no matter what column or past the end, is not written.
    let second = pack_at(number + params.lanes_per_row, pack_end);

    let counters = group * params.counters + row * params.counters_per_row;
    var next = group * params.entries;
    var last = next;
    if busy {
        if row > 0u {
            next += ends[counters - 1u];
        }
        last += ends[counters + params.counters_per_row - 1u];
    }
    // The cells of a row, from the one left of the first pixel on.
    var cell = Cell();
    var second_cell = Cell();
    let cells = select(0u, params.in_width + 1u, next < last);
    for (var n = 0u; n < cells; n++) {
        var e0 = entry_at(next);
        var more = next < last && corner_of(e0).x == n;
        while more {
            let e1 = entry_at(next + 1u);
            let e2 = entry_at(next + 2u);
            let e3 = entry_at(next + 3u);
            let e4 = entry_at(next + 4u);
            let is1 = next + 1u < last && corner_of(e1).x == n;
            let is2 = next + 2u < last && corner_of(e2).x == n;
            let is3 = next + 3u < last && corner_of(e3).x == n;
            let there = vec3<bool>(is1, is2, is3);
            cell = visit_turn(cell, e0, e1, e2, e3, there, pack);
            if PAIRED {
                second_cell = visit_turn(second_cell, e0, e1, e2, e3, there, second);
            }
            next += 1u + u32(is1) + u32(is2) + u32(is3);
            more = is3 && next < last && corner_of(e4).x == n;
            e0 = e4;
        }
        cell = finish(pack, i32(row) - 1, i32(n) - 1, cell);
        if PAIRED {
            second_cell = finish(second, i32(row) - 1, i32(n) - 1, second_cell);
        }
    }
}
