// An operand stored as f16, for devices whose shaders have that type. See stored_f32.wgsl.

enable f16;

alias {name}_element = f16;

fn read_{name}(at: u32) -> f32 {
    return f32({name}[at]);
}

#if written
fn write_{name}(at: u32, value: f32) {
    {name}[at] = f16(value);
}
#end
