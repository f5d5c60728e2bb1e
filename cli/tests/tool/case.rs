//! Tests of what case files may hold, and of the errors for those that hold something else.

use std::path::{Path, PathBuf};

use deform_case::OPERATORS;
use safetensors::Dtype;

use crate::layers::stored;
use crate::{changed, changed_file, deform, folder, golden, run, text};

/// Returns a case of each operator, which has a gradient of its output.
fn cases(folder: &tempfile::TempDir) -> Vec<(&'static str, PathBuf)> {
    let case = |operator| {
        let path = match operator {
            "conv2d" => changed(folder, |tensors, metadata| {
                tensors.retain(|name, _| ["input", "weight", "bias", "grad_output"].contains(&name.as_str()));
                metadata.remove("offset_groups");
            }),
            "deform_conv2d" => golden("v2"),
            operator => stored(operator).remove(0),
        };
        (operator, path)
    };
    OPERATORS.iter().map(|operator| case(operator.name)).collect()
}

#[test]
fn unknown_tensors_are_refused_with_the_known_ones() {
    let (folder, other) = (folder(), folder());
    for (operator, case) in cases(&folder) {
        for name in ["grad_ofset", "Output", "grad_", "exact.grad_output", "exact.input", "exact", "torch.output"] {
            let case = changed_file(&other, &case, |tensors, _| {
                let input = tensors["input"].clone();
                tensors.insert(name.to_owned(), input);
            });
            let words = [name, "is unknown", operator, "the operands input", "output", "grad_output"];
            deform(&["run", operator, text(&case)], 1).says(&words);
            deform(&["time", operator, text(&case)], 1).says(&words);
        }
    }
    let case = changed(&folder, |tensors, _| drop(tensors.insert("grad_of".into(), tensors["input"].clone())));
    deform(&["show", text(&case)], 1).says(&["grad_of is unknown"]);
    deform(&["tune", "--memory", text(&other.path().join("tuning")), "--case", text(&case)], 1).says(&["grad_of"]);
}

#[test]
fn unknown_metadata_is_refused_with_the_known_entries() {
    let (folder, other) = (folder(), folder());
    for (operator, case) in cases(&folder) {
        for key in ["strides", "pads", "deform_groups", "kernel", "Padding"] {
            let case = changed_file(&other, &case, |_, metadata| drop(metadata.insert(key.to_owned(), "1".to_owned())));
            deform(&["run", operator, text(&case)], 1).says(&[key, "is unknown", operator, "note, source, format"]);
        }
        let remarks = changed_file(&other, &case, |tensors, metadata| {
            for key in ["note", "source", "format"] {
                metadata.insert(key.to_owned(), "a remark".to_owned());
            }
            // The answers of other implementations are not compared.
            for name in ["mmcv.output", "cuda.grad_input"] {
                tensors.insert(name.to_owned(), tensors["input"].clone());
            }
        });
        deform(&["run", operator, "--backward", text(&remarks)], 0);
    }
}

#[test]
fn a_gradient_needs_its_operand() {
    let (folder, other) = (folder(), folder());
    for (operator, case) in cases(&folder) {
        for of in ["mask", "bias", "generator_bias"] {
            let known = std::fs::read(&case).expect("it can be read");
            let has = safetensors::SafeTensors::deserialize(&known).is_ok_and(|file| file.names().contains(&of));
            for name in [format!("grad_{of}"), format!("exact.grad_{of}")].iter().filter(|_| has) {
                let case = changed_file(&other, &case, |tensors, _| {
                    let operand = tensors.remove(of).expect("the case has it");
                    tensors.insert(name.clone(), operand);
                });
                let words = format!("the file has no {of}");
                deform(&["run", operator, text(&case)], 1).says(&[&words]);
            }
        }
    }
}

#[test]
fn an_answer_in_higher_precision_is_compared_alone() {
    let (folder, other) = (folder(), folder());
    for (operator, case) in cases(&folder) {
        let out = other.path().join("out.safetensors");
        deform(&["run", operator, "--backward", text(&case), "--out", text(&out)], 0);
        let bytes = std::fs::read(&out).expect("it was written");
        let results = safetensors::SafeTensors::deserialize(&bytes).expect("it is a safetensors file");
        for wrong in results.names() {
            let exact = changed_file(&other, &case, |tensors, _| {
                tensors.retain(|name, _| !name.starts_with("grad_") && name != "output" || name == "grad_output");
                for (name, view) in results.iter() {
                    let mut bytes = view.data().to_vec();
                    if name == wrong {
                        bytes[..4].copy_from_slice(&1e9f32.to_le_bytes());
                    }
                    tensors.insert(format!("exact.{name}"), (Dtype::F32, view.shape().to_vec(), bytes));
                }
            });
            let answer = format!("exact.{wrong}");
            deform(&["run", operator, "--backward", text(&exact)], 4).says(&["does not match", &answer, "element 0"]);
        }
    }
}

