// Computes the gradient of the input.
//
//     grad_input[b, c, y, x] += Σ over the entries of the four cells around (y, x) of   mask · weight(corner) · grad_column[c, entry]
//
// The plain algorithm scatters: for every tap, it adds mask · weight · grad_column to each of the four pixels
// around the tap's position. Many taps reach one pixel, so it needs float atomics, whose order changes from run to run.
// This kernel gathers instead. The sort (sort/partition.wgsl) has ordered the entries by their cells, so a pixel could
// walk through the entries of the four cells around it. The kernel departs from that in six ways.
//
//   1. It walks through rows of cells, from left to right, and adds each entry to the sums of its cell's four corners.
//      When a cell ends, its two left pixels are complete for this row of cells and are written; its two right sums
//      become the left sums of the next cell (`finish`). So each entry is added in one visit, and not read once for
//      each of its four corners.
//   2. A row of cells touches two rows of pixels, and a row of pixels is touched by two rows of cells. One step does
//      the even rows of an image's cells and another the odd rows (`parity`), so no two invocations of a step add to
//      one pixel.
//   3. An invocation owns PACKS_PER_LANE packs, which share the entries' texels, the corner weights and the wait for
//      memory.
//   4. lanes_per_row invocations walk through the same row together, for neighbouring packs.
//   5. An iteration of the loop takes up to ENTRIES_PER_ITERATION entries, because a driver may end a loop after 65,535
//      iterations. It reads all of them before it adds the first, so that their latencies overlap. Entries that lie in
//      a later cell are not added, and the next iteration reads them again.
//   6. Only the end of each row, which is where the next begins, is looked up in `ends`. A cell ends where the next
//      entry lies in another column.
//
// Reads   packed_taps, order, ends, and through `gradient` the gradients of the columns (column_gradient.wgsl,
//         depthwise_gradient.wgsl).
// Writes  grad_input: adds to it.
// Runs    See 1 to 4; a workgroup is 32 invocations. Grid: rows fastest, then packs, then offset groups, folded.
// Order   No barrier, no atomic. A pixel adds the even rows of cells, then the odd rows; within a row cell by cell, and
//         within a cell the entries in order.
//
// Why this shape. A walk along the rows of cells needs no atomics, gives the same bits in every run, and adds every
// entry in one visit.

//@ uses shared/packed_taps shared/texels backward/add_channels shared/grid
//@ constant PACKS_PER_LANE Packs of one invocation: 1 or 2.
//@ variant single PACKS_PER_LANE=1u uses backward/column_gradient
//@ variant paired PACKS_PER_LANE=2u uses backward/column_gradient
//@ variant depthwise_single PACKS_PER_LANE=1u uses backward/depthwise_gradient
//@ variant depthwise_paired PACKS_PER_LANE=2u uses backward/depthwise_gradient

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
    /// One past the last segment of this step.
    segment_end: u32,
    /// Segments of an offset group.
    segments_per_offset_group: u32,
    /// First offset group of this step.
    group_start: u32,
    /// Packs of this step's channels.
    packs: u32,
    /// Packs of all segments.
    all_packs: u32,
    /// Number of this step's first pack among the packs of all segments.
    first_pack: u32,
    /// Output pixels of the part, rounded up to whole blocks.
    padded_pixels: u32,
    /// Entries of one offset group.
    entries: u32,
    /// Counters of one offset group in `ends`.
    counters: u32,
    /// Counters of one row of cells in `ends`.
    counters_per_row: u32,
    /// 0 for the even rows of cells, 1 for the odd rows.
    parity: u32,
    /// Rows of cells of this parity in one image.
    rows: u32,
    /// Images of the part.
    images: u32,
    /// Elements between images of the gradient.
    image_stride: u32,
    /// Lanes that walk through a row together.
    lanes_per_row: u32,
    /// Units of an offset group. A unit is lanes_per_row lanes, which walk through one row for as many packs as they
    /// own. The number is rounded up so that no vector of 8 lanes serves two offset groups.
    units_per_group: u32,
    /// Start of this step's channels in the bound gradient, in elements.
    grad_input_base: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [(offset group, tap, pixel)], (row, y, x, mask)
@group(0) @binding(1) var packed_taps: texture_storage_2d<rgba32float, read>;
/// [offset group, entry], by cell
@group(0) @binding(3) var<storage, read> order: array<u32>;
/// [offset group, (image, row of cells), (bucket of the row, partition)]
@group(0) @binding(4) var<storage, read> ends: array<u32>;
/// [image, (segment, channel), in_height, in_width]
@group(0) @binding(5) var<storage, read_write> grad_input: array<f32>;

const WORKGROUP_SIZE = 32u;
/// Entries per iteration of the loop, because a driver may end a loop after 65,535 iterations.
const ENTRIES_PER_ITERATION = 4u;

const_assert PACKS_PER_LANE == 1u || PACKS_PER_LANE == 2u;

/// The sums of a cell's entries for the pixels at its corners.
struct Cell {
    /// For the pixel (y0, x0).
    s00: vec4<f32>,
    /// For the pixel (y0, x1).
    s01: vec4<f32>,
    /// For the pixel (y1, x0).
    s10: vec4<f32>,
    /// For the pixel (y1, x1).
    s11: vec4<f32>,
}

/// A pack of channels.
struct Pack {
    /// Where the gradients of the pack's columns lie.
    gradients: PackGradients,
    /// Index of the plane of the pack's first channel of the image in grad_input.
    plane: u32,
    /// Channels of the segment from the pack's first on, at least 4 for a full pack; 0 if there is no such pack.
    channels: u32,
}

