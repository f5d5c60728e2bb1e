//! deform in a browser: the functions that the pages call.

mod bend;
mod call;
mod error;

use anyhow::{Context, Result};
use deform::{DeformConv2d, Gpu};
use deform_case::CaseFile;
use wasm_bindgen::prelude::*;

use crate::call::{Call, Computed};
use crate::error::{js_error, max_abs_error};

/// The browser's device and the operator on it.
#[wasm_bindgen]
pub struct Device {
    operator: DeformConv2d,
}

#[wasm_bindgen]
impl Device {
    /// Opens the browser's device.
    pub async fn open() -> Result<Device, JsError> {
        let gpu = Gpu::new_async().await?;
        Ok(Self { operator: DeformConv2d::new(&gpu) })
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
        let file = CaseFile::parse_any("case", file.to_vec())?;
        let mut worst = None;
        for result in file.call(&self.operator, file.options()?, true)?()? {
            if let Some(answer) = file.answer(&result.name)? {
                let error = relative_error(&result.download_async().await?.values, &answer.values);
                worst = Some(f64::max(worst.unwrap_or(0.0), error));
            }
        }
        worst.context("the file has no answer to compare with")
    }
}

/// Returns the largest error relative to the largest finite expected value.
fn relative_error(got: &[f32], want: &[f64]) -> f64 {
    let largest =
        want.iter().filter(|value| value.is_finite()).fold(f64::MIN_POSITIVE, |most, value| most.max(value.abs()));
    max_abs_error(got, want) / largest
}
