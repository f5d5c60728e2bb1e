// Adds one element to the partial sums (Σ |element|, max |element|, number of elements that are NaN or infinite, …).

//@ uses shared/finite

fn counted(before: vec4<f32>, element: f32) -> vec4<f32> {
    var sum = before;
    if is_finite(element) {
        sum.x += abs(element);
        sum.y = max(sum.y, abs(element));
    } else {
        sum.z += 1.0;
    }
    return sum;
}
