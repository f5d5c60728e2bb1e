// Bilinear sampling of an image that is surrounded by zeros.
//
//     sample(y, x) = Σ over the four corners (y0|y1, x0|x1) of weight · pixel        y0 = floor(y), y1 = y0 + 1, and the same for x
//     weight       = (1 − dy | dy) · (1 − dx | dx)                                   dy = y − y0, dx = x − x0
//
// A corner outside the image counts as 0. The sample is 0 where y ≤ −1, y ≥ height, x ≤ −1 or x ≥ width.
//
// On the regular grid (DEFORMED is false) positions are whole numbers, so a sample is its corner (y0, x0), and only
// that one is read.
//
// Corners depend on the position alone. One set of corners serves every channel that is sampled there.

/// A sampling position: its first corner, and the weights of all four.
struct Position {
    /// False if the sample is 0 for every image. All other members are then 0.
    inside: bool,
    /// (x0, y0); both are in −1 … size − 1.
    corner: vec2<i32>,
    /// The weights of the corners (y0,x0) (y0,x1) (y1,x0) (y1,x1).
    weight: vec4<f32>,
}

/// The four corners of a sampling position, ready to be read.
struct Corners {
    /// False if the sample is 0 for every image.
    inside: bool,
    /// Which of the corners (y0,x0) (y0,x1) (y1,x0) (y1,x1) lie in the image. The others count 0.
    present: vec4<bool>,
    /// Indices of the corners in an image plane. An absent corner has a neighbour's index, so every index is within the
    /// plane.
    index: vec4<u32>,
    /// Bilinear weights of the corners.
    weight: vec4<f32>,
}

// Replaces absent pixels by 0. Multiplying them by 0 would be wrong: the neighbour read in their place may be infinite,
// and 0 · ∞ is NaN.
fn interpolate(corners: Corners, pixels: vec4<f32>) -> f32 {
    let terms = corners.weight * select(vec4<f32>(), pixels, corners.present);
    return terms.x + terms.y + terms.z + terms.w;
}

fn position_at(y: f32, x: f32, height: u32, width: u32) -> Position {
    let inside = y > -1.0 && y < f32(height) && x > -1.0 && x < f32(width);
    // y0 and x0 are in [−1, size − 1], so the conversion to i32 is exact.
    let y0 = select(0.0, floor(y), inside);
    let x0 = select(0.0, floor(x), inside);
    let dy = y - y0;
    let dx = x - x0;
    let weight = vec4<f32>((1.0 - dy) * (1.0 - dx), (1.0 - dy) * dx, dy * (1.0 - dx), dy * dx);
    return Position(inside, vec2<i32>(i32(x0), i32(y0)), select(vec4<f32>(), weight, inside));
}

fn corners_at(y: f32, x: f32, height: u32, width: u32) -> Corners {
    let position = position_at(y, x, height, width);
    let x0 = position.corner.x;
    let y0 = position.corner.y;
    let last_y = i32(height) - 1;
    let last_x = i32(width) - 1;
    var corners: Corners;
    corners.inside = position.inside;
    corners.weight = position.weight;
    corners.present = vec4<bool>(
        y0 >= 0 && x0 >= 0,
        y0 >= 0 && x0 < last_x,
        y0 < last_y && x0 >= 0,
        y0 < last_y && x0 < last_x,
    );
    let row0 = u32(max(y0, 0)) * width;
    let row1 = u32(min(y0 + 1, last_y)) * width;
    let column0 = u32(max(x0, 0));
    let column1 = u32(min(x0 + 1, last_x));
    corners.index = vec4<u32>(row0 + column0, row0 + column1, row1 + column0, row1 + column1);
    return corners;
}
