//! The one generator of shader text: `main` of the kernels whose accumulators must have names.

pub(super) mod backward;

use std::fmt::Write as _;

use super::deform_conv2d::{PIXELS_PER_INVOCATION, SUBGROUP_SIZE};

/// `main` for `OUT_CHANNELS` output channels: a loop over the taps of all segments, and over the quads of each. In the text `p`
/// numbers an invocation's pixels, `b` blocks of 8 output channels, `r` rotations of the 8 weights; `a_p_b_r` is the accumulator of
/// pixel p and output channel 8·b + (lane + r) mod 8.
pub(super) fn fused_subgroup<const OUT_CHANNELS: u32>() -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write_fused_subgroup(&mut text, OUT_CHANNELS);
    text
}

fn write_fused_subgroup(text: &mut String, out_channels: u32) -> std::fmt::Result {
    let (lanes, pixels) = (SUBGROUP_SIZE, PIXELS_PER_INVOCATION);
    let blocks = out_channels / lanes;
    let accumulators = || (0..pixels).flat_map(move |p| (0..blocks).map(move |b| (p, b)));
    write!(
        text,
        "
const SUBGROUP_SIZE = {lanes}u;
const PIXELS_PER_INVOCATION = {pixels}u;
const OUT_CHANNELS = {out_channels}u;

@compute @workgroup_size(SUBGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {{
    let number = workgroup_number(workgroup, grid);
    // Not a return: all that follows would be inside a branch, which takes a driver twice the time to compile.
    let busy = number < params.blocks;
    let pixel = number % params.pixel_blocks * PIXELS_PER_INVOCATION * SUBGROUP_SIZE + lane;
    let row = number / params.pixel_blocks % params.row_blocks * OUT_CHANNELS;
    let group = params.group_start + number / params.pixel_blocks / params.row_blocks;
    let group_segment = group * params.segments_per_group;
    let segment_start = max(group_segment, params.segment_start);
    let segment_end = min(group_segment + params.segments_per_group, params.segment_end);
    let column = group * params.rows + row + lane;
    let plane_height = params.geometry.in_height + 1u;
"
    )?;
    for p in 0..pixels {
        // Lanes past the last pixel repeat it, and store nothing.
        writeln!(text, "    let pixel_{p} = min(pixel + {}u, params.geometry.out_pixels - 1u);", p * lanes)?;
        writeln!(text, "    let start_{p} = first_tap(pixel_{p});")?;
    }
    for r in 1..lanes {
        writeln!(text, "    let from_{r} = (lane + {r}u) % SUBGROUP_SIZE;")?;
    }
    for ((p, b), r) in accumulators().flat_map(|pb| (0..lanes).map(move |r| (pb, r))) {
        writeln!(text, "    var a_{p}_{b}_{r} = 0.0;")?;
    }
    // Not a loop for segments and one for taps: at every entry and exit of a loop the accumulators are moved.
    text.push_str(
        "    var segment = segment_start;
    var tap = 0u;
    var i = 0u;
    var j = 0u;
    let quads = params.quad_end - params.quad_start;
    let taps = select(0u, (segment_end - segment_start) * params.geometry.taps, busy);
    for (var n = 0u; n < taps; n++) {
        let plane = (segment / params.segments_per_offset_group * params.geometry.taps + tap) * params.geometry.out_pixels;
        let step = vec2<i32>(vec2<u32>(j * params.geometry.dil_w, i * params.geometry.dil_h));
",
    );
    for p in 0..pixels {
        writeln!(text, "        let tap_{p} = tap_at(plane, pixel_{p}, start_{p} + step);")?;
    }
    text.push_str(
        "        var plane_row = (segment - params.segment_start) * quads * plane_height;
        let first_row = ((segment - group_segment) * params.geometry.taps + tap) * params.quads + params.quad_start;
        let end_row = first_row + quads;
        tap++;
        j++;
        if j == params.geometry.kernel_width {
            j = 0u;
            i++;
        }
        if tap == params.geometry.taps {
            tap = 0u;
            i = 0u;
            segment++;
        }
        for (var weight_row = first_row; weight_row < end_row; weight_row++) {
",
    );
    for p in 0..pixels {
        writeln!(text, "            let s_{p} = sample(tap_{p}, plane_row);")?;
    }
    // All texels before the first product: Mesa 25's CPU driver reads each in a call, and its compiler moves whatever is summed between two
    // calls behind the last, which took twice the time.
    for b in 0..blocks {
        let (to, load) = (b * lanes, "textureLoad(packed_weight, vec2<u32>(column");
        writeln!(text, "            let w_{b}_0 = {load} + {to}u, weight_row));")?;
    }
    for b in 0..blocks {
        for r in 0..lanes {
            if r > 0 {
                writeln!(text, "            let w_{b}_{r} = subgroupShuffle(w_{b}_0, from_{r});")?;
            }
            for p in 0..pixels {
                let (a, s, w) = (format!("a_{p}_{b}_{r}"), format!("s_{p}"), format!("w_{b}_{r}"));
                let sum = format!("((({a} + {s}.x * {w}.x) + {s}.y * {w}.y) + {s}.z * {w}.z) + {s}.w * {w}.w");
                writeln!(text, "            {a} = {sum};")?;
            }
        }
    }
    text.push_str(
        "            plane_row += plane_height;
        }
    }
    let first = segment_start == group_segment && params.quad_start == 0u;
",
    );
    // One copy of the code that stores, since a driver takes longer to compile 256 of them than all the rest.
    text.push_str("    var sums = array<f32, PIXELS_PER_INVOCATION * OUT_CHANNELS>(");
    for (p, b) in accumulators() {
        (0..lanes).try_for_each(|r| write!(text, "a_{p}_{b}_{r}, "))?;
    }
    text.push_str(
        ");
    for (var n = 0u; n < PIXELS_PER_INVOCATION * OUT_CHANNELS; n++) {
        let p = pixel + n / OUT_CHANNELS * SUBGROUP_SIZE;
        let o = row + n % OUT_CHANNELS / SUBGROUP_SIZE * SUBGROUP_SIZE + (lane + n) % SUBGROUP_SIZE;
        if busy && p < params.geometry.out_pixels && o < params.rows {
            store(group * params.rows + o, p, first, sums[n]);
        }
    }
}
",
    );
    Ok(())
}

/// `main` of a tiled kernel, whose invocations own `VECTORS_M` vec4s of output channels by `VECTORS_N` of columns. In the text `m`
/// numbers the former's components and `v` the latter: `s_m_v` are the sums of one output channel and four columns.
pub(super) fn fused_tiled<const VECTORS_M: u32, const VECTORS_N: u32>() -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write_fused_tiled(&mut text, VECTORS_M, VECTORS_N);
    text
}

fn write_fused_tiled(text: &mut String, vectors_m: u32, vectors_n: u32) -> std::fmt::Result {
    let sums = || (0..4 * vectors_m).flat_map(move |m| (0..vectors_n).map(move |v| (m, v)));
    text.push_str(
        "
@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let tile = workgroup_number(workgroup, grid);
    let split = tile / params.column_tiles / params.row_tiles / params.groups;
    // The same for the whole workgroup, as every bound of a loop with a barrier is.
    if split >= params.splits {
        return;
    }
    let group = tile / params.column_tiles / params.row_tiles % params.groups;
    let tile_row = tile / params.column_tiles % params.row_tiles * TILE_M;
    let tile_column = tile % params.column_tiles * TILE_N;
    let lane_row = lane / COLUMN_LANES;
    let lane_column = lane % COLUMN_LANES;
    let blocks_per_tap = params.padded_channels / TILE_K;
    let blocks = params.segments_per_group * params.geometry.taps * blocks_per_tap;
    var block = split * params.blocks_per_split;
    let block_end = min(block + params.blocks_per_split, blocks);
",
    );
    for (m, v) in sums() {
        writeln!(text, "    var s_{m}_{v} = vec4<f32>();")?;
    }
    text.push_str(
        "    while block < block_end {
        // A tap of a segment: so many weight rows lie before it, and so many blocks of this split follow.
        let tap = block / blocks_per_tap;
        let segment = group * params.segments_per_group + tap / params.geometry.taps;
        let tap_end = min((tap + 1u) * blocks_per_tap, block_end);
        if lane < TILE_N {
            taps[lane] = tap_at(tile_column + lane, segment / params.segments_per_offset_group, tap % params.geometry.taps);
        }
        workgroupBarrier();
        for (; block < tap_end; block++) {
            let first = block % blocks_per_tap * TILE_K;
            load_samples(lane, first, segment * params.segment_channels);
            load_weight(lane, group * blocks * TILE_K + tap * params.padded_channels + first, tile_row);
            workgroupBarrier();
            for (var k = 0u; k < TILE_K; k++) {
",
    );
    for m in 0..vectors_m {
        writeln!(text, "                let w_{m} = weight_tile[k * (TILE_M / 4u) + lane_row + {m}u * ROW_LANES];")?;
    }
    for v in 0..vectors_n {
        writeln!(
            text,
            "                let v_{v} = sample_tile[k * (TILE_N / 4u) + lane_column + {v}u * COLUMN_LANES];"
        )?;
    }
    for (m, v) in sums() {
        let component = ["x", "y", "z", "w"][m as usize % 4];
        writeln!(text, "                s_{m}_{v} += w_{}.{component} * v_{v};", m / 4)?;
    }
    text.push_str(
        "            }
            workgroupBarrier();
        }
    }
",
    );
    for (m, v) in sums() {
        writeln!(
            text,
            "    store_quad(split, group, tile_row + 4u * (lane_row + {}u * ROW_LANES) + {}u, tile_column + 4u * (lane_column + {v}u * COLUMN_LANES), s_{m}_{v});",
            m / 4,
            m % 4
        )?;
    }
    text.push_str("}\n");
    Ok(())
}
