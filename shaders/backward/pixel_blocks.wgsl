// The textures of the backward pass keep the pixels of a window together in blocks. The last block of a window is filled up.

/// Pixels of a block.
const BLOCK_PIXELS = 32u;
