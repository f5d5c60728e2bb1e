// An operand stored as f16, two in a 32-bit word, for devices whose shaders lack the type f16. See stored_f32.wgsl.

//@ uses shared/half_bits

#if written
alias {name}_element = atomic<u32>;
#else
alias {name}_element = u32;
#end

fn read_{name}(at: u32) -> f32 {
#if written
    let pair = unpack2x16float(atomicLoad(&{name}[at / 2u]));
#else
    let pair = unpack2x16float({name}[at / 2u]);
#end
    return select(pair.x, pair.y, at % 2u == 1u);
}

#if written
/// Another invocation may own the other half of the word. Each invocation changes only the bits of its own half, so
/// their order does not matter.
fn write_{name}(at: u32, value: f32) {
    let shift = at % 2u * 16u;
    atomicAnd(&{name}[at / 2u], 0xffff0000u >> shift);
    atomicOr(&{name}[at / 2u], half_bits(value) << shift);
}
#end
