//! I ask whether a quantised checkpoint is linked with a plain one: its rows are what codes and scales stand for.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    lineage::{Planted, groups, tokenizer},
    support::{Tensor, Workspace, rows},
};

/// How matrices are quantised.
#[derive(Clone, Copy, PartialEq)]
enum Grid {
    /// `F8_E4M3` with a scale for each 128 x 128, as `DeepSeek` stores the matrices of its layers.
    Blocks,
    /// `I8` with a scale a row, the embeddings too.
    Rows,
}

/// A matrix as codes and scales, and the values that these stand for.
struct Quantised {
    codes: Vec<u8>,
    scales: Vec<f32>,
    values: Vec<f32>,
}

impl Grid {
    const ALL: [Self; 2] = [Self::Blocks, Self::Rows];

    fn id(self) -> &'static str {
        if self == Self::Blocks { "o/f8" } else { "o/i8" }
    }

    fn dtype(self) -> &'static str {
        if self == Self::Blocks { "F8_E4M3" } else { "I8" }
    }

    fn takes(self, tensor: &Tensor) -> bool {
        tensor.shape.len() == 2 && (self == Self::Rows || tensor.name.contains("layers"))
    }

    /// Rows and columns that share a scale.
    fn block(self, columns: usize) -> [usize; 2] {
        if self == Self::Blocks { [128, 128] } else { [1, columns] }
    }

    /// The largest value of a code, and the code nearest to a value with what it stands for.
    fn largest(self) -> f32 {
        if self == Self::Blocks { 448.0 } else { 127.0 }
    }

    fn code(self, value: f32) -> (u8, f32) {
        if self == Self::Rows {
            let nearest = value.round();
            #[expect(clippy::cast_possible_truncation, reason = "a code is a small whole number")]
            let code = nearest as i8;
            return (code.cast_unsigned(), nearest);
        }
        let apart = |code: &u8| (e4m3(*code) - value.abs()).abs();
        let nearest = (0..0x7f).min_by(|a, b| apart(a).total_cmp(&apart(b))).unwrap();
        let signed = if value < 0.0 { nearest | 0x80 } else { nearest };
        (signed, e4m3(nearest).copysign(value))
    }

    fn quantise(self, values: &[f32], [rows, columns]: [usize; 2]) -> Quantised {
        let [high, wide] = self.block(columns);
        let across = columns.div_ceil(wide);
        let place = |at: usize| at / columns / high * across + at % columns / wide;
        let mut scales = vec![0.0_f32; rows.div_ceil(high) * across];
        for (at, value) in values.iter().enumerate() {
            let scale = &mut scales[place(at)];
            *scale = scale.max(value.abs() / self.largest());
        }
        let coded = values.iter().enumerate().map(|(at, value)| {
            let scale = scales[place(at)];
            let (code, stands_for) = self.code(value / scale);
            (code, stands_for * scale)
        });
        let (codes, values) = coded.unzip();
        Quantised { codes, scales, values }
    }

    fn config(self, planted: &Planted) -> Value {
        let mut config = planted.config();
        if self == Self::Blocks {
            config["quantization_config"] = json!({ "quant_method": "fp8", "weight_block_size": [128, 128] });
        }
        config
    }

    /// Writes the quantised checkpoint, and one of another id whose tensors are the values in F32.
    fn write(self, at: &Workspace, planted: &Planted) {
        let (mut stored, mut values) = (Vec::new(), Vec::new());
        for tensor in planted.tensors() {
            if !self.takes(&tensor) {
                stored.push(Tensor::raw(&tensor.name, tensor.dtype, &tensor.shape, tensor.bytes.clone()));
                values.push(tensor);
                continue;
            }
            let [rows, columns] = [0, 1].map(|axis| usize::try_from(tensor.shape[axis]).unwrap());
            let of = self.quantise(&bf16(&tensor.bytes), [rows, columns]);
            stored.push(Tensor::raw(&tensor.name, self.dtype(), &tensor.shape, of.codes));
            let name = format!("{}_scale{}", tensor.name, if self == Self::Blocks { "_inv" } else { "" });
            let [high, wide] = self.block(columns);
            let extents = [rows.div_ceil(high) as u64, columns.div_ceil(wide) as u64];
            stored.push(Tensor::raw(&name, "F32", &extents, Tensor::f32("", &of.scales).bytes));
            values.push(Tensor::raw(&tensor.name, "F32", &tensor.shape, Tensor::f32("", &of.values).bytes));
        }
        at.model(self.id(), &self.config(planted), &stored);
        at.file(self.id(), "tokenizer.json", tokenizer().to_string());
        let id = format!("{}-values", self.id());
        at.model(&id, &planted.config(), &values);
        at.file(&id, "tokenizer.json", tokenizer().to_string());
    }
}

/// What a code of `F8_E4M3` without sign stands for.
fn e4m3(code: u8) -> f32 {
    let (exponent, mantissa) = (i32::from(code >> 3 & 0xf), f32::from(code & 7) / 8.0);
    if exponent == 0 { mantissa * 2.0_f32.powi(-6) } else { (1.0 + mantissa) * 2.0_f32.powi(exponent - 7) }
}

