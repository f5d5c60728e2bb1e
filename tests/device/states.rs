//! State dicts: every convention of parameter names, saved and loaded, and the errors for states that do not fit.

use std::collections::BTreeMap;

use deform::Error;
use deform::layers::{Conv2d, Conv2dOptions, DeformableConv2d, HostTensor, Mask, Names, State};

use crate::device::operator;
use crate::layers::{layer, random};

fn outputs(layer: &DeformableConv2d) -> Vec<f32> {
    layer.forward(&random([1, 4, 8, 8], 5)).unwrap().output.download().unwrap()
}

/// Saves and loads the parameters through a file, under every convention of names.
#[test]
fn state_dicts_survive_a_file_under_every_convention() {
    for (mask, names, expected) in [
        (Mask::Sigmoid, Names::Mmcv, vec!["bias", "conv_offset.bias", "conv_offset.weight", "weight"]),
        (Mask::None, Names::Mmcv, vec!["bias", "conv_offset.bias", "conv_offset.weight", "weight"]),
        (Mask::Sigmoid, Names::CenterNet, vec!["bias", "conv_offset_mask.bias", "conv_offset_mask.weight", "weight"]),
        (
            Mask::TwiceSigmoid,
            Names::BiRefNet,
            vec![
                "modulator_conv.bias",
                "modulator_conv.weight",
                "offset_conv.bias",
                "offset_conv.weight",
                "regular_conv.bias",
                "regular_conv.weight",
            ],
        ),
    ] {
        let from = layer(mask, 0.1);
        let mut saved = State::default();
        from.save(&mut saved, "model.", names).unwrap();
        let keys: Vec<_> = saved.tensors.keys().map(|key| key.trim_start_matches("model.").to_owned()).collect();
        assert_eq!(keys, expected);
        let read = State::from_safetensors(&saved.to_safetensors().unwrap()).unwrap();
        assert_eq!(read, saved);
        let to = layer(mask, 0.0);
        assert_ne!(outputs(&to), outputs(&from));
        to.load(&read, "model.").unwrap();
        assert_eq!(outputs(&to), outputs(&from), "{names:?}");
        // A state without the weight of the regular convolution is refused.
        let missing = State {
            tensors: read
                .tensors
                .into_iter()
                .filter(|(key, _)| !key.contains("regular") && !key.ends_with("model.weight"))
                .collect(),
            ..State::default()
        };
        assert!(matches!(to.load(&missing, "model."), Err(Error::State { .. })));
    }
    // The rows of a combined generator are those of the offsets, then those of the mask.
    let layer = layer(Mask::Sigmoid, 0.1);
    let mut state = State::default();
    layer.save(&mut state, "", Names::Mmcv).unwrap();
    let combined = state.get("conv_offset.weight").unwrap();
    assert_eq!(combined.shape, [54, 4, 5, 5]);
    let offset: Vec<f32> = layer.offset_conv.weight().value().download().unwrap();
    assert_eq!(combined.values[..offset.len()], offset);
}

fn state_file() -> Vec<u8> {
    let tensors = [("a".to_owned(), HostTensor { shape: vec![2], values: vec![1.0, 2.0] })].into();
    State { tensors, ..State::default() }.to_safetensors().unwrap()
}

