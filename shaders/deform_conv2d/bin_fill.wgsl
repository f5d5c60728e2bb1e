// Puts every entry into its bin: the last third of a pass of a radix sort. See bin_count.wgsl.
//
//     entries[group, ends[group, bin, walker]++] = entry
//
// Afterwards ends[group, bin, last walker] is where the bin ends.
//
// Reads   offset and mask (1 without one) in the first pass, source (what that left) in the second; ends.
// Writes  entries, whole; ends.
// Runs    One invocation is one walker of one offset group; a workgroup is 64 of them. Grid: walkers / 64, folded.
// Order   No barrier, no atomic: every walker has counters of its own, and walks its entries in order.

@group(0) @binding(0) var<uniform> params: BinParams;
/// [(offset group, tap, y|x), out_height, out_width]
@group(0) @binding(1) var<storage, read> offset: array<f32>;
/// [(offset group, tap), out_height, out_width]
@group(0) @binding(2) var<storage, read> mask: array<f32>;
/// [(offset group, entry)], entries
@group(0) @binding(3) var source: texture_storage_2d<rgba32float, read>;
/// [offset group, bin, walker]
@group(0) @binding(4) var<storage, read_write> ends: array<u32>;
/// [(offset group, entry)], entries
@group(0) @binding(5) var entries: texture_storage_2d<rgba32float, write>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if number >= params.groups * params.walkers {
        return;
    }
    let walker = walker_at(number);
    var walk = walk_from(walker.first);
    for (var n = walker.first; n < walker.end; n++) {
        var entry: vec4<f32>;
        if params.by_row == 0u {
            entry = entry_of(walker.group, walk);
            if params.has_mask != 0u {
                let plane = (walker.group * params.geometry.taps + walk.tap) * params.geometry.out_pixels;
                entry.w = read_mask(params.mask_base + plane + params.first_pixel + walk.pixel);
            }
            walk = after(walk);
        } else {
            entry = textureLoad(source, texel_at(walker.group * params.entries + n));
        }
        let counter = walker.counters + bin_of(entry) * params.walkers;
        let at = ends[counter];
        ends[counter] = at + 1u;
        textureStore(entries, texel_at(walker.group * params.entries + at), entry);
    }
}
