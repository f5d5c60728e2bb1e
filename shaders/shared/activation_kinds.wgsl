// The values of the parameter `kind` of an activation. IDENTITY and RELU are named; 1 is the sigmoid and 2 is twice the
// sigmoid, so that for both the output is kind · σ(v).

/// output = v
const IDENTITY = 0u;
/// output = max(v, 0)
const RELU = 3u;
