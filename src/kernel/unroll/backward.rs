//! `main` of the two products of the backward pass.

use std::fmt::Write as _;

use crate::kernel::deform_conv2d::{GRAD_COLUMN_PIXELS as PIXELS, GRAD_COLUMN_QUADS as QUADS, SUBGROUP_SIZE};

const COMPONENTS: [char; 4] = ['x', 'y', 'z', 'w'];

/// `main` for the gradient of the columns: 8 quads of channels, 4 pixels of which an invocation holds one in `LANES`. In the text
/// `p` numbers the pixels, `r` the quads and `c` a quad's channels. With 8 lanes these are a subgroup: each loads one quad's
/// weights, and lane l's quad r is (l + r) mod 8. With more, all lanes load all weights.
pub(crate) fn grad_column<const LANES: u32>() -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write_grad_column(&mut text, LANES);
    text
}

/// What numbers the lanes of a workgroup, which is a subgroup if it has as many.
fn lane_builtin(lanes: u32) -> &'static str {
    if lanes == SUBGROUP_SIZE { "subgroup_invocation_id" } else { "local_invocation_index" }
}

fn write_grad_column(text: &mut String, lanes: u32) -> std::fmt::Result {
    let rotates = lanes == SUBGROUP_SIZE;
    let lane = lane_builtin(lanes);
    let first = if rotates { "lane" } else { "0u" };
    let sums = || (0..PIXELS).flat_map(|p| (0..QUADS).flat_map(move |r| (0..4).map(move |c| (p, r, c))));
    write!(
        text,
        "
const LANES = {lanes}u;
const PIXELS_PER_INVOCATION = {PIXELS}u;
const QUADS_PER_INVOCATION = {QUADS}u;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin({lane}) lane: u32,
) {{
    let number = workgroup_number(workgroup, grid);
    // Not a return: all that follows would be inside a branch, which takes a driver twice the time to compile.
    let busy = number < params.workgroups;
    let pixel = number % params.pixel_blocks * PIXELS_PER_INVOCATION * LANES + lane;
    let tap = number / params.pixel_blocks % params.taps;
    let quad_block = number / params.pixel_blocks / params.taps;
    let group = params.group_start + quad_block / params.quad_blocks;
    let group_segment = group * params.segments_per_group;
    let segment = max(params.segment_start, group_segment);
    let segment_end = min(params.segment_end, group_segment + params.segments_per_group);
    let quad_end = (segment_end - params.segment_start) * params.segment_quads;
    let quad = (segment - params.segment_start) * params.segment_quads + quad_block % params.quad_blocks * QUADS_PER_INVOCATION;
    let columns = params.taps * params.padded_pixels;
    let first_column = tap * params.padded_pixels;
    let row = (tap * params.row_quads * params.weight_quads + params.first_quad) * 4u;
"
    )?;
    for p in 0..PIXELS {
        writeln!(
            text,
            "    var grad_{p} = grad_output_start(min(pixel + {}u, params.padded_pixels - 1u)) + (group - params.group_start) * params.row_quads * BLOCK_PIXELS;",
            p * lanes
        )?;
    }
    if rotates {
        for r in 1..QUADS {
            writeln!(text, "    let from_{r} = (lane + {r}u) % QUADS_PER_INVOCATION;")?;
        }
        writeln!(text, "    var weight_0 = row + min(quad + lane, quad_end - 1u) * 4u;")?;
    } else {
        for r in 0..QUADS {
            writeln!(text, "    var weight_{r} = row + min(quad + {r}u, quad_end - 1u) * 4u;")?;
        }
    }
    for (p, r, c) in sums() {
        writeln!(text, "    var a_{p}_{r}_{c} = 0.0;")?;
    }
    text.push_str("    let turns = select(0u, params.row_quads, busy);\n    for (var n = 0u; n < turns; n++) {\n");
    for p in 0..PIXELS {
        writeln!(text, "        let g_{p} = textureLoad(packed_grad_output, texel_at(grad_{p}));")?;
        writeln!(text, "        grad_{p} += BLOCK_PIXELS;")?;
    }
    let load = |text: &mut String, r, c| {
        writeln!(text, "        let w_{r}_{c} = textureLoad(packed_weight_columns, texel_at(weight_{r} + {c}u));")
    };
    if rotates {
        // Before all products: see fused_subgroup.
        (0..4).try_for_each(|c| load(text, 0, c))?;
    }
    for (r, c) in (0..QUADS).flat_map(|r| (0..4).map(move |c| (r, c))) {
        if !rotates {
            load(text, r, c)?;
        } else if r > 0 {
            writeln!(text, "        let w_{r}_{c} = subgroupShuffle(w_0_{c}, from_{r});")?;
        }
        for p in 0..PIXELS {
            let (a, g, w) = (format!("a_{p}_{r}_{c}"), format!("g_{p}"), format!("w_{r}_{c}"));
            let sum = format!("((({a} + {g}.x * {w}.x) + {g}.y * {w}.y) + {g}.z * {w}.z) + {g}.w * {w}.w");
            writeln!(text, "        {a} = {sum};")?;
        }
    }
    for r in 0..if rotates { 1 } else { QUADS } {
        writeln!(text, "        weight_{r} += params.weight_quads * 4u;")?;
    }
    // One copy of the code that stores: many take a driver longer to compile than all the rest.
    text.push_str("    }\n    var sums = array<vec4<f32>, PIXELS_PER_INVOCATION * QUADS_PER_INVOCATION>(");
    for (p, r) in (0..PIXELS).flat_map(|p| (0..QUADS).map(move |r| (p, r))) {
        write!(text, "vec4<f32>(a_{p}_{r}_0, a_{p}_{r}_1, a_{p}_{r}_2, a_{p}_{r}_3), ")?;
    }
    write!(
        text,
        ");
    for (var n = 0u; n < PIXELS_PER_INVOCATION * QUADS_PER_INVOCATION; n++) {{
        let p = pixel + n / QUADS_PER_INVOCATION * LANES;
        let k = quad + ({first} + n) % QUADS_PER_INVOCATION;
        if busy && p < params.padded_pixels && k < quad_end {{
            grad_column[column_index(quad_columns(k, params.quads, columns), first_column + p)] = sums[n];
        }}
    }}
}}
"
    )
}

