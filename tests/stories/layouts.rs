//! How repositories lay their files out, rightly and wrongly.

use crate::support::{COMMIT, Tensor, Workspace, gain, index, is_one_of, llama, llama_config, shard};

const FIRST: &str = "model-00001-of-00002.safetensors";
const SECOND: &str = "model-00002-of-00002.safetensors";

fn norm(layer: u64) -> Tensor {
    Tensor::bf16(&format!("model.layers.{layer}.input_layernorm.weight"), &gain(layer, 64))
}

fn name(layer: u64) -> String {
    format!("model.layers.{layer}.input_layernorm.weight")
}

/// Layers 0 and 1 in the first file, 2 and 3 in the second; `claimed` is where an index, if there is one, says that they are.
fn two_files(claimed: Option<&[(u64, &str)]>) -> Workspace {
    let mut at = Workspace::new();
    at.file("o/a", "config.json", llama_config(4, 64).to_string());
    at.file("o/a", FIRST, shard(&[norm(0), norm(1)]).bytes);
    at.file("o/a", SECOND, shard(&[norm(2), norm(3)]).bytes);
    if let Some(claimed) = claimed {
        at.file("o/a", "model.safetensors.index.json", index_of(claimed));
    }
    at.serve();
    at
}

/// An index of layers.
fn index_of(claimed: &[(u64, &str)]) -> String {
    let names: Vec<String> = claimed.iter().map(|&(layer, _)| name(layer)).collect();
    let placed: Vec<(&str, &str)> = names.iter().zip(claimed).map(|(name, (_, file))| (name.as_str(), *file)).collect();
    index(&placed)
}

#[test]
fn a_listing_of_many_pages_is_followed_to_its_end() {
    let mut at = Workspace::with_llama(2, 64);
    for number in 0..7 {
        at.file("o/a", &format!("extra/{number}.txt"), "x");
    }
    at.serve_with(|options| options.page_size = 2);
    at.run(&["fetch", &format!("o/a@{COMMIT}")]).expect(0);
    assert_eq!(at.kept_tensors(), 2);
    // Nine files and a folder.
    assert_eq!(at.asked().hub_paths_with("/tree/"), 5);
}

#[test]
fn several_files_without_an_index_are_read_together() {
    let at = two_files(None);
    let outcome = at.run(&["fetch", "o/a"]).expect(0);
    assert_eq!(outcome.stdout.lines().count(), 4, "{outcome}");
}

#[test]
fn a_consolidated_copy_is_not_counted_twice() {
    let mut at = two_files(None);
    at.close();
    at.file("o/a", "consolidated.safetensors", shard(&llama(1, 4, 64)).bytes);
    at.serve();
    let outcome = at.run(&["inspect", "o/a", "-v"]).expect(0);
    assert!(outcome.stdout.contains("parameters    256\n"), "{outcome}");
    outcome.says(&["a: file `consolidated.safetensors` is not counted: consolidated copy"]);
    assert_eq!(at.asked().ranges("consolidated.safetensors").len(), 0);
}

#[test]
fn an_index_that_misplaces_a_tensor_is_reported_and_the_tensor_found() {
    let placed = [(0, FIRST), (1, SECOND), (2, SECOND), (3, SECOND)];
    let at = two_files(Some(&placed));
    let outcome = at.run(&["fetch", "o/a", "--layers", "1", "-v"]).expect(0);
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome}");
    outcome.says(&[
        "tensor `model.layers.1.input_layernorm.weight` is in the index, but not in shard `model-00002-of-00002.safetensors`",
        "tensor `model.layers.1.input_layernorm.weight` of shard `model-00001-of-00002.safetensors` is not in the index",
    ]);
}

/// A large index is not asked for where all headers are read, unless two files have a tensor of one name: it says which counts.
#[test]
fn a_large_index_is_read_only_where_it_tells_more_than_the_files() {
    const INDEX: &str = "model.safetensors.index.json";
    let large = |copy: bool| {
        let mut at = Workspace::new();
        at.file("o/a", "config.json", llama_config(4, 64).to_string());
        at.file("o/a", FIRST, shard(&[norm(0), norm(1)]).bytes);
        let other = Tensor::bf16(&name(1), &gain(9, 64));
        let second = if copy { vec![other, norm(2), norm(3)] } else { vec![norm(2), norm(3)] };
        at.file("o/a", SECOND, shard(&second).bytes);
        let placed = index_of(&[(0, FIRST), (1, if copy { SECOND } else { FIRST }), (2, SECOND), (3, SECOND)]);
        at.file("o/a", INDEX, placed + &" ".repeat(300_000));
        at.serve();
        at
    };
    let at = large(false);
    at.run(&["inspect", "o/a"]).expect(0);
    assert_eq!(at.asked().hub_paths_with(INDEX), 0);
    let at = large(true);
    let outcome = at.run(&["inspect", "o/a", "-v"]).expect(0);
    assert!(at.asked().hub_paths_with(INDEX) > 0);
    let copy = "a: tensor `model.layers.1.input_layernorm.weight` counts as it is in shard `model-00002-of-00002.safetensors`, \
        which the index names; its copy in `model-00001-of-00002.safetensors` does not";
    outcome.says(&[copy]);
}

