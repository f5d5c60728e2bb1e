//! deform in a browser: what the pages call.

mod bend;

use std::collections::HashMap;

use deform::layers::{
    CycleFc, DeformableConv2d, DeformableConv2dOptions, Generator, HostTensor, Mask, Parameter, State,
};
use deform::ops::deform_conv2d::Mode;
use deform::ops::shift::{Border, ChannelShift, as_mlp, s2_mlp_v1, s2_mlp_v2};
use deform::{DeformConv2d, Gpu, Gradients, Inputs, Options, Tensor};
use safetensors::SafeTensors;
use wasm_bindgen::prelude::*;

/// The browser's device, with an operator on it.
#[wasm_bindgen]
pub struct Device {
    gpu: Gpu,
    operator: DeformConv2d,
}

/// One stored case: its operands, what it says of them, and torch's answers, all in f32.
struct Case {
    tensors: State,
    metadata: HashMap<String, String>,
}

type Results = Vec<(String, Tensor)>;

#[wasm_bindgen]
impl Device {
    /// Opens the browser's device.
    pub async fn open() -> Result<Device, JsError> {
        let gpu = Gpu::new_async().await?;
        let operator = DeformConv2d::new(&gpu);
        Ok(Self { gpu, operator })
    }

    /// Computes a stored case, forward and backward, and compares all that it has answers to. The largest error, as a share of the largest
    /// element of its answer.
    pub async fn check(&self, file: &[u8]) -> Result<f64, JsError> {
        let case = Case::read(file)?;
        let mut worst = 0.0;
        for (name, got) in self.compute(&case)? {
            let want = case.tensors.get(&name)?;
            let got = got.download_async::<f32>().await?;
            worst = f64::max(worst, error(&got, &want.values));
        }
        Ok(worst)
    }
}

/// Infinite where one is a number and the other is not.
fn error(got: &[f32], want: &[f32]) -> f64 {
    if got.len() != want.len() {
        return f64::INFINITY;
    }
    let largest = want
        .iter()
        .filter(|value| value.is_finite())
        .fold(f64::MIN_POSITIVE, |most, value| most.max(f64::from(value.abs())));
    let off = |(got, want): (&f32, &f32)| match (got.is_nan(), want.is_nan()) {
        (true, true) => 0.0,
        (false, false) if got == want => 0.0,
        (false, false) => (f64::from(*got) - f64::from(*want)).abs(),
        _ => f64::INFINITY,
    };
    got.iter().zip(want).map(off).fold(0.0, f64::max) / largest
}

impl Case {
    fn read(file: &[u8]) -> Result<Self, JsError> {
        let (_, header) = SafeTensors::read_metadata(file)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        Ok(Self { tensors: State::from_safetensors(file)?, metadata })
    }

    fn has(&self, name: &str) -> bool {
        self.tensors.tensors.contains_key(name)
    }

    fn host(&self, name: &str) -> Result<&HostTensor, JsError> {
        Ok(self.tensors.get(name)?)
    }

    fn upload(&self, gpu: &Gpu, name: &str) -> Result<Tensor, JsError> {
        let HostTensor { shape, values } = self.host(name)?;
        Ok(Tensor::upload(gpu, shape, values)?)
    }

    fn optional(&self, gpu: &Gpu, name: &str) -> Result<Option<Tensor>, JsError> {
        if self.has(name) { self.upload(gpu, name).map(Some) } else { Ok(None) }
    }

    fn word(&self, key: &str) -> &str {
        self.metadata.get(key).map_or("", |text| text.trim())
    }

    fn number(&self, key: &str) -> Result<usize, JsError> {
        Ok(self.word(key).parse()?)
    }

    /// "h,w", or one number for both.
    fn pair(&self, key: &str) -> Result<[usize; 2], JsError> {
        match self.word(key).split_once(',') {
            Some((h, w)) => Ok([h.parse()?, w.parse()?]),
            None => Ok([self.number(key)?; 2]),
        }
    }

    fn options(&self) -> Result<Options, JsError> {
        let [stride, padding, dilation] = [self.pair("stride")?, self.pair("padding")?, self.pair("dilation")?];
        Ok(Options { stride, padding, dilation, ..Options::default() })
    }

    /// The results that the case has answers to.
    fn answered(&self, results: Results) -> Results {
        results.into_iter().filter(|(name, _)| self.has(name)).collect()
    }

    fn renamed(&self, names: &[(&str, &str)]) -> State {
        let tensors =
            names.iter().filter_map(|(to, from)| Some(((*to).to_owned(), self.tensors.tensors.get(*from)?.clone())));
        State { tensors: tensors.collect() }
    }
}

