// The values of the parameter `kind` of an activation. For both sigmoids the output is kind · σ(v).

/// output = v
const IDENTITY = 0u;
/// output = σ(v)
const SIGMOID = 1u;
/// output = 2 · σ(v)
const TWICE_SIGMOID = 2u;
/// output = max(v, 0)
const RELU = 3u;
