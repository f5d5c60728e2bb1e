// The host's own shaders: drawing the picture, computing the offset field from the time, and showing the bent picture.

struct Time {
    seconds: f32,
    width: f32,
    height: f32,
    unused: f32,
}

@group(0) @binding(0) var<uniform> time: Time;
@group(0) @binding(1) var picture: texture_2d<f32>;
@group(0) @binding(2) var pixels: sampler;
/// [y|x, height, width], in pixels
@group(0) @binding(3) var<storage, read_write> offset: array<f32>;

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) at: vec2<f32>,
}

/// Places one triangle that covers the target.
@vertex
fn corner(@builtin(vertex_index) index: u32) -> Corner {
    let at = vec2<f32>(f32(index & 1u), f32(index >> 1u)) * 2.0;
    return Corner(vec4<f32>(at.x * 2.0 - 1.0, 1.0 - at.y * 2.0, 0.0, 1.0), at);
}

/// Draws the photograph with a zoom that changes periodically.
@fragment
fn draw(in: Corner) -> @location(0) vec4<f32> {
    let zoom = 1.0 - 0.05 * (1.0 + sin(6.2831853 * time.seconds));
    return textureSample(picture, pixels, (in.at - 0.5) * zoom + 0.5);
}

/// Draws the bent picture.
@fragment
fn show(in: Corner) -> @location(0) vec4<f32> {
    return textureSample(picture, pixels, in.at);
}

/// Computes the offsets of circular waves that run outwards.
@compute @workgroup_size(8, 8)
fn make_offset(@builtin(global_invocation_id) id: vec3<u32>) {
    let size = vec2<f32>(time.width, time.height);
    if f32(id.x) >= size.x || f32(id.y) >= size.y {
        return;
    }
    let from_middle = vec2<f32>(id.xy) - size / 2.0;
    let distance = max(length(from_middle), 1.0);
    let height = 6.0 * sin(distance / 14.0 - 6.2831853 * time.seconds) * exp(-distance / 150.0);
    let along = height * from_middle / distance;
    let plane = u32(time.width) * u32(time.height);
    let at = id.y * u32(time.width) + id.x;
    offset[at] = along.y;
    offset[at + plane] = along.x;
}
