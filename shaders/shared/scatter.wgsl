// Where every tap of every pixel of a window scatters its gradient: the entries that bin_count and bin_fill walk, in one order.
//
// An entry is (column, y, x, mask): which row of the gradient of the columns it reads, tap·padded_pixels + pixel, and where the
// tap lies. One that touches no pixel has y = NOWHERE. `params`, `offset`, `mask` and `source` are the kernel's own.

const NOWHERE = -2.0;

/// A walk over the window's taps, pixels within taps: counted up, since a division is dear.
struct Walk {
    tap: u32,
    /// Of the window.
    pixel: u32,
    /// Of the image, (x, y).
    at: vec2<u32>,
    /// How far the tap lies from the first.
    step: vec2<i32>,
}

fn pixel_at(pixel: u32) -> vec2<u32> {
    return vec2<u32>(pixel % params.out_width, pixel / params.out_width);
}

fn walk_from(entry: u32) -> Walk {
    let tap = entry / params.pixels;
    let pixel = entry % params.pixels;
    return Walk(tap, pixel, pixel_at(params.first_pixel + pixel), tap_step(tap));
}

fn after(before: Walk) -> Walk {
    var walk = before;
    walk.pixel++;
    walk.at.x++;
    if walk.at.x == params.out_width {
        walk.at = vec2<u32>(0u, walk.at.y + 1u);
    }
    if walk.pixel == params.pixels {
        walk = walk_from((walk.tap + 1u) * params.pixels);
    }
    return walk;
}

/// The entry of a tap, but for its mask.
fn entry_of(group: u32, walk: Walk) -> vec4<f32> {
    let plane = (group * params.taps + walk.tap) * params.out_pixels;
    let at = params.offset_base + 2u * plane + params.first_pixel + walk.pixel;
    let whole = vec2<i32>(walk.at * vec2<u32>(params.stride_w, params.stride_h))
        - vec2<i32>(vec2<u32>(params.pad_w, params.pad_h)) + walk.step;
    let y = f32(whole.y) + read_offset(at);
    let x = f32(whole.x) + read_offset(at + params.out_pixels);
    let inside = position_at(y, x, params.in_height, params.in_width).inside;
    return vec4<f32>(f32(walk.tap * params.padded_pixels + walk.pixel), select(NOWHERE, y, inside), select(0.0, x, inside), 1.0);
}

/// The bin that an entry belongs into: its cell's column in the first pass, its cell's row in the second, counted from −1; what
/// touches no pixel comes last.
fn bin_of(entry: vec4<f32>) -> u32 {
    if params.by_row == 0u {
        return u32(floor(entry.z) + 1.0);
    }
    return select(u32(max(floor(entry.y) + 1.0, 0.0)), params.in_height + 1u, entry.y == NOWHERE);
}