#[test]
fn states_that_do_not_fit_are_refused() {
    let layer = layer(Mask::Sigmoid, 0.0);
    let error = layer.load(&State::default(), "neck.").unwrap_err();
    assert!(error.to_string().contains("conv_offset_mask"), "{error}");
    let mut state = State::default();
    layer.save(&mut state, "", Names::BiRefNet).unwrap();
    state.tensors.get_mut("offset_conv.weight").unwrap().shape[0] -= 1;
    let error = layer.load(&state, "").unwrap_err();
    assert!(error.to_string().contains("offset_conv.weight is [35, 4, 5, 5], expected [36, 4, 5, 5]"), "{error}");
    assert!(matches!(state.to_safetensors(), Err(Error::State { .. })), "a shape that its elements do not fill");
    let file = state_file();
    for (bytes, words) in [
        (b"".as_slice(), "it is empty"),
        (b"no file", "does not begin with the header"),
        (b"# A text that is longer than the length of a header", "does not begin with the header"),
        (b"\x04\0\0\0\0\0\0\0{{}}", "does not begin with the header"),
        (b"\xFF\0\0\0\0\0\0\0{}", "does not begin with the header"),
        (b"PK\x03\x04\0\0\0\0\0\0\0\0", "it is a pickle"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "it is a pickle"),
        (&file[..file.len() - 1], "its tensors end before the file does, or after it"),
        (&[file.as_slice(), &[0]].concat(), "its tensors end before the file does, or after it"),
    ] {
        let error = State::from_safetensors(bytes).unwrap_err();
        assert!(matches!(&error, Error::State { reason } if reason.contains(words)), "{bytes:?}: {error}");
    }

    // A v2 state for a v1 layer, the reverse, and a state with a bias too many are refused. Nothing is dropped
    // silently, and no parameter changes.
    let refused = |from: Mask, names, to: Mask, words: &str| {
        let mut state = State::default();
        crate::layers::layer(from, 0.1).save(&mut state, "p.", names).unwrap();
        let to = crate::layers::layer(to, 0.0);
        let before = outputs(&to);
        let error = to.load(&state, "p.").unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert_eq!(outputs(&to), before);
    };
    let v2 = "p.conv_offset.weight is [54, 4, 5, 5], expected [36, 4, 5, 5]";
    refused(Mask::Sigmoid, Names::Mmcv, Mask::None, v2);
    let v1 = "p.conv_offset.weight is [36, 4, 5, 5], expected [54, 4, 5, 5]";
    refused(Mask::None, Names::Mmcv, Mask::Sigmoid, v1);
    refused(Mask::Sigmoid, Names::BiRefNet, Mask::None, "p.modulator_conv.weight is there");
    refused(Mask::None, Names::BiRefNet, Mask::Sigmoid, "there is no tensor p.modulator_conv.weight");
    let options = Conv2dOptions::new(4, 6, [3, 3]);
    let unbiased = Conv2d::new(operator(), Conv2dOptions { bias: false, ..options }, 0).unwrap();
    let mut biased = State::default();
    Conv2d::new(operator(), options, 1).unwrap().save(&mut biased, "").unwrap();
    let error = unbiased.load(&biased, "").unwrap_err().to_string();
    assert!(error.contains("bias is there"), "{error}");
}

/// The types of PyTorch's state dicts.
#[test]
fn other_floats_become_f32_and_integers_are_dropped() {
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;
    let halves: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect();
    let brains: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect();
    let doubles: Vec<u8> = [1.5f64, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let counter = 7i64.to_le_bytes();
    let view = |dtype, shape: &[usize], bytes| TensorView::new(dtype, shape.to_vec(), bytes).unwrap();
    let file = [
        ("half", view(Dtype::F16, &[2], halves.as_slice())),
        ("brain", view(Dtype::BF16, &[2], brains.as_slice())),
        ("double", view(Dtype::F64, &[2], doubles.as_slice())),
        ("num_batches_tracked", view(Dtype::I64, &[1], counter.as_slice())),
    ];
    let state = State::from_safetensors(&safetensors::serialize(file, None).unwrap()).unwrap();
    let want = HostTensor { shape: vec![2], values: vec![1.5, -2.0] };
    let want: BTreeMap<_, _> = ["brain", "double", "half"].map(|name| (name.to_owned(), want.clone())).into();
    assert_eq!(state.tensors, want);
    let error = state.get("num_batches_tracked").unwrap_err().to_string();
    assert!(error.contains("num_batches_tracked holds I64, expected F32, F64, F16 or BF16"), "{error}");
}
