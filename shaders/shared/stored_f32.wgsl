// An operand stored as f32. The expander writes this out for every binding marked as an operand: see src/kernel/expand.rs.

alias {name}_element = f32;

fn read_{name}(at: u32) -> f32 {
    return {name}[at];
}

#if written
fn write_{name}(at: u32, value: f32) {
    {name}[at] = value;
}
#end
