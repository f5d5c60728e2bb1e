// The pixels of a part are rounded up to whole blocks. packed_grad_output is ordered block by block; the packed taps
// and the columns only have the rounded number of pixels.

/// Pixels of a block.
const BLOCK_PIXELS = 32u;
