// An operand stored as f32. The expander (src/kernel/expand.rs) writes this template out for every binding that
// `//@ operand` marks.

alias {name}_element = f32;

fn read_{name}(at: u32) -> f32 {
    return {name}[at];
}

#if written
fn write_{name}(at: u32, value: f32) {
    {name}[at] = value;
}
#end