#[test]
fn one_number_stands_for_both_axes() {
    let (folder, other) = (folder(), folder());
    for (operator, key, file) in [
        ("deform_conv2d", "stride", golden("stride2")),
        ("deform_conv2d", "padding", golden("pad4")),
        ("deform_conv2d", "dilation", golden("dilation3")),
        ("deformable_conv2d", "padding", stored("deformable_conv2d").remove(0)),
        ("deformable_conv2d", "generator_padding", stored("deformable_conv2d").remove(0)),
        ("conv2d", "padding", cases(&folder).pop().expect("it is the last").1),
    ] {
        let both = |text: &str| {
            let case = changed_file(&other, &file, |_, metadata| {
                let number =
                    metadata.get(key).map_or("1", |pair| pair.split(',').next().expect("two numbers")).to_owned();
                metadata.insert(key.to_owned(), text.replace('n', &number));
            });
            deform(&["run", operator, "--print", self::text(&case)], 0).stdout
        };
        assert_eq!(both("n"), both(" n , n "), "{operator} {key}");
        for wrong in ["", "1,", "1,1,1", "-1", "1.0", "one"] {
            let case =
                changed_file(&other, &file, |_, metadata| drop(metadata.insert(key.to_owned(), wrong.to_owned())));
            deform(&["run", operator, text(&case)], 1).says(&[key, &format!("{wrong:?}"), "\"h,w\", or one for both"]);
        }
    }
}

#[test]
fn options_without_an_effect_are_refused() {
    for operator in ["cycle_fc", "shift"] {
        let case = stored(operator).remove(0);
        for option in [["--algorithm", "direct"], ["--workspace", "100000"]] {
            let arguments = [["run", operator].as_slice(), &[text(&case)], &option].concat();
            deform(&arguments, 1).says(&[option[0], "no effect", operator]);
        }
        deform(&["time", operator, text(&case), "--algorithm", "direct"], 1).says(&["--algorithm", operator]);
    }
}

#[test]
fn missing_names_and_unknown_words_are_named() {
    let folder = folder();
    for (operator, key, wrong, words) in [
        ("deformable_conv2d", "mask", "relu", "none, sigmoid, twice_sigmoid"),
        ("shift", "kind", "twirl", "s2v1, s2v2, as_h, as_w, roll"),
    ] {
        let file = stored(operator).remove(0);
        let case = changed_file(&folder, &file, |_, metadata| drop(metadata.insert(key.into(), wrong.into())));
        deform(&["run", operator, text(&case)], 1).says(&[key, wrong, words]);
    }
    for (operator, key) in [("shift", "kind"), ("cycle_fc", "kernel_size")] {
        let file = stored(operator).remove(0);
        let case = changed_file(&folder, &file, |_, metadata| drop(metadata.remove(key)));
        deform(&["run", operator, text(&case)], 1).says(&[key, "is missing"]);
    }
    let file = stored("deformable_conv2d").remove(0);
    let case = changed_file(&folder, &file, |tensors, _| drop(tensors.remove("generator_weight")));
    deform(&["run", "deformable_conv2d", text(&case)], 1).says(&["generator_weight is missing"]);
    for key in ["groups", "offset_groups"] {
        let case = changed_file(&folder, &file, |_, metadata| drop(metadata.insert(key.into(), "0".into())));
        deform(&["run", "deformable_conv2d", text(&case)], 1).says(&[key, "\"0\"", "a whole number from 1"]);
    }
    deform(&["run", "shift", text(Path::new("nowhere.safetensors"))], 1).says(&["nowhere.safetensors"]);
}

#[test]
fn numbers_that_an_operator_cannot_have_are_refused() {
    let folder = folder();
    let shift = golden("../shift/as_h");
    for (operator, file, key, wrong, words) in [
        ("shift", &shift, "shift_size", "0", "a whole number from 1"),
        ("shift", &shift, "shift_size", "4294967296", "a shift is 2147483648, which is over the limit of 16777216"),
        ("shift", &shift, "shift_size", "9223372036854775808", "a shift is 4611686018427387904"),
        ("shift", &shift, "shift_size", "18446744073709551616", "a whole number from 1"),
        ("cycle_fc", &golden("../cycle_fc/k1x3"), "kernel_size", "3,3", "kernel_size is 3,3, expected 1,k or k,1"),
        ("cycle_fc", &golden("../cycle_fc/k1x3"), "kernel_size", "0,3", "kernel_size is 0,3, expected 1,k or k,1"),
    ] {
        let case = changed_file(&folder, file, |_, metadata| drop(metadata.insert(key.into(), wrong.into())));
        deform(&["run", operator, text(&case)], 1).says(&[words]);
    }
    // A kernel so long never wraps around: it is like one that is just longer than the channels.
    let case = |k: &str| {
        let case = changed_file(&folder, &golden("../cycle_fc/k1x3"), |tensors, metadata| {
            tensors.retain(|name, _| ["input", "weight"].contains(&name.as_str()));
            metadata.insert("kernel_size".into(), format!("1,{k}"));
        });
        deform(&["run", "cycle_fc", "--print", text(&case)], 0).stdout
    };
    assert_eq!(case("4294967295"), case("1001"));
}