/// `main` for the gradient of the weight: `ROWS` quads of output channels by `LANES` quads of columns, `PIXELS` pixels a turn of the
/// loop. In the text `i` numbers the quads of output channels, `c` the channels of one, `p` the pixels: `a_i_c` are the sums of one
/// output channel and the lane's four columns. With 8 lanes these are a subgroup: each loads one of every 8 quads of output
/// channels, and lane l's quad r of these is (l + r) mod 8. With more, all lanes load all quads.
pub(crate) fn grad_weight<const ROWS: u32, const LANES: u32, const PIXELS: u32>() -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write_grad_weight(&mut text, ROWS, LANES, PIXELS);
    text
}

fn write_grad_weight(text: &mut String, rows: u32, lanes: u32, pixels: u32) -> std::fmt::Result {
    let rotates = lanes == SUBGROUP_SIZE;
    // Quads of a round: one is loaded, the others are rotated from other lanes.
    let round = if rotates { lanes } else { 1 };
    let lane = lane_builtin(lanes);
    let first = if rotates { "lane" } else { "0u" };
    let sums = || (0..rows).flat_map(move |i| (0..4).map(move |c| (i, c)));
    write!(
        text,
        "
const LANES = {lanes}u;
const ROW_QUADS = {rows}u;
const PIXELS_PER_TURN = {pixels}u;
const TURNS_PER_BLOCK = BLOCK_PIXELS / PIXELS_PER_TURN;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin({lane}) lane: u32,
) {{
    let number = workgroup_number(workgroup, grid);
    // Not a return: see grad_column.
    let busy = number < params.workgroups;
    let row_tile = number % params.row_tiles;
    let column_tile = number / params.row_tiles % params.column_tiles;
    let group = params.group_start + number / params.column_tiles / params.row_tiles % params.groups;
    let split = number / params.column_tiles / params.row_tiles / params.groups;
    let group_segment = group * params.segments_per_group;
    let segment = max(params.segment_start, group_segment);
    let segment_end = min(params.segment_end, group_segment + params.segments_per_group);
    let first_quad = (segment - params.segment_start) * params.segment_quads;
    let group_quads = (segment_end - segment) * params.segment_quads;
    let first_turn = split * params.turns_per_split;
    let end_turn = min(first_turn + params.turns_per_split, params.pixel_blocks * TURNS_PER_BLOCK);
    let column = group_column(column_tile * LANES + lane, first_quad, group_quads);
"
    )?;
    let loaded = || (0..rows).step_by(round as usize);
    for i in loaded() {
        writeln!(
            text,
            "    let row_{i} = ((group - params.group_start) * params.row_quads + min(row_tile * ROW_QUADS + {first} + {i}u, params.row_quads - 1u)) * BLOCK_PIXELS;"
        )?;
    }
    for r in 1..round {
        writeln!(text, "    let from_{r} = (lane + {r}u) % LANES;")?;
    }
    for (i, c) in sums() {
        writeln!(text, "    var a_{i}_{c} = vec4<f32>();")?;
    }
    text.push_str(
        "    let turns = select(0u, end_turn, busy);
    for (var turn = first_turn; turn < turns; turn++) {
        let block = turn / TURNS_PER_BLOCK * BLOCK_PIXELS;
        let pixel = turn % TURNS_PER_BLOCK * PIXELS_PER_TURN;
        let row = block * params.all_row_quads + pixel;
",
    );
    // The sums are in memory, since no CPU has so many registers: several pixels a turn share the traffic.
    for p in 0..pixels {
        writeln!(text, "        let v_{p} = column_quad(column, block + pixel + {p}u);")?;
        for i in loaded() {
            writeln!(text, "        let g_{i}_{p} = textureLoad(packed_grad_output, texel_at(row_{i} + row + {p}u));")?;
        }
    }
    for i in 0..rows {
        let r = i % round;
        if r > 0 {
            for p in 0..pixels {
                writeln!(text, "        let g_{i}_{p} = subgroupShuffle(g_{}_{p}, from_{r});", i - r)?;
            }
        }
        for (c, component) in COMPONENTS.into_iter().enumerate() {
            let sum =
                (0..pixels).fold(format!("a_{i}_{c}"), |sum, p| format!("({sum} + g_{i}_{p}.{component} * v_{p})"));
            writeln!(text, "        a_{i}_{c} = {sum};")?;
        }
    }
    text.push_str("    }\n    var sums = array<vec4<f32>, ROW_QUADS * 4u>(");
    for (i, c) in sums() {
        write!(text, "a_{i}_{c}, ")?;
    }
    write!(
        text,
        ");
    for (var n = 0u; n < ROW_QUADS * 4u; n++) {{
        let row = n / {sums}u * {sums}u + ({first} * 4u + n) % {sums}u;
        if busy {{
            partial[(number * ROW_QUADS * 4u + row) * LANES + lane] = sums[n];
        }}
    }}
}}
",
        sums = 4 * round
    )
}
