// Where every tap of every pixel of a window scatters its gradient: the entries that bin_count and bin_fill walk, in one order.
//
// An entry is (column, y, x, mask): which column's gradient it reads, tap·column_stride + pixel, and where the tap lies. One that touches no pixel has y = NOWHERE. `params`, `offset`, `mask` and `source` are the kernel's own.

struct BinParams {
    geometry: TapGeometry,
    first_pixel: u32,
    pixels: u32,
    column_stride: u32,
    entries: u32,
    bins: u32,
    walkers: u32,
    entries_per_walker: u32,
    groups: u32,
    by_row: u32,
    offset_base: u32,
    mask_base: u32,
    has_mask: u32,
}

const NOWHERE = -2.0;

/// A walker: where its counters lie (params.walkers apart), and which entries of which offset group it walks.
struct Walker {
    group: u32,
    counters: u32,
    first: u32,
    end: u32,
}

fn walker_at(number: u32) -> Walker {
    let group = number / params.walkers;
    let walker = number % params.walkers;
    let first = min(walker * params.entries_per_walker, params.entries);
    let end = min(first + params.entries_per_walker, params.entries);
    return Walker(group, group * params.bins * params.walkers + walker, first, end);
}

/// A walk over the window's taps, pixels within taps: counted up without a branch, since a division is dear, and a CPU driver would do it at every step.
struct Walk {
    tap: u32,
    /// Its place in the kernel, (x, y).
    tap_at: vec2<u32>,
    /// Of the window.
    pixel: u32,
    /// Of the image, (x, y).
    at: vec2<u32>,
    /// The window's first.
    first_at: vec2<u32>,
}

fn pixel_at(pixel: u32) -> vec2<u32> {
    return vec2<u32>(pixel % params.geometry.out_width, pixel / params.geometry.out_width);
}

fn walk_from(entry: u32) -> Walk {
    let tap = entry / params.pixels;
    let pixel = entry % params.pixels;
    let tap_at = vec2<u32>(tap % params.geometry.kernel_width, tap / params.geometry.kernel_width);
    return Walk(tap, tap_at, pixel, pixel_at(params.first_pixel + pixel), pixel_at(params.first_pixel));
}

/// (x, y), one further along x, or at the start of the next row.
fn next_in_rows(at: vec2<u32>, width: u32) -> vec2<u32> {
    let ends = at.x + 1u == width;
    return vec2<u32>(select(at.x + 1u, 0u, ends), at.y + u32(ends));
}

fn after(walk: Walk) -> Walk {
    let ends = walk.pixel + 1u == params.pixels;
    return Walk(
        walk.tap + u32(ends),
        select(walk.tap_at, next_in_rows(walk.tap_at, params.geometry.kernel_width), ends),
        select(walk.pixel + 1u, 0u, ends),
        select(next_in_rows(walk.at, params.geometry.out_width), walk.first_at, ends),
        walk.first_at,
    );
}

/// The entry of a tap, but for its mask.
fn entry_of(group: u32, walk: Walk) -> vec4<f32> {
    let plane = (group * params.geometry.taps + walk.tap) * params.geometry.out_pixels;
    let at = params.offset_base + 2u * plane + params.first_pixel + walk.pixel;
    let whole = vec2<i32>(walk.at * vec2<u32>(params.geometry.stride_w, params.geometry.stride_h))
        - vec2<i32>(vec2<u32>(params.geometry.pad_w, params.geometry.pad_h))
        + vec2<i32>(walk.tap_at * vec2<u32>(params.geometry.dil_w, params.geometry.dil_h));
    let position = moved(whole, at);
    let inside = position_at(position.y, position.x, params.geometry.in_height, params.geometry.in_width).inside;
    let column = f32(walk.tap * params.column_stride + walk.pixel);
    return vec4<f32>(column, select(NOWHERE, position.y, inside), select(0.0, position.x, inside), 1.0);
}

/// The bin that an entry belongs into: its cell's column in the first pass, its cell's row in the second, counted from −1; what
/// touches no pixel comes last.
fn bin_of(entry: vec4<f32>) -> u32 {
    if params.by_row == 0u {
        return u32(floor(entry.z) + 1.0);
    }
    return select(u32(max(floor(entry.y) + 1.0, 0.0)), params.geometry.in_height + 1u, entry.y == NOWHERE);
}