#[test]
fn a_left_out_padding_is_named_where_the_shapes_need_it() {
    let folder = folder();
    for (operator, file, words) in [
        ("deform_conv2d", golden("v2"), "offset axis 2 is 7, expected 5"),
        ("deformable_conv2d", golden("../deformable_conv2d/k3_mask"), "offset axis 2 is"),
    ] {
        let case = changed_file(&folder, &file, |_, metadata| drop(metadata.remove("padding")));
        deform(&["run", operator, text(&case)], 1).says(&["padding 0,0 (the default, the metadata has none)", words]);
    }
}

#[test]
fn the_help_has_the_names_of_every_operator() {
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    let help = squeezed(&deform(&["run", "--help"], 0).stdout);
    for operator in OPERATORS {
        assert!(help.contains(&squeezed(&operator.to_string())), "expected {operator} in the help");
        assert!(help.contains(&squeezed(operator.about)), "expected {} in the help", operator.about);
    }
    assert!(help.contains("shift:tensorsinput;metadatakind(s2v1,s2v2,as_h,as_w,roll),[shift_size]."), "{help}");
}

#[test]
fn a_file_that_is_not_a_case_is_refused() {
    let folder = folder();
    let path = folder.path().join("text.safetensors");
    std::fs::write(&path, "not a safetensors file").expect("it can be written");
    run(&path, 1).says(&["text.safetensors", "not a safetensors file"]);
    // Every cause is printed once.
    for (bytes, words) in [
        ("", "it is empty"),
        ("# A text that is longer than the length of a header", "it does not begin with the header"),
        ("\u{4}\0\0\0\0\0\0\0{{}}", "it does not begin with the header"),
        ("PK\u{3}\u{4}\0\0\0\0\0\0", "it is a pickle, as torch.save writes"),
    ] {
        std::fs::write(&path, bytes).expect("it can be written");
        let outcome = run(&path, 1);
        outcome.says(&[words, "safetensors.torch.save_file"]);
        assert_eq!(outcome.stderr.matches("because").count(), 1, "{}", outcome.stderr);
    }

    let case = changed(&folder, |tensors, _| {
        tensors.remove("weight");
    });
    run(&case, 1).says(&["operand weight is missing"]);
}

/// No memory holds this file, of which nothing but the beginning takes place on the disk.
#[cfg(unix)]
#[test]
fn a_large_file_is_refused_by_its_beginning() {
    let folder = folder();
    let path = folder.path().join("large.safetensors");
    for header in ["PK\u{3}\u{4}....", "\u{2}\0\0\0\0\0\0\0[]"] {
        std::fs::write(&path, header).expect("it can be written");
        let file = std::fs::OpenOptions::new().write(true).open(&path).expect("it is there");
        file.set_len(1 << 42).expect("the disk has sparse files");
        run(&path, 1).says(&["not a safetensors file"]);
    }
}

#[test]
fn a_wrong_dtype_names_operand_got_and_expected() {
    let folder = folder();
    let case = changed(&folder, |tensors, _| {
        let (dtype, _, data) = tensors.get_mut("offset").expect("the case has offsets");
        *dtype = Dtype::F64;
        *data = data.repeat(2);
    });
    run(&case, 1).says(&["offset", "F64", "F32"]);
}

#[test]
fn metadata_must_agree_with_the_shapes() {
    let folder = folder();
    let case = changed(&folder, |_, metadata| {
        metadata.insert("offset_groups".to_owned(), "2".to_owned());
    });
    run(&case, 1).says(&["offset_groups", "\"2\"", "offset_groups 1"]);
    let case = changed(&folder, |_, metadata| {
        metadata.insert("stride".to_owned(), "one".to_owned());
    });
    run(&case, 1).says(&["stride", "one", "h,w"]);
    let case = changed(&folder, |_, metadata| {
        metadata.insert("stride".to_owned(), "0,1".to_owned());
    });
    run(&case, 1).says(&["stride"]);
}