impl Device {
    fn compute(&self, case: &Case) -> Result<Results, JsError> {
        let results = if case.has("offset") {
            self.deform_conv2d(case)?
        } else if case.has("generator_weight") {
            self.deformable_conv2d(case)?
        } else if case.has("weight") {
            self.cycle_fc(case)?
        } else {
            self.shift(case)?
        };
        Ok(case.answered(results))
    }

    fn deform_conv2d(&self, case: &Case) -> Result<Results, JsError> {
        let of = |name| case.upload(&self.gpu, name);
        let (input, offset, weight) = (of("input")?, of("offset")?, of("weight")?);
        let (mask, bias) = (case.optional(&self.gpu, "mask")?, case.optional(&self.gpu, "bias")?);
        let inputs =
            Inputs { input: &input, offset: &offset, weight: &weight, mask: mask.as_ref(), bias: bias.as_ref() };
        let options = case.options()?;
        let mut results = vec![("output".to_owned(), self.operator.forward(&inputs, options)?)];
        let gradients = self.operator.backward(&inputs, &of("grad_output")?, Gradients::ALL, options)?;
        for (operand, gradient) in gradients.iter() {
            results.extend(gradient.clone().map(|gradient| (operand.gradient_name().to_owned(), gradient)));
        }
        Ok(results)
    }

    fn deformable_conv2d(&self, case: &Case) -> Result<Results, JsError> {
        let (weight, input) = (&case.host("weight")?.shape, &case.host("input")?.shape);
        let options = DeformableConv2dOptions {
            groups: case.number("groups")?,
            offset_groups: case.number("offset_groups")?,
            bias: case.has("bias"),
            mask: if case.word("mask") == "sigmoid" { Mask::Sigmoid } else { Mask::None },
            generator: Generator { kernel: [3, 3], padding: [1, 1], dilation: [1, 1] },
            deform: case.options()?,
            ..DeformableConv2dOptions::new(input[1], weight[0], [weight[2], weight[3]])
        };
        let layer = DeformableConv2d::new(&self.operator, options, 0)?;
        let names = [
            ("weight", "weight"),
            ("bias", "bias"),
            ("conv_offset.weight", "generator_weight"),
            ("conv_offset.bias", "generator_bias"),
        ];
        layer.load(&case.renamed(&names), "")?;
        let input = case.upload(&self.gpu, "input")?;
        let forward = layer.forward(&input)?;
        let grad_output = case.upload(&self.gpu, "grad_output")?;
        let grad_input = layer.backward(&input, &forward, &grad_output, Mode::Write)?;
        let mut results = vec![("output".to_owned(), forward.output), ("grad_input".to_owned(), grad_input)];
        results.extend(gradients(&layer.regular_conv.parameters()));
        Ok(results)
    }

    fn cycle_fc(&self, case: &Case) -> Result<Results, JsError> {
        let weight = &case.host("weight")?.shape;
        let kernel = case.pair("kernel_size")?;
        let layer = CycleFc::new(&self.operator, weight[1], weight[0], kernel, case.has("bias"), 0)?;
        layer.load(&case.tensors, "")?;
        let input = case.upload(&self.gpu, "input")?;
        let output = layer.forward(&input)?;
        let grad_input = layer.backward(&input, &output, &case.upload(&self.gpu, "grad_output")?, Mode::Write)?;
        let mut results = vec![("output".to_owned(), output), ("grad_input".to_owned(), grad_input)];
        results.extend(gradients(&layer.parameters()));
        Ok(results)
    }

    fn shift(&self, case: &Case) -> Result<Results, JsError> {
        let input = case.upload(&self.gpu, "input")?;
        let channels = input.shape()[1];
        let (shifts, border) = match case.word("kind") {
            "s2v1" => (s2_mlp_v1(channels), Border::Keep),
            "s2v2" => (s2_mlp_v2(channels), Border::Keep),
            "as_h" => (as_mlp(channels, case.number("shift_size")?, 0), Border::Zero),
            "as_w" => (as_mlp(channels, case.number("shift_size")?, 1), Border::Zero),
            _ => (s2_mlp_v1(channels), Border::Wrap),
        };
        let operator = ChannelShift::new(&self.gpu, &shifts, border)?;
        let grad_input = operator.backward(&case.upload(&self.gpu, "grad_output")?)?;
        Ok(vec![("output".to_owned(), operator.forward(&input)?), ("grad_input".to_owned(), grad_input)])
    }
}

fn gradients(parameters: &[(&'static str, &Parameter)]) -> Results {
    parameters.iter().map(|(name, parameter)| (format!("grad_{name}"), parameter.gradient().clone())).collect()
}