fn bf16(bytes: &[u8]) -> Vec<f32> {
    let (codes, _) = bytes.as_chunks::<2>();
    codes.iter().map(|&[low, high]| f32::from_le_bytes([0, 0, low, high])).collect()
}

/// `o/plain`, its quantised child in both ways, and `o/other`, which is unrelated.
fn place() -> Workspace {
    let mut at = Workspace::new();
    let wide = |planted: Planted| Planted { width: 256, inner: 256, ..planted };
    wide(Planted::of(1)).write(&at, "o/plain");
    wide(Planted::of(3)).write(&at, "o/other");
    for grid in Grid::ALL {
        grid.write(&at, &wide(Planted::relative(1, 2, 0.99)));
    }
    at.serve();
    at
}

const FIGURES: [&str; 8] = ["rows", "z", "p", "log10_bound", "rho", "rho_sd", "rho_detectable", "sign"];

#[test]
fn a_quantised_child_is_linked_by_the_values_of_its_rows() {
    let at = place();
    for grid in Grid::ALL {
        let id = grid.id();
        let run = |other: &str, out: &str| at.run(&["lineage", "o/plain", other, "-o", out]).expect(0);
        let outcome = run(id, "codes");
        assert!(outcome.stdout.contains("LINKED") && outcome.stdout.contains("quantised"), "{outcome}");
        run(&format!("{id}-values"), "values");
        let folders = ["./hub/o/plain".to_owned(), format!("./hub/{id}")];
        at.run(&["lineage", &folders[0], &folders[1], "--offline", "-o", "folder"]).expect(0);
        let [codes, values, folder] = ["codes", "values", "folder"].map(|out| groups(&at, out));
        assert_eq!(codes[""]["sign"], "linked");
        for group in ["mlp", "heads", "norms", "embeddings"] {
            for figure in FIGURES {
                let [of_codes, of_values, of_folder] = [&codes, &values, &folder].map(|groups| &groups[group][figure]);
                assert_eq!(of_codes, of_values, "{id} {group} {figure}");
                assert_eq!(of_codes, of_folder, "{id} {group} {figure}");
            }
            let rho: f64 = codes[group]["rho"].parse().unwrap();
            assert!((0.97..1.0).contains(&rho), "{id} {group} {rho}");
        }
        let kind = rows(&at.read("codes/relation.csv")).into_iter().find(|row| row["quantity"] == "kind").unwrap();
        assert_eq!(kind["text"], "quantised", "{id}");
        let unrelated = at.run(&["lineage", "o/other", id]).expect(0);
        assert!(unrelated.stdout.starts_with("CONSISTENT WITH INDEPENDENCE"), "{unrelated}");
    }
}

#[test]
fn scales_are_in_the_plan_and_move_once() {
    let at = place();
    for id in ["o/f8", "o/i8"] {
        let specs = ["o/other@c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00".to_owned(), format!("{id}@main")];
        let run = |more: &[&str]| at.run(&[&["lineage", &specs[0], &specs[1]], more].concat()).expect(0);
        let dry = run(&["--dry-run"]);
        at.asked();
        run(&["--no-deep"]);
        let moved = at.asked().cdn_bytes();
        let said = format!("{:.0} kB of weights still to move", moved as f64 / 1e3);
        assert!(dry.stdout.contains(&said), "{id} {said}: {dry}");
        run(&["--no-deep"]);
        assert_eq!(at.asked().cdn_bytes(), 0, "{id}");
    }
    // Tables are read by rows in the same way.
    at.run(&["embeddings", "o/i8", "o/i8-values", "-o", "tables"]).expect(0);
    let tokens = rows(&at.read("tables/tokens.csv"));
    let is_equal = |row: &BTreeMap<String, String>| row["cos_sim"].parse() == Ok(1.0);
    assert!(tokens.len() == 400 && tokens.iter().all(is_equal), "{:?}", tokens.first());
}

#[test]
fn codes_without_known_scales_are_not_tested_and_it_is_said_why() {
    let mut at = Workspace::new();
    let planted = Planted::of(1);
    planted.write(&at, "o/plain");
    let codes = planted.tensors().into_iter().map(|tensor| {
        if tensor.name.contains("_proj") {
            let elements = tensor.bytes.len() / 2;
            Tensor::raw(&tensor.name, "I8", &tensor.shape, vec![3; elements])
        } else {
            tensor
        }
    });
    at.model("o/codes", &planted.config(), &codes.collect::<Vec<_>>());
    at.file("o/codes", "tokenizer.json", tokenizer().to_string());
    at.serve();
    at.run(&["lineage", "o/plain", "o/codes", "-o", "out"]).expect(0);
    let groups = groups(&at, "out");
    assert_eq!(groups["mlp"]["undefined"], "Packed");
    assert_eq!((groups["heads"]["undefined"].as_str(), groups["embeddings"]["sign"].as_str()), ("Packed", "+"));
    let text = at.run(&["inspect", "o/codes"]).expect(0).stdout;
    assert!(text.contains("lineage cannot test mlp: weights that cannot be dequantised by rows"), "{text}");
}
