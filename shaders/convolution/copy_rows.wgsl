// Copies a run of elements of every plane: rows of an operand into a band, or of a band into an operand.
//
//     copied[plane·copied_stride + n] = rows[plane·rows_stride + n]          for 0 ≤ n < run; `adds` adds to what is there
//
// Reads   rows.
// Writes  copied: run elements of each plane.
// Runs    A workgroup of 64 owns up to 64·ELEMENTS_PER_INVOCATION consecutive elements of one plane; its lanes take
//         neighbouring elements in turn. Grid: blocks of a run fastest, then planes, folded.
// Order   No barrier, no atomic.
//
// Why this shape. Rows of one plane are consecutive, those of two planes are not. So the rows of a large image lie as
// far apart as the whole image, and no window over the operand is small. The copy lies plane by plane behind each other.

//@ uses shared/grid

struct Params {
    /// Elements of a run.
    run: u32,
    /// Workgroups along a run.
    blocks: u32,
    /// Planes of this step.
    planes: u32,
    /// Elements from one plane to the next in `rows`.
    rows_stride: u32,
    /// Elements from one plane to the next in `copied`.
    copied_stride: u32,
    /// Start of the first run in the bound `rows`, in elements.
    rows_base: u32,
    /// Start of the first run in the bound `copied`, in elements.
    copied_base: u32,
    /// 1 to add to what is there, 0 to replace it.
    adds: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [plane, element of the run]
//@ operand
@group(0) @binding(1) var<storage, read> rows: array<rows_element>;
/// [plane, element of the run]
//@ operand
@group(0) @binding(2) var<storage, read_write> copied: array<copied_element>;

const WORKGROUP_SIZE = 64u;
/// The largest number of elements of one invocation.
const ELEMENTS_PER_INVOCATION = 16u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid);
    let plane = number / params.blocks;
    if plane >= params.planes {
        return;
    }
    let first = number % params.blocks * WORKGROUP_SIZE * ELEMENTS_PER_INVOCATION + lane;
    let end = min(first + WORKGROUP_SIZE * ELEMENTS_PER_INVOCATION, params.run);
    let rows_plane = params.rows_base + plane * params.rows_stride;
    let copied_plane = params.copied_base + plane * params.copied_stride;
    for (var n = first; n < end; n += WORKGROUP_SIZE) {
        var value = read_rows(rows_plane + n);
        if params.adds != 0u {
            value += read_copied(copied_plane + n);
        }
        write_copied(copied_plane + n, value);
    }
}
