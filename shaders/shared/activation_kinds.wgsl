// The values of the parameter `kind` of an activation. 1 and 2 are what the sigmoid is multiplied by.

/// output = v
const IDENTITY = 0u;
/// output = max(v, 0)
const RELU = 3u;