#[test]
fn an_index_that_omits_a_tensor_is_reported_and_the_tensor_found() {
    let placed = [(0, FIRST), (2, SECOND), (3, SECOND)];
    let at = two_files(Some(&placed));
    let outcome = at.run(&["fetch", "o/a", "-v"]).expect(0);
    outcome.says(&["tensor `model.layers.1.input_layernorm.weight` of shard `model-00001-of-00002.safetensors` is not in the index"]);
    assert_eq!(outcome.stdout.lines().count(), 4, "{outcome}");
}

/// Nothing tells that there is such a layer, and no header is read to make sure: that is said, and told by the exit status.
#[test]
fn a_layer_that_the_index_omits_is_missing_when_nothing_else_is_asked_for() {
    let placed = [(0, FIRST), (2, SECOND), (3, SECOND)];
    let at = two_files(Some(&placed));
    at.run(&["fetch", "o/a", "--layers", "1"]).expect(1).says(&["warning: a: no match"]);
}

#[test]
fn an_index_that_names_a_file_that_is_not_there_is_reported() {
    let gone = "model-00003-of-00003.safetensors";
    let placed = [(0, FIRST), (1, FIRST), (2, SECOND), (3, gone)];
    let mut at = two_files(Some(&placed));
    let outcome = at.run(&["fetch", "o/a", "-v", "--layers", "0-2"]).expect(0);
    assert_eq!(outcome.stdout.lines().count(), 3, "{outcome}");
    at.close();
    at.serve();
    let inspected = at.run(&["inspect", "o/a"]).expect(0);
    assert!(inspected.stdout.contains("warning:"), "{inspected}");
}

#[test]
fn a_checkpoint_in_a_subfolder_is_found() {
    let mut at = Workspace::new();
    at.file("o/a", "config.json", llama_config(2, 64).to_string());
    at.file("o/a", "weights/model-00001-of-00002.safetensors", shard(&[norm(0)]).bytes);
    at.file("o/a", "weights/model-00002-of-00002.safetensors", shard(&[norm(1)]).bytes);
    let placed = [(0, FIRST), (1, SECOND)];
    at.file("o/a", "weights/model.safetensors.index.json", index_of(&placed));
    at.serve();
    let outcome = at.run(&["fetch", "o/a", "--layers", "1"]).expect(0);
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome}");
    let asked = at.asked();
    assert_eq!((asked.ranges(FIRST).len(), asked.ranges(SECOND).len()), (0, 2));
}

/// A place with three models in a folder each.
fn three_in_folders() -> Workspace {
    let at = Workspace::new();
    for (folder, layers) in [("small", 1), ("large", 3), ("medium", 2)] {
        let config = llama_config(layers, 64).to_string();
        at.file("o/many", &format!("{folder}/config.json"), config);
        let weights = shard(&llama(1, layers, 64)).bytes;
        at.file("o/many", &format!("{folder}/model.safetensors"), weights);
    }
    at
}

#[test]
fn a_folder_of_several_models_is_none_of_them() {
    let at = three_in_folders();
    for command in ["inspect", "fetch", "layers", "hash"] {
        let outcome = at.run(&[command, "./hub/o/many"]).expect(2);
        outcome.says(&[
            "error: `./hub/o/many` is not one model: there are no weights and no configuration at its root, and weights in 3 \
             folders: `large`, `medium`, `small`",
            "hint: name the folder of one model, such as `./hub/o/many/large`",
        ]);
    }
    let one = at.run(&["inspect", "./hub/o/many/small"]).expect(0);
    assert!(one.stdout.contains("layers        1\n"), "{one}");
    assert!(!one.stderr.contains("warning"), "{one}");
}

#[test]
fn which_part_of_a_model_is_read_is_said_aloud() {
    let mut at = three_in_folders();
    at.serve();
    let told =
        "there are no weights at its root: its folder `large` is read, which holds most, and not `medium`, `small`; ";
    let hub = at.run(&["inspect", "o/many"]).expect(0);
    hub.says(&[&format!("warning: many: {told}download another and name its folder to read it")]);
    // The configuration is that of the part.
    assert!(hub.stdout.contains("layers        3\n"), "{hub}");
    assert!(hub.stdout.contains(&format!("warning: {told}")), "{hub}");
    at.file("o/many", "model_index.json", "{}");
    let folder = at.run(&["layers", "./hub/o/many"]).expect(0);
    folder.says(&[&format!("{told}name the folder of another to read it, such as `./hub/o/many/medium`")]);
}

#[test]
fn a_name_that_is_not_safe_as_a_file_name_stays_in_the_cache() {
    let mut at = Workspace::new();
    let tensors = [Tensor::f32("../../../escape", &gain(1, 8)), Tensor::f32("a/b\u{1b}[31m", &gain(2, 8))];
    at.model("o/a", &llama_config(1, 8), &tensors);
    at.serve();
    let outcome = at.run(&["fetch", "o/a", "--tensor", "."]).expect(0);
    assert_eq!(outcome.stdout.lines().count(), 2, "{outcome}");
    assert!(!outcome.raw.contains('\u{1b}'), "{outcome}");
    assert_eq!(Workspace::files(&at.kept("o/a")).iter().filter(|(name, _)| is_one_of(name, &["npy"])).count(), 2);
    let inspected = at.run(&["inspect", "o/a", "--tensors"]).expect(0);
    assert!(!inspected.raw.contains('\u{1b}'), "{inspected}");
}
