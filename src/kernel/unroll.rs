//! The one generator of shader text: `main` of the fused kernels, whose accumulators must be scalars with names.

use std::fmt::Write as _;

use super::deform_conv2d::{PIXELS_PER_INVOCATION, SUBGROUP_SIZE};

/// `main` for `OUT_CHANNELS` output channels: a loop over the taps of all segments, and over the quads of each. In the text `p` numbers an invocation's pixels, `b` blocks of 8 output channels, `r`
/// rotations of the 8 weights; `a_p_b_r` is the accumulator of pixel p and output channel 8·b + (lane + r) mod 8.
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
    if number >= params.blocks {{
        return;
    }}
    let pixel = number % params.pixel_blocks * PIXELS_PER_INVOCATION * SUBGROUP_SIZE + lane;
    let row = number / params.pixel_blocks % params.row_blocks * OUT_CHANNELS;
    let group = params.group_start + number / params.pixel_blocks / params.row_blocks;
    let group_segment = group * params.segments_per_group;
    let segment_start = max(group_segment, params.segment_start);
    let segment_end = min(group_segment + params.segments_per_group, params.segment_end);
    let column = group * params.rows + row + lane;
    let plane_height = params.in_height + 1u;
"
    )?;
    for p in 0..pixels {
        // Lanes past the last pixel repeat it, and store nothing.
        writeln!(text, "    let pixel_{p} = min(pixel + {}u, params.out_pixels - 1u);", p * lanes)?;
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
    let taps = (segment_end - segment_start) * params.taps;
    for (var n = 0u; n < taps; n++) {
        let plane = (segment / params.segments_per_offset_group * params.taps + tap) * params.out_pixels;
        let step = vec2<i32>(vec2<u32>(j * params.dil_w, i * params.dil_h));
",
    );
    for p in 0..pixels {
        writeln!(text, "        let tap_{p} = tap_at(plane, pixel_{p}, start_{p} + step);")?;
    }
    text.push_str(
        "        var plane_row = (segment - params.segment_start) * quads * plane_height;
        let first_row = ((segment - group_segment) * params.taps + tap) * params.quads + params.quad_start;
        let end_row = first_row + quads;
        tap++;
        j++;
        if j == params.kernel_width {
            j = 0u;
            i++;
        }
        if tap == params.taps {
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
    for b in 0..blocks {
        let (to, load) = (b * lanes, "textureLoad(packed_weight, vec2<u32>(column");
        writeln!(text, "            let w_{b}_0 = {load} + {to}u, weight_row));")?;
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
    for p in 0..pixels {
        writeln!(text, "    if pixel + {}u < params.out_pixels {{", p * lanes)?;
        for (b, r) in (0..blocks).flat_map(|b| (0..lanes).map(move |r| (b, r))) {
            let from = if r == 0 { "lane".to_owned() } else { format!("from_{r}") };
            let row = format!("row + {}u + {from}", b * lanes);
            let channel = format!("group * params.rows + {row}");
            writeln!(text, "        if {row} < params.rows {{ store({channel}, pixel_{p}, first, a_{p}_{b}_{r}); }}")?;
        }
        text.push_str("    }\n");
    }
    text.push_str("}\n");
    Ok(())
}
