//! deform in a browser: the functions that the pages call.

mod bend;
mod call;

use anyhow::{Context, Result};
use deform::{DeformConv2d, Gpu};
use deform_case::CaseFile;
use wasm_bindgen::prelude::*;

use crate::call::{Call, Computed};

/// The browser's device and the operator on it.
#[wasm_bindgen]
pub struct Device {
    gpu: Gpu,
    operator: DeformConv2d,
}

#[wasm_bindgen]
impl Device {
    /// Opens the browser's device.
    pub async fn open() -> Result<Device, JsError> {
        let gpu = Gpu::new_async().await?;
        let operator = DeformConv2d::new(&gpu);
        Ok(Self { gpu, operator })
    }

    /// Computes a call.
    pub async fn run(&self, call: Call) -> Result<Computed, JsError> {
        call.compute(&self.operator).await.map_err(js_error)
    }

    /// Computes a stored case, forward and backward, and compares the results with the file's answers. Returns the
    /// largest error, relative to the largest element of the answer.
    pub async fn check(&self, file: &[u8]) -> Result<f64, JsError> {
        self.worst_error(file).await.map_err(js_error)
    }
}

impl Device {
    async fn worst_error(&self, file: &[u8]) -> Result<f64> {
        let file = CaseFile::parse("case", file.to_vec())?;
        let mut worst = None;
        for result in self.call(&file)?()? {
            if let Some(answer) = file.answer(&result.name)? {
                let error = error(&result.download_async().await?.values, &answer.values);
                worst = Some(f64::max(worst.unwrap_or(0.0), error));
            }
        }
        worst.context("the file has no answer to compare with")
    }

    fn call(&self, file: &CaseFile) -> Result<deform_case::Call> {
        if file.has("offset") {
            deform_case::deform_conv2d(&self.operator, file, file.options()?, true)
        } else if file.has("generator_weight") {
            deform_case::deformable_conv2d(&self.operator, file, file.options()?, true)
        } else if file.has("weight") {
            deform_case::cycle_fc(&self.operator, file, true)
        } else {
            deform_case::shift(&self.gpu, file, true)
        }
    }
}

fn js_error(error: anyhow::Error) -> JsError {
    JsError::new(&format!("{error:#}"))
}

/// Returns the largest error relative to the largest finite expected value. It is infinite if only one of two values is
/// NaN or if the lengths differ.
fn error(got: &[f32], want: &[f64]) -> f64 {
    if got.len() != want.len() {
        return f64::INFINITY;
    }
    let largest =
        want.iter().filter(|value| value.is_finite()).fold(f64::MIN_POSITIVE, |most, value| most.max(value.abs()));
    let off = |(&got, &want): (&f32, &f64)| match (got.is_nan(), want.is_nan()) {
        (true, true) => 0.0,
        (false, false) if f64::from(got) == want => 0.0,
        (false, false) => (f64::from(got) - want).abs(),
        _ => f64::INFINITY,
    };
    got.iter().zip(want).map(off).fold(0.0, f64::max) / largest
}