/// Adds four channels to a pixel, if it lies in the image. No cell lies right of the image.
fn add(pack: Pack, y: i32, x: i32, value: vec4<f32>) {
    if y < 0 || x < 0 || y >= i32(params.in_height) {
        return;
    }
    let size = params.in_height * params.in_width;
    add_channels(pack.plane + u32(y) * params.in_width + u32(x), size, pack.channels, value);
}

fn pack_at(number: u32, pack_end: u32, image: u32) -> Pack {
    let channel = (params.pack_start + number % params.segment_packs) * 4u;
    // The bound gradient starts at the first channel of pack `pack_start`.
    let plane = number / params.segment_packs * params.segment_channels + number % params.segment_packs * 4u;
    return Pack(
        gradients_of(number, params.entries),
        params.grad_input_base + image * params.image_stride + plane * params.in_height * params.in_width,
        select(0u, params.segment_channels - channel, number < pack_end),
    );
}

/// An entry.
struct Entry {
    /// Number of its column.
    column: u32,
    /// Its packed tap.
    tap: vec4<f32>,
}

/// Returns the n-th entry. `first` is the number of the offset group's first entry.
fn entry_at(n: u32, first: u32) -> Entry {
    let entry = order[n];
    return Entry(entry - first, textureLoad(packed_taps, texel_at(entry)));
}

/// Returns mask · gradient of an entry's column, or 0 if the entry is not there.
fn entry_gradient(there: bool, entry: Entry, pack: Pack) -> vec4<f32> {
    return select(vec4<f32>(), entry.tap.w * gradient(pack.gradients, entry.column), there);
}

/// Adds an entry's gradient to its cell's sums.
fn visit(cell: Cell, entry: Entry, grad: vec4<f32>) -> Cell {
    let weight = corner_weights(fraction_of(entry.tap));
    return Cell(
        cell.s00 + weight.x * grad,
        cell.s01 + weight.y * grad,
        cell.s10 + weight.z * grad,
        cell.s11 + weight.w * grad,
    );
}

/// Adds the entries e0, e1, … of an iteration that are there. Reads all gradients before it adds the first.
fn visit_entries(
    cell: Cell,
    pack: Pack,
#for k in 0..ENTRIES_PER_ITERATION
    e{k}: Entry,
    is{k}: bool,
#end
) -> Cell {
#for k in 0..ENTRIES_PER_ITERATION
    let g{k} = entry_gradient(is{k}, e{k}, pack);
#end
    var sums = cell;
#for k in 0..ENTRIES_PER_ITERATION
    sums = visit(sums, e{k}, g{k});
#end
    return sums;
}

/// Adds the two left sums of a cell to the pixels of column `x`, which no later cell of the row touches. Returns the
/// start of the next cell's sums.
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
    let image_row = group_unit / params.rows;
    let row = (group_unit - image_row * params.rows) * 2u + params.parity;
    // Units past the last part have no packs. They are there so that no vector holds lanes of two groups.
    let part = image_row / params.images;
    let image = image_row - part * params.images;
    let group_segment = (params.group_start + group) * params.segments_per_offset_group;
    let first = max(params.segment_start, group_segment);
    let end = min(params.segment_end, group_segment + params.segments_per_offset_group);
    let first_pack = (first - params.segment_start) * params.segment_packs;
    let number = first_pack + part * params.lanes_per_row * PACKS_PER_LANE + lane % params.lanes_per_row;
    let pack_end = (end - params.segment_start) * params.segment_packs;
    // No early return: it would put all that follows into a branch, and a CPU driver executes a branch even if no lane
    // takes it.
    let busy = number < pack_end;
    let pack = pack_at(number, pack_end, image);
    // There may be no second pack. It then has 0 channels: bounds checks make its reads harmless, and `add` stores
    // nothing.
    let second = pack_at(number + params.lanes_per_row, pack_end, image);

    let row_of_part = image * (params.in_height + 1u) + row;
    let counters = group * params.counters + row_of_part * params.counters_per_row;
    let first_entry = group * params.entries;
    var next = first_entry;
    var last = next;
    if busy {
        if row_of_part > 0u {
            next += ends[counters - 1u];
        }
        last += ends[counters + params.counters_per_row - 1u];
    }
    // The first cell of a row lies left of the first pixel.
    var cell = Cell();
    var second_cell = Cell();
    let cells = select(0u, params.in_width + 1u, next < last);
    for (var n = 0u; n < cells; n++) {
        var e0 = entry_at(next, first_entry);
        var more = next < last && corner_of(e0.tap).x == n;
        while more {
#for k in 1..ENTRIES_PER_ITERATION + 1
            let e{k} = entry_at(next + {k}u, first_entry);
            let is{k} = next + {k}u < last && corner_of(e{k}.tap).x == n;
#end
            let is0 = true;
            cell = visit_entries(
                cell,
                pack,
#for k in 0..ENTRIES_PER_ITERATION
                e{k},
                is{k},
#end
            );
            if PACKS_PER_LANE == 2u {
                second_cell = visit_entries(
                    second_cell,
                    second,
#for k in 0..ENTRIES_PER_ITERATION
                    e{k},
                    is{k},
#end
                );
            }
            next += 1u;
#for k in 1..ENTRIES_PER_ITERATION
            next += u32(is{k});
#end
            // The entries of a cell are neighbours: if the one behind these is there, all of these are.
            more = is{ENTRIES_PER_ITERATION};
            e0 = e{ENTRIES_PER_ITERATION};
        }
        cell = finish(pack, i32(row) - 1, i32(n) - 1, cell);
        if PACKS_PER_LANE == 2u {
            second_cell = finish(second, i32(row) - 1, i32(n) - 1, second_cell);
        }
    }
}
