// Planes with a border of zeros in a buffer: one for each pack of each image, one behind the other.
//
// A plane has two rows of zeros above its image and a column of zeros on the left. The column on the right is the left
// column of the next row, and the row below is the first row of the next plane, or the zeros behind the last plane. So
// the four corners of every position that touches the image lie in the buffer.

/// The index of a corner whose four neighbours are all zeros: (−2, −1).
const NOWHERE = 0u;

fn bordered_width(width: u32) -> u32 {
    return width + 1u;
}

/// Returns the elements from one plane to the next.
fn bordered_size(height: u32, width: u32) -> u32 {
    return (height + 2u) * bordered_width(width);
}

/// Returns the index of the pixel `at`, (x, y), in a plane.
fn bordered_index(at: vec2<i32>, width: u32) -> u32 {
    return u32(at.y + 2) * bordered_width(width) + u32(at.x + 1);
}
